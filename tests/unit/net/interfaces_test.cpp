#include "net/interfaces.h"

#include <unistd.h>

#include <cstdio>

#include "base/address.h"
#include "base/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

LocalAddress local(std::string_view ip, std::uint32_t index = 2, std::uint8_t prefix = 64) {
  LocalAddress a;
  a.address = *parse_ip(ip);
  if (is_link_local(a.address) && a.address.family == Address::Family::IPv6) a.address.scope_id = index;
  a.interface_index = index;
  a.prefix_length = prefix;
  a.is_up = true;
  a.is_loopback = is_loopback(a.address);
  return a;
}
LocalAddress temporary(LocalAddress a, bool deprecated = false) {
  a.is_temporary = true;
  a.is_deprecated = deprecated;
  return a;
}

std::string selected(std::initializer_list<LocalAddress> list, const AddressPolicy& policy = {}) {
  Vec<LocalAddress> addresses(default_memory());
  for (const LocalAddress& a : list) REQUIRE(addresses.push_back(a));
  select_addresses(policy, addresses);
  std::string text;
  for (const LocalAddress& a : addresses) text += std::string(ip_text(a.address).view()) + " ";
  return text;
}

}  // namespace

TEST_CASE("addresses that are never candidates", "[ICE-GATH-01]") {
  CHECK(selected({local("127.0.0.1", 1), local("::1", 1), local("192.0.2.1")}) == "192.0.2.1 ");
  CHECK(selected({local("::192.0.2.1"), local("fec0::1"), local("::ffff:192.0.2.1"), local("2001:db8::1")}) ==
        "2001:db8::1 ");
  CHECK(selected(
            {local("0.0.0.0"), local("::"), local("224.0.0.1"), local("ff02::1"), local("255.255.255.255")})
            .empty());
  LocalAddress no_zone = local("fe80::1");
  no_zone.address.scope_id = 0;
  CHECK(selected({no_zone, local("fe80::2")}) == "fe80::2 ");
  LocalAddress on_loopback = local("192.0.2.7");  // an ordinary address on the loopback interface
  on_loopback.is_loopback = true;
  CHECK(selected({on_loopback}).empty());
  LocalAddress down = local("192.0.2.1");
  down.is_up = false;
  CHECK(selected({down}).empty());
}

TEST_CASE("policy: loopback, families and the limit") {
  AddressPolicy policy;
  policy.loopback = true;
  CHECK(selected({local("127.0.0.1", 1), local("::1", 1)}, policy) == "127.0.0.1 ::1 ");
  policy.ipv6 = false;
  CHECK(selected({local("127.0.0.1", 1), local("::1", 1)}, policy) == "127.0.0.1 ");
  policy.ipv6 = true;
  policy.ipv4 = false;
  CHECK(selected({local("127.0.0.1", 1), local("::1", 1)}, policy) == "::1 ");
  policy = {};
  policy.most = 2;
  CHECK(selected({local("192.0.2.1"), local("192.0.2.1"), local("192.0.2.2"), local("192.0.2.3")}, policy) ==
        "192.0.2.1 192.0.2.2 ");
}

TEST_CASE("a temporary address hides the permanent ones of its prefix and all link-local ones",
          "[ICE-GATH-06]") {
  const auto permanent = local("2001:db8:1::1"), temp = temporary(local("2001:db8:1::9999"));
  CHECK(selected({permanent, local("fe80::1"), temp}) == "2001:db8:1::9999 ");
  // Another prefix, another interface: they stay.
  CHECK(selected({local("2001:db8:2::1"), temp}) == "2001:db8:2::1 2001:db8:1::9999 ");
  CHECK(selected({local("2001:db8:1::1", 3), temp}) == "2001:db8:1::1 2001:db8:1::9999 ");
  CHECK(selected({local("fe80::1", 3), temp}) == "2001:db8:1::9999 ");  // link-local: of any interface
  CHECK(selected({local("169.254.1.1"), local("192.0.2.1"), temp}) ==
        "169.254.1.1 192.0.2.1 2001:db8:1::9999 ");
  // Without one, all stay.
  CHECK(selected({permanent, local("fe80::1")}) == "2001:db8:1::1 fe80::1 ");
}

TEST_CASE("deprecated temporary and tentative addresses are left out", "[ICE-GATH-06]") {
  const auto permanent = local("2001:db8:1::1");
  const auto old = temporary(local("2001:db8:1::8888"), true), fresh = temporary(local("2001:db8:1::9999"));
  CHECK(selected({old, fresh}) == "2001:db8:1::9999 ");
  CHECK(selected({old, permanent}) == "2001:db8:1::1 ");  // an address nobody uses hides nothing
  LocalAddress tentative = local("2001:db8:3::1");
  tentative.is_tentative = true;
  CHECK(selected({tentative}).empty());
  LocalAddress deprecated = local("2001:db8:3::1");
  deprecated.is_deprecated = true;  // permanent: may be all there is
  CHECK(selected({deprecated}) == "2001:db8:3::1 ");
}

