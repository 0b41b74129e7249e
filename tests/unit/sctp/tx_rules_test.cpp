// Clauses of the sending rules that need a story of their own.
#include "support/catch.h"
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

TEST_CASE("the fragments of a message have TSNs in a row, though other streams wait", "[SCTP-DATA-21]") {
  TxFixture f;
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 2})
    REQUIRE(f.send(3 * TxFixture::kFull, {.stream = stream}));
  std::vector<std::uint16_t> order;
  for (Packet packet = f.packet(); !packet.empty(); packet = f.packet())
    for (const SentChunk& chunk : packet) {
      CHECK(chunk.begin == (order.size() % 3 == 0));
      CHECK(chunk.end == (order.size() % 3 == 2));
      order.push_back(chunk.stream);
    }
  CHECK(order == std::vector<std::uint16_t>{1, 1, 1, 2, 2, 2});
}

TEST_CASE("full chunks leave until cwnd is reached, not beyond", "[SCTP-CC-06]") {
  TxFixture f;
  f.send_full(12);
  CHECK(f.flush().size() == 10);
  CHECK(f.tx->flight_bytes() == f.tx->cwnd());
  for (int i = 0; i < 5; ++i) {
    f.now += 1ms;
    CHECK(f.flush().empty());
  }
}

TEST_CASE("what is sent again fills cwnd and no more, though the packet has room", "[SCTP-CC-07]") {
  TxFixture f;
  for (int i = 0; i < 24; ++i) REQUIRE(f.send(300));  // three to a packet
  f.flush();
  f.expire();
  REQUIRE(f.tx->cwnd() == kP);
  CHECK(f.flush() == Tsns{1000, 1001, 1002});
  f.sack(1000);  // the window was not full, so it does not grow
  REQUIRE(f.tx->cwnd() == kP);
  CHECK(f.flush() == Tsns{1003, 1004});
  CHECK(f.tx->flight_bytes() >= kP);
}

