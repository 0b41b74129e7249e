// What a received packet may do before and beside its chunks: ports, tags, packets out of the blue, unknown chunks,
// bundling (RFC 9260 §3.2, §6.10, §8.4, §8.5).
#include "scripted_peer.h"
#include "sctp/chunk_control.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
const VerificationTag kWrong{0x31415926};
const char* const kAbort = "06000004";
const char* const kShutdownAck = "08000004";
const char* const kShutdownComplete = "0e000004";
const char* const kHeartbeat = "0400000c 00010008 11223344";
}  // namespace

TEST_CASE("another pair of ports, or port 0, is not ours", "[SCTP-PKT-13]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (const char* ports : {"1388 1389", "1389 1388", "0000 1388", "1388 0000"}) {
    auto bytes = peer.packet(peer.local_tag, hex(kHeartbeat));
    const auto wrong = hex(ports);
    std::copy(wrong.begin(), wrong.end(), bytes.begin());
    ByteVector out(bytes.size());
    PacketWriter writer(out, out.size(), load_u16(bytes.data()), load_u16(bytes.data() + 2), peer.local_tag);
    writer.chunks().bytes(Bytes(bytes).subspan(kCommonHeader));
    writer.finish(false);
    CHECK(peer.give_bytes(out) == Drop::SctpPort);
  }
  CHECK(peer.is_silent());
}

TEST_CASE("a wrong tag is dropped without any effect, malformed or not", "[SCTP-TAG-01][SCTP-TAG-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (const std::string& chunks :
       {std::string(kHeartbeat), std::string("40000004"), std::string("00030010 00000001 00010000 00000000"),
        ScriptedPeer::data(ScriptedPeer::kPeerTsn), std::string("0b000004"), std::string("07000008 00000001"),
        std::string("00000002"), std::string("0600000c 000c0003 00000000")}) {
    CHECK(peer.give(kWrong, chunks) != Drop::None);
    CHECK(peer.is_silent());
    CHECK(peer.association.state() == State::Established);
  }
}

TEST_CASE("a packet with tag 0 is dropped unless it is one lone INIT", "[SCTP-TAG-02][SCTP-PKT-11]") {
  ScriptedPeer peer;
  CHECK(peer.give(VerificationTag{}, kHeartbeat) == Drop::SctpTag);
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::data(1)) == Drop::SctpTag);
  ByteVector bundled = ScriptedPeer::init();
  const auto heartbeat = hex(kHeartbeat);
  bundled.insert(bundled.end(), heartbeat.begin(), heartbeat.end());
  CHECK(peer.give(VerificationTag{}, bundled) == Drop::SctpBundling);
  CHECK(peer.is_silent());
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init()) == Drop::None);
}

TEST_CASE("INIT in a packet whose tag is not 0 is dropped with all behind it", "[SCTP-TAG-08]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::init()) == Drop::SctpTag);
  ByteVector behind = hex("84000004");  // PAD first, so that INIT is met on the way
  const auto init = ScriptedPeer::init(), heartbeat = hex(kHeartbeat);
  behind.insert(behind.end(), init.begin(), init.end());
  behind.insert(behind.end(), heartbeat.begin(), heartbeat.end());
  peer.give(peer.local_tag, behind);
  CHECK(peer.association.drops()[Drop::SctpBundling] == 1);
  CHECK(peer.is_silent());
}

TEST_CASE("ABORT: our tag without the T bit, or the peer's with it", "[SCTP-TAG-03]") {
  const auto state_after = [](VerificationTag (*tag)(const ScriptedPeer&), std::string_view abort) {
    ScriptedPeer peer;
    peer.establish_passively();
    peer.give(tag(peer), abort);
    CHECK(peer.is_silent());
    return peer.association.state();
  };
  const auto ours = [](const ScriptedPeer& p) { return p.local_tag; };
  const auto theirs = [](const ScriptedPeer&) { return ScriptedPeer::kPeerTag; };
  CHECK(state_after(ours, "06000004") == State::Closed);
  CHECK(state_after(ours, "06010004") == State::Established);
  CHECK(state_after(theirs, "06010004") == State::Closed);
  CHECK(state_after(theirs, "06000004") == State::Established);
  CHECK(state_after([](const ScriptedPeer&) { return kWrong; }, "06010004") == State::Established);
}

