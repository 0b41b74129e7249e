// The loop: sockets to Peer and back, gathering, and the delivery of signals.
#include "api/connection_core.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/random.h"
#include "net/clock.h"
#include "net/entropy.h"
#include "net/interfaces.h"
#include "net/poller.h"

namespace pollrtc::detail {
namespace {

// One poll() reads and writes at most so many datagrams, so that a flood cannot keep it from returning.
constexpr int kRounds = 4;
constexpr int kReadsPerSocket = 64;
constexpr int kWrites = 256;
constexpr std::size_t kReceiveBuffer =
    8192;  // on the stack; nobody without path MTU discovery sends larger ones
constexpr std::size_t kSendBuffer = 2048;  // ours are at most 1280
constexpr Duration kBlockedPoll = std::chrono::milliseconds(1);
constexpr Duration kLookupPoll = std::chrono::milliseconds(10);

Environment make_environment(const Configuration& configuration) {
  Environment environment;
  environment.rng = net::system_rng();
  environment.log = configuration.log;
  environment.limits = configuration.limits;
  return environment;
}

}  // namespace

ConnectionCore::ConnectionCore(PeerConnection* owner, const Configuration& configuration,
                               std::vector<IceServerUrl> servers)
    : owner_(owner),
      configuration_(configuration),
      servers_(std::move(servers)),
      environment_(make_environment(configuration)),
      resolver_(environment_),
      send_buffer_(kSendBuffer) {}

ConnectionCore::~ConnectionCore() = default;

Result<Peer*> ConnectionCore::ensure_peer() {
  if (peer_) return &*peer_;
  PeerConfig config;
  config.unix_time = net::unix_seconds();
  config.allow_loopback = configuration_.include_loopback;
  Result<Peer> made = Peer::create(environment_, config, net::monotonic_now());
  if (!made) return Unexpected{made.error()};
  peer_.emplace(*std::move(made));
  return &*peer_;
}

// --- gathering

void ConnectionCore::gather() {
  if (gathering_ || !sockets_.empty()) return;
  gathering_ = true;
  // Godot's tests, and two programs on one machine without a network, need loopback where there is nothing
  // else.
  if (!bind_addresses(configuration_.include_loopback)) bind_addresses(true);
  look_up_servers();
  step_resolver();
}

bool ConnectionCore::bind_addresses(bool loopback) {
  Vec<net::LocalAddress> addresses(environment_.memory);
  if (!net::list_local_addresses(addresses)) return false;
  net::AddressPolicy policy;
  policy.loopback = loopback;
  policy.most = environment_.limits.ice_local_candidates;
  net::select_addresses(policy, addresses);
  const net::PortRange ports{configuration_.port_range_begin, configuration_.port_range_end};
  for (const net::LocalAddress& local : addresses) {
    const std::uint32_t first_try = random_u32(environment_.rng).value_or(0);
    Result<net::UdpSocket> socket = net::UdpSocket::bind(local.address, ports, first_try);
    if (!socket) {
      POLLRTC_LOG(environment_, Info, "api", "cannot bind an address of {}: {}", local.interface_name.view(),
                  socket.error().detail());
      continue;
    }
    if (!peer_->add_local_address(net::monotonic_now(), socket->local())) continue;
    sockets_.push_back(*std::move(socket));
  }
  return !sockets_.empty();
}

void ConnectionCore::look_up_servers() {
  for (const IceServerUrl& server : servers_)
    if (resolver_.resolve(net::monotonic_now(), server.host, server.port)) ++lookups_;
}

void ConnectionCore::step_resolver() {
  if (!gathering_) return;
  const Time now = net::monotonic_now();
  resolver_.step(now);
  net::Resolver::Answer answer;
  while (lookups_ != 0 && resolver_.poll_result(answer)) {
    --lookups_;
    for (const Address& address : answer.addresses) (void)peer_->add_stun_server(now, address);
  }
  if (lookups_ != 0) return;
  gathering_ = false;
  peer_->local_addresses_done(now);
}

// --- the loop

void ConnectionCore::read_sockets() {
  more_to_read_ = false;
  std::array<std::uint8_t, kReceiveBuffer> buffer;
  for (net::UdpSocket& socket : sockets_) {
    int left = kReadsPerSocket;
    for (; left > 0; --left) {
      const net::Received received = socket.receive(buffer);
      if (received.result == net::ReceiveResult::Nothing || received.result == net::ReceiveResult::Error)
        break;
      if (received.result != net::ReceiveResult::Received) continue;
      (void)peer_->handle_datagram(net::monotonic_now(), Path{socket.local(), received.source},
                                   Bytes(buffer).first(received.size));
    }
    if (left == 0) more_to_read_ = true;
  }
}

// True when nothing more is owed, or nothing more can go now.
bool ConnectionCore::flush() {
  more_to_send_ = false;
  if (!peer_) return true;
  if (blocked_) {
    const Blocked again = *blocked_;
    blocked_.reset();
    if (!send_datagram(again.socket, again.remote, again.size)) return true;
  }
  for (int left = kWrites; left > 0; --left) {
    const auto transmit = peer_->poll_transmit(net::monotonic_now(), send_buffer_);
    if (!transmit) return true;
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(), [&](const net::UdpSocket& s) {
      return s.local() == transmit->path.local;
    });
    if (socket == sockets_.end()) continue;  // its interface is gone: the datagram is lost, as on any network
    const auto index = static_cast<std::size_t>(socket - sockets_.begin());
    if (!send_datagram(index, transmit->path.remote, transmit->size)) return true;
  }
  more_to_send_ = true;
  return false;
}

