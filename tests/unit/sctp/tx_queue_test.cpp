#include "sctp/tx_queue.h"

#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {
struct Fixture {
  explicit Fixture(Limits limits = {}) {
    environment.env.limits = limits;
    queue.emplace(environment.env);
  }
  Status push(std::uint16_t stream, std::size_t size, bool unordered = false,
              std::optional<Duration> lifetime = {}) {
    SendOptions options;
    options.stream = stream;
    options.unordered = unordered;
    options.lifetime = lifetime;
    return queue->push(now, options, ByteVector(size, 1));
  }
  // Sends up to `most` bytes of what is next: its stream.
  int take(std::size_t most = 1000000) {
    const TxMessageId id = queue->current(now);
    if (id == kNoMessage) return -1;
    const TxMessage& message = queue->messages()[id];
    last = queue->take(std::min<std::size_t>(most, message.payload.size() - message.sent));
    last_ssn = static_cast<std::uint16_t>(message.number.value());
    const int stream = value_of(message.stream);
    queue->messages().free_if_unused(id);
    return stream;
  }
  TestEnvironment environment;
  std::optional<TxQueue> queue;
  Time now{};
  TxQueue::Fragment last;
  std::uint16_t last_ssn = 0;
};
}  // namespace

TEST_CASE("an empty message is refused", "[SCTP-DATA-01]") {
  Fixture f;
  CHECK(f.push(1, 0).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("streams take turns by whole messages") {
  Fixture f;
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 1, 1, 2, 2, 3})
    REQUIRE(f.push(stream, 100));
  CHECK(f.take(50) == 1);
  CHECK(f.last.begin);
  CHECK_FALSE(f.last.end);
  CHECK(f.take(50) == 1);  // the fragments of a message stay together
  CHECK(f.last.offset == 50);
  CHECK(f.last.end);
  std::vector<int> rest;
  for (int stream = f.take(); stream >= 0; stream = f.take()) rest.push_back(stream);
  CHECK(rest == std::vector<int>{2, 3, 1, 2, 1});
  CHECK(f.queue->empty());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("SSNs begin at 0, count ordered messages only, and wrap", "[SCTP-DATA-19][SCTP-DATA-08]") {
  Fixture f;
  for (const bool unordered : {false, true, false}) REQUIRE(f.push(1, 10, unordered));
  REQUIRE(f.push(2, 10));
  f.take();
  CHECK(f.last_ssn == 0);
  CHECK(f.take() == 2);
  CHECK(f.last_ssn == 0);
  f.take();
  f.take();
  CHECK(f.last_ssn == 1);
  f.queue->set_next_ssn(StreamId{1}, Ssn(65535));
  REQUIRE(f.push(1, 10));
  REQUIRE(f.push(1, 10));
  f.take();
  CHECK(f.last_ssn == 65535);
  f.take();
  CHECK(f.last_ssn == 0);
}

TEST_CASE("the buffered amount is what was handed in and not yet sent", "[INV-2]") {
  Fixture f;
  REQUIRE(f.push(1, 300));
  REQUIRE(f.push(1, 200));
  REQUIRE(f.push(2, 50));
  CHECK(f.queue->buffered_amount(StreamId{1}) == 500);
  CHECK(f.queue->buffered_total() == 550);
  f.take(100);
  CHECK(f.queue->buffered_amount(StreamId{1}) == 400);
  CHECK(f.queue->buffered_total() == 450);
  CHECK(f.queue->buffered_amount(StreamId{9}) == 0);
}

TEST_CASE("a stream's buffer has a limit, and so have all together", "[lim.sctp.tx_buffer]") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 1000;
  limits.sctp_tx_buffer = 2000;
  for (const std::size_t size : {399u, 400u, 401u}) {
    Fixture f(limits);
    REQUIRE(f.push(1, 600));
    const Status status = f.push(1, size);
    CHECK(status.has_value() == (size <= 400));
    if (!status) {
      CHECK(status.error() == ErrorCode::BufferFull);
      CHECK(f.queue->buffered_total() == 600);
    }
  }
  const std::size_t rest = 2000 - 900 - 2 * TxQueue::kMessageOverhead;
  for (const std::size_t size : {rest - 1, rest, rest + 1}) {
    Fixture f(limits);
    REQUIRE(f.push(1, 900));
    CHECK(f.push(2, size).has_value() == (size <= rest));
  }
}

