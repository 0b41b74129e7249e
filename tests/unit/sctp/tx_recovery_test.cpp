// RACK-TLP, PRR and undoing, on the sending half as a whole. PMDCS is 1000 and each full chunk fills a packet.
#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {
constexpr std::size_t kP = 1000;

struct RecoveryFixture : TxFixture {
  RecoveryFixture() : TxFixture(1000, {}, false, SchedulerPolicy::WeightedFair, true) {}
  // All that the window lets go, as fast as Max.Burst does.
  Tsns all() {
    Tsns tsns;
    for (int i = 0; i < 50; ++i, now += 1us)
      for (const std::uint32_t tsn : flush()) tsns.push_back(tsn);
    return tsns;
  }
};
}  // namespace

TEST_CASE("a chunk is lost when a later one has arrived and a quarter of the round trip has passed") {
  RecoveryFixture f;
  f.measure();
  f.send_full(2);
  REQUIRE(f.flush() == Tsns{1001, 1002});
  f.now += 40ms;
  f.sack(1000, {{2, 2}});
  CHECK(f.flush().empty());
  CHECK_FALSE(f.tx->in_fast_recovery());
  const Time due = f.now + 10ms;
  CHECK(f.tx->next_timeout() == due);
  f.now = due - 1us;
  f.tx->handle_timeout(f.now);
  CHECK(f.flush().empty());
  CHECK(f.expire() == T3Result::NotDue);
  CHECK(f.now == due);
  CHECK(f.tx->in_fast_recovery());
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("a retransmission that is lost is found by what was sent after it") {
  RecoveryFixture f;
  f.measure();
  f.send_full(9);
  REQUIRE(f.all().size() == 9);
  f.now += 40ms;
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(1000, {{2, end}});
  REQUIRE(f.flush().at(0) == 1001);
  f.now += 1ms;
  f.send_full(1);
  for (std::uint16_t end = 5; end <= 9; ++end) f.sack(1000, {{2, end}});
  REQUIRE(f.flush() == Tsns{1010});
  f.now += 40ms;
  f.sack(1000, {{2, 10}});  // 1010 arrives, 1001 still does not
  while (f.flush().empty() && f.expire() == T3Result::NotDue) {
  }
  CHECK(f.tx->retransmissions() == 2);
  CHECK(f.tx->next_timeout() > f.now);
}

TEST_CASE("three misses prove a loss only while packets keep their order", "[SCTP-SACK-06]") {
  for (const bool reorders : {false, true}) {
    RecoveryFixture f;
    f.measure();
    f.send_full(8);
    REQUIRE(f.all().size() == 8);
    f.now += 40ms;
    if (reorders) {
      f.sack(1000, {{3, 3}});  // 1002 comes after 1003
    }
    f.sack(1000, {{2, 3}});
    for (std::uint16_t end = 4; end <= 7; ++end) f.sack(1000, {{2, end}});
    CHECK(f.tx->in_fast_recovery() == !reorders);
    f.now += 10ms;  // what only came late comes now
    CHECK(f.sack(1008) == SackResult::Progress);
    CHECK(f.tx->retransmissions() == 0);
  }
}

// Paths may hold up large packets more than small ones, and who sends unreliably gives up at once what is late.
TEST_CASE("large packets that were given up and arrive all the same are no black hole", "[SCTP-PMTU-05]") {
  enum Late { Nothing, Large, Small };
  const Late arrives_late = GENERATE(Nothing, Large, Small);
  RecoveryFixture f;
  f.measure();
  f.tx->set_base(150);
  const SendOptions once{.stream = 1, .max_retransmits = 0};
  bool is_found = false;
  std::uint32_t last = 1000;
  for (int round = 0; round < 40; ++round, last += 7) {
    // TSNs 1 to 3 of the round, of which the first is lost in any case.
    for (const std::size_t size : {10u, 200u, 10u}) {
      REQUIRE(f.send(size, once));
      REQUIRE(f.all().size() == 1);
    }
    for (int i = 0; i < 4; ++i) REQUIRE(f.send(10, once));
    REQUIRE(f.all().size() == 4);
    f.now += 40ms;
    f.sack(last, {{4, 7}});
    f.now += 30ms;  // more than RACK allows for reordering
    REQUIRE(f.tx->handle_timeout(f.now) == T3Result::NotDue);
    REQUIRE(f.forward());
    if (arrives_late == Large) f.sack(last, {{2, 2}, {4, 7}});
    if (arrives_late == Small) f.sack(last, {{3, 7}});
    f.sack(last + 7);
    is_found |= f.tx->take_black_hole();
  }
  CHECK(is_found == (arrives_late != Large));
}

TEST_CASE("the tail of a flight is probed after two round trips, and T3 is not needed to find its loss") {
  RecoveryFixture f;
  f.measure();
  f.send_full(3);
  REQUIRE(f.flush() == Tsns{1001, 1002, 1003});
  const Time sent = f.now;
  CHECK(f.tx->next_timeout() == sent + 2 * f.tx->rto().srtt());
  CHECK(f.expire() == T3Result::NotDue);
  CHECK(f.flush() == Tsns{1003});
  CHECK(f.tx->rto().current() == 400ms);  // no back-off
  CHECK(f.tx->cwnd() >= 10 * kP);
  f.now += 40ms;
  f.sack(1000, {{3, 3}});  // the probe has arrived
  CHECK(f.flush() == Tsns{1001, 1002});
}

TEST_CASE("a lone packet is given the time by which a peer may delay its SACK, and there is one probe") {
  RecoveryFixture f;
  f.measure();
  f.send_full(1);
  REQUIRE(f.flush() == Tsns{1001});
  CHECK(f.tx->next_timeout() == f.now + 80ms + 200ms);
  CHECK(f.expire() == T3Result::NotDue);
  CHECK(f.flush() == Tsns{1001});
  CHECK(f.expire() == T3Result::Expired);
}

TEST_CASE("a message that may not be sent again is not probed with") {
  RecoveryFixture f;
  f.measure();
  f.send_full(2, {.unordered = true, .max_retransmits = 0});
  REQUIRE(f.flush().size() == 2);
  CHECK(f.expire() == T3Result::NotDue);
  CHECK(f.flush().empty());
  CHECK_FALSE(f.forward());
  CHECK(f.tx->flight_bytes() == 2 * kP);
}

TEST_CASE(
    "a probe that repaired a loss costs what the loss would have, one that repaired none costs nothing") {
  for (const bool both_came : {false, true}) {
    RecoveryFixture f;
    f.measure();
    f.send_full(1);
    f.flush();
    f.expire();
    REQUIRE(f.flush() == Tsns{1001});
    const std::size_t before = f.tx->cwnd();
    f.now += 40ms;
    f.sack(1001);
    if (both_came) f.tx->on_sack(f.now, {Tsn(1001), 1000000, {}, ByteVector{0, 0, 0x03, 0xE9}});
    f.send_full(1);
    REQUIRE(f.flush() == Tsns{1002});
    CHECK(f.tx->cwnd() == before);
    f.now += 40ms;
    f.sack(1002);
    CHECK((f.tx->cwnd() < before) == !both_came);
  }
}

TEST_CASE("when all that was sent again turns out to have been there, the window is what it was") {
  RecoveryFixture f;
  f.measure();
  f.send_full(9);
  REQUIRE(f.all().size() == 9);
  f.now += 40ms;
  const std::size_t before = f.tx->cwnd();
  for (std::uint16_t end = 3; end <= 5; ++end) f.sack(1000, {{3, end}});  // 1001 and 1002 are late
  REQUIRE(f.tx->in_fast_recovery());
  REQUIRE(f.tx->cwnd() < before);
  while (f.tx->retransmissions() != 2) {
    f.now += 1ms;
    static std::uint16_t end = 6;
    f.sack(1000, {{3, end++}});
    f.flush();
  }
  f.tx->on_sack(f.now, {Tsn(1008), 1000000, {}, ByteVector{0, 0, 0x03, 0xE9}});
  CHECK(f.tx->cwnd() < before);  // one of two
  f.tx->on_sack(f.now, {Tsn(1008), 1000000, {}, ByteVector{0, 0, 0x03, 0xEA}});
  CHECK(f.tx->cwnd() >= before);
  CHECK_FALSE(f.tx->in_fast_recovery());
}

TEST_CASE("a timeout was too early when what it gave up arrives without being sent again") {
  RecoveryFixture f;
  f.measure();
  f.send_full(6);
  REQUIRE(f.all().size() == 6);
  const std::size_t before = f.tx->cwnd();
  while (f.expire() != T3Result::Expired) f.flush();
  REQUIRE(f.tx->cwnd() == kP);
  REQUIRE(f.flush() == Tsns{1001});
  f.sack(1001);  // that may be the answer to the retransmission
  CHECK(f.tx->cwnd() <= 2 * kP);
  f.tx->on_sack(f.now, {Tsn(1004), 1000000, {}, {}});
  CHECK(f.tx->cwnd() >= before);
}

TEST_CASE("a SACK that an older one overtook is no measurement of the round trip") {
  RecoveryFixture f;
  f.measure();
  f.send_full(6);
  REQUIRE(f.all().size() == 6);
  f.now += 40ms;
  f.sack(1000, {{3, 4}});
  f.send_full(1);
  REQUIRE(f.all().size() == 1);
  f.sack(1000, {{3, 3}});  // the older one: 1004 seems to be gone
  f.now += 100us;
  f.sack(1000, {{3, 5}});  // and is there again
  f.send_full(1);
  f.flush();
  // What was sent a moment ago is not lost, as it would be with a round trip of 100 us.
  f.now += 2ms;
  f.tx->handle_timeout(f.now);
  for (const std::uint32_t tsn : f.flush()) CHECK(tsn > 1002);
  CHECK(f.tx->flight_bytes() >= 2 * kP);
  CHECK(f.tx->next_timeout() > f.now);
}

TEST_CASE("when what a timer found lost is given up, new data goes on at once") {
  RecoveryFixture f;
  f.measure();
  f.send_full(2, {.unordered = true, .max_retransmits = 0});
  REQUIRE(f.flush() == Tsns{1001, 1002});
  f.now += 40ms;
  f.sack(1000, {{2, 2}});
  f.expire();
  REQUIRE(f.tx->in_fast_recovery());
  REQUIRE(f.tx->flight_bytes() == 0);
  f.send_full(1);
  CHECK(f.flush() == Tsns{1003});
}

TEST_CASE("pacing counts what a packet holds, whatever was given up while it was written") {
  TxFixture f(1000, {}, false, SchedulerPolicy::WeightedFair, true, CongestionAlgorithm::Cubic);
  f.send_full(1);
  f.flush();
  f.now += 40ms;
  f.sack(1000);
  SendOptions mortal;
  mortal.lifetime = 200ms;
  REQUIRE(f.send(100));
  REQUIRE(f.send(7 * TxFixture::kFull, mortal));
  for (int i = 0; i < 20; ++i, f.now += 2ms) f.flush();
  const auto highest = static_cast<std::uint16_t>(f.tx->last_assigned_tsn().distance_from(Tsn(1000)));
  REQUIRE(highest >= 8);
  f.now += 1ms;
  for (std::uint16_t end = 3; end <= 5; ++end) f.sack(1000, {{3, end}});  // 1001 and 1002 are lost
  f.now += 200ms;                                                         // and the second message is too old
  REQUIRE(f.flush() == Tsns{1001});
  REQUIRE(f.tx->flight_bytes() < kP);
  f.send_full(3);
  for (int i = 0; i < 20; ++i, f.now += 1ms) f.flush();
  CHECK(f.tx->flight_bytes() > 2 * kP);
}

TEST_CASE("paced packets leave as time passes, not in one go, and the deadline says when") {
  TxFixture f(1000, {}, false, SchedulerPolicy::WeightedFair, true, CongestionAlgorithm::Model);
  f.send_full(1);
  f.flush();
  f.now += 40ms;
  f.sack(1000);
  f.send_full(100);
  int first = 0;
  f.flush(&first);
  CHECK(first <= 4);
  CHECK(f.tx->next_timeout() <= f.now + 10ms);
  int all = first;
  for (int i = 0; i < 100 && f.tx->flight_bytes() < f.tx->cwnd(); ++i) {
    const Time before = f.now;
    f.now = f.tx->next_timeout();
    REQUIRE(f.now > before);
    REQUIRE(f.now < before + 20ms);
    f.tx->handle_timeout(f.now);
    f.flush(&all);
  }
  CHECK(all >= 10);
}

TEST_CASE("in a recovery the flight comes down in proportion to what arrives", "[SCTP-SACK-06]") {
  RecoveryFixture f;
  f.measure();
  for (std::uint32_t tsn = 1001; f.tx->cwnd() < 20 * kP;) {
    f.send_full(20);
    f.flush();
    f.now += 40ms;
    tsn = f.tx->last_assigned_tsn().value();
    f.sack(tsn);
  }
  f.send_full(100);
  f.now += 500us;
  while (!f.flush().empty()) f.now += 500us;
  const std::uint32_t base = f.tx->cumulative_ack().value();
  const std::size_t flight = f.tx->flight_bytes() / kP;
  REQUIRE(flight >= 20);
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(base, {{2, end}});  // the first is lost
  REQUIRE(f.tx->in_fast_recovery());
  std::size_t sent = f.flush().size();
  const std::size_t target = f.tx->cwnd() / kP;
  for (std::uint16_t end = 5; end <= flight; ++end) {
    f.sack(base, {{2, end}});
    const std::size_t now_sent = f.flush().size();
    CHECK(now_sent <= 2);
    sent += now_sent;
    CHECK(sent <= (end - 1u) * target / flight + 2);
    CHECK(sent + 2 >= (end - 1u) * target / flight);
  }
  CHECK(f.tx->flight_bytes() <= f.tx->cwnd() + 2 * kP);
  CHECK(f.tx->flight_bytes() + 2 * kP >= f.tx->cwnd());
}

}  // namespace pollrtc::sctp::test
