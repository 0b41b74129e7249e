// Set-up against a scripted peer: RFC 9260 §5.
#include "scripted_peer.h"
#include "sctp/chunk_control.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

TEST_CASE("active set-up: INIT, COOKIE ECHO with the cookie unchanged, ESTABLISHED at COOKIE ACK",
          "[SCTP-INIT-01][SCTP-CKI-11]") {
  ScriptedPeer peer;
  peer.connect();
  CHECK(peer.association.state() == State::CookieWait);
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack("0102030405060708")) == Drop::None);
  const SeenPacket echo = peer.poll();
  REQUIRE(echo.is_only(ChunkType::CookieEcho));
  CHECK(echo.tag == ScriptedPeer::kPeerTag);
  CHECK(to_hex(echo.chunks[0].value) == "0102030405060708");
  CHECK(peer.events<Association::Connected>().empty());
  REQUIRE(peer.give(peer.local_tag, "0b000004") == Drop::None);
  CHECK(peer.association.state() == State::Established);
  REQUIRE(peer.events<Association::Connected>().size() == 1);
}

TEST_CASE("passive set-up: INIT ACK with a cookie, ESTABLISHED at COOKIE ECHO, COOKIE ACK",
          "[SCTP-INIT-01]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  CHECK(peer.association.state() == State::Closed);
  CHECK(answer.cookie.size() == kCookieSize);
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::CookieAck));
  CHECK(ack.tag == ScriptedPeer::kPeerTag);
  const auto connected = peer.events<Association::Connected>();
  REQUIRE(connected.size() == 1);
  CHECK(connected[0].outbound_streams == 65535);
  CHECK(peer.association.peer_supports_partial_reliability());
  CHECK(peer.association.peer_supports_reset());
}

TEST_CASE("both ends connect at once: one association, whatever is lost, reordered or doubled",
          "[SCTP-INIT-01]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    LinkOptions link;
    if (seed > 1) link = {.delay = 20ms, .loss = 0.3, .reorder = 0.5, .duplicate = 0.3};
    TwoAssociations pair(link, seed);
    pair.connect();
    REQUIRE(pair.a.association->state() == State::Established);
    REQUIRE(pair.b.association->state() == State::Established);
    pair.link = {};
    pair.run_for(10s);
    for (const auto* end : {&pair.a, &pair.b}) {
      std::size_t connected = 0, others = 0;
      for (const auto& event : end->events) {
        (std::holds_alternative<Association::Connected>(event) ? connected : others) += 1;
      }
      CHECK(connected == 1);
      CHECK(others == 0);
    }
    const std::array<std::uint8_t, 3> message = {1, 2, 3};
    REQUIRE(pair.a.association->send(pair.now, {.stream = 4, .ppid = 53}, message));
    REQUIRE(pair.run_until([&] { return pair.b.received.size() == 1; }, 10s));
  }
}

TEST_CASE("INIT is sent again, byte for byte, at doubling intervals, eight times; then the set-up has failed",
          "[SCTP-INIT-02]") {
  ScriptedPeer peer;
  REQUIRE(peer.association.connect(peer.now));
  std::array<std::uint8_t, 200> first, again;
  const std::size_t size = peer.association.poll_packet(peer.now, first);
  REQUIRE(size != 0);
  Duration wait = 1s;
  for (int i = 0; i < 8; ++i) {
    const Time before = peer.now;
    peer.next_timeout();
    CHECK(peer.now - before == std::min<Duration>(wait, 60s));
    wait *= 2;
    REQUIRE(peer.association.poll_packet(peer.now, again) == size);
    CHECK(equal(Bytes(first).first(size), Bytes(again).first(size)));
    CHECK(peer.is_silent());
  }
  const Time due = peer.association.next_timeout();
  peer.association.handle_timeout(due);
  CHECK(peer.is_silent());
  const auto ended = peer.events<Association::Ended>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].reason == Close::SctpSetupFailed);
  CHECK(peer.association.next_timeout() == kNever);
  CHECK(peer.association.connect(due).error() == ErrorCode::InvalidState);
}

