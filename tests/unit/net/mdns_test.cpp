// The engine of multicast DNS, in virtual time, against messages written by hand.
#include "net/mdns.h"

#include "base/address.h"
#include "base/bytes.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;
using test::ByteVector;
using test::hex;

namespace {

constexpr const char* kName = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
constexpr const char* kOther = "87a17803-6e1a-4dfb-9b26-89fe7b54e2c2.local";
const Address kLink = Address::v4(192, 0, 2, 1, 0), kLink2 = Address::v4(198, 51, 100, 1, 0);
const Address kNeighbour = Address::v4(192, 0, 2, 7, 5353);
const Address kOwn = Address::v4(192, 0, 2, 1, 50000);

// On the wire: kName, then kOther.
const std::string kWire =
    "24 31663437313264622d656131372d346263662d613539362d313035313339646664386266 05 6c6f63616c 00";
const std::string kOtherWire =
    "24 38376131373830332d366531612d346466622d396232362d383966653762353465326332 05 6c6f63616c 00";
const std::string kAnswerHeader = "0000 8400 0000 0001 0000 0000";

std::string a(const std::string& owner, const std::string& ip, const std::string& ttl = "00000078",
              const std::string& rr_class = "8001") {
  return owner + " 0001 " + rr_class + ttl + " 0004 " + ip;
}
std::string answer(const std::string& owner = kWire, const std::string& ip = "c0000209") {
  return kAnswerHeader + a(owner, ip);
}
std::string question(const std::string& type = "0001", const std::string& rr_class = "0001",
                     const std::string& name = kWire) {
  return "0000 0000 0001 0000 0000 0000" + name + type + rr_class;
}

struct Sent {
  Time when;
  Path path;
  ByteVector bytes;
  std::string text() const { return test::to_hex(bytes); }
};

struct Fixture {
  test::TestEnvironment environment;
  Mdns mdns{environment.env};
  Time now{};

  explicit Fixture(std::initializer_list<Address> links = {kLink}) {
    for (const Address& link : links) REQUIRE(mdns.add_link(now, link));
  }
  Drop receive(const std::string& message, const Address& from = kNeighbour, const Address& link = kLink) {
    return mdns.handle_datagram(now, {link.with_port(5353), from, Transport::Udp}, hex(message));
  }
  std::vector<Sent> drain() {
    std::vector<Sent> sent;
    std::array<std::uint8_t, 1500> buffer;
    while (const auto t = mdns.poll_transmit(now, buffer)) {
      sent.push_back({now, t->path, test::to_vector(Bytes(buffer).first(t->size))});
      REQUIRE(sent.size() < 1000);
    }
    return sent;
  }
  // Lets time pass, and gives what was sent meanwhile.
  std::vector<Sent> run(Duration time) {
    std::vector<Sent> all = drain();
    const Time end = now + time;
    while (mdns.next_timeout() <= end) {
      const Time due = mdns.next_timeout();
      REQUIRE(due >= now);
      now = due;
      mdns.handle_timeout(now);
      REQUIRE(mdns.next_timeout() > now);
      for (Sent& sent : drain()) all.push_back(std::move(sent));
    }
    now = end;
    return all;
  }
  std::optional<Mdns::Event> event() {
    Mdns::Event event;
    return mdns.poll_event(event) ? std::optional(event) : std::nullopt;
  }
};

std::string expected(const std::string& hex_text) { return test::to_hex(hex(hex_text)); }

const std::string kDenialV4 = "002f 8001 00000078 0005 c00c 00 01 40";

}  // namespace

TEST_CASE("a question goes to the group of each link, from port 5353, with ID 0 and RD 0", "[ICE-MDNS-06]") {
  Address v6 = *parse_ip("fe80::1");
  v6.scope_id = 3;
  Fixture f({kLink, v6});
  REQUIRE(f.mdns.resolve(f.now, kName));
  const auto sent = f.drain();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].path.local == kLink.with_port(5353));
  CHECK(sent[0].path.remote == Address::v4(224, 0, 0, 251, 5353));
  CHECK(sent[1].path.local == v6.with_port(5353));
  CHECK(sent[1].path.remote.same_ip([&] {
    Address group = *parse_ip("ff02::fb");
    group.scope_id = 3;
    return group;
  }()));
  CHECK(sent[1].path.remote.port == 5353);
  for (const Sent& s : sent)
    CHECK(s.text() == expected("0000 0000 0002 0000 0000 0000" + kWire + "0001 0001 c00c 001c 0001"));
}

