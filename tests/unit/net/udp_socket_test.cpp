// These tests use sockets on loopback; none waits for more than what is already there.
#include "net/udp_socket.h"

#include <fcntl.h>

#include "base/address.h"
#include "base/bytes.h"
#include "net/poller.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;

namespace {
const Address kLoopback = Address::v4(127, 0, 0, 1, 0);

UdpSocket open(const Address& address = kLoopback) {
  auto socket = UdpSocket::bind(address);
  REQUIRE(socket);
  return std::move(*socket);
}
Received receive(UdpSocket& socket, MutBytes buffer) {
  Poller poller;
  REQUIRE(poller.add(socket.fd()));
  poller.wait(1s);  // loopback delivers at once; the second is for a machine that stands still
  return socket.receive(buffer);
}
bool has_ipv6() { return UdpSocket::bind(*parse_ip("::1")).has_value(); }
}  // namespace

TEST_CASE("a datagram goes from one socket to another with its source") {
  UdpSocket a = open(), b = open();
  CHECK(a.local().port != 0);
  CHECK(a.local().same_ip(kLoopback));
  CHECK(a.send_to(b.local(), as_bytes("hello")) == SendResult::Sent);
  std::array<std::uint8_t, 64> buffer;
  const Received got = receive(b, buffer);
  REQUIRE(got.result == ReceiveResult::Received);
  CHECK(as_text(Bytes(buffer).first(got.size)) == "hello");
  CHECK(got.source == a.local());
  CHECK(b.receive(buffer).result == ReceiveResult::Nothing);  // and does not block
  CHECK(a.send_to(b.local(), {}) == SendResult::Sent);        // an empty datagram is a datagram
  CHECK(receive(b, buffer).result == ReceiveResult::Received);
}

TEST_CASE("a datagram that does not fit the buffer is said to be cut") {
  UdpSocket a = open(), b = open();
  REQUIRE(a.send_to(b.local(), as_bytes("123456789")) == SendResult::Sent);
  std::array<std::uint8_t, 8> buffer;
  CHECK(receive(b, buffer).result == ReceiveResult::Truncated);
  CHECK(b.receive(buffer).result == ReceiveResult::Nothing);
}

TEST_CASE("IPv6 sockets are IPv6 only") {
  if (!has_ipv6()) return;
  UdpSocket a = open(*parse_ip("::1")), b = open(*parse_ip("::1"));
  CHECK(a.send_to(b.local(), as_bytes("x")) == SendResult::Sent);
  std::array<std::uint8_t, 8> buffer;
  const Received got = receive(b, buffer);
  CHECK(got.source == a.local());
  CHECK(got.source.scope_id == 0);
  // The same port of the other family is free, which it is not when one socket serves both.
  const UdpSocket any = open(*parse_ip("::"));
  CHECK(UdpSocket::bind(Address::v4(0, 0, 0, 0, 0), {any.local().port, any.local().port}));
}

TEST_CASE("a port comes from the range, and a taken one is passed over") {
  const UdpSocket taken = open();
  const std::uint16_t port = taken.local().port;
  if (port > 65000) return;
  const auto next = UdpSocket::bind(kLoopback, {port, static_cast<std::uint16_t>(port + 50)});
  REQUIRE(next);
  CHECK(next->local().port > port);
  CHECK(next->local().port <= port + 50);
  CHECK(UdpSocket::bind(kLoopback, {port, port}).error() == ErrorCode::Network);
  // The search begins where it is told to.
  const auto tenth =
      UdpSocket::bind(kLoopback, {port, static_cast<std::uint16_t>(port + 50)}, 51 * 1000 + 10);
  REQUIRE(tenth);
  CHECK(tenth->local().port >= port + 10);
}

TEST_CASE("what cannot be bound or sent says why") {
  CHECK(UdpSocket::bind({}).error() == ErrorCode::InvalidArgument);
  CHECK(UdpSocket::bind(kLoopback, {10, 9}).error() == ErrorCode::InvalidArgument);
  CHECK(UdpSocket::bind(kLoopback, {0, 9}).error() == ErrorCode::InvalidArgument);
  CHECK(UdpSocket::bind(Address::v4(203, 0, 113, 77, 0)).error() ==
        ErrorCode::Network);  // not an address of ours
  UdpSocket a = open();
  CHECK(a.send_to(*parse_ip("::1", 9), as_bytes("x")) == SendResult::Unreachable);  // another family
  CHECK(a.send_to({}, as_bytes("x")) == SendResult::Unreachable);
  const test::ByteVector huge(70000);
  CHECK(a.send_to(a.local(), huge) == SendResult::TooLarge);
}