TEST_CASE("the first wait follows the round trip that ICE measured", "[SCTP-INIT-02]") {
  ScriptedPeer peer;
  peer.association.set_initial_rtt(300ms);
  REQUIRE(peer.association.connect(peer.now));
  CHECK(peer.association.next_timeout() == peer.now + 900ms);
  ScriptedPeer near;
  near.association.set_initial_rtt(1ms);
  REQUIRE(near.association.connect(near.now));
  CHECK(near.association.next_timeout() == near.now + 400ms);  // RTO.min
}

TEST_CASE("COOKIE ECHO is sent again like INIT", "[SCTP-INIT-03]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  for (int i = 0; i < 8; ++i) {
    peer.next_timeout();
    const SeenPacket echo = peer.poll();
    REQUIRE(echo.is_only(ChunkType::CookieEcho));
    CHECK(to_hex(echo.chunks[0].value) == "aabbccdd");
  }
  peer.association.handle_timeout(peer.association.next_timeout());
  REQUIRE(peer.events<Association::Ended>().size() == 1);
}

TEST_CASE("until the COOKIE ACK nothing but COOKIE ECHO and demanded answers leaves", "[SCTP-INIT-03]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  const std::array<std::uint8_t, 1> message = {1};
  CHECK(peer.association.send(peer.now, {}, message).error() == ErrorCode::InvalidState);
  CHECK(peer.give(peer.local_tag, "04000010 0001000c 0000000000000000") == Drop::None);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::SctpState);
  CHECK(peer.is_silent());
}

TEST_CASE("INITs cost no memory, and each gets a tag, TSN and cookie of its own",
          "[SCTP-INIT-04][SCTP-INIT-05]") {
  ScriptedPeer peer;
  const auto first = peer.answer_to_init(ScriptedPeer::init());
  const std::size_t in_use = peer.environment.bytes_in_use();
  ScriptedPeer::Answer last;
  for (int i = 0; i < 2000; ++i) {
    last = peer.answer_to_init(ScriptedPeer::init());
    REQUIRE(last.tag != first.tag);
    REQUIRE(last.tsn != first.tsn);
    REQUIRE(last.cookie != first.cookie);
  }
  // The ring of replies takes its eight places once.
  CHECK(peer.environment.bytes_in_use() <= in_use + Replies::kCapacity * 1200);
  const std::size_t settled = peer.environment.bytes_in_use();
  for (int i = 0; i < 100; ++i) peer.answer_to_init(ScriptedPeer::init());
  CHECK(peer.environment.bytes_in_use() == settled);
  // Either of them may be used.
  REQUIRE(peer.give(first.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, first.cookie)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE("a flood of INITs without polling keeps a handful of answers", "[ATK-08]") {
  ScriptedPeer peer;
  for (int i = 0; i < 1000; ++i) peer.give(VerificationTag{}, ScriptedPeer::init());
  std::size_t answers = 0;
  while (!peer.is_silent()) ++answers;
  CHECK(answers == Replies::kCapacity);
  CHECK(peer.association.drops()[Drop::SctpReplyLost] == 1000 - Replies::kCapacity);
}

TEST_CASE("a short INIT, or one with tag 0, is dropped in silence", "[SCTP-INIT-06][SCTP-INIT-07]") {
  ScriptedPeer peer;
  CHECK(peer.give(VerificationTag{}, "01000010 00000001 00100000 00010001") == Drop::SctpChunkMalformed);
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init(VerificationTag{})) == Drop::SctpChunkMalformed);
  CHECK(peer.is_silent());
}

