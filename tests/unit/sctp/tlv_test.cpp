#include "sctp/tlv.h"

#include "sctp/chunk_control.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using test::hex;

TEST_CASE("the walker steps over padding of any content, and over padding that is missing at the end",
          "[SCTP-PKT-06]") {
  const auto chunks =
      hex("0a 00 0005 | 77 | abcdef  # COOKIE ECHO with one byte, three bytes of padding that are not zero\n"
          "0a 00 0006 | 8899         # another, its padding is missing");
  ChunkWalker walker(chunks);
  ChunkView chunk;
  REQUIRE(walker.next(chunk) == Walk::Item);
  CHECK(test::to_hex(chunk.value) == "77");
  REQUIRE(walker.next(chunk) == Walk::Item);
  CHECK(test::to_hex(chunk.value) == "8899");
  CHECK(walker.next(chunk) == Walk::End);
}

TEST_CASE("a chunk length below four ends the walk", "[SCTP-PKT-04]") {
  for (const char* bytes : {"00 00 0000", "00 00 0001 00", "00 00 0003 00000000"}) {
    const auto chunks = hex(bytes);
    ChunkView chunk;
    CHECK(ChunkWalker(chunks).next(chunk) == Walk::BadLength);
  }
}

TEST_CASE("a chunk that runs past the end is not given out, the ones before it are", "[SCTP-PKT-05]") {
  const auto chunks = hex("0b 00 0004 | 0a 00 0009 11223344");
  ChunkWalker walker(chunks);
  ChunkView chunk;
  REQUIRE(walker.next(chunk) == Walk::Item);
  CHECK(chunk.type == 0x0b);
  CHECK(walker.next(chunk) == Walk::BadLength);
}

TEST_CASE("the last parameter's length is checked like the others", "[SCTP-PKT-10]") {
  CHECK(is_well_formed_tlvs({}));
  CHECK(is_well_formed_tlvs(hex("c000 0004 | 8008 0006 82c0")));
  CHECK_FALSE(is_well_formed_tlvs(hex("c000 0004 | 8008 0007 82c0")));
  CHECK_FALSE(is_well_formed_tlvs(hex("c000 0004 | 8008 0003")));
  CHECK_FALSE(is_well_formed_tlvs(hex("c000 0004 | 80")));
}

TEST_CASE("the two top bits of an unknown type say what to do with it", "[SCTP-PKT-07]") {
  CHECK_FALSE(unknown_chunk_rule(0x3f).skip);
  CHECK_FALSE(unknown_chunk_rule(0x3f).report);
  CHECK_FALSE(unknown_chunk_rule(0x7f).skip);
  CHECK(unknown_chunk_rule(0x7f).report);
  CHECK(unknown_chunk_rule(0xbf).skip);
  CHECK_FALSE(unknown_chunk_rule(0xbf).report);
  CHECK(unknown_chunk_rule(0xff).skip);
  CHECK(unknown_chunk_rule(0xff).report);
}

TEST_CASE("what is written counts its length without padding, and pads with zeros", "[SCTP-PKT-17]") {
  std::array<std::uint8_t, 16> out;
  out.fill(0xee);
  ByteWriter w(out);
  const auto cookie = hex("1122334455");
  write_chunk(w, ChunkType::CookieEcho, 0, cookie);
  CHECK(test::to_hex(w.written()) == "0a0000091122334455000000");
}