TEST_CASE("sockets are not handed to children, and a closed port breaks nothing") {
  UdpSocket a = open();
  CHECK((fcntl(a.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((fcntl(a.fd(), F_GETFL) & O_NONBLOCK) != 0);
  Address gone;
  {
    const UdpSocket b = open();
    gone = b.local();
  }
  for (int i = 0; i < 3; ++i) a.send_to(gone, as_bytes("x"));  // ICMP port unreachable comes back
  std::array<std::uint8_t, 8> buffer;
  CHECK(a.receive(buffer).result == ReceiveResult::Nothing);
  a.set_dscp(46);
  CHECK(a.send_to(a.local(), as_bytes("y")) == SendResult::Sent);
}

#if defined(IP_MTU_DISCOVER)
#if defined(__linux__)
TEST_CASE("a closed port is told of: which datagram met it, and where, and no later one is lost for it",
          "[ICE-CHK-21]") {
  for (const Address& address : {kLoopback, *parse_ip("::1")}) {
    if (address.family == Address::Family::IPv6 && !has_ipv6()) continue;
    UdpSocket a = open(address), b = open(address), deaf = open(address);
    std::array<std::uint8_t, 64> buffer;
    std::size_t size = 0;
    Address remote;
    const Address closed = open(address).local();
    REQUIRE(deaf.send_to(closed, as_bytes("x")) == SendResult::Sent);
    CHECK_FALSE(deaf.receive_error(buffer, size, remote));  // not asked for
    a.keep_errors();
    CHECK_FALSE(a.receive_error(buffer, size, remote));
    REQUIRE(a.send_to(closed, as_bytes("is anybody there?")) == SendResult::Sent);
    REQUIRE(a.send_to(b.local(), as_bytes("hello")) == SendResult::Sent);  // though an error waits
    CHECK(receive(b, buffer).result == ReceiveResult::Received);
    REQUIRE(a.receive_error(buffer, size, remote));
    CHECK(remote == closed);
    CHECK(as_text(Bytes(buffer).first(size)) == "is anybody there?");
    CHECK_FALSE(a.receive_error(buffer, size, remote));
    CHECK(a.receive(buffer).result == ReceiveResult::Nothing);
  }
}
#endif

TEST_CASE("a datagram that must not be cut sets DF and asks no cache; the next one may be cut again",
          "[SCTP-PMTU-02][SCTP-PMTU-06]") {
  UdpSocket a = open();
  REQUIRE(UdpSocket::can_forbid_fragments());
  const auto mode = [&a] {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(getsockopt(a.fd(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size) == 0);
    return value;
  };
  CHECK(mode() == IP_PMTUDISC_DONT);
  CHECK(a.send_to(a.local(), as_bytes("probe"), true) == SendResult::Sent);
  CHECK(mode() == IP_PMTUDISC_PROBE);
  CHECK(a.send_to(a.local(), as_bytes("data")) == SendResult::Sent);
  CHECK(mode() == IP_PMTUDISC_DONT);
  Result<UdpSocket> v6 = UdpSocket::bind(*parse_address("::1", 0));
  if (!v6) return;  // a machine without IPv6
  CHECK(v6->send_to(v6->local(), as_bytes("probe"), true) == SendResult::Sent);
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(getsockopt(v6->fd(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, &size) == 0);
  CHECK(value == IPV6_PMTUDISC_PROBE);
}
#endif

TEST_CASE("moving a socket leaves one owner") {
  UdpSocket a = open();
  const int fd = a.fd();
  UdpSocket b = std::move(a);
  CHECK(b.fd() == fd);
  b = UdpSocket();
  CHECK_FALSE(b.is_open());
}

namespace {

test::ByteVector numbered(std::size_t size) {
  test::ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 13 + i / 256);
  return bytes;
}

// All that comes, one behind another, and how it came.
struct Arrived {
  test::ByteVector bytes;
  std::vector<std::size_t> sizes;  // of datagrams
  std::size_t calls = 0;
};
Arrived receive_all(UdpSocket& socket, std::size_t size) {
  Arrived all;
  test::ByteVector buffer(UdpSocket::kLargestRun);
  while (all.bytes.size() < size) {
    const Received got = receive(socket, buffer);
    if (got.result != ReceiveResult::Received) break;
    ++all.calls;
    REQUIRE(got.segment != 0);
    all.bytes.insert(all.bytes.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.size));
    for (std::size_t at = 0; at < got.size; at += got.segment)
      all.sizes.push_back(std::min(got.segment, got.size - at));
  }
  return all;
}

}  // namespace

TEST_CASE("a run goes as the datagrams it is made of, with the system's help and without") {
  UdpSocket a = open(), b = open();
  struct Case {
    std::size_t size, segment;
  };
  for (const bool is_forbidden : {false, true}) {
    if (is_forbidden) a.forbid_runs();
    // One; some, and a short last one; more than the system takes at once, by their number and by their size.
    for (const Case& c : std::initializer_list<Case>{
             {700, 700}, {10 * 700 + 123, 700}, {150 * 300, 300}, {90'000, 1200}, {120'000, 40'000}}) {
      for (const bool dont_fragment : {false, true}) {
        const test::ByteVector run = numbered(c.size);
        std::size_t taken = 0;
        REQUIRE(a.send_run(b.local(), run, c.segment, dont_fragment, taken) == SendResult::Sent);
        CHECK(taken == run.size());
        const Arrived got = receive_all(b, run.size());
        CHECK(got.bytes == run);
        REQUIRE(got.sizes.size() == (c.size + c.segment - 1) / c.segment);
        for (std::size_t i = 0; i + 1 < got.sizes.size(); ++i) CHECK(got.sizes[i] == c.segment);
        CHECK(got.calls == got.sizes.size());  // nobody asked for runs
      }
    }
  }
}

TEST_CASE("a run is received as one when that is asked for, and as datagrams again afterwards") {
  UdpSocket a = open(), b = open();
  const test::ByteVector run = numbered(20 * 1000 + 17);
  const auto calls = [&](bool on) {
    b.take_runs(on);
    std::size_t taken = 0;
    REQUIRE(a.send_run(b.local(), run, 1000, false, taken) == SendResult::Sent);
    const Arrived got = receive_all(b, run.size());
    CHECK(got.bytes == run);
    CHECK(got.sizes.size() == 21);
    CHECK(got.sizes.back() == 17);
    return got.calls;
  };
  CHECK(calls(false) == 21);
  const std::size_t together = calls(true);
  CHECK(together <= 21);
#if defined(__linux__)
  CHECK(together < 21);
#endif
  CHECK(calls(false) == 21);
  b.forbid_runs();
  CHECK(calls(true) == 21);
}

TEST_CASE("a datagram in a run is too large, or its address of the wrong kind, as alone") {
  UdpSocket a = open(), b = open();
  const test::ByteVector run = numbered(140'000);
  std::size_t taken = 0;
  CHECK(a.send_run(b.local(), run, 70'000, false, taken) == SendResult::TooLarge);
  CHECK(taken == run.size());
  CHECK(a.send_run(*parse_ip("::1"), Bytes(run).first(5000), 1000, false, taken) == SendResult::Unreachable);
  CHECK(taken == 5000);
  CHECK(a.send_run(b.local(), {}, 0, false, taken) == SendResult::Sent);
  CHECK(taken == 0);
}

#if defined(__linux__)
TEST_CASE("datagrams that found the socket's buffer full are counted") {
  UdpSocket a = open(), b = open();
  CHECK(b.overflows() == 0);
  const test::ByteVector run = numbered(60 * 1000);
  for (int i = 0; i < 1000; ++i) {
    std::size_t taken = 0;
    REQUIRE(a.send_run(b.local(), run, 1000, false, taken) == SendResult::Sent);
  }
  test::ByteVector buffer(2000);
  std::uint32_t received = 0;
  const auto drain = [&] {
    while (b.receive(buffer).result == ReceiveResult::Received) ++received;
  };
  drain();
  REQUIRE(a.send_to(b.local(), as_bytes("and one more")) == SendResult::Sent);
  drain();
  CHECK(received > 100);
  CHECK(b.overflows() == 60'001 - received);
}
#endif
