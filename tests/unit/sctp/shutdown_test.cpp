// The end of an association: RFC 9260 §9.
#include "scripted_peer.h"
#include "sctp/chunk_control.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
const char* const kShutdownAck = "08000004";
const char* const kShutdownComplete = "0e000004";
std::string shutdown_of(const ScriptedPeer& peer, std::uint32_t sent = 0) {
  return "07000008" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1 + sent);
}
const Association::Ended* ended(const TwoAssociations::End& end) {
  for (const auto& event : end.events) {
    if (const auto* e = std::get_if<Association::Ended>(&event)) return e;
  }
  return nullptr;
}
}  // namespace

TEST_CASE("shutdown waits for what is outstanding, then SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE",
          "[SCTP-END-01][SCTP-END-09]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  peer.association.shutdown(peer.now);
  CHECK(peer.association.state() == State::ShutdownPending);
  CHECK(peer.is_silent());
  CHECK(peer.association.send(peer.now, {}, message).error() == ErrorCode::InvalidState);  // [SCTP-END-12]
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  peer.drain();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value())) == Drop::None);
  CHECK(peer.association.state() == State::ShutdownSent);
  const SeenPacket sent = peer.poll();
  REQUIRE(sent.find(ChunkType::Shutdown) != nullptr);
  CHECK(load_u32(sent.find(ChunkType::Shutdown)->value.data()) == ScriptedPeer::kPeerTsn);
  CHECK(peer.give(peer.local_tag, kShutdownAck) == Drop::None);
  const SeenPacket complete = peer.poll();
  REQUIRE(complete.is_only(ChunkType::ShutdownComplete));
  CHECK(complete.tag == ScriptedPeer::kPeerTag);
  CHECK(complete.chunks[0].flags == 0);
  CHECK(peer.association.state() == State::Closed);
  const auto events = peer.events<Association::Ended>();
  REQUIRE(events.size() == 1);
  CHECK(events[0].reason == Close::Local);
  CHECK(peer.association.next_timeout() == kNever);
  // Lost? The peer asks again, and is answered out of the blue.
  CHECK(peer.give(peer.local_tag, kShutdownAck) == Drop::SctpOutOfTheBlue);
  CHECK(peer.poll().is_only(ChunkType::ShutdownComplete));
}

TEST_CASE("T2 sends SHUTDOWN again with the current cumulative TSN, and gives up after ten",
          "[SCTP-END-01][SCTP-END-06]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.shutdown(peer.now);
  REQUIRE(peer.poll().is_only(ChunkType::Shutdown));
  // DATA in SHUTDOWN-SENT: SHUTDOWN at once, and the count begins again.
  for (int i = 0; i < 3; ++i) {
    peer.next_timeout();
    REQUIRE(peer.poll().find(ChunkType::Shutdown) != nullptr);
  }
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
  const SeenPacket at_once = peer.poll();
  REQUIRE(at_once.find(ChunkType::Shutdown) != nullptr);
  CHECK(load_u32(at_once.find(ChunkType::Shutdown)->value.data()) == ScriptedPeer::kPeerTsn);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn + 2)) == Drop::None);
  CHECK(peer.poll().find(ChunkType::Sack) != nullptr);  // there is a gap
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn + 20'000)) == Drop::SctpWindow);
  CHECK(peer.poll().find(ChunkType::Sack) != nullptr);  // it still is, though what came is not taken
  std::size_t again = 0;
  while (peer.association.state() == State::ShutdownSent && again < 50) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    if (peer.poll().find(ChunkType::Shutdown) != nullptr) ++again;
    peer.drain();
  }
  CHECK(again <= 10);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::SctpUnreachable);
}

TEST_CASE(
    "SHUTDOWN with data of ours unacknowledged: it is delivered, nothing new is taken, SHUTDOWN ACK after it",
    "[SCTP-END-02][SCTP-END-12]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  REQUIRE(peer.association.send(peer.now, {}, message));
  peer.drain();
  CHECK(peer.give(peer.local_tag, shutdown_of(peer, 1)) == Drop::None);  // acknowledges the first
  CHECK(peer.association.state() == State::ShutdownReceived);
  CHECK(peer.association.send(peer.now, {}, message).error() == ErrorCode::InvalidState);
  peer.association.shutdown(peer.now);
  CHECK(peer.association.state() == State::ShutdownReceived);
  CHECK(peer.is_silent());
  peer.next_timeout();  // T3
  CHECK(peer.poll().find(ChunkType::Data) != nullptr);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 1)) == Drop::None);
  CHECK(peer.association.state() == State::ShutdownAckSent);
  CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
  CHECK(peer.give(peer.local_tag, kShutdownComplete) == Drop::None);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::Remote);
}

