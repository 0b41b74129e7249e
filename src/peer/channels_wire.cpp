// What the association does to channels: messages, DCEP, stream resets (RFC 8832 §6, RFC 8831 §6.6, §6.7).
#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "peer/channels.h"

namespace pollrtc {
namespace {

constexpr Duration kLongestOwed = std::chrono::seconds(30);  // a reset for which there is no memory

}  // namespace

void Channels::on_connected(Time now, sctp::Association& association,
                            const sctp::Association::Connected& streams, std::size_t max_message_size) {
  association_ = &association;
  streams_ = std::min(streams.outbound_streams, streams.inbound_streams);
  for (std::size_t i = 0; i < channels_.size();
       ++i) {  // by index: opening may close, but never adds or removes
    Channel& channel = *channels_.begin()[i].value;
    if (channel.state == ChannelState::Connecting) open(now, channel, max_message_size);
  }
}

void Channels::open(Time now, Channel& channel, std::size_t max_message_size) {
  const std::size_t open_size = dcep::kOpenHeaderSize + channel.label.size() + channel.protocol.size();
  if (*channel.id >= streams_ || (!channel.negotiated && open_size > max_message_size))
    return become_closed(channel, Close::ProtocolViolation);  // W3C: "unable to create"
  association_->set_stream_priority(*channel.id, channel.priority);
  association_->set_buffer_low_threshold(*channel.id, channel.low_threshold);
  if (channel.in_pieces && !association_->receive_in_pieces(*channel.id, true))
    return become_closed(channel, Close::OutOfMemory);
  channel.heard = channel.negotiated;  // RFC 8831 §6.5: no OPEN that a message could overtake
  become(channel, ChannelState::Open, "the association is up");
  if (!channel.negotiated) send_open(now, channel);
  if (channel.state != ChannelState::Open) return;
  events_.push(Peer::ChannelOpened{channel.handle});
  deliver_kept(now, channel);
}

void Channels::send_open(Time now, Channel& channel) {
  dcep::Open open;
  open.label = as_text(channel.label);
  open.protocol = as_text(channel.protocol);
  open.priority = channel.priority;
  open.ordered = channel.ordered;
  if (channel.max_retransmits) open.max_retransmits = *channel.max_retransmits;
  if (channel.max_lifetime_ms) open.max_lifetime_ms = *channel.max_lifetime_ms;
  Buffer message(environment_.memory);
  if (!dcep::write_open(open, message) || !send_dcep(now, *channel.id, message))
    become_closed(channel, Close::OutOfMemory);
}

// RFC 8832 §6: ordered and reliable, whatever the channel is. Nor does it wait for room: channels must open beside others
// that keep the buffer full. There are at most two a channel.
bool Channels::send_dcep(Time now, std::uint16_t stream, Bytes message) {
  sctp::SendOptions options;
  options.stream = stream;
  options.ppid = static_cast<std::uint32_t>(dcep::Ppid::Dcep);
  options.beyond_limits = true;
  return association_->send(now, options, message).has_value();
}

Drop Channels::on_message(Time now, sctp::Message&& message) {
  const std::uint16_t stream = message.stream;
  Channel* const channel = find_by_id(stream);
  if (message.ppid == static_cast<std::uint32_t>(dcep::Ppid::Dcep)) {
    const Drop drop = on_dcep(now, stream, channel, message.payload);
    association_->release(message.charge);
    return drop;
  }
  // What comes after the other end's reset is for the next channel on this stream: it knows already that ours is done.
  const bool is_for_next = channel != nullptr && channel->peer_reset_done;
  if (channel == nullptr || is_for_next) return keep_for_later(now, std::move(message));
  return deliver(now, *channel, std::move(message));
}

Drop Channels::deliver(Time now, Channel& channel, sctp::Message&& message) {
  using enum dcep::Ppid;
  channel.heard = true;
  const auto ppid = static_cast<dcep::Ppid>(message.ppid);
  const bool is_text = ppid == String || ppid == StringEmpty;
  if (!is_text && ppid != Binary && ppid != BinaryEmpty) {
    association_->release(message.charge);
    start_closing(now, channel);
    return Drop::ChannelUnknownPpid;
  }
  if (channel.released ||
      channel.state != ChannelState::Open) {  // what comes after our close() is not read any more
    association_->release(message.charge);
    return Drop::None;
  }
  if (ppid == StringEmpty || ppid == BinaryEmpty)
    message.payload.truncate(0);  // RFC 8831 §6.6: whatever the bytes
  const std::size_t charge = message.charge, size = message.payload.size();
  if (!channel.inbox.push_back(Inbound{std::move(message.payload), charge, is_text, message.begins,
                                       message.ends, message.abandoned})) {
    association_->release(charge);
    // A reliable channel that lost a message must not go on as if nothing were missing, nor pass for closed by its user.
    channel.reason = Close::OutOfMemory;
    start_closing(now, channel);
    return Drop::OutOfMemory;
  }
  if (message.ends && !message.abandoned) {
    ++messages_received_;
    ++channel.messages_received;
  }
  channel.bytes_received += size;
  events_.push_message(channel.handle);
  return Drop::None;
}

// DEVIATION RFC 8832 §6: data on a stream without a channel is kept, not refused at once, since a negotiated
// channel may be created late, and an OPEN that was sent first may arrive second.
Drop Channels::keep_for_later(Time now, sctp::Message message) {
  const std::size_t charge = message.charge;
  const std::uint16_t stream = message.stream;
  const bool unusable = is_nobodys(stream);
  if (!unusable && kept_bytes_ + charge <= environment_.limits.dc_pre_open &&
      kept_.push_back(std::move(message))) {
    kept_bytes_ += charge;
    return Drop::None;
  }
  association_->release(charge);
  if (!unusable) refuse_stream(now, stream);
  return unusable ? Drop::ChannelUnknown : Drop::ChannelLimit;
}

void Channels::deliver_kept(Time now, Channel& channel) {
  std::size_t others = 0;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    if (kept_[i].stream == *channel.id) {
      kept_bytes_ -= kept_[i].charge;
      (void)deliver(now, channel, std::move(kept_[i]));
    } else {
      if (others != i) kept_[others] = std::move(kept_[i]);
      ++others;
    }
  }
  kept_.erase(others, kept_.size() - others);
}

