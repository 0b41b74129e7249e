// The loop: gathering, addresses that come and go, deadlines, poll().
#include <algorithm>
#include <array>
#include <utility>

#include "api/connection_core.h"
#include "base/address.h"
#include "base/log.h"

namespace pollrtc::detail {
namespace {

constexpr int kRounds = 4;  // of reading and writing, in one poll()
constexpr std::size_t kMostAddresses = 64;
constexpr Duration kLookupPoll = std::chrono::milliseconds(10);
// How often poll() looks whether an interface came or went. As long as there is a path that is no deadline: whoever sleeps is
// woken by the checks of consent every few seconds.
constexpr Duration kAddressLook = std::chrono::seconds(1);

bool has_ip(std::span<const Address> addresses, const Address& address) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& a) { return a.same_ip(address); });
}

}  // namespace

// --- gathering

// For the first generation of candidates, and again for each restart: the sockets there are serve it too (RFC 8445 §9), and
// addresses that came since get one.
void ConnectionCore::gather() {
  gathering_ = true;
  next_look_ = now() + kAddressLook;
  for (const Socket& socket : sockets_) (void)add_to_peer(socket);
  for (const Address& bound : tcp_locals_) (void)add_tcp_to_peer(bound);
  // Godot's tests, and two programs on one machine without a network, need loopback where there is nothing
  // else.
  if (!open_sockets(has_loopback_ || configuration_.include_loopback)) open_sockets(true);
  next_lookup_ = 0;
  look_up_servers();
  step_resolver();
}

std::size_t ConnectionCore::list_addresses(std::span<Address> out) {
  const auto most = std::min<std::size_t>(out.size(), environment_.limits.ice_local_candidates);
  return std::min(most, network_.list_addresses(network_.context, has_loopback_, out.first(most)));
}

Address ConnectionCore::announced_as(const Address& local) const {
  const auto internal = parse_ip(configuration_.nat_1_1_internal);
  const auto external = parse_ip(configuration_.nat_1_1_external);
  return internal && external && internal->same_ip(local) ? external->with_port(local.port) : Address{};
}

// Nothing: it is to be hidden and cannot be, so rather no candidate than one that shows it.
std::optional<FixedString<64>> ConnectionCore::hidden_as(const Address& local, const Address& announced) {
  const bool is_relay_only = configuration_.ice_transport_policy == IceTransportPolicy::Relay;
  if (!configuration_.hide_addresses || announced.is_valid() || is_relay_only) return FixedString<64>();
  return names_.name_of(now(), local);
}

bool ConnectionCore::add_to_peer(const Socket& socket) {
  if (socket.is_for_turn) return peer_->add_relay_address(now(), socket.local).has_value();
  const Address announced = announced_as(socket.local);
  const auto name = hidden_as(socket.local, announced);
  return name && peer_->add_local_address(now(), socket.local, announced, name->view()).has_value();
}

bool ConnectionCore::open_sockets(bool loopback) {
  has_loopback_ = loopback;
  std::array<Address, kMostAddresses> addresses;
  const std::size_t count = list_addresses(addresses);
  const std::span<const Address> there = std::span(addresses).first(count);
  // UDP first, so that it is what the other end hears of first.
  if (configuration_.ice_transports != IceTransports::Tcp) open_udp(there);
  if (configuration_.ice_transports != IceTransports::Udp) open_tcp(there);
  return !sockets_.empty() || !tcp_locals_.empty();
}

void ConnectionCore::open_udp(std::span<const Address> addresses) {
  for (const Address& address : addresses) (void)open_socket(address, false);
  const bool is_wanted = std::any_of(servers_.begin(), servers_.end(), [](const IceServerEntry& entry) {
    return entry.server.is_turn && entry.server.transport == TurnTransport::Udp;
  });
  if (!mux_member_ || !is_wanted) return;
  for (const Address& address : addresses) (void)open_socket(address, true);
}