TEST_CASE("a question is repeated after a second, then after twice as long, and given up after five",
          "[ICE-MDNS-10]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  REQUIRE(f.mdns.resolve(f.now, kName));  // asked already: no second question
  const auto sent = f.run(20s);
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].when == Time(0s));
  CHECK(sent[1].when == Time(1s));
  CHECK(sent[2].when == Time(3s));
  for (const Sent& s : sent) {  // never asks for an answer by unicast
    CHECK(s.bytes[s.bytes.size() - 2] == 0);
    CHECK(s.bytes == sent[0].bytes);
  }
  const auto event = f.event();
  REQUIRE(event);
  CHECK(event->name == kName);
  CHECK_FALSE(event->address.is_valid());
  CHECK_FALSE(f.event());
  CHECK(f.mdns.is_idle());
}

TEST_CASE("silence is noticed after five seconds, not sooner", "[ICE-MDNS-10]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  f.run(4999ms);
  CHECK_FALSE(f.event());
  f.run(1ms);
  CHECK(f.event());
}

TEST_CASE("the first answer ends the question", "[ICE-MDNS-10][ICE-MDNS-02]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  f.drain();
  CHECK(f.receive(answer()) == Drop::None);
  CHECK(f.run(20s).empty());
  const auto event = f.event();
  REQUIRE(event);
  CHECK(event->name == kName);
  CHECK(event->address == Address::v4(192, 0, 2, 9, 0));
  CHECK(f.receive(answer()) == Drop::DnsUnexpected);  // nobody asks any more
}

TEST_CASE("a name with two addresses has none", "[ICE-MDNS-02]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  CHECK(f.receive("0000 8400 0000 0001 0000 0001" + a(kWire, "c0000209") +
                  "c00c 001c 8001 00000078 0010 20010db8000000000000000000000001") == Drop::None);
  const auto event = f.event();
  REQUIRE(event);
  CHECK_FALSE(event->address.is_valid());
  // The same address twice is one.
  REQUIRE(f.mdns.resolve(f.now, kName));
  CHECK(f.receive("0000 8400 0000 0002 0000 0000" + a(kWire, "c0000209") + a("c00c", "c0000209")) ==
        Drop::None);
  CHECK(f.event()->address.is_valid());
}

TEST_CASE("what answers is decided by port, opcode, rcode, QR, class and name", "[ICE-MDNS-07][ATK-20]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  const std::string tail = "0000 0001 0000 0000" + a(kWire, "c0000209");
  CHECK(f.receive(answer(), kNeighbour.with_port(5354)) == Drop::DnsUnexpected);
  CHECK(f.receive("0000 8c00" + tail) == Drop::DnsUnexpected);  // opcode 1
  CHECK(f.receive("0000 8403" + tail) == Drop::DnsUnexpected);  // rcode 3
  CHECK(f.receive("0000 0000" + tail) == Drop::DnsUnexpected);  // a query
  CHECK(f.receive(answer(kOtherWire)) == Drop::DnsUnexpected);  // another name
  CHECK(f.receive(kAnswerHeader + a(kWire, "c0000209", "00000078", "8003")) == Drop::DnsUnexpected);
  CHECK(f.receive(kAnswerHeader + a(kWire, "c0000209", "00000000")) == Drop::DnsUnexpected);  // a goodbye
  CHECK_FALSE(f.event());
  CHECK(f.mdns.drops()[Drop::DnsUnexpected] == 7);

  SECTION("ID, question section, RD, TC and the top bit of the class do not matter") {
    CHECK(f.receive("1234 8780 0001 0001 0000 0000" + kOtherWire + "0010 0001" +
                    a(kWire, "c0000209", "00000001", "0001")) == Drop::None);
  }
  SECTION("nor the case of the name") {
    std::string upper = kWire;
    upper.replace(upper.find("6c6f63616c"), 10, "4c4f43414c");
    upper.replace(3, 4, "3146");
    CHECK(f.receive(answer(upper)) == Drop::None);
  }
  SECTION("a record in the last section counts, with its name compressed") {
    CHECK(f.receive("0000 8400 0000 0001 0000 0001" + kWire + kDenialV4 + a("c00c", "c0000209")) ==
          Drop::None);
  }
  SECTION("an AAAA record as well") {
    CHECK(f.receive(kAnswerHeader + kWire + "001c 8001 00000078 0010 20010db8000000000000000000000009") ==
          Drop::None);
  }
  CHECK(f.event()->address.is_valid());
}

