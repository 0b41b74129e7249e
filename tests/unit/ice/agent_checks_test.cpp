// One agent and a peer made by hand: each rule of sending checks, and of understanding what answers them.
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

TEST_CASE("a check carries what it must, and nothing the controlled side may not say",
          "[ICE-CHK-03][ICE-CHK-24][STUN-19]") {
  const bool controlling = GENERATE(false, true);
  Solo s(controlling);
  REQUIRE(s.add_candidate(kRemote));
  const auto requests = s.requests_for(0ms);
  REQUIRE(requests.size() == 1);
  const auto m = stun::Message::parse(requests[0].second);
  CHECK(m->text(stun::Attribute::Username) == s.peer.ufrag + ":" + std::string(s.agent.local_ufrag()));
  CHECK(m->u32(stun::Attribute::Priority) == ice::candidate_priority(CandidateType::PeerReflexive, 65535));
  CHECK(m->has(stun::Attribute::IceControlling) == controlling);
  CHECK(m->has(stun::Attribute::IceControlled) == !controlling);
  CHECK_FALSE(m->has(stun::Attribute::UseCandidate));
  CHECK(m->integrity_sha256_at() == 0);
  CHECK(stun::verify_integrity(*m, stun::Integrity::Sha1, as_bytes(s.peer.pwd)));
  CHECK(stun::verify_fingerprint(*m));
  CHECK(requests[0].second.size() < stun::kMaxSent);
}

TEST_CASE("an unanswered check is repeated with the same bytes and fails at 39.5 s",
          "[STUN-07][STUN-12][ICE-CHK-22]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto requests = s.requests_for(39499ms);
  std::vector<std::int64_t> times;
  for (const auto& [at, bytes] : requests) {
    times.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
    CHECK(bytes == requests[0].second);
  }
  CHECK(times == std::vector<std::int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500});
  CHECK(s.agent.state() == AgentState::Checking);
  s.requests_for(1ms);
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("no Failed before patience is over, even with nothing to check", "[ICE-CHK-13][ICE-CHK-30]") {
  Solo s;
  s.agent.end_of_remote_candidates(s.now);
  s.requests_for(39499ms);
  CHECK(s.agent.state() == AgentState::Checking);
  s.requests_for(1ms);
  CHECK(s.agent.state() == AgentState::Failed);
  CHECK(s.agent.next_timeout() == kNever);
}

// Whoever asks for what is to be sent moves the time on as well, and what is due then still is.
TEST_CASE("the end of patience is not passed over by who polls first", "[ICE-CHK-30]") {
  Solo s;
  s.agent.end_of_remote_candidates(s.now);
  s.now += 39500ms + 5ms;
  CHECK(s.sent().empty());
  REQUIRE(s.agent.next_timeout() <= s.now);
  s.agent.handle_timeout(s.now);
  CHECK(s.agent.state() == AgentState::Failed);
  CHECK(s.agent.next_timeout() == kNever);
}

TEST_CASE("who has Failed answers no check, so that the other end does not take the pair for a good one",
          "[ICE-NOM-01]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  s.agent.end_of_remote_candidates(s.now);
  s.requests_for(40s);
  REQUIRE(s.agent.state() == AgentState::Failed);
  for (const bool use_candidate : {false, true})
    CHECK(s.receive(s.peer.request(s.agent, {.use_candidate = use_candidate})) == Drop::UnknownPath);
  CHECK(s.sent().empty());
}

