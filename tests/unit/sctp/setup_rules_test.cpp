// Clauses of the set-up and tag rules that need a story of their own: what does not count, what is not remembered, what a
// restart leaves nothing of (RFC 9260 §5, §8.4, §8.5).
#include <algorithm>

#include "scripted_peer.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
const VerificationTag kWrong{0x31415926};
const VerificationTag kOther{0x4242};
const char* const kAbort = "06000004";
const char* const kShutdownAck = "08000004";
const char* const kHeartbeat = "0400000c 00010008 11223344";
const char* const kStaleCookie = "0900000c 00030008 00000001";

ByteVector cookie_echo(const ScriptedPeer::Answer& answer) {
  return ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie);
}
ByteVector joined(ByteVector chunks, const std::string& more) {
  const ByteVector behind = hex(more);
  chunks.insert(chunks.end(), behind.begin(), behind.end());
  return chunks;
}
std::string init_ack_with(const std::string& streams, const std::string& cookie) {
  std::string fields = ScriptedPeer::init_fields();
  fields.replace(16, 8, streams);
  return fields + "0007" + ScriptedPeer::u16_hex(4 + cookie.size() / 2) + cookie;
}
// From now on nobody asks for anything, and every HEARTBEAT is answered.
void live_quietly(ScriptedPeer& peer, VerificationTag tag, Duration duration) {
  for (const Time end = peer.now + duration; peer.now < end && peer.association.state() != State::Closed;) {
    peer.now = std::min(end, peer.association.next_timeout());
    peer.association.handle_timeout(peer.now);
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      const SeenChunk* const heartbeat = seen.find(ChunkType::Heartbeat);
      CHECK(heartbeat != nullptr);
      if (heartbeat != nullptr)
        peer.give(tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, heartbeat->value));
    }
  }
}
// The peer comes back with a new tag, and nothing of before.
VerificationTag restart(ScriptedPeer& peer, VerificationTag tag = VerificationTag{0x99}) {
  const auto answer = peer.answer_to_init(ScriptedPeer::init(tag));
  REQUIRE(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
  REQUIRE(peer.association.state() == State::Established);
  return answer.tag;
}
}  // namespace

TEST_CASE("port 0 is nobody's, even where it is the port that was asked for", "[SCTP-PKT-13]") {
  for (const bool ours : {false, true}) {
    AssociationConfig config;
    (ours ? config.local_port : config.remote_port) = 0;
    ScriptedPeer peer(config);
    CHECK(peer.give(VerificationTag{}, ScriptedPeer::init()) == Drop::SctpPort);
    CHECK(peer.is_silent());
  }
}

TEST_CASE("under a wrong tag nothing that is malformed draws an answer, in any state", "[SCTP-TAG-05]") {
  const std::string pad = "84000004";
  const std::vector<std::string> malformed = {
      "0000000c 000003e8 00010000",          // DATA that is too short
      pad + "00000002",                      // a length below four
      pad + "000300ff 000003e8",             // one beyond the packet
      "82000008 000e0004",                   // RE-CONFIG
      "ff000004",                            // unknown, and to be reported
      "00030010 000003e8 00010000 00000033"  // DATA without user data
  };
  ScriptedPeer up;
  up.establish_passively();
  for (const std::string& chunks : malformed) {
    INFO(chunks);
    CHECK(up.give(kWrong, chunks) == Drop::SctpTag);
    CHECK(up.is_silent());
  }
  CHECK(up.association.state() == State::Established);

  // A forged INIT ACK must not end a set-up, whatever it holds.
  ScriptedPeer waiting;
  waiting.connect();
  const Time due = waiting.association.next_timeout();
  for (const char* const fields :
       {"00000000 00100000 0001 0001 00000001", "11223344 00000001 0001 0001 00000001",
        "11223344 00100000 0001 0001 00000001"}) {
    CHECK(waiting.give(kWrong, std::string("02000014") + fields) == Drop::SctpTag);
    CHECK(waiting.is_silent());
  }
  CHECK(waiting.association.state() == State::CookieWait);
  CHECK(waiting.association.next_timeout() == due);
}

