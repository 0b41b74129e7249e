#include "sdp/candidate_line.h"

#include "base/address.h"
#include "sdp_support.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

ErrorCode error_of(std::string_view line) {
  const auto candidate = parse_candidate(line);
  REQUIRE_FALSE(candidate.has_value());
  return candidate.error().code();
}

std::string rewritten(std::string_view line) {
  const auto candidate = parse_candidate(line);
  REQUIRE(candidate.has_value());
  const std::string text = write_candidate(*candidate, false);
  const auto again = parse_candidate(text);
  REQUIRE(again.has_value());
  CHECK(*again == *candidate);
  return text;
}

constexpr std::string_view kUuidName = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

}  // namespace

TEST_CASE("a candidate line gives every field", "[SDP-16][SDP-33]") {
  const auto c = parse_candidate(
      "candidate:a+/9 1 tcp 1518280447 2001:db8::1 9 typ srflx raddr 10.0.0.1 rport 4321 tcptype passive "
      "generation 0 "
      "ufrag v8Lx network-id 1 network-cost 999");
  REQUIRE(c.has_value());
  CHECK(c->foundation == "a+/9");
  CHECK(c->component == 1);
  CHECK(c->transport == Transport::Tcp);
  CHECK(c->tcp_type == TcpType::Passive);
  CHECK(c->priority == 1518280447);
  CHECK(c->address == *parse_ip("2001:db8::1", 9));
  CHECK(c->related == *parse_ip("10.0.0.1", 4321));
  CHECK(c->type == CandidateType::ServerReflexive);
  CHECK(c->ufrag == "v8Lx");
  CHECK(c->mdns_name.empty());
}

TEST_CASE("what is written is read again as the same candidate", "[SDP-16]") {
  CHECK(rewritten("candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ host") ==
        "candidate:1 1 udp 2130706431 192.0.2.1 8998 typ host");
  CHECK(rewritten("candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998") ==
        "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998");
  CHECK(rewritten("candidate:3 1 udp 1 2001:db8::5 1 typ prflx raddr 2001:db8::6 rport 2 ufrag abcd") ==
        "candidate:3 1 udp 1 2001:db8::5 1 typ prflx raddr 2001:db8::6 rport 2 ufrag abcd");
  CHECK(
      rewritten(
          "candidate:4 1 tcp 2147483647 192.0.2.1 9 typ host tcptype active generation 0 network-cost 10") ==
      "candidate:4 1 tcp 2147483647 192.0.2.1 9 typ host tcptype active");
  CHECK(rewritten("candidate:5 1 udp 7 " + std::string(kUuidName) + " 54186 typ host generation 0") ==
        "candidate:5 1 udp 7 " + std::string(kUuidName) + " 54186 typ host");
  CHECK(rewritten("candidate:6 1 udp 7 192.0.2.9 65535 typ relay raddr 192.0.2.8 rport 65535") ==
        "candidate:6 1 udp 7 192.0.2.9 65535 typ relay raddr 192.0.2.8 rport 65535");
}

TEST_CASE("the prefix is read with and without a=, and written without", "[SDP-17]") {
  const std::string line = candidate_line("192.0.2.1 1000 typ host");
  REQUIRE(parse_candidate(line).has_value());
  REQUIRE(parse_candidate("a=" + line).has_value());
  CHECK(write_candidate(*parse_candidate("a=" + line), false) == line);
  for (const char* wrong :
       {"", "a=", "Candidate:1 1 udp 1 192.0.2.1 1 typ host", "1 1 udp 1 192.0.2.1 1 typ host",
        "a=a=candidate:1 1 udp 1 192.0.2.1 1 typ host", "a=mid:0"})
    CHECK(error_of(wrong) == ErrorCode::ParseFailed);
}

TEST_CASE("a line that breaks the candidate grammar is malformed", "[SDP-33][SDP-18]") {
  for (const char* wrong : {
           "candidate: 1 udp 1 192.0.2.1 1 typ host",                                   // no foundation
           "candidate:a-b 1 udp 1 192.0.2.1 1 typ host",                                // '-' is no ice-char
           "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 1 typ host",  // 33 characters
           "candidate:1 0001 udp 1 192.0.2.1 1 typ host",                               // 4 digits
           "candidate:1 x udp 1 192.0.2.1 1 typ host",
           "candidate:1 +1 udp 1 192.0.2.1 1 typ host",
           "candidate:1 1 u(p 1 192.0.2.1 1 typ host",  // no token
           "candidate:1 1 udp 99999999999 192.0.2.1 1 typ host",
           "candidate:1 1 udp -1 192.0.2.1 1 typ host",
           "candidate:1 1 udp 0x1 192.0.2.1 1 typ host",
           "candidate:1 1 udp 1 192.0.2.1 -1 typ host",
           "candidate:1 1 udp 1 192.0.2.1 typ host",
           "candidate:1 1 udp 1 192.0.2.1 1 host",
           "candidate:1 1 udp 1 192.0.2.1 1 typ",
           "candidate:1 1 udp 1 192.0.2.1 1 typ ",
           "candidate:1  1 udp 1 192.0.2.1 1 typ host",  // two blanks
           "candidate:1 1 udp 1  1 typ host",            // no address
           "candidate:1 1 udp 1 192.0.2.1 1 typ host a(b c",
           "candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr 10.0.0.1 rport x",
           "candidate:1 1 udp 1 192.0.2.1 1 typ host generation \x01",
       })
    CHECK(error_of(wrong) == ErrorCode::ParseFailed);
}

