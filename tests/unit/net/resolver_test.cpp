// The resolver against a name server of our own on loopback.
#include "net/resolver.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/address.h"
#include "net/clock.h"
#include "net/entropy.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  test::TestEnvironment environment;
  UdpSocket server;
  Resolver::Config config;

  Fixture() {
    auto bound = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0));
    REQUIRE(bound);
    server = std::move(*bound);
    REQUIRE(config.servers.addresses.push_back(server.local()));
    config.hosts_file = "/nonexistent";
  }
  // Answers one question for A with 192.0.2.1, and every other one with nothing. False when none is there.
  bool serve() {
    Poller poller;
    REQUIRE(poller.add(server.fd()));
    poller.wait(1s);
    std::array<std::uint8_t, 512> buffer;
    const Received got = server.receive(buffer);
    if (got.result != ReceiveResult::Received) return false;
    test::ByteVector reply = test::to_vector(Bytes(buffer).first(got.size));
    reply[2] = 0x81;
    reply[3] = 0x80;
    if (reply[reply.size() - 3] == 1) {
      reply[7] = 1;
      const auto record = test::hex("c00c 0001 0001 00000000 0004 c0000201");
      reply.insert(reply.end(), record.begin(), record.end());
    }
    sources.push_back(got.source);
    return server.send_to(got.source, reply) == SendResult::Sent;
  }
  std::vector<Address> sources;
};

void step_once(Resolver& resolver, Time now) {
  Poller poller;
  resolver.watch(poller);
  poller.wait(1s);
  resolver.step(now);
}

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

TEST_CASE("localhost needs no server, a .local name gets none", "[ICE-MDNS-01]") {
  Fixture f;
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(Time(), "localhost", 1));
  Resolver::Answer answer;
  REQUIRE(resolver.poll_result(answer));
  CHECK(answer.addresses.size() == 2);
  CHECK(resolver.resolve(Time(), "printer.local", 1).error() == ErrorCode::NotSupported);
  CHECK(resolver.resolve(Time(), "bad name", 1).error() == ErrorCode::InvalidArgument);
  std::array<std::uint8_t, 512> buffer;
  CHECK(f.server.receive(buffer).result == ReceiveResult::Nothing);
}

TEST_CASE("a name is asked of the server and its address comes back") {
  Fixture f;
  f.environment.env.rng = system_rng();
  Resolver resolver(f.environment.env, f.config);
  const auto id = resolver.resolve(Time(), "stun.example", 3478);
  REQUIRE(id);
  REQUIRE(f.serve());
  REQUIRE(f.serve());
  Resolver::Answer answer;
  for (int i = 0; i < 100 && !resolver.poll_result(answer); ++i) step_once(resolver, Time(1ms));
  CHECK(answer.id == *id);
  REQUIRE(answer.addresses.size() == 1);
  CHECK(answer.addresses[0] == Address::v4(192, 0, 2, 1, 3478));
}

TEST_CASE("each lookup has a port of its own") {
  Fixture f;
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(Time(), "a.example", 1));
  REQUIRE(resolver.resolve(Time(), "b.example", 1));
  for (int i = 0; i < 4; ++i) REQUIRE(f.serve());
  CHECK(f.sources[0] == f.sources[1]);
  CHECK(f.sources[2] == f.sources[3]);
  CHECK(f.sources[0] != f.sources[2]);
}

TEST_CASE("a server that stays silent costs five seconds", "[ATK-19]") {
  Fixture f;
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

TEST_CASE("hosts(5) is read first") {
  Fixture f;
  std::string path = "/tmp/pollrtc-hosts-XXXXXX";
  const FileDescriptor file(mkstemp(path.data()));
  REQUIRE(file.is_open());
  std::ofstream(path) << "192.0.2.99 stun.example\n";
  f.config.hosts_file = path.c_str();
  Resolver resolver(f.environment.env, f.config);
  REQUIRE(resolver.resolve(Time(), "stun.example", 3478));
  Resolver::Answer answer;
  REQUIRE(resolver.poll_result(answer));
  CHECK(answer.addresses[0] == Address::v4(192, 0, 2, 99, 3478));
  std::remove(path.c_str());
}

TEST_CASE("limits, cancelling, and memory") {
  Fixture f;
  {
    Resolver resolver(f.environment.env, f.config);
    std::vector<Resolver::Id> ids;
    for (std::size_t i = 0; i < Resolver::kMaxLookups; ++i)
      ids.push_back(*resolver.resolve(Time(), "a.example", 1));
    CHECK(resolver.resolve(Time(), "a.example", 1).error() == ErrorCode::LimitReached);
    resolver.cancel(ids[3]);
    resolver.cancel(ids[3]);
    CHECK(resolver.resolve(Time(), "a.example", 1));
  }
  CHECK(f.environment.bytes_in_use() == 0);
  f.environment.fail_allocations_after(0);
  Resolver resolver(f.environment.env, f.config);
  CHECK(resolver.resolve(Time(), "a.example", 1).error() == ErrorCode::OutOfMemory);
}

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
