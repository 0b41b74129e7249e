// RFC 3758 and RFC 7496 from the sender's side.
#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {
SendOptions limited(std::uint32_t retransmits, std::uint16_t stream = 1, bool unordered = false) {
  SendOptions options;
  options.stream = stream;
  options.unordered = unordered;
  options.max_retransmits = retransmits;
  return options;
}
SendOptions timed(Duration lifetime, std::uint16_t stream = 1, bool unordered = false) {
  SendOptions options;
  options.stream = stream;
  options.unordered = unordered;
  options.lifetime = lifetime;
  return options;
}
using Skipped = std::vector<std::pair<int, int>>;
}  // namespace

TEST_CASE("max-retransmits 0: one transmission, and FORWARD TSN only when another would be due",
          "[SCTP-PR-01]") {
  TxFixture f;
  f.send_full(2, limited(0));
  f.flush();
  CHECK_FALSE(f.forward());
  f.sack(1000);
  CHECK_FALSE(f.forward());
  CHECK(f.expire() == T3Result::Expired);
  CHECK(f.flush().empty());
  const auto forward = f.forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1001);
  CHECK(forward->skipped == Skipped{{1, 1}});
  CHECK_FALSE(f.forward());
  f.sack(1000);  // it does not move: not a word more
  CHECK_FALSE(f.forward());
  f.sack(1001);
  CHECK_FALSE(f.forward());
  CHECK(f.tx->all_acknowledged());
  CHECK(f.tx->next_timeout() == kNever);
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("without loss partial reliability draws no FORWARD TSN", "[SCTP-PR-01]") {
  TxFixture f;
  for (std::uint32_t tsn = 1000; tsn < 1050; ++tsn) {
    f.send_full(1, limited(0, 1, true));
    f.flush();
    f.now += 10ms;
    f.sack(tsn);
    CHECK_FALSE(f.forward());
  }
}

TEST_CASE("the limit holds for each chunk, fast and timed retransmissions alike", "[SCTP-PR-12]") {
  TxFixture f;
  f.send_full(6, limited(1));
  f.flush();
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(999, {{2, i}});
  CHECK(f.flush() == Tsns{1000});  // the one that is allowed
  CHECK_FALSE(f.forward());
  f.expire();
  CHECK(f.forward()->tsn == 1000);
  CHECK(f.flush() == Tsns{1004});  // it was sent once so far
}

TEST_CASE("a message is abandoned as a whole, with what was acknowledged and what was not sent of it",
          "[SCTP-PR-02][SCTP-PR-08]") {
  TxFixture f;
  REQUIRE(f.send(12 * TxFixture::kFull, limited(0, 7)));
  CHECK(f.flush().size() == 10);
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(999, {{2, i}});
  CHECK(f.tx->flight_bytes() == 0);
  CHECK(f.queue->buffered_total() == 0);
  const auto forward = f.forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1010);  // one TSN stands for all that was never sent
  CHECK(forward->skipped == Skipped{{7, 0}});
  f.send_full(1, limited(0, 7));
  const Packet next = f.packet();
  REQUIRE(next.size() == 1);
  CHECK((next[0].tsn == 1011 && next[0].ssn == 1 && next[0].begin));
  CHECK(f.sack(1011) == SackResult::Progress);
  CHECK(f.tx->all_acknowledged());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("the loss that led to giving up cuts cwnd once and backs off RTO", "[SCTP-PR-08]") {
  TxFixture f;
  f.send_full(10, limited(0, 1, true));
  f.flush();
  const std::size_t cwnd = f.tx->cwnd();
  for (std::uint16_t i = 2; i <= 4; ++i) f.sack(999, {{2, i}});
  CHECK(f.tx->in_fast_recovery());
  CHECK(f.tx->cwnd() < cwnd);
  CHECK(f.expire() == T3Result::Expired);
  CHECK(f.tx->cwnd() == 1000);
  CHECK(f.tx->rto().current() == 1s);
}

TEST_CASE("abandoned chunks add nothing to cwnd", "[SCTP-PR-08]") {
  TxFixture f;
  f.send_full(10, limited(0, 1, true));
  f.flush();
  f.expire();
  const std::size_t cwnd = f.tx->cwnd();
  f.forward();
  f.sack(1009);
  CHECK(f.tx->cwnd() == cwnd);
}

TEST_CASE("a lifetime that ends before a retransmission abandons the message", "[SCTP-PR-02][DCEP-23]") {
  TxFixture f;
  f.send_full(1, timed(400ms));
  f.flush();
  f.expire();  // after 500 ms
  CHECK(f.flush().empty());
  CHECK(f.forward()->tsn == 1000);
  TxFixture g;
  g.send_full(1, timed(501ms));
  g.flush();
  g.expire();
  CHECK(g.flush() == Tsns{1000});
}

TEST_CASE("a lifetime that ends while a message is marked abandons it before it is sent", "[SCTP-PR-02]") {
  TxFixture f;
  f.send_full(1);
  f.send_full(2, timed(600ms));
  f.flush();
  f.expire();
  CHECK(f.flush() == Tsns{1000});
  f.now += 200ms;
  f.sack(1000);
  CHECK(f.flush().empty());
  CHECK(f.forward()->tsn == 1002);
}

