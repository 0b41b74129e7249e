// What changes while an agent lives: its sockets, the peer's address, the network's errors; and what must not change.
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {
namespace {

const Address kOther = kRemote.with_port(6001);
const Path kOtherPath{kLocal, kOther};

// Controlled, its one pair nominated at time 0.
struct Completed : Solo {
  Completed() : Solo(false) {
    validate();
    REQUIRE(receive(peer.request(agent, {.use_candidate = true})) == Drop::None);
    REQUIRE(agent.state() == AgentState::Completed);
    sent();
    poll_events(agent);
  }
  // Time passes; requests on paths that `answers` names are answered.
  void live(Duration duration, const std::vector<Path>& answers) {
    Solo::live(duration, [&] {
      for (auto& [path, bytes] : sent()) {
        if (!is_request(bytes)) continue;
        asked.push_back(path);
        if (std::find(answers.begin(), answers.end(), path) != answers.end())
          CHECK(receive(peer.success(bytes, kLocal), path) == Drop::None);
      }
    });
  }
  std::vector<Path> asked;  // where requests went
};

std::vector<std::uint8_t> id_of(Bytes bytes) { return to_vector(bytes.subspan(8, 12)); }

}  // namespace

TEST_CASE("a hard ICMP error fails the check it quotes, and nothing else", "[ICE-CHK-21]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(kOther, 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  const ByteVector &first = requests[0].second, &second = requests[1].second;
  // Of another path, cut short, of another transaction, no STUN at all: nothing.
  s.agent.handle_icmp_error(s.now, kOtherPath, first);
  s.agent.handle_icmp_error(s.now, {kLocal.with_port(1), kRemote}, first);
  s.agent.handle_icmp_error(s.now, kPath, Bytes(first).first(19));
  s.agent.handle_icmp_error(s.now, kPath, {});
  ByteVector foreign = first;
  foreign[12] ^= 1;
  s.agent.handle_icmp_error(s.now, kPath, foreign);
  foreign = first;
  foreign[4] ^= 1;
  s.agent.handle_icmp_error(s.now, kPath, foreign);
  s.agent.handle_icmp_error(s.now, kOtherPath, Bytes(second).first(20));
  const auto later = s.requests_for(1s);
  REQUIRE(later.size() == 1);  // the first is repeated, the second is not
  CHECK(later[0].second == first);
  CHECK(s.receive(s.peer.success(second, kLocal), kOtherPath) == Drop::StunNoTransaction);
  CHECK(s.receive(s.peer.success(first, kLocal)) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);
}

TEST_CASE("an ICMP error touches neither the selected pair nor a check that only awaits its late answer",
          "[ICE-CHK-21]") {
  Completed s;
  const auto consent = s.requests_for(7s);
  REQUIRE(consent.size() >= 1);
  s.agent.handle_icmp_error(s.now, kPath, consent[0].second);
  CHECK(s.agent.selected_path() == kPath);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.receive(s.peer.success(consent[0].second, kLocal)) == Drop::None);

  Solo triggered;
  REQUIRE(triggered.add_candidate(kRemote));
  const auto first = triggered.requests_for(100ms).at(0).second;
  CHECK(triggered.receive(triggered.peer.request(triggered.agent, {})) == Drop::None);
  triggered.agent.handle_icmp_error(triggered.now, kPath, first);
  CHECK(triggered.receive(triggered.peer.success(first, kLocal)) == Drop::None);
  CHECK(triggered.agent.selected_path() == kPath);
}

