// Sending, SACKs, loss and timeouts, told as traces. PMDCS is 1000 and each full chunk fills a packet.
#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {
constexpr std::size_t kP = 1000;
Tsns range(std::uint32_t first, std::uint32_t last) {
  Tsns tsns;
  for (std::uint32_t tsn = first; tsn != last + 1; ++tsn) tsns.push_back(tsn);
  return tsns;
}
}  // namespace

TEST_CASE("a message is cut into consecutive TSNs, B first, E last, one SSN", "[SCTP-DATA-21]") {
  TxFixture f;
  SendOptions options;
  options.stream = 5;
  REQUIRE(f.send(2 * TxFixture::kFull + 1, options));
  const Packet one = f.packet(), two = f.packet(), three = f.packet();
  REQUIRE((one.size() == 1 && two.size() == 1 && three.size() == 1));
  CHECK((one[0].begin && !one[0].end && one[0].tsn == 1000 && one[0].size == TxFixture::kFull));
  CHECK((!two[0].begin && !two[0].end && two[0].tsn == 1001 && two[0].size == TxFixture::kFull));
  CHECK((!three[0].begin && three[0].end && three[0].tsn == 1002 && three[0].size == 1));
  CHECK((one[0].ssn == 0 && three[0].ssn == 0 && three[0].stream == 5));
}

TEST_CASE("room for padding and for a bundled SACK is counted", "[SCTP-DATA-21][SCTP-PKT-18]") {
  TxFixture f;
  REQUIRE(f.send(5000));
  const Packet chunks = f.packet(1000 - 30);
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].size == 952);  // 970 holds 968, a multiple of four, less the header of 16
}

TEST_CASE("small messages share a packet; no message begins in its last corner",
          "[SCTP-DATA-26][SCTP-DATA-21]") {
  TxFixture f;
  REQUIRE(f.send(100));
  REQUIRE(f.send(700));
  REQUIRE(f.send(3000));
  const Packet chunks = f.packet();
  REQUIRE(chunks.size() == 2);
  CHECK(chunks[1].size == 700);
  CHECK(f.packet()[0].size == TxFixture::kFull);
}

TEST_CASE("on a path too short for pacing a message that must be cut anyway fills the last corner") {
  TxFixture f(1000, {}, false, SchedulerPolicy::WeightedFair, true);
  f.send_full(1);
  f.flush();
  f.now += 500us;
  f.sack(1000);
  REQUIRE(f.send(100));
  REQUIRE(f.send(700));
  REQUIRE(f.send(3000));
  const Packet chunks = f.packet();
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[2].size == 1000 - 116 - 716 - 16);
  CHECK(f.packet()[0].size == TxFixture::kFull);
  f.flush();
  REQUIRE(f.send(700));
  REQUIRE(f.send(900));  // this one fits a packet of its own
  CHECK(f.packet().size() == 1);
}

TEST_CASE("on a path too short for pacing, whose rate is known, a burst is a millisecond's worth of it") {
  TxFixture f(1000, {}, false, SchedulerPolicy::WeightedFair, true, CongestionAlgorithm::Model);
  for (int round = 0; round < 20; ++round) {
    f.send_full(10);
    f.flush();
    f.now += 1ms;
    f.sack(f.tx->last_assigned_tsn().value());
  }
  REQUIRE(f.tx->flight_bytes() == 0);
  f.send_full(300);
  int packets = 0;
  f.flush(&packets);
  CHECK(packets > 10);
  CHECK(packets < 100);
}

