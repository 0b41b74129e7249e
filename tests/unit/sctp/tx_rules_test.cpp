// Clauses of the sending rules that need a story of their own.
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {
constexpr std::size_t kP = 1000;  // PMDCS

// Lets the window grow to at least `packets`, and all be acknowledged.
void grow(TxFixture& f, std::size_t packets) {
  while (f.tx->cwnd() < packets * kP) {
    f.send_full(60);
    while (f.queue->buffered_total() != 0 || f.tx->flight_bytes() != 0) {
      f.flush();
      f.now += 50ms;
      f.sack(f.tx->last_assigned_tsn().value());
    }
  }
  CHECK(f.flush().empty());
}
}  // namespace

TEST_CASE("an open window is not filled by one burst", "[SCTP-CC-02]") {
  TxFixture f;
  grow(f, 20);
  f.now += 10ms;
  f.send_full(30);
  int packets = 0;
  f.flush(&packets);
  CHECK(packets == 4);
}

TEST_CASE("a sender that was idle for an RTO begins with a smaller window", "[SCTP-CC-04]") {
  TxFixture f;
  grow(f, 20);
  const std::size_t before = f.tx->cwnd();
  f.now += f.tx->rto().current() + 100ms;
  f.send_full(1);
  CHECK(f.flush().size() == 1);
  CHECK(f.tx->cwnd() == before / 2);
}

TEST_CASE("no new chunk leaves while one that was lost waits, though it would fit the packet",
          "[SCTP-CC-07]") {
  TxFixture f;
  REQUIRE(f.send(600));
  REQUIRE(f.send(600));
  CHECK(f.flush() == Tsns{1000, 1001});
  f.expire();
  REQUIRE(f.send(50));
  const Packet packet = f.packet();
  REQUIRE(packet.size() == 1);
  CHECK(packet[0].tsn == 1000);
}

TEST_CASE("a second loss within a recovery does not cut the window again", "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(10);
  CHECK(f.flush().size() == 10);
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(999, {{2, end}});
  REQUIRE(f.tx->in_fast_recovery());
  const std::size_t cut = f.tx->cwnd();
  CHECK(cut < 6 * kP);
  f.flush();
  for (std::uint16_t end = 7; end <= 9; ++end) f.sack(999, {{2, 5}, {7, end}});  // 1005 too
  CHECK(f.tx->cwnd() == cut);
  CHECK(f.tx->ssthresh() == cut);
}

TEST_CASE("T3 starts anew when the earliest chunk is sent again before it has run out", "[SCTP-RTO-02]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  const Time first_due = f.tx->next_timeout();
  f.now += 300ms;
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(999, {{2, end}});
  CHECK(f.tx->next_timeout() == first_due);
  REQUIRE(f.packet().at(0).tsn == 1000);
  CHECK(f.tx->next_timeout() == f.now + f.tx->rto().current());
}

TEST_CASE(
    "one probe for each wait: an answered one does not let the next out, and none goes with data in flight",
    "[SCTP-DATA-13]") {
  TxFixture f;
  f.tx->set_peer_rwnd(0);
  f.send_full(6);
  CHECK(f.flush().empty());
  f.expire();
  CHECK(f.flush() == Tsns{1000});
  f.now += 50ms;
  f.sack(1000, {}, 0);
  CHECK(f.flush().empty());  // the next one waits for its time
  f.expire();                // it is due now, but before it is asked for the window opens
  f.sack(1000, {}, 2 * TxFixture::kFull);
  CHECK(f.flush() == Tsns{1001, 1002});
  CHECK(f.flush().empty());  // closed again, with data in flight: no probe
}

}  // namespace pollrtc::sctp::test
