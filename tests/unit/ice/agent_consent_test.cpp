// Consent: when it is asked for, what counts as an answer, and what its end means (RFC 7675).
#include "network.h"
#include "support/catch.h"

namespace pollrtc::test {
namespace {

const Address kLocal = addr("192.0.2.1", 5000), kRemote = addr("192.0.2.2", 6000);
const Path kPath{kLocal, kRemote};

// A controlled agent whose one pair is valid and nominated at time 0.
struct Established {
  Established() : side(11), agent(*side.agent) {
    REQUIRE(agent.add_local_address(now, kLocal, false));
    agent.local_addresses_done(now);
    poll_events(agent);
    REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
    REQUIRE(agent.handle_datagram(now, kPath, peer.request(agent, {.use_candidate = true})) == Drop::None);
    for (auto& [path, bytes] : poll_all(agent, now))
      if (is_request(bytes))
        REQUIRE(agent.handle_datagram(now, kPath, peer.success(bytes, kLocal)) == Drop::None);
    REQUIRE(agent.state() == AgentState::Completed);
    poll_events(agent);
  }
  // To the next moment something is due; the requests that go out then.
  std::vector<ByteVector> step(Time limit = kNever) {
    std::vector<ByteVector> out;
    now = std::min(agent.next_timeout(), limit);
    agent.handle_timeout(now);
    for (auto& [path, bytes] : poll_all(agent, now))
      if (is_request(bytes)) out.push_back(bytes);
    return out;
  }
  std::vector<ByteVector> run_to(Time end) {
    std::vector<ByteVector> out;
    while (agent.next_timeout() < end)
      for (auto& bytes : step()) out.push_back(bytes);
    now = end;
    agent.handle_timeout(now);
    for (auto& [path, bytes] : poll_all(agent, now)) out.push_back(bytes);
    return out;
  }
  Drop answer(const ByteVector& request, const Path& path = kPath) {
    return agent.handle_datagram(now, path, peer.success(request, kLocal));
  }

  Time now{};
  Side side;
  Agent& agent;
  Forger peer;
};

}  // namespace

TEST_CASE("a consent check every 4 to 6 s, a new transaction each, never repeated",
          "[ICE-CONS-01][STUN-12]") {
  Established e;
  std::vector<Time> times{e.now};
  std::set<stun::TransactionId> ids;
  for (int i = 0; i < 2000; ++i) {
    const auto requests = e.step();
    if (requests.empty()) continue;
    REQUIRE(requests.size() == 1);
    times.push_back(e.now);
    CHECK(ids.insert(stun::Message::parse(requests[0])->id()).second);
    CHECK_FALSE(stun::Message::parse(requests[0])->has(stun::Attribute::UseCandidate));
    CHECK(e.answer(requests[0]) == Drop::None);
  }
  REQUIRE(times.size() > 50);
  Duration low = Duration::max(), high{};
  for (std::size_t i = 1; i < times.size(); ++i) {
    low = std::min(low, times[i] - times[i - 1]);
    high = std::max(high, times[i] - times[i - 1]);
  }
  CHECK(low >= 4s);
  CHECK(high <= 6s);
  CHECK(high - low > 1s);
  CHECK(e.agent.state() == AgentState::Completed);
}

TEST_CASE("the other end's check brings ours along once 4 s have passed since the one before",
          "[ICE-CONS-01]") {
  Established e;
  const auto sent_with_answer = [&e] {
    CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.request(e.agent, {})) == Drop::None);
    const auto sent = poll_all(e.agent, e.now);
    REQUIRE_FALSE(sent.empty());
    CHECK_FALSE(is_request(sent[0].second));
    return std::vector(sent.begin() + 1, sent.end());
  };
  e.now = Time{} + 4s - 1us;  // the check of the set-up was answered at 0
  CHECK(sent_with_answer().empty());
  e.now = Time{} + 4s;
  for (int i = 0; i < 3; ++i, e.now += 4s) {
    const auto sent = sent_with_answer();
    REQUIRE(sent.size() == 1);
    CHECK(is_request(sent[0].second));
    CHECK(e.answer(sent[0].second) == Drop::None);
    CHECK(sent_with_answer().empty());
    CHECK(e.agent.next_timeout() >= e.now + 4s);
  }
  CHECK(e.agent.stats().consent_checks_sent == 3);
}

