#include "net/dns_message.h"

#include "base/address.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::net;
using test::ByteVector;
using test::hex;

namespace {

// A header, "a.example" at 12 ("example" at 14), and what follows at 23.
ByteVector message(const std::string& rest) {
  return hex("0000 8400 0000 0001 0000 0000 | 01 61 07 6578616d706c65 00 |" + rest);
}
std::optional<DnsName> name_at(const ByteVector& bytes, std::size_t at) { return DnsName::read(bytes, at); }

}  // namespace

TEST_CASE("host names keep to their sizes and letters") {
  CHECK(DnsName::from_text("a"));
  CHECK(DnsName::from_text("a.b."));
  CHECK(DnsName::from_text("_stun._udp.x-1.example"));
  CHECK_FALSE(DnsName::from_text(""));
  CHECK_FALSE(DnsName::from_text("."));
  CHECK_FALSE(DnsName::from_text("a..b"));
  CHECK_FALSE(DnsName::from_text(".a"));
  CHECK_FALSE(DnsName::from_text("a b"));
  CHECK_FALSE(DnsName::from_text(std::string_view("a\0b", 3)));
  CHECK_FALSE(DnsName::from_text("a/b"));
  CHECK_FALSE(DnsName::from_text("\xc3\xa9"));
  const std::string l63(63, 'x');
  CHECK(DnsName::from_text(l63));
  CHECK_FALSE(DnsName::from_text(l63 + "x"));
  // 255 bytes on the wire: three labels of 63 and one of 61.
  const std::string longest = l63 + "." + l63 + "." + l63 + "." + std::string(61, 'y');
  REQUIRE(DnsName::from_text(longest));
  CHECK(DnsName::from_text(longest)->wire().size() == 255);
  CHECK_FALSE(DnsName::from_text(longest + "y"));
}

TEST_CASE("a name on the wire is the same whatever the case of its letters", "[ICE-MDNS-07]") {
  const ByteVector bytes = message("01 41 07 4558416d506c45 00");
  std::size_t at = 23;
  const auto name = DnsName::read(bytes, at);
  REQUIRE(name);
  CHECK(at == bytes.size());
  CHECK(*name == *DnsName::from_text("a.example"));
  CHECK_FALSE(*name == *DnsName::from_text("b.example"));
  CHECK_FALSE(*name_at(message("03 612e62 00"), 23) == *DnsName::from_text("a.b"));  // a dot inside a label
}

TEST_CASE("compression pointers lead backwards, and not into the header", "[ICE-MDNS-07]") {
  for (const char* good : {"c00c", "01 62 c00e"}) CHECK(name_at(message(good), 23));
  CHECK(*name_at(message("01 62 c00e"), 23) == *DnsName::from_text("b.example"));
  CHECK(*name_at(message("c00c c017"), 25) == *DnsName::from_text("a.example"));  // a pointer to a pointer
  for (const char* bad : {"c017", "01 61 c017", "c0ff", "c004", "c019 01 61 00", "40", "80", "c0", "01", ""})
    CHECK_FALSE(name_at(message(bad), 23));
  std::size_t at = 23;
  REQUIRE(DnsName::read(message("01 62 c00e ffff"), at));
  CHECK(at == 27);
}

TEST_CASE("a long chain of pointers is cut", "[ICE-MDNS-07]") {
  const auto chained = [](int pointers) {  // each to the one before, the first one to 12
    std::string chain = "c00c";
    for (int i = 1; i < pointers; ++i)
      chain += "c0" + test::to_hex(ByteVector{static_cast<std::uint8_t>(23 + 2 * (i - 1))});
    return message(chain);
  };
  CHECK(name_at(chained(16), 23 + 2 * 15));
  CHECK_FALSE(name_at(chained(17), 23 + 2 * 16));
}

TEST_CASE("header, question and record are read as RFC 1035 §4.1 draws them") {
  const auto header = DnsHeader::read(hex("1234 8583 0001 0002 0003 0004"));
  REQUIRE(header);
  CHECK(header->id == 0x1234);
  CHECK(header->is_response());
  CHECK((header->flags & DnsHeader::kRcode) == 3);
  CHECK(header->questions == 1);
  CHECK(header->answers == 2);
  CHECK(header->authorities == 3);
  CHECK(header->additionals == 4);
  CHECK_FALSE(DnsHeader::read(hex("1234 8583 0001 0002 0003 00")));

  const ByteVector bytes = message("c00c 001c 8001 | c00c 0001 8001 00000078 0004 c0000201");
  std::size_t at = 23;
  const auto question = DnsQuestion::read(bytes, at);
  REQUIRE(question);
  CHECK(at == 29);
  CHECK(question->type == 28);
  CHECK(question->rr_class == 0x8001);
  const auto record = DnsRecord::read(bytes, at);
  REQUIRE(record);
  CHECK(at == bytes.size());
  CHECK(record->ttl == 120);
  CHECK(record->address() == Address::v4(192, 0, 2, 1, 0));
  for (std::size_t size = 23; size < bytes.size(); ++size) {
    const ByteVector part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    std::size_t from = 23;
    CHECK((!DnsQuestion::read(part, from) || !DnsRecord::read(part, from)));
  }
}

TEST_CASE("an address has the size of its family") {
  const auto address = [](const std::string& rest) {
    std::size_t at = 23;
    const ByteVector bytes = message(rest);
    const auto record = DnsRecord::read(bytes, at);
    REQUIRE(record);
    return record->address();
  };
  CHECK(address("c00c 001c 0001 00000000 0010 20010db8000000000000000000000001") == parse_ip("2001:db8::1"));
  CHECK_FALSE(address("c00c 0001 0001 00000000 0003 c00002"));
  CHECK_FALSE(address("c00c 001c 0001 00000000 0004 c0000201"));
  CHECK_FALSE(address("c00c 0010 0001 00000000 0004 c0000201"));
}
