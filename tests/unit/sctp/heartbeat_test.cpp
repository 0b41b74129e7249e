// HEARTBEAT and the error counter: RFC 9260 §8.
#include "scripted_peer.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
// The HEARTBEAT that is due next, in virtual time.
SeenPacket next_heartbeat(ScriptedPeer& peer) {
  for (int i = 0; i < 10; ++i) {
    peer.next_timeout();
    SeenPacket seen = peer.poll();
    if (seen.find(ChunkType::Heartbeat) != nullptr) return seen;
  }
  FAIL("no HEARTBEAT");
  return {};
}
}  // namespace

TEST_CASE("HEARTBEAT is answered with the same bytes; one whose answer fits no packet is dropped",
          "[SCTP-HB-01]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, "04000015 00010009 1122334455 000000 00990005 ab 000000") == Drop::None);
  const SeenPacket ack = peer.poll();
  REQUIRE(ack.is_only(ChunkType::HeartbeatAck));
  CHECK(to_hex(ack.chunks[0].value) == "00010009112233445500000000990005ab");
  const auto with_info = [](std::size_t size) {
    return ScriptedPeer::chunk(ChunkType::Heartbeat, ByteVector(size, 0x11));
  };
  CHECK(peer.give(peer.local_tag, with_info(1188 - 12 - 4)) == Drop::None);
  CHECK(peer.poll().size == 1188);
  CHECK(peer.give(peer.local_tag, with_info(1188 - 12 - 3)) == Drop::SctpHeartbeat);
  CHECK(peer.is_silent());
}

TEST_CASE("HEARTBEAT is answered from COOKIE-ECHOED on, not before", "[SCTP-HB-04]") {
  const char* const heartbeat = "0400000c 00010008 11223344";
  ScriptedPeer peer;
  peer.connect();
  CHECK(peer.give(peer.local_tag, heartbeat) == Drop::SctpState);
  CHECK(peer.is_silent());
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  peer.drain();
  CHECK(peer.give(peer.local_tag, heartbeat) == Drop::None);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
  peer.give(peer.local_tag, "0b000004");
  peer.association.shutdown(peer.now);
  REQUIRE(peer.association.state() == State::ShutdownSent);
  peer.drain();
  CHECK(peer.give(peer.local_tag, heartbeat) == Drop::None);
  CHECK(peer.poll().find(ChunkType::HeartbeatAck) != nullptr);
}

TEST_CASE("a flood of HEARTBEATs draws no more bytes than it has, and no queue", "[ATK-14]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::size_t before = peer.environment.bytes_in_use();
  for (int i = 0; i < 1000; ++i) peer.give(peer.local_tag, "0400000c 00010008 11223344");
  std::size_t packets = 0, bytes = 0;
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
    ++packets;
    bytes += seen.size;
  }
  CHECK(packets == Replies::kCapacity);
  CHECK(bytes <= 1000u * 24u);
  CHECK(peer.environment.bytes_in_use() <= before + Replies::kCapacity * 1200);
}

TEST_CASE("a HEARTBEAT goes out after 30 s and an RTO, give or take half an RTO, of idleness",
          "[SCTP-HB-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const Time start = peer.now;
  const Duration rto = peer.association.stats().rto;
  const SeenPacket heartbeat = next_heartbeat(peer);
  CHECK(heartbeat.is_only(ChunkType::Heartbeat));
  CHECK(peer.now - start >= 30s + rto / 2);
  CHECK(peer.now - start <= 30s + rto + rto / 2);
  // Its ACK gives a round trip.
  peer.now += 50ms;
  CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, heartbeat.chunks[0].value)) ==
        Drop::None);
  CHECK(peer.association.stats().srtt == 50ms);
  // Not while data flows.
  const std::array<std::uint8_t, 1> message = {1};
  for (std::uint32_t i = 0; i < 8; ++i) {
    peer.now += 10s;
    peer.association.handle_timeout(peer.now);
    REQUIRE(peer.association.send(peer.now, {}, message));
    const SeenPacket seen = peer.poll();
    CHECK(seen.find(ChunkType::Data) != nullptr);
    CHECK(seen.find(ChunkType::Heartbeat) == nullptr);
    CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + i)) == Drop::None);
    peer.drain();
  }
  // None once SHUTDOWN went out.
  peer.association.shutdown(peer.now);
  REQUIRE(peer.association.state() == State::ShutdownSent);
  while (peer.association.state() == State::ShutdownSent) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      CHECK(seen.find(ChunkType::Heartbeat) == nullptr);
    }
  }
}

