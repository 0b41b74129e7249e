#include "ice/candidate.h"

#include <string>

#include "base/address.h"
#include "support/catch.h"

namespace pollrtc::test {

using namespace ice;

namespace {
Address ip(std::string_view text, std::uint16_t port = 9000) { return *parse_ip(text, port); }
}  // namespace

TEST_CASE("priority is 2^24 type + 2^8 local + 256 - component", "[ICE-GATH-07]") {
  CHECK(candidate_priority(CandidateType::Host, 65535) == 2130706431);  // as browsers print it
  CHECK(candidate_priority(CandidateType::PeerReflexive, 65535) == 1862270975);
  CHECK(candidate_priority(CandidateType::ServerReflexive, 65535) == 1694498815);
  CHECK(candidate_priority(CandidateType::Relayed, 65535) == 16777215);
  CHECK(candidate_priority(CandidateType::Host, 0, 2) == (126u << 24) + 254);
  CHECK(candidate_priority(CandidateType::Host, 65535) <= 0x7FFFFFFFu);
  CHECK(candidate_priority(CandidateType::Relayed, 0, 255) >= 1);
}

TEST_CASE("pair priority is 2^32 min + 2 max + (G > D)", "[ICE-CHK-01]") {
  CHECK(pair_priority(100, 200) == (std::uint64_t{100} << 32) + 400);
  CHECK(pair_priority(200, 100) == (std::uint64_t{100} << 32) + 401);
  CHECK(pair_priority(100, 100) == (std::uint64_t{100} << 32) + 200);
  CHECK(pair_priority(0x7FFFFFFF, 0x7FFFFFFE) ==
        (std::uint64_t{0x7FFFFFFE} << 32) + 2 * std::uint64_t{0x7FFFFFFF} + 1);
}

TEST_CASE("what is never a candidate", "[ICE-GATH-01]") {
  for (const auto* text : {"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255",
                           "::ffff:192.0.2.1", "::192.0.2.1", "fec0::1", "fe80::1"}) {
    INFO(text);
    CHECK_FALSE(is_gatherable(ip(text), false));
  }
  CHECK_FALSE(is_gatherable(ip("192.0.2.1", 0), false));
  CHECK_FALSE(is_gatherable(Address{}, true));
  CHECK(is_gatherable(ip("192.0.2.1"), false));
  CHECK(is_gatherable(ip("2001:db8::1"), false));
  CHECK(is_gatherable(ip("127.0.0.1"), true));
  CHECK(is_gatherable(ip("::1"), true));
  Address zoned = ip("fe80::1");
  zoned.scope_id = 3;
  CHECK(is_gatherable(zoned, false));
}

TEST_CASE("what is never checked, mapped forms included", "[ATK-04]") {
  for (const auto* text : {"0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255", "::ffff:224.0.0.1",
                           "::ffff:255.255.255.255", "::ffff:0.0.0.0"}) {
    INFO(text);
    CHECK_FALSE(is_checkable(ip(text)));
  }
  CHECK_FALSE(is_checkable(ip("192.0.2.1", 0)));
  CHECK(is_checkable(ip("192.0.2.1")));
}

TEST_CASE("who may be paired", "[ICE-CHK-33]") {
  CHECK(can_pair(ip("192.0.2.1"), ip("192.0.2.2"), false));
  CHECK_FALSE(can_pair(ip("192.0.2.1"), ip("2001:db8::1"), false));
  CHECK_FALSE(can_pair(ip("fe80::1"), ip("2001:db8::1"), false));
  CHECK_FALSE(can_pair(ip("2001:db8::1"), ip("fe80::1"), false));
  CHECK(can_pair(ip("fe80::1"), ip("fe80::2"), false));
  CHECK_FALSE(can_pair(ip("192.0.2.1"), ip("127.0.0.1"), false));
  CHECK(can_pair(ip("192.0.2.1"), ip("127.0.0.1"), true));
  CHECK(can_pair(ip("127.0.0.1"), ip("127.0.0.1"), false));
  CHECK_FALSE(can_pair(ip("2001:db8::2"), ip("::1"), false));
}

TEST_CASE("a link-local address is reached through the zone of our own", "[ICE-CHK-33]") {
  Address base = ip("fe80::1");
  base.scope_id = 7;
  CHECK(scoped_as(ip("fe80::2"), base).scope_id == 7);
  CHECK(scoped_as(ip("2001:db8::2"), base).scope_id == 0);
}

TEST_CASE("a server's word about our address is believed only within reason", "[ATK-18]") {
  CHECK(is_plausible_mapping(ip("198.51.100.1"), ip("192.0.2.1")));
  for (const auto* text : {"127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "2001:db8::1"}) {
    INFO(text);
    CHECK_FALSE(is_plausible_mapping(ip(text), ip("192.0.2.1")));
  }
  CHECK_FALSE(is_plausible_mapping(ip("198.51.100.1", 0), ip("192.0.2.1")));
  CHECK_FALSE(is_plausible_mapping(ip("fe80::5"), ip("2001:db8::1")));
}

TEST_CASE("credentials: 4 to 256 and 22 to 256 ice-chars", "[ICE-CRED-02]") {
  CHECK(is_valid_ufrag("abc+"));
  CHECK(is_valid_ufrag(std::string(256, 'a')));
  CHECK_FALSE(is_valid_ufrag("abc"));
  CHECK_FALSE(is_valid_ufrag(std::string(257, 'a')));
  CHECK_FALSE(is_valid_ufrag("ab:d"));
  CHECK_FALSE(is_valid_ufrag("ab d"));
  CHECK_FALSE(is_valid_ufrag("ab-d"));
  CHECK(is_valid_pwd(std::string(22, '/')));
  CHECK_FALSE(is_valid_pwd(std::string(21, '/')));
  CHECK(is_valid_pwd(std::string(256, 'Z')));
  CHECK_FALSE(is_valid_pwd(std::string(257, 'Z')));
}

TEST_CASE("the preference of a TCP candidate has its direction in front", "[ICE-TCP-04]") {
  using enum TcpType;
  const auto of = [](CandidateType type, TcpType direction, std::uint16_t other = 8191) {
    return tcp_local_preference(type, direction, other);
  };
  for (const CandidateType type : {CandidateType::Host, CandidateType::Relayed}) {
    CHECK(of(type, Active) == 6 * 8192 + 8191);
    CHECK(of(type, Passive) == 4 * 8192 + 8191);
    CHECK(of(type, So) == 2 * 8192 + 8191);
  }
  CHECK(of(CandidateType::ServerReflexive, So) == 6 * 8192 + 8191);
  CHECK(of(CandidateType::ServerReflexive, Active) == 4 * 8192 + 8191);
  CHECK(of(CandidateType::ServerReflexive, Passive) == 2 * 8192 + 8191);
  CHECK(of(CandidateType::Host, Active, 0) == 6 * 8192);
  CHECK(of(CandidateType::Host, Active, 60000) == 6 * 8192 + 8191);
  // Any straight way by UDP before the best by TCP, and that before any relay.
  using enum CandidateType;
  CHECK(candidate_priority(ServerReflexive, 0) > candidate_priority(Host, 65535, 1, Transport::Tcp));
  CHECK(candidate_priority(PeerReflexive, 0, 1, Transport::Tcp) > candidate_priority(Relayed, 65535));
}

TEST_CASE("active pairs with passive, so with so, and never with a passive one of ours", "[ICE-TCP-02]") {
  using enum TcpType;
  for (const TcpType local : {None, Active, Passive, So})
    for (const TcpType remote : {None, Active, Passive, So}) {
      const bool is_pair = (local == Active && remote == Passive) || (local == So && remote == So) ||
                           (local == None && remote == None);
      CHECK(can_pair_directions(local, remote) == is_pair);
    }
}

}  // namespace pollrtc::test
