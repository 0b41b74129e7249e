// A tiny network in virtual time for two agents and a STUN server: delay, loss, reordering and NAT, all from a seed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "ice/agent.h"
#include "ice/stun_auth.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using ice::Agent;
using ice::AgentState;

inline Address addr(std::string_view ip, std::uint16_t port) { return *parse_ip(ip, port); }

// One side: an agent, the sockets it has, and what it said.
struct Side {
  explicit Side(std::uint64_t seed, const ice::AgentConfig& config = {}, const Limits& limits = {})
      : environment(seed) {
    environment.env.limits = limits;
    agent = std::make_unique<Agent>(environment.env, config);
    REQUIRE(agent->start(Time{}));
  }

  struct Sent {
    Time at;
    Path path;
    ByteVector bytes;
  };

  TestEnvironment environment;
  std::unique_ptr<Agent> agent;
  std::vector<Candidate> candidates;
  std::vector<AgentState> states;
  std::vector<Path> selected;
  std::vector<Sent> sent;
  int gathering_done = 0;
  bool trickles = true;

  AgentState state() const { return agent->state(); }
};

class Network {
 public:
  explicit Network(std::uint64_t seed) : random_(seed) {}

  Time now{};
  Duration delay = 1ms;
  Duration jitter = 0ms;  // up to this much more, so packets overtake each other
  double loss = 0;
  std::function<bool(const Path&, Bytes)> filter;  // false: lost. The path as the sender sees it

  // A NAT in front of `base`: every remote sees it as `outside`, and only those it sent to can answer.
  void add_nat(const Address& base, const Address& outside) { nats_.push_back({base, outside, {}}); }
  void add_server(const Address& address) { servers_.insert(address); }

  // Which side owns a socket is known from the addresses that were added here.
  void add(Side& side, const std::vector<Address>& addresses, bool loopback = false) {
    for (const Address& address : addresses) {
      owners_[address] = &side;
      REQUIRE(side.agent->add_local_address(now, address, loopback));
    }
  }
  void join(Side& a, Side& b) {
    sides_ = {&a, &b};
    drain();
  }
  void exchange_credentials(Side& a, Side& b) {
    REQUIRE(a.agent->set_remote_credentials(now, b.agent->local_ufrag(), b.agent->local_pwd(), false));
    REQUIRE(b.agent->set_remote_credentials(now, a.agent->local_ufrag(), a.agent->local_pwd(), false));
    drain();
  }

  // Everything that is owed goes out; everything there is to tell is told.
  void drain() {
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

  // Jumps from event to event up to `end`.
  void run_until(Time end) {
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
  void run_for(Duration duration) { run_until(now + duration); }
  // Until the condition holds, or for at most `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s) {
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

  void send(const Path& path, const ByteVector& bytes) {
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

 private:
  struct Nat {
    Address base, outside;
    std::set<Address> peers;
  };
  struct Flight {
    Path path;  // local is the sender
    ByteVector bytes;
  };

  void step() {
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

  void deliver(const Flight& flight) {
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

  void serve(const Flight& flight) {
    const auto request = stun::Message::parse(flight.bytes);
    if (!request || request->message_class() != stun::Class::Request) return;
    ByteVector buffer(200);
    stun::Writer w(buffer, stun::Class::Success, request->id());
    w.xor_address(stun::Attribute::XorMappedAddress, flight.path.local);
    buffer.resize(w.finish());
    send(Path{flight.path.remote, flight.path.local}, buffer);
  }

  void on_event(Side& side, const Agent::Event& event) {
    if (const auto* local = std::get_if<Agent::LocalCandidate>(&event)) {
      side.candidates.push_back(local->candidate);
      Side* const other = sides_[0] == &side ? sides_[1] : sides_[0];
      if (side.trickles) static_cast<void>(other->agent->add_remote_candidate(now, local->candidate));
    }
    if (std::get_if<Agent::GatheringDone>(&event) != nullptr) ++side.gathering_done;
    if (const auto* changed = std::get_if<Agent::StateChanged>(&event)) side.states.push_back(changed->to);
    if (const auto* pair = std::get_if<Agent::PairSelected>(&event)) side.selected.push_back(pair->path);
  }

  std::mt19937_64 random_;
  std::vector<Side*> sides_;
  std::map<Address, Side*> owners_;
  std::vector<Nat> nats_;
  std::set<Address> servers_;
  std::multimap<Time, Flight> flying_;
};

// A peer made by hand: it writes requests and answers as one wants them.
struct Forger {
  std::string ufrag = "peer", pwd = "0123456789abcdefghijkl";
  std::uint32_t counter = 0;

  stun::TransactionId next_id() {
    stun::TransactionId id{};
    store_u32(id.data(), ++counter);
    return id;
  }
  struct Ask {
    bool controlling = true;
    std::uint64_t tie_breaker = 0;
    bool use_candidate = false;
    std::uint32_t priority = 0x6E001EFF;
    std::optional<std::string> username, key;
    bool with_sha256 = false;
    bool with_fingerprint = true;
  };
  ByteVector request(const Agent& agent, const Ask& ask) {
    ByteVector buffer(800);
    stun::Writer w(buffer, stun::Class::Request, next_id());
    w.text(stun::Attribute::Username, ask.username.value_or(std::string(agent.local_ufrag()) + ":" + ufrag));
    w.u32(stun::Attribute::Priority, ask.priority);
    w.u64(ask.controlling ? stun::Attribute::IceControlling : stun::Attribute::IceControlled,
          ask.tie_breaker);
    if (ask.use_candidate) w.flag(stun::Attribute::UseCandidate);
    const std::string key = ask.key.value_or(std::string(agent.local_pwd()));
    w.integrity(as_bytes(key));
    if (ask.with_sha256) w.integrity_sha256(as_bytes(key));
    if (ask.with_fingerprint) w.fingerprint();
    buffer.resize(w.finish());
    return buffer;
  }
  ByteVector success(Bytes request, const Address& mapped) {
    ByteVector buffer(200);
    stun::Writer w(buffer, stun::Class::Success, stun::Message::parse(request)->id());
    w.xor_address(stun::Attribute::XorMappedAddress, mapped);
    w.integrity(as_bytes(pwd));
    w.fingerprint();
    buffer.resize(w.finish());
    return buffer;
  }
  // An empty key: no integrity at all.
  ByteVector error(Bytes request, int code, std::string_view key) {
    ByteVector buffer(200);
    stun::Writer w(buffer, stun::Class::Error, stun::Message::parse(request)->id());
    w.error(code, "no");
    if (!key.empty()) w.integrity(as_bytes(key));
    w.fingerprint();
    buffer.resize(w.finish());
    return buffer;
  }
};

inline std::vector<std::pair<Path, ByteVector>> poll_all(Agent& agent, Time now) {
  std::vector<std::pair<Path, ByteVector>> out;
  ByteVector buffer(1500);
  while (const auto t = agent.poll_transmit(now, buffer))
    out.emplace_back(t->path,
                     ByteVector(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(t->size)));
  return out;
}
inline std::vector<Agent::Event> poll_events(Agent& agent) {
  std::vector<Agent::Event> out;
  Agent::Event event;
  while (agent.poll_event(event)) out.push_back(event);
  return out;
}
inline bool is_request(Bytes bytes) {
  const auto m = stun::Message::parse(bytes);
  return m && m->message_class() == stun::Class::Request;
}

}  // namespace pollrtc::test
