#include "net/dns_query.h"

#include "base/address.h"
#include "base/bytes.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;
using test::ByteVector;

namespace {

const Address kFirst = Address::v4(192, 0, 2, 53, 53);
const Address kSecond = Address::v4(192, 0, 2, 54, 53);
constexpr Time at(Duration d) { return Time(d); }

struct Fixture {
  test::TestEnvironment environment;
  DnsQuery query;

  explicit Fixture(bool two_servers = true) : query(environment.env, servers(two_servers)) {
    REQUIRE(query.start(at(0s), "stun.example"));
  }
  static DnsServers servers(bool two) {
    DnsServers s;
    REQUIRE(s.addresses.push_back(kFirst));
    if (two) REQUIRE(s.addresses.push_back(kSecond));
    return s;
  }
  // Everything owed now, as (server, question).
  std::vector<std::pair<Address, ByteVector>> drain(Time now) {
    std::vector<std::pair<Address, ByteVector>> sent;
    std::array<std::uint8_t, 512> out;
    while (const auto t = query.poll_transmit(now, out))
      sent.emplace_back(t->path.remote, test::to_vector(Bytes(out).first(t->size)));
    return sent;
  }
  Drop give(Time now, const ByteVector& message, const Address& from = kFirst) {
    return query.handle_datagram(now, {{}, from, Transport::Udp}, message);
  }
};

bool asks_aaaa(const ByteVector& question) { return question[question.size() - 3] == 28; }

// The response to `question` with these addresses.
ByteVector answer(ByteVector question, std::initializer_list<const char*> ips, std::uint8_t rcode = 0) {
  question[2] |= 0x80;
  question[3] = static_cast<std::uint8_t>(0x80 | rcode);
  question[7] = static_cast<std::uint8_t>(ips.size());
  for (const char* ip : ips) {
    const Address a = *parse_ip(ip);
    const ByteVector head = test::hex(a.family == Address::Family::IPv4 ? "c00c 0001 0001 00000000 0004"
                                                                        : "c00c 001c 0001 00000000 0010");
    question.insert(question.end(), head.begin(), head.end());
    question.insert(question.end(), a.ip_bytes().begin(), a.ip_bytes().end());
  }
  return question;
}

}  // namespace

TEST_CASE("A and AAAA are asked at the same time, with ids of their own") {
  Fixture f;
  const auto sent = f.drain(at(0s));
  REQUIRE(sent.size() == 2);
  CHECK(asks_aaaa(sent[0].second));
  CHECK_FALSE(asks_aaaa(sent[1].second));
  CHECK(load_u16(sent[0].second.data()) != load_u16(sent[1].second.data()));
  CHECK(sent[0].first == kFirst);
  CHECK(f.drain(at(0s)).empty());
}