TEST_CASE("out of the blue: SHUTDOWN ACK comes before what draws none, and what draws none costs none",
          "[SCTP-TAG-06]") {
  ScriptedPeer peer;
  for (const char* const beside : {"0e000004", "0b000004", kStaleCookie}) {
    CHECK(peer.give(kWrong, std::string(beside) + kShutdownAck) == Drop::SctpOutOfTheBlue);
    CHECK(peer.poll().is_only(ChunkType::ShutdownComplete));
  }
  peer.now += 1s;
  for (int i = 0; i < 100; ++i) peer.give(kWrong, std::string(kHeartbeat) + kAbort);
  CHECK(peer.is_silent());
  peer.give(kWrong, kHeartbeat);  // there are still answers left in this second
  CHECK(peer.poll().is_only(ChunkType::Abort));
  // A COOKIE ECHO in front leads to the set-up.
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  CHECK(peer.give(answer.tag, joined(cookie_echo(answer), kHeartbeat)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE(
    "the tags and TSNs of INIT ACKs are random as those of INITs are, and have nothing to do with each other",
    "[SCTP-TAG-07][SCTP-TAG-10][SCTP-INIT-05]") {
  ScriptedPeer peer;
  std::vector<std::uint32_t> tags;
  std::uint32_t ones = 0, zeros = 0, tag_ones = 0, tag_zeros = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto answer = peer.answer_to_init(ScriptedPeer::init());
    tags.push_back(value_of(answer.tag));
    CHECK(answer.tsn.value() != value_of(answer.tag));
    ones |= answer.tsn.value(), zeros |= ~answer.tsn.value();
    tag_ones |= tags.back(), tag_zeros |= ~tags.back();
  }
  CHECK((ones == 0xffffffff && zeros == 0xffffffff));
  CHECK((tag_ones == 0xffffffff && tag_zeros == 0xffffffff));
  std::sort(tags.begin(), tags.end());
  CHECK(std::adjacent_find(tags.begin(), tags.end()) == tags.end());
  peer.connect();
  CHECK(peer.local_tsn.value() != value_of(peer.local_tag));
}

TEST_CASE("where the peer's tag is known our ABORT carries it, without the T bit", "[SCTP-TAG-09]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.abort(peer.now, "enough");
  const SeenPacket abort = peer.poll();
  REQUIRE(abort.is_only(ChunkType::Abort));
  CHECK(abort.tag == ScriptedPeer::kPeerTag);
  CHECK(abort.chunks[0].flags == 0);
}

TEST_CASE("COOKIE ECHO has its own waits and tries, whatever the INIT has cost", "[SCTP-INIT-03]") {
  ScriptedPeer peer;
  peer.connect();
  for (int i = 0; i < 8; ++i) {
    peer.next_timeout();
    REQUIRE(peer.poll().is_only(ChunkType::Init));
  }
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  REQUIRE(peer.poll().is_only(ChunkType::CookieEcho));
  Duration wait = 1s;
  for (int i = 0; i < 8; ++i) {
    CHECK(peer.association.next_timeout() - peer.now == std::min<Duration>(wait, 60s));
    wait *= 2;
    peer.next_timeout();
    REQUIRE(peer.poll().is_only(ChunkType::CookieEcho));
  }
  peer.association.handle_timeout(peer.association.next_timeout());
  const auto ended = peer.events<Association::Ended>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].reason == Close::SctpSetupFailed);
}

TEST_CASE("an INIT with values nobody may send leaves a living association alone", "[SCTP-INIT-08]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (const char* const fields :
       {"00100000 0000 0001", "00100000 0001 0000", "000005db 0001 0001", "00000000 0001 0001"}) {
    peer.give(VerificationTag{}, std::string("01000014 11223344") + fields + "00000001");
    const SeenPacket abort = peer.poll();
    REQUIRE(abort.is_only(ChunkType::Abort));
    CHECK(abort.tag == VerificationTag{0x11223344});
    CHECK(abort.chunks[0].flags == 0);
  }
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.events<Association::Ended>().empty());
}

TEST_CASE("an INIT ACK that nobody waits for draws nothing", "[SCTP-INIT-10]") {
  ScriptedPeer echoed, up;
  echoed.connect_to_cookie_echoed();
  up.establish_actively();
  up.drain();
  for (ScriptedPeer* peer : {&echoed, &up}) {
    const State before = peer->association.state();
    CHECK(peer->give(peer->local_tag, ScriptedPeer::init_ack("99999999")) == Drop::SctpState);
    CHECK(peer->is_silent());
    CHECK(peer->association.state() == before);
  }
}