TEST_CASE("a nomination that ICMP says is lost is still awaited", "[ICE-CHK-21]") {
  Solo s(true);
  s.validate();
  const auto nomination = s.requests_for(60ms);
  REQUIRE(nomination.size() == 1);
  s.agent.handle_icmp_error(s.now, kPath, nomination[0].second);
  CHECK(s.receive(s.peer.success(nomination[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("a question to a server ends with a hard ICMP error", "[STUN-31]") {
  Side side(1);
  Agent& agent = *side.agent;
  const Address server = addr("198.51.100.1", 3478);
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.add_server(Time{}, server));
  agent.local_addresses_done(Time{});
  const auto sent = poll_all(agent, Time{});
  REQUIRE(sent.size() == 1);
  agent.handle_icmp_error(Time{} + 1ms, {kLocal, addr("198.51.100.2", 3478)}, sent[0].second);
  CHECK_FALSE(agent.is_gathering_over());
  agent.handle_icmp_error(Time{} + 1ms, {kLocal, server}, sent[0].second);
  CHECK(agent.is_gathering_over());
  CHECK(poll_all(agent, Time{} + 5s).empty());
}

TEST_CASE("once gathering is over, a mapping that changed is no new candidate", "[ICE-GATH-13]") {
  Side side(1);
  Agent& agent = *side.agent;
  const Address server = addr("198.51.100.1", 3478);
  Time now{};
  REQUIRE(agent.add_local_address(now, kLocal, false));
  REQUIRE(agent.add_server(now, server));
  agent.local_addresses_done(now);
  int questions = 0, candidates = 0;
  for (; now < Time{} + 60s; now += 100ms) {
    agent.handle_timeout(now);
    for (const auto& [path, bytes] : poll_all(agent, now)) {
      ByteVector answer(100);
      stun::Writer w(answer, stun::Class::Success, stun::Message::parse(bytes)->id());
      w.xor_address(stun::Attribute::XorMappedAddress,
                    addr("203.0.113.7", static_cast<std::uint16_t>(1000 + questions++)));
      answer.resize(w.finish());
      CHECK(agent.handle_datagram(now, {kLocal, server}, answer) == Drop::None);
    }
    for (const auto& event : poll_events(agent))
      candidates += std::holds_alternative<Agent::LocalCandidate>(event) ? 1 : 0;
  }
  CHECK(questions > 1);
  CHECK(candidates == 2);
}

TEST_CASE("nobody is nominated twice: a better pair that comes later changes nothing",
          "[ICE-RST-07][ICE-NOM-01]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote, 1000, "1"));
  const auto first = s.requests_for(0ms).at(0).second;
  REQUIRE(s.add_candidate(kOther, 2000, "2"));
  const auto better = s.requests_for(60ms).at(0).second;
  CHECK(s.receive(s.peer.success(first, kLocal)) == Drop::None);
  const auto nomination = s.requests_for(300ms);
  REQUIRE(nomination.size() == 1);
  CHECK(stun::Message::parse(nomination[0].second)->has(stun::Attribute::UseCandidate));
  CHECK(s.receive(s.peer.success(nomination[0].second, kLocal)) == Drop::None);
  CHECK(s.receive(s.peer.success(better, kLocal), kOtherPath) == Drop::None);
  CHECK(s.agent.is_validated(kOtherPath));
  CHECK(s.agent.selected_path() == kPath);
  for (int i = 0; i < 10; ++i)
    for (const auto& [at, bytes] : s.requests_for(3s)) {
      CHECK_FALSE(stun::Message::parse(bytes)->has(stun::Attribute::UseCandidate));
      CHECK(s.receive(s.peer.success(bytes, kLocal)) == Drop::None);
    }
  CHECK(s.agent.selected_path() == kPath);
}

TEST_CASE(
    "data goes on any valid pair before the nomination, on the nominated one after it, and is taken on all",
    "[ICE-NOM-08]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(kOther, 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.receive(s.peer.success(requests[1].second, kLocal), kOtherPath) == Drop::None);
  CHECK(s.agent.selected_path() == kOtherPath);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);  // the better one
  CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = true}), kOtherPath) == Drop::None);
  CHECK(s.agent.selected_path() == kOtherPath);
  CHECK(s.agent.is_validated(kPath));
  CHECK(s.agent.is_validated(kOtherPath));
  // With its consent gone, data does not fall back to a pair that was not nominated.
  for (int i = 0; i < 3 && s.agent.selected_path(); ++i)
    for (const auto& [at, bytes] : s.requests_for(7s))
      s.receive(s.peer.error(bytes, 403, s.peer.pwd), kOtherPath);
  CHECK_FALSE(s.agent.selected_path());
}

