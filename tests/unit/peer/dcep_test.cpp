#include "peer/dcep.h"

#include "base/bytes.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using test::hex;

TEST_CASE("every row of the DCEP vectors is read or refused as it says", "[DCEP-01][DCEP-18]") {
  const auto rows = test::read_tsv("vectors/dcep/dcep.tsv");
  std::size_t opens = 0;
  for (const auto& row : rows) {
    INFO(row[0]);
    if (row[0].rfind("open-", 0) != 0) continue;
    ++opens;
    const auto message = hex(row[1]);
    const auto open = dcep::parse_open(message);
    const bool refused = row[2].rfind("reject", 0) == 0;
    CHECK(open.has_value() == !refused);
  }
  CHECK(opens >= 18);
}

TEST_CASE("an OPEN tells its reliability, order, priority, label and protocol", "[DCEP-01]") {
  const auto message = hex("03 81 0100 00000003 0003 0003 666f6f 626172");
  const auto open = dcep::parse_open(message);
  REQUIRE(open);
  CHECK(open->label == "foo");
  CHECK(open->protocol == "bar");
  CHECK(open->priority == 256);
  CHECK(open->max_retransmits == 3u);
  CHECK_FALSE(open->max_lifetime_ms);
  CHECK_FALSE(open->ordered);
}

TEST_CASE("the reliability of a reliable channel is not read, and is written as 0", "[DCEP-22]") {
  const auto open = dcep::parse_open(hex("03 00 0000 00000007 0000 0000"));
  REQUIRE(open);
  CHECK_FALSE(open->max_retransmits);
  CHECK_FALSE(open->max_lifetime_ms);
  test::TestEnvironment t;
  Buffer out(t.env.memory);
  REQUIRE(dcep::write_open(*open, out));
  CHECK(test::to_vector(Bytes(out)) == hex("03 00 0000 00000000 0000 0000"));
}

TEST_CASE("what is written is read again, for all six channel types", "[DCEP-01]") {
  test::TestEnvironment t;
  const std::pair<std::optional<std::uint32_t>, std::optional<std::uint32_t>> limits[] = {
      {std::nullopt, std::nullopt}, {5u, std::nullopt}, {std::nullopt, 300u}};
  for (const bool ordered : {true, false}) {
    for (const auto& [retransmits, lifetime] : limits) {
      dcep::Open open;
      open.label = "a label with \xe2\x80\xa2 and \0 in it";
      open.protocol = "p";
      open.priority = 65535;
      open.ordered = ordered;
      open.max_retransmits = retransmits;
      open.max_lifetime_ms = lifetime;
      Buffer out(t.env.memory);
      REQUIRE(dcep::write_open(open, out));
      const auto again = dcep::parse_open(out);
      REQUIRE(again);
      CHECK(again->label == open.label);
      CHECK(again->protocol == open.protocol);
      CHECK(again->priority == open.priority);
      CHECK(again->ordered == ordered);
      CHECK(again->max_retransmits == retransmits);
      CHECK(again->max_lifetime_ms == lifetime);
    }
  }
}