TEST_CASE("loops, cut messages and floods of records are dropped whole", "[ICE-MDNS-07][ATK-20]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  CHECK(f.receive("0000 8400 0000 0002 0000 0000" + a(kWire, "c0000209") + a("c046", "c0000209")) ==
        Drop::DnsMalformed);  // a name that points to itself
  const ByteVector whole = hex(answer());
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(f.receive(test::to_hex(Bytes(whole).first(size))) == Drop::DnsMalformed);
  CHECK_FALSE(f.event());
  // Of a thousand records the first 64 are read.
  std::string many = "0000 8400 0000 03e8 0000 0000" + a(kOtherWire, "c0000209");
  for (int i = 0; i < 64; ++i) many += a("c00c", "c0000209");
  CHECK(f.receive(many + a(kWire, "c0000209")) != Drop::None);
  // So many questions that they alone are a message.
  std::string questions = "0000 8400 0041 0001 0000 0000" + kOtherWire + "0001 0001";
  for (int i = 0; i < 64; ++i) questions += "c00c 0001 0001";
  CHECK(f.receive(questions + a(kWire, "c0000209")) == Drop::DnsMalformed);
  // More than a datagram of ours can be.
  ByteVector large = whole;
  large.resize(kMaxMdnsMessage + 1);
  CHECK(f.mdns.handle_datagram(f.now, {kLink.with_port(5353), kNeighbour, Transport::Udp}, large) ==
        Drop::DnsMalformed);
  for (int i = 0; i < 1000; ++i) CHECK(f.receive(answer(kOtherWire)) == Drop::DnsUnexpected);
  CHECK_FALSE(f.event());
  CHECK(f.receive(answer()) == Drop::None);
}

TEST_CASE("only a neighbour is listened to, and only on a link that is there", "[ICE-MDNS-08][ATK-20]") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  for (const Address& bad : std::initializer_list<Address>{
           Address{}, Address::v4(0, 0, 0, 0, 5353), Address::v4(224, 0, 0, 251, 5353),
           Address::v4(255, 255, 255, 255, 5353), *parse_ip("fe80::7", 5353)})
    CHECK(f.receive(answer(), bad) == Drop::DnsUnexpected);
  CHECK(f.receive(answer(), kNeighbour, kLink2) == Drop::DnsUnexpected);
  CHECK_FALSE(f.event());
}

TEST_CASE("no more names at once than the limit", "[ICE-MDNS-01][ATK-31]") {
  Fixture f;
  f.environment.env.limits.ice_mdns_names = 16;
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i) + ".local";
    const Status status = f.mdns.resolve(f.now, name);
    if (status)
      ++taken;
    else
      CHECK(status.error() == ErrorCode::LimitReached);
  }
  CHECK(taken == 16);
  CHECK(f.run(10s).size() == 48);
  for (int i = 0; i < 16; ++i) CHECK(f.event());
  CHECK(f.mdns.resolve(f.now, kName));
  CHECK(f.mdns.resolve(f.now, "host.example").error() == ErrorCode::InvalidArgument);
  CHECK(f.mdns.resolve(f.now, "bad name.local").error() == ErrorCode::InvalidArgument);
}

TEST_CASE("a name of ours is announced twice, a second apart, and not probed for",
          "[ICE-MDNS-04][ICE-MDNS-09]") {
  Fixture f({kLink, kLink2});
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  CHECK(f.mdns.publish(f.now, kName, kOwn).error() == ErrorCode::AlreadyExists);
  const auto sent = f.run(60s);
  REQUIRE(sent.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(sent[i].when == Time(i < 2 ? 0s : 1s));
    CHECK(sent[i].path.remote == Address::v4(224, 0, 0, 251, 5353));
    CHECK(sent[i].path.local.port == 5353);
    CHECK(sent[i].text() ==
          expected("0000 8400 0000 0001 0000 0001" + a(kWire, "c0000201") + "c00c" + kDenialV4));
  }
  CHECK(sent[0].path.local != sent[1].path.local);
}

