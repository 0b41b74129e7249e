#include "net/dns_message.h"

#include "base/address.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::net;
using test::ByteVector;
using test::hex;

namespace {

DnsQuestion question(std::string_view name, DnsType type = DnsType::A) {
  return {0x1234, *DnsName::from_text(name), type};
}

// "a.example" asked for A with id 1234, as it comes back in each response.
const std::string kQuestion = "01 61 07 6578616d706c65 00 | 0001 0001";  // at offset 12; "example" at 14
const std::string kAnswerHeader = "1234 8180 0001 ";

ByteVector response(const std::string& answer_count, const std::string& answers,
                    const std::string& flags = "8180") {
  return hex("1234 " + flags + " 0001 " + answer_count + " 0000 0000 " + kQuestion + answers);
}
std::string a_record(const std::string& owner, const std::string& ip) {
  return owner + " 0001 0001 00000000 0004 " + ip;
}

struct Reading {
  DnsOutcome outcome;
  DnsAddresses addresses;
};
Reading read(Bytes message, const DnsQuestion& asked = question("a.example"), std::size_t most = 8) {
  Reading reading{};
  reading.outcome = read_dns_response(message, asked, most, reading.addresses);
  return reading;
}
std::string ips(const DnsAddresses& addresses) {
  std::string text;
  for (const Address& a : addresses) text += std::string(ip_text(a).view()) + " ";
  return text;
}

}  // namespace

TEST_CASE("a question is laid out as RFC 1035 §4.1 draws it") {
  std::array<std::uint8_t, 64> out;
  const std::size_t size = write_dns_question(question("STUN.example.", DnsType::Aaaa), out);
  CHECK(test::to_hex(Bytes(out).first(size)) ==
        test::to_hex(hex("1234 0100 0001 0000 0000 0000  04 7374756e 07 6578616d706c65 00  001c 0001")));
  CHECK(write_dns_question(question("stun.example"), MutBytes(out).first(29)) == 0);  // one byte short
  CHECK(write_dns_question(question("stun.example"), MutBytes(out).first(30)) == 30);
}

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

TEST_CASE("addresses of the name are taken, whatever the case of its letters") {
  const auto plain = read(
      response("0002", a_record("c00c", "c0000201") + a_record("01 41 07 4558414d504c45 00", "c0000202")));
  CHECK(plain.outcome == DnsOutcome::Answered);
  CHECK(ips(plain.addresses) == "192.0.2.1 192.0.2.2 ");

  const auto v6 = read(hex("1234 8180 0001 0001 0000 0000  01 61 07 6578616d706c65 00  001c 0001"
                           "c00c 001c 0001 00000000 0010 20010db8000000000000000000000001"),
                       question("a.example", DnsType::Aaaa));
  CHECK(ips(v6.addresses) == "2001:db8::1 ");
}

TEST_CASE("a response must repeat id and question", "[ATK-19]") {
  const ByteVector good = response("0001", a_record("c00c", "c0000201"));
  REQUIRE(read(good).outcome == DnsOutcome::Answered);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    ByteVector bad = good;
    bad[at] = value;
    return read(bad).outcome;
  };
  CHECK(with(1, 0x35) == DnsOutcome::NotOurs);   // id
  CHECK(with(2, 0x01) == DnsOutcome::NotOurs);   // a question, not a response
  CHECK(with(2, 0x91) == DnsOutcome::NotOurs);   // another opcode
  CHECK(with(5, 0x00) == DnsOutcome::NotOurs);   // no question
  CHECK(with(5, 0x02) == DnsOutcome::NotOurs);   // two questions
  CHECK(with(13, 'b') == DnsOutcome::NotOurs);   // another name
  CHECK(with(24, 0x1c) == DnsOutcome::NotOurs);  // another type
  CHECK(with(26, 0x03) == DnsOutcome::NotOurs);  // another class
}

TEST_CASE("a record for another name, class, type or size is passed over", "[ATK-19]") {
  const std::string other_name = a_record("01 62 c00e", "c0000209");
  const std::string chaos = "c00c 0001 0003 00000000 0004 c0000209";
  const std::string short_a = "c00c 0001 0001 00000000 0003 c00002";
  const std::string txt = "c00c 0010 0001 00000000 0002 0161";
  const auto reading =
      read(response("0005", other_name + chaos + short_a + txt + a_record("c00c", "c0000201")));
  CHECK(ips(reading.addresses) == "192.0.2.1 ");
  CHECK(read(response("0004", other_name + chaos + short_a + txt)).outcome == DnsOutcome::NoAddress);
}

TEST_CASE("CNAMEs are followed inside the response, in any order of records") {
  // b.example is first, then the alias a.example -> b.example.
  const std::string b = "01 62 c00e";
  const auto reading = read(response("0002", a_record(b, "c0000202") + "c00c 0005 0001 00000000 0004 " + b));
  CHECK(reading.outcome == DnsOutcome::Answered);
  CHECK(ips(reading.addresses) == "192.0.2.2 ");
  // The alias alone: the server knows no address.
  CHECK(read(response("0001", "c00c 0005 0001 00000000 0004 " + b)).outcome == DnsOutcome::NoAddress);
}

TEST_CASE("a loop of CNAMEs ends", "[ATK-19]") {
  const std::string b = "01 62 c00e";
  const auto loop =
      response("0002", "c00c 0005 0001 00000000 0004 " + b + " " + b + " 0005 0001 00000000 0002 c00c");
  CHECK(read(loop).outcome == DnsOutcome::NoAddress);
  CHECK(read(response("0001", "c00c 0005 0001 00000000 0002 c00c")).outcome ==
        DnsOutcome::NoAddress);  // to itself
  CHECK(read(response("0001", "c00c 0005 0001 00000000 0003 c00c 00")).outcome ==
        DnsOutcome::Malformed);  // and a byte over
}