TEST_CASE("an INIT with values nobody may send is answered by ABORT with its tag", "[SCTP-INIT-08]") {
  for (const char* fields : {"00100000 0000 0001", "00100000 0001 0000", "000005db 0001 0001"}) {
    INFO(fields);
    ScriptedPeer peer;
    CHECK(peer.give(VerificationTag{}, std::string("01000014 11223344") + fields + "00000001") ==
          Drop::SctpChunkMalformed);
    const SeenPacket abort = peer.poll();
    REQUIRE(abort.is_only(ChunkType::Abort));
    CHECK(abort.tag == VerificationTag{0x11223344});
    CHECK(abort.chunks[0].flags == 0);
    CHECK(has_cause(abort.chunks[0].value, CauseCode::InvalidMandatoryParameter));
    CHECK(peer.association.state() == State::Closed);
  }
  ScriptedPeer peer;  // 1500 is enough
  CHECK(peer.give(VerificationTag{}, "01000014 11223344 000005dc 0001 0001 00000001") == Drop::None);
}

TEST_CASE("an INIT ACK with values nobody may send ends the set-up with an ABORT", "[SCTP-INIT-09]") {
  const auto abort_for = [](const std::string& fields) {
    ScriptedPeer peer;
    peer.connect();
    peer.give(peer.local_tag, "0200001c" + fields + "00070008 aabbccdd");
    SeenPacket abort = peer.poll();
    REQUIRE(abort.is_only(ChunkType::Abort));
    CHECK(peer.association.state() == State::Closed);
    const auto ended = peer.events<Association::Ended>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].reason == Close::SctpSetupFailed);
    // Without a tag of the peer's the packet's own, which is ours, is reflected.
    if (abort.chunks[0].flags == kTagReflected) CHECK(abort.tag == peer.local_tag);
    return abort;
  };
  CHECK(abort_for("00000000 00100000 0001 0001 00000001").chunks[0].flags == kTagReflected);
  for (const char* fields : {"11223344 00100000 0000 0001 00000001", "11223344 00100000 0001 0000 00000001",
                             "11223344 000005db 0001 0001 00000001"}) {
    const SeenPacket abort = abort_for(fields);
    CHECK(abort.tag == VerificationTag{0x11223344});
    CHECK(abort.chunks[0].flags == 0);
  }
}

TEST_CASE("INIT ACK in any state but COOKIE-WAIT is dropped", "[SCTP-INIT-10]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::init_ack("99999999")) == Drop::SctpState);
  CHECK(peer.association.state() == State::CookieEchoed);
  peer.next_timeout();
  CHECK(to_hex(peer.poll().chunks.at(0).value) == "aabbccdd");
  ScriptedPeer up;
  up.establish_actively();
  CHECK(up.give(up.local_tag, ScriptedPeer::init_ack()) == Drop::SctpState);
  CHECK(up.association.state() == State::Established);
}

TEST_CASE("the window of the INIT is known at once: the passive side sends without waiting",
          "[SCTP-INIT-11]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  CHECK(peer.poll().find(ChunkType::Data) != nullptr);
  CHECK(peer.association.stats().peer_rwnd <= 0x00500000);
}

TEST_CASE("streams are the smaller of what we send and what the peer takes", "[SCTP-INIT-12][SCTP-INIT-20]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(hex("01000014 11223344 00100000 0005 0007 00000001"));
  CHECK(answer.init.outbound_streams == 7);
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  const auto connected = peer.events<Association::Connected>();
  REQUIRE(connected.size() == 1);
  CHECK(connected[0].outbound_streams == 7);
  CHECK(connected[0].inbound_streams == 5);
  const std::array<std::uint8_t, 1> message = {1};
  CHECK(peer.association.send(peer.now, {.stream = 6}, message));
  CHECK(peer.association.send(peer.now, {.stream = 7}, message).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("INIT in ESTABLISHED: a new tag, tie-tags in the cookie, the association untouched",
          "[SCTP-INIT-14][SCTP-INIT-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const auto one = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x77}));
  const auto two = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x77}));
  CHECK(one.tag != peer.local_tag);
  CHECK(one.tag != two.tag);
  CHECK(one.tsn != two.tsn);
  CHECK(one.cookie != two.cookie);
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  // The tie-tags stand at their place in the cookie, and are not zero.
  CHECK(load_u32(one.cookie.data() + 16) != 0);
  CHECK(load_u32(one.cookie.data() + 20) != 0);
}

