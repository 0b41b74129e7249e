// COOKIE ECHO and COOKIE ACK against a scripted peer: forged, stale, late and doubled cookies, collision and restart (RFC
// 9260 §5.1.5, §5.2.4, §5.2.6).
#include "scripted_peer.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

TEST_CASE("a forged, foreign or misplaced cookie drops the packet with its DATA",
          "[SCTP-CKI-01][SCTP-CKI-07]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  const auto data = hex(ScriptedPeer::data(ScriptedPeer::kPeerTsn));
  const auto echo = [&](VerificationTag tag, Bytes cookie) {
    ByteVector chunks = ScriptedPeer::chunk(ChunkType::CookieEcho, cookie);
    chunks.insert(chunks.end(), data.begin(), data.end());
    return peer.give(tag, chunks);
  };
  ByteVector forged = answer.cookie;
  forged[30] ^= 1;
  CHECK(echo(answer.tag, forged) == Drop::SctpCookie);
  CHECK(echo(VerificationTag{value_of(answer.tag) + 1}, answer.cookie) == Drop::SctpCookie);
  ScriptedPeer stranger({}, 99);
  CHECK(echo(answer.tag, stranger.answer_to_init(ScriptedPeer::init()).cookie) == Drop::SctpCookie);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.is_silent());
  CHECK(echo(answer.tag, answer.cookie) == Drop::None);
  const SeenPacket ack =
      peer.poll();  // the DATA that rode along is acknowledged at once, behind the COOKIE ACK
  REQUIRE(ack.chunks.size() == 2);
  CHECK(ack.chunks[0].type == ChunkType::CookieAck);
  REQUIRE(ack.chunks[1].type == ChunkType::Sack);
  CHECK(load_u32(ack.chunks[1].value.data()) == ScriptedPeer::kPeerTsn);
}

TEST_CASE("a stale cookie is refused with its staleness; a clock that steps back makes none stale",
          "[SCTP-CKI-03]") {
  ScriptedPeer peer;
  peer.now = Time(1000s);
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  const auto echo = ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie);
  peer.now += 60s + 5us;
  CHECK(peer.give(answer.tag, echo) == Drop::SctpCookie);
  const SeenPacket error = peer.poll();
  REQUIRE(error.is_only(ChunkType::Error));
  CHECK(error.tag == ScriptedPeer::kPeerTag);
  CHECK(to_hex(error.chunks[0].value) ==
        "00030008"
        "00000005");
  CHECK(peer.association.state() == State::Closed);
  peer.now = Time(900s);
  CHECK(peer.give(answer.tag, echo) == Drop::None);
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE("COOKIE ECHO of this very association is answered again, however old",
          "[SCTP-CKI-04][SCTP-CKI-08]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(ScriptedPeer::init());
  const auto echo = ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie);
  REQUIRE(peer.give(answer.tag, echo) == Drop::None);
  REQUIRE(peer.poll().is_only(ChunkType::CookieAck));
  peer.events<Association::Connected>();
  peer.now += 300s;
  CHECK(peer.give(answer.tag, echo) == Drop::None);
  CHECK(peer.poll().find(ChunkType::CookieAck) != nullptr);
  CHECK(peer.events<Association::Connected>().empty());
}

TEST_CASE("collision in COOKIE-WAIT: the peer's COOKIE ECHO sets us up, T1 stops", "[SCTP-CKI-04]") {
  ScriptedPeer peer;
  peer.connect();
  const auto answer = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x4242}));
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::CookieAck));
  CHECK(ack.tag == VerificationTag{0x4242});
  CHECK(peer.association.next_timeout() > peer.now + 20s);  // nothing but the heartbeat
}

TEST_CASE("collision in COOKIE-ECHOED: the tag of the cookie replaces that of the INIT ACK",
          "[SCTP-CKI-04]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  const auto answer = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x4242}));
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::CookieAck));
  CHECK(ack.tag == VerificationTag{0x4242});
}

TEST_CASE("a late cookie is dropped, timers run on", "[SCTP-CKI-04]") {
  ScriptedPeer peer;
  const auto late = peer.answer_to_init(ScriptedPeer::init());  // made before our own INIT
  peer.connect_to_cookie_echoed();                              // with the peer's same tag
  const Time due = peer.association.next_timeout();
  CHECK(peer.give(late.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, late.cookie)) == Drop::SctpCookie);
  CHECK(peer.association.state() == State::CookieEchoed);
  CHECK(peer.association.next_timeout() == due);
  CHECK(peer.is_silent());
}