TEST_CASE("no Failed while gathering goes on", "[ICE-CHK-30]") {
  Side side(3);
  Agent& agent = *side.agent;
  REQUIRE(agent.set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  REQUIRE(agent.add_local_address(Time{} + 30s, kLocal, false));
  agent.handle_timeout(Time{} + 50s);
  CHECK(agent.state() == AgentState::Checking);
  agent.local_addresses_done(Time{} + 51s);
  CHECK(agent.state() == AgentState::Failed);
}

TEST_CASE(
    "the answer to a check that was repeated measures no round trip: which copy it answers is unknown") {
  for (const bool is_repeated : {false, true}) {
    Solo s;
    REQUIRE(s.add_candidate(kRemote));
    s.agent.handle_timeout(s.now);
    const auto first = s.sent();
    REQUIRE(first.size() == 1);
    s.now += is_repeated ? 600ms : 60ms;
    s.agent.handle_timeout(s.now);
    CHECK(s.sent().size() == (is_repeated ? 1 : 0));
    REQUIRE(s.receive(s.peer.success(first[0].second, kLocal)) == Drop::None);
    REQUIRE(s.agent.selected_path());
    CHECK(s.agent.round_trip_time() == (is_repeated ? std::nullopt : std::optional<Duration>(60ms)));
  }
}

TEST_CASE("an answer without its fingerprint, or with a wrong one, is none", "[ICE-CHK-24]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  s.agent.handle_timeout(s.now);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 1);
  const ByteVector good = s.peer.success(sent[0].second, kLocal);
  ByteVector bare(200), wrong = good;
  stun::Writer w(bare, stun::Class::Success, stun::Message::parse(sent[0].second)->id());
  w.xor_address(stun::Attribute::XorMappedAddress, kLocal);
  w.integrity(as_bytes(s.peer.pwd));
  bare.resize(w.finish());
  wrong.back() ^= 1;
  for (const ByteVector* bad : {&bare, &wrong}) {
    CHECK(s.receive(*bad) == Drop::StunFingerprint);
    CHECK_FALSE(s.agent.selected_path());
  }
  CHECK(s.receive(good) == Drop::None);
  CHECK(s.agent.selected_path());
}

TEST_CASE("what a server says under a fingerprint that is wrong was not said", "[STUN-14]") {
  Side side(1);
  Agent& agent = *side.agent;
  const Address server = addr("198.51.100.1", 3478);
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  REQUIRE(agent.add_server(Time{}, server));
  agent.local_addresses_done(Time{});
  const auto sent = poll_all(agent, Time{});
  REQUIRE(sent.size() == 1);
  ByteVector answer(100);
  stun::Writer w(answer, stun::Class::Success, stun::Message::parse(sent[0].second)->id());
  w.xor_address(stun::Attribute::XorMappedAddress, addr("203.0.113.7", 7));
  w.fingerprint();
  answer.resize(w.finish());
  ByteVector wrong = answer;
  wrong.back() ^= 1;
  CHECK(agent.handle_datagram(Time{} + 1ms, {kLocal, server}, wrong) == Drop::StunFingerprint);
  CHECK_FALSE(agent.is_gathering_over());
  CHECK(agent.handle_datagram(Time{} + 1ms, {kLocal, server}, answer) == Drop::None);
  CHECK(agent.is_gathering_over());
}

TEST_CASE("an authentic 487 turns the role once, draws a new tie-breaker, and the pair is checked again",
          "[ICE-CHK-15]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote));
  REQUIRE(s.add_candidate(kRemote.with_port(6001), 1000, "2"));
  const auto requests = s.requests_for(50ms);
  REQUIRE(requests.size() == 2);
  CHECK(s.receive(s.peer.error(requests[0].second, 487, s.peer.pwd)) == Drop::None);
  CHECK_FALSE(s.agent.is_controlling());
  CHECK(s.receive(s.peer.error(requests[1].second, 487, s.peer.pwd), {kLocal, kRemote.with_port(6001)}) ==
        Drop::None);
  CHECK_FALSE(s.agent.is_controlling());
  const auto again = s.requests_for(100ms);
  REQUIRE(again.size() == 2);
  const auto old = stun::Message::parse(requests[0].second), fresh = stun::Message::parse(again[0].second);
  CHECK(fresh->has(stun::Attribute::IceControlled));
  CHECK(*fresh->u64(stun::Attribute::IceControlled) != *old->u64(stun::Attribute::IceControlling));
  CHECK(stun::Message::parse(again[1].second)->u64(stun::Attribute::IceControlled) ==
        fresh->u64(stun::Attribute::IceControlled));
}

TEST_CASE("a forged answer does nothing, and the transaction goes on", "[STUN-17][ICE-CHK-22][ATK-07]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(0ms).at(0).second;
  for (const int code : {300, 400, 401, 403, 487, 500}) {
    CHECK(s.receive(s.peer.error(first, code, "")) == Drop::StunIntegrity);
    CHECK(s.receive(s.peer.error(first, code, "guess")) == Drop::StunIntegrity);
  }
  Forger liar = s.peer;
  liar.pwd = "guess";
  CHECK(s.receive(liar.success(first, kLocal)) == Drop::StunIntegrity);
  CHECK(s.agent.is_controlling());
  CHECK(s.agent.state() == AgentState::Checking);
  const auto more = s.requests_for(500ms);
  REQUIRE(more.size() == 1);
  CHECK(more[0].second == first);
  s.requests_for(39s);
  CHECK(std::any_of(
      s.side.environment.log_lines.begin(), s.side.environment.log_lines.end(),
      [](const std::string& line) { return line.find("integrity violated") != std::string::npos; }));
}

TEST_CASE("a success protected by another algorithm than the check is a forgery", "[STUN-17]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto request = s.requests_for(0ms).at(0).second;
  ByteVector bytes(200);
  stun::Writer w(bytes, stun::Class::Success, stun::Message::parse(request)->id());
  w.xor_address(stun::Attribute::XorMappedAddress, kLocal);
  w.integrity_sha256(as_bytes(s.peer.pwd));
  w.fingerprint();
  bytes.resize(w.finish());
  CHECK(s.receive(bytes) == Drop::StunIntegrity);
  CHECK(s.receive(s.peer.success(request, kLocal)) == Drop::None);
  CHECK(s.receive(s.peer.success(request, kLocal)) == Drop::StunNoTransaction);  // STUN-08
}

TEST_CASE("an authentic error ends the check: 300 is not followed, 400 fails the pair",
          "[ICE-CHK-22][ICE-CHK-27]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto request = s.requests_for(0ms).at(0).second;
  CHECK(s.receive(s.peer.error(request, GENERATE(300, 400, 500), s.peer.pwd)) == Drop::None);
  CHECK(s.requests_for(39s).empty());
  s.requests_for(1s);
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("an authentic success from elsewhere fails the pair", "[ICE-CHK-05]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto request = s.requests_for(0ms).at(0).second;
  const Path elsewhere{kLocal, addr("203.0.113.66", 6000)};
  Forger liar = s.peer;
  liar.pwd = "guess";
  CHECK(s.receive(liar.success(request, kLocal), elsewhere) == Drop::StunIntegrity);
  CHECK(s.receive(s.peer.success(request, kLocal), elsewhere) == Drop::StunWrongSource);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.requests_for(5s).empty());
}

TEST_CASE("an unknown required attribute in an authentic success ends the transaction", "[STUN-05]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto request = s.requests_for(0ms).at(0).second;
  const auto with_unknown = [&](std::string_view key) {
    ByteVector bytes(200);
    stun::Writer w(bytes, stun::Class::Success, stun::Message::parse(request)->id());
    w.xor_address(stun::Attribute::XorMappedAddress, kLocal);
    w.u32(static_cast<stun::Attribute>(0x7777), 0);
    w.integrity(as_bytes(key));
    w.fingerprint();
    bytes.resize(w.finish());
    return bytes;
  };
  CHECK(s.receive(with_unknown("guess")) == Drop::StunIntegrity);
  CHECK(s.receive(with_unknown(s.peer.pwd)) == Drop::StunUnknownAttribute);
  CHECK(s.requests_for(30s).empty());
  CHECK_FALSE(s.agent.selected_path());
}

TEST_CASE("in checks MAPPED-ADDRESS does not count", "[STUN-24]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto request = s.requests_for(0ms).at(0).second;
  ByteVector bytes(200);
  stun::Writer w(bytes, stun::Class::Success, stun::Message::parse(request)->id());
  w.address(stun::Attribute::MappedAddress, kLocal);
  w.integrity(as_bytes(s.peer.pwd));
  w.fingerprint();
  bytes.resize(w.finish());
  CHECK(s.receive(bytes) == Drop::StunMalformed);
  CHECK_FALSE(s.agent.selected_path());
}

TEST_CASE("a request during our check: no more copies of it, a new check, and the late answer counts",
          "[ICE-CHK-07]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(100ms).at(0).second;
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::None);
  const auto later = s.requests_for(480ms);
  REQUIRE(later.size() == 1);  // at once, and its copy is not due yet; the old one is not repeated at 500 ms
  CHECK(later[0].second != first);
  CHECK(s.receive(s.peer.success(first, kLocal)) == Drop::None);
  CHECK(s.agent.selected_path() == kPath);
  CHECK(s.requests_for(3s).empty());
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::None);  // Succeeded: nothing further
  CHECK(s.requests_for(100ms).empty());
}