Drop Channels::on_dcep(Time now, std::uint16_t stream, Channel* channel, Bytes message) {
  if (message.empty()) return Drop::DcepMalformed;
  if (message[0] == dcep::kOpen) return on_open(now, stream, channel, message);
  if (message[0] != dcep::kAck) return Drop::DcepUnexpected;  // RFC 8832 §8.2.1: no other is assigned
  if (channel == nullptr) return Drop::DcepUnexpected;
  channel->heard = true;  // asked for or not, first or second: there is nothing else to it
  return Drop::None;
}

bool Channels::wrong_parity_for_peer(std::uint16_t id) const {
  return dtls_client_ && (id % 2 == 0) == *dtls_client_;  // even ids are the client's
}

Drop Channels::on_open(Time now, std::uint16_t stream, Channel* channel, Bytes message) {
  // The other end opens a stream anew when both are reset. That it knows of our reset says more than the answer to it, which
  // may be lost or late.
  if (channel != nullptr && channel->peer_reset_done) {
    channel->own_reset_done = true;
    finish_closing_if_done(*channel);
    channel = nullptr;
  }
  if (channel != nullptr) {  // RFC 8832 §6: an OPEN on a stream in use closes that channel
    start_closing(now, *channel);
    return Drop::DcepUnexpected;
  }
  if (is_in_use(stream))
    return Drop::DcepUnexpected;  // not reset yet, or never to be: there is no more to do to it
  const auto open = dcep::parse_open(message);
  if (!open || wrong_parity_for_peer(stream)) {
    refuse_stream(now, stream);
    return open ? Drop::DcepUnexpected : Drop::DcepMalformed;
  }
  const std::size_t text = open->label.size() + open->protocol.size();
  if (channels_.size() >= environment_.limits.dc_channels ||
      label_bytes_ + text > environment_.limits.dc_labels) {
    refuse_stream(now, stream);
    return Drop::ChannelLimit;
  }
  const auto clamp = [](std::optional<std::uint32_t> value) -> std::optional<std::uint16_t> {
    if (!value) return std::nullopt;
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(*value, 65535));
  };
  ChannelOptions options;
  options.label = open->label;
  options.protocol = open->protocol;
  options.ordered = open->ordered;
  options.priority = open->priority;
  options.max_retransmits = clamp(open->max_retransmits);
  options.max_lifetime_ms = clamp(open->max_lifetime_ms);
  const Result<Channel*> added = add(options);
  if (!added) {
    refuse_stream(now, stream);
    return Drop::OutOfMemory;
  }
  Channel& fresh = **added;
  fresh.opened_by_peer = true;
  label_bytes_ += text;
  static constexpr std::uint8_t kAckMessage[1] = {dcep::kAck};
  if (!assign_id(fresh, stream) || !send_dcep(now, stream, kAckMessage)) {
    handle_by_id_.erase(stream);
    forget(fresh);
    refuse_stream(now, stream);
    return Drop::OutOfMemory;
  }
  association_->set_stream_priority(stream, fresh.priority);
  association_->set_buffer_low_threshold(stream, 0);  // not that of the channel before
  fresh.heard = true;
  become(fresh, ChannelState::Open, "opened by the other end");
  events_.push(Peer::ChannelAnnounced{fresh.handle});
  deliver_kept(now, fresh);
  return Drop::None;
}

