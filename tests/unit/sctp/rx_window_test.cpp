// The receive window over time: how it grows with what the user takes, and goes back.
#include "sctp/rx_window.h"

#include "sctp/rx_data.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"
#include "two_associations.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kStart = 100000, kMost = 350000;

Limits limits() {
  Limits l;
  l.sctp_rx_window = kStart;
  l.sctp_rx_window_max = kMost;
  return l;
}

constexpr Duration kRoundTrip = 50ms;

// One round trip in which the user took `bytes`.
bool round(RxWindow& window, Time& now, std::size_t bytes) {
  window.on_released(bytes);
  now += kRoundTrip;
  return window.on_data(now, kRoundTrip);
}

}  // namespace

TEST_CASE("the window is twice what the user takes in a round trip, from its start to its maximum",
          "[SCTP-DATA-11][lim.sctp.rx_window]") {
  RxWindow window(limits());
  Time now{1s};
  CHECK(window.size() == kStart);
  window.on_data(now, kRoundTrip);
  CHECK_FALSE(round(window, now, kStart / 2 - 1));
  CHECK_FALSE(round(window, now, kStart / 2));
  CHECK(window.size() == kStart);
  CHECK(round(window, now, kStart / 2 + 1));
  CHECK(window.size() == kStart + 2);
  CHECK(round(window, now, kStart));
  CHECK(window.size() == 2 * kStart);
  CHECK_FALSE(
      round(window, now, 10));  // a slower user does not narrow it at once: the peer may be sending into it
  CHECK(window.size() == 2 * kStart);
  CHECK(round(window, now, kMost / 2 - 1));
  CHECK(window.size() == kMost - 2);
  CHECK(round(window, now, kMost));
  CHECK(window.size() == kMost);
  CHECK_FALSE(round(window, now, 10 * kMost));
  CHECK(window.size() == kMost);
}

TEST_CASE("what the user takes counts for the round trip in which it took it, not before it is over",
          "[SCTP-DATA-11][lim.sctp.rx_window]") {
  RxWindow window(limits());
  Time now{1s};
  window.on_released(kMost);  // before the first packet: of another time
  window.on_data(now, kRoundTrip);
  CHECK_FALSE(round(window, now, 100));
  window.on_released(kStart);
  CHECK_FALSE(window.on_data(now + kRoundTrip - 1us, kRoundTrip));
  CHECK(window.size() == kStart);
  CHECK(window.on_data(now + kRoundTrip, kRoundTrip));
  CHECK(window.size() == 2 * kStart);
}

TEST_CASE("a clock that stepped back neither stops the window nor opens it", "[SCTP-DATA-11]") {
  RxWindow window(limits());
  window.on_data(Time{3600s}, kRoundTrip);
  window.on_released(kMost);
  Time now{1s};
  CHECK_FALSE(window.on_data(now, kRoundTrip));
  CHECK(round(window, now, kStart));
}

TEST_CASE("a maximum below the start means a fixed window", "[SCTP-DATA-11][lim.sctp.rx_window]") {
  Limits l = limits();
  l.sctp_rx_window_max = 10;
  RxWindow window(l);
  Time now{1s};
  window.on_data(now, kRoundTrip);
  CHECK_FALSE(round(window, now, 10 * kStart));
  CHECK(window.size() == kStart);
  CHECK(Limits::small().sctp_rx_window_max == Limits::small().sctp_rx_window);
  CHECK(Limits{}.sctp_rx_window == 1 << 20);
  CHECK(Limits{}.sctp_rx_window_max == 2560 << 10);
}

TEST_CASE("after silence an empty window goes back to its start, one that holds something does not",
          "[SCTP-DATA-11][lim.sctp.rx_window]") {
  RxWindow window(limits());
  Time now{1s};
  window.on_data(now, kRoundTrip);
  CHECK(window.next_timeout() == kNever);
  REQUIRE(round(window, now, kStart));
  const Time due = window.next_timeout();
  CHECK(due == now + RxWindow::kIdle);
  CHECK_FALSE(window.handle_timeout(due - 1us, true));
  CHECK_FALSE(window.handle_timeout(due, false));
  CHECK(window.size() == 2 * kStart);
  CHECK(window.next_timeout() > due);
  window.on_data(due + 1s, kRoundTrip);  // not silent
  CHECK_FALSE(window.handle_timeout(due + RxWindow::kIdle, true));
  CHECK(window.handle_timeout(due + 1s + RxWindow::kIdle, true));
  CHECK(window.size() == kStart);
  CHECK(window.next_timeout() == kNever);
}

