#include "net/poller.h"

#include "base/bytes.h"
#include "net/clock.h"
#include "net/udp_socket.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::net;
using namespace std::chrono_literals;

TEST_CASE("milliseconds are rounded up, so that a deadline is never woken early") {
  CHECK(poll_milliseconds(0us) == 0);
  CHECK(poll_milliseconds(-5s) == 0);
  CHECK(poll_milliseconds(1us) == 1);
  CHECK(poll_milliseconds(999us) == 1);
  CHECK(poll_milliseconds(1ms) == 1);
  CHECK(poll_milliseconds(1001us) == 2);
  CHECK(poll_milliseconds(Duration::max()) == std::numeric_limits<int>::max());
  CHECK(poll_milliseconds(Duration::min()) == 0);
}

TEST_CASE("a socket with a datagram is readable, the others are not") {
  auto a = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0)), b = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0));
  REQUIRE((a && b));
  Poller poller;
  REQUIRE(poller.add(a->fd()));
  REQUIRE(poller.add(b->fd(), true));
  CHECK(poller.wait(Duration::zero()) == 1);
  CHECK(poller.is_writable(b->fd()));
  CHECK_FALSE(poller.is_writable(a->fd()));  // was not asked for
  CHECK_FALSE(poller.is_readable(a->fd()));
  REQUIRE(b->send_to(a->local(), as_bytes("x")) == SendResult::Sent);
  poller.clear();
  REQUIRE(poller.add(a->fd()));
  CHECK(poller.wait(std::nullopt) == 1);
  CHECK(poller.is_readable(a->fd()));
  CHECK_FALSE(poller.is_readable(b->fd()));  // is not watched any more
}

TEST_CASE("a wait is not shorter than asked for") {
  Poller poller;
  const Time before = monotonic_now();
  CHECK(poller.wait(1500us) == 0);
  CHECK(monotonic_now() - before >= 1500us);
}

TEST_CASE("a thousand places, each with its answer; no memory is an answer, too") {
  auto a = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0)), b = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0));
  REQUIRE(a);
  REQUIRE(b);
  Poller poller;
  for (std::size_t i = 0; i < 1000; ++i) REQUIRE(poller.add(i == 700 ? b->fd() : a->fd()));
  CHECK(poller.size() == 1000);
  const std::uint8_t byte = 1;
  REQUIRE(a->send_to(b->local(), Bytes(&byte, 1)) == SendResult::Sent);
  CHECK(poller.wait(5s) == 1);
  CHECK(poller.is_any_ready(700, 701));
  CHECK(poller.is_any_ready(600, 1000));
  CHECK_FALSE(poller.is_any_ready(0, 700));
  CHECK_FALSE(poller.is_any_ready(701, 1000));
  CHECK_FALSE(poller.is_any_ready(1000, 2000));

  test::TestEnvironment environment;
  environment.fail_allocations_after(0);
  Poller none(environment.env.memory);
  CHECK_FALSE(none.add(a->fd()));
}