// False when the socket's buffer is full; the datagram then waits in send_buffer_.
bool ConnectionCore::send_datagram(std::size_t socket, const Address& remote, std::size_t size) {
  const net::SendResult result = sockets_[socket].send_to(remote, Bytes(send_buffer_).first(size));
  if (result != net::SendResult::WouldBlock) return true;
  blocked_ = Blocked{socket, remote, size};
  return false;
}

Status ConnectionCore::poll() {
  if (polling_) return fail(ErrorCode::InvalidState, "poll() was called from inside a signal");
  if (!peer_) return {};
  const std::shared_ptr<ConnectionCore> self =
      shared_from_this();  // a handler may drop every other reference
  polling_ = true;
  for (int round = 0; round < kRounds; ++round) {
    step_resolver();
    read_sockets();
    const Time now = net::monotonic_now();
    if (peer_->next_timeout() <= now) peer_->handle_timeout(now);
    if (flush() && !more_to_read_) break;
  }
  refresh_buffered();
  emit_description();
  emit_events();
  emit_buffered_low();
  polling_ = false;
  flush();
  return {};
}

Status ConnectionCore::wait(Duration timeout) {
  if (polling_) return fail(ErrorCode::InvalidState, "wait() was called from inside a signal");
  net::Poller poller;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    (void)poller.add(sockets_[i].fd(), blocked_ && blocked_->socket == i);
  if (lookups_ != 0) resolver_.watch(poller);
  const auto deadline = time_to_next_deadline();
  poller.wait(deadline ? std::min(*deadline, timeout) : timeout);
  return poll();
}

Time ConnectionCore::next_deadline() const {
  if (!peer_) return kNever;
  const Time now = net::monotonic_now();
  if (more_to_read_ || (more_to_send_ && !blocked_) || peer_->has_event()) return now;
  if (buffered_outdated_) return now;
  if (pending_description_ && !pending_description_->wait_for_gathering) return now;
  Time next = peer_->next_timeout();
  // A loop of the user's own watches for reading only, so it is told to come again soon.
  if (blocked_) next = std::min(next, now + kBlockedPoll);
  if (lookups_ != 0) next = std::min({next, resolver_.next_timeout(now), now + kLookupPoll});
  return next;
}

std::optional<Duration> ConnectionCore::time_to_next_deadline() const {
  const Time next = next_deadline();
  if (next == kNever) return std::nullopt;
  return std::max(next - net::monotonic_now(), Duration::zero());
}

std::size_t ConnectionCore::sockets(std::span<int> out) const {
  for (std::size_t i = 0; i < std::min(out.size(), sockets_.size()); ++i) out[i] = sockets_[i].fd();
  return sockets_.size();
}

void ConnectionCore::close() {
  pending_description_.reset();
  if (!peer_ && !ensure_peer()) return;  // a connection closed before its first use is closed all the same
  peer_->close(net::monotonic_now());
  while (!flush()) {
  }
  sockets_.clear();
  blocked_.reset();
  gathering_ = false;
  lookups_ = 0;
}

// --- descriptions