TEST_CASE("a peer that wants to end is asked whether it is there for as long as it has not got everything",
          "[SCTP-HB-05]") {
  AssociationConfig config;
  config.parameters.heartbeat_interval = 100ms;  // so that the T3-rtx timer leaves room for it
  ScriptedPeer peer(config);
  peer.establish_passively();
  peer.drain();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  peer.give(peer.local_tag, "07000008" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1));
  REQUIRE(peer.association.state() == State::ShutdownReceived);
  int heartbeats = 0;
  while (peer.association.state() == State::ShutdownReceived) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      heartbeats += seen.find(ChunkType::Heartbeat) != nullptr ? 1 : 0;
  }
  CHECK(heartbeats > 0);
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE("where something below watches the peer no HEARTBEAT goes out, and those that come are answered",
          "[SCTP-HB-01]") {
  AssociationConfig config;
  config.parameters = Parameters::over_watched_path();
  config.max_ip = 0;  // no probes either
  ScriptedPeer peer(config);
  peer.establish_passively();
  peer.drain();
  CHECK(peer.association.next_timeout() == kNever);
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  CHECK(peer.poll().find(ChunkType::Data) != nullptr);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value())) == Drop::None);
  while (peer.association.next_timeout() != kNever) {
    peer.next_timeout();
    CHECK(peer.is_silent());
  }
  CHECK(peer.give(peer.local_tag, "0400000c 00010008 11223344") == Drop::None);
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
}

TEST_CASE(
    "where something below watches the peer a HEARTBEAT asks whether one that leaves something unanswered is "
    "there",
    "[SCTP-HB-03]") {
  AssociationConfig config;
  config.parameters = Parameters::over_watched_path();
  config.parameters.association_max_retrans = 30;
  ScriptedPeer peer(config);
  peer.establish_passively();
  peer.drain();
  // A RE-CONFIG is never answered; everything else is.
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  REQUIRE(peer.association.reset_stream(peer.now, 7));
  int heartbeats = 0;
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value())) == Drop::None);
  REQUIRE(peer.poll().find(ChunkType::ReConfig) != nullptr);
  for (const Time until = peer.now + 600s; peer.now < until;) {
    REQUIRE(peer.association.next_timeout() != kNever);
    peer.next_timeout();
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      const auto* const asked = seen.find(ChunkType::Heartbeat);
      if (asked == nullptr) continue;
      ++heartbeats;
      CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, asked->value)) ==
            Drop::None);
    }
  }
  CHECK(heartbeats >= 600 / 40);
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE("a HEARTBEAT ACK with a wrong or replayed nonce clears nothing", "[SCTP-HB-02]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const auto first = ScriptedPeer::chunk(ChunkType::HeartbeatAck, next_heartbeat(peer).chunks[0].value);
  ByteVector wrong = first;
  wrong.back() ^= 1;
  CHECK(peer.give(peer.local_tag, wrong) == Drop::SctpHeartbeat);
  CHECK(peer.give(peer.local_tag, "05000004") == Drop::SctpHeartbeat);
  CHECK(peer.give(peer.local_tag, "0500000c 00010008 00000000") == Drop::SctpHeartbeat);
  peer.next_timeout();  // unanswered: an error
  const auto second = next_heartbeat(peer);
  CHECK(peer.give(peer.local_tag, first) == Drop::SctpHeartbeat);
  const Time due = peer.association.next_timeout();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, second.chunks[0].value)) ==
        Drop::None);
  CHECK(peer.association.next_timeout() > due);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, second.chunks[0].value)) ==
        Drop::SctpHeartbeat);
}