TEST_CASE("a well-formed candidate that cannot be used is refused, not malformed",
          "[SDP-34][ICE-CHK-29][SDP-33]") {
  for (const char* wrong : {
           "candidate:1 2 udp 1 192.0.2.1 1 typ host",
           "candidate:1 0 udp 1 192.0.2.1 1 typ host",
           "candidate:1 257 udp 1 192.0.2.1 1 typ host",
           "candidate:1 1 ssltcp 1 192.0.2.1 1 typ host",
           "candidate:1 1 udp 0 192.0.2.1 1 typ host",
           "candidate:1 1 udp 2147483648 192.0.2.1 1 typ host",
           "candidate:1 1 udp 1 host.example.org 1 typ host",
           "candidate:1 1 udp 1 999.1.1.1 1 typ host",
           "candidate:1 1 udp 1 fe80::1%eth0 1 typ host",
           "candidate:1 1 udp 1 192.0.2.1 0 typ host",
           "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
           "candidate:1 1 udp 1 192.0.2.1 18446744073709551617 typ host",  // 2^64 + 1 does not wrap to 1
           "candidate:1 1 udp 1 192.0.2.1 1 typ foo",
           "candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag abc",
           "candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr 10.0.0.1 rport 65536",
       })
    CHECK(error_of(wrong) == ErrorCode::Refused);
}