TEST_CASE("INIT while setting up: INIT ACK has exactly the numbers of our INIT; state and T1 stay",
          "[SCTP-INIT-15][SCTP-INIT-16]") {
  ScriptedPeer peer;
  peer.connect();
  const Time due = peer.association.next_timeout();
  const auto waiting = peer.answer_to_init(ScriptedPeer::init());
  CHECK(waiting.tag == peer.local_tag);
  CHECK(waiting.tsn == peer.local_tsn);
  CHECK(load_u64(waiting.cookie.data() + 16) == 0);  // tie-tags: none in COOKIE-WAIT
  CHECK(peer.association.state() == State::CookieWait);
  CHECK(peer.association.next_timeout() == due);

  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  REQUIRE(peer.poll().is_only(ChunkType::CookieEcho));
  const Time echoed_due = peer.association.next_timeout();
  const auto echoed = peer.answer_to_init(ScriptedPeer::init());
  CHECK(echoed.tag == peer.local_tag);
  CHECK(echoed.tsn == peer.local_tsn);
  CHECK(load_u32(echoed.cookie.data() + 16) != 0);
  CHECK(load_u32(echoed.cookie.data() + 20) != 0);
  CHECK(peer.association.state() == State::CookieEchoed);
  CHECK(peer.association.next_timeout() == echoed_due);
}

TEST_CASE("INIT ACK without a cookie: ABORT(missing mandatory parameter)", "[SCTP-INIT-17]") {
  ScriptedPeer peer;
  peer.connect();
  peer.give(peer.local_tag, "02000014" + ScriptedPeer::init_fields());
  const SeenPacket abort = peer.poll();
  REQUIRE(abort.is_only(ChunkType::Abort));
  CHECK(to_hex(abort.chunks[0].value) ==
        "0002000a"
        "00000001"
        "0007");
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE("a host name address draws an ABORT", "[SCTP-INIT-18]") {
  ScriptedPeer peer;
  peer.give(VerificationTag{}, "0100001c" + ScriptedPeer::init_fields() + "000b0008 61626300");
  CHECK(peer.poll().is_only(ChunkType::Abort));
  ScriptedPeer active;
  active.connect();
  active.give(active.local_tag,
              "02000024" + ScriptedPeer::init_fields() + "000b0008 61626300 00070008 aabbccdd");
  CHECK(active.poll().is_only(ChunkType::Abort));
  CHECK(active.association.state() == State::Closed);
}

TEST_CASE("our INIT and INIT ACK: no address, each parameter once, extensions announced",
          "[SCTP-INIT-19][SCTP-INIT-22]") {
  ScriptedPeer peer;
  REQUIRE(peer.association.connect(peer.now));
  const SeenPacket init = peer.poll();
  REQUIRE(init.is_only(ChunkType::Init));
  CHECK(to_hex(Bytes(init.chunks[0].value).subspan(16)) ==
        "c0000004"
        "8008000882c040c2");
  ScriptedPeer passive;
  passive.give(VerificationTag{}, ScriptedPeer::init());
  const SeenPacket ack = passive.poll();
  REQUIRE(ack.is_only(ChunkType::InitAck));
  const std::string parameters = to_hex(Bytes(ack.chunks[0].value).subspan(16));
  CHECK(parameters.substr(0, 8) == "0007" + ScriptedPeer::u16_hex(4 + kCookieSize));
  CHECK(parameters.substr(2 * (4 + kCookieSize)) ==
        "c0000004"
        "8008000882c040c2");
}

TEST_CASE("a cookie that fits no packet fails the set-up; one of 1500 bytes is understood",
          "[SCTP-INIT-21]") {
  AssociationConfig config;
  config.mtu = 1700;
  ScriptedPeer large(config);
  large.connect();
  CHECK(large.give(large.local_tag, ScriptedPeer::init_ack(std::string(3000, 'a'))) == Drop::None);
  CHECK(large.poll().is_only(ChunkType::CookieEcho));
  ScriptedPeer small;
  small.connect();
  small.give(small.local_tag, ScriptedPeer::init_ack(std::string(3000, 'a')));
  CHECK(small.association.state() == State::Closed);
  CHECK(small.events<Association::Ended>().size() == 1);
}

TEST_CASE("unknown parameters are reported in INIT ACK, and behind COOKIE ECHO",
          "[SCTP-PKT-09][SCTP-PKT-18]") {
  ScriptedPeer peer;
  peer.give(VerificationTag{}, "01000020" + ScriptedPeer::init_fields() + "c0010008 aabbccdd c0000004");
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::InitAck));
  const std::string value = to_hex(ack.chunks[0].value);
  CHECK(value.find("0008000c"
                   "c0010008aabbccdd") != std::string::npos);

  ScriptedPeer active;
  active.connect();
  active.give(active.local_tag,
              "02000024" + ScriptedPeer::init_fields() + "00070008 aabbccdd c0010008 aabbccdd");
  const SeenPacket echo = active.poll();
  REQUIRE(echo.chunks.size() == 2);
  CHECK(echo.chunks[0].type == ChunkType::CookieEcho);
  REQUIRE(echo.chunks[1].type == ChunkType::Error);
  CHECK(to_hex(echo.chunks[1].value) ==
        "0008000c"
        "c0010008aabbccdd");
}