TEST_CASE("a small message leaves at once though others are in flight", "[SCTP-DATA-26]") {
  TxFixture f;
  REQUIRE(f.send(10));
  CHECK(f.flush() == Tsns{1000});
  REQUIRE(f.send(10));
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("no new DATA once cwnd is full; the overshoot is one packet", "[SCTP-CC-06][INV-3]") {
  TxFixture f;
  for (int i = 0; i < 40; ++i) REQUIRE(f.send(600));
  REQUIRE(f.tx->cwnd() == 10 * kP);
  while (!f.packet().empty()) {
    f.now += 1ms;  // so that Max.Burst is not what stops it
    CHECK(f.tx->flight_bytes() < f.tx->cwnd() + kP);
  }
  CHECK(f.tx->flight_bytes() >= f.tx->cwnd());
  CHECK(f.tx->flight_bytes() == 17 * 616);
}

TEST_CASE("bytes in flight are those of the chunks not yet acknowledged", "[INV-3]") {
  TxFixture f;
  f.send_full(5);
  CHECK(f.flush() == range(1000, 1004));
  CHECK(f.tx->flight_bytes() == 5 * kP);
  CHECK(f.sack(1001, {{2, 2}}) == SackResult::Progress);
  CHECK(f.tx->flight_bytes() == 2 * kP);
  CHECK(f.sack(1004) == SackResult::Progress);
  CHECK(f.tx->flight_bytes() == 0);
  CHECK(f.tx->all_acknowledged());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("a gap ack alone frees nothing", "[SCTP-SACK-11]") {
  TxFixture f;
  f.send_full(3);
  f.flush();
  f.sack(999, {{2, 3}});
  CHECK(f.queue->messages().count() == 3);
  CHECK_FALSE(f.tx->all_acknowledged());
  f.sack(1002);
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("a SACK behind the cumulative point is dropped", "[SCTP-SACK-01]") {
  TxFixture f;
  CHECK(f.sack(998) == SackResult::Old);
  CHECK(f.sack(999) == SackResult::Nothing);
  f.send_full(3);
  f.flush();
  f.sack(1001);
  CHECK(f.sack(1000, {}, 5) == SackResult::Old);
  CHECK(f.tx->peer_rwnd() != 5);
}

TEST_CASE("a SACK of a TSN never assigned is a violation", "[SCTP-SACK-02][ATK-10]") {
  TxFixture f;
  CHECK(f.sack(1000) == SackResult::Violation);
  f.send_full(3);
  f.flush();
  CHECK(f.sack(1003) == SackResult::Violation);
  CHECK(f.sack(999, {{2, 4}}) == SackResult::Violation);
  CHECK(f.sack(1001, {{2, 2}}) == SackResult::Violation);
  CHECK(f.tx->flight_bytes() == 3 * kP);
  CHECK(f.sack(999, {{2, 3}}) == SackResult::Progress);
}

TEST_CASE("hostile gap blocks end in finite time and touch nothing else", "[SCTP-SACK-03]") {
  TxFixture f;
  f.send_full(8);
  f.flush();
  CHECK(f.sack(999, {{5, 2}, {0, 0}, {65535, 1}, {0, 3}}) == SackResult::Nothing);
  CHECK(f.tx->flight_bytes() == 8 * kP);
  CHECK(f.sack(999, {{1, 65535}}) == SackResult::Violation);
  CHECK(f.sack(999, {{0, 65535}}) == SackResult::Violation);
  f.sack(999, {{3, 4}, {2, 4}, {3, 5}, {2, 2}, {4, 4}});  // overlapping, unsorted: 3..5
  CHECK(f.tx->flight_bytes() == 5 * kP);
  std::vector<GapBlock> many(16000, GapBlock{3, 5});
  f.sack(999, many);
  CHECK(f.tx->flight_bytes() == 5 * kP);
  f.sack(1007);
  CHECK(f.tx->all_acknowledged());
  CHECK(f.tx->flight_bytes() == 0);
}

TEST_CASE("the peer's window is what it says less what is outstanding", "[SCTP-SACK-10]") {
  TxFixture f;
  f.send_full(4);
  f.flush();
  f.sack(1001, {}, 5000);
  CHECK(f.tx->peer_rwnd() == 5000 - 2 * TxFixture::kFull);
  f.sack(1001, {}, 100);
  CHECK(f.tx->peer_rwnd() == 0);
}

TEST_CASE("TSNs wrap while loss is repaired", "[SCTP-DATA-08]") {
  TxFixture f(0xFFFFFFFD);
  f.send_full(7);
  CHECK(f.flush() == Tsns{0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF, 0, 1, 2, 3});
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(0xFFFFFFFD, {{2, i}});
  CHECK(f.flush() == Tsns{0xFFFFFFFE});
  CHECK(f.sack(3) == SackResult::Progress);
  CHECK(f.tx->all_acknowledged());
}

TEST_CASE("three misses: one packet at once whatever cwnd is, and one cut", "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(30);
  CHECK(f.flush() == range(1000, 1009));
  f.sack(999, {{2, 2}});
  f.flush();
  const std::size_t before = f.tx->cwnd();
  f.sack(999, {{2, 3}});
  CHECK_FALSE(f.tx->in_fast_recovery());
  f.sack(999, {{2, 4}});
  CHECK(f.tx->in_fast_recovery());
  CHECK(f.tx->ssthresh() == f.tx->cwnd());
  CHECK(f.tx->cwnd() <= (before + 2 * kP) / 2);
  REQUIRE(f.tx->flight_bytes() >= f.tx->cwnd());
  const Packet packet = f.packet();
  REQUIRE(packet.size() == 1);
  CHECK(packet[0].tsn == 1000);
  CHECK(f.packet().empty());
}

TEST_CASE("a second loss in the same window does not cut again; each TSN is fast retransmitted once",
          "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t i = 3; i <= 5; ++i) f.sack(999, {{3, i}});  // 1000 and 1001 are missing
  const std::size_t cwnd = f.tx->cwnd();
  CHECK(f.packet()[0].tsn == 1000);
  for (std::uint16_t i = 6; i <= 10; ++i) f.sack(999, {{3, i}});
  CHECK(f.tx->cwnd() == cwnd);
  CHECK(f.flush() == Tsns{1001});
  CHECK(f.tx->retransmissions() == 2);
}

TEST_CASE("misses count only below the highest TSN newly acknowledged", "[SCTP-SACK-07]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  f.sack(999, {{6, 6}});
  f.sack(999, {{6, 6}});
  f.sack(999, {{6, 6}});  // nothing newly acknowledged: no miss
  f.sack(999, {{3, 3}, {6, 6}});
  CHECK_FALSE(f.tx->in_fast_recovery());
  f.sack(999, {{3, 4}, {6, 6}});  // 1000, 1001: three; 1004: one
  CHECK(f.tx->in_fast_recovery());
  CHECK(f.packet()[0].tsn == 1000);
  f.sack(1000, {{2, 9}});
  CHECK(f.flush() == Tsns{1001});
  CHECK(f.tx->retransmissions() == 2);
}

TEST_CASE("in Fast Recovery, when the cumulative TSN moves, all that is missing counts", "[SCTP-SACK-07]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(999, {{2, i}});
  REQUIRE(f.tx->in_fast_recovery());
  REQUIRE(f.flush() == Tsns{1000});
  f.sack(999, {{2, 4}, {8, 8}});  // 1004..1006: one miss
  f.sack(1003, {{4, 4}});         // the point moves; nothing new above them: two
  CHECK(f.flush().empty());
  f.sack(1003, {{4, 5}});  // three
  CHECK(f.tx->in_fast_recovery());
  CHECK(f.flush() == Tsns{1004, 1005, 1006});
}

TEST_CASE("Fast Recovery ends when what was outstanding at its start is acknowledged", "[SCTP-SACK-07]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(999, {{2, i}});
  f.flush();
  f.sack(1008);
  CHECK(f.tx->in_fast_recovery());
  f.sack(1009);
  CHECK_FALSE(f.tx->in_fast_recovery());
}

TEST_CASE("gap-acknowledged, then missing again: outstanding, T3 runs, and it is sent again in the end",
          "[SCTP-SACK-04]") {
  TxFixture f;
  f.send_full(2);
  f.flush();
  f.sack(1000, {{1, 1}});  // a strange peer, but nothing is in flight now
  REQUIRE(f.tx->flight_bytes() == 0);
  f.sack(1000);
  CHECK(f.tx->flight_bytes() == kP);
  CHECK(f.tx->next_timeout() != kNever);
  CHECK(f.expire() == T3Result::Expired);
  CHECK(f.flush() == Tsns{1001});
  TxFixture g;
  g.send_full(6);
  g.flush();
  g.sack(999, {{2, 3}});  // 1000: one miss
  g.sack(999, {{3, 3}});  // 1001 is reneged on: one miss
  g.sack(999, {{3, 4}});  // both: two
  g.sack(999, {{3, 5}});
  CHECK(g.flush() == Tsns{1000, 1001});
}

TEST_CASE("the cumulative TSN of a SHUTDOWN is no renege", "[SCTP-SACK-09]") {
  TxFixture f;
  f.send_full(4);
  f.flush();
  f.sack(999, {{3, 4}});
  CHECK(f.tx->on_shutdown(f.now, Tsn(1000)) == SackResult::Progress);
  CHECK(f.tx->flight_bytes() == kP);
  CHECK(f.tx->on_shutdown(f.now, Tsn(1004)) == SackResult::Violation);
}

TEST_CASE("T3: one packet and nothing more until an ack; RTO doubles", "[SCTP-CC-02]") {
  TxFixture f;
  for (int i = 0; i < 20; ++i) REQUIRE(f.send(484));  // two chunks a packet
  f.flush();
  const std::size_t cwnd = f.tx->cwnd();
  CHECK(f.tx->next_timeout() == f.now + 500ms);
  CHECK(f.expire() == T3Result::Expired);
  CHECK(f.tx->cwnd() == kP);
  CHECK(f.tx->ssthresh() == std::max(cwnd / 2, 4 * kP));
  CHECK(f.flush() == Tsns{1000, 1001});
  CHECK(f.tx->next_timeout() == f.now + 1s);
  CHECK(f.expire() == T3Result::Expired);
  CHECK(f.flush() == Tsns{1000, 1001});
  CHECK(f.tx->next_timeout() == f.now + 2s);
  f.sack(1000);
  CHECK_FALSE(f.flush().empty());
}

TEST_CASE("chunks marked for retransmission go before new ones, within cwnd", "[SCTP-CC-07]") {
  TxFixture f;
  f.send_full(12);
  f.flush();
  f.expire();
  CHECK(f.flush() == Tsns{1000});
  f.sack(1000);
  const Tsns next = f.flush();
  REQUIRE_FALSE(next.empty());
  CHECK(next[0] == 1001);
  CHECK(next.size() * kP <= f.tx->cwnd() + kP);
  f.sack(1009);
  CHECK(f.flush() == Tsns{1010, 1011});
}

TEST_CASE(
    "a peer that acknowledges a whole flight at once does not keep the window from being filled, and from "
    "growing",
    "[SCTP-CC-03][SCTP-CC-02]") {
  TxFixture f;
  CHECK_FALSE(f.tx->has_data_to_send(f.now));  // asked in vain: it must not cost the first burst
  f.send_full(500);
  CHECK(f.flush().size() == 10);
  std::size_t flight = 10;
  for (int round = 0; round < 5; ++round) {
    f.now += 100ms;
    REQUIRE(f.sack(f.tx->last_assigned_tsn().value()) == SackResult::Progress);
    const std::size_t next = f.flush().size();
    CHECK(next > flight);
    CHECK(next <= 2 * flight + 4);
    flight = next;
  }
}

TEST_CASE("a burst is Max.Burst packets beyond what was acknowledged", "[SCTP-CC-02]") {
  TxFixture f;
  f.send_full(200);
  f.flush();
  for (std::uint32_t tsn = 1009; tsn < 1100; tsn += 10) {
    f.now += 100ms;
    f.sack(tsn);
    f.flush();
  }
  const std::uint32_t last = f.tx->last_assigned_tsn().value();
  f.now += 100ms;
  f.sack(last);
  REQUIRE(f.tx->flight_bytes() == 0);
  f.now += 10ms;
  f.flush();
  f.sack(f.tx->last_assigned_tsn().value());
  f.send_full(100);
  f.flush();
  f.now += 1ms;
  int packets = 0;
  f.flush(&packets);
  CHECK(packets <= 4);
}

TEST_CASE("T3 starts with the first chunk, restarts when the earliest is acknowledged, stops with the last",
          "[SCTP-RTO-02][INV-14]") {
  TxFixture f;
  CHECK(f.tx->next_timeout() == kNever);
  f.send_full(2);
  f.flush();
  const Time started = f.now;
  f.now += 100ms;
  f.send_full(1);
  f.flush();
  CHECK(f.tx->next_timeout() == started + 500ms);  // another send does not restart it
  f.sack(999, {{2, 2}});
  CHECK(f.tx->next_timeout() == started + 500ms);  // nor does a gap ack
  f.sack(1000, {{1, 1}});
  CHECK(f.tx->next_timeout() == f.now + f.tx->rto().current());
  f.sack(1002);
  CHECK(f.tx->next_timeout() == kNever);
}

TEST_CASE("no RTT sample from a chunk that was sent twice", "[SCTP-RTO-01]") {
  TxFixture f;
  f.send_full(1);
  f.flush();
  f.expire();
  f.flush();
  f.now += 10ms;
  f.sack(1000);
  CHECK_FALSE(f.tx->rto().has_sample());
  f.send_full(1);
  f.flush();
  f.now += 30ms;
  f.sack(1001);
  CHECK(f.tx->rto().srtt() == 30ms);
}

TEST_CASE("no RTT sample when a lower chunk was sent again meanwhile", "[SCTP-RTO-01]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  f.now += 20ms;
  f.sack(1000);  // 1000 was the timed one
  REQUIRE(f.tx->rto().srtt() == 20ms);
  f.send_full(3);
  f.flush();  // 1010 is timed now
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(1000, {{2, i}});
  REQUIRE(f.flush() == Tsns{1001});
  f.now += 500ms;
  REQUIRE(f.sack(f.tx->last_assigned_tsn().value()) == SackResult::Progress);
  CHECK(f.tx->rto().srtt() == 20ms);
}

// Where the round trip is longer than the RTO, nothing else is ever measured.
TEST_CASE("an RTT sample through a timeout: from the chunk that left last, if it left once",
          "[SCTP-RTO-01]") {
  TxFixture f;
  f.send_full(4);
  REQUIRE(f.flush() == Tsns{1000, 1001, 1002, 1003});
  const Time sent = f.now;
  f.expire();
  REQUIRE(f.flush() == Tsns{1000});
  SECTION("its first copy is acknowledged") {
    f.now = sent + 800ms;
    f.sack(1003);
    REQUIRE(f.tx->rto().has_sample());
    CHECK(f.tx->rto().srtt() == 800ms);
    CHECK(f.tx->rto().current() == 2400ms);
  }
  SECTION("the chunk before it is") {
    f.sack(1002);
    CHECK_FALSE(f.tx->rto().has_sample());
  }
  SECTION("it was sent again") {
    f.sack(1000, {{2, 2}});
    REQUIRE(f.flush() == Tsns{1001, 1003});
    f.sack(1003);
    CHECK_FALSE(f.tx->rto().has_sample());
  }
  SECTION("a second timeout came between, and a third") {
    f.expire();
    f.flush();
    const bool is_third = GENERATE(false, true);
    if (is_third) f.expire();
    f.sack(1003);
    CHECK(f.tx->rto().has_sample() != is_third);
  }
  SECTION("the path is another one since") {
    f.tx->on_path_change(f.now);
    f.sack(1003);
    CHECK_FALSE(f.tx->rto().has_sample());
  }
}

TEST_CASE("an RTT sample through a timeout and another, only while there was none before", "[SCTP-RTO-01]") {
  TxFixture f;
  f.measure(20ms);
  f.send_full(2);
  REQUIRE(f.flush() == Tsns{1001, 1002});
  f.expire();
  f.flush();
  const bool is_second = GENERATE(false, true);
  if (is_second) f.expire();
  f.sack(1002);
  CHECK((f.tx->rto().srtt() == 20ms) == is_second);
}

TEST_CASE("no RTT sample through a timeout from what was held up, nor from what was given up",
          "[SCTP-RTO-01]") {
  TxFixture f;
  const bool is_late = GENERATE(true, false);
  f.send_full(2);
  REQUIRE(f.flush() == Tsns{1000, 1001});
  f.now += is_late ? 6001ms : 6000ms;
  REQUIRE(f.expire() == T3Result::Expired);
  f.flush();
  f.sack(1001);
  CHECK(f.tx->rto().has_sample() != is_late);

  // The chunk that leaves next is timed.
  TxFixture unreliable;
  REQUIRE(unreliable.send(10, {.stream = 1, .max_retransmits = 0}));
  REQUIRE(unreliable.flush() == Tsns{1000});
  unreliable.expire();
  REQUIRE(unreliable.forward());
  REQUIRE(unreliable.send(10));
  REQUIRE(unreliable.flush() == Tsns{1001});
  unreliable.now += 70ms;
  unreliable.sack(1001);
  CHECK(unreliable.tx->rto().srtt() == 70ms);
}

TEST_CASE("one RTT sample for each round trip", "[SCTP-RTO-03]") {
  TxFixture f;
  f.send_full(4);
  f.flush();
  f.now += 80ms;
  f.sack(1001);
  CHECK(f.tx->rto().srtt() == 80ms);
  f.now += 500ms;
  f.sack(1003);  // sent with 1000, but not timed
  CHECK(f.tx->rto().srtt() == 80ms);
}

TEST_CASE(
    "an ack that moves the cumulative TSN ends the back-off; when duplicates tell of early timeouts it "
    "halves it") {
  for (const bool duplicates : {false, true}) {
    TxFixture f;
    f.send_full(3);
    f.flush();
    f.expire();
    f.flush();
    f.expire();
    f.flush();
    REQUIRE(f.tx->rto().current() == 2s);
    f.sack(1000, {}, 1000000, duplicates ? 1 : 0);
    CHECK(f.tx->rto().current() == (duplicates ? 1s : Duration(500ms)));
  }
}

TEST_CASE(
    "a closed window is probed with one chunk after one RTO, then at doubling intervals, without errors",
    "[SCTP-DATA-13][INV-4]") {
  TxFixture f;
  f.send_full(3);
  REQUIRE(f.packet().size() == 1);
  f.sack(1000, {}, 0);
  CHECK(f.flush().empty());
  Duration wait = f.tx->rto().current();
  Time before = f.now;
  f.expire();
  CHECK(f.now - before == wait);
  CHECK(f.flush() == Tsns{1001});
  const std::size_t cwnd = f.tx->cwnd();
  for (int i = 0; i < 4; ++i) {
    f.now += 10ms;
    CHECK(f.sack(1000, {}, 0) == SackResult::Nothing);
    CHECK(f.flush().empty());
    before = f.now - 10ms;
    CHECK(f.expire() == T3Result::ProbeExpired);
    CHECK(f.now - before == wait);
    wait *= 2;
    CHECK(f.flush() == Tsns{1001});
  }
  CHECK(f.tx->cwnd() == cwnd);
  CHECK(f.expire() == T3Result::Expired);  // the peer has fallen silent
}

TEST_CASE("when the window opens the probe need not wait", "[SCTP-DATA-13]") {
  TxFixture f;
  f.send_full(3);
  REQUIRE(f.packet().size() == 1);
  f.sack(1000, {}, 0);
  f.flush();
  f.expire();
  REQUIRE(f.flush() == Tsns{1001});
  f.sack(1000, {}, 50000);
  CHECK(f.flush() == Tsns{1001, 1002});
}

TEST_CASE("a probe that was repeated need not wait either", "[SCTP-DATA-13]") {
  TxFixture f;
  f.send_full(3);
  REQUIRE(f.packet().size() == 1);
  f.sack(1000, {}, 0);
  f.flush();
  for (int i = 0; i < 4; ++i) {
    f.expire();
    REQUIRE(f.flush() == Tsns{1001});
    f.sack(1000, {}, 0);
  }
  f.sack(1000, {}, 50000);
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("chunks that a closing window threw away go again when it opens, however long T3 has backed off",
          "[SCTP-DATA-13]") {
  TxFixture f;
  f.send_full(4);
  REQUIRE(f.flush() == Tsns{1000, 1001, 1002, 1003});
  f.sack(1000, {}, 0);  // the others came when there was no room
  for (int i = 0; i < 5; ++i) {
    const T3Result result = f.expire();
    CHECK(result == T3Result::ProbeExpired);  // the peer is there: its SACKs say so
    CHECK(f.flush() == Tsns{1001});
    CHECK(f.sack(1000, {}, 0) == SackResult::Nothing);
  }
  CHECK(f.tx->rto().is_backed_off());
  f.sack(1000, {}, 50000);
  CHECK(f.flush() == Tsns{1001});
  CHECK_FALSE(f.tx->rto().is_backed_off());
  f.sack(1001, {}, 50000);
  CHECK(f.flush().size() >= 2);
}

TEST_CASE("a window that opens byte by byte draws no small chunks", "[SCTP-DATA-25]") {
  TxFixture f;
  REQUIRE(f.send(5000));
  f.packet();
  for (std::uint32_t a_rwnd = 0; a_rwnd < TxFixture::kFull; a_rwnd += 100) {
    f.sack(1000, {}, a_rwnd);
    CHECK(f.packet().empty());
  }
  f.sack(1000, {}, TxFixture::kFull);
  CHECK(f.packet()[0].size == TxFixture::kFull);
}

TEST_CASE("the I bit is set where waiting for a SACK would stop us, and at the end") {
  TxFixture f;
  f.send_full(3);
  CHECK_FALSE(f.packet()[0].immediate);
  f.packet();
  f.packet();
  f.expire();
  CHECK(f.packet()[0].immediate);
  TxFixture g;
  g.tx->start_shutdown(g.now);
  g.send_full(1);
  CHECK(g.packet()[0].immediate);
}

TEST_CASE("chunks kept for a peer that never moves its cumulative TSN have a limit", "[ATK-10]") {
  Limits limits;
  limits.sctp_chunks_queued = 100;
  TxFixture f(1000, limits);
  for (int i = 0; i < 300; ++i) REQUIRE(f.send(900));
  for (int round = 0; round < 300; ++round) {
    f.now += 1ms;
    f.flush();
    const auto highest = static_cast<std::uint16_t>(f.tx->last_assigned_tsn().distance_from(Tsn(999)));
    if (highest > 1) f.sack(999, {{2, highest}});
  }
  CHECK(f.tx->last_assigned_tsn() <= Tsn(1099));
}

TEST_CASE("another path begins with the first window", "[SCTP-CC-08]") {
  TxFixture f;
  f.send_full(3);
  f.flush();
  f.expire();
  REQUIRE(f.tx->cwnd() == kP);
  f.tx->on_path_change(f.now);
  CHECK(f.tx->cwnd() == 10 * kP);
}

TEST_CASE("on another path nothing waits for the back-off of the old one", "[ICE-RST-01]") {
  TxFixture f;
  f.send_full(3);
  f.flush();
  for (int i = 0; i < 6; ++i) {
    f.expire();
    f.flush();
  }
  const Duration before = f.tx->next_timeout() - f.now;
  f.tx->on_path_change(f.now);
  const Duration after = f.tx->next_timeout() - f.now;
  CHECK(before >= 16 * after);
  CHECK(after <= 1s);
}

TEST_CASE("never more than 65535 messages of a stream are unacknowledged: more wait in the queue",
          "[SCTP-DATA-23]") {
  Limits limits;
  limits.sctp_chunks_queued = 0xFFFFFFFF;  // no limit of ours is in the way
  TxFixture f(1000, limits);
  const auto outstanding = [&f] {
    return f.tx->last_assigned_tsn().value() - f.tx->cumulative_ack().value();
  };
  std::size_t asked = 0;
  // The first is never acknowledged, so that everything behind it, though received, stays (§6.2.1 D iii).
  for (int round = 0; round < 4000 && asked < 66000; ++round) {
    for (int i = 0; i < 400 && asked < 66000; ++i, ++asked) REQUIRE(f.send(1));
    while (!f.packet(20 * 50).empty()) {
    }
    const std::uint32_t top = outstanding();
    REQUIRE(top <= 65535);
    if (top > 1) f.sack(999, {{2, static_cast<std::uint16_t>(top)}});
  }
  for (int i = 0; i < 100; ++i) {
    f.flush();
    if (outstanding() > 1) f.sack(999, {{2, static_cast<std::uint16_t>(outstanding())}});
  }
  CHECK(outstanding() == 65535);
  CHECK(f.queue->buffered_total() == 66000 - 65535);
  f.sack(1000, {{1, 65534}});
  CHECK(f.flush().size() == 1);
  CHECK(outstanding() == 65535);
}

}  // namespace pollrtc::sctp::test
