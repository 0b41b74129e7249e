#include "net/special_names.h"

#include "support/catch.h"

using namespace pollrtc::net;

TEST_CASE("names that are not for name servers", "[ICE-MDNS-01]") {
  CHECK(is_localhost_name("localhost"));
  CHECK(is_localhost_name("a.LocalHost."));
  CHECK_FALSE(is_localhost_name("notlocalhost"));
  CHECK_FALSE(is_localhost_name("localhost.example"));
  CHECK(is_multicast_dns_name("7b6c1f6a-0000-4000-8000-000000000000.local"));
  CHECK(is_multicast_dns_name("printer.LOCAL."));
  CHECK(is_multicast_dns_name("a.b.local"));
  CHECK_FALSE(is_multicast_dns_name("local.example"));
  CHECK_FALSE(is_multicast_dns_name("notlocal"));
  CHECK(is_never_resolved("x.invalid"));
  CHECK(is_never_resolved("abc.ONION."));
  CHECK_FALSE(is_never_resolved("invalid.example"));
}