TEST_CASE("a count of nominations is heeded, and a malformed one is nothing", "[ICE-NOM-03][ICE-RST-07]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote, 2000, "1"));
  REQUIRE(s.add_candidate(kOther, 1000, "2"));
  for (const auto& [at, bytes] : s.requests_for(50ms))
    CHECK(s.receive(s.peer.success(bytes, kLocal), at == Time{} ? kPath : kOtherPath) == Drop::None);
  const auto nominate = [&](const Path& path, Bytes nomination, bool use_candidate) {
    ByteVector bytes(300);
    stun::Writer w(bytes, stun::Class::Request, s.peer.next_id());
    w.text(stun::Attribute::Username, std::string(s.agent.local_ufrag()) + ":" + s.peer.ufrag);
    w.u32(stun::Attribute::Priority, 1);
    w.u64(stun::Attribute::IceControlling, 1);
    if (use_candidate) w.flag(stun::Attribute::UseCandidate);
    w.value(stun::Attribute::Nomination, nomination);
    w.integrity(as_bytes(s.agent.local_pwd()));
    w.fingerprint();
    bytes.resize(w.finish());
    CHECK(s.receive(bytes, path) == Drop::None);
    CHECK(error_of(s.answer()) == -1);
  };
  nominate(kOtherPath, hex("00000009"), false);  // without USE-CANDIDATE it nominates nothing
  CHECK(s.agent.state() == AgentState::Connected);
  nominate(kPath, hex("00000001"), true);
  CHECK(s.agent.selected_path() == kPath);
  for (const auto* malformed : {"", "ff", "ffffff", "ffffffffff"}) {
    nominate(kOtherPath, hex(malformed), true);
    CHECK(s.agent.selected_path() ==
          (s.agent.stats().selected_remote->address == kRemote ? kPath : kOtherPath));
  }
  nominate(kOtherPath, hex("00000002"), true);  // lower in priority, but later in count
  CHECK(s.agent.selected_path() == kOtherPath);
  nominate(kPath, hex("0000000a"), true);
  CHECK(s.agent.selected_path() == kPath);
}

TEST_CASE("a peer whose NAT gave it another address is followed once the old one is silent", "[ICE-NAT-03]") {
  Completed s;
  s.live(20s, {kPath});
  CHECK(s.agent.state() == AgentState::Completed);
  // While the pair answers, a plain check from elsewhere gets its answer and nothing more.
  CHECK(s.receive(s.peer.request(s.agent, {}), kOtherPath) == Drop::None);
  s.asked.clear();
  s.live(100ms, {kPath, kOtherPath});
  CHECK(s.asked.empty());
  // From now on the peer is seen at the other address alone; it checks every 5 s.
  const Time gone = s.now;
  std::optional<Time> moved;
  for (int i = 0; i < 300 && !moved; ++i) {
    if (i % 50 == 0) CHECK(s.receive(s.peer.request(s.agent, {}), kOtherPath) == Drop::None);
    s.live(100ms, {kOtherPath});
    if (s.agent.selected_path() == kOtherPath) moved = s.now;
  }
  REQUIRE(moved);
  CHECK(*moved - gone > 4s);
  CHECK(*moved - gone < 20s);
  CHECK(s.agent.state() == AgentState::Completed);
  s.live(60s, {kOtherPath});
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.agent.selected_path() == kOtherPath);
}

