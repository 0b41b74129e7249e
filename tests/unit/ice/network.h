// A tiny network in virtual time for two agents and a STUN server: delay, loss, reordering and NAT, all from a seed.
#pragma once

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
#include "ice/stun_message.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using ice::Agent;
using ice::AgentState;

inline Address addr(std::string_view ip, std::uint16_t port) { return *parse_ip(ip, port); }

// One side: an agent, the sockets it has, and what it said.
struct Side {
  explicit Side(std::uint64_t seed, const ice::AgentConfig& config = {}, const Limits& limits = {});
  ~Side();

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
  explicit Network(std::uint64_t seed);
  ~Network();

  Time now{};
  Duration delay = 1ms;
  Duration jitter = 0ms;  // up to this much more, so packets overtake each other
  double loss = 0;
  std::function<bool(const Path&, Bytes)> filter;  // false: lost. The path as the sender sees it

  // A NAT in front of `base`: every remote sees it as `outside`, and only those it sent to can answer.
  void add_nat(const Address& base, const Address& outside) { nats_.push_back({base, outside, {}}); }
  void add_server(const Address& address) { servers_.insert(address); }

  // Which side owns a socket is known from the addresses that were added here.
  void add(Side& side, const std::vector<Address>& addresses, bool loopback = false);
  void join(Side& a, Side& b);
  void exchange_credentials(Side& a, Side& b);

  // Everything that is owed goes out; everything there is to tell is told.
  void drain();

  // Jumps from event to event up to `end`.
  void run_until(Time end);
  void run_for(Duration duration) { run_until(now + duration); }
  // Until the condition holds, or for at most `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s);

  void send(const Path& path, const ByteVector& bytes);

 private:
  struct Nat {
    Address base, outside;
    std::set<Address> peers;
  };
  struct Flight {
    Path path;  // local is the sender
    ByteVector bytes;
  };

  void step();
  void deliver(const Flight& flight);
  void serve(const Flight& flight);
  void on_event(Side& side, const Agent::Event& event);

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

  stun::TransactionId next_id();
  struct Ask {
    bool controlling = true;
    std::uint64_t tie_breaker = 0;
    bool use_candidate = false;
    std::uint32_t priority = 0x6E001EFF;
    std::optional<std::string> username, key;
    bool with_sha256 = false;
    bool with_fingerprint = true;
  };
  ByteVector request(const Agent& agent, const Ask& ask);
  ByteVector success(Bytes request, const Address& mapped);
  // An empty key: no integrity at all.
  ByteVector error(Bytes request, int code, std::string_view key);
};

template <class Engine>
std::vector<std::pair<Path, ByteVector>> poll_all(Engine& engine, Time now) {
  std::vector<std::pair<Path, ByteVector>> out;
  ByteVector buffer(1500);
  while (const auto t = engine.poll_transmit(now, buffer))
    out.emplace_back(t->path,
                     ByteVector(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(t->size)));
  return out;
}
std::vector<Agent::Event> poll_events(Agent& agent);
bool is_request(Bytes bytes);

}  // namespace pollrtc::test
