#include "sctp/rx_tracker.h"

#include <vector>

#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace std::chrono_literals;
using pollrtc::test::TestEnvironment;

namespace {

struct Sack {
  std::uint32_t cumulative = 0, a_rwnd = 0;
  std::vector<std::pair<int, int>> gaps;
  std::vector<std::uint32_t> duplicates;
};

// A tracker that has seen nothing; the peer begins at `first`.
struct Fixture {
  explicit Fixture(std::uint32_t first_tsn = 100, Limits limits = {}) : first(first_tsn) {
    environment.env.limits = limits;
    tracker.emplace(environment.env, Parameters{}, Tsn(first));
  }
  RxTracker::Arrival data(std::uint32_t tsn, bool immediate = false) {
    const auto arrival = tracker->look_up(Tsn(tsn));
    if (arrival == RxTracker::Arrival::New) {
      const bool in_order = !tracker->has_gaps() && Tsn(tsn) == tracker->cumulative() + 1;
      if (!in_order) REQUIRE(tracker->reserve());
      tracker->accept(Tsn(tsn), immediate);
    } else if (arrival == RxTracker::Arrival::Duplicate) {
      tracker->on_duplicate(Tsn(tsn));
    }
    return arrival;
  }
  void packet(std::initializer_list<std::uint32_t> tsns) {
    for (const std::uint32_t tsn : tsns) data(tsn);
    tracker->end_of_packet(now);
  }
  Sack sack(std::size_t room = 1200, std::size_t a_rwnd = 5000) {
    std::vector<std::uint8_t> bytes(room);
    ByteWriter out(bytes);
    REQUIRE(tracker->write_sack(out, a_rwnd));
    REQUIRE(out.ok());
    ChunkWalker walker(out.written());
    ChunkView chunk;
    REQUIRE(walker.next(chunk) == Walk::Item);
    const auto parsed = parse_sack(chunk);
    REQUIRE(parsed);
    Sack result{parsed->cumulative_tsn_ack.value(), parsed->a_rwnd, {}, {}};
    for (std::size_t i = 0; i < parsed->gap_count(); ++i)
      result.gaps.emplace_back(parsed->gap(i).start, parsed->gap(i).end);
    for (std::size_t i = 0; i < parsed->duplicate_count(); ++i)
      result.duplicates.push_back(parsed->duplicate(i).value());
    return result;
  }
  // The first packet draws a SACK at once; this gets it out of the way.
  void settle() {
    packet({first});
    sack();
  }

  TestEnvironment environment;
  std::uint32_t first;
  std::optional<RxTracker> tracker;
  Time now{};
};

using Gaps = std::vector<std::pair<int, int>>;

}  // namespace

TEST_CASE("the first DATA is acknowledged at once, later ones at the second packet or after 200 ms",
          "[SCTP-DATA-03]") {
  Fixture f;
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
  f.packet({100});
  CHECK(f.tracker->sack_is_due(f.now));
  f.sack();
  f.packet({101});
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
  CHECK(f.tracker->has_unacknowledged());
  CHECK(f.tracker->next_timeout() == f.now + 200ms);
  CHECK_FALSE(f.tracker->sack_is_due(f.now + 199ms));
  CHECK(f.tracker->sack_is_due(f.now + 200ms));
  f.packet({102, 103});
  CHECK(f.tracker->sack_is_due(f.now));
  CHECK(f.sack().cumulative == 103);
  f.packet({104, 105, 106});  // one packet, however many chunks
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
}

TEST_CASE("the delay runs from the first chunk that waits, and its end makes progress", "[SCTP-DATA-03]") {
  Fixture f;
  f.settle();
  f.packet({101});
  f.now += 200ms;
  f.tracker->handle_timeout(f.now);
  CHECK(f.tracker->next_timeout() == kNever);
  CHECK(f.tracker->sack_is_due(f.now));
  f.sack();
  CHECK_FALSE(f.tracker->has_unacknowledged());
}

TEST_CASE("the delay cannot be set above 500 ms", "[SCTP-DATA-16]") {
  TestEnvironment environment;
  Parameters parameters;
  parameters.sack_delay = 2s;
  RxTracker tracker(environment.env, parameters, Tsn(1));
  for (const std::uint32_t tsn : {1u, 2u}) {
    std::uint8_t bytes[100];
    ByteWriter out(bytes);
    tracker.accept(Tsn(tsn), false);
    tracker.end_of_packet(Time{});
    if (tsn == 1) REQUIRE(tracker.write_sack(out, 1000));
  }
  CHECK(tracker.next_timeout() == Time{500ms});
}

