#include "ice/relays.h"

#include "base/address.h"
#include "base/log.h"

namespace pollrtc::ice {

namespace {

constexpr std::size_t kLongestCredential = 508;  // RFC 8489 §14.3: below 509 bytes
constexpr std::size_t kLargestRequest = stun::kMaxMessage;

bool is_turn(Bytes datagram) {
  if (datagram.size() < 4) return false;
  if (datagram[0] >= 64 && datagram[0] <= 79) return true;  // RFC 7983 §7
  // Of STUN, all but Binding: that is ICE's question to the same server.
  return datagram[0] <= 3 && (load_u16(datagram.data()) & 0x3EEF) != 0x0001;
}

// Of a response, success or error (RFC 8489 §5).
std::optional<stun::TransactionId> id_of_response(Bytes datagram) {
  if (datagram.size() < stun::kHeaderSize || datagram[0] > 3 || (datagram[0] & 1) == 0) return std::nullopt;
  stun::TransactionId id;
  std::copy(datagram.begin() + 8, datagram.begin() + stun::kHeaderSize, id.begin());
  return id;
}

}  // namespace

Relays::Relays(Environment& environment)
    : environment_(environment),
      servers_(environment.memory),
      relays_(environment.memory),
      bases_(environment.memory) {}

// ---- servers and the addresses to ask them from

bool Relays::is_reachable(const Address& base, const Address& server) const {
  return can_pair(base, server, false) && is_loopback(base) == is_loopback(server);
}

Status Relays::add_base(Time now, const Address& base) {
  if (is_closed_) return fail(ErrorCode::Closed, "the connection is closed");
  if (std::find(bases_.begin(), bases_.end(), base) != bases_.end()) return {};
  if (bases_.size() >= environment_.limits.ice_local_candidates)
    return fail(ErrorCode::LimitReached, "too many local addresses");
  if (!bases_.push_back(base)) return fail(ErrorCode::OutOfMemory, "local address");
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i]->transport != TurnTransport::Udp) continue;
    for (const Address& address : servers_[i]->addresses)
      if (is_reachable(base, address)) add_relay(now, i, address, base, now);
  }
  return {};
}

// Nothing can be sent from there any more, not even that its allocations may go: they run out.
bool Relays::remove_base(Time now, const Address& base) {
  Address* const known = std::find(bases_.begin(), bases_.end(), base);
  if (known == bases_.end()) return false;
  bases_.erase(static_cast<std::size_t>(known - bases_.begin()));
  for (const Owned<Relay>& relay : relays_) {
    if (relay->base != base) continue;
    relay->is_given_up = true;
    relay->due = kNever;
    relay->client->on_connection_lost(now, "its socket is gone");
  }
  return true;
}

Status Relays::add_server(Time now, const TurnServer& given) {
  if (is_closed_) return fail(ErrorCode::Closed, "the connection is closed");
  for (const std::string_view text : {given.username, given.credential})
    if (text.empty() || text.size() > kLongestCredential)
      return fail(ErrorCode::InvalidArgument, "a TURN user name or credential is not 1 to 508 bytes long");
  const auto host = FixedString<253>::from(given.host);
  if (!host || (given.transport == TurnTransport::Tls && host->empty()))
    return fail(ErrorCode::InvalidArgument, "a TURN server by TLS needs a host name of at most 253 bytes");
  std::optional<std::size_t> known;
  bool is_in_use = false;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!is_same(*servers_[i], given)) continue;
    is_in_use |= verify_server(now, i);
    if (!known) known = i;
  }
  if (known) return is_in_use ? Status() : restart_server(now, *known, given);
  if (servers_.size() >= environment_.limits.turn_servers)
    return fail(ErrorCode::LimitReached, "too many TURN servers");
  auto server = Owned<Server>::make(environment_.memory, environment_.memory);
  if (!server || !server->account.username.assign(as_bytes(given.username)) ||
      !server->account.password.assign(as_bytes(given.credential)))
    return fail(ErrorCode::OutOfMemory, "TURN server");
  server->host = *host;
  server->transport = given.transport;
  take_addresses(*server, given);
  if (server->addresses.empty()) return fail(ErrorCode::Refused, "no address of a server");
  if (!servers_.push_back(std::move(server))) return fail(ErrorCode::OutOfMemory, "TURN server");
  const Status started = start_server(now, servers_.size() - 1);
  if (!started) servers_.pop_back();
  return started;
}

