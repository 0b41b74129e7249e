// The loop: gathering, sockets to Peer and back, deadlines.
#include <algorithm>
#include <array>

#include "api/connection_core.h"
#include "base/address.h"
#include "base/log.h"

namespace pollrtc::detail {
namespace {

// One poll() reads and writes at most so many datagrams, so that a flood cannot keep it from returning.
constexpr int kRounds = 4;
constexpr int kReadsPerSocket = 64;
constexpr int kWrites = 256;
constexpr int kStreamRounds = 8;
constexpr std::size_t kReceiveBuffer =
    8192;  // on the stack; nobody without path MTU discovery sends larger ones
constexpr std::size_t kMostAddresses = 64;
constexpr Duration kBlockedPoll = std::chrono::milliseconds(1);
constexpr Duration kLookupPoll = std::chrono::milliseconds(10);

}  // namespace

// --- gathering

void ConnectionCore::gather() {
  if (gathering_ || !sockets_.empty()) return;
  gathering_ = true;
  // Godot's tests, and two programs on one machine without a network, need loopback where there is nothing
  // else.
  if (!open_sockets(configuration_.include_loopback)) open_sockets(true);
  look_up_servers();
  step_resolver();
}

bool ConnectionCore::open_sockets(bool loopback) {
  std::array<Address, kMostAddresses> addresses;
  const auto most = std::min<std::size_t>(kMostAddresses, environment_.limits.ice_local_candidates);
  const std::size_t count =
      network_.list_addresses(network_.context, loopback, std::span(addresses).first(most));
  for (std::size_t i = 0; i < std::min(count, most); ++i) {
    Socket socket{};
    socket.number = network_.open(network_.context, addresses[i], configuration_.port_range_begin,
                                  configuration_.port_range_end, socket.local);
    if (socket.number < 0) continue;
    if (peer_->add_local_address(now(), socket.local)) {
      sockets_.push_back(socket);
    } else {
      network_.close(network_.context, socket.number);
    }
  }
  return !sockets_.empty();
}

void ConnectionCore::close_sockets() {
  for (const Socket& socket : sockets_) network_.close(network_.context, socket.number);
  sockets_.clear();
  blocked_.reset();
  streams_.close();
  more_to_read_ = more_to_send_ = false;
}

void ConnectionCore::look_up_servers() {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const IceServerUrl& server = servers_[i].server;
    if (const auto id = resolver_.resolve(now(), server.host, server.port)) lookups_.push_back({*id, i});
  }
}

void ConnectionCore::add_server(const net::Resolver::Answer& answer) {
  const auto lookup =
      std::find_if(lookups_.begin(), lookups_.end(), [&](const Lookup& l) { return l.id == answer.id; });
  if (lookup == lookups_.end()) return;
  const std::size_t index = lookup->server;
  lookups_.erase(lookup);
  const IceServerEntry& entry = servers_[index];
  if (!entry.server.is_turn) {
    for (const Address& address : answer.addresses) (void)peer_->add_stun_server(now(), address);
    return;
  }
  for (const Address& address : answer.addresses)
    turn_addresses_.push_back({address, entry.server.transport, index});
  TurnServer server;
  server.addresses = {answer.addresses.begin(), answer.addresses.size()};
  server.transport = entry.server.transport;
  server.host = entry.server.host;
  server.username = entry.username;
  server.credential = entry.credential;
  if (const Status status = peer_->add_turn_server(now(), server); !status)
    POLLRTC_LOG(environment_, Warning, "api", "TURN server {}: {}", entry.server.host,
                status.error().detail());
}

std::string ConnectionCore::url_of(const Address& server, TurnTransport transport) const {
  for (const TurnAddress& known : turn_addresses_)
    if (known.address == server && known.transport == transport) return servers_[known.server].url;
  return std::string(address_text(server).view());  // one that we were redirected to
}

void ConnectionCore::step_resolver() {
  if (!gathering_) return;
  resolver_.step(now());
  net::Resolver::Answer answer;
  while (!lookups_.empty() && resolver_.poll_result(answer)) add_server(answer);
  if (!lookups_.empty()) return;
  gathering_ = false;
  peer_->local_addresses_done(now());
}

// --- datagrams

void ConnectionCore::read_sockets() {
  more_to_read_ = false;
  std::array<std::uint8_t, kReceiveBuffer> buffer;
  for (const Socket& socket : sockets_) {
    int left = kReadsPerSocket;
    for (; left > 0; --left) {
      std::size_t size = 0;
      Address source;
      const Network::Outcome outcome =
          network_.receive(network_.context, socket.number, buffer, size, source);
      if (outcome == Network::Outcome::WouldBlock || outcome == Network::Outcome::Error) break;
      if (outcome != Network::Outcome::Done || size > buffer.size()) continue;
      (void)peer_->handle_datagram(now(), Path{socket.local, source}, Bytes(buffer).first(size));
    }
    if (left == 0) more_to_read_ = true;
  }
  if (streams_.read(*peer_)) more_to_read_ = true;
}

