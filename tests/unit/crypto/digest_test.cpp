#include "crypto/digest.h"

#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using test::to_hex;

TEST_CASE("HMAC gives the values of RFC 2202 and RFC 4231", "[vectors]") {
  const auto rows = test::read_tsv("vectors/hmac/hmac.tsv");
  REQUIRE(rows.size() >= 8);
  for (const auto& row : rows) {
    INFO(row[0]);
    const auto key = test::hex(row[2]), data = test::hex(row[3]);
    if (row[1] == "sha1") {
      CHECK(to_hex(*crypto::hmac_sha1(key, data)) == row[4]);
    } else {
      REQUIRE(row[1] == "sha256");
      CHECK(to_hex(*crypto::hmac_sha256(key, data)) == row[4]);
    }
  }
}

TEST_CASE("HMAC-SHA1 is the same with the processor's help and without", "[vectors]") {
  for (const auto& row : test::read_tsv("vectors/hmac/hmac.tsv"))
    if (row[1] == "sha1")
      CHECK(to_hex(*crypto::hmac_sha1_by_library(test::hex(row[2]), test::hex(row[3]))) == row[4]);
  std::vector<std::uint8_t> bytes(400);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 89 + i / 7);
  for (std::size_t size = 0; size <= 320; ++size) {
    const Bytes key = Bytes(bytes).first(size % 70), data = Bytes(bytes).subspan(11, size);
    if (crypto::hmac_sha1(key, data) != crypto::hmac_sha1_by_library(key, data))
      FAIL("at a length of " << size);
  }
}

TEST_CASE("plain hashes of the empty input") {
  CHECK(to_hex(*crypto::md5({})) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(to_hex(*crypto::sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(*crypto::sha384({})).substr(0, 16) == "38b060a751ac9638");
  CHECK(to_hex(*crypto::sha512({})).substr(0, 16) == "cf83e1357eefb8bd");
}

TEST_CASE("comparison in constant time is comparison") {
  const auto a = test::hex("010203"), b = test::hex("010204");
  CHECK(crypto::equal_constant_time(a, a));
  CHECK_FALSE(crypto::equal_constant_time(a, b));
  CHECK_FALSE(crypto::equal_constant_time(a, Bytes(a).first(2)));
}