TEST_CASE("30 s without an answer: no path, Failed, no more checks, and nothing revives it",
          "[ICE-CONS-02][ICE-CONS-04]") {
  Established e;
  const auto requests = e.run_to(Time{} + 30s - 1us);
  CHECK(requests.size() >= 4);
  CHECK(e.agent.is_validated(kPath));
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.state() == AgentState::Disconnected);
  e.agent.handle_timeout(Time{} + 30s);
  e.now = Time{} + 30s;
  CHECK_FALSE(e.agent.is_validated(kPath));
  CHECK_FALSE(e.agent.selected_path());
  CHECK(e.agent.state() == AgentState::Failed);
  CHECK(e.agent.next_timeout() == kNever);
  for (const auto& request : requests) CHECK(e.answer(request) == Drop::StunNoTransaction);
  // The peer still asks: these credentials are not used on this path again, and an answer would have it think that it works.
  CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.request(e.agent, {.use_candidate = true})) ==
        Drop::UnknownPath);
  CHECK(poll_all(e.agent, e.now).empty());
  CHECK_FALSE(e.agent.selected_path());
}

TEST_CASE("an answer to an earlier check counts, and ends Disconnected", "[ICE-CONS-01]") {
  Established e;
  const auto requests = e.run_to(Time{} + 29s);
  CHECK(e.agent.state() == AgentState::Disconnected);
  CHECK(e.answer(requests.at(0)) == Drop::None);
  CHECK(e.agent.state() == AgentState::Completed);
  e.run_to(Time{} + 58s);
  CHECK(e.agent.is_validated(kPath));
  e.run_to(Time{} + 59s);
  CHECK_FALSE(e.agent.is_validated(kPath));
}

TEST_CASE("one lost answer is no interruption; two are, a second after the second", "[ICE-CONS-02]") {
  Established e;
  std::vector<Time> checks;
  while (e.agent.state() != AgentState::Disconnected)
    if (!e.step().empty()) checks.push_back(e.now);
  CHECK(checks.size() == 2);
  CHECK(e.now == checks[1] + 1s);
  const auto events = poll_events(e.agent);
  REQUIRE(events.size() == 1);
  CHECK(std::get<Agent::StateChanged>(events[0]).from == AgentState::Completed);
  CHECK(std::get<Agent::StateChanged>(events[0]).to == AgentState::Disconnected);
}

TEST_CASE("data that is acknowledged is a sign of life for three checks, and never consent",
          "[ICE-CONS-02][ATK-30]") {
  Established e;
  std::size_t checks = 0;
  std::vector<std::pair<AgentState, std::size_t>> states;
  while (e.now < Time{} + 30s) {
    checks += e.step(e.now + 500ms).size();
    if (states.empty() || states.back().first != e.agent.state())
      states.emplace_back(e.agent.state(), checks);
    e.agent.on_data_acknowledged(e.now);
  }
  REQUIRE(states.size() == 3);
  CHECK(states[0].first == AgentState::Completed);
  CHECK(states[1] == std::pair(AgentState::Disconnected, std::size_t{4}));
  CHECK(states[2].first == AgentState::Failed);
  CHECK_FALSE(e.agent.selected_path());
}

TEST_CASE("an acknowledgement ends Disconnected, and silence after it counts anew", "[ICE-CONS-02]") {
  Established e;
  std::size_t checks = 0;
  while (e.agent.state() != AgentState::Disconnected) checks += e.step().size();
  REQUIRE(checks == 2);
  e.agent.on_data_acknowledged(e.now);
  CHECK(e.agent.state() == AgentState::Completed);
  while (e.agent.state() != AgentState::Disconnected) checks += e.step().size();
  CHECK(checks == 4);
  CHECK(e.now < Time{} + 26s);
}

