#include "base/address.h"

#include "support/catch.h"

using namespace pollrtc;

TEST_CASE("IPv4 text is four decimal numbers and nothing else") {
  REQUIRE(parse_ip("192.0.2.1", 80) == Address::v4(192, 0, 2, 1, 80));
  for (const char* bad : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1..2.3",
                          "01.2.3.4", "1.2.3.-4", "999.1.1.1", "host.example.org", "0x1.2.3.4"})
    CHECK_FALSE(parse_ip(bad));
}

TEST_CASE("IPv6 text round trips in the form of RFC 5952") {
  const std::pair<const char*, const char*> cases[] = {
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8::0:1", "2001:db8::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"fe80::", "fe80::"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
  };
  for (const auto& [text, canonical] : cases) {
    const auto address = parse_ip(text);
    REQUIRE(address);
    CHECK(ip_text(*address).view() == canonical);
    CHECK(parse_ip(canonical) == address);
  }
  for (const char* bad : {":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::",
                          "fe80::1%eth0", "1:", ":1", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "1::2:3:4:5:6:7:8"})
    CHECK_FALSE(parse_ip(bad));
}

TEST_CASE("an address with its port is printed as a URI does it") {
  CHECK(address_text(*parse_ip("2001:db8::1", 443)).view() == "[2001:db8::1]:443");
  CHECK(address_text(Address::v4(10, 0, 0, 1, 65535)).view() == "10.0.0.1:65535");
  CHECK(address_text(Address{}).view().empty());
}

TEST_CASE("a mapped loopback address is a loopback address") {
  const Address mapped = *parse_ip("::ffff:127.0.0.1", 9);
  CHECK_FALSE(is_loopback(mapped));
  CHECK(unmapped(mapped) == Address::v4(127, 0, 0, 1, 9));
  CHECK(is_loopback(unmapped(mapped)));
}

TEST_CASE("address classes") {
  CHECK(is_loopback(*parse_ip("127.8.8.8")));
  CHECK(is_loopback(*parse_ip("::1")));
  CHECK(is_link_local(*parse_ip("169.254.1.1")));
  CHECK(is_link_local(*parse_ip("febf::1")));
  CHECK_FALSE(is_link_local(*parse_ip("fec0::1")));
  CHECK(is_site_local(*parse_ip("fec0::1")));
  CHECK(is_multicast(*parse_ip("239.1.1.1")));
  CHECK(is_multicast(*parse_ip("ff02::fb")));
  CHECK(is_broadcast(*parse_ip("255.255.255.255")));
  CHECK(is_unspecified(*parse_ip("0.0.0.0")));
  CHECK(is_unspecified(*parse_ip("::")));
  CHECK_FALSE(is_unspecified(Address{}));
  CHECK(is_ipv4_compatible(*parse_ip("::192.0.2.1")));
  CHECK_FALSE(is_ipv4_compatible(*parse_ip("::1")));
}