// True when nothing more is owed, or nothing more can go now. What a stream has taken makes room for more.
bool ConnectionCore::flush() {
  bool is_done = flush_datagrams();
  for (int round = 0; round < kStreamRounds && peer_ && streams_.write(*peer_); ++round)
    is_done = flush_datagrams();
  return is_done;
}

bool ConnectionCore::flush_datagrams() {
  more_to_send_ = false;
  if (!peer_) return true;
  if (blocked_) {
    const Blocked again = *blocked_;
    blocked_.reset();
    if (!send_datagram(again.socket, again.remote, again.size)) return true;
  }
  for (int left = kWrites; left > 0; --left) {
    const auto transmit = peer_->poll_transmit(now(), send_buffer_);
    if (!transmit) return true;
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                     [&](const Socket& s) { return s.local == transmit->path.local; });
    if (socket == sockets_.end()) continue;  // its interface is gone: the datagram is lost, as on any network
    const auto index = static_cast<std::size_t>(socket - sockets_.begin());
    if (!send_datagram(index, transmit->path.remote, transmit->size)) return true;
  }
  more_to_send_ = true;
  return false;
}

// False when the socket's buffer is full; the datagram then waits in send_buffer_.
bool ConnectionCore::send_datagram(std::size_t socket, const Address& remote, std::size_t size) {
  const Network::Outcome outcome =
      network_.send(network_.context, sockets_[socket].number, remote, Bytes(send_buffer_).first(size));
  if (outcome != Network::Outcome::WouldBlock) return true;
  blocked_ = Blocked{socket, remote, size, now() + kBlockedPoll};
  return false;
}

// --- poll

void ConnectionCore::step() {
  const Call call(*this);
  for (int round = 0; round < kRounds; ++round) {
    step_resolver();
    read_sockets();
    if (const Time time = now(); peer_->next_timeout() <= time) peer_->handle_timeout(time);
    if (flush() && !more_to_read_) break;
  }
  refresh_buffered();
}

Status ConnectionCore::poll() {
  if (const Status status = check_no_hook(); !status) return status;
  if (polling_) return fail(ErrorCode::InvalidState, "poll() was called from inside a signal");
  if (!peer_) return {};
  const std::shared_ptr<ConnectionCore> self =
      shared_from_this();  // a handler may drop every other reference
  polling_ = true;
  step();
  if (!configuration_.pull_events) emit_events();
  polling_ = false;
  const Call call(*this);
  flush();
  return {};
}

Status ConnectionCore::wait(Duration timeout) {
  if (polling_) return fail(ErrorCode::InvalidState, "wait() was called from inside a signal");
  net::Poller poller;
  if (!watch(poller))
    return fail(ErrorCode::NotSupported, "a connection whose network was given cannot sleep by itself");
  const auto deadline = time_to_next_deadline();
  poller.wait(deadline ? std::min(*deadline, timeout) : timeout);
  return poll();
}

bool ConnectionCore::watch(net::Poller& poller) const {
  if (configuration_.network.is_set()) return false;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    (void)poller.add(system_network_.descriptor(sockets_[i].number), blocked_ && blocked_->socket == i);
  streams_.watch(poller);
  if (!lookups_.empty()) resolver_.watch(poller);
  return true;
}

Time ConnectionCore::next_deadline() const {
  if (!peer_) return kNever;
  const Time time = now();
  if (more_to_read_ || (more_to_send_ && !blocked_) || peer_->has_event()) return time;
  if (buffered_outdated_ || !buffered_low_.empty()) return time;
  if (pending_description_ && !pending_description_->wait_for_gathering) return time;
  Time next = peer_->next_timeout();
  // A loop of the user's own watches for reading only, so it is told to come again soon.
  if (blocked_) next = std::min(next, blocked_->again);
  if (streams_.wants_to_write()) next = std::min(next, time + kBlockedPoll);
  if (!lookups_.empty()) next = std::min({next, resolver_.next_timeout(time), time + kLookupPoll});
  return next;
}

std::optional<Duration> ConnectionCore::time_to_next_deadline() const {
  const Time next = next_deadline();
  if (next == kNever) return std::nullopt;
  return std::max(next - now(), Duration::zero());
}

std::size_t ConnectionCore::sockets(std::span<int> out) const {
  const bool given = configuration_.network.is_set();
  for (std::size_t i = 0; i < std::min(out.size(), sockets_.size()); ++i)
    out[i] = given ? sockets_[i].number : system_network_.descriptor(sockets_[i].number);
  return sockets_.size() + streams_.sockets(out.subspan(std::min(out.size(), sockets_.size())));
}

}  // namespace pollrtc::detail