TEST_CASE("INIT on the way to the end is answered as in ESTABLISHED, but for the last state",
          "[SCTP-INIT-14]") {
  for (const State wanted : {State::ShutdownPending, State::ShutdownSent, State::ShutdownReceived}) {
    ScriptedPeer peer;
    peer.establish_passively();
    if (wanted != State::ShutdownSent) {
      REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
      peer.drain();
    }
    if (wanted == State::ShutdownReceived) {
      peer.give(peer.local_tag, "07000008" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1));
    } else {
      peer.association.shutdown(peer.now);
    }
    peer.drain();
    REQUIRE(peer.association.state() == wanted);
    const auto answer = peer.answer_to_init(ScriptedPeer::init(kOther));
    CHECK(answer.tag != peer.local_tag);
    CHECK(load_u32(answer.cookie.data() + 16) != 0);
    CHECK(load_u32(answer.cookie.data() + 20) != 0);
    CHECK(peer.association.state() == wanted);
  }
}

TEST_CASE("an INIT while we set up does not put T1 off", "[SCTP-INIT-15]") {
  ScriptedPeer peer;
  peer.connect();
  for (int stage = 0; stage < 2; ++stage) {
    const Time due = peer.association.next_timeout();
    peer.now += 100ms;
    peer.answer_to_init(ScriptedPeer::init());
    CHECK(peer.association.next_timeout() == due);
    if (stage == 0) REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
    peer.drain();
  }
}

TEST_CASE("tie-tags are two random numbers of each association, whoever began it", "[SCTP-INIT-16]") {
  const auto ties_of = [](std::uint64_t seed, bool active) {
    ScriptedPeer peer({}, seed);
    active ? peer.establish_actively() : peer.establish_passively();
    peer.drain();
    return load_u64(peer.answer_to_init(ScriptedPeer::init(kOther)).cookie.data() + 16);
  };
  std::uint32_t local = 0, remote = 0;
  for (const bool active : {false, true}) {
    const std::uint64_t first = ties_of(1, active), second = ties_of(2, active);
    for (const std::uint64_t ties : {first, second}) {
      CHECK(ties >> 32 != 0);
      CHECK((ties & 0xffffffff) != 0);
      CHECK(ties >> 32 != (ties & 0xffffffff));
    }
    local |= static_cast<std::uint32_t>((first ^ second) >> 32);
    remote |= static_cast<std::uint32_t>(first ^ second);
  }
  CHECK((local != 0 && remote != 0));
  // Each of the two, not just one.
  CHECK(ties_of(3, true) >> 32 != ties_of(4, true) >> 32);
  CHECK((ties_of(3, true) & 0xffffffff) != (ties_of(4, true) & 0xffffffff));
}

TEST_CASE("an INIT ACK that asks for more streams than we take is taken; ids above are refused one by one",
          "[SCTP-INIT-20][lim.sctp.streams]") {
  ScriptedPeer peer;
  peer.environment.env.limits.sctp_streams = 10;
  peer.connect();
  REQUIRE(peer.give(peer.local_tag,
                    ScriptedPeer::chunk(ChunkType::InitAck, hex(init_ack_with("ffffffff", "aabbccdd")))) ==
          Drop::None);
  REQUIRE(peer.poll().is_only(ChunkType::CookieEcho));
  REQUIRE(peer.give(peer.local_tag, "0b000004") == Drop::None);
  const auto connected = peer.events<Association::Connected>();
  REQUIRE(connected.size() == 1);
  CHECK(connected[0].inbound_streams == 10);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn, 9)) == Drop::None);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn + 1, 10)) == Drop::SctpStream);
}

TEST_CASE("the largest cookie is the one whose COOKIE ECHO fills a packet", "[SCTP-INIT-21]") {
  for (const std::size_t size : {1172u, 1173u}) {
    ScriptedPeer peer;
    peer.connect();
    peer.give(
        peer.local_tag,
        ScriptedPeer::chunk(ChunkType::InitAck, hex(init_ack_with("ffffffff", std::string(2 * size, 'a')))));
    const SeenPacket seen = peer.poll();
    if (size == 1172) {
      REQUIRE(seen.is_only(ChunkType::CookieEcho));
      CHECK(seen.size == 1188);
    } else {
      CHECK(seen.is_only(ChunkType::Abort));
      CHECK(peer.association.state() == State::Closed);
    }
  }
}

TEST_CASE("the cookie goes back byte for byte, whatever its length", "[SCTP-CKI-11]") {
  for (const char* const cookie : {"01", "0102", "010203", "0102030405060708090a0b"}) {
    ScriptedPeer peer;
    peer.connect();
    REQUIRE(peer.give(peer.local_tag,
                      ScriptedPeer::chunk(ChunkType::InitAck, hex(init_ack_with("ffffffff", cookie)))) ==
            Drop::None);
    const SeenPacket echo = peer.poll();
    REQUIRE(echo.is_only(ChunkType::CookieEcho));
    CHECK(to_hex(echo.chunks[0].value) == cookie);
  }
}