TEST_CASE("sending makes room again") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 1000;
  Fixture f(limits);
  REQUIRE(f.push(1, 1000));
  CHECK_FALSE(f.push(1, 1));
  f.take(1);
  CHECK(f.push(1, 1));
  CHECK_FALSE(f.push(1, 1));
}

TEST_CASE("a stream is reported when it comes down to its threshold, once") {
  Fixture f;
  f.queue->set_low_threshold(StreamId{1}, 100);
  REQUIRE(f.push(1, 300));
  REQUIRE(f.push(2, 300));  // threshold 0
  f.take(199);
  CHECK_FALSE(f.queue->pop_low());
  f.take(1);
  CHECK(f.queue->pop_low() == StreamId{1});
  f.take(50);
  CHECK_FALSE(f.queue->pop_low());
  f.take();
  CHECK(f.take(299) == 2);
  CHECK_FALSE(f.queue->pop_low());
  f.take();
  CHECK(f.queue->pop_low() == StreamId{2});
  CHECK_FALSE(f.queue->pop_low());
}

TEST_CASE("a message that expires before it has a TSN vanishes, with its buffered amount", "[SCTP-PR-02]") {
  Fixture f;
  REQUIRE(f.push(1, 10, false, 100ms));
  REQUIRE(f.push(1, 20));
  REQUIRE(f.push(1, 30, false, 100ms));
  f.now += 99ms;
  CHECK(f.queue->current(f.now) != kNoMessage);
  f.now += 1ms;
  CHECK(f.take() == 1);
  CHECK(f.last.length == 20);
  CHECK(f.last_ssn == 0);  // the one that vanished took no number
  CHECK(f.take() == -1);
  CHECK(f.queue->buffered_amount(StreamId{1}) == 0);
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("expired messages make room for new ones, even when nothing can be sent", "[SCTP-PR-02]") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 1000;
  Fixture f(limits);
  REQUIRE(f.push(1, 1000, true, 100ms));
  f.now += 100ms;
  CHECK(f.push(1, 1000, true, 100ms));
}

TEST_CASE("to a peer without FORWARD TSN lifetimes mean nothing", "[SCTP-PR-13]") {
  Fixture f;
  f.queue->set_partial_reliability(false);
  REQUIRE(f.push(1, 10, false, 1ms));
  f.now += 1s;
  CHECK(f.take() == 1);
}

TEST_CASE("a paused stream sends what came before the pause; then it waits and begins at SSN 0",
          "[SCTP-RST-01]") {
  Fixture f;
  REQUIRE(f.push(1, 10));
  REQUIRE(f.push(1, 10));
  REQUIRE(f.queue->pause(StreamId{1}));
  REQUIRE(f.push(1, 10));
  REQUIRE(f.push(2, 10));
  CHECK_FALSE(f.queue->is_drained(StreamId{1}));
  CHECK(f.take() == 1);
  CHECK(f.take(5) == 2);
  CHECK(f.take() == 2);
  CHECK(f.take() == 1);
  CHECK(f.last_ssn == 1);
  CHECK(f.queue->is_drained(StreamId{1}));
  CHECK(f.take() == -1);
  f.queue->resume(StreamId{1}, true);
  CHECK(f.take() == 1);
  CHECK(f.last_ssn == 0);
}