TEST_CASE("a request on a failed pair has it checked again", "[ICE-CHK-07]") {
  Solo s;
  REQUIRE(s.add_candidate(kRemote));
  const auto first = s.requests_for(0ms).at(0).second;
  CHECK(s.receive(s.peer.error(first, 400, s.peer.pwd)) == Drop::None);
  CHECK(s.requests_for(1s).empty());
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::None);
  CHECK(s.requests_for(0ms).size() == 1);
}

TEST_CASE("never two new transactions within Ta, and a triggered check first", "[ICE-CHK-02]") {
  Solo s;
  for (std::uint16_t i = 0; i < 10; ++i)
    REQUIRE(s.add_candidate(kRemote.with_port(static_cast<std::uint16_t>(7000 + i)), 1000u + i,
                            std::to_string(i)));
  std::vector<Time> starts;
  std::set<ByteVector> seen;
  for (int i = 0; i < 20; ++i) {
    if (i == 3) {
      s.receive(s.peer.request(s.agent, {}), {kLocal, addr("203.0.113.4", 4)});
    }
    for (const auto& [at, bytes] : s.requests_for(25ms))
      if (seen.insert(bytes).second) starts.push_back(at);
  }
  REQUIRE(starts.size() >= 9);
  for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] - starts[i - 1] >= 50ms);
}