TEST_CASE("a question about our name is answered by multicast on its link", "[ICE-MDNS-09]") {
  Fixture f({kLink, kLink2});
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  for (const char* type : {"0001", "00ff"}) {
    CHECK(f.receive(question(type), kNeighbour, kLink2) == Drop::None);
    const auto sent = f.drain();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].path == Path{kLink2.with_port(5353), Address::v4(224, 0, 0, 251, 5353), Transport::Udp});
    CHECK(sent[0].text() ==
          expected("0000 8400 0000 0001 0000 0001" + a(kWire, "c0000201") + "c00c" + kDenialV4));
    f.run(2s);
  }
  CHECK(f.receive(question("0001", "00ff")) == Drop::None);  // class ANY
  CHECK(f.drain().size() == 1);
}

TEST_CASE("names of others, other classes, opcodes and answers to others get nothing", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  CHECK(f.receive(question("0001", "0001", kOtherWire)) == Drop::DnsUnexpected);
  CHECK(f.receive(question("0001", "0003")) == Drop::DnsUnexpected);
  CHECK(f.receive("0000 0800 0001 0000 0000 0000" + kWire + "0001 0001") == Drop::DnsUnexpected);
  CHECK(f.receive("0000 0001 0001 0000 0000 0000" + kWire + "0001 0001") == Drop::DnsUnexpected);
  CHECK(f.receive(answer()) == Drop::DnsUnexpected);
  CHECK(f.run(10s).empty());
}

TEST_CASE("another type of record is denied by NSEC, with the address beside it", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  const Address v6 = *parse_ip("2001:db8::1");
  REQUIRE(f.mdns.publish(f.now, kOther, v6));
  f.run(10s);
  for (const char* type : {"001c", "0010"}) {
    CHECK(f.receive(question(type)) == Drop::None);
    const auto sent = f.drain();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].text() ==
          expected("0000 8400 0000 0001 0000 0001" + kWire + kDenialV4 + a("c00c", "c0000201")));
    f.run(2s);
  }
  CHECK(f.receive(question("0001", "0001", kOtherWire)) == Drop::None);
  const auto sent = f.drain();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].text() == expected("0000 8400 0000 0001 0000 0001" + kOtherWire +
                                   "002f 8001 00000078 0008 c00c 00 04 00000008" +
                                   "c00c 001c 8001 00000078 0010 20010db8000000000000000000000001"));
  // Asked for both, as we ask ourselves, it is the address that answers.
  f.run(2s);
  CHECK(f.receive("0000 0000 0002 0000 0000 0000" + kWire + "001c 0001 c00c 0001 0001") == Drop::None);
  const auto both = f.drain();
  REQUIRE(both.size() == 1);
  CHECK(both[0].text().find(expected(a(kWire, "c0000201"))) != std::string::npos);
}

TEST_CASE("a record is multicast once a second at most, however many ask", "[ICE-MDNS-09][ATK-20]") {
  Fixture f({kLink, kLink2});
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  std::vector<Time> times;
  for (int i = 0; i < 1000; ++i) {
    CHECK(f.receive(question(i % 2 == 0 ? "0001" : "001c")) == Drop::None);
    for (const Sent& s : f.run(5ms)) times.push_back(s.when);
  }
  for (const Sent& s : f.run(5s)) times.push_back(s.when);
  WARN("ATK-20: 1000 questions of " << question().size() << " bytes in 5 s; " << times.size() << " answers");
  CHECK(times.size() == 6);  // at once, and what came within a second of it after that second
  for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] >= 1s);
  // The other link has its own count.
  CHECK(f.receive(question(), kNeighbour, kLink2) == Drop::None);
  CHECK(f.drain().size() == 1);
}

TEST_CASE("who asks for a unicast answer gets one", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  CHECK(f.receive(question("0001", "8001")) == Drop::None);
  const auto sent = f.drain();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].path == Path{kLink.with_port(5353), kNeighbour, Transport::Udp});
  CHECK(sent[0].text() ==
        expected("0000 8400 0000 0001 0000 0001" + a(kWire, "c0000201") + "c00c" + kDenialV4));
  CHECK(f.run(10s).empty());
}