void Relays::take_addresses(Server& server, const TurnServer& given) {
  server.addresses.clear();
  for (const Address& address : given.addresses) {
    const Address plain = unmapped(address);
    if (is_checkable(plain) && !server.addresses.push_back(plain)) break;
  }
}

bool Relays::is_same(const turn::Account& one, const turn::Account& other) {
  return equal(one.username, other.username) && equal(one.password, other.password);
}

// DNS gives the addresses of a name in any order, and now and then without those of a family: one in common is enough.
bool Relays::is_same(const Server& known, const TurnServer& given) {
  const auto is_known = [&known](const Address& address) {
    return std::find(known.addresses.begin(), known.addresses.end(), unmapped(address)) !=
           known.addresses.end();
  };
  return known.transport == given.transport && known.host == given.host &&
         std::any_of(given.addresses.begin(), given.addresses.end(), is_known) &&
         equal(known.account.username, as_bytes(given.username)) &&
         equal(known.account.password, as_bytes(given.credential));
}

// Gathering anew, for an ICE restart: what stands is kept. Does it stand? A NAT may have given us another address meanwhile, to which
// our allocation does not belong (RFC 8656 §5): the server knows. False: nothing stands, nor is asked for.
bool Relays::verify_server(Time now, std::size_t index) {
  bool is_in_use = false;
  for (const Owned<Relay>& relay : relays_) {
    if (relay->server != index || relay->client->state() == turn::ClientState::Ended) continue;
    is_in_use = true;
    if (relay->client->state() != turn::ClientState::Allocated) continue;
    relay->client->refresh(now);
    relay->verified_by = now + kVerifyTimeout;
  }
  return is_in_use;
}

// One that had refused us is asked again, at the addresses that its name has now, unless it is too early (RFC 8656 §7.4).
Status Relays::restart_server(Time now, std::size_t index, const TurnServer& given) {
  Server& server = *servers_[index];
  if (now < server.not_before) return {};
  server.chosen = Address{};
  take_addresses(server, given);
  return start_server(now, index);
}

Status Relays::start_server(Time now, std::size_t index) {
  Time due = now;
  bool has_all = true;
  for (const Address& address : servers_[index]->addresses) {
    if (servers_[index]->transport != TurnTransport::Udp) {
      has_all &= add_relay(now, index, address, Address{}, due);
      due += kAttemptDelay;
      continue;
    }
    for (const Address& base : bases_)
      if (is_reachable(base, address)) has_all &= add_relay(now, index, address, base, now);
  }
  handle_timeout(now);
  const bool is_asked = std::any_of(relays_.begin(), relays_.end(),
                                    [&](const Owned<Relay>& relay) { return relay->server == index; });
  return has_all || is_asked ? Status() : Status(fail(ErrorCode::OutOfMemory, "TURN allocation"));
}

// Beyond the limit there is none: gathering goes on with what there is. Nor where another URL of the same account has led us to the
// same server already. False: there was no memory for it.
bool Relays::add_relay(Time, std::size_t server, const Address& address, const Address& base, Time due) {
  const Address from = scoped_as(address, base);
  const bool is_taken = std::any_of(relays_.begin(), relays_.end(), [&](const Owned<Relay>& relay) {
    return is_on(*relay, base, from) && is_same(server_of(*relay).account, servers_[server]->account);
  });
  if (is_taken || relays_.size() >= environment_.limits.turn_allocations) return true;
  auto relay = Owned<Relay>::make(environment_.memory, environment_.memory);
  if (!relay) return false;
  turn::ClientConfig config;
  config.server = base.is_valid() ? scoped_as(address, base) : address;
  config.is_stream = servers_[server]->transport != TurnTransport::Udp;
  relay->client =
      Owned<turn::Client>::make(environment_.memory, environment_, servers_[server]->account, config);
  if (!relay->client) return false;
  relay->server = static_cast<std::uint16_t>(server);
  relay->base = base;
  relay->asked = address;
  relay->due = due;
  return relays_.push_back(std::move(relay));
}

