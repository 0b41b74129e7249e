// ICE-lite: the end that everybody can reach and that never asks.
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {
namespace {

const ice::AgentConfig kLite{.controlling = true, .lite = true};

struct Lite : Solo {
  explicit Lite(bool credentials = true) : Solo(kLite, credentials) {}
  // A minute in which the peer checks every 5 s, or does not.
  void live(Duration duration, bool peer_checks) {
    const Time end = now + duration;
    Time check = now;
    while (now < end) {
      Time next = std::min(end, agent.next_timeout());
      if (peer_checks) next = std::min(next, check);
      now = std::max(now, next);
      if (agent.next_timeout() <= now) agent.handle_timeout(now);
      if (peer_checks && check <= now) {
        CHECK(receive(peer.request(agent, {})) == Drop::None);
        check = now + 5s;
      }
      for (auto& [path, bytes] : sent()) {
        const auto message = stun::Message::parse(bytes);
        if (message->message_class() == stun::Class::Indication) indications.emplace_back(now, bytes);
        requests += message->message_class() == stun::Class::Request;
      }
    }
  }
  std::vector<std::pair<Time, ByteVector>> indications;
  int requests = 0;
};

}  // namespace

TEST_CASE("a lite end gathers hosts only, stays controlled, and sends no check", "[ICE-NOM-10][ICE-NOM-09]") {
  Lite s;
  CHECK_FALSE(s.agent.is_controlling());
  s.agent.set_controlling(s.now, true);
  CHECK_FALSE(s.agent.is_controlling());
  Side side(4, kLite);
  REQUIRE(side.agent->add_local_address(Time{}, kLocal, false));
  REQUIRE(side.agent->add_server(Time{}, addr("198.51.100.1", 3478)));
  side.agent->local_addresses_done(Time{});
  CHECK(poll_all(*side.agent, Time{}).empty());
  CHECK(side.agent->is_gathering_over());
  REQUIRE(s.add_candidate(kRemote));
  CHECK(s.agent.stats().pairs == 0);
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::None);
  CHECK(s.requests_for(30s).empty());
  CHECK_FALSE(s.agent.selected_path());  // a check that does not nominate moves no data (§12.1.1)
  CHECK_FALSE(s.agent.is_validated(kPath));
  CHECK(s.agent.state() == AgentState::Checking);
}

TEST_CASE("the pair of the nominating request is the one", "[ICE-NOM-10]") {
  const bool early = GENERATE(false, true);  // before the peer's description
  Lite s(!early);
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true, .priority = 77})) == Drop::None);
  CHECK(error_of(s.answer()) == -1);
  if (early) {
    CHECK_FALSE(s.agent.selected_path());
    s.know_peer();
  }
  CHECK(s.agent.selected_path() == kPath);
  CHECK(s.agent.is_validated(kPath));
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.agent.stats().selected_remote->priority == 77);
  CHECK(s.sent().empty());
  // An authentic request of another user of ours is answered, and changes nothing.
  Forger::Ask stranger{.use_candidate = true, .priority = 0x7FFFFFFF};
  stranger.username = std::string(s.agent.local_ufrag()) + ":other";
  CHECK(s.receive(s.peer.request(s.agent, stranger), {kLocal, kRemote.with_port(1)}) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);
}

TEST_CASE("a controlled peer of a lite end is told that it must control", "[ICE-NOM-10][ICE-CHK-04]") {
  Lite s;
  for (const std::uint64_t tie_breaker : std::initializer_list<std::uint64_t>{0, 1, ~std::uint64_t{0}}) {
    CHECK(s.receive(s.peer.request(s.agent, {.controlling = false, .tie_breaker = tie_breaker})) ==
          Drop::IceRoleConflict);
    CHECK(error_of(s.answer()) == 487);
    CHECK_FALSE(s.agent.is_controlling());
  }
  Lite other(false);
  CHECK(other.agent.set_remote_credentials(other.now, other.peer.ufrag, other.peer.pwd, true).error() ==
        ErrorCode::NotSupported);
}

TEST_CASE("what the lite end lives by are the peer's checks; thirty seconds without end it",
          "[ICE-NOM-10][ICE-CONS-02]") {
  Lite s;
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  s.live(120s, true);
  CHECK(s.agent.state() == AgentState::Completed);
  s.live(12s, false);
  CHECK(s.agent.state() == AgentState::Completed);
  s.live(2s, false);
  CHECK(s.agent.state() == AgentState::Disconnected);
  s.live(1s, true);
  CHECK(s.agent.state() == AgentState::Completed);
  s.live(28s, false);
  CHECK(s.agent.state() == AgentState::Disconnected);
  s.live(2s, false);
  CHECK(s.agent.state() == AgentState::Failed);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.requests == 0);
}

TEST_CASE("the lite end follows a peer that nominates another pair when the first has fallen silent",
          "[ICE-NOM-02]") {
  Lite s;
  const Path other{kLocal, kRemote.with_port(6001)};
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true, .priority = 2000})) == Drop::None);
  s.now += 5s;
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true, .priority = 1000}), other) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);  // both answer, and this one ranks higher
  for (int i = 0; i < 9; ++i) {
    s.now += 1s;
    s.agent.handle_timeout(s.now);
    CHECK(s.receive(s.peer.request(s.agent, {}), other) == Drop::None);
  }
  CHECK(s.agent.selected_path() == other);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("a pair without consent checks is kept open by bare indications after 15 s of silence",
          "[ICE-CONS-08]") {
  Lite s;
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true})) == Drop::None);
  s.agent.on_data_sent(s.now);
  s.live(61s, true);
  REQUIRE(s.indications.size() == 4);
  Time last{};
  for (const auto& [at, bytes] : s.indications) {
    CHECK(at - last == 15s);
    last = at;
    const auto m = stun::Message::parse(bytes);
    CHECK(bytes.size() == 28);
    CHECK(stun::verify_fingerprint(*m));
    CHECK(stun::integrity_of(*m) == stun::Integrity::None);
  }
  s.indications.clear();
  for (int i = 0; i < 40; ++i) {  // data goes out: no indication
    s.live(1s, true);
    s.agent.on_data_sent(s.now);
  }
  CHECK(s.indications.empty());
  s.agent.close(s.now);
  CHECK(s.agent.next_timeout() == kNever);
  CHECK(s.sent().empty());
}

TEST_CASE("a full end and a lite one connect, by an aggressive peer too", "[ICE-NOM-10][ICE-NOM-04]") {
  test::Network net(5);
  Side full(3, {.controlling = false}), lite(4, kLite);
  net.join(full, lite);
  net.add(full, {addr("192.0.2.1", 5000)});
  net.add(lite, {addr("192.0.2.2", 6000)});
  full.agent->local_addresses_done(net.now);
  lite.agent->local_addresses_done(net.now);
  REQUIRE(
      full.agent->set_remote_credentials(net.now, lite.agent->local_ufrag(), lite.agent->local_pwd(), true));
  REQUIRE(
      lite.agent->set_remote_credentials(net.now, full.agent->local_ufrag(), full.agent->local_pwd(), false));
  REQUIRE(net.run_until(
      [&] { return full.state() == AgentState::Completed && lite.state() == AgentState::Completed; }, 5s));
  for (const auto& sent : lite.sent)
    CHECK(stun::Message::parse(sent.bytes)->message_class() == stun::Class::Success);
  net.run_for(300s);
  CHECK(full.state() == AgentState::Completed);
  CHECK(lite.state() == AgentState::Completed);
}

}  // namespace pollrtc::test