TEST_CASE("a gap is acknowledged at once, and so is each packet until it is filled", "[SCTP-DATA-03]") {
  Fixture f;
  f.settle();
  for (const std::uint32_t tsn : {102u, 103u, 101u}) {
    f.packet({tsn});
    CHECK(f.tracker->sack_is_due(f.now));
    f.sack();
  }
  f.packet({104});
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
}

TEST_CASE("a packet of duplicates is acknowledged at once and lists each arrival once",
          "[SCTP-DATA-03][SCTP-DATA-04]") {
  Fixture f;
  f.settle();
  f.packet({101, 102});
  f.sack();
  f.packet({101, 101, 100});
  CHECK(f.tracker->sack_is_due(f.now));
  CHECK(f.sack().duplicates == std::vector<std::uint32_t>{101, 101, 100});
  f.packet({102});
  CHECK(f.sack().duplicates == std::vector<std::uint32_t>{102});
}

TEST_CASE("the list of duplicates has a limit", "[SCTP-DATA-04][lim.sctp.dup_tsns]") {
  for (const int arrivals : {19, 20, 21}) {
    Fixture f;
    f.settle();
    for (int i = 0; i < arrivals; ++i) f.data(100);
    CHECK(f.sack().duplicates.size() == static_cast<std::size_t>(std::min(arrivals, 20)));
  }
}

TEST_CASE("the I bit draws a SACK at once", "[SCTP-DATA-05]") {
  Fixture f;
  f.settle();
  f.data(101, true);
  f.tracker->end_of_packet(f.now);
  CHECK(f.tracker->sack_is_due(f.now));
}

TEST_CASE("gap blocks ascend, stand apart, and lie above the cumulative TSN", "[SCTP-DATA-24]") {
  Fixture f;
  CHECK(f.sack().cumulative == 99);
  f.packet({109, 100, 104, 103, 106});
  const Sack sack = f.sack();
  CHECK(sack.cumulative == 100);
  CHECK(sack.gaps == Gaps{{3, 4}, {6, 6}, {9, 9}});
  CHECK(sack.a_rwnd == 5000);
}

TEST_CASE("as many gap blocks as fit, the lowest first", "[SCTP-DATA-24]") {
  Fixture f;
  for (std::uint32_t tsn = 101; tsn < 1101; tsn += 2) f.data(tsn);
  const Sack sack = f.sack(16 + 4 * 3);
  CHECK(sack.gaps == Gaps{{2, 2}, {4, 4}, {6, 6}});
  CHECK(f.sack(1200).gaps.size() == (1200 - 16) / 4);
  std::uint8_t small[15];
  ByteWriter out(small);
  CHECK_FALSE(f.tracker->write_sack(out, 1));
  CHECK(out.size() == 0);
}

TEST_CASE("a long run of TSNs is one block, wherever words of the bit map begin", "[SCTP-DATA-24]") {
  for (std::uint32_t first = 50; first < 250; first += 7) {
    Fixture f(first);
    for (std::uint32_t i = 3; i < 300; ++i) f.data(first + i);
    CHECK(f.sack().gaps == Gaps{{4, 300}});
    f.packet({first, first + 1});
    CHECK(f.sack().gaps == Gaps{{2, 298}});
    f.packet({first + 2});
    CHECK(f.sack().cumulative == first + 299);
  }
}

TEST_CASE("TSNs wrap", "[SCTP-DATA-08]") {
  Fixture f(0xFFFFFFFE);
  f.packet({0xFFFFFFFE, 0, 2});
  CHECK(f.sack().gaps == Gaps{{2, 2}, {4, 4}});
  f.packet({0xFFFFFFFF, 1});
  const Sack sack = f.sack();
  CHECK(sack.cumulative == 2);
  CHECK(sack.gaps.empty());
  CHECK(f.data(0xFFFFFFFF) == RxTracker::Arrival::Duplicate);
}