namespace {

// A receiver and its SACKs: what INV-12 asks of them.
struct Receiver {
  explicit Receiver(const Limits& l) {
    environment.env.limits = l;
    rx.emplace(environment.env, Parameters{}, Tsn(1), std::uint16_t{10}, 64 * 1024);
  }
  void data(std::size_t size) {
    const ByteVector payload(size, 7);
    DataChunk c;
    c.tsn = tsn;
    c.begin = c.end = c.unordered = true;
    c.payload = payload;
    if (rx->on_data(c) == RxData::Outcome::Accepted) ++tsn;
    rx->end_of_packet(now, kRoundTrip);
  }
  void read_all() {
    Message message(environment.env.memory);
    while (rx->receive(message)) rx->release(message.charge);
  }
  std::uint32_t a_rwnd() {
    std::uint8_t bytes[100];
    ByteWriter out(bytes);
    REQUIRE(rx->write_sack(out));
    return load_u32(bytes + 8);
  }
  TestEnvironment environment;
  std::optional<RxData> rx;
  Tsn tsn{1};
  Time now{1s};
};

}  // namespace

TEST_CASE("held bytes and the window that a SACK announces never exceed the window in force",
          "[INV-12][SCTP-DATA-11]") {
  Receiver r(limits());
  for (int i = 0; i < 3000; ++i) {
    r.now += 3ms;
    r.data(1000);
    if (i % 17 == 0) r.read_all();
    const std::size_t held = r.rx->reassembly().used();
    const std::uint32_t a_rwnd = r.a_rwnd();
    REQUIRE(held + a_rwnd <= r.rx->reassembly().window());
    REQUIRE(r.rx->reassembly().window() <= kMost);
  }
}

TEST_CASE("a window that grew is announced, and one that went back is announced at once",
          "[SCTP-DATA-11][SCTP-DATA-18]") {
  Receiver r(limits());
  r.data(1000);
  for (int i = 0; i < 60; ++i) r.data(1000);
  r.read_all();
  r.a_rwnd();
  r.now += kRoundTrip;
  r.data(1);
  CHECK(r.rx->tracker().sack_is_due(r.now));  // though it is the first packet since the last SACK
  r.read_all();
  CHECK(r.a_rwnd() > kStart);
  const Time due = r.rx->next_timeout();
  REQUIRE(due == r.now + RxWindow::kIdle);
  r.now = due;
  r.rx->handle_timeout(r.now);
  CHECK(r.rx->tracker().sack_is_due(r.now));
  CHECK(r.a_rwnd() == kStart);
  CHECK(r.rx->next_timeout() == kNever);
}

TEST_CASE("while something is held the window stays as it is, however long the silence", "[SCTP-DATA-11]") {
  Receiver r(limits());
  r.data(1000);
  for (int i = 0; i < 60; ++i) r.data(1000);
  r.read_all();
  r.now += kRoundTrip;
  r.data(1);
  const std::size_t grown = r.rx->reassembly().window();
  REQUIRE(grown > kStart);
  r.a_rwnd();
  r.now = r.rx->next_timeout();
  r.rx->handle_timeout(r.now);
  CHECK(r.rx->reassembly().window() == grown);
  CHECK_FALSE(r.rx->tracker().sack_is_due(r.now));
  CHECK(r.rx->next_timeout() == r.now + RxWindow::kIdle);
}

namespace {

// How many bytes come through in ten seconds of a path of 100 ms.
std::size_t transfer(const Limits& l) {
  test::TwoAssociations pair({.delay = 50ms}, 3, l);
  pair.connect();
  SendOptions options;
  const ByteVector message(16 * 1024, 1);
  pair.run_until(
      [&] {
        while (pair.a.association->buffered_total() < 1u << 20 &&
               pair.a.association->send(pair.now, options, message)) {
        }
        return false;
      },
      10s);
  return pair.b.received.size() * message.size();
}

}  // namespace

TEST_CASE("a long fat path is filled once the window has grown", "[SCTP-DATA-11][lim.sctp.rx_window]") {
  Limits fixed;
  fixed.sctp_rx_window = 256 * 1024;
  fixed.sctp_rx_window_max = 256 * 1024;
  Limits growing = fixed;
  growing.sctp_rx_window_max = 4 << 20;
  const std::size_t with_fixed = transfer(fixed), with_growing = transfer(growing);
  CHECK(with_fixed < 27u * 1024 * 1024);  // 256 KiB in each 100 ms
  CHECK(with_growing > 3 * with_fixed);
}

}  // namespace pollrtc::sctp