TEST_CASE("crossing SHUTDOWNs, and SHUTDOWN chunks that have no place", "[SCTP-END-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, kShutdownAck) == Drop::SctpState);
  CHECK(peer.association.state() == State::Established);
  peer.association.shutdown(peer.now);
  REQUIRE(peer.poll().is_only(ChunkType::Shutdown));
  CHECK(peer.give(peer.local_tag, shutdown_of(peer)) == Drop::None);
  CHECK(peer.association.state() == State::ShutdownAckSent);
  CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
  CHECK(peer.give(peer.local_tag, kShutdownAck) == Drop::None);
  CHECK(peer.poll().is_only(ChunkType::ShutdownComplete));
  CHECK(peer.association.state() == State::Closed);

  ScriptedPeer young;
  young.connect();
  CHECK(young.give(young.local_tag, "07000008 00000001") == Drop::SctpState);
  CHECK(young.association.state() == State::CookieWait);
  REQUIRE(young.give(young.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  young.drain();
  CHECK(young.give(young.local_tag, "07000008 00000001") == Drop::SctpState);
  CHECK(young.association.state() == State::CookieEchoed);
}

TEST_CASE("SHUTDOWN COMPLETE counts in SHUTDOWN-ACK-SENT only, with a right tag", "[SCTP-TAG-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, kShutdownComplete) == Drop::SctpState);
  CHECK(peer.association.state() == State::Established);
  peer.give(peer.local_tag, shutdown_of(peer));
  REQUIRE(peer.association.state() == State::ShutdownAckSent);
  CHECK(peer.give(peer.local_tag, "0e010004") == Drop::SctpTag);
  CHECK(peer.give(ScriptedPeer::kPeerTag, kShutdownComplete) == Drop::SctpTag);
  CHECK(peer.association.state() == State::ShutdownAckSent);
  CHECK(peer.give(ScriptedPeer::kPeerTag, "0e010004") == Drop::None);
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE("SHUTDOWN ACK while setting up: SHUTDOWN COMPLETE alone with the packet's tag, state and T1 stay",
          "[SCTP-END-08]") {
  ScriptedPeer peer;
  peer.connect();
  const Time due = peer.association.next_timeout();
  for (const VerificationTag tag : {VerificationTag{0x777}, peer.local_tag}) {
    peer.give(tag, kShutdownAck);
    const SeenPacket complete = peer.poll();
    REQUIRE(complete.is_only(ChunkType::ShutdownComplete));
    CHECK(complete.tag == tag);
    CHECK(complete.chunks[0].flags == kTagReflected);
  }
  CHECK(peer.association.state() == State::CookieWait);
  CHECK(peer.association.next_timeout() == due);
}

TEST_CASE("an ABORT with any causes closes, a malformed one does not", "[SCTP-END-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, "06000008 000c0003") == Drop::SctpChunkMalformed);
  CHECK(peer.give(peer.local_tag, "06000008 000c0010") == Drop::SctpChunkMalformed);
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.give(peer.local_tag, "06000008 99990004") == Drop::None);
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE("an abort of ours says so, one of the peer hands its reason up", "[SCTP-END-11]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {}, message));
  peer.association.abort(peer.now, "Close called");
  const SeenPacket abort = peer.poll();
  REQUIRE(abort.is_only(ChunkType::Abort));  // no DATA with it [SCTP-END-10]
  CHECK(to_hex(abort.chunks[0].value) ==
        "000c0010"
        "436c6f73652063616c6c6564");  // what browsers send
  CHECK(peer.is_silent());
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::Local);
  peer.association.abort(peer.now, "again");
  CHECK(peer.is_silent());

  ScriptedPeer other;
  other.establish_passively();
  other.give(other.local_tag, "06000014 000c0010 436c6f73652063616c6c6564");
  const auto events = other.events<Association::Ended>();
  REQUIRE(events.size() == 1);
  CHECK(events[0].reason == Close::RemoteAbort);
  CHECK(events[0].detail == "Close called");
  CHECK(events[0].cause_code == 12);
}

TEST_CASE("an abort in any state sends at most one ABORT, and all memory comes back", "[SCTP-END-05]") {
  for (int stage = 0; stage < 6; ++stage) {
    INFO(stage);
    TestEnvironment environment(5);
    {
      ScriptedPeer peer;
      if (stage == 1) peer.connect();
      if (stage == 2) peer.connect_to_cookie_echoed();
      if (stage >= 3) peer.establish_passively();
      const ByteVector message(3000, 1);
      if (stage >= 4) REQUIRE(peer.association.send(peer.now, {}, message));
      if (stage == 5) peer.association.shutdown(peer.now);
      peer.association.abort(peer.now, "");
      std::size_t aborts = 0;
      for (SeenPacket seen = peer.poll(); !seen.chunks.empty(); seen = peer.poll()) {
        CHECK(seen.is_only(ChunkType::Abort));
        CHECK(seen.tag == ScriptedPeer::kPeerTag);
        ++aborts;
      }
      CHECK(aborts == (stage >= 2 ? 1 : 0));
      CHECK(peer.association.state() == State::Closed);
    }
  }
  TestEnvironment environment(5);
  {
    Association association(environment.env, {});
    REQUIRE(association.connect(Time{}));
    association.handle_packet(Time{}, ByteVector(100));
  }
  CHECK(environment.bytes_in_use() == 0);
}

TEST_CASE("two ends close in order, whatever is lost: all three lost-packet cases end on both sides",
          "[SCTP-END-01]") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    TwoAssociations pair({}, seed);
    pair.connect();
    pair.link = {.delay = 20ms, .loss = 0.3, .reorder = 0.3, .duplicate = 0.2};
    const ByteVector message(4000, 7);
    for (int i = 0; i < 5; ++i) {
      REQUIRE(pair.a.association->send(pair.now, {.stream = 1, .ppid = 53}, message));
      REQUIRE(pair.b.association->send(pair.now, {.stream = 1, .ppid = 53}, message));
    }
    pair.a.association->shutdown(pair.now);
    if (seed % 3 == 0) pair.b.association->shutdown(pair.now);
    pair.run_until([&] { return ended(pair.a) != nullptr && ended(pair.b) != nullptr; }, 600s);
    REQUIRE(ended(pair.a) != nullptr);
    REQUIRE(ended(pair.b) != nullptr);
    CHECK(pair.b.received.size() == 5);
    CHECK(pair.a.association->next_timeout() == kNever);
    CHECK(pair.b.association->next_timeout() == kNever);
  }
}