TEST_CASE("behind a cookie that is refused nothing of the packet counts, in a living association neither",
          "[SCTP-CKI-01]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  REQUIRE(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
  peer.drain();
  const std::string data = ScriptedPeer::data(ScriptedPeer::kPeerTsn);
  for (std::size_t byte = 0; byte < answer.cookie.size(); ++byte) {
    for (const int bit : std::initializer_list<int>{0, 7}) {
      auto forged = answer;
      forged.cookie[byte] ^= static_cast<std::uint8_t>(1 << bit);
      // The tag of such a packet is only compared with its cookie's: behind it anything could be smuggled in.
      CHECK(peer.give(answer.tag, joined(cookie_echo(forged), data)) == Drop::SctpCookie);
      CHECK(peer.give(kWrong, joined(cookie_echo(forged), data)) == Drop::SctpCookie);
    }
  }
  CHECK(peer.is_silent());
  Message message(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(message));
  CHECK(peer.give(peer.association.state() == State::Established ? answer.tag : kWrong, data) == Drop::None);
  CHECK(peer.association.receive(message));
}

TEST_CASE("a cookie is good for its whole life, to the microsecond", "[SCTP-CKI-03]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  peer.now += 60s;
  CHECK(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
  ScriptedPeer late;
  const auto other = late.answer_to_init(ScriptedPeer::init());
  late.now += 60s + 1us;
  CHECK(late.give(other.tag, cookie_echo(other)) == Drop::SctpCookie);
}

TEST_CASE("an old cookie that has only one of the association's tags is stale", "[SCTP-CKI-08]") {
  ScriptedPeer peer;
  peer.connect();  // cookies made now have our tag
  const auto first = peer.answer_to_init(ScriptedPeer::init());
  const auto second = peer.answer_to_init(ScriptedPeer::init(kOther));
  REQUIRE(first.tag == second.tag);
  REQUIRE(peer.give(first.tag, cookie_echo(first)) == Drop::None);
  peer.drain();
  const auto third = peer.answer_to_init(ScriptedPeer::init());  // the peer's tag, and a new one for us
  REQUIRE(third.tag != first.tag);
  peer.now += 61s;
  for (const auto* answer : {&second, &third}) {
    CHECK(peer.give(answer->tag, cookie_echo(*answer)) == Drop::SctpCookie);
    const SeenPacket error = peer.poll();
    REQUIRE(error.find(ChunkType::Error) != nullptr);
    CHECK(has_cause(error.find(ChunkType::Error)->value, CauseCode::StaleCookie));
  }
  CHECK(peer.give(first.tag, cookie_echo(first)) == Drop::None);  // both tags: good for ever
  CHECK(peer.poll().find(ChunkType::CookieAck) != nullptr);
}

TEST_CASE("ERROR(stale cookie) in COOKIE-WAIT is nothing, and does not use up the one new try",
          "[SCTP-CKI-13]") {
  ScriptedPeer peer;
  peer.connect();
  const Time due = peer.association.next_timeout();
  peer.now += 100ms;
  peer.give(peer.local_tag, kStaleCookie);
  CHECK(peer.association.state() == State::CookieWait);
  CHECK(peer.association.next_timeout() == due);
  CHECK(peer.is_silent());
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  peer.drain();
  CHECK(peer.give(peer.local_tag, kStaleCookie) == Drop::None);
  CHECK(peer.association.state() == State::CookieWait);
  CHECK(peer.poll().is_only(ChunkType::Init));
}

TEST_CASE("after a restart no event of before comes, nor a reply that was owed",
          "[SCTP-CKI-05][SCTP-RST-06]") {
  for (const bool all : {false, true}) {
    ScriptedPeer peer;
    peer.establish_passively();
    peer.events<Association::Connected>();
    const auto answer = peer.answer_to_init(ScriptedPeer::init(kOther));
    REQUIRE(peer.association.reset_stream(peer.now, 3));
    peer.drain();
    // Ours is performed, the peer has reset its own, a HEARTBEAT and a second reset wait for their answers: and nobody has asked.
    peer.give(peer.local_tag,
              "82000010 0010000c" + ScriptedPeer::u32_hex(peer.local_tsn.value()) + "00000001");
    const std::string head = all ? "82000014 000d0010" : "82000016 000d0012";
    peer.give(peer.local_tag, head + ScriptedPeer::u32_hex(ScriptedPeer::kPeerTsn) + "00000000" +
                                  ScriptedPeer::u32_hex(ScriptedPeer::kPeerTsn - 1) +
                                  (all ? "" : "0005 0000"));
    peer.give(peer.local_tag, kHeartbeat);
    REQUIRE(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
    Association::Event event;
    REQUIRE(peer.association.poll_event(event));
    CHECK(std::holds_alternative<Association::Restarted>(event));
    CHECK_FALSE(peer.association.poll_event(event));
    const SeenPacket ack = peer.poll();
    CHECK(ack.is_only(ChunkType::CookieAck));
    CHECK(ack.tag == kOther);
    CHECK(peer.is_silent());
  }
}

TEST_CASE("after a restart neither a shutdown nor a reset of before goes on", "[SCTP-CKI-05][SCTP-RST-06]") {
  for (const bool is_sent : {false, true}) {
    ScriptedPeer peer;
    peer.establish_passively();
    peer.events<Association::Connected>();
    REQUIRE(peer.association.reset_stream(peer.now, 3));
    if (is_sent) peer.drain();
    const auto answer = peer.answer_to_init(ScriptedPeer::init(kOther));
    peer.association.shutdown(peer.now);
    if (is_sent) {
      peer.drain();
      REQUIRE(peer.association.state() == State::ShutdownSent);
    }
    REQUIRE(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
    CHECK(peer.association.state() == State::Established);
    CHECK(peer.poll().is_only(ChunkType::CookieAck));
    CHECK(peer.is_silent());
    CHECK(peer.association.next_timeout() > peer.now + 25s);  // nothing but the HEARTBEAT
    live_quietly(peer, answer.tag, 400s);                     // longer than any shutdown may take
    CHECK(peer.association.state() == State::Established);
    // Who ends it now is the peer.
    peer.give(answer.tag, "07000008" + ScriptedPeer::u32_hex(answer.tsn.value() - 1));
    CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
    peer.give(answer.tag, "0e000004");
    const auto ended = peer.events<Association::Ended>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].reason == Close::Remote);
  }
}

TEST_CASE("a probe of before a restart measures and confirms nothing after it", "[SCTP-CKI-05]") {
  ScriptedPeer peer({.mtu = 1131, .max_ip = 1500, .below = 69});
  peer.establish_passively();
  const SeenPacket probe = peer.poll();
  REQUIRE(probe.find(ChunkType::Pad) != nullptr);
  const VerificationTag tag = restart(peer);
  peer.now += 50ms;
  CHECK(peer.give(tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, probe.chunks[0].value)) ==
        Drop::SctpHeartbeat);
  CHECK(peer.association.stats().srtt == 0ms);
}