TEST_CASE("compression pointers lead backwards, and not into the header") {
  CHECK(read(response("0001", a_record("c01b", "c0000201"))).outcome ==
        DnsOutcome::Malformed);  // to itself (offset 27)
  CHECK(read(response("0001", a_record("01 61 c01b", "c0000201"))).outcome ==
        DnsOutcome::Malformed);  // a circle
  CHECK(read(response("0001", a_record("c0ff", "c0000201"))).outcome ==
        DnsOutcome::Malformed);  // past the end
  CHECK(read(response("0001", a_record("c004", "c0000201"))).outcome == DnsOutcome::Malformed);  // the header
  CHECK(read(response("0001", a_record("40", "c0000201"))).outcome ==
        DnsOutcome::Malformed);  // a reserved label type
  CHECK(read(response("0001", a_record("80", "c0000201"))).outcome == DnsOutcome::Malformed);
  // Forwards, to a good name in the record's own data (offset 27 + 2 + 10).
  CHECK(read(response("0001", "c027 0005 0001 00000000 000b 01 61 07 6578616d706c65 00")).outcome ==
        DnsOutcome::Malformed);
  // A pointer to a pointer is legal.
  CHECK(
      read(response("0002", a_record("c00c", "c0000201") + a_record("c01b", "c0000202"))).addresses.size() ==
      2);
}

TEST_CASE("a long chain of pointers is cut") {
  // Pointers one after another, each to the one before: 27 -> 12, 29 -> 27, ... in the data of a TXT record.
  std::string chain;
  const int first = 27 + 12;  // the data of the first record
  const auto chained = [&](int pointers) {
    std::string data = "c00c";
    for (int i = 1; i < pointers; ++i) {
      const int target = first + 2 * (i - 1);
      data += " c0" + test::to_hex(ByteVector{static_cast<std::uint8_t>(target)});
    }
    const int last = first + 2 * (pointers - 1);
    const std::string size = test::to_hex(ByteVector{0, static_cast<std::uint8_t>(2 * pointers)});
    return response(
        "0002", "c00c 0010 0001 00000000 " + size + data +
                    a_record("c0" + test::to_hex(ByteVector{static_cast<std::uint8_t>(last)}), "c0000201"));
  };
  CHECK(read(chained(15)).outcome == DnsOutcome::Answered);
  CHECK(read(chained(16)).outcome == DnsOutcome::Malformed);
}

TEST_CASE("every way of cutting a response short is malformed, none reads past the end") {
  const ByteVector whole = response("0002", a_record("c00c", "c0000201") + a_record("c00c", "c0000202"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ByteVector part(whole.begin(),
                          whole.begin() + static_cast<std::ptrdiff_t>(size));  // for the sanitizer
    CHECK(read(part).outcome == DnsOutcome::Malformed);
  }
  CHECK(read(whole).outcome == DnsOutcome::Answered);
}

TEST_CASE("of 500 answers the first ones are taken, each once", "[ATK-19]") {
  std::string records = a_record("c00c", "c0000200") + a_record("c00c", "c0000200");
  for (int i = 1; i < 499; ++i)
    records += a_record("c00c", test::to_hex(ByteVector{192, 0, 2, static_cast<std::uint8_t>(i)}));
  const auto reading = read(response("01f4", records));
  CHECK(reading.outcome == DnsOutcome::Answered);
  CHECK(reading.addresses.size() == 8);
  CHECK(reading.addresses[1] == Address::v4(192, 0, 2, 1, 0));
  CHECK(read(response("01f4", records), question("a.example"), 3).addresses.size() == 3);
}

TEST_CASE("what a name must not mean is left out", "[ATK-19]") {
  for (const char* bad : {"7f000001", "00000000", "00000001", "e0000001", "ffffffff"}) {
    INFO(bad);
    CHECK(read(response("0001", a_record("c00c", bad))).outcome == DnsOutcome::NoAddress);
  }
  CHECK(read(response("0001", a_record("c00c", "0a000001"))).outcome ==
        DnsOutcome::Answered);  // a server at home
  for (const char* bad : {"::1", "::", "ff02::fb", "fe80::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"}) {
    INFO(bad);
    CHECK_FALSE(is_usable_dns_address(*parse_ip(bad)));
  }
  CHECK(is_usable_dns_address(*parse_ip("fd00::1")));
}

TEST_CASE("return codes and truncation") {
  CHECK(read(response("0000", "", "8183")).outcome == DnsOutcome::NoAddress);     // NXDOMAIN
  CHECK(read(response("0000", "")).outcome == DnsOutcome::NoAddress);             // exists, has no A
  CHECK(read(response("0000", "", "8182")).outcome == DnsOutcome::ServerFailed);  // SERVFAIL
  CHECK(read(response("0000", "", "8185")).outcome == DnsOutcome::ServerFailed);  // REFUSED
  // TC: what is there is used, even when the last record is cut.
  const auto cut = read(response("0002", a_record("c00c", "c0000201") + "c00c 0001 00", "8380"));
  CHECK(cut.outcome == DnsOutcome::Answered);
  CHECK(cut.addresses.size() == 1);
  CHECK(read(response("0000", "", "8380")).outcome == DnsOutcome::ServerFailed);
}