TEST_CASE("an address that only checks and never answers moves nothing", "[ICE-NAT-03][ATK-05]") {
  Completed s;
  for (int i = 0; i < 100; ++i) {
    if (i % 5 == 0) s.receive(s.peer.request(s.agent, {}), kOtherPath);
    s.live(290ms, {});
    CHECK(s.agent.selected_path() == kPath);
    CHECK_FALSE(s.agent.is_validated(kOtherPath));
  }
  s.live(2s, {});
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("a socket that goes takes its pairs with it: Disconnected, no data, Failed with the end of consent",
          "[ICE-NAT-04]") {
  Completed s;
  CHECK(s.agent.remove_local_address(s.now, kLocal.with_port(1)).error() == ErrorCode::NotFound);
  s.live(12s, {kPath});
  REQUIRE(s.agent.remove_local_address(s.now, kLocal));
  CHECK(s.agent.state() == AgentState::Disconnected);
  CHECK_FALSE(s.agent.selected_path());
  CHECK_FALSE(s.agent.is_validated(kPath));
  s.asked.clear();
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::UnknownPath);
  s.live(20s, {});
  CHECK(s.asked.empty());
  CHECK(s.agent.state() == AgentState::Disconnected);
  s.live(10s, {});
  CHECK(s.agent.state() == AgentState::Failed);
  CHECK(s.agent.remove_local_address(s.now, kLocal).error() == ErrorCode::NotFound);
}

TEST_CASE("a socket that goes while there are others: the rest goes on, and new addresses join the gathering",
          "[ICE-NAT-04]") {
  Side side(3);
  Agent& agent = *side.agent;
  Forger peer;
  Time now{};
  const Address second = addr("192.0.2.7", 5000), late = addr("192.0.2.8", 5000);
  REQUIRE(agent.add_local_address(now, kLocal, false));
  REQUIRE(agent.add_local_address(now, second, false));
  REQUIRE(agent.add_server(now, addr("198.51.100.1", 3478)));
  CHECK(poll_events(agent).size() == 2);
  REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
  Candidate c;
  c.address = kRemote;
  c.priority = 1;
  REQUIRE(agent.add_remote_candidate(now, c));
  poll_all(agent, now);
  REQUIRE(agent.remove_local_address(now, kLocal));
  REQUIRE(agent.add_local_address(now, late, false));
  const auto events = poll_events(agent);
  CHECK(std::any_of(events.begin(), events.end(), [&](const Agent::Event& event) {
    const auto* local = std::get_if<Agent::LocalCandidate>(&event);
    return local != nullptr && local->candidate.address == late;
  }));
  std::set<Address> from;
  for (int i = 0; i < 40; ++i) {
    for (const auto& [path, bytes] : poll_all(agent, now)) from.insert(path.local);
    now += 50ms;
    agent.handle_timeout(now);
  }
  CHECK(from == std::set{second, late});
  // The first address again, with the same port: gathering is not over, so it counts as new.
  REQUIRE(agent.add_local_address(now, kLocal, false));
  CHECK(agent.add_local_address(now, kLocal, false).error() == ErrorCode::AlreadyExists);
}

TEST_CASE("a candidate answers checks as soon as it is signalled, and for as long as the generation lives",
          "[ICE-GATH-11][ICE-CHK-28]") {
  Side side(3);
  Agent& agent = *side.agent;
  Forger peer;
  const Address second = addr("192.0.2.7", 5000);
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.add_local_address(Time{}, second, false));
  poll_events(agent);
  Time now{};
  const auto is_answered = [&](const Path& path, bool use_candidate = false) {
    CHECK(agent.handle_datagram(now, path, peer.request(agent, {.use_candidate = use_candidate})) ==
          Drop::None);
    bool answered = false;
    for (auto& [out, bytes] : poll_all(agent, now)) {
      if (is_request(bytes)) agent.handle_datagram(now, out, peer.success(bytes, out.local));
      if (!is_request(bytes) && out == path)
        answered = stun::Message::parse(bytes)->message_class() == stun::Class::Success;
    }
    return answered;
  };
  CHECK(is_answered(kPath));  // nothing is known of the peer yet
  REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
  now += 50ms;
  CHECK(is_answered(kPath, true));
  CHECK(agent.state() == AgentState::Completed);
  for (int i = 0; i < 10; ++i) {  // 8445 §8.3.1 asks for three seconds; ours stay for good
    now += 2s;
    agent.handle_timeout(now);
    CHECK(is_answered({second, kRemote}));
    CHECK(is_answered(kPath));
    CHECK(is_answered({second, addr("203.0.113.3", 99)}));
  }
  CHECK(agent.selected_path() == kPath);
}

