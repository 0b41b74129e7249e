// The resolver, with c-ares below it, against name servers of our own on loopback. c-ares has a clock of its own, so these
// run in real time; nothing waits longer than a server that is made to be silent.
#include "net/resolver.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/address.h"
#include "net/clock.h"
#include "support/environment.h"
#include "unit/net/name_server.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;
using test::NameServer;

namespace {

constexpr std::uint16_t kA = 1;

std::string a_record(const std::string& ip) { return "c00c 0001 0001 00000000 0004 " + ip; }
std::string aaaa_record(const std::string& ip) { return "c00c 001c 0001 00000000 0010 " + ip; }
const std::string k2001db8 = "20010db8 00000000 00000000 000000";

NameServer::Reply an_address(const NameServer::Question& asked) {
  if (asked.type == kA) return {{a_record("c0000201")}};
  return {{aaaa_record(k2001db8 + "01")}};
}

std::string ips(const NameAddresses& addresses) {
  std::string text;
  for (const Address& a : addresses) text += std::string(ip_text(a).view()) + " ";
  return text;
}

struct Fixture {
  test::TestEnvironment environment;
  Resolver::Config config;
  std::vector<NameServer*> servers;

  explicit Fixture(std::initializer_list<NameServer*> given = {}) : servers(given) {
    for (const NameServer* server : servers) REQUIRE(config.query.servers.push_back(server->address()));
    config.query.attempt = 100ms;
  }
  // Runs until the answer has come.
  Resolver::Answer answer_of(Resolver& resolver) {
    Resolver::Answer answer;
    Poller poller;
    const Time give_up = monotonic_now() + 10s;
    while (!resolver.poll_result(answer)) {
      const Time now = monotonic_now();
      REQUIRE(now < give_up);
      poller.clear();
      resolver.watch(poller);
      for (const NameServer* server : servers) server->watch(poller);
      poller.wait(resolver.next_timeout(now) - now);
      for (NameServer* server : servers) server->step();
      resolver.step(monotonic_now());
    }
    return answer;
  }
  Resolver::Answer resolve(std::string_view name) {
    Resolver resolver(environment.env, config);
    REQUIRE(resolver.resolve(monotonic_now(), name, 3478));
    return answer_of(resolver);
  }
};

}  // namespace

TEST_CASE("a literal is answered at once, with the port") {
  Fixture f;
  Resolver resolver(f.environment.env, f.config);
  const auto v4 = resolver.resolve(Time(), "192.0.2.7", 3478),
             v6 = resolver.resolve(Time(), "[2001:db8::7]", 3479);
  REQUIRE((v4 && v6));
  CHECK(resolver.next_timeout(Time(5s)) == Time(5s));
  Resolver::Answer answer;
  REQUIRE(resolver.poll_result(answer));
  CHECK(answer.id == *v4);
  REQUIRE(answer.addresses.size() == 1);
  CHECK(answer.addresses[0] == Address::v4(192, 0, 2, 7, 3478));
  REQUIRE(resolver.poll_result(answer));
  CHECK(answer.id == *v6);
  CHECK(answer.addresses[0] == *parse_ip("2001:db8::7", 3479));
  CHECK_FALSE(resolver.poll_result(answer));
  CHECK(resolver.next_timeout(Time(5s)) == kNever);
}

TEST_CASE("names with a meaning of their own are asked of no server", "[ICE-MDNS-01]") {
  NameServer server(an_address);
  Fixture f{&server};
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(Time(), "localhost", 1));
  Resolver::Answer answer;
  REQUIRE(resolver.poll_result(answer));
  CHECK(ips(answer.addresses) == "::1 127.0.0.1 ");
  CHECK(resolver.resolve(Time(), "printer.local", 1).error() == ErrorCode::NotSupported);
  CHECK(resolver.resolve(Time(), "a.b.LOCAL.", 1).error() == ErrorCode::NotSupported);
  CHECK(resolver.resolve(Time(), "stun.invalid", 1).error() == ErrorCode::NotFound);
  CHECK(resolver.resolve(Time(), "bad name", 1).error() == ErrorCode::InvalidArgument);
  CHECK(resolver.next_timeout(Time()) == kNever);
  server.step();
  CHECK(server.questions.empty());
}