TEST_CASE(
    "a stream that was never used waits as well while it is reset, and thousands of them cost a bit each",
    "[SCTP-RST-01]") {
  Fixture f;
  REQUIRE(f.push(9, 10));
  CHECK(f.take() == 9);
  const std::size_t before = f.environment.bytes_in_use();
  for (std::uint16_t i = 10; i < 60'010; ++i) REQUIRE(f.queue->pause(StreamId{i}));
  CHECK(f.environment.bytes_in_use() <= before + 65'536 / 8);
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{10, 60'009}) {
    CHECK(f.queue->is_drained(StreamId{stream}));
    REQUIRE(f.push(stream, 10));
    CHECK(f.take() == -1);
    f.queue->resume(StreamId{stream}, true);
    CHECK(f.take() == stream);
    CHECK(f.last_ssn == 0);
  }
  f.queue->resume(StreamId{11}, true);  // before anything was sent on it
  REQUIRE(f.push(11, 10));
  CHECK(f.take() == 11);
}

TEST_CASE("streams that were reset take no memory: one after the other, used and reset, however many",
          "[SCTP-RST-01]") {
  Fixture f;
  for (std::uint32_t round = 0; round < 3; ++round) {
    const std::size_t before = f.environment.bytes_in_use();
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      const StreamId stream{static_cast<std::uint16_t>(i)};
      REQUIRE(f.push(value_of(stream), 10));
      REQUIRE(f.take() == value_of(stream));
      REQUIRE(f.last_ssn == 0);
      if (i % 2 == 0) REQUIRE(f.queue->pop_low() == stream);
      REQUIRE(f.queue->pause(stream));
      f.queue->resume(stream, true);
      if (i % 2 == 1) REQUIRE(f.queue->pop_low() == stream);
    }
    CHECK(f.environment.bytes_in_use() <= before + 20'000);
  }
  // One that is given up, though it could not be reset.
  REQUIRE(f.push(1, 10));
  f.queue->forget(StreamId{1});
  CHECK(f.take() == 1);
  CHECK(f.queue->pop_low() == StreamId{1});
  CHECK(f.queue->buffered_amount(StreamId{1}) == 0);
}

TEST_CASE("a stream is not forgotten with what waited for its reset: its numbers go on from there",
          "[SCTP-RST-01]") {
  Fixture f;
  REQUIRE(f.push(1, 10));
  f.take();
  REQUIRE(f.queue->pause(StreamId{1}));
  REQUIRE(f.push(1, 10));
  f.queue->resume(StreamId{1}, true);
  for (std::uint16_t number = 0; number < 5; ++number) {
    CHECK(f.take() == 1);
    CHECK(f.last_ssn == number);
    while (f.queue->pop_low()) {
    }
    REQUIRE(f.push(1, 10));
  }
  // Nor is one that is used again before its last report of little buffered has been heard.
  f.take();
  REQUIRE(f.queue->pause(StreamId{1}));
  f.queue->resume(StreamId{1}, true);
  REQUIRE(f.push(1, 10));
  CHECK(f.queue->pop_low() == StreamId{1});
  CHECK(f.take() == 1);
  CHECK(f.last_ssn == 0);
  REQUIRE(f.push(1, 10));
  CHECK(f.take() == 1);
  CHECK(f.last_ssn == 1);
}

TEST_CASE("a refused reset goes on with the old numbers", "[SCTP-RST-12]") {
  Fixture f;
  REQUIRE(f.push(1, 10));
  f.take();
  REQUIRE(f.queue->pause(StreamId{1}));
  CHECK(f.queue->is_drained(StreamId{1}));
  REQUIRE(f.push(1, 10));
  CHECK(f.take() == -1);
  f.queue->resume(StreamId{1}, false);
  CHECK(f.take() == 1);
  CHECK(f.last_ssn == 1);
}

TEST_CASE("without memory a message is refused and nothing has changed") {
  for (std::size_t successes = 0; successes < 6; ++successes) {
    Fixture f;
    f.environment.fail_allocations_after(successes);
    const Status status = f.push(1, 10);
    if (!status) CHECK(status.error() == ErrorCode::OutOfMemory);
    CHECK(f.queue->buffered_total() == (status ? 10u : 0u));
    f.environment.fail_allocations_after(100);
    REQUIRE(f.push(1, 10));
    CHECK(f.take() == 1);
  }
}

}  // namespace pollrtc::sctp
