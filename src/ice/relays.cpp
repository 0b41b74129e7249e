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
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (is_same(*servers_[i], given)) return restart_server(now, i);
  if (servers_.size() >= environment_.limits.turn_servers)
    return fail(ErrorCode::LimitReached, "too many TURN servers");
  auto server = Owned<Server>::make(environment_.memory, environment_.memory);
  if (!server || !server->account.username.assign(as_bytes(given.username)) ||
      !server->account.password.assign(as_bytes(given.credential)))
    return fail(ErrorCode::OutOfMemory, "TURN server");
  server->host = *host;
  server->transport = given.transport;
  for (const Address& address : given.addresses) {
    const Address plain = unmapped(address);
    if (is_checkable(plain) && !server->addresses.push_back(plain)) break;
  }
  if (server->addresses.empty()) return fail(ErrorCode::Refused, "no address of a server");
  if (!servers_.push_back(std::move(server))) return fail(ErrorCode::OutOfMemory, "TURN server");
  const Status started = start_server(now, servers_.size() - 1);
  if (!started) servers_.pop_back();
  return started;
}

bool Relays::is_same(const Server& known, const TurnServer& given) {
  return known.transport == given.transport && known.host == given.host && !given.addresses.empty() &&
         known.addresses[0] == unmapped(given.addresses[0]) &&
         equal(known.account.username, as_bytes(given.username)) &&
         equal(known.account.password, as_bytes(given.credential));
}