TEST_CASE("an asker on another port is answered as a DNS server would", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  const Address asker = kNeighbour.with_port(40000);
  CHECK(f.receive("abcd 0100 0001 0000 0000 0000" + kWire + "0001 0001", asker) == Drop::None);
  CHECK(f.receive("abce 0100 0001 0000 0000 0000" + kWire + "001c 0001", asker) == Drop::None);
  const auto sent = f.drain();
  REQUIRE(sent.size() == 2);
  for (const Sent& s : sent) CHECK(s.path == Path{kLink.with_port(5353), asker, Transport::Udp});
  CHECK(sent[0].text() == expected("abcd 8400 0001 0001 0000 0000" + kWire + "0001 0001" +
                                   a("c00c", "c0000201", "0000000a", "0001")));
  CHECK(sent[1].text() == expected("abce 8400 0001 0000 0000 0000" + kWire + "001c 0001"));
  CHECK(f.run(10s).empty());
}

TEST_CASE("unicast answers are limited, at once and in a second",
          "[ICE-MDNS-09][ATK-20][lim.mdns.replies_per_second]") {
  Fixture f;
  f.environment.env.limits.mdns_replies_per_second = 10;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    const Drop drop = f.receive(question(), kNeighbour.with_port(40000));
    CHECK((drop == Drop::None || drop == Drop::DnsRateLimited));
    sent += f.drain().size();
  }
  WARN("ATK-20: 1000 questions for a unicast answer at once; " << sent << " answers, peak heap "
                                                               << f.environment.peak_bytes());
  CHECK(sent == 10);
  CHECK(f.mdns.drops()[Drop::DnsRateLimited] == 990);
  f.run(1s);
  for (int i = 0; i < 20; ++i) (void)f.receive(question(), kNeighbour.with_port(40000));
  CHECK(f.drain().size() == Mdns::kMaxReplies);
}

TEST_CASE("who knows the answer already is not told again", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  const std::string header = "0000 0000 0001 0001 0000 0000" + kWire + "0001 0001";
  CHECK(f.receive(header + a("c00c", "c0000201", "0000003c", "0001")) == Drop::None);
  CHECK(f.drain().empty());
  CHECK(f.receive(header + a("c00c", "c0000201", "0000003b", "0001")) ==
        Drop::None);  // less than half of its life
  CHECK(f.drain().size() == 1);
  f.run(2s);
  CHECK(f.receive(header + a("c00c", "c0000202", "00000078", "0001")) == Drop::None);  // another address
  CHECK(f.drain().size() == 1);
}

TEST_CASE("goodbye is said with TTL 0 on each link that heard of the name", "[ICE-MDNS-09]") {
  Fixture f;
  REQUIRE(f.mdns.publish(f.now, kName, kOwn));
  f.run(10s);
  REQUIRE(f.mdns.add_link(f.now, kLink2));
  REQUIRE(f.run(10s).size() == 2);  // the new link hears of it as well
  REQUIRE(f.mdns.publish(f.now, kOther, kLink2));
  f.mdns.withdraw(kOther);  // before anybody heard of it
  f.mdns.withdraw_all();
  const auto sent = f.drain();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].path.local != sent[1].path.local);
  for (const Sent& s : sent)
    CHECK(s.text() == expected("0000 8400 0000 0001 0000 0000" + a(kWire, "c0000201", "00000000")));
  CHECK(f.mdns.is_idle());
  CHECK(f.receive(question()) == Drop::DnsUnexpected);
  CHECK(f.run(10s).empty());
}

TEST_CASE("links come and go") {
  Fixture f;
  REQUIRE(f.mdns.resolve(f.now, kName));
  REQUIRE(f.mdns.publish(f.now, kOther, kOwn));
  CHECK(f.mdns.add_link(f.now, kLink).error() == ErrorCode::AlreadyExists);
  CHECK(f.mdns.add_link(f.now, Address{}).error() == ErrorCode::InvalidArgument);
  f.mdns.remove_link(kLink);
  f.mdns.remove_link(kLink);
  CHECK(f.run(2s).empty());
  for (std::uint8_t i = 0; i < Mdns::kMaxLinks; ++i)
    REQUIRE(f.mdns.add_link(f.now, Address::v4(10, 0, 0, i, 0)));
  CHECK(f.mdns.add_link(f.now, kLink).error() == ErrorCode::LimitReached);
  CHECK(f.drain().size() == 2 * Mdns::kMaxLinks);
}

TEST_CASE("without memory nothing is asked and nothing published, and what was there stays") {
  Fixture f;
  f.environment.fail_allocations_after(0);
  CHECK(f.mdns.resolve(f.now, kName).error() == ErrorCode::OutOfMemory);
  CHECK(f.mdns.publish(f.now, kName, kOwn).error() == ErrorCode::OutOfMemory);
  CHECK(f.mdns.is_idle());
}
