// The laws of an engine (base/engine.h) for the ICE agent: any order of calls is legal, a deadline is a promise, draining
// ends, running out of memory or randomness is an ordinary result, the same inputs give the same bytes.
#include "network.h"
#include "support/catch.h"

namespace pollrtc::test {
namespace {

const Address kLocal = addr("192.0.2.1", 5000), kRemote = addr("192.0.2.2", 6000);

// A long random walk over every call of one agent; returns all the bytes that came out.
std::string walk(TestEnvironment& environment, std::uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  Agent agent(environment.env, {.controlling = pick(2) == 0});
  Forger peer;
  Time now{};
  std::vector<ByteVector> requests;
  std::string out;
  ByteVector buffer(1500);
  Agent::Event event;
  const auto some_path = [&] {
    return Path{kLocal.with_port(static_cast<std::uint16_t>(5000 + pick(3))),
                kRemote.with_port(static_cast<std::uint16_t>(6000 + pick(5)))};
  };
  if (pick(4) != 0) static_cast<void>(agent.start(now));
  for (int step = 0; step < steps; ++step) {
    switch (pick(16)) {
      case 0:
        static_cast<void>(agent.start(now));
        break;
      case 1:
        static_cast<void>(agent.add_local_address(
            now, kLocal.with_port(static_cast<std::uint16_t>(5000 + pick(3))), false));
        break;
      case 2:
        static_cast<void>(
            agent.add_server(now, addr("198.51.100.1", static_cast<std::uint16_t>(1 + pick(3)))));
        break;
      case 3:
        if (pick(5) == 0) agent.local_addresses_done(now);
        break;
      case 4:
        static_cast<void>(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, pick(9) == 0));
        break;
      case 5: {
        Candidate c;
        c.address = some_path().remote;
        c.priority = static_cast<std::uint32_t>(1 + pick(1000000));
        c.type = static_cast<CandidateType>(pick(4));
        c.foundation = *FixedString<32>::from(std::to_string(pick(3)));
        static_cast<void>(agent.add_remote_candidate(now, c));
        break;
      }
      case 6:
        if (pick(9) == 0) agent.end_of_remote_candidates(now);
        break;
      case 7:
        agent.set_controlling(now, pick(2) == 0);
        break;
      case 8:
      case 9:
        agent.handle_datagram(now, some_path(),
                              peer.request(agent, {.controlling = pick(2) == 0,
                                                   .tie_breaker = random(),
                                                   .use_candidate = pick(3) == 0}));
        break;
      case 10:
      case 11:
        if (!requests.empty()) {
          const ByteVector& request = requests[pick(requests.size())];
          static constexpr int kCodes[] = {300, 400, 403, 487, 500};
          const Path path = some_path();
          agent.handle_datagram(now, path,
                                pick(4) == 0 ? peer.error(request, kCodes[pick(5)], peer.pwd)
                                             : peer.success(request, pick(3) == 0 ? kRemote : path.local));
        }
        break;
      case 12:
        while (const auto t = agent.poll_transmit(now, buffer)) {
          const Bytes bytes = Bytes(buffer).first(t->size);
          out += to_hex(bytes);
          if (is_request(bytes)) requests.push_back(to_vector(bytes));
        }
        break;
      case 13:
        for (int n = 0; agent.poll_event(event); ++n) REQUIRE(n < 200);
        break;
      default: {
        const Time due = agent.next_timeout();
        if (due == kNever) break;
        now = pick(20) == 0 ? std::max(now, due) + Duration(pick(20'000'000)) : std::max(now, due);
        agent.handle_timeout(now);
        REQUIRE(agent.next_timeout() > now);
        break;
      }
    }
    if (pick(2000) == 0) agent.close(now);
    const auto stats = agent.stats();
    REQUIRE(stats.pairs <= environment.env.limits.ice_pairs);
    if (const auto path = agent.selected_path()) REQUIRE(agent.is_validated(*path));
  }
  return out;
}

}  // namespace

