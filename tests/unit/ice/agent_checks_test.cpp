// One agent and a peer made by hand: each rule of sending, answering and understanding checks.
#include <map>
#include "solo.h"

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

TEST_CASE("requests that lack something, or are someone else's",
          "[STUN-10][STUN-14][STUN-16][ICE-CHK-10][ICE-CHK-16]") {
  Solo s;
  Forger::Ask ask;
  SECTION("unknown ufrag: 401") {
    ask.username = "nobody:peer";
    CHECK(s.receive(s.peer.request(s.agent, ask)) == Drop::StunUnknownUser);
  }
  SECTION("no colon: 401") {
    ask.username = std::string(s.agent.local_ufrag());
    CHECK(s.receive(s.peer.request(s.agent, ask)) == Drop::StunUnknownUser);
  }
  SECTION("wrong password: 401") {
    ask.key = "wrong";
    CHECK(s.receive(s.peer.request(s.agent, ask)) == Drop::StunIntegrity);
  }
  const auto answer = s.answer();
  REQUIRE(answer);
  CHECK(error_of(answer) == 401);
  const auto m = stun::Message::parse(*answer);
  CHECK(stun::integrity_of(*m) == stun::Integrity::None);
  CHECK_FALSE(m->has(stun::Attribute::Username));
  CHECK(stun::verify_fingerprint(*m));
  CHECK(s.agent.stats().remote_candidates == 0);
  CHECK(s.agent.stats().pairs == 0);
}