// "Closes" a stream that has no channel here: resets our half of it, so that the other end sees its channel
// fail. Its answer is due then, and until it has come the stream is nobody's.
void Channels::refuse_stream(Time now, std::uint16_t stream) {
  drop_kept(stream);
  if (!refused_.reserve()) return owe_reset(now, stream, true);
  if (reset_own(now, stream)) refused_.insert(sctp::StreamId{stream});
}

// False: it cannot be reset. For want of memory it is owed.
bool Channels::reset_own(Time now, std::uint16_t stream) {
  const Status status = association_->reset_stream(now, stream);
  if (status) return true;
  const bool is_under_way = status.error() == ErrorCode::AlreadyExists;
  if (!is_under_way && status.error() != ErrorCode::OutOfMemory) return false;
  if (is_under_way && reset_again_.reserve()) {
    reset_again_.insert(sctp::StreamId{stream});
  } else {
    owe_reset(now, stream, false);
  }
  return true;
}

// Without a reset of ours the other end would keep its channel open, and send into one that does not exist.
void Channels::owe_reset(Time now, std::uint16_t stream, bool is_refusal) {
  if (owes_reset(stream)) return;
  if (owed_resets_.empty()) owed_since_ = now;
  if (!owed_resets_.push_back({stream, is_refusal})) has_lost_reset_ = true;
}

const Channels::OwedReset* Channels::find_owed(std::uint16_t stream) const {
  return std::find_if(owed_resets_.begin(), owed_resets_.end(),
                      [stream](const OwedReset& owed) { return owed.stream == stream; });
}

void Channels::ask_owed_resets(Time now) {
  if (association_ == nullptr) return;
  const Time since = owed_since_;
  const auto owed_resets = std::exchange(owed_resets_, {});
  for (const OwedReset& owed : owed_resets) {
    if (owed.is_refusal) {
      refuse_stream(now, owed.stream);
    } else {
      // It says no when the association is about to end, and every channel with it.
      (void)reset_own(now, owed.stream);
    }
  }
  // Memory that does not come back: neither user would ever hear of it.
  owed_since_ = since;
  if (!owed_resets_.empty() && now >= since + kLongestOwed) has_lost_reset_ = true;
}

