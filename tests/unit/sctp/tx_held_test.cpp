// With I-DATA the messages under way together keep to half the peer's window; those that are held until there is room go on
// whatever becomes of the others.
#include <array>
#include <random>

#include "sctp/tx_queue.h"

#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kWindow = 128 * 1024, kChunk = 1000;

struct Fixture {
  explicit Fixture(std::uint32_t buffer = 1 << 30) {
    environment.env.limits.sctp_tx_buffer = environment.env.limits.sctp_tx_buffer_channel = buffer;
    queue.emplace(environment.env);
    queue->set_interleaving(true);
    queue->set_peer_window(kWindow);
  }
  bool push(std::uint16_t stream, std::size_t size, SendOptions options = {}) {
    options.stream = stream;
    return queue->push(now, options, ByteVector(size, 1)).has_value();
  }
  // One chunk: its stream, 0 when there is none.
  int take() {
    const TxMessageId id = queue->current(now);
    if (id == kNoMessage) return 0;
    const TxMessage& message = queue->messages()[id];
    const int stream = value_of(message.stream);
    sent[static_cast<std::size_t>(stream)] += std::min<std::size_t>(message.unsent(), kChunk);
    queue->take(std::min<std::size_t>(message.unsent(), kChunk));
    queue->messages().free_if_unused(id);
    return stream;
  }
  void take_all() {
    while (take() != 0) {
    }
  }
  TestEnvironment environment;
  std::optional<TxQueue> queue;
  Time now{};
  std::array<std::size_t, 10> sent{};
};

}  // namespace

TEST_CASE("a message that would go beyond half the window waits until another one ends", "[sctp]") {
  for (const std::size_t size : {kWindow / 2 - 60000, kWindow / 2 - 60000 + 1}) {
    Fixture f;
    REQUIRE(f.push(1, 60000));
    REQUIRE(f.push(2, size));
    for (int i = 0; i < 10; ++i) CHECK(f.take() != 0);
    CHECK((f.sent[2] == 0) == (size > kWindow / 2 - 60000));
    f.take_all();
    CHECK(f.sent[1] == 60000);
    CHECK(f.sent[2] == size);
  }
}

TEST_CASE("a large message goes on though smaller ones of other streams never end", "[SCTP-ID-08]") {
  Fixture f;
  const auto refill = [&](std::uint16_t stream) {
    while (f.queue->buffered_amount(StreamId{stream}) < 40000) REQUIRE(f.push(stream, 20000));
  };
  REQUIRE(f.push(1, 60000));
  REQUIRE(f.take() == 1);
  REQUIRE(f.push(5, 40000));
  for (int chunks = 0; f.sent[5] < 40000; ++chunks) {
    REQUIRE(chunks < 1000);
    for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{2, 3, 4}) refill(stream);
    REQUIRE(f.take() != 0);
  }
}

TEST_CASE("a held message goes on when the one before it expires", "[SCTP-PR-02]") {
  Fixture f;
  REQUIRE(f.push(1, 60000));
  REQUIRE(f.take() == 1);
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{2, 3})
    REQUIRE(f.push(stream, 30000, {.lifetime = 100ms}));
  REQUIRE(f.push(4, 30000));
  REQUIRE(f.take() == 1);
  f.now += 100ms;
  f.take_all();
  CHECK(f.sent[1] == 60000);
  CHECK(f.sent[2] + f.sent[3] == 0);
  CHECK(f.sent[4] == 30000);
  CHECK(f.queue->empty());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("a held message goes on when the one before it is discarded, before or after its turn has come",
          "[sctp]") {
  const std::uint32_t overhead = TxQueue::kMessageOverhead;
  for (const std::size_t left : std::initializer_list<std::size_t>{1000, 0}) {
    Fixture f(120000 + 4 * overhead);
    REQUIRE(f.push(1, 60000));
    REQUIRE(f.take() == 1);
    REQUIRE(f.push(2, 30000, {.discard_priority = 5}));
    REQUIRE(f.push(3, 30000));
    while (f.sent[1] < 60000 - left) REQUIRE(f.take() == 1);
    const std::size_t more = 60000 - left + (left == 0 ? overhead : 0) + 1;  // one byte too much
    REQUIRE(f.push(3, more));
    CHECK(f.queue->buffered_amount(StreamId{2}) == 0);
    f.take_all();
    CHECK(f.sent[1] == 60000);
    CHECK(f.sent[3] == 30000 + more);
    CHECK(f.queue->empty());
  }
}

TEST_CASE("a held message need not wait for the end of one in pieces when the one before it vanishes",
          "[SCTP-PR-02]") {
  Fixture f;
  SendOptions options;
  options.stream = 4;
  const auto feed = [&] { REQUIRE(f.queue->push_piece(f.now, options, ByteVector(kChunk, 1), false)); };
  feed();
  REQUIRE(f.take() == 4);
  REQUIRE(f.push(1, 60000));
  REQUIRE(f.take() == 1);
  REQUIRE(f.push(2, 30000, {.lifetime = 100ms}));
  REQUIRE(f.push(3, 30000));
  REQUIRE(f.take() == 1);
  f.now += 100ms;
  for (int i = 0; i < 200; ++i) {
    feed();
    REQUIRE(f.take() != 0);
  }
  CHECK(f.sent[1] == 60000);
  CHECK(f.sent[3] == 30000);
}

TEST_CASE("a held message goes on when one in pieces of a single chunk takes the place that was given up",
          "[SCTP-PR-02]") {
  Fixture f;
  REQUIRE(f.push(1, 60000));
  REQUIRE(f.take() == 1);
  REQUIRE(f.push(2, 30000, {.lifetime = 100ms}));
  SendOptions options;
  options.stream = 2;
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(10, 1), true));
  REQUIRE(f.push(3, 30000));
  REQUIRE(f.take() == 1);
  f.now += 100ms;
  f.take_all();
  CHECK(f.sent[2] == 10);
  CHECK(f.sent[3] == 30000);
}

TEST_CASE(
    "whatever is sent, expires, is discarded or given up: while bytes wait there is one whose turn it is",
    "[sctp]") {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    Fixture f(200000);
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    for (int step = 0; step < 2000; ++step) {
      SendOptions options;
      options.stream = static_cast<std::uint16_t>(1 + below(8));
      const std::size_t size = below(2) == 0 ? 1 + below(2000) : 20000 + below(40000);
      switch (below(8)) {
        case 0:
          f.push(options.stream, size, {.lifetime = 1ms * below(20)});
          break;
        case 1:
          f.push(options.stream, size, {.discard_priority = static_cast<std::uint16_t>(below(3))});
          break;
        case 2:
          f.push(options.stream, size);
          break;
        case 3:
          static_cast<void>(f.queue->push_piece(f.now, options, ByteVector(1 + size / 8, 1), below(2) == 0));
          break;
        case 4:
          if (const TxMessageId id = f.queue->open_message(StreamId{options.stream}); id != kNoMessage) {
            f.queue->abandon(id);
            f.queue->messages().free_if_unused(id);
          }
          break;
        case 5:
          f.now += 1ms;
          break;
        default:
          for (std::uint32_t count = below(100); count != 0; --count) f.take();
      }
      if (f.queue->current(f.now) == kNoMessage && !f.queue->empty())
        FAIL("seed " << seed << ", step " << step);
    }
    f.take_all();
    REQUIRE(f.queue->empty());
  }
}

}  // namespace pollrtc::sctp
