// What an association does at the edge of a state, a number or a buffer, where a fault of one would show nowhere else.
#include "scripted_peer.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

TEST_CASE("an INIT is not answered without randomness, not even when there is a secret already") {
  ScriptedPeer peer;
  (void)peer.answer_to_init(ScriptedPeer::init());  // which draws the secret
  peer.environment.fail_randomness_after(0);
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init(VerificationTag{0x77})) == Drop::NoRandomness);
  CHECK(peer.is_silent());
  peer.environment.fail_randomness_after(1);  // for the tag, and not for the TSN
  CHECK(peer.give(VerificationTag{}, ScriptedPeer::init(VerificationTag{0x77})) == Drop::NoRandomness);
  CHECK(peer.is_silent());
}

TEST_CASE("of what we do not know an INIT ACK lists as much as fits its packet, to the byte",
          "[SCTP-PKT-18]") {
  AssociationConfig config;
  std::size_t largest = 0;
  for (std::size_t size = 700; size < 1100; size += 4) {
    ScriptedPeer peer(config);
    // An unknown parameter that is to be skipped and reported: the two upper bits of its type are set.
    ByteVector value = hex(ScriptedPeer::init_fields() + "c0ff" + ScriptedPeer::u16_hex(4 + size));
    value.resize(value.size() + size, 0x55);
    peer.give(VerificationTag{}, ScriptedPeer::chunk(ChunkType::Init, value));
    const SeenPacket seen = peer.poll();
    INFO(size);
    REQUIRE(seen.is_only(ChunkType::InitAck));
    CHECK(seen.size <= config.mtu);
    largest = std::max(largest, seen.size);
  }
  CHECK(largest == (config.mtu & ~std::size_t{3}));
}

TEST_CASE("an INIT with the peer's own tag again is no restart: its cookie is dropped", "[SCTP-CKI-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const auto again = peer.answer_to_init(ScriptedPeer::init());
  REQUIRE(again.tag != peer.local_tag);
  CHECK(peer.give(again.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, again.cookie)) == Drop::SctpCookie);
  CHECK(peer.events<Association::Restarted>().empty());
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
}

TEST_CASE("the last stream agreed on carries messages and pieces, the next one none") {
  ScriptedPeer peer;
  constexpr std::uint16_t kCount = 80;
  peer.environment.env.limits.sctp_streams = kCount;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> byte = {1};
  CHECK(peer.association.send(peer.now, {.stream = kCount - 1}, byte));
  CHECK(peer.association.send_piece(peer.now, {.stream = kCount - 2}, byte, true));
  CHECK(peer.association.reset_stream(peer.now, kCount - 3));
  for (const Status& status : {peer.association.send(peer.now, {.stream = kCount}, byte),
                               peer.association.send_piece(peer.now, {.stream = kCount}, byte, true),
                               peer.association.reset_stream(peer.now, kCount)}) {
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("a reset that is in progress is asked for again after an RTO, not at once", "[SCTP-RST-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  REQUIRE(peer.poll().is_only(ChunkType::ReConfig));
  REQUIRE(peer.give(peer.local_tag, hex("82000010 0010000c" + ScriptedPeer::u32_hex(peer.local_tsn.value()) +
                                        "00000006")) == Drop::None);
  CHECK(peer.association.next_timeout() == peer.now + peer.association.stats().rto);
}

TEST_CASE("a reset for which there is no memory leaves the stream as it was") {
  bool has_failed = false, has_succeeded = false;
  for (std::size_t allocations = 0; allocations < 4; ++allocations) {
    ScriptedPeer peer;
    peer.establish_passively();
    const std::array<std::uint8_t, 1> byte = {1};
    REQUIRE(peer.association.send_piece(peer.now, {.stream = 1}, byte, false));
    peer.drain();
    peer.environment.fail_allocations_after(allocations);
    const Status asked = peer.association.reset_stream(peer.now, 1);
    peer.environment.fail_allocations_after(1'000'000);
    (asked ? has_succeeded : has_failed) = true;
    if (asked) continue;
    CHECK(asked.error() == ErrorCode::OutOfMemory);
    REQUIRE(peer.association.send_piece(peer.now, {.stream = 1}, byte, true));  // it goes on, and ends
    peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value()));
    const SeenPacket end = peer.poll();
    REQUIRE(end.find(ChunkType::Data) != nullptr);
    CHECK((end.find(ChunkType::Data)->flags & 3) == 1);
  }
  CHECK(has_failed);
  CHECK(has_succeeded);
}

TEST_CASE("a shutdown that the peer keeps waiting is given up after five times RTO.max", "[SCTP-END-03]") {
  AssociationConfig config;
  ScriptedPeer peer(config);
  peer.establish_passively();
  const std::array<std::uint8_t, 1> byte = {1};
  REQUIRE(peer.association.send(peer.now, {.stream = 1}, byte));
  const Time begun = peer.now;
  peer.association.shutdown(peer.now);
  std::uint32_t tsn = ScriptedPeer::kPeerTsn;
  while (peer.association.state() != State::Closed) {
    REQUIRE(peer.now < begun + 1h);
    peer.drain();
    // It acknowledges nothing, but has no room and says so, which is no error.
    peer.give(peer.local_tag,
              "03000010" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1) + "00000000" + "00000000");
    peer.give(peer.local_tag, ScriptedPeer::data(tsn++));
    peer.drain();
    peer.next_timeout();
  }
  CHECK(peer.now == begun + 5 * config.parameters.rto_max);
}

TEST_CASE("no HEARTBEAT is sent once the SHUTDOWN is", "[SCTP-HB-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.shutdown(peer.now);
  REQUIRE(peer.association.state() == State::ShutdownSent);
  while (peer.association.state() == State::ShutdownSent && peer.now < Time{200s}) {
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      CHECK(seen.find(ChunkType::Heartbeat) == nullptr);
    peer.next_timeout();
  }
}

TEST_CASE("an ERROR about another parameter leaves partial reliability as it was, one about it ends it") {
  const auto supports_after = [](std::string_view parameter) {
    ScriptedPeer peer;
    peer.establish_passively();
    const ByteVector bytes = hex(parameter);
    const std::string cause = "0008" + ScriptedPeer::u16_hex(4 + bytes.size()) + to_hex(bytes);
    CHECK(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::Error, hex(cause))) == Drop::None);
    const std::array<std::uint8_t, 1> byte = {1};
    // What may have to be given up in the middle is refused to those who could not be told.
    return peer.association.send_piece(peer.now, {.stream = 1}, byte, false).has_value();
  };
  CHECK(supports_after("80080006 82c00000"));
  CHECK_FALSE(supports_after("c0000004"));
}