TEST_CASE("after the nomination no candidate is signalled any more, and the end of them once",
          "[ICE-GATH-13][ICE-GATH-14]") {
  Side side(3);
  Agent& agent = *side.agent;
  Forger peer;
  const Address server = addr("198.51.100.1", 3478), silent = addr("198.51.100.2", 3478);
  Time now{};
  REQUIRE(agent.add_local_address(now, kLocal, false));
  REQUIRE(agent.add_server(now, server));
  REQUIRE(agent.add_server(now, silent));
  poll_events(agent);
  const auto question = poll_all(agent, now);
  REQUIRE(question.size() == 1);
  REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
  CHECK(agent.handle_datagram(now, kPath, peer.request(agent, {.use_candidate = true})) == Drop::None);
  for (int i = 0; i < 3; ++i) {
    now += 50ms;
    agent.handle_timeout(now);
    for (auto& [path, bytes] : poll_all(agent, now))
      if (is_request(bytes) && path == kPath)
        CHECK(agent.handle_datagram(now, path, peer.success(bytes, kLocal)) == Drop::None);
  }
  REQUIRE(agent.state() == AgentState::Completed);
  REQUIRE(agent.add_local_address(now, addr("192.0.2.9", 5000), false));
  ByteVector answer(200);
  stun::Writer w(answer, stun::Class::Success, stun::Message::parse(question[0].second)->id());
  w.xor_address(stun::Attribute::XorMappedAddress, addr("203.0.113.1", 77));
  answer.resize(w.finish());
  CHECK(agent.handle_datagram(now, {kLocal, server}, answer) == Drop::None);
  agent.local_addresses_done(now);
  int ends = 0;
  for (int i = 0; i < 60; ++i) {
    now += 1s;
    agent.handle_timeout(now);
    poll_all(agent, now);
    for (const auto& event : poll_events(agent)) {
      CHECK_FALSE(std::holds_alternative<Agent::LocalCandidate>(event));
      ends += std::holds_alternative<Agent::GatheringDone>(event);
    }
  }
  CHECK(ends == 1);
  CHECK(agent.add_local_address(now, addr("192.0.2.10", 5000), false).error() == ErrorCode::InvalidState);
}