TEST_CASE("unknown required attributes of an authentic request are listed in a 420", "[STUN-05][STUN-14]") {
  Solo s;
  ByteVector bytes(300);
  stun::Writer w(bytes, stun::Class::Request, s.peer.next_id());
  w.text(stun::Attribute::Username, std::string(s.agent.local_ufrag()) + ":peer");
  w.u32(static_cast<stun::Attribute>(0x7777), 1);
  w.u32(static_cast<stun::Attribute>(0xF777), 1);
  w.u32(static_cast<stun::Attribute>(0x0777), 1);
  const bool is_authentic = GENERATE(true, false);
  w.integrity(as_bytes(is_authentic ? s.agent.local_pwd() : "wrong"));
  w.fingerprint();
  bytes.resize(w.finish());
  s.receive(bytes);
  const auto answer = s.answer();
  if (!is_authentic) {
    CHECK(error_of(answer) == 401);
    return;
  }
  CHECK(error_of(answer) == 420);
  const auto m = stun::Message::parse(*answer);
  CHECK(to_hex(*m->value_of(stun::Attribute::UnknownAttributes)) == "77770777");
  CHECK(stun::verify_integrity(*m, stun::Integrity::Sha1, as_bytes(s.agent.local_pwd())));
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

TEST_CASE("a request without its fingerprint, or to no socket of ours, is not answered", "[ICE-CHK-24]") {
  Solo s;
  Forger::Ask ask;
  ask.with_fingerprint = false;
  CHECK(s.receive(s.peer.request(s.agent, ask)) == Drop::StunFingerprint);
  ask.with_fingerprint = true;
  CHECK(s.receive(s.peer.request(s.agent, ask), {addr("192.0.2.77", 1), kRemote}) == Drop::UnknownPath);
  CHECK(s.sent().empty());
  CHECK(s.agent.drops()[Drop::StunFingerprint] == 1);
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

TEST_CASE("roles, priority: both, none or missing is a 400", "[ICE-CHK-31]") {
  Solo s;
  const int kind = GENERATE(0, 1, 2, 3);
  ByteVector bytes(300);
  stun::Writer w(bytes, stun::Class::Request, s.peer.next_id());
  w.text(stun::Attribute::Username, std::string(s.agent.local_ufrag()) + ":peer");
  if (kind != 0) w.u32(stun::Attribute::Priority, 1);
  if (kind != 1) w.u64(stun::Attribute::IceControlling, 1);
  if (kind == 2) w.u64(stun::Attribute::IceControlled, 1);
  if (kind == 3) w.u32(stun::Attribute::UseCandidate, 1);  // with a value: taken
  w.integrity(as_bytes(s.agent.local_pwd()));
  w.fingerprint();
  bytes.resize(w.finish());
  CHECK(s.receive(bytes) == (kind == 3 ? Drop::None : Drop::StunBadRequest));
  CHECK(error_of(s.answer()) == (kind == 3 ? -1 : 400));
}

TEST_CASE("an answer leaves by the way the request came, and a repeated request gets an equal one",
          "[ICE-CHK-25][STUN-08][STUN-18]") {
  Solo s;
  Forger::Ask ask;
  ask.with_sha256 = GENERATE(false, true);
  const ByteVector request = s.peer.request(s.agent, ask);
  const Address source = addr("203.0.113.4", 4321);
  CHECK(s.receive(request, {kLocal, source}) == Drop::None);
  const auto first = s.sent();
  REQUIRE(first.size() == 2);  // the answer, and a triggered check at once
  CHECK(first[0].first == Path{kLocal, source});
  const auto m = stun::Message::parse(first[0].second);
  CHECK(m->xor_mapped_address() == source);
  CHECK(stun::integrity_of(*m) == (ask.with_sha256 ? stun::Integrity::Sha256 : stun::Integrity::Sha1));
  const auto before = s.agent.stats();
  CHECK(s.receive(request, {kLocal, source}) == Drop::None);
  CHECK(s.answer() == first[0].second);
  CHECK(s.agent.stats().pairs == before.pairs);
  CHECK(s.agent.stats().remote_candidates == before.remote_candidates);
}

TEST_CASE("an unknown source becomes a peer-reflexive candidate with the priority it named",
          "[ICE-CHK-06][ICE-CHK-08]") {
  Solo s;
  Forger::Ask ask;
  ask.priority = 12345;
  const Path path{kLocal, addr("203.0.113.4", 4321)};
  CHECK(s.receive(s.peer.request(s.agent, ask), path) == Drop::None);
  CHECK(s.agent.stats().pairs == 1);
  CHECK_FALSE(s.agent.is_validated(path));
  CHECK_FALSE(s.agent.selected_path());
  const auto requests = s.requests_for(0ms);
  REQUIRE(requests.size() == 1);
  CHECK(s.receive(s.peer.success(requests[0].second, addr("198.51.100.9", 99)), path) == Drop::None);
  CHECK(s.agent.is_validated(path));
  const auto stats = s.agent.stats();
  CHECK(stats.selected_remote->type == CandidateType::PeerReflexive);
  CHECK(stats.selected_remote->priority == 12345);
  CHECK(stats.selected_local->type == CandidateType::PeerReflexive);
  CHECK(stats.selected_local->address == addr("198.51.100.9", 99));
  CHECK(stats.selected_local->priority ==
        stun::Message::parse(requests[0].second)->u32(stun::Attribute::Priority));
  CHECK(stats.selected_local->base == kLocal);
}

TEST_CASE("a peer-reflexive candidate that is signalled later keeps its pair and its check", "[ICE-CHK-11]") {
  Solo s;
  CHECK(s.receive(s.peer.request(s.agent, {})) == Drop::None);
  const auto requests = s.requests_for(0ms);
  REQUIRE(requests.size() == 1);
  REQUIRE(s.add_candidate(kRemote, 777, "abc"));
  CHECK(s.agent.stats().pairs == 1);
  CHECK(s.agent.stats().remote_candidates == 1);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.stats().selected_remote->type == CandidateType::Host);
  CHECK(s.agent.stats().selected_remote->priority == 777);
  CHECK(s.agent.stats().selected_remote->foundation == "abc");
}

TEST_CASE("requests before the remote credentials are answered at once and remembered", "[ICE-CHK-09]") {
  Limits limits;
  limits.ice_prflx = 3;
  Solo s(false, false, limits);
  for (std::uint16_t i = 0; i < 5; ++i) {
    Forger::Ask ask;
    ask.use_candidate = i == 0;
    if (i == 2) ask.username = std::string(s.agent.local_ufrag()) + ":other";
    const Path path{kLocal, kRemote.with_port(static_cast<std::uint16_t>(6000 + i))};
    CHECK(s.receive(s.peer.request(s.agent, ask), path) == (i < 3 ? Drop::None : Drop::IceLimit));
    CHECK(error_of(s.answer()) == -1);
  }
  CHECK(s.agent.state() == AgentState::New);
  CHECK(s.agent.stats().pairs == 0);
  s.know_peer();
  CHECK(s.agent.stats().pairs == 2);  // the one of another user is forgotten
  const auto requests = s.requests_for(0ms);
  REQUIRE(requests.size() == 1);
  CHECK(s.receive(s.peer.success(requests[0].second, kLocal)) == Drop::None);
  CHECK(s.agent.state() == AgentState::Completed);  // the nomination was remembered too
}

// An answer would be the last word on it: the other end takes the pair for selected, and we would not know of it.
TEST_CASE("a nomination that there is no memory for is not answered, or not forgotten", "[ICE-CHK-09]") {
  Forger::Ask nomination;
  nomination.use_candidate = true;
  const bool is_lite = GENERATE(false, true), knows_peer = GENERATE(false, true);
  std::size_t unanswered = 0, refused = 0;
  for (bool is_short = true; is_short; ++refused) {
    INFO("lite: " << is_lite << ", peer known: " << knows_peer << ", allocation " << refused);
    Solo s(ice::AgentConfig{.lite = is_lite}, knows_peer);
    const ByteVector request = s.peer.request(s.agent, nomination);
    s.side.environment.fail_allocation(refused);
    s.receive(request);
    auto sent = s.sent();
    const auto is_check = [](const auto& one) { return is_request(one.second); };
    if (std::all_of(sent.begin(), sent.end(), is_check)) {
      ++unanswered;
      CHECK(s.receive(request) == Drop::None);
    }
    if (!knows_peer) s.know_peer();
    ByteVector last_check;
    for (const auto& [path, bytes] : sent)
      if (is_request(bytes)) last_check = bytes;
    for (const auto& [at, bytes] : s.requests_for(2s)) last_check = bytes;
    if (!is_lite) {
      REQUIRE_FALSE(last_check.empty());
      CHECK(s.receive(s.peer.success(last_check, kLocal)) == Drop::None);
    }
    CHECK(s.agent.state() == AgentState::Completed);
    is_short = s.side.environment.refused_allocations() != 0;
  }
  CHECK(unanswered >= 2);
  CHECK((knows_peer || refused >= unanswered + 2));  // some were answered, and heeded later
}

TEST_CASE("a nomination that there is no room for is not answered", "[ICE-CHK-09]") {
  Limits limits;
  limits.ice_prflx = 1;
  Solo s(false, GENERATE(false, true), limits);
  CHECK(s.receive(s.peer.request(s.agent, {}), {kLocal, kRemote.with_port(7000)}) == Drop::None);
  CHECK(error_of(s.answer()) == -1);
  const Path further{kLocal, kRemote.with_port(7001)};
  CHECK(s.receive(s.peer.request(s.agent, {}), further) == Drop::IceLimit);
  CHECK(error_of(s.answer()) == -1);
  Forger::Ask nomination;
  nomination.use_candidate = true;
  CHECK(s.receive(s.peer.request(s.agent, nomination), further) == Drop::IceLimit);
  CHECK_FALSE(s.answer());
}

TEST_CASE("the second part of USERNAME picks the password: an unknown one triggers nothing", "[ICE-CHK-16]") {
  Solo s;
  Forger::Ask ask;
  ask.username = std::string(s.agent.local_ufrag()) + ":someone";
  CHECK(s.receive(s.peer.request(s.agent, ask)) == Drop::None);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 1);
  CHECK_FALSE(is_request(sent[0].second));
  CHECK(s.agent.stats().pairs == 0);
}

