// What the user asks of channels: create, send, receive, close, release. What the wire does to them:
// channels_wire.cpp.
#include "peer/channels.h"

#include "base/bytes.h"
#include "base/log.h"

namespace pollrtc {
namespace {

constexpr std::size_t kInboxKept = 64;  // messages that an empty inbox keeps room for
constexpr std::size_t kMostCurrent = std::size_t{64} * 1024;
constexpr std::size_t kMaxText = 65535;  // RFC 8832 §5.1: 16-bit lengths of label and protocol
constexpr std::uint16_t kNoId = 65535;   // RFC 8832 §3: never a stream's id

std::uint32_t number(ChannelHandle handle) { return static_cast<std::uint32_t>(handle); }

}  // namespace

Channels::Channels(const Environment& environment, EventQueue& events)
    : environment_(environment),
      events_(events),
      channels_(environment.memory),
      handle_by_id_(environment.memory),
      kept_(environment.memory),
      unusable_(environment.memory),
      refused_(environment.memory),
      reset_again_(environment.memory) {}

Channels::~Channels() = default;

Channels::Channel* Channels::find(ChannelHandle handle) const {
  const Owned<Channel>* entry = channels_.find(number(handle));
  return entry == nullptr ? nullptr : entry->get();
}

Channels::Channel* Channels::find_by_id(std::uint16_t id) const {
  const std::uint32_t* handle = handle_by_id_.find(id);
  return handle == nullptr || *handle == kUnusable ? nullptr : find(ChannelHandle{*handle});
}

bool Channels::is_in_use(std::uint16_t id) const {
  return handle_by_id_.find(id) != nullptr || is_nobodys(id);
}

// A set, so that who makes thousands of streams unusable makes us remember a bit for each.
void Channels::never_use_again(std::uint16_t id) {
  if (unusable_.reserve()) {
    unusable_.insert(sctp::StreamId{id});
    handle_by_id_.erase(id);
  } else if (std::uint32_t* const handle = handle_by_id_.find(id)) {
    *handle = kUnusable;
  }
  association_->forget_stream(id);
}

bool Channels::is_unusable(std::uint16_t id) const {
  const std::uint32_t* const handle = handle_by_id_.find(id);
  return (handle != nullptr && *handle == kUnusable) || unusable_.contains(sctp::StreamId{id});
}

bool Channels::is_nobodys(std::uint16_t id) const {
  return is_unusable(id) || refused_.contains(sctp::StreamId{id}) || owes_reset(id);
}

Status Channels::check(const ChannelOptions& options, std::size_t max_message_size) const {
  if (options.label.size() > kMaxText)
    return fail(ErrorCode::InvalidArgument, "the label is longer than 65535 bytes");
  if (options.protocol.size() > kMaxText)
    return fail(ErrorCode::InvalidArgument, "the protocol is longer than 65535 bytes");
  if (options.max_retransmits && options.max_lifetime_ms)
    return fail(ErrorCode::InvalidArgument, "max_retransmits and max_lifetime exclude each other");
  if (options.negotiated) {
    if (!options.id) return fail(ErrorCode::InvalidArgument, "a negotiated channel needs an id");
    if (*options.id == kNoId) return fail(ErrorCode::InvalidArgument, "65535 is no channel id");
    if (*options.id >= streams_)
      return fail(ErrorCode::InvalidArgument, "the id is above the streams both ends agreed on");
    if (is_in_use(*options.id)) return fail(ErrorCode::AlreadyExists, "the channel id is in use");
  } else if (association_ != nullptr &&
             dcep::kOpenHeaderSize + options.label.size() + options.protocol.size() > max_message_size) {
    return fail(ErrorCode::TooLarge, "label and protocol are more than the other end takes");
  }
  if (channels_.size() >= environment_.limits.dc_channels)
    return fail(ErrorCode::LimitReached, "Limits::dc_channels channels exist");
  return {};
}

Result<Channels::Channel*> Channels::add(const ChannelOptions& options) {
  const auto no_memory = [] { return fail(ErrorCode::OutOfMemory, "no memory for a channel"); };
  Owned<Channel> owned = Owned<Channel>::make(environment_.memory, environment_.memory);
  if (!owned) return no_memory();
  Channel* const channel = owned.get();
  channel->handle = ChannelHandle{next_handle_};
  channel->ordered = options.ordered;
  channel->negotiated = options.negotiated;
  channel->max_retransmits = options.max_retransmits;
  channel->max_lifetime_ms = options.max_lifetime_ms;
  channel->priority = options.priority;
  channel->discard_when_full = options.discard_when_full;
  if (!channel->label.assign(as_bytes(options.label)) ||
      !channel->protocol.assign(as_bytes(options.protocol)))
    return no_memory();
  if (channels_.insert(next_handle_, std::move(owned)) == nullptr) return no_memory();
  ++next_handle_;
  return channel;
}

Result<ChannelHandle> Channels::create(Time now, const ChannelOptions& options,
                                       std::size_t max_message_size) {
  if (ended_) return fail(ErrorCode::Closed, "the connection has ended");
  if (const Status status = check(options, max_message_size); !status) return Unexpected{status.error()};

  std::optional<std::uint16_t> id;
  if (options.negotiated) {
    id = options.id;
  } else if (dtls_client_) {
    id = free_id();
    if (!id) return fail(ErrorCode::LimitReached, "no channel id is free");
  }
  const Result<Channel*> added = add(options);
  if (!added) return Unexpected{added.error()};
  Channel& channel = **added;
  const ChannelHandle handle = channel.handle;
  if (id) {
    if (const Status status = assign_id(channel, *id); !status) {
      channels_.erase(number(handle));
      return Unexpected{status.error()};
    }
  }
  if (association_ != nullptr) open(now, channel, max_message_size);
  return handle;
}

// RFC 8832 §6: the DTLS client uses even ids, the server odd ones.
std::optional<std::uint16_t> Channels::free_id() const {
  for (std::uint32_t id = *dtls_client_ ? 0 : 1; id < streams_ && id < kNoId; id += 2)
    if (!is_in_use(static_cast<std::uint16_t>(id))) return static_cast<std::uint16_t>(id);
  return std::nullopt;
}

Status Channels::assign_id(Channel& channel, std::uint16_t id) {
  if (handle_by_id_.insert(id, number(channel.handle)) == nullptr)
    return fail(ErrorCode::OutOfMemory, "no memory for a channel id");
  channel.id = id;
  return {};
}

void Channels::on_role(bool dtls_client) {
  if (dtls_client_) return;
  dtls_client_ = dtls_client;
  for (auto& entry : channels_) {
    Channel& channel = *entry.value;
    if (channel.id || channel.state != ChannelState::Connecting) continue;
    const auto id = free_id();
    // W3C, when there is no id left: "unable to create", as where the association has fewer streams than an id needs.
    if (!id || !assign_id(channel, *id))
      become_closed(channel, id ? Close::OutOfMemory : Close::ProtocolViolation);
  }
}

Result<ChannelInfo> Channels::info(ChannelHandle handle) const {
  const Channel* channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  ChannelInfo info;
  info.label = as_text(channel->label);
  info.protocol = as_text(channel->protocol);
  info.id = channel->id;
  info.max_retransmits = channel->max_retransmits;
  info.max_lifetime_ms = channel->max_lifetime_ms;
  info.priority = channel->priority;
  info.ordered = channel->ordered;
  info.negotiated = channel->negotiated;
  info.state = channel->state;
  info.waiting_messages = channel->inbox.size();
  info.messages_sent = channel->messages_sent;
  info.messages_received = channel->messages_received;
  info.bytes_sent = channel->bytes_sent;
  info.bytes_received = channel->bytes_received;
  if (association_ != nullptr && channel->id && channel->state != ChannelState::Closed)
    info.buffered_amount = association_->buffered_amount(*channel->id);
  return info;
}

Status Channels::send(Time now, ChannelHandle handle, Bytes data, bool is_text, std::size_t max_message_size,
                      std::optional<std::uint32_t> report) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  if (channel->state != ChannelState::Open) return fail(ErrorCode::InvalidState, "the channel is not open");
  if (data.size() > max_message_size)
    return fail(ErrorCode::TooLarge, "larger than the agreed maximum message size");