TEST_CASE("unknown parameters that do not fit are left out of the INIT ACK", "[SCTP-PKT-08]") {
  ScriptedPeer peer;
  ByteVector value = hex(ScriptedPeer::init_fields() + "c00107d0");
  value.resize(16 + 2000);
  const auto extra = hex("c0020004");
  value.insert(value.end(), extra.begin(), extra.end());
  peer.give(VerificationTag{}, ScriptedPeer::chunk(ChunkType::Init, value));
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::InitAck));
  CHECK(ack.size <= 1188);
}

TEST_CASE("tags are never 0 and do not repeat between associations", "[SCTP-TAG-07][SCTP-TAG-10]") {
  std::vector<std::uint32_t> tags, tsns;
  TestEnvironment environment(3);
  for (int i = 0; i < 10000; ++i) {
    Association association(environment.env, {});
    REQUIRE(association.connect(Time{}));
    std::array<std::uint8_t, 100> packet;
    REQUIRE(association.poll_packet(Time{}, packet) != 0);
    tags.push_back(load_u32(packet.data() + 16));
    tsns.push_back(load_u32(packet.data() + 28));
  }
  std::sort(tags.begin(), tags.end());
  CHECK(tags.front() != 0);
  CHECK(std::adjacent_find(tags.begin(), tags.end()) == tags.end());
  std::uint32_t ones = 0, zeros = 0;
  for (const std::uint32_t tsn : tsns) {
    ones |= tsn;
    zeros |= ~tsn;
  }
  CHECK(ones == 0xffffffff);
  CHECK(zeros == 0xffffffff);
}

TEST_CASE("without randomness a call is refused and nothing changes") {
  ScriptedPeer peer;
  peer.environment.fail_randomness_after(0);
  CHECK(peer.association.connect(peer.now).error() == ErrorCode::NoRandomness);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.is_silent());
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init()) == Drop::NoRandomness);
}

TEST_CASE("without randomness for its numbers an INIT goes without an answer") {
  // However many draws succeed before: either all that the answer takes, or no answer.
  for (std::size_t draws = 0; draws < 6; ++draws) {
    ScriptedPeer peer;
    peer.environment.fail_randomness_after(draws);
    const Drop drop = peer.give(VerificationTag{}, ScriptedPeer::init());
    CHECK((drop == Drop::None || drop == Drop::NoRandomness));
    CHECK(peer.is_silent() == (drop != Drop::None));
  }
}