#if POLLRTC_HAS_CARES
constexpr std::uint16_t kAaaa = 28;

TEST_CASE("a name is asked for both families, as it stands") {
  NameServer server(an_address);
  Fixture f{&server};
  Resolver resolver(f.environment.env, f.config);
  const auto id = resolver.resolve(monotonic_now(), "stun.example", 3478);
  REQUIRE(id);
  const Resolver::Answer answer = f.answer_of(resolver);
  CHECK(answer.id == *id);
  CHECK(ips(answer.addresses) == "2001:db8::1 192.0.2.1 ");
  for (const Address& address : answer.addresses) CHECK(address.port == 3478);
  REQUIRE(server.questions.size() == 2);
  CHECK(server.questions[0].type + server.questions[1].type == kA + kAaaa);
}

TEST_CASE("no search list is appended to a name, not even to one label") {
  NameServer server([](const NameServer::Question&) { return NameServer::Reply{{}, 3}; });
  Fixture f{&server};
  std::string path = "/tmp/pollrtc-resolv-XXXXXX";
  const FileDescriptor file(mkstemp(path.data()));
  REQUIRE(file.is_open());
  std::ofstream(path) << "search example.org\ndomain example.org\noptions ndots:3\n";
  f.config.query.servers_file = path.c_str();
  CHECK(f.resolve("turnserver").addresses.empty());
  CHECK(f.resolve("stun.example").addresses.empty());
  for (const auto& question : server.questions)
    CHECK((question.name == "turnserver" || question.name == "stun.example"));
  CHECK(server.questions.size() == 4);
  std::remove(path.c_str());
}

TEST_CASE("the name servers are those of resolv.conf(5)") {
  std::string path = "/tmp/pollrtc-resolv-XXXXXX";
  const FileDescriptor file(mkstemp(path.data()));
  REQUIRE(file.is_open());
  std::ofstream(path) << "nameserver 127.77.0.1\n";  // nobody is there: refused at once, or silence
  Fixture f;
  f.config.query.servers_file = path.c_str();
  CHECK(f.resolve("stun.example").addresses.empty());
  std::remove(path.c_str());
}

TEST_CASE("each lookup asks from a port of its own") {
  NameServer server(an_address);
  Fixture f{&server};
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(monotonic_now(), "a.example", 1));
  REQUIRE(resolver.resolve(monotonic_now(), "b.example", 1));
  (void)f.answer_of(resolver);
  (void)f.answer_of(resolver);
  for (const auto& a : server.questions)
    for (const auto& b : server.questions)
      if (a.name != b.name) CHECK(a.source != b.source);
  CHECK(server.questions.size() == 4);
}

TEST_CASE("an answer that was cut is asked for again by TCP") {
  NameServer server([](const NameServer::Question& asked) {
    if (!asked.by_tcp) return NameServer::Reply{{}, 0, true};
    return an_address(asked);
  });
  Fixture f{&server};
  CHECK(ips(f.resolve("stun.example").addresses) == "2001:db8::1 192.0.2.1 ");
  CHECK(std::count_if(server.questions.begin(), server.questions.end(),
                      [](const auto& q) { return q.by_tcp; }) == 2);
}

TEST_CASE("a server that fails, or stays silent, passes the question on", "[ATK-19]") {
  for (const bool is_silent : {false, true}) {
    NameServer bad([&](const NameServer::Question&) { return NameServer::Reply{{}, 2, false, is_silent}; });
    NameServer good(an_address);
    Fixture f{&bad, &good};
    CHECK(ips(f.resolve("stun.example").addresses) == "2001:db8::1 192.0.2.1 ");
    CHECK(bad.questions.size() >= 2);
    CHECK(good.questions.size() >= 2);
  }
}

TEST_CASE("when all servers fail it is over at once, not after five seconds") {
  NameServer one([](const NameServer::Question&) { return NameServer::Reply{{}, 2}; });
  NameServer two([](const NameServer::Question&) { return NameServer::Reply{{}, 5}; });
  Fixture f{&one, &two};
  const Time begin = monotonic_now();
  CHECK(f.resolve("stun.example").addresses.empty());
  CHECK(monotonic_now() - begin < 4s);
}