  // RFC 8831 §6.6: SCTP cannot carry an empty message, so one zero byte goes with a PPID that says so.
  static constexpr std::uint8_t kZero[1] = {0};
  const bool empty = data.empty();
  // DEVIATION RFC 8831 §6.6: a message goes out whole, where one above 16 KB should not without I-DATA; callers count on
  // the size that was agreed on, and the other channels wait for no more than that one message.
  sctp::SendOptions options = options_for(*channel, is_text, empty);
  // With the channel, since its stream may be another's by the time of the report.
  if (report) options.report = std::uint64_t{number(handle)} << 32 | *report;
  const Status status = association_->send(now, options, empty ? Bytes(kZero) : data);
  if (!status) return status;
  ++messages_sent_;
  ++channel->messages_sent;
  channel->bytes_sent += data.size();
  note_buffered(*channel);
  return status;
}

sctp::SendOptions Channels::options_for(const Channel& channel, bool is_text, bool empty) {
  using enum dcep::Ppid;
  sctp::SendOptions options;
  options.stream = *channel.id;
  options.ppid =
      static_cast<std::uint32_t>(is_text ? (empty ? StringEmpty : String) : (empty ? BinaryEmpty : Binary));
  // RFC 8832 §6: until the other end is known to have the OPEN, a message must not overtake it.
  options.unordered = !channel.ordered && channel.heard;
  if (channel.max_retransmits) options.max_retransmits = *channel.max_retransmits;
  if (channel.max_lifetime_ms) options.lifetime = std::chrono::milliseconds(*channel.max_lifetime_ms);
  // RFC 7496 §3.2 counts down: what weighs most goes last.
  if (channel.discard_when_full)
    options.discard_priority = static_cast<std::uint16_t>(0xFFFF - channel.priority);
  return options;
}