TEST_CASE("an address that no datagram may go to is refused") {
  for (const char* wrong :
       {"239.1.1.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "::ffff:239.1.1.1", "::ffff:0.0.0.0"})
    CHECK(error_of(candidate_line(std::string(wrong) + " 1000 typ host")) == ErrorCode::Refused);
  const auto mapped = parse_candidate(candidate_line("::ffff:127.0.0.1 1000 typ host"));
  REQUIRE(mapped.has_value());
  CHECK(mapped->address == Address::v4(127, 0, 0, 1, 1000));
}

TEST_CASE("extension pairs that nobody knows are skipped", "[SDP-33][ICE-CHK-29]") {
  CHECK(rewritten(candidate_line("192.0.2.1 1000 typ host foo bar tcptype active")) ==
        candidate_line("192.0.2.1 1000 typ host"));
  CHECK(rewritten(candidate_line("192.0.2.1 1000 typ host dangling")) ==
        candidate_line("192.0.2.1 1000 typ host"));
  CHECK(rewritten(candidate_line("192.0.2.1 1000 typ host empty  ufrag abcd")) ==  // a value may be empty
        candidate_line("192.0.2.1 1000 typ host ufrag abcd"));
}

TEST_CASE("words of the candidate grammar compare without case", "[SDP-37][SDP-33]") {
  CHECK(rewritten("candidate:1 1 UdP 1 192.0.2.1 1 TYP HOST") == "candidate:1 1 udp 1 192.0.2.1 1 typ host");
  CHECK(rewritten("candidate:1 1 TCP 1 192.0.2.1 9 typ Host tcptype ACTIVE") ==
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active");
}

TEST_CASE("a related address may be absent, hidden, or where it should not be", "[SDP-34]") {
  CHECK_FALSE(parse_candidate(candidate_line("192.0.2.1 1000 typ srflx"))->related.is_valid());
  CHECK_FALSE(
      parse_candidate(candidate_line("192.0.2.1 1000 typ srflx raddr 0.0.0.0 rport 9"))->related.is_valid());
  CHECK_FALSE(
      parse_candidate(candidate_line("192.0.2.1 1000 typ srflx raddr :: rport 9"))->related.is_valid());
  CHECK_FALSE(
      parse_candidate(candidate_line("192.0.2.1 1000 typ srflx raddr a.local rport 9"))->related.is_valid());
  CHECK_FALSE(
      parse_candidate(candidate_line("192.0.2.1 1000 typ host raddr 10.0.0.1 rport 5"))->related.is_valid());
}

TEST_CASE("a hidden related address is written as 0.0.0.0 or :: and port 9", "[SDP-22]") {
  Candidate c = *parse_candidate("candidate:2 1 udp 1 192.0.2.3 4 typ srflx raddr 10.1.2.3 rport 8998");
  CHECK(write_candidate(c, true) == "candidate:2 1 udp 1 192.0.2.3 4 typ srflx raddr 0.0.0.0 rport 9");
  c.address = *parse_ip("2001:db8::1", 4);
  CHECK(write_candidate(c, true) == "candidate:2 1 udp 1 2001:db8::1 4 typ srflx raddr :: rport 9");
  c.related = {};
  CHECK(write_candidate(c, false) == "candidate:2 1 udp 1 2001:db8::1 4 typ srflx raddr :: rport 9");
}

TEST_CASE("the base of a candidate is never written", "[SDP-22]") {
  Candidate c = *parse_candidate(candidate_line("192.0.2.1 1000 typ host"));
  c.base = Address::v4(10, 9, 8, 7, 6);
  CHECK(write_candidate(c, false) == candidate_line("192.0.2.1 1000 typ host"));
}

TEST_CASE("only a version 4 UUID under .local is taken as a name", "[ICE-MDNS-01][ICE-MDNS-02]") {
  const auto c = parse_candidate(candidate_line(std::string(kUuidName) + " 54186 typ host"));
  REQUIRE(c.has_value());
  CHECK(c->mdns_name == kUuidName);
  CHECK(c->mdns_port == 54186);
  CHECK_FALSE(c->address.is_valid());
  CHECK(is_mdns_name("1F4712DB-EA17-4BCF-A596-105139DFD8BF.LOCAL"));
  for (const char* name :
       {"printer.local", "1f4712db-ea17-1bcf-a596-105139dfd8bf.local",  // version 1
        "1f4712db-ea17-4bcf-c596-105139dfd8bf.local",                   // variant 110
        "1f4712db-ea17-4bcf-a596-105139dfd8bg.local", "1f4712db-ea17-4bcf-a596-105139dfd8bf.example",
        "a.1f4712db-ea17-4bcf-a596-105139dfd8bf.local", "1f4712db-ea17-4bcf-a596-105139dfd8bf",
        "1f4712db.ea17-4bcf-a596-105139dfd8bf.local", ".local", ""}) {
    CHECK_FALSE(is_mdns_name(name));
    if (*name != '\0')
      CHECK(error_of(candidate_line(std::string(name) + " 1 typ host")) == ErrorCode::Refused);
  }
}

TEST_CASE("a TCP candidate says which end connects", "[ICE-TCP-03]") {
  CHECK(error_of("candidate:1 1 tcp 1 192.0.2.1 9 typ host") == ErrorCode::Refused);
  CHECK(error_of("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype so") == ErrorCode::Refused);
  CHECK(error_of("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype foo") == ErrorCode::Refused);
  CHECK(error_of("candidate:1 1 dccp 1 192.0.2.1 9 typ host tcptype active") == ErrorCode::Refused);
  CHECK(parse_candidate("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active")->tcp_type ==
        TcpType::Active);
}

TEST_CASE("no byte that ends a line gets into a candidate", "[SDP-23]") {
  for (const char c : {'\r', '\n', '\0'}) {
    CHECK(error_of(candidate_line("192.0.2.1 1000 typ host") + c) == ErrorCode::ParseFailed);
    CHECK(error_of(candidate_line("192.0.2.1 1000 typ host ufrag ab") + c + "cd") == ErrorCode::ParseFailed);
    CHECK(error_of(candidate_line(std::string("192.0.2.1") + c + " 1000 typ host")) ==
          ErrorCode::ParseFailed);
  }
}

TEST_CASE("the lines of both browsers are read", "[SDP-16]") {
  const std::string uuid = "7cee498c-d80c-4798-a2f5-340c776cedde.local";
  CHECK(parse_candidate("candidate:459757566 1 udp 2113937151 " + uuid +
                        " 54186 typ host generation 0 ufrag 9FXo network-cost 999")
            .has_value());
  CHECK(
      parse_candidate("candidate:348917579 1 udp 2113937151 10.99.0.2 58561 typ host generation 0 ufrag LlsC "
                      "network-cost 999")
          .has_value());
  CHECK(parse_candidate("candidate:0 1 UDP 2122252543 " + uuid + " 60430 typ host").has_value());
  CHECK(parse_candidate("candidate:1 1 TCP 2105524479 " + uuid + " 9 typ host tcptype active").has_value());
}