TEST_CASE("a TSN beyond the span is not taken", "[SCTP-DATA-10][lim.sctp.tsn_span]") {
  Fixture f;
  const std::uint32_t edge = 99 + f.environment.env.limits.sctp_tsn_span;
  CHECK(f.data(edge + 1) == RxTracker::Arrival::OutOfRange);
  CHECK(f.data(edge) == RxTracker::Arrival::New);
  CHECK(f.data(edge - 1) == RxTracker::Arrival::New);
  CHECK(f.data(99u + 0x7FFFFFFF) == RxTracker::Arrival::OutOfRange);
  CHECK(f.sack().gaps == Gaps{{16383, 16384}});
  CHECK(f.environment.peak_bytes() < 4096);
}

TEST_CASE("without gaps the tracker needs no memory; without memory a gap is refused") {
  Fixture f;
  f.packet({100, 101, 102});
  CHECK(f.environment.allocations() == 0);
  f.environment.fail_allocations_after(0);
  CHECK_FALSE(f.tracker->reserve());
}

TEST_CASE("what was given up again leaves the gap blocks until it comes again", "[SCTP-DATA-17]") {
  Fixture f;
  f.packet({100, 102, 104});
  f.tracker->forget(Tsn(104));
  CHECK(f.sack().gaps == Gaps{{2, 2}});
  CHECK(f.tracker->highest() == Tsn(102));
  f.tracker->forget(Tsn(102));
  CHECK_FALSE(f.tracker->has_gaps());
  CHECK(f.data(104) == RxTracker::Arrival::New);
  CHECK(f.sack().gaps == Gaps{{4, 4}});
}

TEST_CASE("a refused chunk is answered at once by a SACK that does not list it", "[SCTP-DATA-17]") {
  Fixture f;
  f.settle();
  f.tracker->on_refused();
  CHECK(f.tracker->sack_is_due(f.now));
  CHECK(f.sack().cumulative == 100);
}

TEST_CASE("the window is announced again when it has grown by a quarter", "[SCTP-DATA-18]") {
  Fixture f;
  f.packet({100});
  f.sack(1200, 1000);
  f.tracker->on_window(1000 + 2499, 10000);
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
  f.tracker->on_window(1000 + 2500, 10000);
  CHECK(f.tracker->sack_is_due(f.now));
  f.sack(1200, 3500);
  f.tracker->on_window(3500, 10000);
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
}

TEST_CASE("FORWARD TSN moves the cumulative TSN on over what is held", "[SCTP-PR-07]") {
  Fixture f;
  f.packet({100, 101, 102, 104, 105, 107});
  f.sack();
  REQUIRE(f.tracker->on_forward_tsn(Tsn(103)) == Tsn(103));
  f.tracker->end_of_packet(f.now);
  const Sack sack = f.sack();
  CHECK(sack.cumulative == 105);
  CHECK(sack.gaps == Gaps{{2, 2}});
  CHECK(f.data(103) == RxTracker::Arrival::Duplicate);
}

TEST_CASE("the SACK after a FORWARD TSN follows the delay rules of DATA", "[SCTP-PR-07]") {
  Fixture f;
  f.settle();
  REQUIRE(f.tracker->on_forward_tsn(Tsn(105)) == Tsn(105));
  f.tracker->end_of_packet(f.now);
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
  CHECK(f.tracker->next_timeout() == f.now + 200ms);
}

TEST_CASE("a FORWARD TSN at or behind the cumulative point changes nothing and draws a SACK",
          "[SCTP-PR-03]") {
  Fixture f;
  f.settle();
  for (const std::uint32_t tsn : {100u, 50u, 100u - 0x7FFFFFFF}) {
    CHECK(f.tracker->on_forward_tsn(Tsn(tsn)) == Tsn(tsn));
    f.tracker->end_of_packet(f.now);
    CHECK(f.tracker->sack_is_due(f.now));
    CHECK(f.sack().cumulative == 100);
  }
}