TEST_CASE("flags are read from the kernel's table") {
  std::array<LocalAddress, 3> addresses{local("2001:db8::1"), local("2001:db8::1", 3), local("192.0.2.1")};
  apply_if_inet6(
      "20010db8000000000000000000000001 02 40 00 21     eth0\n"
      "20010db8000000000000000000000001 03 40 00 08     eth1\n"
      "zz 02\n"
      "20010db800000000000000000000000 02 40 00 ff eth0\n"
      "\n",
      addresses);
  CHECK(addresses[0].is_temporary);
  CHECK(addresses[0].is_deprecated);
  CHECK_FALSE(addresses[0].is_tentative);
  CHECK_FALSE(addresses[1].is_temporary);
  CHECK(addresses[1].is_tentative);  // duplicate address detection failed
  CHECK_FALSE(addresses[2].is_temporary);
}

TEST_CASE("a line without its end says nothing: of its flags there may be more") {
  std::array<LocalAddress, 2> addresses{local("2001:db8::1"), local("2001:db8::2")};
  const std::string first = "20010db8000000000000000000000001 02 40 00 01     eth0\n",
                    second = "20010db8000000000000000000000002 02 40 00 80     eth0\n";
  const std::string cut = first + second.substr(0, second.find(" 80") + 2);  // 08: its DAD has failed
  CHECK(apply_if_inet6(cut, addresses) == first.size());
  CHECK(addresses[0].is_temporary);
  CHECK_FALSE(addresses[1].is_tentative);
  CHECK(apply_if_inet6(first + second, addresses) == first.size() + second.size());
  CHECK_FALSE(addresses[1].is_tentative);
}

TEST_CASE("the kernel's table is read to its end, however long it is") {
  constexpr unsigned kCount = 600;  // a pipe holds that many lines
  std::vector<LocalAddress> addresses;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const FileDescriptor from(pipe_ends[0]);
  {
    const FileDescriptor to(pipe_ends[1]);
    for (unsigned i = 0; i < kCount; ++i) {
      LocalAddress a = local("2001:db8::");
      store_u16(a.address.ip.data() + 14, static_cast<std::uint16_t>(i));
      addresses.push_back(a);
      char line[80];
      // Lengths that differ, so that pieces end anywhere in a line.
      const int size = snprintf(line, sizeof line, "20010db800000000000000000000%04x 02 40 00 %02x %*s\n", i,
                                i % 2 == 0 ? 0x80 : 0x01, static_cast<int>(4 + i % 7), "eth0");
      REQUIRE(write(to.get(), line, static_cast<std::size_t>(size)) == size);
    }
  }
  read_if_inet6(from, addresses);
  for (unsigned i = 0; i < kCount; ++i) {
    INFO(i);
    CHECK(addresses[i].is_temporary == (i % 2 == 1));
    CHECK_FALSE(addresses[i].is_tentative);
  }
}

TEST_CASE("this machine has a loopback address with its facts") {
  test::TestEnvironment environment;
  {
    Vec<LocalAddress> addresses(environment.env.memory);
    REQUIRE(list_local_addresses(addresses));
    const auto loopback = std::find_if(addresses.begin(), addresses.end(), [](const LocalAddress& a) {
      return a.address == Address::v4(127, 0, 0, 1, 0);
    });
    REQUIRE(loopback != addresses.end());
    CHECK(loopback->is_up);
    CHECK(loopback->is_loopback);
    CHECK(loopback->prefix_length == 8);
    CHECK(loopback->interface_index != 0);
    CHECK_FALSE(loopback->interface_name.empty());
  }
  environment.fail_allocations_after(0);
  Vec<LocalAddress> none(environment.env.memory);
  CHECK(list_local_addresses(none).error() == ErrorCode::OutOfMemory);
}

TEST_CASE("an address that would not be chosen today is in use all the same, until it goes", "[ICE-NAT-04]") {
  LocalAddress down = local("192.0.2.2");
  down.is_up = false;
  const LocalAddress present[] = {temporary(local("2001:db8::1"), true), local("2001:db8::2"),
                                  local("fe80::1"), down, temporary(local("2001:db8::3"))};
  const auto in_use = [&](const LocalAddress& a) {
    Address bound = a.address;
    bound.port = 5000;
    return is_in_use(present, bound);
  };
  CHECK(in_use(local("2001:db8::1")));  // deprecated
  CHECK(in_use(local("2001:db8::2")));  // a temporary one has appeared beside it
  CHECK(in_use(local("fe80::1")));
  CHECK_FALSE(in_use(local("fe80::1", 3)));  // another interface's
  CHECK_FALSE(in_use(local("192.0.2.2")));
  CHECK_FALSE(in_use(local("2001:db8::4")));
}