TEST_CASE(
    "a lifetime that ends with part of the message unsent: the peer is told even if it has acknowledged the "
    "rest",
    "[SCTP-PR-02]") {
  TxFixture f;
  REQUIRE(f.send(20 * TxFixture::kFull, timed(100ms)));
  f.flush();
  f.now += 100ms;
  f.sack(1009);
  CHECK(f.flush().empty());
  CHECK(f.queue->buffered_total() == 0);
  const auto forward = f.forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1010);
  CHECK(f.tx->next_timeout() != kNever);
  f.sack(1010);
  CHECK(f.tx->all_acknowledged());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("FORWARD TSN lists each ordered stream once with its highest SSN", "[SCTP-PR-10]") {
  TxFixture f;
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 2, 1, 3, 1})
    REQUIRE(f.send(10, limited(0, stream, stream == 3)));
  f.flush();
  f.expire();
  const auto forward = f.forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1004);
  CHECK(forward->skipped == Skipped{{1, 2}, {2, 0}});
}

TEST_CASE("what exceeds one packet waits for the next FORWARD TSN", "[SCTP-PR-10]") {
  TxFixture f;
  for (std::uint16_t stream = 0; stream < 10; ++stream) REQUIRE(f.send(10, limited(0, stream)));
  f.flush();
  f.expire();
  auto forward = f.forward(8 + 4 * 4);
  REQUIRE(forward);
  CHECK(forward->tsn == 1003);
  CHECK(forward->skipped.size() == 4);
  f.sack(1003);
  forward = f.forward(8 + 4 * 4);
  REQUIRE(forward);
  CHECK(forward->tsn == 1007);
}

TEST_CASE("a lost FORWARD TSN is sent again when a SACK shows the peer behind, and by T3",
          "[SCTP-PR-09][INV-14]") {
  TxFixture f;
  f.send_full(1, limited(0, 1, true));
  f.flush();
  f.expire();
  REQUIRE(f.forward());
  CHECK(f.tx->next_timeout() != kNever);
  f.now += 1ms;
  f.sack(999);
  CHECK_FALSE(f.forward());  // it cannot have arrived yet
  f.now += 200ms;
  f.sack(999);
  CHECK(f.forward()->tsn == 1000);
  f.expire();
  CHECK(f.forward()->tsn == 1000);
}

TEST_CASE("new DATA goes with the FORWARD TSN after a timeout") {
  TxFixture f;
  f.send_full(1, limited(0, 1, true));
  f.flush();
  f.expire();
  f.send_full(1, limited(0, 1, true));
  REQUIRE(f.forward());
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("an old SACK is told by the last cumulative ack, not by the advanced point", "[SCTP-PR-11]") {
  TxFixture f;
  f.send_full(3, limited(0));
  f.flush();
  f.expire();
  REQUIRE(f.forward()->tsn == 1002);
  CHECK(f.sack(1000) == SackResult::Progress);
  CHECK(f.sack(999) == SackResult::Old);
}

// Some peers reset at once, with messages on their way; what was abandoned before is no news to the streams' next life.
TEST_CASE("streams of several resets have begun anew until the cumulative TSN passes each", "[SCTP-RST-06]") {
  TxFixture f;
  REQUIRE(f.send(10, limited(0, 1)));  // TSN 1000
  REQUIRE(f.send(10, limited(0, 2)));
  REQUIRE(f.send(10, limited(0, 3)));
  REQUIRE(f.flush() == Tsns{1000, 1001, 1002});
  const auto reset = [&](std::initializer_list<StreamId> streams) {
    f.tx->on_reset_requested(f.tx->last_assigned_tsn());
    f.tx->on_reset_answered(true, {streams.begin(), streams.size()});
  };
  reset({StreamId{2}});
  reset({StreamId{1}, StreamId{2}});
  REQUIRE(f.send(10, limited(0, 1)));  // 1003, of the next life
  REQUIRE(f.flush() == Tsns{1003});    // whose numbers go on, here
  SECTION("all lost") {
    f.expire();
    CHECK(f.forward()->skipped == Skipped{{3, 0}, {1, 1}});
  }
  SECTION("passed, they are as any other") {
    f.sack(1002);
    f.expire();
    CHECK(f.forward()->skipped == Skipped{{1, 1}});
  }
  SECTION("a reset of another one leaves the next life of the first alone") {
    reset({StreamId{4}});
    f.expire();
    CHECK(f.forward()->skipped == Skipped{{3, 0}, {1, 1}});
  }
}

TEST_CASE("to a peer without FORWARD TSN everything is sent reliably", "[SCTP-PR-13][SCTP-PR-05]") {
  TxFixture f;
  f.queue->set_partial_reliability(false);
  f.send_full(1, limited(0));
  f.send_full(1, timed(1ms));
  f.flush();
  for (int i = 0; i < 3; ++i) {
    f.expire();
    CHECK(f.flush() == Tsns{1000});
    CHECK_FALSE(f.forward());
  }
  f.sack(1000);
  CHECK(f.flush() == Tsns{1001});
}

}  // namespace pollrtc::sctp::test