// All of them without `stream`.
void Channels::drop_kept(std::optional<std::uint16_t> stream) {
  std::size_t others = 0;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    if (!stream || kept_[i].stream == *stream) {
      kept_bytes_ -= kept_[i].charge;
      association_->release(kept_[i].charge);
    } else {
      if (others != i) kept_[others] = std::move(kept_[i]);
      ++others;
    }
  }
  kept_.erase(others, kept_.size() - others);
}

void Channels::on_stream_reset(Time now, const sctp::Association::StreamsReset& reset) {
  if (!reset.all) {
    drop_kept(reset.stream);  // it was for a channel that is no more, not for the next one with its id
    if (refused_.erase(sctp::StreamId{reset.stream})) return;
    if (is_unusable(reset.stream)) return;
    Channel* const channel = find_by_id(reset.stream);
    if (channel != nullptr && !channel->peer_reset_done) return close_after_peer(now, *channel);
    // As a refusal it would wait for a reset that has come.
    const auto* const owed = find_owed(reset.stream);
    if (owed != owed_resets_.end()) owed_resets_.erase(static_cast<std::size_t>(owed - owed_resets_.begin()));
    // RFC 8831 §6.7: a channel that never was one here (negotiated, and not created; or opened and closed while the one before
    // was closing) waits for our half all the same.
    (void)reset_own(now, reset.stream);
    return;
  }
  drop_kept(std::nullopt);
  refused_.clear();
  for (OwedReset& owed : owed_resets_) owed.is_refusal = false;
  for (std::size_t i = channels_.size(); i-- > 0;) {  // backwards: a released channel leaves the table here
    Channel& channel = *channels_.begin()[i].value;
    if (channel.id && channel.state != ChannelState::Closed) close_after_peer(now, channel);
  }
}

void Channels::close_after_peer(Time now, Channel& channel) {
  channel.peer_reset_done = true;
  if (channel.state == ChannelState::Open) {
    become(channel, ChannelState::Closing, "closed by the other end");
    channel.reason = Close::Remote;
    if (!channel.released) events_.push(Peer::ChannelClosing{channel.handle});
    if (!reset_own(now, *channel.id)) {
      never_use_again(*channel.id);
      channel.own_reset_done = true;
    }
  }
  finish_closing_if_done(channel);
}

void Channels::on_reset_done(Time now, std::uint16_t stream, bool performed) {
  if (reset_again_.erase(sctp::StreamId{stream}) && performed && reset_own(now, stream)) return;
  Channel* const channel = find_by_id(stream);
  if (channel == nullptr || channel->state != ChannelState::Closing) return;
  channel->own_reset_done = true;
  if (!performed) {  // RFC 6525 §5.2.7 H3: the stream goes on with its old numbers, so nobody else may use it
    POLLRTC_LOG(environment_, Warning, "peer", "the other end refused to reset stream {}", stream);
    never_use_again(stream);
    channel->peer_reset_done = true;
  }
  finish_closing_if_done(*channel);
}

void Channels::finish_closing_if_done(Channel& channel) {
  if (!channel.own_reset_done || !channel.peer_reset_done) return;
  become_closed(channel, channel.reason);
  if (channel.released) forget(channel);
}

void Channels::on_buffer_low(std::uint16_t stream) {
  Channel* const channel = find_by_id(stream);
  if (channel == nullptr || channel->state != ChannelState::Open) return;
  if (std::exchange(channel->above_low_threshold, false)) events_.push(Peer::BufferLow{channel->handle});
}

void Channels::on_report(const sctp::Association::MessageReport& report) {
  const auto handle = static_cast<ChannelHandle>(report.report >> 32);
  const Channel* const channel = find(handle);
  if (channel == nullptr || channel->released) return;
  events_.push(Peer::MessageReport{handle, static_cast<std::uint32_t>(report.report), report.outcome});
}

void Channels::on_message_too_large(Time now, std::uint16_t stream) {
  if (Channel* const channel = find_by_id(stream); channel != nullptr && !channel->peer_reset_done) {
    start_closing(now, *channel);
  } else if (channel == nullptr && !is_in_use(stream)) {  // an OPEN it may have been
    refuse_stream(now, stream);
  }
}

}  // namespace pollrtc