TEST_CASE("restart: everything begins anew, the application is told once, old messages are gone",
          "[SCTP-CKI-04][SCTP-CKI-05][SCTP-CKI-15]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.events<Association::Connected>();
  const std::uint32_t cwnd = peer.association.stats().cwnd;
  // Half a message from the peer, one complete that nobody has read, one of ours unacknowledged.
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  CHECK(peer.give(peer.local_tag, "00020014" + ScriptedPeer::u32_hex(ScriptedPeer::kPeerTsn + 1) +
                                      "0001 0001 00000033 70696e67") == Drop::None);
  const ByteVector large(5000, 0x55);
  REQUIRE(peer.association.send(peer.now, {.stream = 3}, large));
  peer.drain();

  const auto answer = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x99}));
  CHECK(peer.events<Association::Restarted>().empty());
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.events<Association::Restarted>().size() == 1);
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::CookieAck));
  CHECK(ack.tag == VerificationTag{0x99});
  CHECK(peer.is_silent());
  CHECK(peer.association.stats().cwnd == cwnd);
  CHECK(peer.association.buffered_total() == 0);
  Message message(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(message));
  // The old tag is worth nothing any more; TSN and SSN begin again.
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::SctpTag);
  CHECK(peer.give(answer.tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  CHECK(peer.association.receive(message));
  // The cookie once more is a duplicate, not another restart.
  CHECK(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  CHECK(peer.events<Association::Restarted>().empty());
}

TEST_CASE("a storm of restarts is slowed down", "[ATK-13][lim.sctp.ootb_replies_per_second]") {
  ScriptedPeer peer;
  peer.establish_passively();
  std::size_t restarts = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto answer = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x1000 + i}));
    peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie));
    restarts += peer.events<Association::Restarted>().size();
    peer.drain();
  }
  CHECK(restarts == peer.environment.env.limits.sctp_ootb_replies_per_second);
}

TEST_CASE("restart while the shutdown is nearly over: SHUTDOWN ACK again, and an ERROR that says why",
          "[SCTP-CKI-09][SCTP-END-07]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const auto restart = peer.answer_to_init(ScriptedPeer::init(VerificationTag{0x99}));
  REQUIRE(peer.give(peer.local_tag, "07000008" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1)) ==
          Drop::None);
  REQUIRE(peer.association.state() == State::ShutdownAckSent);
  REQUIRE(peer.poll().is_only(ChunkType::ShutdownAck));
  CHECK(peer.give(restart.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, restart.cookie)) ==
        Drop::SctpState);
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.chunks.size() == 2);
  CHECK(seen.find(ChunkType::ShutdownAck) != nullptr);
  REQUIRE(seen.find(ChunkType::Error) != nullptr);
  CHECK(to_hex(seen.find(ChunkType::Error)->value) == "000a0004");
  CHECK(peer.association.state() == State::ShutdownAckSent);
  // An INIT now is dropped, and answered the same way.
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init()) == Drop::SctpState);
  CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
}

TEST_CASE("COOKIE ACK in any state but COOKIE-ECHOED is dropped", "[SCTP-CKI-12]") {
  ScriptedPeer peer;
  peer.connect();
  CHECK(peer.give(peer.local_tag, "0b000004") == Drop::SctpState);
  CHECK(peer.association.state() == State::CookieWait);
  ScriptedPeer up;
  up.establish_actively();
  CHECK(up.give(up.local_tag, "0b000004") == Drop::SctpState);
}

TEST_CASE("ERROR(stale cookie): one new INIT, then the set-up has failed; elsewhere nothing",
          "[SCTP-CKI-13]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  CHECK(peer.give(peer.local_tag, "0900000c 00030008 00000001") == Drop::None);
  CHECK(peer.association.state() == State::CookieWait);
  CHECK(peer.poll().is_only(ChunkType::Init));
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  peer.drain();
  CHECK(peer.give(peer.local_tag, "0900000c 00030008 00000001") == Drop::None);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.events<Association::Ended>().size() == 1);
  ScriptedPeer up;
  up.establish_actively();
  up.give(up.local_tag, "0900000c 00030008 00000001");
  CHECK(up.association.state() == State::Established);
}

TEST_CASE("the cookie has one size, whatever the INIT holds", "[SCTP-CKI-14][SCTP-PMTU-08]") {
  ScriptedPeer peer;
  const auto bare = peer.answer_to_init(hex("01000014" + ScriptedPeer::init_fields()));
  ByteVector value = hex(ScriptedPeer::init_fields() + "80050200");
  value.resize(16 + 0x200);
  const auto padded = peer.answer_to_init(ScriptedPeer::chunk(ChunkType::Init, value));
  CHECK(padded.cookie.size() == bare.cookie.size());
  peer.give(VerificationTag{}, ScriptedPeer::chunk(ChunkType::Init, value));
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::InitAck));
  CHECK(to_hex(Bytes(ack.chunks[0].value).subspan(16 + 4 + kCookieSize)) == "c00000048008000882c040c2");
}
