// One agent and a peer made by hand: which requests are answered, how, and what is learnt from them (RFC 8445 §7.3).
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

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
    // It says so when it cannot keep them, and is told again.
    if (!knows_peer && !s.agent.set_remote_credentials(s.now, s.peer.ufrag, s.peer.pwd, false)) s.know_peer();
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

}  // namespace pollrtc::test