bool Relays::is_pending() const {
  return std::any_of(relays_.begin(), relays_.end(), [](const Owned<Relay>& relay) {
    const auto state = relay->client->state();
    const bool is_verified = relay->verified_by == kNever || !relay->client->is_refreshing();
    return !relay->is_given_up &&
           (state == turn::ClientState::Idle || state == turn::ClientState::Allocating || !is_verified);
  });
}

// ---- beginning

void Relays::begin(Time now, Relay& relay) {
  if (server_of(relay).transport != TurnTransport::Udp) return connect(now, relay);
  relay.phase = Phase::Running;
  relay.due = kNever;
  relay.client->start(now);
}

void Relays::connect(Time now, Relay& relay) {
  relay.phase = Phase::Connecting;
  relay.due = now + kConnectTimeout;
  relay.stream = StreamId{++last_stream_};
  relay.stream_told = false;
  relay.framer = turn::StreamFramer(environment_.memory);
  relay.out.clear();
}

// Of a server's addresses the first that answers is taken (RFC 8656 §3.9, RFC 8305 §5). One whose connection was not made, or has
// ended since, gives no other up.
void Relays::settle(Time now) {
  // With the last that asks or stands at an address the choice of it is void: a socket that comes later finds the server anew.
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Address& chosen = servers_[i]->chosen;
    const bool stands = std::any_of(relays_.begin(), relays_.end(), [&](const Owned<Relay>& relay) {
      return relay->server == i && relay->asked == chosen && !relay->is_given_up &&
             relay->client->state() != turn::ClientState::Ended;
    });
    if (!stands) chosen = Address{};
  }
  for (const Owned<Relay>& relay : relays_) {
    if (relay->is_given_up || relay->client->state() == turn::ClientState::Ended) continue;
    Server& server = server_of(*relay);
    const bool has_answered = server.transport == TurnTransport::Udp ? relay->client->has_answered()
                                                                     : relay->phase == Phase::Running;
    if (!server.chosen.is_valid() && has_answered) server.chosen = relay->asked;
  }
  for (const Owned<Relay>& relay : relays_) {
    const Address& chosen = server_of(*relay).chosen;
    if (chosen.is_valid() && relay->asked != chosen && !relay->is_given_up) give_up(now, *relay);
  }
  settle_tuples(now);
}

// A 5-tuple has one allocation (RFC 8656 §5). Of two accounts on one server, or when one server sends us on to another of ours, the
// first that works is taken. The other has nothing to delete: from here, that would be the allocation that stands.
void Relays::settle_tuples(Time now) {
  for (const Owned<Relay>& relay : relays_) {
    const auto state = relay->client->state();
    const bool is_asking = state == turn::ClientState::Idle || state == turn::ClientState::Allocating;
    if (!is_asking || !is_shared(*relay, {turn::ClientState::Allocated})) continue;
    relay->is_given_up = true;
    relay->due = kNever;
    relay->client->on_connection_lost(now, "another account has the allocation");
  }
}

void Relays::give_up(Time now, Relay& relay) {
  relay.is_given_up = true;
  relay.due = kNever;
  if (relay.stream != StreamId{}) {
    static_cast<void>(done_.push_back(relay.stream));
    relay.stream = StreamId{};
  }
  relay.client->close(now);
}

void Relays::handle_timeout(Time now) {
  now_ = std::max(now_, now);
  for (const Owned<Relay>& relay : relays_) {
    relay->client->handle_timeout(now_);
    if (now_ >= relay->verified_by) relay->verified_by = kNever;
    if (relay->phase == Phase::Connecting && now_ >= relay->due)
      stream_closed(now_, relay->stream, "no connection to the server");
  }
  settle(now_);
  if (now_ < pacer_ || is_closed_) return;
  for (const Owned<Relay>& relay : relays_)
    if (relay->phase == Phase::Waiting && !relay->is_given_up && now_ < server_of(*relay).full_until)
      give_up(now_, *relay);
  for (const Owned<Relay>& relay : relays_) {
    if (relay->phase == Phase::Waiting && now_ >= relay->due) {
      begin(now_, *relay);
      pacer_ = now_ + kPace;
      return;
    }
  }
  for (const Owned<Relay>& relay : relays_) {
    if (!relay->client->has_waiting()) continue;
    relay->client->start_waiting(now_);
    pacer_ = now_ + kPace;
    return;
  }
}

