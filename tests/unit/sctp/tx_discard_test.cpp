// The priority policy (RFC 7496 §3.2): a full buffer gives up what waits with a lower priority.
#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {

struct Fixture : TxFixture {
  explicit Fixture(std::uint32_t stream_limit, std::uint32_t total_limit = 1 << 30)
      : TxFixture(1000, limits_of(stream_limit, total_limit)) {}
  static Limits limits_of(std::uint32_t stream_limit, std::uint32_t total_limit) {
    Limits limits;
    limits.sctp_tx_buffer_channel = stream_limit;
    limits.sctp_tx_buffer = total_limit;
    return limits;
  }
  // The size tells messages apart.
  bool push(std::size_t size, std::optional<std::uint16_t> priority, std::uint16_t stream = 1) {
    SendOptions options;
    options.stream = stream;
    options.discard_priority = priority;
    const Status status = send(size, options);
    if (!status) CHECK(status.error() == ErrorCode::BufferFull);
    return status.has_value();
  }
  std::vector<std::size_t> all() {
    std::vector<std::size_t> sizes;
    for (Packet p = packet(); !p.empty(); p = packet())
      for (const SentChunk& c : p) sizes.push_back(c.size);
    return sizes;
  }
};
using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("the lowest priority goes first, of one priority the last handed in", "[sctp]") {
  Fixture f(400);
  REQUIRE(f.push(101, 5));
  REQUIRE(f.push(102, 9));
  REQUIRE(f.push(98, 9));
  REQUIRE(f.push(99, 1));
  REQUIRE(f.push(90, 3));  // for the 98
  REQUIRE(f.push(91, 3));  // for the 102
  CHECK(f.queue->buffered_amount(StreamId{1}) == 101 + 99 + 90 + 91);
  CHECK(f.all() == Sizes{101, 99, 90, 91});
}

TEST_CASE("nothing of the same or a higher priority goes, and nothing at all when it would not be enough",
          "[sctp]") {
  Fixture f(300);
  REQUIRE(f.push(100, 5));
  REQUIRE(f.push(101, 6));
  REQUIRE(f.push(99, std::nullopt));  // reliable: above all
  CHECK_FALSE(f.push(50, 6));
  CHECK_FALSE(f.push(50, 7));
  CHECK_FALSE(f.push(150, 5));  // 101 would not do
  CHECK_FALSE(f.push(202, 0));
  CHECK(f.queue->buffered_amount(StreamId{1}) == 300);
  REQUIRE(f.push(201, 0));
  CHECK(f.all() == Sizes{99, 201});
}

TEST_CASE("a message without a priority may displace those that have one, never the other way round",
          "[sctp]") {
  Fixture f(200);
  REQUIRE(f.push(100, 0));
  REQUIRE(f.push(100, std::nullopt));
  REQUIRE(f.push(99, std::nullopt));
  CHECK_FALSE(f.push(100, 0));
  CHECK(f.all() == Sizes{100, 99});
}

TEST_CASE("when all streams together are full, any of them gives way; when one is, only its own", "[sctp]") {
  {
    const std::size_t overhead = TxQueue::kMessageOverhead;
    Fixture f(1000, static_cast<std::uint32_t>(300 + 3 * overhead));
    REQUIRE(f.push(100, 5, 1));
    REQUIRE(f.push(101, 6, 2));
    REQUIRE(f.push(99, 7, 3));
    REQUIRE(f.push(98, 1, 4));
    CHECK(f.queue->buffered_amount(StreamId{3}) == 0);
    CHECK(f.queue->buffered_amount(StreamId{2}) == 101);
  }
  Fixture f(200);
  REQUIRE(f.push(200, 5, 1));
  REQUIRE(f.push(200, 9, 2));
  REQUIRE(f.push(150, 1, 1));
  CHECK(f.queue->buffered_amount(StreamId{2}) == 200);
}

TEST_CASE("what has a TSN is not given up for room", "[sctp]") {
  Fixture f(3 * TxFixture::kFull);
  REQUIRE(f.push(3 * TxFixture::kFull, 9));
  REQUIRE(f.packet().size() == 1);
  CHECK_FALSE(f.push(2 * TxFixture::kFull, 0));
  REQUIRE(f.push(TxFixture::kFull, 0));
  CHECK(f.all().size() == 3);
  CHECK_FALSE(f.forward());
}

TEST_CASE("giving up at the end of a paused stream moves its end", "[SCTP-RST-01]") {
  Fixture f(300);
  REQUIRE(f.push(100, std::nullopt));
  REQUIRE(f.push(101, 9));
  REQUIRE(f.queue->pause(StreamId{1}));
  REQUIRE(f.push(99, 8));
  REQUIRE(f.push(98, 1));  // for the 101, the last before the pause
  CHECK(f.all() == Sizes{100});
  CHECK(f.queue->is_drained(StreamId{1}));
  f.queue->resume(StreamId{1}, true);
  CHECK(f.all() == Sizes{99, 98});
}

TEST_CASE("a stream that is told it has room again reports it", "[sctp]") {
  Fixture f(300);
  f.queue->set_low_threshold(StreamId{1}, 150);
  REQUIRE(f.push(300, 9));
  REQUIRE(f.push(100, 1));
  CHECK(f.queue->pop_low() == StreamId{1});
  CHECK(f.queue->messages().count() == 1);
}

TEST_CASE("a message that is given up for its age does not hide those that may be discarded", "[sctp]") {
  Fixture f(1 << 20, 5000 + 3 * TxQueue::kMessageOverhead);
  SendOptions mortal;
  mortal.stream = 2;
  mortal.lifetime = 10ms;
  REQUIRE(f.send(3000, mortal));
  REQUIRE(f.packet().size() == 1);  // begun
  REQUIRE(f.push(2000, 9));
  f.now += 1s;
  f.sack(1000, {}, 0);
  CHECK(f.packet().empty());  // it has expired, and the peer has no room for the other
  REQUIRE(f.queue->buffered_amount(StreamId{2}) == 0);
  CHECK(f.push(4500, 1));
  CHECK(f.queue->buffered_amount(StreamId{1}) == 4500);
}

}  // namespace pollrtc::sctp::test
