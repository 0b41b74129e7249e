#include "unit/ice/network.h"

#include <algorithm>

#include "ice/stun_auth.h"
#include "support/catch.h"

namespace pollrtc::test {

Side::Side(std::uint64_t seed, const ice::AgentConfig& config, const Limits& limits) : environment(seed) {
  environment.env.limits = limits;
  agent = std::make_unique<Agent>(environment.env, config);
  REQUIRE(agent->start(Time{}));
}
Side::~Side() = default;

Network::Network(std::uint64_t seed) : random_(seed) {}
Network::~Network() = default;

void Network::add(Side& side, const std::vector<Address>& addresses, bool loopback) {
  for (const Address& address : addresses) {
    owners_[address] = &side;
    REQUIRE(side.agent->add_local_address(now, address, loopback));
  }
}

void Network::join(Side& a, Side& b) {
  sides_ = {&a, &b};
  drain();
}

void Network::exchange_credentials(Side& a, Side& b) {
  REQUIRE(a.agent->set_remote_credentials(now, b.agent->local_ufrag(), b.agent->local_pwd(), false));
  REQUIRE(b.agent->set_remote_credentials(now, a.agent->local_ufrag(), a.agent->local_pwd(), false));
  drain();
}

void Network::drain() {
  for (bool busy = true; busy;) {
    busy = false;
    for (Side* side : sides_) {
      ByteVector buffer(1500);
      while (const auto transmit = side->agent->poll_transmit(now, buffer)) {
        busy = true;
        ByteVector bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(transmit->size));
        side->sent.push_back({now, transmit->path, bytes});
        send(transmit->path, bytes);
      }
      Agent::Event event;
      while (side->agent->poll_event(event)) {
        busy = true;
        on_event(*side, event);
      }
    }
  }
}

void Network::run_until(Time end) {
  drain();
  for (;;) {
    Time next = end;
    for (const Side* side : sides_) next = std::min(next, side->agent->next_timeout());
    if (!flying_.empty()) next = std::min(next, flying_.begin()->first);
    if (next >= end) break;
    now = std::max(now, next);
    step();
  }
  now = end;
  step();
}

bool Network::run_until(const std::function<bool()>& condition, Duration limit) {
  const Time end = now + limit;
  drain();
  while (!condition()) {
    Time next = end;
    for (const Side* side : sides_) next = std::min(next, side->agent->next_timeout());
    if (!flying_.empty()) next = std::min(next, flying_.begin()->first);
    if (next >= end) return false;
    now = std::max(now, next);
    step();
  }
  return true;
}

void Network::send(const Path& path, const ByteVector& bytes) {
  if (filter && !filter(path, bytes)) return;
  if (std::uniform_real_distribution<double>(0, 1)(random_) < loss) return;
  Path wire = path;
  for (Nat& nat : nats_) {
    if (nat.base != path.local) continue;
    nat.peers.insert(path.remote);
    wire.local = nat.outside;
  }
  const Duration extra(std::uniform_int_distribution<Duration::rep>(0, jitter.count())(random_));
  flying_.emplace(now + delay + extra, Flight{wire, bytes});
}

void Network::step() {
  while (!flying_.empty() && flying_.begin()->first <= now) {
    const Flight flight = flying_.begin()->second;
    flying_.erase(flying_.begin());
    deliver(flight);
  }
  for (Side* side : sides_) {
    const Time due = side->agent->next_timeout();
    if (due > now) continue;
    side->agent->handle_timeout(now);
    CHECK(side->agent->next_timeout() > now);  // a deadline is a promise
  }
  drain();
}

void Network::deliver(const Flight& flight) {
  Address to = flight.path.remote;
  if (servers_.contains(to)) {
    serve(flight);
    return;
  }
  for (const Nat& nat : nats_) {
    if (nat.outside == to) {
      if (!nat.peers.contains(flight.path.local)) return;
      to = nat.base;
      break;
    }
    if (nat.base == to) return;  // nobody outside reaches it there
  }
  const auto owner = owners_.find(to);
  if (owner == owners_.end()) return;
  owner->second->agent->handle_datagram(now, Path{to, flight.path.local}, flight.bytes);
}

void Network::serve(const Flight& flight) {
  const auto request = stun::Message::parse(flight.bytes);
  if (!request || request->message_class() != stun::Class::Request) return;
  ByteVector buffer(200);
  stun::Writer w(buffer, stun::Class::Success, request->id());
  w.xor_address(stun::Attribute::XorMappedAddress, flight.path.local);
  buffer.resize(w.finish());
  send(Path{flight.path.remote, flight.path.local}, buffer);
}

void Network::on_event(Side& side, const Agent::Event& event) {
  if (const auto* local = std::get_if<Agent::LocalCandidate>(&event)) {
    side.candidates.push_back(local->candidate);
    Side* const other = sides_[0] == &side ? sides_[1] : sides_[0];
    if (side.trickles) static_cast<void>(other->agent->add_remote_candidate(now, local->candidate));
  }
  if (std::get_if<Agent::GatheringDone>(&event) != nullptr) ++side.gathering_done;
  if (const auto* changed = std::get_if<Agent::StateChanged>(&event)) side.states.push_back(changed->to);
  if (const auto* pair = std::get_if<Agent::PairSelected>(&event)) side.selected.push_back(pair->path);
}

stun::TransactionId Forger::next_id() {
  stun::TransactionId id{};
  store_u32(id.data(), ++counter);
  return id;
}

ByteVector Forger::request(const Agent& agent, const Ask& ask) {
  ByteVector buffer(800);
  stun::Writer w(buffer, stun::Class::Request, next_id());
  w.text(stun::Attribute::Username, ask.username.value_or(std::string(agent.local_ufrag()) + ":" + ufrag));
  w.u32(stun::Attribute::Priority, ask.priority);
  w.u64(ask.controlling ? stun::Attribute::IceControlling : stun::Attribute::IceControlled, ask.tie_breaker);
  if (ask.use_candidate) w.flag(stun::Attribute::UseCandidate);
  const std::string key = ask.key.value_or(std::string(agent.local_pwd()));
  w.integrity(as_bytes(key));
  if (ask.with_sha256) w.integrity_sha256(as_bytes(key));
  if (ask.with_fingerprint) w.fingerprint();
  buffer.resize(w.finish());
  return buffer;
}

ByteVector Forger::success(Bytes request, const Address& mapped) {
  ByteVector buffer(200);
  stun::Writer w(buffer, stun::Class::Success, stun::Message::parse(request)->id());
  w.xor_address(stun::Attribute::XorMappedAddress, mapped);
  w.integrity(as_bytes(pwd));
  w.fingerprint();
  buffer.resize(w.finish());
  return buffer;
}

ByteVector Forger::error(Bytes request, int code, std::string_view key) {
  ByteVector buffer(200);
  stun::Writer w(buffer, stun::Class::Error, stun::Message::parse(request)->id());
  w.error(code, "no");
  if (!key.empty()) w.integrity(as_bytes(key));
  w.fingerprint();
  buffer.resize(w.finish());
  return buffer;
}

std::vector<Agent::Event> poll_events(Agent& agent) {
  std::vector<Agent::Event> out;
  Agent::Event event;
  while (agent.poll_event(event)) out.push_back(event);
  return out;
}

bool is_request(Bytes bytes) {
  const auto m = stun::Message::parse(bytes);
  return m && m->message_class() == stun::Class::Request;
}

}  // namespace pollrtc::test