// False also when there is one.
bool ConnectionCore::open_socket(const Address& address, bool is_for_turn) {
  if (sockets_.size() == kMostAddresses) return false;
  if (std::any_of(sockets_.begin(), sockets_.end(),
                  [&](const Socket& s) { return s.local.same_ip(address) && s.is_for_turn == is_for_turn; }))
    return false;
  Socket socket{-1, {}, is_for_turn};
  const Network& network = network_of(socket);
  socket.number = network.open(network.context, address, configuration_.port_range_begin,
                               configuration_.port_range_end, socket.local);
  if (socket.number < 0) return false;
  if (!is_for_turn) names_.add_address(now(), socket.local);
  if (add_to_peer(socket)) {
    sockets_.push_back(socket);
    if (is_for_turn) ++turn_sockets_;
    return true;
  }
  if (!is_for_turn) names_.remove_address(now(), socket.local);
  network.close(network.context, socket.number);
  return false;
}

void ConnectionCore::close_socket(std::size_t index) {
  const Socket& socket = sockets_[index];
  const Network& network = network_of(socket);
  (void)peer_->remove_local_address(now(), socket.local);
  if (!socket.is_for_turn) names_.remove_address(now(), socket.local);
  network.close(network.context, socket.number);
  if (socket.is_for_turn) --turn_sockets_;
  sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(index));
  outgoing_.clear();  // perhaps they were this one's; datagrams are lost, as on any network
}

// False: nobody can tell now.
bool ConnectionCore::find_addresses(std::span<const Address> addresses, std::span<bool> is_there) {
  if (network_.find_addresses != nullptr)
    return network_.find_addresses(network_.context, addresses, is_there);
  std::array<Address, kMostAddresses> storage;
  const std::size_t count = network_.list_addresses(network_.context, has_loopback_, storage);
  if (count >= storage.size()) return false;  // there may be more
  for (std::size_t i = 0; i < addresses.size(); ++i)
    is_there[i] = has_ip(std::span(storage).first(count), addresses[i]);
  return true;
}

// By what the machine has, not by what would be chosen for a candidate today: a socket in use outlives the choice.
void ConnectionCore::close_lost_sockets() {
  std::array<Address, kMostAddresses> storage;
  std::array<bool, kMostAddresses> is_there{};
  const std::size_t count = sockets_.size();
  for (std::size_t i = 0; i < count; ++i) storage[i] = sockets_[i].local;
  if (!find_addresses(std::span(storage).first(count), std::span(is_there).first(count))) return;
  for (std::size_t i = count; i-- > 0;)
    if (!is_there[i]) close_socket(i);
  close_lost_tcp();
}

// TCP would go on asking for minutes from an address that is no more.
void ConnectionCore::close_lost_streams() {
  std::array<Address, kMostAddresses> storage;
  std::array<bool, kMostAddresses> is_there{};
  const std::size_t count = streams_.local_addresses(storage);
  if (count == 0 || !find_addresses(std::span(storage).first(count), std::span(is_there).first(count)))
    return;
  for (std::size_t i = 0; i < count; ++i)
    if (!is_there[i]) streams_.drop_from(*peer_, storage[i]);
}

// Behind a mux, which asks the machine for all: a connection that stands has nothing to do until the answer is another.
bool ConnectionCore::has_seen_addresses() {
  const bool stands = peer_->connection_state() == ConnectionState::Connected &&
                      peer_->gathering_state() == GatheringState::Complete;
  if (!mux_member_ || !stands || !tcp_locals_.empty() || !streams_.empty()) {
    addresses_seen_.reset();
    return false;
  }
  const std::optional<std::uint64_t> there = mux_member_->core().addresses_version(has_loopback_);
  return std::exchange(addresses_seen_, there) == there && there;
}

bool ConnectionCore::has_lost_path() const {
  const ConnectionState state = peer_->connection_state();
  return state == ConnectionState::Disconnected || state == ConnectionState::Failed;
}