TEST_CASE("out of the blue: the first rule that fits decides, replies reflect the tag", "[SCTP-TAG-06]") {
  ScriptedPeer peer;
  const auto answer = [&](std::string_view chunks) {
    CHECK(peer.give(kWrong, chunks) == Drop::SctpOutOfTheBlue);
    const SeenPacket seen = peer.poll();
    if (seen.chunks.empty()) return std::string("none");
    CHECK(seen.tag == kWrong);
    CHECK(seen.chunks.size() == 1);
    CHECK(seen.chunks[0].flags == kTagReflected);
    CHECK(peer.is_silent());
    return seen.chunks[0].type == ChunkType::Abort              ? std::string("abort")
           : seen.chunks[0].type == ChunkType::ShutdownComplete ? std::string("complete")
                                                                : std::string("other");
  };
  CHECK(answer(kHeartbeat) == "abort");
  CHECK(answer(ScriptedPeer::data(1)) == "abort");
  CHECK(answer(kAbort) == "none");
  CHECK(answer(std::string(kHeartbeat) + kAbort) == "none");
  CHECK(answer(std::string(kShutdownAck) + kAbort) == "none");
  CHECK(answer(kShutdownAck) == "complete");
  CHECK(answer(kShutdownComplete) == "none");
  CHECK(answer("0b000004") == "none");
  CHECK(answer("0900000c 00030008 00000001") == "none");
  CHECK(answer("0900000c 00010008 00010000") == "abort");
  CHECK(answer(ScriptedPeer::data(1) + "0a000008 12345678") ==
        "abort");  // [SCTP-PKT-15]: not the first chunk
}

TEST_CASE("answers to packets out of the blue are limited to a number each second", "[SCTP-TAG-06]") {
  ScriptedPeer peer;
  const auto answered = [&] {
    std::size_t count = 0;
    for (int i = 0; i < 100; ++i) {
      peer.give(kWrong, kHeartbeat);
      if (!peer.is_silent()) ++count;
    }
    return count;
  };
  CHECK(answered() == 10);
  peer.now += 999ms;
  CHECK(answered() == 0);
  peer.now += 1ms;
  CHECK(answered() == 10);
}

TEST_CASE("unknown chunks: stop or go on, silent or with ERROR, by their top bits", "[SCTP-PKT-07]") {
  struct Case {
    const char* chunk;
    bool goes_on, reports;
  };
  for (const Case& c : {Case{"3f000004", false, false}, Case{"7f000004", false, true},
                        Case{"bf000004", true, false}, Case{"ff000004", true, true}}) {
    INFO(c.chunk);
    ScriptedPeer peer;
    peer.establish_passively();
    peer.give(peer.local_tag, std::string(c.chunk) + kHeartbeat);
    const SeenPacket seen = peer.poll();
    CHECK((seen.find(ChunkType::HeartbeatAck) != nullptr) == c.goes_on);
    const SeenChunk* error = seen.find(ChunkType::Error);
    REQUIRE((error != nullptr) == c.reports);
    if (error != nullptr) CHECK(to_hex(error->value) == "00060008" + std::string(c.chunk));
  }
}

TEST_CASE("an unknown chunk that is echoed is cut to what fits a packet", "[SCTP-PKT-08]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, ScriptedPeer::chunk(static_cast<ChunkType>(0xff), ByteVector(3000, 0xab)));
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.is_only(ChunkType::Error));
  CHECK(seen.size <= 1188);
  CHECK(seen.size > 1100);
}

TEST_CASE("chunks before one that is cut off have their effect, it has none", "[SCTP-PKT-05][SCTP-PKT-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, std::string(kHeartbeat) + "0600000c 00000000") == Drop::None);
  CHECK(peer.association.drops()[Drop::SctpTruncated] == 1);
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
  CHECK(peer.give(peer.local_tag, std::string("06000000") + kHeartbeat) == Drop::SctpTruncated);
  CHECK(peer.is_silent());
}

TEST_CASE("a chunk too short for its type is dropped, the rest goes on", "[SCTP-PKT-16]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, std::string("0000000c 00000001 00000000 | 03000008 00000001 | 07000004") +
                                      kHeartbeat) == Drop::None);
  CHECK(peer.association.drops()[Drop::SctpChunkMalformed] == 3);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE("DATA ahead of a control chunk is taken", "[SCTP-PKT-12]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn) + kHeartbeat) == Drop::None);
  const SeenPacket seen = peer.poll();
  CHECK(seen.find(ChunkType::HeartbeatAck) != nullptr);
  REQUIRE(seen.find(ChunkType::Sack) != nullptr);
  CHECK(load_u32(seen.find(ChunkType::Sack)->value.data()) == ScriptedPeer::kPeerTsn);
}

