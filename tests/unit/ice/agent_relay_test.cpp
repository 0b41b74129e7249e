// The agent and relayed candidates: what it says of them, and when their pairs are checked.
#include "network.h"
#include "support/catch.h"

namespace pollrtc::test {

namespace {

const Address kRelayed = addr("198.51.100.77", 50000), kMapped = addr("203.0.113.1", 4000),
              kHost = addr("192.0.2.1", 4000), kServer = addr("203.0.113.9", 3478),
              kPeer = addr("192.0.2.50", 6000);

struct Relay {
  explicit Relay(bool relay_only) : side(3, config(relay_only)) {
    REQUIRE(side.agent->add_local_address(Time{}, kHost, false));
    REQUIRE(side.agent->add_relayed(Time{}, {kRelayed, kMapped, kHost, kServer, TurnTransport::Udp}));
    side.agent->local_addresses_done(Time{});
    REQUIRE(side.agent->set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
    for (const auto& event : poll_events(*side.agent))
      if (const auto* local = std::get_if<Agent::LocalCandidate>(&event))
        candidates.push_back(local->candidate);
    Candidate remote;
    remote.address = kPeer;
    remote.priority = 1;
    REQUIRE(side.agent->add_remote_candidate(Time{}, remote));
  }
  static ice::AgentConfig config(bool relay_only) {
    ice::AgentConfig config;
    config.controlling = true;
    config.relay_only = relay_only;
    return config;
  }
  // How many checks leave from there within this time.
  int checks_from(const Address& local, Duration time) {
    int count = 0;
    for (const Time end = now + time; now < end; now += 10ms) {
      side.agent->handle_timeout(now);
      for (const auto& [path, bytes] : poll_all(*side.agent, now)) count += path.local == local;
    }
    return count;
  }
  Side side;
  std::vector<Candidate> candidates;
  Time now{};
};

}  // namespace

TEST_CASE("a check from a relayed candidate waits for its permission", "[ICE-CHK-26][TURN-10]") {
  for (const bool granted : {true, false}) {
    Relay relay(false);
    CHECK(relay.checks_from(kHost, 1s) > 0);
    CHECK(relay.checks_from(kRelayed, 2s) == 0);
    Path wanted;
    REQUIRE(relay.side.agent->next_permission(wanted));
    CHECK(wanted.local == kRelayed);
    CHECK(wanted.remote.same_ip(kPeer));
    CHECK_FALSE(relay.side.agent->next_permission(wanted));  // asked for once
    relay.side.agent->on_permission(relay.now, kRelayed, kPeer.with_port(0), granted);
    CHECK((relay.checks_from(kRelayed, 2s) > 0) == granted);
    // Taken back, or the allocation is gone: no more of them.
    if (!granted) continue;
    relay.side.agent->on_permission(relay.now, kRelayed, kPeer.with_port(0), false);
    CHECK(relay.checks_from(kRelayed, 5s) == 0);
    CHECK(relay.checks_from(kHost, 30s) > 0);
  }
}

TEST_CASE("each address of the peer needs a permission of its own, and one of each allocation",
          "[ICE-CHK-26]") {
  Relay relay(true);
  Agent& agent = *relay.side.agent;
  const Address second_peer = addr("192.0.2.51", 6000);
  const auto wanted = [&agent] {
    std::set<std::pair<Address, Address>> all;
    for (Path path; agent.next_permission(path);) CHECK(all.insert({path.local, path.remote}).second);
    return all;
  };
  const auto add_remote = [&](const Address& address) {
    Candidate remote;
    remote.address = address;
    remote.priority = 1;
    REQUIRE(agent.add_remote_candidate(relay.now, remote));
  };
  CHECK(wanted() == std::set{std::pair(kRelayed, kPeer.with_port(0))});
  agent.on_permission(relay.now, kRelayed, kPeer, true);
  add_remote(kPeer.with_port(7000));  // the port does not matter
  CHECK(wanted().empty());
  add_remote(second_peer);
  CHECK(wanted() == std::set{std::pair(kRelayed, second_peer.with_port(0))});
  std::set<Address> asked;
  relay.now += 2s;
  agent.handle_timeout(relay.now);
  for (int i = 0; i < 20; ++i, relay.now += 50ms) {
    agent.handle_timeout(relay.now);
    for (const auto& [path, bytes] : poll_all(agent, relay.now)) asked.insert(path.remote);
  }
  CHECK(asked == std::set{kPeer, kPeer.with_port(7000)});
}

TEST_CASE("as long as a server owes its word on a permission there is hope", "[ICE-CHK-26]") {
  Relay relay(true);
  relay.checks_from(kRelayed, 60s);  // longer than patience
  CHECK(relay.side.agent->state() == AgentState::Checking);
  Path wanted;
  REQUIRE(relay.side.agent->next_permission(wanted));
  relay.checks_from(kRelayed, 1s);
  CHECK(relay.side.agent->state() == AgentState::Checking);
  relay.side.agent->on_permission(relay.now, kRelayed, kPeer, false);
  CHECK(relay.side.agent->state() == AgentState::Failed);
}

TEST_CASE("the loss of an allocation takes its pairs and no others", "[TURN-16][TURN-29]") {
  Relay relay(false);
  Path wanted;
  REQUIRE(relay.side.agent->next_permission(wanted));
  relay.side.agent->on_permission(relay.now, kRelayed, kPeer, true);
  CHECK(relay.checks_from(kRelayed, 1s) > 0);
  relay.side.agent->on_relay_lost(relay.now, kRelayed);
  CHECK(relay.checks_from(kRelayed, 10s) == 0);
  CHECK(relay.checks_from(kHost, 20s) > 0);
}

TEST_CASE("candidates of an allocation: the relayed one below all others, the mapped address reflexive",
          "[TURN-37]") {
  const Relay relay(false);
  REQUIRE(relay.candidates.size() == 3);
  CHECK(relay.candidates[0].type == CandidateType::Host);
  CHECK(relay.candidates[1].type == CandidateType::ServerReflexive);
  CHECK(relay.candidates[1].address == kMapped);
  CHECK(relay.candidates[2].type == CandidateType::Relayed);
  CHECK(relay.candidates[2].address == kRelayed);
  CHECK(relay.candidates[2].base == kRelayed);
  CHECK(relay.candidates[2].related == kMapped);
  CHECK(relay.candidates[2].priority >> 24 ==
        0);  // RFC 8445 §5.1.2.1: the type preference of a relayed candidate
}

TEST_CASE("under the relay policy nothing else is said, and nothing leaves from elsewhere") {
  Relay relay(true);
  REQUIRE(relay.candidates.size() == 1);
  CHECK(relay.candidates[0].type == CandidateType::Relayed);
  CHECK_FALSE(relay.candidates[0].related.is_valid());
  Path wanted;
  REQUIRE(relay.side.agent->next_permission(wanted));
  relay.side.agent->on_permission(relay.now, kRelayed, kPeer, true);
  CHECK(relay.checks_from(kHost, 2s) == 0);
  CHECK(relay.checks_from(kRelayed, 2s) > 0);
}

}  // namespace pollrtc::test