// Gathering anew, for an ICE restart: what stands is kept, and a server that had refused us is asked again, unless it is too
// early (RFC 8656 §7.4). Does it stand? A NAT may have given us another address meanwhile, to which our allocation does not
// belong (RFC 8656 §5): the server knows.
Status Relays::restart_server(Time now, std::size_t index) {
  bool is_in_use = false;
  for (const Owned<Relay>& relay : relays_) {
    if (relay->server != index || relay->client->state() == turn::ClientState::Ended) continue;
    is_in_use = true;
    if (relay->client->state() != turn::ClientState::Allocated) continue;
    relay->client->refresh(now);
    relay->verified_by = now + kVerifyTimeout;
  }
  if (is_in_use || now < servers_[index]->not_before) return {};
  servers_[index]->chosen = Address{};
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

// Beyond the limit there is none: gathering goes on with what there is. False: there was no memory for it.
bool Relays::add_relay(Time, std::size_t server, const Address& address, const Address& base, Time due) {
  if (relays_.size() >= environment_.limits.turn_allocations) return true;
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
  for (const Owned<Relay>& relay : relays_) {
    if (relay->is_given_up || relay->client->state() == turn::ClientState::Ended) continue;
    Server& server = server_of(*relay);
    const bool has_answered = server.transport == TurnTransport::Udp ? relay->client->has_answered()
                                                                     : relay->phase == Phase::Running;
    if (!server.chosen.is_valid() && has_answered) server.chosen = relay->client->server();
  }
  for (const Owned<Relay>& relay : relays_) {
    const Server& server = server_of(*relay);
    const bool is_other = server.chosen.is_valid() && relay->client->server() != server.chosen &&
                          std::find(server.addresses.begin(), server.addresses.end(),
                                    relay->client->server()) != server.addresses.end();
    if (is_other && !relay->is_given_up) give_up(now, *relay);
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
  for (const Owned<Relay>& relay : relays_)
    if (relay->stream == StreamId{} && relay->base == path.local && relay->client->server() == path.remote)
      return deliver(now, *relay, datagram);
  return std::nullopt;
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

// ---- events

// A server that relays from an address of ours would make us talk to ourselves; one that another allocation has, too.
bool Relays::is_our_own(const Relay& relay, const Address& relayed) const {
  if (std::find(bases_.begin(), bases_.end(), relayed) != bases_.end()) return true;
  const Relay* const other = find_relayed(relayed);
  return other != nullptr && other != &relay;
}

bool Relays::tell(const Relay& relay, const Address& peer, bool granted, Event& out) {
  for (const Address& relayed : relay.announced) {
    if (relayed.family != peer.family) continue;
    out = Permission{relayed, peer, granted};
    return true;
  }
  return false;
}

// The server was asked, and has no allocation of ours: another one will do, from the same socket.
bool Relays::is_to_be_replaced(const Relay& relay, int code) const {
  return code == 437 && relay.verified_by != kNever && relay.base.is_valid() && !is_closed_;
}

bool Relays::translate(Relay& relay, const turn::Client::Event& event, Event& out) {
  if (std::holds_alternative<turn::Client::Released>(event)) {
    relay.lost = std::exchange(relay.announced, {});
  } else if (const auto* permitted = std::get_if<turn::Client::Permitted>(&event)) {
    return tell(relay, permitted->peer, true, out);
  } else if (const auto* refused = std::get_if<turn::Client::Refused>(&event)) {
    return tell(relay, refused->peer, false, out);
  } else if (std::holds_alternative<turn::Client::Reconnect>(event)) {
    static_cast<void>(done_.push_back(relay.stream));
    connect(now_, relay);
  } else if (const auto* ended = std::get_if<turn::Client::Ended>(&event)) {
    server_of(relay).not_before = now_ + relay.client->wait_before_next();
    relay.is_replaced = is_to_be_replaced(relay, ended->code);
    for (const Address& relayed : relay.announced) static_cast<void>(relay.lost.push_back(relayed));
    relay.announced.clear();
    if (relay.stream != StreamId{})
      static_cast<void>(done_.push_back(std::exchange(relay.stream, StreamId{})));
    if (ended->code != 0 && !relay.is_given_up && !is_closed_ && !is_to_be_replaced(relay, ended->code)) {
      out = Failed{relay.client->server(), server_of(relay).transport, ended->code, ended->text};
      return true;
    }
  }
  return false;
}

bool Relays::poll_event(Event& event) {
  if (!done_.empty()) {
    event = StreamDone{done_[0]};
    done_.erase(0);
    return true;
  }
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    Relay& relay = *relays_[i];
    if (relay.phase == Phase::Connecting && !relay.stream_told) {
      relay.stream_told = true;
      const std::string_view moved = relay.client->server_name();
      event =
          StreamNeeded{relay.stream, relay.client->server(), server_of(relay).transport == TurnTransport::Tls,
                       moved.empty() ? server_of(relay).host : *FixedString<253>::from(moved)};
      return true;
    }
    turn::Client::Event said;
    while (relay.client->poll_event(said))
      if (translate(relay, said, event)) return true;
    if (!relay.lost.empty()) {
      event = Lost{relay.lost.back()};
      relay.lost.erase(relay.lost.size() - 1);
      return true;
    }
    for (const Address& relayed : relay.client->relayed()) {
      if (std::find(relay.announced.begin(), relay.announced.end(), relayed) != relay.announced.end())
        continue;
      if (is_our_own(relay, relayed)) {
        relay.client->reject(now_, turn::kUnreachable, "the server relays from an address of our own");
        break;
      }
      static_cast<void>(relay.announced.push_back(relayed));
      event = Allocated{relayed, relay.client->mapped(), relay.base, relay.client->server(),
                        server_of(relay).transport};
      return true;
    }
    if (relay.client->state() != turn::ClientState::Ended || !done_.empty()) continue;
    const Owned<Relay> ended = std::move(relays_[i]);
    relays_.erase(i--);
    if (ended->is_replaced) add_relay(now_, ended->server, ended->client->server(), ended->base, now_);
  }
  if (done_.empty()) return false;
  return poll_event(event);
}

void Relays::close(Time now) {
  if (is_closed_) return;
  is_closed_ = true;
  for (const Owned<Relay>& relay : relays_) relay->client->close(now);
}

}  // namespace pollrtc::ice
