#include "base/crc.h"

#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;

TEST_CASE("CRC-32C gives the published values", "[vectors]") {
  const auto rows = test::read_tsv("vectors/crc/crc32c.tsv");
  REQUIRE(rows.size() >= 4);
  for (const auto& row : rows) {
    INFO(row[0]);
    CHECK(crc32c(test::hex(row[1])) == std::stoul(row[2], nullptr, 16));
    CHECK(crc32c_by_tables(test::hex(row[1])) == std::stoul(row[2], nullptr, 16));
  }
}

TEST_CASE("CRC-32 gives the published values", "[vectors]") {
  const auto rows = test::read_tsv("vectors/crc/crc32-ieee.tsv");
  REQUIRE(rows.size() >= 4);
  for (const auto& row : rows) {
    INFO(row[0]);
    CHECK(crc32(test::hex(row[1])) == std::stoul(row[2], nullptr, 16));
  }
}

TEST_CASE("a CRC-32C can be computed in parts, cut anywhere") {
  test::ByteVector bytes(61);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  const Bytes whole(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    CHECK(crc32c(whole.subspan(cut), crc32c(whole.first(cut))) == crc32c(whole));
}

// Its instructions take the bytes in lanes, and each length falls into lanes in its own way.
TEST_CASE("the processor's CRC-32C is that of the tables, at every length and alignment") {
  test::ByteVector bytes(2600);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : bytes)
    byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  for (std::size_t size = 0; size < 2500; ++size) {
    const Bytes some = Bytes(bytes).subspan(size % 9, size);
    const std::uint32_t previous = state + static_cast<std::uint32_t>(size);
    if (crc32c(some, previous) != crc32c_by_tables(some, previous)) FAIL("at a length of " << size);
  }
}