TEST_CASE("more than ten errors in a row end the association; an answer starts the count again",
          "[SCTP-HB-03][SCTP-HB-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const auto unanswered = [&] {
    int count = 0;
    while (peer.association.state() == State::Established) {
      peer.now = peer.association.next_timeout();
      peer.association.handle_timeout(peer.now);
      for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
        if (seen.find(ChunkType::Heartbeat) != nullptr) ++count;
      }
      if (count == 10) break;
    }
    return count;
  };
  REQUIRE(unanswered() == 10);
  peer.next_timeout();  // the tenth error
  CHECK(peer.association.state() == State::Established);
  const SeenPacket heartbeat = next_heartbeat(peer);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck,
                                                      heartbeat.find(ChunkType::Heartbeat)->value)) ==
        Drop::None);
  CHECK(unanswered() == 10);
  peer.next_timeout();
  next_heartbeat(peer);
  peer.association.handle_timeout(peer.association.next_timeout());  // the eleventh
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::SctpUnreachable);
  CHECK(peer.poll().is_only(ChunkType::Abort));
}

// Where the round trip is longer than the RTO, or all is given up as T3 runs out, no acknowledgement ever measures anything.
TEST_CASE("after three timeouts without a measurement a HEARTBEAT measures", "[SCTP-HB-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  REQUIRE(peer.poll().is_only(ChunkType::Data));
  for (int i = 0; i < 2; ++i) {
    peer.next_timeout();
    REQUIRE(peer.poll().is_only(ChunkType::Data));
  }
  peer.next_timeout();
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.find(ChunkType::Data) != nullptr);
  REQUIRE(seen.find(ChunkType::Heartbeat) != nullptr);
  const ByteVector ack = ScriptedPeer::chunk(ChunkType::HeartbeatAck, seen.find(ChunkType::Heartbeat)->value);
  REQUIRE(peer.association.stats().srtt == 0ms);
  SECTION("its answer is a round trip, once") {
    peer.now += 700ms;
    CHECK(peer.give(peer.local_tag, ack) == Drop::None);
    CHECK(peer.association.stats().srtt == 700ms);
    peer.now += 100ms;
    CHECK(peer.give(peer.local_tag, ack) == Drop::SctpHeartbeat);
    CHECK(peer.association.stats().srtt == 700ms);
  }
  SECTION("it is waited for through the next timeout, but not for ever") {
    const Time sent = peer.now;
    bool is_again = false;
    while (!is_again) {
      peer.next_timeout();
      const SeenPacket next = peer.poll();
      is_again = next.find(ChunkType::Heartbeat) != nullptr;
      CHECK(is_again == (peer.now - sent > 6s));
    }
    CHECK(peer.give(peer.local_tag, ack) == Drop::SctpHeartbeat);
  }
  SECTION("an answer that was held up says that the peer is there, and no more") {
    peer.now += 6001ms;
    CHECK(peer.give(peer.local_tag, ack) == Drop::None);
    CHECK(peer.association.stats().srtt == 0ms);
  }
  SECTION("on another path it is no answer") {
    peer.association.on_path_change(peer.now, {});
    CHECK(peer.give(peer.local_tag, ack) == Drop::SctpHeartbeat);
  }
}

TEST_CASE("T3 counts as an error, a SACK that acknowledges something clears the count", "[SCTP-HB-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  peer.drain();
  std::uint32_t sent = 0;
  for (int round = 0; round < 2; ++round) {
    const std::uint64_t before = peer.association.stats().retransmissions;
    while (peer.association.stats().retransmissions < before + 8) {
      peer.now = peer.association.next_timeout();
      peer.association.handle_timeout(peer.now);
      peer.drain();
      REQUIRE(peer.association.state() == State::Established);
      // A SACK of nothing new does not help.
      peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() - 1 + sent));
    }
    if (round == 0) {
      CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + sent++)) == Drop::None);
      REQUIRE(peer.association.send(peer.now, {}, message));
      peer.drain();
    }
  }
  for (int i = 0; i < 60 && peer.association.state() == State::Established; ++i) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    peer.drain();
  }
  CHECK(peer.association.state() == State::Closed);
}
