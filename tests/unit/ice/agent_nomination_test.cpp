// One agent and a peer made by hand: which pair is nominated, and which one carries data then (RFC 8445 §8).
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

TEST_CASE("USE-CANDIDATE from an address we never checked moves no data",
          "[ATK-05][ICE-NOM-05][ICE-CHK-08]") {
  Solo s;
  s.validate();
  CHECK(s.agent.state() == AgentState::Connected);
  const Path spoofed{kLocal, addr("203.0.113.66", 53)};
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true, .priority = 0x7FFFFFFF}), spoofed) ==
        Drop::None);
  CHECK(s.agent.selected_path() == kPath);
  CHECK_FALSE(s.agent.is_validated(spoofed));
  CHECK(s.agent.state() == AgentState::Connected);
  const auto requests = s.requests_for(60ms);
  REQUIRE(requests.size() == 1);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal), spoofed) == Drop::None);
  CHECK(s.agent.selected_path() == spoofed);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("controlled: USE-CANDIDATE on a valid pair nominates it at once", "[ICE-NOM-05]") {
  Solo s;
  s.validate();
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.requests_for(3s).empty());
}

TEST_CASE("several nominated pairs: the best one carries data", "[ICE-NOM-02]") {
  Solo s;
  const Address low = kRemote.with_port(6001);
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(low, 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), {kLocal, low}) == Drop::None);
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), kPath) == Drop::None);
  CHECK(s.receive(s.peer.success(requests[1].second, kLocal), {kLocal, low}) == Drop::None);
  CHECK(s.agent.selected_path() == Path{kLocal, low});
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal), kPath) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);
  for (int i = 0; i < 5; ++i) {  // later nominations of the lower one do not flap
    CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), {kLocal, low}) == Drop::None);
    CHECK(s.agent.selected_path() == kPath);
  }
}

TEST_CASE("after the nomination the others are let go, and a late answer is taken", "[ICE-NOM-07]") {
  Solo s(true);
  const Address other = kRemote.with_port(6001), third = kRemote.with_port(6002);
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(other, 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  REQUIRE(s.add_candidate(third, 500, "3"));
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal)) == Drop::None);
  const auto nomination = s.requests_for(60ms);
  REQUIRE(nomination.size() == 1);
  CHECK(stun::Message::parse(nomination[0].second)->has(stun::Attribute::UseCandidate));
  CHECK(s.receive(s.peer.success(nomination[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.requests_for(3s).empty());  // no copy of the second, no check of the third
  CHECK(s.agent.stats().pairs == 2);
  CHECK(s.receive(s.peer.success(requests[1].second, kLocal), {kLocal, other}) == Drop::None);
  CHECK(s.agent.is_validated({kLocal, other}));
  CHECK(s.agent.selected_path() == kPath);
  // A plain check on anything now triggers nothing, but is answered.
  CHECK(s.receive(s.peer.request(s.agent, {.controlling = false}), {kLocal, third}) == Drop::None);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 1);
  CHECK_FALSE(is_request(sent[0].second));
  CHECK(s.requests_for(100ms).empty());
}

TEST_CASE(
    "a nominating check that is refused: the pair leaves, another is nominated, else Failed after patience",
    "[ICE-NOM-06]") {
  Solo s(true);
  s.validate();
  CHECK(s.agent.state() == AgentState::Connected);
  const auto nomination = s.requests_for(60ms);
  REQUIRE(nomination.size() == 1);
  CHECK(s.receive(s.peer.error(nomination[0].second, 400, s.peer.pwd)) == Drop::None);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.agent.state() == AgentState::Checking);
  s.requests_for(39s);
  CHECK(s.agent.state() == AgentState::Checking);
  s.requests_for(1s);
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("a lite peer makes us controlling and never sends checks", "[ICE-NOM-04]") {
  Solo s(false, false);
  REQUIRE(s.agent.set_remote_credentials(s.now, s.peer.ufrag, s.peer.pwd, true));
  CHECK(s.agent.is_controlling());
  s.validate();
  const auto nomination = s.requests_for(60ms);
  REQUIRE(nomination.size() == 1);
  CHECK(s.receive(s.peer.success(nomination[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("when the nominated pair loses consent, another nominated pair takes over",
          "[ICE-NOM-02][ICE-CONS-06]") {
  Solo s;
  const Path second{kLocal, kRemote.with_port(6001)};
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(second.remote, 1000, "2"));
  for (const auto& [at, bytes] : s.requests_for(50ms)) {
    const Path path = at == Time{} ? kPath : second;
    CHECK(s.receive(s.peer.success(bytes, kLocal), path) == Drop::None);
  }
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), kPath) == Drop::None);
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), second) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);
  poll_events(s.agent);
  s.sent();
  Path to;
  while (to != kPath) {
    s.now = s.agent.next_timeout();
    s.agent.handle_timeout(s.now);
    for (auto& [path, bytes] : s.sent()) {
      to = path;
      if (to == kPath) CHECK(s.receive(s.peer.error(bytes, 403, s.peer.pwd)) == Drop::None);
    }
  }
  CHECK(s.agent.selected_path() == second);
  CHECK(s.agent.state() == AgentState::Completed);
  const auto events = poll_events(s.agent);
  REQUIRE(events.size() == 1);
  CHECK(std::get<Agent::PairSelected>(events[0]).path == second);
}