TEST_CASE("a shutdown sends first what waits behind a stream reset, at both ends",
          "[SCTP-END-01][SCTP-END-02]") {
  for (const bool other_end : {false, true}) {
    TwoAssociations net;
    net.connect();
    const ByteVector message(3, 7);
    auto& sender = net.a;
    auto& closer = other_end ? net.b : net.a;
    REQUIRE(sender.association->send(net.now, {.stream = 1}, message));
    net.run_for(500ms);
    REQUIRE(sender.association->reset_stream(net.now, 1));
    REQUIRE(sender.association->send(net.now, {.stream = 1}, message));
    net.link.loss = 1;  // the request is lost once, so the shutdown overtakes it
    net.run_for(1ms);
    net.link.loss = 0;
    closer.association->shutdown(net.now);
    const Time began = net.now;
    REQUIRE(net.run_until([&] { return ended(net.a) != nullptr && ended(net.b) != nullptr; }, 60s));
    CHECK(net.now - began < 10s);
    CHECK(net.b.received.size() == 2);
    CHECK(ended(closer)->reason == Close::Local);
  }
}

TEST_CASE("a shutdown does not wait for a message that expires in the queue", "[SCTP-END-01][SCTP-PR-02]") {
  const ByteVector filler(1000, 1);
  const auto fill_window = [&](ScriptedPeer& peer, std::uint32_t messages) {
    peer.establish_passively();
    for (std::uint32_t i = 0; i < messages; ++i) REQUIRE(peer.association.send(peer.now, {}, filler));
    REQUIRE(peer.association.send(peer.now, {.lifetime = 1ms}, filler));
    std::uint32_t sent = 0;
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) ++sent;
    return sent;
  };
  ScriptedPeer first, peer;
  const std::uint32_t window = fill_window(first, 100);
  REQUIRE(window < 100);
  REQUIRE(fill_window(peer, window) == window);  // cwnd is full, so the last one is not looked at
  peer.association.shutdown(peer.now);
  peer.now += 10ms;
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + window - 1)) == Drop::None);
  const SeenPacket next = peer.poll();
  CHECK(next.is_only(ChunkType::Shutdown));
  CHECK(peer.association.state() == State::ShutdownSent);
}
