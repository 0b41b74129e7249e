#include "sctp/packet.h"

#include "sctp/chunk_control.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using test::hex;

namespace {
const std::string kFolder = "vectors/sctp/";
}

TEST_CASE("packets of other stacks have a right checksum", "[vectors]") {
  for (const char* name :
       {"abort", "cookie-echo", "data-padding", "data", "error", "forward-tsn", "heartbeat",
        "init-bad-verification", "init", "reconfig-add-out", "reconfig-reset-out", "reconfig-response",
        "sack", "shutdown-ack", "shutdown", "data-truncated", "data-zero-length"}) {
    INFO(name);
    const auto packet = parse_packet(test::read_hex_file(kFolder + "aiortc-" + name + ".hex"), false);
    REQUIRE(packet.has_value());
    CHECK(packet->source_port == 5000);
    CHECK(packet->destination_port == 5000);
  }
}

TEST_CASE("every sound packet of other stacks is rebuilt byte for byte from its chunks",
          "[vectors][SCTP-PKT-18]") {
  for (const char* name :
       {"aiortc-abort", "aiortc-data", "aiortc-sack", "aiortc-init", "aiortc-heartbeat",
        "dcsctp-deserialize-packet-with-two-chunks", "dcsctp-deserialize-simple-packet-from-capture"}) {
    INFO(name);
    const auto bytes = test::read_hex_file(kFolder + name + ".hex");
    const auto packet = parse_packet(bytes, false);
    REQUIRE(packet.has_value());
    std::array<std::uint8_t, 1200> out;
    PacketWriter writer(out, out.size(), packet->source_port, packet->destination_port, packet->tag);
    ChunkWalker walker(packet->chunks);
    ChunkView chunk;
    while (walker.next(chunk) == Walk::Item) {
      write_chunk(writer.chunks(), static_cast<ChunkType>(chunk.type), chunk.flags, chunk.value);
    }
    const std::size_t size = writer.finish(false);
    CHECK(test::to_hex(Bytes(out).first(size)) == test::to_hex(bytes));
  }
}

TEST_CASE("a wrong checksum is refused before anything else", "[SCTP-PKT-01]") {
  const auto wrong = test::read_hex_file(kFolder + "dcsctp-deserialize-packet-with-wrong-checksum.hex");
  const auto refused = parse_packet(wrong, false);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == Drop::SctpChecksum);

  auto bytes = test::read_hex_file(kFolder + "aiortc-data.hex");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 0x10;
    CHECK_FALSE(parse_packet(bytes, false).has_value());
    bytes[i] ^= 0x10;
  }
}

TEST_CASE("a checksum of zero is taken only where it was announced, a wrong one never", "[SCTP-PKT-02]") {
  const auto zero = test::read_hex_file(kFolder + "dcsctp-accepts-zero-set-zero-checksum.hex");
  CHECK(parse_packet(zero, true).has_value());
  CHECK(parse_packet(zero, false).error() == Drop::SctpChecksum);
  const auto wrong = test::read_hex_file(
      kFolder + "dcsctp-rejects-non-zero-incorrect-checksum-when-zero-checksum-is-active.hex");
  CHECK(parse_packet(wrong, true).error() == Drop::SctpChecksum);
  CHECK(parse_packet(test::read_hex_file(kFolder + "aiortc-data.hex"), true).has_value());
}

TEST_CASE("a packet without room for a header or a chunk is refused", "[SCTP-PKT-03]") {
  const auto bytes = test::read_hex_file(kFolder + "aiortc-data.hex");
  for (std::size_t size = 0; size < 12; ++size) {
    CHECK(parse_packet(Bytes(bytes).first(size), true).error() == Drop::SctpTruncated);
  }
  const auto bare = hex("1388 1388 00000001 00000000");
  CHECK(parse_packet(bare, true).error() == Drop::SctpTruncated);
}

TEST_CASE("a chunk that does not fit leaves the packet as it was", "[SCTP-PKT-18]") {
  std::array<std::uint8_t, 40> out;
  PacketWriter writer(out, 24, 1, 2, VerificationTag{3});
  CHECK_FALSE(writer.has_chunks());
  const test::ByteVector large(20, 0xaa), small(4, 0xbb);
  CHECK_FALSE(writer.try_write([&](ByteWriter& w) { write_chunk(w, ChunkType::CookieEcho, 0, large); }));
  CHECK(writer.finish(false) == 0);
  CHECK(writer.try_write([&](ByteWriter& w) { write_chunk(w, ChunkType::CookieEcho, 0, small); }));
  CHECK(writer.finish(false) == 20);
}

TEST_CASE("a checksum left out is written as zero", "[SCTP-PKT-02]") {
  std::array<std::uint8_t, 40> out;
  out.fill(0xff);
  PacketWriter writer(out, out.size(), 1, 2, VerificationTag{3});
  write_chunk(writer.chunks(), ChunkType::CookieAck);
  REQUIRE(writer.finish(true) == 16);
  CHECK(test::to_hex(Bytes(out).first(16)) ==
        "00010002"
        "00000003"
        "00000000"
        "0b000004");
}