void Channels::note_buffered(Channel& channel) {
  if (association_->buffered_amount(*channel.id) > channel.low_threshold) channel.above_low_threshold = true;
}

std::optional<MessageView> Channels::receive(ChannelHandle handle) {
  Channel* const channel = find(handle);
  if (channel == nullptr || channel->inbox.empty()) return std::nullopt;
  Inbound& message = channel->inbox.front();
  keep_current(*channel, std::move(message.payload));
  if (association_ != nullptr) association_->release(message.charge);
  const MessageView view{channel->current, message.is_text, message.begins, message.ends, message.abandoned};
  channel->inbox.pop_front();
  // Room for many messages stays with the channel that needed it last, not with each that ever did.
  if (channel->inbox.empty() && channel->inbox.capacity() > kInboxKept && roomy_ != handle) {
    if (Channel* const other = find(roomy_)) other->inbox.trim(kInboxKept);
    roomy_ = handle;
  }
  return view;
}

// What the last receive() of each channel gave is in no window any more, and the other end decides how much that is: more
// than kMostCurrent together does not stay beyond the next datagram.
void Channels::keep_current(Channel& channel, Buffer payload) {
  current_bytes_ -= channel.current.size();
  channel.current = std::move(payload);
  current_bytes_ += channel.current.size();
}

bool Channels::keeps_large_currents() const { return current_bytes_ > kMostCurrent; }

void Channels::drop_currents() {
  if (!keeps_large_currents()) return;
  for (auto& entry : channels_) entry.value->current = Buffer(environment_.memory);
  current_bytes_ = 0;
}

Status Channels::set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  channel->low_threshold = bytes;
  if (association_ != nullptr && channel->state == ChannelState::Open) {
    association_->set_buffer_low_threshold(*channel->id, bytes);
    channel->above_low_threshold = association_->buffered_amount(*channel->id) > bytes;
  }
  return {};
}

Status Channels::close(Time now, ChannelHandle handle) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  start_closing(now, *channel);
  return {};
}

// RFC 8831 §6.7: a channel is closed by resetting its outgoing stream, which waits for what was sent before.
void Channels::start_closing(Time now, Channel& channel) {
  if (channel.state == ChannelState::Closing || channel.state == ChannelState::Closed) return;
  if (channel.state == ChannelState::Connecting || association_ == nullptr)
    return become_closed(channel, Close::Local);
  become(channel, ChannelState::Closing, "closed by this end");
  if (reset_own(now, *channel.id)) return;
  // The other end cannot reset streams (RFC 6525 §5.1.1): the channel ends here alone, and its stream is used
  // up.
  never_use_again(*channel.id);
  become_closed(channel, channel.reason);
}

void Channels::release(Time now, ChannelHandle handle) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return;
  channel->released = true;
  empty_inbox(*channel);
  start_closing(now, *channel);
  if (Channel* const still = find(handle); still != nullptr && still->state == ChannelState::Closed)
    forget(*still);
}

void Channels::empty_inbox(Channel& channel) {
  for (; !channel.inbox.empty(); channel.inbox.pop_front())
    if (association_ != nullptr) association_->release(channel.inbox.front().charge);
}

void Channels::forget(Channel& channel) {
  if (channel.opened_by_peer) label_bytes_ -= text_size(channel);
  current_bytes_ -= channel.current.size();
  channels_.erase(number(channel.handle));
}

void Channels::become(Channel& channel, ChannelState next, std::string_view why) {
  POLLRTC_LOG(environment_, Debug, "peer", "channel {} \"{}\": {} -> {} ({})",
              channel.id ? int{*channel.id} : -1, as_text(channel.label).substr(0, 64),
              name_of(channel.state), name_of(next), why);
  channel.state = next;
}

void Channels::become_closed(Channel& channel, Close reason) {
  if (channel.state == ChannelState::Closed) return;
  become(channel, ChannelState::Closed, name_of(reason));
  if (channel.id) {
    const std::uint32_t* handle = handle_by_id_.find(*channel.id);
    if (handle != nullptr && *handle == number(channel.handle)) handle_by_id_.erase(*channel.id);
  }
  // Whoever has the stream next is asked anew.
  if (channel.in_pieces && channel.id && association_ != nullptr)
    static_cast<void>(association_->receive_in_pieces(*channel.id, false));
  if (!channel.released) events_.push(Peer::ChannelClosed{channel.handle, reason});
}

void Channels::on_ended(Close reason) {
  if (ended_) return;
  ended_ = reason;
  association_ = nullptr;
  for (auto& entry : channels_) become_closed(*entry.value, reason);
  kept_.clear();
  kept_bytes_ = 0;
  refused_.clear();
  reset_again_.clear();
  owed_resets_.clear();
  for (std::size_t i = 0; i < channels_.size();) {
    const auto& entry = channels_.begin()[i];
    if (entry.value->released) {
      forget(*entry.value);
    } else {
      ++i;
    }
  }
}

}  // namespace pollrtc