TEST_CASE("the RTO of a check grows with the checks that wait, from 500 ms to 2 s", "[ICE-CHK-17]") {
  const auto [count, rto] = GENERATE(std::pair{5, 500ms}, std::pair{30, 1500ms}, std::pair{60, 2000ms});
  Solo s;
  for (int i = count; i-- > 0;)
    REQUIRE(s.add_candidate(kRemote.with_port(static_cast<std::uint16_t>(7000 + i)),
                            1000u + static_cast<unsigned>(i), std::to_string(i)));
  // The first began when it was alone; the second knows of all the others.
  const auto requests = s.requests_for(5s);
  const ByteVector& second = requests.at(1).second;
  std::vector<Time> copies;
  for (const auto& [at, bytes] : requests)
    if (bytes == second) copies.push_back(at);
  REQUIRE(copies.size() >= 2);
  CHECK(copies[1] - copies[0] == rto);
}

TEST_CASE("transactions under way: one below, at, and above their limit", "[lim.stun.pending]") {
  Limits limits;
  limits.stun_pending = GENERATE(std::uint16_t{3}, std::uint16_t{4}, std::uint16_t{5});
  Solo s(false, true, limits);
  for (std::uint16_t i = 0; i < 4; ++i)
    REQUIRE(s.add_candidate(kRemote.with_port(static_cast<std::uint16_t>(7000 + i)), 1000u + i,
                            std::to_string(i)));
  std::set<ByteVector> different;
  for (const auto& [at, bytes] : s.requests_for(3s)) different.insert(bytes);
  CHECK(different.size() == std::min<std::size_t>(4, limits.stun_pending));
}

TEST_CASE(
    "a check that was refused has failed, with an error code or without one; the peer's own check has it "
    "tried again",
    "[ICE-CHK-22][STUN-25]") {
  for (const bool has_code : {true, false}) {
    INFO("an error code: " << has_code);
    Solo s(true);
    REQUIRE(s.add_candidate(kRemote));
    const auto sent = s.requests_for(100ms);
    REQUIRE(sent.size() == 1);
    ByteVector refusal = s.peer.error(sent[0].second, 400, s.peer.pwd);
    if (!has_code) {
      refusal.resize(200);
      stun::Writer w(refusal, stun::Class::Error, stun::Message::parse(sent[0].second)->id());
      w.integrity(as_bytes(s.peer.pwd));
      w.fingerprint();
      refusal.resize(w.finish());
    }
    (void)s.receive(refusal);
    CHECK(s.requests_for(10s).empty());  // at once, and for good
    CHECK(s.agent.stats().valid_pairs == 0);
    CHECK(s.receive(s.peer.request(s.agent, {.controlling = false})) == Drop::None);
    CHECK(s.requests_for(200ms).size() == 1);
  }
}

TEST_CASE("an answer to nothing that was asked is dropped", "[STUN-06]") {
  Solo s(true);
  REQUIRE(s.add_candidate(kRemote));
  const auto sent = s.requests_for(100ms);
  REQUIRE(sent.size() == 1);
  ByteVector never_asked = sent[0].second;
  never_asked[12] ^= 1;
  CHECK(s.receive(s.peer.success(never_asked, kLocal)) == Drop::StunNoTransaction);
  CHECK(s.agent.stats().valid_pairs == 0);
  const ByteVector answer = s.peer.success(sent[0].second, kLocal);
  CHECK(s.receive(answer) == Drop::None);
  CHECK(s.receive(answer) == Drop::StunNoTransaction);  // that one is answered
}

}  // namespace pollrtc::test