TEST_CASE("any order of calls: bounded, always a later deadline, the same bytes from the same seed") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    TestEnvironment one(seed), two(seed);
    const std::string bytes = walk(one, seed, 400);
    CHECK(one.bytes_in_use() == 0);
    if (seed % 10 == 0) CHECK(walk(two, seed, 400) == bytes);
  }
}

TEST_CASE("every allocation may fail") {
  for (std::size_t successes = 0; successes < 60; ++successes) {
    TestEnvironment environment(3);
    environment.fail_allocations_after(successes);
    walk(environment, 17, 400);
    CHECK(environment.bytes_in_use() == 0);
  }
}

TEST_CASE("randomness may fail: start refuses and changes nothing, checks wait") {
  TestEnvironment environment(3);
  environment.fail_randomness_after(1);
  Agent agent(environment.env, {});
  CHECK(agent.start(Time{}).error() == ErrorCode::NoRandomness);
  CHECK(agent.local_ufrag().empty());
  CHECK(agent.add_local_address(Time{}, kLocal, false).error() == ErrorCode::InvalidState);
  environment.fail_randomness_after(100);
  CHECK(agent.start(Time{}));
  CHECK(agent.start(Time{}).error() == ErrorCode::InvalidState);
  for (std::size_t successes = 0; successes < 30; ++successes) {
    TestEnvironment other(4);
    other.fail_randomness_after(successes);
    walk(other, 23, 300);
  }
}

TEST_CASE("two inputs without a drain between them lose nothing") {
  Side side(2);
  Agent& agent = *side.agent;
  Forger peer;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.add_server(Time{}, addr("198.51.100.1", 3478)));
  REQUIRE(agent.set_remote_credentials(Time{}, peer.ufrag, peer.pwd, false));
  const Path path{kLocal, kRemote};
  CHECK(agent.handle_datagram(Time{}, path, peer.request(agent, {})) == Drop::None);
  CHECK(agent.handle_datagram(Time{}, path, peer.request(agent, {})) == Drop::None);
  agent.handle_timeout(Time{} + 50ms);
  std::size_t requests = 0, answers = 0;
  for (const auto& [to, bytes] : poll_all(agent, Time{} + 50ms))
    (is_request(bytes) ? requests : answers) += 1;
  CHECK(answers == 2);
  CHECK(requests == 2);  // the server's question and the triggered check
}

TEST_CASE("a buffer too small loses the message and nothing else") {
  Side side(2);
  Agent& agent = *side.agent;
  Forger peer;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.set_remote_credentials(Time{}, peer.ufrag, peer.pwd, false));
  CHECK(agent.handle_datagram(Time{}, {kLocal, kRemote}, peer.request(agent, {})) == Drop::None);
  ByteVector tiny(30);
  CHECK_FALSE(agent.poll_transmit(Time{}, tiny));
  agent.handle_timeout(Time{} + 500ms);
  const auto sent = poll_all(agent, Time{} + 500ms);
  REQUIRE(sent.size() == 1);  // the check is repeated in its time
  CHECK(is_request(sent[0].second));
}

TEST_CASE("checks on a candidate begin when it has been signalled", "[ICE-CHK-30]") {
  Side side(2);
  Agent& agent = *side.agent;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  Candidate c;
  c.address = kRemote;
  c.priority = 1;
  REQUIRE(agent.add_remote_candidate(Time{}, c));
  CHECK(agent.stats().pairs == 0);
  CHECK(poll_all(agent, Time{}).empty());
  Agent::Event event;
  REQUIRE(agent.poll_event(event));
  CHECK(std::holds_alternative<Agent::LocalCandidate>(event));
  CHECK(agent.next_timeout() == Time{});  // the caller is to come round again
  CHECK(poll_all(agent, Time{}).size() == 1);
}

}  // namespace pollrtc::test
