// A message in pieces that is given up while whole messages wait before it in its stream's queue.
#include "support/catch.h"
#include "two_associations.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {

constexpr std::size_t kFirst = 3 * TxFixture::kFull;

SendOptions on(std::uint16_t stream) {
  SendOptions options;
  options.stream = stream;
  return options;
}

// A whole message of which some chunks may have been sent, and an open one behind it.
struct Fixture : TxFixture {
  explicit Fixture(Limits limits = {}, std::optional<std::uint16_t> priority = {}) : TxFixture(1000, limits) {
    SendOptions options = on(1);
    options.discard_priority = priority;
    REQUIRE(send(kFirst, options));
    REQUIRE(queue->push_piece(now, on(1), ByteVector(100, 1), false));
    REQUIRE(queue->push_piece(now, on(1), ByteVector(50, 1), false));
  }
  void give_up() { tx->abandon_open(now, StreamId{1}); }
};

}  // namespace

TEST_CASE("giving up a message in pieces leaves those before it alone", "[SCTP-PR-02]") {
  for (const std::size_t chunks_sent : std::initializer_list<std::size_t>{0, 1}) {
    Fixture f;
    f.queue->set_low_threshold(StreamId{1}, kFirst);
    Packet sent;
    if (chunks_sent != 0) sent = f.packet();
    REQUIRE(sent.size() == chunks_sent);
    const std::size_t unsent = kFirst - chunks_sent * TxFixture::kFull;
    f.give_up();
    CHECK(f.queue->open_message(StreamId{1}) == kNoMessage);
    CHECK(f.queue->buffered_amount(StreamId{1}) == unsent);
    CHECK(f.queue->buffered_total() == unsent);
    CHECK(f.queue->pop_low() == StreamId{1});
    CHECK(f.queue->messages().count() == 1);
    f.give_up();  // nothing is open any more
    CHECK(f.queue->buffered_total() == unsent);

    REQUIRE(f.send(7, on(1)));
    for (Packet p = f.packet(); !p.empty(); p = f.packet()) sent.insert(sent.end(), p.begin(), p.end());
    REQUIRE(sent.size() == 4);
    for (std::size_t i = 0; i < 3; ++i) CHECK((sent[i].ssn == 0 && sent[i].size == TxFixture::kFull));
    CHECK((sent[3].begin && sent[3].end && sent[3].ssn == 1 && sent[3].size == 7));
    CHECK_FALSE(f.forward());
    f.sack(1003);
    CHECK(f.queue->empty());
    CHECK(f.queue->messages().count() == 0);
  }
}

TEST_CASE("a message in pieces that is given up frees what it was charged", "[lim.sctp.tx_buffer]") {
  const std::size_t rest = 1000;
  Limits limits;
  limits.sctp_tx_buffer = static_cast<std::uint32_t>(kFirst + rest + 2 * TxQueue::kMessageOverhead);
  for (const std::size_t size : {rest, rest + 1}) {
    Fixture f(limits);
    f.give_up();
    CHECK(f.send(size, on(2)).has_value() == (size <= rest));
  }
}

TEST_CASE("after a message in pieces was given up, one before it may still be discarded", "[sctp]") {
  Limits limits;
  limits.sctp_tx_buffer_channel = kFirst + 200;
  Fixture f(limits, 5);
  f.give_up();
  REQUIRE(f.send(kFirst, on(1)));
  CHECK(f.queue->buffered_total() == kFirst);
  CHECK(f.queue->messages().count() == 1);
}

TEST_CASE("giving up the message in pieces at the end of a paused stream moves its end", "[SCTP-RST-01]") {
  Fixture f;
  REQUIRE(f.queue->pause(StreamId{1}));
  f.give_up();
  REQUIRE(f.send(7, on(1)));
  CHECK_FALSE(f.queue->is_drained(StreamId{1}));
  CHECK(f.flush() == Tsns{1000, 1001, 1002});
  CHECK(f.queue->is_drained(StreamId{1}));
  f.queue->resume(StreamId{1}, true);
  CHECK(f.flush() == Tsns{1003});
}

TEST_CASE("a message in pieces, however long it becomes, needs room for what is not acknowledged alone") {
  TxFixture f;
  const std::size_t piece = 3 * TxFixture::kFull;
  std::uint32_t tsn = 999;
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 5; ++j) REQUIRE(f.queue->push_piece(f.now, on(1), ByteVector(piece, 1), false));
    for (Packet p = f.packet(); !p.empty(); p = f.packet()) {
      tsn = p.back().tsn;
      f.sack(tsn);
    }
    CHECK(f.environment.bytes_in_use() < 20'000);  // pieces of 15 kB lie in 16 KiB
    f.now += 10ms;
  }
  CHECK(tsn >= 999 + 100 * 15);
}

TEST_CASE("with messages waiting, giving up, a reset and a shutdown lose only the one in pieces",
          "[SCTP-PR-02][SCTP-RST-01]") {
  enum class How { Abandon, Reset, Shutdown };
  for (const bool interleaving : {false, true}) {
    for (const How how : {How::Abandon, How::Reset, How::Shutdown}) {
      AssociationConfig config;
      config.interleaving = interleaving;
      TwoAssociations net({}, 1, {}, config);
      net.connect();
      Association &a = *net.a.association, &b = *net.b.association;
      for (const std::size_t size : {20000u, 300u}) {
        REQUIRE(a.send(net.now, {.stream = 1, .ppid = 53}, ByteVector(size, 1)));
      }
      REQUIRE(a.send_piece(net.now, {.stream = 1, .ppid = 53}, ByteVector(5000, 1), false));
      if (how == How::Abandon) a.abandon_piece(net.now, 1);
      if (how == How::Reset) REQUIRE(a.reset_stream(net.now, 1));
      if (how == How::Shutdown) a.shutdown(net.now);
      CHECK(a.buffered_total() == 20300);
      net.run_for(5s);
      REQUIRE(net.b.received.size() == 2);
      CHECK(net.b.received[0].second.size() == 20000);
      CHECK(net.b.received[1].second.size() == 300);
      CHECK(a.buffered_total() == 0);
      if (how == How::Shutdown) CHECK(a.state() == AssociationState::Closed);
      if (how == How::Shutdown) CHECK(b.state() == AssociationState::Closed);
    }
  }
}

}  // namespace pollrtc::sctp::test