TEST_CASE("both families are in the answer, and take turns up to the limit", "[ATK-19]") {
  Fixture f;
  f.environment.env.limits.dns_answers = 3;
  const auto sent = f.drain(at(0s));
  CHECK(f.give(at(10ms), answer(sent[1].second, {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"})) ==
        Drop::None);
  DnsQuery::Event event;
  CHECK_FALSE(f.query.poll_event(event));
  CHECK(f.give(at(20ms), answer(sent[0].second, {"2001:db8::1"})) == Drop::None);
  CHECK(f.query.poll_event(event));
  CHECK_FALSE(f.query.poll_event(event));
  REQUIRE(f.query.addresses().size() == 3);
  CHECK(f.query.addresses()[0] == *parse_ip("2001:db8::1"));
  CHECK(f.query.addresses()[1] == *parse_ip("192.0.2.1"));
  CHECK(f.query.addresses()[2] == *parse_ip("192.0.2.2"));
  CHECK(f.query.next_timeout() == kNever);
}

TEST_CASE("an answer counts only from a server that was asked, to a question that was asked") {
  Fixture f;
  const auto sent = f.drain(at(0s));
  const ByteVector good = answer(sent[1].second, {"192.0.2.1"});
  CHECK(f.give(at(1ms), good, Address::v4(192, 0, 2, 99, 53)) == Drop::DnsUnexpected);
  CHECK(f.give(at(1ms), good, kFirst.with_port(5353)) == Drop::DnsUnexpected);
  ByteVector wrong_id = good;
  wrong_id[0] ^= 0x55;
  CHECK(f.give(at(1ms), wrong_id) == Drop::DnsUnexpected);
  CHECK(f.give(at(1ms), {}) == Drop::DnsMalformed);
  ByteVector cut = good;
  cut.pop_back();
  CHECK(f.give(at(1ms), cut) == Drop::DnsMalformed);
  CHECK(f.query.drops()[Drop::DnsUnexpected] == 3);
  CHECK(f.give(at(1ms), good) == Drop::None);           // none of them spoilt it
  CHECK(f.give(at(1ms), good) == Drop::DnsUnexpected);  // once
}

TEST_CASE("silence: each second the next server, after five seconds the end", "[ATK-19]") {
  Fixture f;
  CHECK(f.drain(at(0s)).size() == 2);
  for (int second = 1; second <= 4; ++second) {
    REQUIRE(f.query.next_timeout() == at(std::chrono::seconds(second)));
    f.query.handle_timeout(f.query.next_timeout());
    const auto sent = f.drain(at(std::chrono::seconds(second)));
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].first == (second % 2 == 1 ? kSecond : kFirst));
  }
  REQUIRE(f.query.next_timeout() == at(5s));
  f.query.handle_timeout(at(5s));
  DnsQuery::Event event;
  CHECK(f.query.poll_event(event));
  CHECK(f.query.addresses().empty());
  CHECK(f.query.next_timeout() == kNever);
  CHECK(f.drain(at(6s)).empty());
}

TEST_CASE("a late answer to an earlier try counts") {
  Fixture f(false);
  const auto sent = f.drain(at(0s));
  f.query.handle_timeout(at(1s));
  f.drain(at(1s));
  CHECK(f.give(at(1500ms), answer(sent[1].second, {"192.0.2.1"})) == Drop::None);
}

TEST_CASE("a server that fails passes the question on at once; when all fail it is over") {
  Fixture f;
  const auto sent = f.drain(at(0s));
  CHECK(f.give(at(1ms), answer(sent[1].second, {}, 2)) == Drop::None);
  const auto again = f.drain(at(1ms));
  REQUIRE(again.size() == 1);
  CHECK(again[0].first == kSecond);
  CHECK(again[0].second == sent[1].second);
  CHECK(f.give(at(2ms), answer(sent[1].second, {}, 2), kSecond) == Drop::None);
  CHECK(f.drain(at(2ms)).empty());
  CHECK(f.give(at(3ms), answer(sent[0].second, {}, 3)) == Drop::None);
  CHECK(f.query.is_done());
  CHECK(f.query.addresses().empty());
}

TEST_CASE("a family that stays silent holds the other one's addresses up for half a second only") {
  Fixture f;
  const auto sent = f.drain(at(0s));
  CHECK(f.give(at(100ms), answer(sent[1].second, {"192.0.2.1"})) == Drop::None);
  CHECK(f.query.next_timeout() == at(600ms));
  f.query.handle_timeout(at(600ms));
  CHECK(f.query.is_done());
  CHECK(f.query.addresses().size() == 1);
}

TEST_CASE("wrong calls change nothing") {
  test::TestEnvironment environment;
  DnsQuery none(environment.env, {});
  CHECK(none.start(at(0s), "a.example").error() == ErrorCode::Network);
  DnsQuery query(environment.env, Fixture::servers(true));
  CHECK(query.start(at(0s), "not a name").error() == ErrorCode::InvalidArgument);
  environment.fail_randomness_after(0);
  CHECK(query.start(at(0s), "a.example").error() == ErrorCode::NoRandomness);
  CHECK(query.next_timeout() == kNever);
  environment.fail_randomness_after(1);
  REQUIRE(query.start(at(0s), "a.example"));
  CHECK(query.start(at(0s), "a.example").error() == ErrorCode::InvalidState);
  std::array<std::uint8_t, 10> small;
  CHECK_FALSE(query.poll_transmit(at(0s), small));  // and it stays owed
  std::array<std::uint8_t, 512> out;
  CHECK(query.poll_transmit(at(0s), out));
}
