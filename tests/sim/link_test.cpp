#include "sim/link.h"

#include <set>

#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {

constexpr Time at(Duration d) { return Time(d); }

LinkConfig config(void (*change)(LinkConfig&)) {
  LinkConfig c;
  change(c);
  return c;
}

struct Tally {
  std::size_t lost = 0, copies = 0, changed = 0, late = 0, longest_run = 0;
};
// Sends `count` datagrams, 1 ms apart.
Tally send_many(Link& link, std::size_t count) {
  const test::ByteVector datagram(100, 0x55);
  Tally tally;
  Time last{};
  std::size_t run = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto result = link.send(at(std::chrono::milliseconds(i)), datagram, 28);
    run = result.fate == Fate::Lost ? run + 1 : 0;
    tally.longest_run = std::max(tally.longest_run, run);
    if (result.fate == Fate::Lost) ++tally.lost;
    for (const auto& copy : result.copies) {
      ++tally.copies;
      if (copy.bytes != datagram) ++tally.changed;
      if (copy.arrival < last) ++tally.late;
      last = std::max(last, copy.arrival);
    }
  }
  return tally;
}

}  // namespace

TEST_CASE("a perfect link only takes its time") {
  Link link({}, Random(1));
  const auto result = link.send(at(5ms), test::to_vector("abc"), 28);
  REQUIRE(result.copies.size() == 1);
  CHECK(result.copies[0].arrival == at(15ms));
  const Tally tally = send_many(link, 1000);
  CHECK(tally.copies == 1000);
  CHECK(tally.changed + tally.late + tally.lost == 0);
}

TEST_CASE("loss, duplication and corruption come at their rates") {
  Link lossy(config([](LinkConfig& c) { c.loss = 0.2; }), Random(1));
  CHECK(send_many(lossy, 20'000).lost == Approx(4000).epsilon(0.05));
  Link doubling(config([](LinkConfig& c) { c.duplicate = 0.1; }), Random(2));
  CHECK(send_many(doubling, 20'000).copies == Approx(22'000).epsilon(0.02));
  Link corrupting(config([](LinkConfig& c) { c.corrupt = 0.1; }), Random(3));
  CHECK(send_many(corrupting, 20'000).changed == Approx(2000).epsilon(0.1));
}

TEST_CASE("bursts: the same share of loss comes in longer runs") {
  // In the bad state begin / (begin + end) = 1/6 of the time.
  Link bursty(config([](LinkConfig& c) {
                c.burst_begin = 0.02;
                c.burst_end = 0.1;
              }),
              Random(1));
  Link uniform(config([](LinkConfig& c) { c.loss = 1.0 / 6; }), Random(1));
  const Tally in_bursts = send_many(bursty, 50'000), evenly = send_many(uniform, 50'000);
  CHECK(in_bursts.lost == Approx(50'000 / 6).epsilon(0.15));
  CHECK(in_bursts.longest_run > 3 * evenly.longest_run);
}

TEST_CASE("jitter reorders, or holds up, as it is told") {
  Link link(config([](LinkConfig& c) { c.jitter = 20ms; }), Random(1));
  CHECK(send_many(link, 1000).late > 100);
  link.config.jitter_reorders = false;
  Link orderly(link.config, Random(1));
  CHECK(send_many(orderly, 1000).late == 0);
}

TEST_CASE("a rate spaces datagrams, and a full queue drops at the tail") {
  // 1000 bytes with headers at 1 Mbit/s: 8 ms each. Five of them fit the queue.
  Link link(config([](LinkConfig& c) {
              c.bits_per_second = 1'000'000;
              c.queue_bytes = 5000;
              c.delay = 0ms;
            }),
            Random(1));
  const test::ByteVector datagram(972);
  for (int i = 1; i <= 5; ++i) {
    const auto result = link.send(at(0ms), datagram, 28);
    REQUIRE(result.copies.size() == 1);
    CHECK(result.copies[0].arrival == at(i * 8ms));
  }
  CHECK(link.send(at(0ms), datagram, 28).fate == Fate::QueueFull);
  CHECK(link.send(at(7ms), datagram, 28).fate == Fate::QueueFull);
  CHECK(link.send(at(8ms), datagram, 28).fate == Fate::Sent);
  CHECK(link.send(at(100ms), datagram, 28).copies.at(0).arrival ==
        at(108ms));  // an idle line saves nothing up
}

TEST_CASE("what is larger than the MTU vanishes, headers counted") {
  Link link(config([](LinkConfig& c) { c.mtu = 1280; }), Random(1));
  CHECK(link.send(at(0ms), test::ByteVector(1252), 28).fate == Fate::Sent);
  CHECK(link.send(at(0ms), test::ByteVector(1253), 28).fate == Fate::TooLarge);
  CHECK(link.send(at(0ms), test::ByteVector(1253), 28, false).fate == Fate::TooLarge);
  CHECK(link.send(at(0ms), test::ByteVector(1252), 48).fate == Fate::TooLarge);
  link.config.cuts = true;
  CHECK(link.send(at(0ms), test::ByteVector(1253), 28, true).fate == Fate::TooLarge);
  CHECK(link.send(at(0ms), test::ByteVector(1253), 28, false).fate == Fate::Sent);
}

TEST_CASE("healing takes all faults away and leaves the delay") {
  LinkConfig bad;
  bad.delay = 30ms;
  bad.jitter = 50ms;
  bad.loss = bad.burst_begin = bad.duplicate = bad.corrupt = 0.5;
  bad.burst_end = 0;
  bad.mtu = 600;
  bad.bits_per_second = 1000;
  bad.cut = true;
  Link link(bad, Random(1));
  CHECK(link.send(at(0ms), test::ByteVector(10), 28).fate == Fate::Cut);
  link.config.cut = false;
  send_many(link, 100);  // into a burst without end
  link.config = link.config.healed();
  const auto result = link.send(at(10s), test::ByteVector(1400), 28);
  REQUIRE(result.copies.size() == 1);
  CHECK(result.copies[0].arrival == at(10s + 30ms));
  const Tally tally = send_many(link, 1000);
  CHECK(tally.lost == 0);
  CHECK(tally.copies == 1000);
}
