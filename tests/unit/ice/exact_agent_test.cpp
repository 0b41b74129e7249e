// What an agent measures, announces and refuses, to the value.
#include <set>

#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

TEST_CASE("the round trip is seven eighths of what it was and one eighth of what is new") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(0ms);
  REQUIRE(first.size() == 1);
  CHECK_FALSE(s.agent.round_trip_time());
  s.now += 80ms;
  REQUIRE(s.receive(s.peer.success(first[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.round_trip_time() == std::optional<Duration>(80ms));
  std::optional<ByteVector> question;  // of consent
  while (!question) {
    s.now = std::max(s.now, s.agent.next_timeout());
    s.agent.handle_timeout(s.now);
    for (const auto& [path, bytes] : s.sent())
      if (is_request(bytes)) question = bytes;
  }
  s.now += 160ms;
  REQUIRE(s.receive(s.peer.success(*question, kLocal)) == Drop::None);
  CHECK(s.agent.round_trip_time() == std::optional<Duration>(90ms));
}

TEST_CASE("credentials have 48 and 144 random bits", "[ICE-CRED-01]") {
  Solo s;
  CHECK(s.agent.local_ufrag().size() == 8);
  CHECK(s.agent.local_pwd().size() == 24);
}

TEST_CASE("an address that a check brought to light is not announced: the peer told us of it") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(0ms);
  REQUIRE(first.size() == 1);
  REQUIRE(s.receive(s.peer.success(first[0].second, addr("203.0.113.7", 777))) == Drop::None);
  ice::Agent::Event event;
  while (s.agent.poll_event(event)) CHECK_FALSE(std::holds_alternative<ice::Agent::LocalCandidate>(event));
  CHECK(s.agent.stats().local_candidates == 2);
}

TEST_CASE("a request that is shorter than the error would be gets none", "[ATK-02]") {
  const auto asked = [](std::size_t filler) {
    Solo s;
    ByteVector buffer(400);
    stun::Writer w(buffer, stun::Class::Request, s.peer.next_id());
    if (filler != 0) w.text(stun::Attribute::Software, std::string(filler, 'x'));
    w.fingerprint();
    buffer.resize(w.finish());
    (void)s.receive(buffer);
    const auto answer = s.answer();
    if (answer) CHECK(answer->size() <= buffer.size());
    return answer.has_value();
  };
  CHECK_FALSE(asked(0));
  CHECK(asked(200));
}

TEST_CASE("the class of a message is bits 4 and 8 of its type, whatever the method") {
  for (const int method_bits : {0x0001, 0x0081, 0x0201, 0x00EF}) {
    ByteVector bytes(20);
    store_u16(bytes.data(), static_cast<std::uint16_t>(method_bits & 0x3EEF));
    store_u32(bytes.data() + 4, 0x2112A442);
    const auto message = stun::Message::parse(bytes);
    if (!message) continue;
    INFO(method_bits);
    CHECK(message->message_class() == stun::Class::Request);
  }
}

TEST_CASE("a number has the size of its attribute, or is none") {
  for (const std::size_t size : {0u, 4u, 7u, 8u, 9u, 12u}) {
    ByteVector buffer(100);
    stun::Writer w(buffer, stun::Class::Request, {});
    w.text(stun::Attribute::IceControlling, std::string(size, 'x'));
    w.text(stun::Attribute::Priority, std::string(size, 'x'));
    buffer.resize(w.finish());
    const auto message = stun::Message::parse(buffer);
    REQUIRE(message);
    INFO(size);
    CHECK(message->u64(stun::Attribute::IceControlling).has_value() == (size == 8));
    CHECK(message->u32(stun::Attribute::Priority).has_value() == (size == 4));
  }
}

namespace {
// The ports that are asked within 400 ms, nobody answering.
std::set<std::uint16_t> asked(Solo& s) {
  std::set<std::uint16_t> ports;
  const Time end = s.now + 400ms;
  for (;;) {
    for (const auto& [path, bytes] : s.sent())
      if (is_request(bytes)) ports.insert(path.remote.port);
    if (s.agent.next_timeout() > end) break;
    s.now = std::max(s.now, s.agent.next_timeout());
    s.agent.handle_timeout(s.now);
  }
  return ports;
}
}  // namespace

TEST_CASE(
    "of pairs with one foundation one is checked first, and a peer-reflexive candidate takes the signalled "
    "one",
    "[ICE-CHK-11]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote.with_port(1), 900, "a"));
  REQUIRE(s.add_candidate(kRemote.with_port(2), 800, "a"));
  REQUIRE(s.add_candidate(kRemote.with_port(3), 700, "b"));
  CHECK(asked(s) == std::set<std::uint16_t>{1, 3});

  Solo t;
  REQUIRE(t.receive(t.peer.request(t.agent, {}), Path{kLocal, kRemote.with_port(1)}) == Drop::None);
  REQUIRE(t.add_candidate(kRemote.with_port(1), 900, "a"));
  REQUIRE(t.add_candidate(kRemote.with_port(2), 800, "a"));
  REQUIRE(t.add_candidate(kRemote.with_port(3), 700, "b"));
  CHECK(asked(t) == std::set<std::uint16_t>{1, 3});
}

TEST_CASE("an agent is started once, and not at all when it is closed") {
  Solo s;
  const Status again = s.agent.start(s.now);
  REQUIRE_FALSE(again);
  CHECK(again.error() == ErrorCode::InvalidState);
  s.agent.close(s.now);
  CHECK_FALSE(s.agent.start(s.now));
  TestEnvironment environment;
  ice::Agent fresh(environment.env, ice::AgentConfig{});
  fresh.close(s.now);
  CHECK_FALSE(fresh.start(s.now));
}

TEST_CASE("when the socket of the pair that is being nominated goes, another pair is nominated",
          "[ICE-NAT-04]") {
  Side side(3, {.controlling = true});
  Agent& agent = *side.agent;
  Forger peer;
  Time now{};
  const Address second = addr("192.0.2.7", 5000);
  REQUIRE(agent.add_local_address(now, kLocal, false));
  REQUIRE(agent.add_local_address(now, second, false));
  agent.local_addresses_done(now);
  poll_events(agent);
  REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
  Candidate c;
  c.address = kRemote;
  c.priority = 1;
  REQUIRE(agent.add_remote_candidate(now, c));
  std::vector<Path> nominated;
  // Checks are answered, nominations are not.
  const auto live = [&](Duration time) {
    for (const Time end = now + time; now < end; now += 10ms) {
      agent.handle_timeout(now);
      for (const auto& [path, bytes] : poll_all(agent, now)) {
        const bool nominates = stun::Message::parse(bytes)->has(stun::Attribute::UseCandidate);
        if (nominates) nominated.push_back(path);
        if (!nominates)
          CHECK(agent.handle_datagram(now, path, peer.success(bytes, path.local)) == Drop::None);
      }
    }
  };
  live(400ms);
  REQUIRE_FALSE(nominated.empty());
  const Address gone = nominated[0].local, stays = gone == kLocal ? second : kLocal;
  nominated.clear();
  REQUIRE(agent.remove_local_address(now, gone));
  live(400ms);
  REQUIRE_FALSE(nominated.empty());
  for (const Path& path : nominated) CHECK(path == Path{stays, kRemote});
}

TEST_CASE(
    "that too many checks went unanswered shows at once, also when it is acknowledged data that brings the "
    "time") {
  Solo s;
  s.validate();
  REQUIRE(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  int deadlines = 0;
  while (s.agent.state() == AgentState::Completed) {
    s.sent();
    s.now = s.agent.next_timeout();
    s.agent.on_data_acknowledged(s.now);
    if (s.agent.state() != AgentState::Completed) break;
    s.agent.handle_timeout(s.now);
    CHECK(s.agent.state() == AgentState::Completed);
    REQUIRE(++deadlines < 100);
  }
  CHECK(s.agent.state() == AgentState::Disconnected);
  CHECK(s.now > Time{} + 15s);  // four checks
  CHECK(s.now < Time{} + 30s);
}

TEST_CASE("a pair that was given up and is nominated after all keeps its consent", "[ICE-CONS-01]") {
  Solo s;
  const Address other = kRemote.with_port(6001);
  const Path other_path{kLocal, other};
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(other, 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal)) == Drop::None);
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  REQUIRE(s.agent.state() == AgentState::Completed);
  // The other one has never been heard of; now the peer wants it, and the first one falls silent.
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), other_path) == Drop::None);
  for (const Time until = s.now + 90s; s.now < until;) {
    for (const auto& [path, bytes] : s.sent())
      if (is_request(bytes) && path == other_path)
        CHECK(s.receive(s.peer.success(bytes, kLocal), path) == Drop::None);
    s.now = std::max(s.now, s.agent.next_timeout());
    s.agent.handle_timeout(s.now);
  }
  CHECK(s.agent.selected_path() == other_path);
  CHECK(s.agent.state() == AgentState::Completed);
}

}  // namespace pollrtc::test