TEST_CASE("a restart begins with the first cwnd, ssthresh and RTO, whatever was lost before",
          "[SCTP-CKI-15]") {
  AssociationConfig config;
  config.parameters.congestion = CongestionAlgorithm::NewReno;  // the one that has an ssthresh to look at
  ScriptedPeer peer(config);
  peer.establish_passively();
  const AssociationStats first = peer.association.stats();
  CHECK(first.rto == 500ms);
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(5000, 1)));
  peer.drain();
  for (int i = 0; i < 3; ++i) {
    peer.next_timeout();
    peer.drain();
  }
  const AssociationStats lost = peer.association.stats();
  REQUIRE((lost.cwnd < first.cwnd && lost.ssthresh < first.ssthresh && lost.rto > first.rto));
  restart(peer);
  const AssociationStats again = peer.association.stats();
  CHECK(again.cwnd == first.cwnd);
  CHECK(again.ssthresh == first.ssthresh);
  CHECK(again.rto == first.rto);
  CHECK(again.outstanding_bytes == 0);
  CHECK(peer.association.next_timeout() > peer.now + 25s);
}

TEST_CASE("a cookie cannot switch on I-DATA where we do not offer it", "[SCTP-CKI-02]") {
  AssociationConfig config;
  config.interleaving = false;
  ScriptedPeer peer(config);
  const auto answer =
      peer.answer_to_init(hex("01000020" + ScriptedPeer::init_fields() + "c0000004 80080008 82c040c2"));
  REQUIRE(peer.give(answer.tag, cookie_echo(answer)) == Drop::None);
  CHECK_FALSE(peer.association.is_interleaving());
  peer.drain();
  CHECK(peer.give(answer.tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  CHECK(peer.poll().find(ChunkType::Data) != nullptr);
}