Status ConnectionCore::announce(SdpType type, const std::string& sdp) {
  const Time now = net::monotonic_now();
  if (const Status status = peer_->set_local_description(now, type, sdp); !status) return status;
  gather();
  last_local_type_ = name_of(type);
  last_local_description_ = sdp;
  // RFC 8838 §5: to an end that cannot take candidates later, everything goes in one piece.
  const bool wait = type == SdpType::Answer && peer_->can_trickle() == false;
  pending_description_ = PendingDescription{last_local_type_, sdp, wait};
  flush();
  return {};
}

Status ConnectionCore::create_offer() {
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  if ((*peer)->connection_state() != ConnectionState::New)
    return fail(ErrorCode::InvalidState, "an offer can be made only once, before anything else");
  const Result<std::string> offer = (*peer)->create_offer(net::monotonic_now());
  if (!offer) return Unexpected{offer.error()};
  return announce(SdpType::Offer, *offer);
}

Status ConnectionCore::set_local_description(std::string_view type, std::string_view sdp) {
  if (!peer_ || peer_->signaling_state() == SignalingState::Closed)
    return fail(ErrorCode::InvalidState, "there is no local description to set");
  if (type != last_local_type_ || sdp != last_local_description_)
    return fail(ErrorCode::InvalidArgument, "not the description that session_description_created gave");
  return {};
}

Status ConnectionCore::set_remote_description(std::string_view type_name, std::string_view sdp) {
  const auto type = sdp_type_from(type_name);
  if (!type)
    return fail(ErrorCode::InvalidArgument,
                "the type of a description is \"offer\", \"pranswer\" or \"answer\"");
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  const Time now = net::monotonic_now();
  if (const Status status = (*peer)->set_remote_description(now, *type, sdp); !status) return status;
  if (*type == SdpType::Offer) {
    const Result<std::string> answer = (*peer)->create_answer(now);
    Status status = answer ? announce(SdpType::Answer, *answer) : Status(Unexpected{answer.error()});
    if (!status) (void)(*peer)->set_remote_description(now, SdpType::Rollback, {});
    return status;
  }
  flush();
  return {};
}

Status ConnectionCore::add_candidate(std::string_view mid, int index, std::string_view line) {
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  const Status status = (*peer)->add_remote_candidate(net::monotonic_now(), mid, index, line);
  flush();
  return status;
}

// --- signals

void ConnectionCore::emit_description() {
  if (!pending_description_ || owner_ == nullptr) return;
  if (pending_description_->wait_for_gathering) {
    if (peer_->gathering_state() != GatheringState::Complete) return;
    pending_description_->sdp = peer_->local_description();
    last_local_description_ = pending_description_->sdp;
  }
  const PendingDescription description = *std::exchange(pending_description_, std::nullopt);
  const auto handler = owner_->session_description_created;  // a copy: the handler may destroy its owner
  if (handler) handler(description.type, description.sdp);
}

void ConnectionCore::emit_events() {
  Peer::Event event;
  while (owner_ != nullptr && peer_->poll_event(event)) emit(event);
}

void ConnectionCore::emit(Peer::Event& event) {
  const auto call = [](auto handler, const auto&... arguments) {  // `handler` by value, for the same reason
    if (handler) handler(arguments...);
  };
  if (const auto* local = std::get_if<Peer::LocalCandidate>(&event)) {
    // Inside a description that waits for them, candidates are not signalled one by one; nor is the end of
    // them: Godot has no signal for it, and an empty candidate would confuse its users' code.
    if (!pending_description_ && !local->line.empty())
      call(owner_->ice_candidate_created, local->mid, local->index, local->line);
  } else if (const auto* state = std::get_if<Peer::ConnectionChanged>(&event)) {
    call(owner_->connection_state_changed, state->state);
  } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
    call(owner_->data_channel_received, make_channel(announced->channel));
  } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
    if (const auto c = channel(opened->channel)) call(c->opened);
  } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event)) {
    if (const auto c = channel(message->channel)) call(c->message_received);
  } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event)) {
    if (const auto c = channel(closed->channel)) call(c->closed);
  }
}

// --- channels