// Addresses that went take their sockets with them. Those that came join the gathering while it lasts; afterwards they take
// a restart (RFC 8838 §13), which is worth it when the path is lost.
void ConnectionCore::watch_addresses() {
  if (now() < next_look_ || has_ended()) return;
  next_look_ = now() + kAddressLook;
  fit_buffers();
  if (has_seen_addresses()) return;
  std::array<Address, kMostAddresses> storage;
  const std::span<const Address> addresses = std::span(storage).first(list_addresses(storage));
  close_lost_sockets();
  close_lost_streams();
  const std::size_t before = sockets_.size() + tcp_locals_.size();
  if (peer_->gathering_state() == GatheringState::Gathering) (void)open_sockets(has_loopback_);
  const bool is_lost = has_lost_path();
  const bool has_new = std::any_of(addresses.begin(), addresses.end(),
                                   [&](const Address& address) { return !has_socket_at(address); });
  if (!is_lost) restart_owed_ = false;
  if (is_lost && has_new && sockets_.size() + tcp_locals_.size() == before) restart_owed_ = true;
  const bool may_restart = configuration_.restart_ice_automatically && is_lost && !addresses.empty() &&
                           peer_->signaling_state() == SignalingState::Stable;
  if (restart_owed_ && may_restart) (void)restart_ice();
}

void ConnectionCore::close_sockets() {
  names_.close(latest_);
  for (const Socket& socket : sockets_) network_of(socket).close(network_of(socket).context, socket.number);
  sockets_.clear();
  turn_sockets_ = 0;
  tcp_locals_.clear();
  outgoing_.clear();
  streams_.close();
  more_to_read_ = more_to_send_ = more_to_stream_ = false;
  stream_retry_ = kNever;
}

// As many at once as the resolver takes; the others when one of those is answered.
void ConnectionCore::look_up_servers() {
  for (; next_lookup_ < servers_.size(); ++next_lookup_) {
    const IceServerUrl& server = servers_[next_lookup_].server;
    if (const auto id = resolver_.resolve(now(), server.host, server.port)) {
      lookups_.push_back({*id, next_lookup_});
    } else if (id.error() == ErrorCode::LimitReached) {
      return;
    } else {
      report_lost_server(next_lookup_, id.error().detail());
    }
  }
}

// W3C webrtc-pc §4.8.2: 701 for a server that could not be reached.
void ConnectionCore::report_lost_server(std::size_t server, std::string_view why) {
  POLLRTC_LOG(environment_, Warning, "api", "{}: {}", servers_[server].url, why);
  lost_servers_.push_back({servers_[server].url, 701, std::string(why)});
}

void ConnectionCore::add_server(const net::Resolver::Answer& answer) {
  const auto lookup =
      std::find_if(lookups_.begin(), lookups_.end(), [&](const Lookup& l) { return l.id == answer.id; });
  if (lookup == lookups_.end()) return;
  const std::size_t index = lookup->server;
  lookups_.erase(lookup);
  const IceServerEntry& entry = servers_[index];
  if (answer.addresses.empty()) return report_lost_server(index, "the name has no address");
  // Behind a mux the allocation comes from another socket, so the server is asked how the shared one looks as well: any
  // number of questions from one port is answered (RFC 8489 §5).
  const bool tells_address = mux_member_ && entry.server.transport == TurnTransport::Udp;
  if (!entry.server.is_turn || tells_address)
    for (const Address& address : answer.addresses) (void)peer_->add_stun_server(now(), address);
  if (!entry.server.is_turn) return;
  for (const Address& address : answer.addresses) turn_addresses_.add(address, entry.server.transport, index);
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
  if (const auto known = turn_addresses_.find(server, transport)) return servers_[*known].url;
  return std::string(address_text(server).view());  // one that we were redirected to
}

void ConnectionCore::step_resolver() {
  if (!gathering_) return;
  resolver_.step(now());
  net::Resolver::Answer answer;
  while (!lookups_.empty() && resolver_.poll_result(answer)) {
    add_server(answer);
    look_up_servers();
  }
  if (!lookups_.empty()) return;
  gathering_ = false;
  peer_->local_addresses_done(now());
}

void ConnectionCore::step_names(MutBytes scratch) {
  if (names_.is_idle()) return;
  if (names_.step(now(), scratch)) more_to_read_ = true;
  net::Mdns::Event event;
  while (names_.poll_event(event)) peer_->name_resolved(now(), event.name.view(), event.address);
}

// --- poll