TEST_CASE("a family that stays silent holds the other one's addresses up for half a second only") {
  NameServer server([](const NameServer::Question& asked) {
    NameServer::Reply reply = an_address(asked);
    reply.silent = asked.type == kAaaa;
    return reply;
  });
  Fixture f{&server};
  f.config.query.attempt = 4s;
  const Time begin = monotonic_now();
  CHECK(ips(f.resolve("stun.example").addresses) == "192.0.2.1 ");
  CHECK(monotonic_now() - begin >= 400ms);
  CHECK(monotonic_now() - begin < 3s);
}

TEST_CASE("a server that stays silent costs five seconds", "[ATK-19]") {
  NameServer server([](const NameServer::Question&) { return NameServer::Reply{{}, 0, false, true}; });
  Fixture f{&server};
  f.config.query.attempt = 1s;
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(Time(), "stun.example", 3478));
  Resolver::Answer answer;
  Time now;
  while (!resolver.poll_result(answer)) {
    REQUIRE(resolver.next_timeout(now) > now);
    now = resolver.next_timeout(now);
    resolver.step(now);
  }
  CHECK(now == Time(5s));
  CHECK(answer.addresses.empty());
}

TEST_CASE("both families share the limit on addresses, each once", "[ATK-19][lim.dns.answers]") {
  NameServer server([](const NameServer::Question& asked) {
    NameServer::Reply reply;
    for (int i = 0; i < 30; ++i) {
      const std::string last = i % 2 == 0 ? "07" : std::to_string(10 + i);
      reply.records.push_back(asked.type == kA ? a_record("c00002" + last) : aaaa_record(k2001db8 + last));
    }
    return reply;
  });
  Fixture f{&server};
  f.environment.env.limits.dns_answers = 5;
  const auto addresses = f.resolve("stun.example").addresses;
  CHECK(addresses.size() == 5);
  CHECK(std::count_if(addresses.begin(), addresses.end(),
                      [](const Address& a) { return a.family == Address::Family::IPv6; }) == 3);
  for (const Address& address : addresses)
    CHECK(std::count(addresses.begin(), addresses.end(), address) == 1);
}

TEST_CASE("an answer with a wrong id, for another name, or that aliases in a circle gives nothing",
          "[ATK-19]") {
  for (const int kind : std::initializer_list<int>{0, 1, 2}) {
    NameServer server([&](const NameServer::Question& asked) {
      NameServer::Reply reply = an_address(asked);
      if (kind == 0) reply.other_id = true;
      if (kind == 1) reply.other_question = true;
      if (kind == 2) reply.records = {"c00c 0005 0001 00000000 0002 c00c"};
      return reply;
    });
    Fixture f{&server};
    CHECK(f.resolve("stun.example").addresses.empty());
    CHECK(server.questions.size() >= 2);
  }
}

TEST_CASE("what a name on the network must not mean is left out", "[ATK-19]") {
  NameServer server([](const NameServer::Question& asked) {
    if (asked.type == kA)
      return NameServer::Reply{{a_record("7f000001"), a_record("00000000"), a_record("e00000fb"),
                                a_record("ffffffff"), a_record("c0000201")}};
    return NameServer::Reply{
        {aaaa_record("00000000000000000000000000000001"), aaaa_record("fe800000000000000000000000000001"),
         aaaa_record("ff0200000000000000000000000000fb"), aaaa_record("00000000000000000000ffff7f000001")}};
  });
  Fixture f{&server};
  CHECK(ips(f.resolve("stun.example").addresses) == "192.0.2.1 ");
}