Result<std::shared_ptr<DataChannel>> ConnectionCore::create_channel(std::string_view label,
                                                                    const DataChannelOptions& options) {
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  const auto limit = [](int value) -> std::optional<std::uint16_t> {
    if (value < 0) return std::nullopt;
    return static_cast<std::uint16_t>(std::min(value, 65535));
  };
  ChannelOptions channel;
  channel.label = label;
  channel.protocol = options.protocol;
  channel.ordered = options.ordered;
  channel.negotiated = options.negotiated;
  channel.priority = options.priority;
  channel.max_retransmits = limit(options.max_retransmits);
  channel.max_lifetime_ms = limit(options.max_packet_life_time);
  if (options.negotiated) {
    if (options.id > 65534) return fail(ErrorCode::InvalidArgument, "a channel id is at most 65534");
    channel.id = limit(options.id);
  }
  const Result<ChannelHandle> handle = (*peer)->create_channel(net::monotonic_now(), channel);
  if (!handle) return Unexpected{handle.error()};
  std::shared_ptr<DataChannel> made = make_channel(*handle);
  flush();
  return made;
}

std::shared_ptr<DataChannel> ConnectionCore::make_channel(ChannelHandle handle) {
  const std::shared_ptr<DataChannel> channel(new DataChannel(shared_from_this(), handle));
  channels_.push_back({handle, channel});
  return channel;
}

// Handles only grow, so the entries are sorted by them.
const ConnectionCore::ChannelEntry* ConnectionCore::entry(ChannelHandle handle) const {
  const auto at = std::lower_bound(channels_.begin(), channels_.end(), handle,
                                   [](const ChannelEntry& e, ChannelHandle h) { return e.handle < h; });
  return at != channels_.end() && at->handle == handle ? &*at : nullptr;
}
ConnectionCore::ChannelEntry* ConnectionCore::entry(ChannelHandle handle) {
  return const_cast<ChannelEntry*>(std::as_const(*this).entry(handle));
}

std::shared_ptr<DataChannel> ConnectionCore::channel(ChannelHandle handle) {
  const ChannelEntry* e = entry(handle);
  return e == nullptr ? nullptr : e->channel.lock();
}

// The amount that the user sees falls only here (W3C: in a task of its own), though packets leave in send() as well. So the
// low event is told by that amount too; the Peer's own BufferLow speaks of another.
void ConnectionCore::refresh_buffered() {
  buffered_outdated_ = false;
  for (ChannelEntry& e : channels_) {
    if (e.buffered == 0) continue;
    const ChannelInfo now = info(e.handle);
    if (now.state == ChannelState::Closed) continue;  // W3C: what was never sent stays in the amount
    const std::size_t before = e.buffered;
    e.buffered = std::min(before, now.buffered_amount);
    if (before > e.low_threshold && e.buffered <= e.low_threshold) buffered_low_.push_back(e.handle);
  }
}

void ConnectionCore::emit_buffered_low() {
  std::vector<ChannelHandle> owed;
  owed.swap(buffered_low_);
  for (const ChannelHandle handle : owed) {
    if (owner_ == nullptr) return;
    const auto c = channel(handle);
    if (c == nullptr || c->get_ready_state() != ChannelState::Open) continue;
    const auto handler = c->buffered_amount_low;
    if (handler) handler();
  }
}

Status ConnectionCore::send(ChannelHandle handle, Bytes data, bool is_text) {
  const Status status = peer_->send(net::monotonic_now(), handle, data, is_text);
  if (!status) return status;
  if (ChannelEntry* e = entry(handle)) e->buffered += data.size();
  flush();
  buffered_outdated_ = true;
  return status;
}

std::optional<MessageView> ConnectionCore::receive(ChannelHandle handle) {
  return peer_->receive(net::monotonic_now(), handle);
}

ChannelInfo ConnectionCore::info(ChannelHandle handle) const {
  ChannelInfo closed;
  closed.state = ChannelState::Closed;
  return peer_->channel(handle).value_or(closed);
}

std::size_t ConnectionCore::buffered_amount(ChannelHandle handle) const {
  const ChannelEntry* e = entry(handle);
  return e == nullptr ? 0 : e->buffered;
}

void ConnectionCore::set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes) {
  if (ChannelEntry* e = entry(handle)) e->low_threshold = bytes;
}

void ConnectionCore::close_channel(ChannelHandle handle) {
  (void)peer_->close_channel(net::monotonic_now(), handle);
  flush();
}

void ConnectionCore::release_channel(ChannelHandle handle) {
  if (const ChannelEntry* e = entry(handle)) channels_.erase(channels_.begin() + (e - channels_.data()));
  peer_->release_channel(net::monotonic_now(), handle);
  flush();
}

}  // namespace pollrtc::detail