TEST_CASE("INIT ACK and SHUTDOWN COMPLETE bundled with anything are dropped", "[SCTP-PKT-11]") {
  ScriptedPeer peer;
  peer.connect();
  ByteVector bundled = ScriptedPeer::init_ack();
  const auto heartbeat = hex(kHeartbeat);
  bundled.insert(bundled.end(), heartbeat.begin(), heartbeat.end());
  CHECK(peer.give(peer.local_tag, bundled) == Drop::SctpBundling);
  CHECK(peer.association.state() == State::CookieWait);

  ScriptedPeer ending;
  ending.establish_passively();
  ending.give(ending.local_tag, "07000008" + ScriptedPeer::u32_hex(ending.local_tsn.value() - 1));
  REQUIRE(ending.association.state() == State::ShutdownAckSent);
  CHECK(ending.give(ending.local_tag, std::string(kShutdownComplete) + kHeartbeat) == Drop::SctpBundling);
  CHECK(ending.association.state() == State::ShutdownAckSent);
}

TEST_CASE("the replies to one packet share one packet", "[SCTP-PKT-19][SCTP-PKT-18]") {
  ScriptedPeer peer;
  peer.establish_passively();
  std::string chunks;
  for (int i = 0; i < 20; ++i) chunks += kHeartbeat;
  chunks += "ff000004 ff000004 0900000c 00010008 00010000 84000008 00000000";
  peer.give(peer.local_tag, chunks);
  const SeenPacket seen = peer.poll();
  CHECK(seen.chunks.size() == 22);
  CHECK(peer.is_silent());
}

TEST_CASE("ERROR ends nothing by itself, whatever its cause", "[SCTP-PKT-20]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (const char* error : {"09000004", "09000008 00040004", "0900000c 00030008 00000001",
                            "0900000a 12340006 aabb 0000", "09000008 000d0004"}) {
    CHECK(peer.give(peer.local_tag, error) == Drop::None);
  }
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.is_silent());
}

TEST_CASE("PAD is ignored, in any number and with any content", "[SCTP-PMTU-07]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, std::string("84ff0008 aabbccdd 84000004") + kHeartbeat + "84000004") ==
        Drop::None);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
  CHECK(peer.association.drops().total() == 0);
}

TEST_CASE("a packet with an ABORT draws no reply, and nothing behind it counts", "[SCTP-END-10]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag,
            std::string(kHeartbeat) + "ff000004" + kAbort + ScriptedPeer::data(ScriptedPeer::kPeerTsn));
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.is_silent());
  Message message(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(message));
}

TEST_CASE("DATA without user data: ABORT with its TSN", "[SCTP-DATA-01]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, "00030010 000003e8 00010000 00000033");
  const SeenPacket abort = peer.poll();
  REQUIRE(abort.is_only(ChunkType::Abort));
  CHECK(abort.tag == ScriptedPeer::kPeerTag);
  CHECK(to_hex(abort.chunks[0].value) ==
        "00090008"
        "000003e8");
  const auto ended = peer.events<Association::Ended>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].reason == Close::ProtocolViolation);
}

TEST_CASE("DATA on a stream above what was agreed: acknowledged, thrown away, reported", "[SCTP-DATA-02]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(hex("01000014 beefcafe 00100000 0005 0007 000003e8"));
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  peer.drain();
  CHECK(peer.give(answer.tag, ScriptedPeer::data(1000, 5)) == Drop::SctpStream);
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.find(ChunkType::Error) != nullptr);
  CHECK(to_hex(seen.find(ChunkType::Error)->value) ==
        "00010008"
        "00050000");
  REQUIRE(seen.find(ChunkType::Sack) != nullptr);
  CHECK(load_u32(seen.find(ChunkType::Sack)->value.data()) == 1000);
  Message message(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(message));
}

TEST_CASE("a SACK, or a SHUTDOWN, of a TSN never sent: ABORT(protocol violation)", "[SCTP-SACK-02][ATK-10]") {
  for (const bool shutdown : {false, true}) {
    ScriptedPeer peer;
    peer.establish_passively();
    const std::uint32_t never = peer.local_tsn.value() + 5;
    peer.give(peer.local_tag,
              shutdown ? "07000008" + ScriptedPeer::u32_hex(never) : ScriptedPeer::sack(never));
    const SeenPacket abort = peer.poll();
    REQUIRE(abort.is_only(ChunkType::Abort));
    CHECK(has_cause(abort.chunks[0].value, CauseCode::ProtocolViolation));
    CHECK(peer.association.state() == State::Closed);
  }
}

