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