TEST_CASE("all agents of a process begin no more than one transaction in 5 ms", "[ICE-CHK-14]") {
  Pacer pacer;
  std::vector<std::unique_ptr<TestEnvironment>> environments;
  std::vector<std::unique_ptr<Agent>> agents;
  const bool shared = GENERATE(true, false);
  for (std::uint64_t i = 0; i < 40; ++i) {
    environments.push_back(std::make_unique<TestEnvironment>(i + 1));
    if (shared) environments.back()->env.pacer = &pacer;
    agents.push_back(std::make_unique<Agent>(environments.back()->env, ice::AgentConfig{}));
    Agent& agent = *agents.back();
    REQUIRE(agent.start(Time{}));
    REQUIRE(agent.add_local_address(Time{}, kLocal.with_port(static_cast<std::uint16_t>(5000 + i)), false));
    if (i % 2 == 0) REQUIRE(agent.add_server(Time{}, addr("198.51.100.1", 3478)));
    poll_events(agent);
    REQUIRE(agent.set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
    for (std::uint16_t k = 0; k < 3; ++k) {
      Candidate c;
      c.address = kRemote.with_port(static_cast<std::uint16_t>(6000 + k));
      c.priority = 1u + k;
      c.foundation = *FixedString<32>::from(std::to_string(k));
      REQUIRE(agent.add_remote_candidate(Time{}, c));
    }
  }
  std::vector<Time> starts;
  std::set<std::vector<std::uint8_t>> seen;
  for (Time now{}; now < Time{} + 2s;) {
    Time next = kNever;
    for (auto& agent : agents) {
      if (agent->next_timeout() <= now) {
        agent->handle_timeout(now);
        CHECK(agent->next_timeout() > now);
      }
      for (const auto& [path, bytes] : poll_all(*agent, now))
        if (seen.insert(id_of(bytes)).second) starts.push_back(now);
      next = std::min(next, agent->next_timeout());
    }
    now = std::max(next, now + 1us);
  }
  CHECK(starts.size() == 40 * 3 + 20);  // everybody gets through
  Duration least = 1s;
  for (std::size_t i = 1; i < starts.size(); ++i) least = std::min(least, starts[i] - starts[i - 1]);
  CHECK((least >= 5ms) == shared);
}

TEST_CASE("consent does not wait for the checks of others", "[ICE-CHK-14][ICE-CONS-01]") {
  Completed s;
  Pacer busy;
  s.side.environment.env.pacer = &busy;
  busy.on_begin(s.now + 1h);
  s.live(60s, {kPath});
  CHECK(s.asked.size() >= 9);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("the larger Ta of both ends paces", "[ICE-CHK-18]") {
  const auto [ours, theirs, expected] =
      GENERATE(std::tuple(50ms, 50ms, 50ms), std::tuple(20ms, 50ms, 50ms), std::tuple(50ms, 120ms, 120ms),
               std::tuple(200ms, 50ms, 200ms));
  Solo s(ice::AgentConfig{.ta = ours}, false);
  s.agent.set_remote_pacing(s.now, theirs);
  s.know_peer();
  for (std::uint16_t i = 0; i < 5; ++i)
    REQUIRE(s.add_candidate(kRemote.with_port(static_cast<std::uint16_t>(7000 + i)), 1000u + i,
                            std::to_string(i)));
  std::vector<Time> starts;
  std::set<std::vector<std::uint8_t>> seen;
  for (const auto& [at, bytes] : s.requests_for(2s))
    if (seen.insert(id_of(bytes)).second) starts.push_back(at);
  REQUIRE(starts.size() == 5);
  for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] - starts[i - 1] == expected);
}

TEST_CASE("consent begins with the success of a pair, and what is not sent on needs none", "[ICE-CONS-05]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(10s);  // no answer yet: the same check, again and again
  CHECK(s.agent.stats().consent_checks_sent == 0);
  CHECK_FALSE(s.agent.is_validated(kPath));
  CHECK(s.receive(s.peer.request(s.agent, {.controlling = false})) ==
        Drop::None);  // theirs is no consent to us
  CHECK_FALSE(s.agent.is_validated(kPath));
  CHECK(s.receive(s.peer.success(first[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.is_validated(kPath));
  const Time begin = s.now;
  std::optional<Time> consent;
  while (!consent) {
    s.now = s.agent.next_timeout();
    s.agent.handle_timeout(s.now);
    for (auto& [path, bytes] : s.sent()) {
      if (!is_request(bytes)) continue;
      CHECK(s.receive(s.peer.success(bytes, kLocal)) == Drop::None);
      if (s.agent.stats().consent_checks_sent != 0) consent = s.now;
    }
  }
  CHECK(*consent - begin >= 4s);
  CHECK(*consent - begin <= 6s);
}

TEST_CASE("no transaction id is to be seen from outside", "[ICE-CONS-09]") {
  Completed s;
  s.side.environment.env.log.level = LogLevel::Trace;
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i)
    for (const auto& [at, bytes] : s.requests_for(5s)) {
      ids.push_back(to_hex(Bytes(bytes).subspan(8, 12)));
      s.receive(s.peer.success(bytes, kLocal));
    }
  REQUIRE(ids.size() >= 4);
  for (const std::string& line : s.side.environment.log_lines)
    for (const std::string& id : ids) CHECK(line.find(id) == std::string::npos);
  // Events and statistics carry addresses, candidates, states and counts; nothing can name an id to a call either.
  static_assert(
      std::is_same_v<Agent::Event, std::variant<std::monostate, Agent::LocalCandidate, Agent::GatheringDone,
                                                Agent::StateChanged, Agent::PairSelected>>);
}

}  // namespace pollrtc::test