TEST_CASE("FORWARD TSN without negotiation is an unknown chunk", "[SCTP-PR-05]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(hex("01000014" + ScriptedPeer::init_fields()));
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  peer.drain();
  CHECK_FALSE(peer.association.peer_supports_partial_reliability());
  CHECK(peer.give(answer.tag, std::string("c0000008 000003e8") + kHeartbeat) == Drop::None);
  const SeenPacket seen = peer.poll();
  CHECK(seen.find(ChunkType::HeartbeatAck) != nullptr);
  REQUIRE(seen.find(ChunkType::Error) != nullptr);
  CHECK(to_hex(seen.find(ChunkType::Error)->value) ==
        "0006000c"
        "c0000008000003e8");
  CHECK(peer.association.drops()[Drop::SctpUnknownChunk] == 1);
}

TEST_CASE("a peer that reports Forward-TSN-Supported as unrecognized does not have it", "[SCTP-PR-13]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.peer_supports_partial_reliability());
  peer.give(peer.local_tag, "0900000c 00080008 c0000004");
  CHECK_FALSE(peer.association.peer_supports_partial_reliability());

  ScriptedPeer active;
  active.connect();
  active.give(active.local_tag,
              "02000028" + ScriptedPeer::init_fields() + "00070008 aabbccdd c0000004 00080008 c0000004");
  CHECK(active.association.state() == State::CookieEchoed);
  CHECK_FALSE(active.association.peer_supports_partial_reliability());
}

TEST_CASE("the checksum is left out only towards a peer that announced it, and never on INIT or COOKIE ECHO",
          "[SCTP-PKT-02]") {
  const auto run = [](bool we, bool they) {
    AssociationConfig config;
    config.announce_zero_checksum = we;
    ScriptedPeer peer(config);
    REQUIRE(peer.association.connect(peer.now));
    const SeenPacket init = peer.poll();
    CHECK_FALSE(init.zero_checksum);
    const auto announced = ScriptedPeer::read_answer(init.chunks[0]);
    CHECK((to_hex(init.chunks[0].value).find("8001000800000001") != std::string::npos) == we);
    std::string parameters = "00070008 aabbccdd";
    if (they) parameters += "80010008 00000001";
    peer.give(announced.tag,
              ScriptedPeer::chunk(ChunkType::InitAck, hex(ScriptedPeer::init_fields() + parameters)));
    const SeenPacket echo = peer.poll();
    REQUIRE(echo.is_only(ChunkType::CookieEcho));
    CHECK_FALSE(echo.zero_checksum);
    peer.give(announced.tag, "0b000004");
    auto heartbeat = peer.packet(announced.tag, hex(kHeartbeat));
    std::fill(heartbeat.begin() + 8, heartbeat.begin() + 12, std::uint8_t{0});
    CHECK((peer.give_bytes(heartbeat) == Drop::None) == we);
    peer.give(announced.tag, kHeartbeat);
    CHECK(peer.poll().zero_checksum == they);
  };
  run(false, false);
  run(false, true);
  run(true, false);
  run(true, true);
}

TEST_CASE("the engine keeps our tag, and the peer's in what it sends, until the end", "[SCTP-TAG-09]") {
  ScriptedPeer peer;
  peer.establish_actively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  for (SeenPacket seen = peer.poll(); !seen.chunks.empty(); seen = peer.poll())
    CHECK(seen.tag == ScriptedPeer::kPeerTag);
  peer.give(peer.local_tag, std::string(kHeartbeat) + ScriptedPeer::data(ScriptedPeer::kPeerTsn));
  for (SeenPacket seen = peer.poll(); !seen.chunks.empty(); seen = peer.poll())
    CHECK(seen.tag == ScriptedPeer::kPeerTag);
  peer.association.abort(peer.now, "bye");
  CHECK(peer.poll().tag == ScriptedPeer::kPeerTag);
}

TEST_CASE("of several SACKs in a packet one counts, or many would cost as many walks over all in flight",
          "[ATK-09]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (int i = 0; i < 3; ++i) REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  peer.drain();
  const std::string one = ScriptedPeer::sack(peer.local_tsn.value()),
                    two = ScriptedPeer::sack(peer.local_tsn.value() + 1);
  CHECK(peer.give(peer.local_tag, one + two) == Drop::None);
  CHECK(peer.association.stats().outstanding_bytes == 2 * 20);
  CHECK(peer.association.drops()[Drop::SctpBundling] == 1);
}