TEST_CASE("only an authentic success from the address asked is consent", "[ICE-CONS-03]") {
  Established e;
  Forger liar = e.peer;
  liar.pwd = "guess";
  while (e.now < Time{} + 29s) {
    for (const auto& request : e.step(Time{} + 29s)) {
      CHECK(e.agent.handle_datagram(e.now, kPath, liar.success(request, kLocal)) == Drop::StunIntegrity);
      CHECK(e.answer(request, {kLocal, addr("203.0.113.1", 1)}) == Drop::StunWrongSource);
      CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.error(request, 400, e.peer.pwd)) != Drop::None);
      e.agent.handle_datagram(e.now, kPath, e.peer.request(e.agent, {}));
      e.agent.handle_datagram(e.now, kPath,
                              hex("00110008 2112a442 b7e7a701bc34d686fa87dfae 80280004eeb49508"));
      poll_all(e.agent, e.now);
    }
  }
  CHECK(e.agent.is_validated(kPath));
  e.agent.handle_timeout(Time{} + 30s);
  CHECK(e.agent.state() == AgentState::Failed);
}

TEST_CASE("an authentic 403 ends consent at once, a bare one does not", "[ICE-CONS-06]") {
  Established e;
  std::vector<ByteVector> requests;
  while (requests.empty()) requests = e.step();
  CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.error(requests[0], 403, "")) == Drop::StunIntegrity);
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.error(requests[0], 403, e.peer.pwd)) == Drop::None);
  CHECK_FALSE(e.agent.selected_path());
  CHECK(e.agent.state() == AgentState::Failed);
}

TEST_CASE("a pause of the process: ten seconds cost one check, ten minutes the session", "[ICE-NAT-05]") {
  Established e;
  e.now = Time{} + 10s;
  e.agent.handle_timeout(e.now);
  auto sent = poll_all(e.agent, e.now);
  REQUIRE(sent.size() == 1);
  CHECK(e.answer(sent[0].second) == Drop::None);
  CHECK(e.agent.state() == AgentState::Completed);
  e.now += 10min;
  e.agent.handle_timeout(e.now);
  CHECK(e.agent.state() == AgentState::Failed);
  CHECK(poll_all(e.agent, e.now).empty());
}

TEST_CASE("an old answer or an old request from another source brings no consent there", "[ATK-26]") {
  Established e;
  const ByteVector old_request = e.peer.request(e.agent, {.use_candidate = true});
  std::vector<ByteVector> checks;
  while (checks.empty()) checks = e.step();
  const ByteVector old_answer = e.peer.success(checks[0], kLocal);
  CHECK(e.agent.handle_datagram(e.now, kPath, old_answer) == Drop::None);
  const Path attacker{kLocal, addr("203.0.113.66", 53)};
  CHECK(e.agent.handle_datagram(e.now, attacker, old_answer) == Drop::StunNoTransaction);
  CHECK(e.agent.handle_datagram(e.now, attacker, old_request) == Drop::None);
  e.now += 100ms;
  e.agent.handle_timeout(e.now);
  std::size_t checks_there = 0;
  for (const auto& [path, bytes] : poll_all(e.agent, e.now))
    checks_there += path == attacker && is_request(bytes);
  CHECK(checks_there == 1);
  CHECK_FALSE(e.agent.is_validated(attacker));
  CHECK(e.agent.selected_path() == kPath);
}

TEST_CASE("nothing is sent or taken after close") {
  Established e;
  e.agent.handle_datagram(e.now, kPath, e.peer.request(e.agent, {}));
  e.agent.close(e.now);
  CHECK(poll_all(e.agent, e.now).empty());
  CHECK(e.agent.next_timeout() == kNever);
  CHECK(e.agent.handle_datagram(e.now, kPath, e.peer.request(e.agent, {})) == Drop::Ended);
  CHECK_FALSE(e.agent.selected_path());
  CHECK_FALSE(e.agent.is_validated(kPath));
  const auto events = poll_events(e.agent);
  REQUIRE(events.size() == 1);
  CHECK(std::get<Agent::StateChanged>(events[0]).to == AgentState::Closed);
  CHECK(e.agent.add_remote_candidate(e.now, {}).error() == ErrorCode::Closed);
}

}  // namespace pollrtc::test