TEST_CASE("after T3 nothing follows the first packet, however small it was", "[SCTP-CC-02]") {
  TxFixture f;
  REQUIRE(f.send(100));
  CHECK(f.flush() == Tsns{1000});
  f.send_full(3);
  CHECK(f.flush() == Tsns{1001, 1002, 1003});
  f.expire();
  CHECK(f.flush() == Tsns{1000});
  CHECK(f.tx->flight_bytes() < f.tx->cwnd());
  f.now += 100ms;
  CHECK(f.flush().empty());
  f.sack(1000);
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("upside-down gap blocks are none, wherever they point", "[SCTP-SACK-03]") {
  TxFixture f;
  f.send_full(4);
  f.flush();
  CHECK(f.sack(999, {{60000, 50000}, {9, 5}}) == SackResult::Nothing);
  CHECK(f.tx->flight_bytes() == 4 * kP);
}

TEST_CASE("what is reneged on is looked at again, though the count of misses had gone past it",
          "[SCTP-SACK-04]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(999, {{2, end}});
  REQUIRE(f.packet().at(0).tsn == 1000);
  f.sack(999, {{3, 5}});  // 1001 is gone again: a miss for that, and one for 1004
  f.sack(999, {{3, 8}});
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("after a renege too, no TSN is fast retransmitted twice", "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t end = 4; end <= 6; ++end) f.sack(999, {{2, 2}, {4, end}});
  CHECK(f.flush() == Tsns{1000, 1002});
  f.sack(999, {{4, 8}});  // 1001 is reneged on, below 1002: a miss for that, and one for what is new
  f.sack(999, {{4, 9}});
  f.sack(999, {{4, 10}});
  CHECK(f.flush() == Tsns{1001});  // the other two wait for T3
  CHECK(f.tx->retransmissions() == 3);
}

TEST_CASE("one packet of a loss leaves at once, the rest as cwnd allows", "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(30);
  f.flush();
  for (std::uint16_t end = 3; end <= 5; ++end) {  // 1000 and 1001 are lost
    f.flush();
    f.sack(999, {{3, end}});
  }
  REQUIRE(f.tx->in_fast_recovery());
  REQUIRE(f.tx->flight_bytes() >= f.tx->cwnd());
  CHECK(f.packet().at(0).tsn == 1000);
  CHECK(f.packet().empty());
  CHECK(f.sack(999, {{3, 10}}) == SackResult::Progress);
  CHECK(f.packet().at(0).tsn == 1001);
}

TEST_CASE("what T3 has sent again needs three misses anew", "[SCTP-SACK-06]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  f.sack(999, {{2, 2}});
  f.sack(999, {{2, 3}});
  f.expire();
  CHECK(f.flush() == Tsns{1000});
  const std::uint64_t before = f.tx->retransmissions();
  f.sack(999, {{2, 4}});  // it was not lost after all: the first miss of the new one
  CHECK_FALSE(f.tx->in_fast_recovery());
  for (const std::uint32_t tsn : f.flush()) CHECK(tsn != 1000);
  CHECK(f.tx->retransmissions() >= before);
}

TEST_CASE("a gap block of before does not make misses of what lies below it", "[SCTP-SACK-07]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  f.sack(999, {{6, 6}});  // 1000 to 1004: one miss
  f.sack(999, {{3, 3}, {6, 6}});
  f.sack(999, {{3, 4}, {6, 6}});  // 1000, 1001: the third; 1004 lies above what is new
  f.flush();
  CHECK(f.sack(999, {{3, 4}, {6, 10}}) == SackResult::Progress);
  CHECK(f.tx->retransmissions() == 1);
  CHECK(f.flush() == Tsns{1001});
}

TEST_CASE("in Fast Recovery too, while the cumulative TSN stands still, only what lies below the new counts",
          "[SCTP-SACK-07]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(999, {{2, end}});
  REQUIRE(f.flush() == Tsns{1000});
  f.sack(999, {{2, 4}, {8, 8}});  // 1004 to 1006: one miss
  f.sack(999, {{2, 5}, {8, 8}});  // none: what is new lies below
  f.sack(999, {{2, 6}, {8, 8}});
  f.sack(999, {{2, 6}, {8, 9}});  // 1006: two
  CHECK(f.flush().empty());
  f.sack(999, {{2, 6}, {8, 10}});  // three
  CHECK(f.flush() == Tsns{1006});
}

TEST_CASE("what was only gap-acknowledged is still there, byte for byte", "[SCTP-SACK-11][SCTP-SACK-04]") {
  TxFixture f;
  f.send_full(3);
  f.flush();
  f.sack(999, {{2, 3}});
  f.sack(999);  // the peer has thrown it away
  f.expire();
  f.sack(1000);
  std::vector<std::uint8_t> bytes(1000);
  ByteWriter out(bytes);
  REQUIRE(f.tx->write_data(f.now, out) == 1);
  ChunkView view;
  ChunkWalker walker(out.written());
  REQUIRE(walker.next(view) == Walk::Item);
  const auto data = parse_data(view);
  REQUIRE(data);
  CHECK(data->tsn == Tsn(1001));
  CHECK(to_vector(data->payload) ==
        ByteVector(TxFixture::kFull, static_cast<std::uint8_t>(TxFixture::kFull)));
}

TEST_CASE("T3 starts anew when the cumulative TSN moves, and goes on when a later chunk is sent again",
          "[SCTP-RTO-02]") {
  TxFixture f;
  f.send_full(10);
  f.flush();
  f.now += 10ms;
  f.sack(1000);  // a measurement
  const Duration rto = f.tx->rto().current();
  f.now += 130ms;
  f.sack(1001);  // no measurement, and yet
  CHECK(f.tx->next_timeout() == f.now + rto);

  TxFixture g;
  g.send_full(10);
  g.flush();
  for (std::uint16_t end = 3; end <= 5; ++end) g.sack(999, {{3, end}});  // 1000 and 1001 are lost
  REQUIRE(g.packet().at(0).tsn == 1000);
  const Time due = g.tx->next_timeout();
  g.now += 100ms;
  g.sack(999, {{3, 9}});
  REQUIRE(g.packet().at(0).tsn == 1001);
  CHECK(g.tx->next_timeout() == due);
}

TEST_CASE("what was given up earns no window when a SACK passes it", "[SCTP-PR-08]") {
  TxFixture f;
  f.send_full(1, {.unordered = true, .max_retransmits = 0});
  f.send_full(9);
  f.flush();
  f.expire();
  REQUIRE(f.tx->cwnd() == kP);
  CHECK(f.flush() == Tsns{1001});  // the window is full
  REQUIRE(f.forward());
  CHECK(f.sack(1000) == SackResult::Progress);
  CHECK(f.tx->cwnd() == kP);
}

TEST_CASE("a message is given up at its limit by fast retransmission as by T3", "[SCTP-PR-12]") {
  TxFixture f;
  f.send_full(6, {.max_retransmits = 0});
  f.flush();
  for (std::uint16_t end = 2; end <= 4; ++end) f.sack(999, {{2, end}});
  REQUIRE(f.forward());
  CHECK(f.flush().empty());
  CHECK(f.tx->retransmissions() == 0);
}

TEST_CASE("FORWARD TSN waits no longer than 200 ms, however long the path is, and T3 runs until it is heard",
          "[SCTP-PR-09][INV-14]") {
  TxFixture f;
  f.measure(1s);
  f.send_full(1, {.unordered = true, .max_retransmits = 0});
  f.flush();
  f.expire();
  REQUIRE(f.forward());
  f.now += 100ms;
  f.sack(1000);
  CHECK_FALSE(f.forward());
  CHECK(f.tx->next_timeout() != kNever);
  f.now += 100ms;
  f.sack(1000);
  CHECK(f.forward()->tsn == 1001);
  // A message in pieces that is given up while all of it is acknowledged: the same.
  TxFixture g;
  REQUIRE(g.queue->push_piece(g.now, {}, ByteVector(100, 1), false));
  g.flush();
  g.sack(1000);
  REQUIRE(g.tx->next_timeout() == kNever);
  g.tx->abandon_open(g.now, StreamId{0});
  CHECK(g.tx->next_timeout() != kNever);
  CHECK(g.forward()->tsn == 1001);
}

}  // namespace pollrtc::sctp::test