Time Relays::next_timeout() const {
  if (is_closed_) return kNever;
  Time next = kNever;
  for (const Owned<Relay>& relay : relays_) {
    next = std::min({next, relay->client->next_timeout(), relay->verified_by});
    if (relay->phase == Phase::Waiting) next = std::min(next, std::max(relay->due, pacer_));
    if (relay->phase == Phase::Connecting) next = std::min(next, relay->due);
    if (relay->client->has_waiting()) next = std::min(next, pacer_);
  }
  return next;
}

// ---- finding

// Is it a relay that asks, or was asked, by UDP from here to there?
bool Relays::is_on(const Relay& relay, const Address& base, const Address& server) {
  return base.is_valid() && relay.base == base && relay.client->server() == server && !relay.is_given_up &&
         relay.client->state() != turn::ClientState::Ended;
}

// Does another of our clients use the same 5-tuple, in one of these states?
bool Relays::is_shared(const Relay& relay, std::initializer_list<turn::ClientState> states) const {
  return std::any_of(relays_.begin(), relays_.end(), [&](const Owned<Relay>& other) {
    return other.get() != &relay && is_on(*other, relay.base, relay.client->server()) &&
           std::find(states.begin(), states.end(), other->client->state()) != states.end();
  });
}

// A response is for whoever asked (RFC 8489 §6.3); all else is for whoever has the allocation.
Relays::Relay* Relays::find_taker(const Path& path, Bytes datagram) const {
  const auto id = id_of_response(datagram);
  Relay* first = nullptr;
  for (const Owned<Relay>& relay : relays_) {
    if (relay->stream != StreamId{} || relay->base != path.local || relay->client->server() != path.remote)
      continue;
    const bool is_meant =
        id ? relay->client->awaits(*id) : relay->client->state() == turn::ClientState::Allocated;
    if (is_meant) return relay.get();
    if (first == nullptr) first = relay.get();
  }
  return first;
}

bool Relays::is_permitted(Time now, const Address& relayed, const Address& peer) const {
  const Relay* const relay = find_relayed(relayed);
  return relay != nullptr && relay->client->is_permitted(now, peer);
}

Relays::Relay* Relays::find_relayed(const Address& relayed) const {
  for (const Owned<Relay>& relay : relays_)
    for (const Address& address : relay->announced)
      if (address == relayed) return relay.get();
  return nullptr;
}

Relays::Relay* Relays::find_stream(StreamId stream) const {
  for (const Owned<Relay>& relay : relays_)
    if (relay->stream == stream && stream != StreamId{}) return relay.get();
  return nullptr;
}

// ---- data

Status Relays::want_permission(Time now, const Address& relayed, const Address& peer) {
  Relay* const relay = find_relayed(relayed);
  if (relay == nullptr) return fail(ErrorCode::NotFound, "no such relayed address");
  const Status wanted = relay->client->want_permission(now, peer);
  handle_timeout(now);
  return wanted;
}

void Relays::bind_channel(Time now, const Path& path) {
  if (Relay* const relay = find_relayed(path.local)) relay->client->bind_channel(now, path.remote);
}

std::size_t Relays::headroom(const Path& path) const {
  if (relays_.empty()) return 0;
  const Relay* const relay = find_relayed(path.local);
  return relay == nullptr ? 0 : relay->client->headroom(path.remote);
}

bool Relays::can_send(const Path& path) const {
  const Relay* const relay = find_relayed(path.local);
  if (relay == nullptr || relay->stream == StreamId{}) return true;
  return relay->out.size() < environment_.limits.turn_stream_buffer / 2;
}

std::optional<Transmit> Relays::wrap(Time now, const Path& path, MutBytes out, std::size_t size) {
  if (relays_.empty()) return Transmit{path, size};
  Relay* const relay = find_relayed(path.local);
  if (relay == nullptr) return Transmit{path, size};
  const std::size_t wrapped = relay->client->wrap(now, path.remote, out, size);
  if (wrapped == 0) return std::nullopt;
  if (relay->stream == StreamId{}) return Transmit{{relay->base, relay->client->server()}, wrapped};
  static_cast<void>(relay->out.append(out.first(wrapped)));
  return std::nullopt;
}

