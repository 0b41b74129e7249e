#include "net/host_files.h"

#include "base/address.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {
std::string ips(const auto& addresses) {
  std::string text;
  for (const Address& a : addresses) text += std::string(address_text(a).view()) + " ";
  return text;
}
std::string in_hosts(std::string_view hosts, std::string_view name) {
  DnsAddresses found;
  find_in_hosts(hosts, name, found);
  return ips(found);
}
}  // namespace

TEST_CASE("hosts: every line that names it counts, comments do not") {
  const char* hosts =
      "127.0.0.1\tlocalhost\n"
      "192.0.2.1 stun.example stun # other.example\n"
      "#192.0.2.9 stun.example\n"
      "\n"
      "not-an-address stun.example\n"
      "2001:db8::1   alias STUN.Example\r\n"
      "192.0.2.1 stun.example\n"
      "192.0.2.3 last";
  CHECK(in_hosts(hosts, "stun.example") == "192.0.2.1:0 [2001:db8::1]:0 ");
  CHECK(in_hosts(hosts, "STUN.EXAMPLE.") == "192.0.2.1:0 [2001:db8::1]:0 ");
  CHECK(in_hosts(hosts, "stun") == "192.0.2.1:0 ");
  CHECK(in_hosts(hosts, "last") == "192.0.2.3:0 ");
  CHECK(in_hosts(hosts, "other.example").empty());
  CHECK(in_hosts(hosts, "tun.example").empty());
  CHECK(in_hosts("", "a").empty());
}

TEST_CASE("resolv.conf: the first three name servers") {
  CHECK(ips(name_servers_in(
            "# c\nnameserver 192.0.2.53\nsearch example\n  nameserver\t2001:db8::53 \nnameserver x\n"
            "nameserver 192.0.2.55\nnameserver 192.0.2.56\n")) ==
        "192.0.2.53:53 [2001:db8::53]:53 192.0.2.55:53 ");
  CHECK(ips(name_servers_in("")) == "127.0.0.1:53 ");
  const auto zoned = name_servers_in("nameserver fe80::1%7");
  REQUIRE(zoned.size() == 1);
  CHECK(zoned[0].scope_id == 7);
}

TEST_CASE("names that are not for name servers", "[ICE-MDNS-01]") {
  CHECK(is_localhost_name("localhost"));
  CHECK(is_localhost_name("a.LocalHost."));
  CHECK_FALSE(is_localhost_name("notlocalhost"));
  CHECK_FALSE(is_localhost_name("localhost.example"));
  CHECK(is_multicast_dns_name("7b6c1f6a-0000-4000-8000-000000000000.local"));
  CHECK(is_multicast_dns_name("printer.LOCAL."));
  CHECK_FALSE(is_multicast_dns_name("local.example"));
  CHECK_FALSE(is_multicast_dns_name("notlocal"));
}