TEST_CASE("peer-reflexive candidates stop at their limit", "[ATK-06][lim.ice.prflx]") {
  Limits limits;
  limits.ice_prflx = 16;
  Solo s(false, true, limits);
  for (int i = 0; i < 10000; ++i) {
    const Path path{kLocal, kRemote.with_port(static_cast<std::uint16_t>(10000 + i))};
    const Drop drop = s.receive(s.peer.request(s.agent, {}), path);
    if (i < 16) CHECK(drop == Drop::None);
    if (i >= 16) REQUIRE(drop == Drop::IceLimit);
    if (i % 16 == 15) s.sent();
  }
  CHECK(s.agent.stats().remote_candidates == 16);
  CHECK(s.agent.stats().pairs == 16);
}

TEST_CASE("role conflict at the agent: four cases and equality", "[ICE-CHK-04]") {
  const bool controlling = GENERATE(false, true);
  const int order = GENERATE(-1, 0, 1);  // ours against theirs
  Solo s(controlling);
  REQUIRE(s.add_candidate(kRemote));
  const auto requests = s.requests_for(0ms);
  const auto own = stun::Message::parse(requests.at(0).second);
  const std::uint64_t ours =
      *own->u64(controlling ? stun::Attribute::IceControlling : stun::Attribute::IceControlled);
  Forger::Ask ask;
  ask.controlling = controlling;
  ask.tie_breaker = order < 0 ? ours + 1 : order > 0 ? ours - 1 : ours;
  const Drop drop = s.receive(s.peer.request(s.agent, ask));
  const auto answer = s.answer();
  const bool refuses = controlling ? order >= 0 : order < 0;
  CHECK((drop == Drop::IceRoleConflict) == refuses);
  CHECK(error_of(answer) == (refuses ? 487 : -1));
  CHECK(s.agent.is_controlling() == (refuses ? controlling : !controlling));
  const auto m = stun::Message::parse(*answer);
  CHECK(stun::verify_integrity(*m, stun::Integrity::Sha1, as_bytes(s.agent.local_pwd())));
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

TEST_CASE("remote candidates: what is ignored, and what is an error", "[ICE-CHK-12][ICE-CHK-29][ATK-04]") {
  Solo s;
  CHECK(s.add_candidate(addr("224.0.0.251", 5353)));
  CHECK(s.add_candidate(addr("255.255.255.255", 1)));
  CHECK(s.add_candidate(addr("0.0.0.0", 9)));
  CHECK(s.add_candidate(addr("192.0.2.9", 0)));
  CHECK(s.add_candidate(addr("::ffff:224.0.0.1", 1)));
  Candidate c;
  c.mdns_name = *FixedString<64>::from("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c = {};
  c.address = kRemote;
  c.transport = Transport::Tcp;
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c.transport = Transport::Udp;
  c.component = 2;
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c.component = 1;
  c.ufrag = *FixedString<256>::from("older");
  CHECK(s.agent.add_remote_candidate(s.now, c));
  CHECK(s.agent.stats().candidates_ignored == 9);  // the name has no port
  CHECK(s.agent.stats().remote_candidates == 0);
  // Loopback is kept, but not paired with a socket that is not loopback; mapped forms are what they mean.
  CHECK(s.add_candidate(addr("127.0.0.1", 80)));
  CHECK(s.add_candidate(addr("::ffff:127.0.0.1", 81)));
  CHECK(s.agent.stats().pairs == 0);
  CHECK(s.add_candidate(addr("::ffff:192.0.2.2", 6000)));
  CHECK(s.agent.stats().pairs == 1);
  s.agent.end_of_remote_candidates(s.now);
  CHECK(s.add_candidate(kRemote.with_port(1)));
  CHECK(s.agent.stats().pairs == 1);
  CHECK(s.agent.state() == AgentState::Checking);
}

TEST_CASE("loopback is checked from loopback, or when the configuration says so", "[ATK-04]") {
  Side side(5, {.allow_remote_loopback = true});
  REQUIRE(side.agent->add_local_address(Time{}, kLocal, false));
  poll_events(*side.agent);
  REQUIRE(side.agent->set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  Candidate c;
  c.address = addr("127.0.0.1", 80);
  c.priority = 1;
  REQUIRE(side.agent->add_remote_candidate(Time{}, c));
  CHECK(side.agent->stats().pairs == 1);
  Side home(6);
  REQUIRE(home.agent->add_local_address(Time{}, addr("127.0.0.1", 90), true));
  poll_events(*home.agent);
  REQUIRE(home.agent->set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  REQUIRE(home.agent->add_remote_candidate(Time{}, c));
  CHECK(home.agent->stats().pairs == 1);
}

TEST_CASE("a thousand candidates of a third party: the limit, paced, and a bounded number of packets",
          "[ATK-02][ATK-03][lim.ice.pairs]") {
  Limits limits;
  limits.ice_pairs = 20;
  Solo s(true, true, limits);
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const Status status = s.add_candidate(addr("203.0.113.66", static_cast<std::uint16_t>(1000 + i)),
                                          1000u + i, std::to_string(i));
    CHECK(status.has_value() == (i < 64));
    if (!status) CHECK(status.error() == ErrorCode::LimitReached);
  }
  CHECK(s.agent.stats().remote_candidates == 64);
  CHECK(s.agent.stats().pairs == 20);
  std::size_t sent = 0;
  for (int i = 0; i < 300; ++i) {
    sent += s.requests_for(1s).size();
    // It even asks for more, from every address.
    for (std::uint16_t k = 0; k < 4; ++k)
      s.receive(s.peer.request(s.agent, {.controlling = false}),
                {kLocal, addr("203.0.113.66", static_cast<std::uint16_t>(1000 + (i * 4 + k) % 64))});
    sent += s.requests_for(0ms).size();
  }
  CHECK(sent <= 20 * 7);
  CHECK(sent > 100);
}

TEST_CASE("errors to strangers are limited in number and in size", "[ATK-01][ICE-CHK-10]") {
  Solo s;
  Forger::Ask ask;
  ask.key = "wrong";
  std::size_t out = 0, in = 0, answers = 0, limited = 0;
  for (int i = 0; i < 1000; ++i) {
    const ByteVector request = s.peer.request(s.agent, ask);
    in += request.size();
    limited += s.receive(request, {kLocal, Address::v4(203, 0, 113, static_cast<std::uint8_t>(i % 50), 9)}) ==
               Drop::StunRateLimited;
    for (const auto& [path, bytes] : s.sent()) {
      ++answers;
      out += bytes.size();
      CHECK(bytes.size() <= request.size());
    }
  }
  CHECK(answers == 100);
  CHECK(limited == 900);
  CHECK(out <= in);
  CHECK(s.agent.drops()[Drop::StunRateLimited] == 900);
}

TEST_CASE("random datagrams and indications: no answer, nothing kept", "[ATK-01][STUN-26]") {
  Solo s;
  s.sent();
  const std::size_t memory = s.side.environment.bytes_in_use();
  std::mt19937 random(4);
  for (int i = 0; i < 5000; ++i) {
    ByteVector bytes(static_cast<std::size_t>(random() % 100));
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    if (bytes.size() >= 20 && i % 2 == 0) {
      store_u16(bytes.data(), 0x0001);
      store_u16(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size() - 20));
      store_u32(bytes.data() + 4, stun::kMagicCookie);
    }
    CHECK(s.receive(bytes) != Drop::None);
  }
  CHECK(s.receive(hex("00110008 2112a442 b7e7a701bc34d686fa87dfae 80280004eeb49508")) == Drop::None);
  CHECK(s.sent().empty());
  CHECK(s.side.environment.bytes_in_use() == memory);
}

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

TEST_CASE("credentials: of the right length, another set would be a restart", "[ICE-CRED-01][ICE-CRED-02]") {
  Solo s(false, false);
  CHECK(s.agent.local_ufrag().size() >= 4);
  CHECK(s.agent.local_ufrag().size() <= 32);
  CHECK(s.agent.local_pwd().size() >= 22);
  CHECK(s.agent.set_remote_credentials(s.now, "abc", s.peer.pwd, false).error() ==
        ErrorCode::InvalidArgument);
  CHECK(s.agent.set_remote_credentials(s.now, "abcd", "short", false).error() == ErrorCode::InvalidArgument);
  CHECK(s.agent.state() == AgentState::New);
  s.know_peer();
  CHECK(s.agent.state() == AgentState::Checking);
  CHECK(s.agent.set_remote_credentials(s.now, s.peer.ufrag, s.peer.pwd, false));
  CHECK(s.agent.set_remote_credentials(s.now, "other", s.peer.pwd, false).error() == ErrorCode::InvalidState);
  std::set<std::string> drawn;
  std::map<std::size_t, std::set<char>> ufrag_chars, pwd_chars;  // by their place
  TestEnvironment environment(99);
  for (int i = 0; i < 1000; ++i) {
    Agent agent(environment.env, {});
    REQUIRE(agent.start(Time{}));
    drawn.insert(std::string(agent.local_pwd()));
    for (std::size_t at = 0; at < agent.local_ufrag().size(); ++at)
      ufrag_chars[at].insert(agent.local_ufrag()[at]);
    for (std::size_t at = 0; at < agent.local_pwd().size(); ++at) pwd_chars[at].insert(agent.local_pwd()[at]);
  }
  CHECK(drawn.size() == 1000);
  // 24 and 128 bits, at six a character: so many places, at each of which all 64 occur.
  const auto is_random = [](const auto& place) { return place.second.size() == 64; };
  CHECK(std::count_if(ufrag_chars.begin(), ufrag_chars.end(), is_random) >= 4);
  CHECK(std::count_if(pwd_chars.begin(), pwd_chars.end(), is_random) >= 22);
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

TEST_CASE("a remote candidate that a check showed is paired with no local one but that it came to",
          "[ICE-CHK-06]") {
  Side side(7, ice::AgentConfig{}, Limits());
  Agent& agent = *side.agent;
  Forger peer;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  poll_events(agent);
  REQUIRE(agent.set_remote_credentials(Time{}, peer.ufrag, peer.pwd, false));
  CHECK(agent.handle_datagram(Time{}, kPath, peer.request(agent, {})) == Drop::None);
  CHECK(agent.stats().pairs == 1);
  REQUIRE(agent.add_local_address(Time{}, kLocal.with_port(5001), false));
  poll_events(agent);
  CHECK(agent.stats().pairs == 1);
}

}  // namespace pollrtc::test