void ConnectionCore::step() {
  const Call call(*this);
  sends_ = 0;
  std::array<std::uint8_t, kScratch> scratch;
  // Nobody knows what the other end sends, but one who sends so large datagrams will be sent them.
  if (receive_buffer_.empty() && largest_datagram_ > scratch.size())
    receive_buffer_.resize(largest_datagram_);
  for (int round = 0; round < kRounds; ++round) {
    step_resolver();
    read_sockets(scratch);
    step_names(scratch);
    watch_addresses();
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
  const bool has_news = has_something_to_tell();
  if (has_news && !configuration_.pull_events) emit_events();
  polling_ = false;
  const Call call(*this);
  if (has_news) flush();  // what handlers made it owe
  // One that the other end has closed has nothing more to read or to say; its user may keep it for what was received.
  if (has_ended() && !more_to_send_ && !is_blocked() && !streams_.wants_to_write()) close_sockets();
  drop_idle_buffers();
  return {};
}

bool ConnectionCore::has_something_to_tell() const {
  return peer_->has_event() || pending_description_ || !lost_servers_.empty() || !buffered_low_.empty();
}

Status ConnectionCore::wait(Duration timeout) {
  if (polling_) return fail(ErrorCode::InvalidState, "wait() was called from inside a signal");
  poller_.clear();
  if (!watch(poller_))
    return fail(ErrorCode::NotSupported, "a connection whose network was given cannot sleep by itself");
  if (mux() != nullptr) (void)mux()->watch(poller_);
  const auto deadline = time_to_sleep();
  poller_.wait(deadline ? std::min(*deadline, timeout) : timeout);
  // What has come may be for others, or for nobody.
  if (mux() != nullptr && !mux()->holds_reading()) mux()->read_all();
  return poll();
}

bool ConnectionCore::watch(net::Poller& poller) const {
  if (has_given_network()) return false;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    if (!mux_member_ || sockets_[i].is_for_turn)
      (void)poller.add(descriptor_of(sockets_[i]), is_blocked_by(i));
  streams_.watch(poller);
  names_.watch(system_network_, poller);
  if (!lookups_.empty()) resolver_.watch(poller);
  return true;
}

Time ConnectionCore::next_deadline() const {
  if (!peer_) return kNever;
  const Time time = now();
  if (more_to_read_ || more_to_stream_ || (more_to_send_ && !is_blocked()) || peer_->has_event()) return time;
  if (mux_member_ && mux_member_->has_mail()) return time;
  if (gathered_ != 0 || buffered_outdated_ || !buffered_low_.empty() || !lost_servers_.empty()) return time;
  if (pending_description_ && !pending_description_->wait_for_gathering) return time;
  Time next = std::min(peer_->next_timeout(), streams_.next_accept());
  if (!names_.is_idle()) next = std::min(next, names_.next_timeout(time));
  // Others share the socket, so nobody sleeps until it can be written.
  if (mux_member_ && is_blocked()) next = std::min(next, send_again_);
  if (!lookups_.empty()) next = std::min({next, resolver_.next_timeout(time), time + kLookupPoll});
  if (configuration_.restart_ice_automatically && has_lost_path() && !has_ended())
    next = std::min(next, next_look_);
  return next;
}

std::optional<Duration> ConnectionCore::time_to(Time deadline) const {
  if (deadline == kNever) return std::nullopt;
  return std::max(deadline - now(), Duration::zero());
}

std::optional<Duration> ConnectionCore::time_to_sleep() const { return time_to(next_deadline()); }

// A loop of the user's own watches for reading only, so it is told to come again soon.
Time ConnectionCore::next_due() const {
  const Time next = std::min(next_deadline(), stream_retry_);
  return is_blocked() ? std::min(next, send_again_) : next;
}
std::optional<Duration> ConnectionCore::time_to_next_deadline() const { return time_to(next_due()); }

bool ConnectionCore::has_own_descriptors() const {
  std::array<int, 1> any;
  return !lookups_.empty() || !names_.is_idle() || streams_.sockets(any) != 0 || turn_sockets_ != 0;
}

std::size_t ConnectionCore::sockets(std::span<int> out) const {
  std::size_t count = 0;
  const auto add = [&](int descriptor) {
    if (count < out.size()) out[count] = descriptor;
    ++count;
  };
  for (const Socket& socket : sockets_) add(descriptor_of(socket));
  const bool given = has_given_network();
  names_.for_each_socket([&](int number) { add(given ? number : system_network_.descriptor(number)); });
  return count + streams_.sockets(out.subspan(std::min(out.size(), count)));
}

}  // namespace pollrtc::detail