TEST_CASE("hosts(5) is read first, and may mean loopback") {
  NameServer server(an_address);
  Fixture f{&server};
  std::string path = "/tmp/pollrtc-hosts-XXXXXX";
  const FileDescriptor file(mkstemp(path.data()));
  REQUIRE(file.is_open());
  std::ofstream(path) << "127.0.0.9 stun.example\n";
  REQUIRE(setenv("CARES_HOSTS", path.c_str(), 1) == 0);
  f.config.query.hosts_from_environment = true;
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(monotonic_now(), "STUN.example", 3478));
  Resolver::Answer answer;
  REQUIRE(resolver.poll_result(answer));  // at once
  CHECK(ips(answer.addresses) == "127.0.0.9 ");
  REQUIRE(resolver.resolve(monotonic_now(), "other.example", 3478));
  CHECK(ips(f.answer_of(resolver).addresses) == "2001:db8::1 192.0.2.1 ");
  CHECK(server.questions.size() == 2);
  unsetenv("CARES_HOSTS");
  std::remove(path.c_str());
}

TEST_CASE("limits, cancelling, and memory") {
  NameServer server(an_address);
  Fixture f{&server};
  {
    Resolver resolver(f.environment.env, f.config);
    std::vector<Resolver::Id> ids;
    for (std::size_t i = 0; i < Resolver::kMaxLookups; ++i)
      ids.push_back(*resolver.resolve(monotonic_now(), "a.example", 1));
    CHECK(resolver.resolve(monotonic_now(), "a.example", 1).error() == ErrorCode::LimitReached);
    resolver.cancel(ids[3]);
    resolver.cancel(ids[3]);
    CHECK(resolver.resolve(monotonic_now(), "a.example", 1));
    for (std::size_t i = 0; i < Resolver::kMaxLookups; ++i) CHECK(f.answer_of(resolver).id != ids[3]);
    Resolver::Answer answer;
    CHECK_FALSE(resolver.poll_result(answer));
  }
  CHECK(f.environment.bytes_in_use() == 0);
  f.environment.fail_allocations_after(0);
  Resolver resolver(f.environment.env, f.config);
  CHECK(resolver.resolve(Time(), "a.example", 1).error() == ErrorCode::OutOfMemory);
}

#else

TEST_CASE("without c-ares a name is an error that says so, and hurts nothing else") {
  Fixture f;
  Resolver resolver(f.environment.env, f.config);
  const auto id = resolver.resolve(Time(), "stun.example", 3478);
  REQUIRE_FALSE(id);
  CHECK(id.error() == ErrorCode::NotSupported);
  CHECK(id.error().detail().find("c-ares") != std::string_view::npos);
  CHECK(resolver.resolve(Time(), "192.0.2.1", 3478));
  CHECK(resolver.resolve(Time(), "localhost", 3478));
  CHECK_FALSE(NameQuery::is_available());
}

#endif

TEST_CASE("a resolver of the caller's takes the place of ours") {
  struct Book {
    std::map<std::uint32_t, std::string> asked;
    bool ready = false;
    int cancelled = 0;
  } book;
  Fixture f;
  f.environment.env.limits.dns_answers = 2;
  f.config.hook.context = &book;
  f.config.hook.start = [](void* context, std::uint32_t id, std::string_view host) {
    static_cast<Book*>(context)->asked[id] = host;
    return host != "refused.example";
  };
  f.config.hook.poll = [](void* context, std::uint32_t, std::span<Address> out, std::size_t& count) {
    if (!static_cast<Book*>(context)->ready) return false;
    for (Address& a : out) a = Address::v4(192, 0, 2, static_cast<std::uint8_t>(++count), 0);
    return true;
  };
  f.config.hook.cancel = [](void* context, std::uint32_t) { ++static_cast<Book*>(context)->cancelled; };
  {
    Resolver resolver(f.environment.env, f.config);
    REQUIRE(resolver.resolve(Time(), "stun.example", 5));
    CHECK(book.asked.begin()->second == "stun.example");
    CHECK(resolver.resolve(Time(), "refused.example", 5).error() == ErrorCode::Network);
    resolver.step(Time(1s));
    Resolver::Answer answer;
    CHECK_FALSE(resolver.poll_result(answer));
    CHECK(resolver.next_timeout(Time(1s)) > Time(1s));
    book.ready = true;
    resolver.step(Time(2s));
    REQUIRE(resolver.poll_result(answer));
    CHECK(answer.addresses.size() == 2);
    CHECK(answer.addresses[1] == Address::v4(192, 0, 2, 2, 5));
    REQUIRE(resolver.resolve(Time(), "left.example", 5));
  }
  CHECK(book.cancelled == 1);
}