TEST_CASE("a FORWARD TSN moves no further than the span reaches", "[SCTP-PR-03][lim.sctp.tsn_span]") {
  constexpr std::uint32_t kSpan = 16384;
  for (const std::uint32_t distance : {kSpan - 1, kSpan, kSpan + 1, 0x7FFFFFFFu}) {
    Fixture f;
    f.settle();
    for (const std::uint32_t tsn : {103u, 100 + kSpan}) f.data(tsn);
    const std::uint32_t moved = std::min(distance, kSpan);
    CHECK(f.tracker->on_forward_tsn(Tsn(100 + distance)) == Tsn(100 + moved));
    CHECK(f.tracker->cumulative() == Tsn(100 + kSpan));  // the last one was held
    CHECK_FALSE(f.tracker->has_gaps());
    f.tracker->end_of_packet(f.now);
    CHECK(f.sack().cumulative == 100 + kSpan);
  }
}

TEST_CASE("a FORWARD TSN forgets exactly what it passes", "[SCTP-PR-07]") {
  for (std::uint32_t to = 101; to < 400; to += 13) {
    Fixture f;
    for (std::uint32_t tsn = 101; tsn < 400; tsn += 2) f.data(tsn);
    REQUIRE(f.tracker->on_forward_tsn(Tsn(to)) == Tsn(to));
    const std::uint32_t cumulative = to % 2 == 0 ? to + 1 : to;
    CHECK(f.tracker->cumulative() == Tsn(std::min(cumulative, 399u)));
    for (std::uint32_t tsn = cumulative + 1; tsn < 400; ++tsn)
      if ((f.tracker->look_up(Tsn(tsn)) == RxTracker::Arrival::Duplicate) != (tsn % 2 == 1))
        FAIL("TSN " << tsn);
    // The bits that were passed are clear for the TSNs that will use them again.
    for (std::uint32_t tsn = 400; tsn < 400 + 16000; ++tsn)
      if (f.tracker->look_up(Tsn(tsn)) != RxTracker::Arrival::New) FAIL("TSN " << tsn);
  }
}

TEST_CASE("duplicates take what room the gap blocks leave", "[SCTP-DATA-24]") {
  Fixture f;
  f.settle();
  f.packet({102, 104, 106, 102, 104, 106});
  const Sack sack = f.sack(16 + 4 * 4);
  CHECK(sack.gaps == Gaps{{2, 2}, {4, 4}, {6, 6}});
  CHECK(sack.duplicates.size() == 1);
  f.packet({102, 104, 106});
  CHECK(f.sack(16 + 2 * 4).gaps.size() == 2);
}

TEST_CASE("a FORWARD TSN that leaves a gap, or fills one, draws a SACK at once; another one waits",
          "[SCTP-PR-07]") {
  Fixture f;
  f.settle();
  REQUIRE(f.tracker->on_forward_tsn(Tsn(101)) == Tsn(101));
  f.tracker->end_of_packet(f.now);
  CHECK_FALSE(f.tracker->sack_is_due(f.now));
  CHECK(f.tracker->has_unacknowledged());
  f.sack();
  f.packet({104, 106});
  f.sack();
  REQUIRE(f.tracker->on_forward_tsn(Tsn(103)) == Tsn(103));  // 105 is missing still
  f.tracker->end_of_packet(f.now);
  CHECK(f.tracker->sack_is_due(f.now));
  CHECK(f.sack().cumulative == 104);
  REQUIRE(f.tracker->on_forward_tsn(Tsn(105)) == Tsn(105));
  f.tracker->end_of_packet(f.now);
  CHECK(f.tracker->sack_is_due(f.now));
  CHECK(f.sack().cumulative == 106);
}

TEST_CASE("what a FORWARD TSN has passed is not taken for a later TSN", "[SCTP-PR-07]") {
  Limits limits;
  limits.sctp_tsn_span = 64;
  for (const std::uint32_t last : std::initializer_list<std::uint32_t>{105, 170}) {
    Fixture f(100, limits);
    f.settle();
    f.packet({102, 103, 140});
    REQUIRE(f.tracker->on_forward_tsn(Tsn(105)) == Tsn(105));
    if (last > 160) REQUIRE(f.tracker->on_forward_tsn(Tsn(150)) == Tsn(150));
    if (last != 105) REQUIRE(f.tracker->on_forward_tsn(Tsn(last)) == Tsn(last));
    for (std::uint32_t tsn = last + 1; tsn <= last + 64; ++tsn) {
      INFO(tsn);
      CHECK((f.tracker->look_up(Tsn(tsn)) == RxTracker::Arrival::New) == (tsn != 140));
    }
  }
}

}  // namespace pollrtc::sctp