std::optional<Unwrapped> Relays::unwrap(Time now, const Path& path, Bytes datagram) {
  if (relays_.empty() || !is_turn(datagram)) return std::nullopt;
  Relay* const relay = find_taker(path, datagram);
  return relay == nullptr ? std::nullopt : std::optional(deliver(now, *relay, datagram));
}

void Relays::handle_icmp_error(Time now, const Path& path, Bytes quoted) {
  for (const Owned<Relay>& relay : relays_)
    if (relay->base == path.local && relay->client->server() == path.remote)
      relay->client->on_icmp_error(now, quoted);
}

Unwrapped Relays::deliver(Time now, Relay& relay, Bytes packet) {
  const turn::Client::Input input = relay.client->handle(now, packet);
  drops_.count(input.drop);
  if (!input.is_data) {
    handle_timeout(now);
    return {.drop = input.drop};
  }
  return {.is_data = true, .path = {input.relayed, input.peer}, .bytes = input.data};
}

std::optional<Transmit> Relays::poll_transmit(Time now, MutBytes out) {
  for (const Owned<Relay>& relay : relays_) {
    if (relay->stream != StreamId{} || relay->phase != Phase::Running) continue;
    if (const std::size_t size = relay->client->poll_packet(now, out); size != 0)
      return Transmit{{relay->base, relay->client->server()}, size};
  }
  return std::nullopt;
}

// ---- streams

void Relays::stream_opened(Time now, StreamId stream) {
  Relay* const relay = find_stream(stream);
  if (relay == nullptr || relay->phase != Phase::Connecting) return;
  if (!relay->out.reserve(environment_.limits.turn_stream_buffer))
    return stream_closed(now, stream, "no memory");
  relay->phase = Phase::Running;
  relay->due = kNever;
  relay->client->start(now);
  handle_timeout(now);
}

void Relays::stream_closed(Time now, StreamId stream, std::string_view why) {
  Relay* const relay = find_stream(stream);
  if (relay == nullptr) return;
  relay->stream = StreamId{};
  relay->phase = Phase::Running;
  relay->due = kNever;
  static_cast<void>(done_.push_back(stream));
  relay->client->on_connection_lost(now, why);
}

std::optional<Unwrapped> Relays::next_from_stream(Time now, StreamId stream, Bytes& chunk) {
  Relay* const relay = find_stream(stream);
  if (relay == nullptr || relay->phase != Phase::Running) {
    chunk = {};
    return std::nullopt;
  }
  const std::size_t skipped = relay->framer.skipped();
  const std::optional<Bytes> frame = relay->framer.next(chunk);
  for (std::size_t i = skipped; i < relay->framer.skipped(); ++i) drops_.count(Drop::TurnLimit);
  if (!frame) {
    if (relay->framer.is_broken()) {
      drops_.count(Drop::TurnMalformed);
      stream_closed(now, stream, "the server broke the protocol");
    }
    return std::nullopt;
  }
  const Unwrapped unwrapped = deliver(now, *relay, *frame);
  // What is no message means that we have lost our place in the stream.
  if (unwrapped.drop == Drop::StunMalformed) stream_closed(now, stream, "the server broke the protocol");
  return unwrapped;
}

void Relays::fill(Time now, Relay& relay) {
  std::array<std::uint8_t, kLargestRequest> packet;
  while (relay.out.room() >= packet.size()) {
    const std::size_t size = relay.client->poll_packet(now, packet);
    if (size == 0 || !relay.out.append(Bytes(packet).first(size))) return;
  }
}

std::size_t Relays::poll_stream(Time now, StreamId stream, MutBytes out) {
  Relay* const relay = find_stream(stream);
  if (relay == nullptr || relay->phase != Phase::Running) return 0;
  fill(now, *relay);
  return relay->out.take(out);
}

// ---- the end

void Relays::close(Time now) {
  if (is_closed_) return;
  is_closed_ = true;
  for (const Owned<Relay>& relay : relays_) relay->client->close(now);
}

}  // namespace pollrtc::ice