namespace {

// Two valid pairs and no nomination: kPath, known from a check of priority `first`, and `second` to port 6001.
const Path kSecond{kLocal, kRemote.with_port(6001)};
void validate_two(Solo& s, std::uint32_t first, std::uint32_t second) {
  REQUIRE(s.add_candidate(kSecond.remote, second, "2"));
  for (const auto& [at, bytes] : s.requests_for(0ms))
    REQUIRE(s.receive(s.peer.success(bytes, kLocal), kSecond) == Drop::None);
  REQUIRE(s.receive(s.peer.request(s.agent, {.priority = first})) == Drop::None);
  for (const auto& [at, bytes] : s.requests_for(50ms))
    REQUIRE(s.receive(s.peer.success(bytes, kLocal)) == Drop::None);
  REQUIRE(s.agent.stats().valid_pairs == 2);
}

}  // namespace

TEST_CASE("a nomination without an answer gives way to another pair once that has answered later",
          "[ICE-NOM-06]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(kSecond.remote, 1000, "2"));
  const auto is_nomination = [](const ByteVector& bytes) {
    return stun::Message::parse(bytes)->has(stun::Attribute::UseCandidate);
  };
  std::optional<Time> begun;
  while (s.agent.state() != AgentState::Completed) {
    REQUIRE(s.now < Time{} + 15s);
    for (const auto& [path, bytes] : s.sent()) {
      if (!is_request(bytes)) continue;
      if (is_nomination(bytes) && path == kPath) {
        if (!begun) begun = s.now;
        CHECK(s.now < *begun + 6s);
        continue;  // nothing answers it
      }
      CHECK((!is_nomination(bytes) || s.now > *begun + 6s));
      REQUIRE(s.receive(s.peer.success(bytes, kLocal), path) == Drop::None);
    }
    s.now = std::max(s.now, s.agent.next_timeout());
    s.agent.handle_timeout(s.now);
  }
  CHECK(s.agent.selected_path() == kSecond);
  // The other end may have heard of that nomination. Its checks there get no answer, so that it comes to the pair that we use.
  CHECK(s.receive(s.peer.request(s.agent, {.controlling = false}), kPath) == Drop::UnknownPath);
  CHECK_FALSE(s.answer());
  CHECK(s.agent.state() == AgentState::Completed);
}

// RFC 7675 §5.1: an end that sends nothing need not keep consent, and gains it anew; nobody asked for it there.
TEST_CASE("a valid pair that was not chosen can be checked and nominated anew, long after",
          "[ICE-CHK-28][ICE-CONS-05]") {
  Solo s;
  validate_two(s, 1000, 2000);
  REQUIRE(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  REQUIRE(s.agent.selected_path() == kPath);
  for (const Time end = s.now + 60s; s.now < end;) {
    s.now = std::max(s.now, s.agent.next_timeout());
    s.agent.handle_timeout(s.now);
    for (auto& [path, bytes] : s.sent()) {
      CHECK(path == kPath);  // consent there alone
      if (is_request(bytes)) REQUIRE(s.receive(s.peer.success(bytes, kLocal), path) == Drop::None);
    }
  }
  CHECK_FALSE(s.agent.is_validated(kSecond));
  REQUIRE(s.receive(s.peer.request(s.agent, {.use_candidate = true}), kSecond) == Drop::None);
  CHECK(s.answer());
  for (const auto& [at, bytes] : s.requests_for(100ms))
    REQUIRE(s.receive(s.peer.success(bytes, kLocal), kSecond) == Drop::None);
  CHECK(s.agent.selected_path() == kSecond);
}

TEST_CASE("signalling a peer-reflexive candidate sorts the list anew", "[ICE-CHK-11]") {
  Solo s;
  validate_two(s, 5, 1000);
  CHECK(s.agent.selected_path() == kSecond);
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  CHECK(s.agent.selected_path() == kPath);
  CHECK(s.agent.stats().pairs == 2);
}

TEST_CASE("a path whose consent ended is never checked again in this session", "[ICE-CONS-04][ICE-CONS-06]") {
  Solo s;
  validate_two(s, 2000, 1000);
  CHECK(s.agent.selected_path() == kPath);
  while (s.agent.is_validated(kPath)) {
    s.now = s.agent.next_timeout();
    s.agent.handle_timeout(s.now);
    for (auto& [path, bytes] : s.sent())
      s.receive(path == kPath ? s.peer.error(bytes, 403, s.peer.pwd) : s.peer.success(bytes, kLocal), path);
  }
  CHECK(s.agent.selected_path() == kSecond);
  CHECK(s.agent.state() == AgentState::Connected);
  // Not even answered: the peer, which may control, must not take it for a pair that works and nominate it.
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::UnknownPath);
  s.now += 100ms;
  s.agent.handle_timeout(s.now);
  for (auto& [path, bytes] : s.sent()) CHECK_FALSE(path == kPath);
  CHECK_FALSE(s.agent.is_validated(kPath));
}

}  // namespace pollrtc::test
