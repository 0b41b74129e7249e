// RFC 8260 §3: who sends when. The queue is always full here, so what is taken is the scheduler's choice.
#include "sctp/stream_scheduler.h"

#include <map>

#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {

struct Fixture {
  explicit Fixture(bool interleaving, SchedulerPolicy policy = SchedulerPolicy::WeightedFair) {
    environment.env.limits.sctp_tx_buffer_channel = environment.env.limits.sctp_tx_buffer = 256 * 1024 * 1024;
    queue.emplace(environment.env, policy);
    queue->set_interleaving(interleaving);
  }
  void push(std::uint16_t stream, std::size_t size, int count = 1) {
    SendOptions options;
    options.stream = stream;
    for (int i = 0; i < count; ++i) REQUIRE(queue->push({}, options, ByteVector(size, 1)));
  }
  void weigh(std::uint16_t stream, std::uint16_t weight) { queue->set_weight(StreamId{stream}, weight); }
  // One chunk of at most `most` bytes; its stream, or -1.
  int take(std::size_t most = 1160) {
    const TxMessageId id = queue->current({});
    if (id == kNoMessage) return -1;
    const TxMessage& message = queue->messages()[id];
    const int stream = value_of(message.stream);
    const std::size_t length = std::min<std::size_t>(most, message.unsent());
    queue->take(length);
    queue->messages().free_if_unused(id);
    bytes[stream] += length;
    return stream;
  }
  void take_bytes(std::size_t total) {
    for (std::size_t done = 0; done < total;) {
      const std::map<int, std::size_t> before = bytes;
      const int stream = take();
      REQUIRE(stream >= 0);
      done += bytes[stream] - (before.count(stream) != 0 ? before.at(stream) : 0);
    }
  }
  double ratio(int a, int b) { return static_cast<double>(bytes[a]) / static_cast<double>(bytes[b]); }

  TestEnvironment environment;
  std::optional<TxQueue> queue;
  std::map<int, std::size_t> bytes;
};

}  // namespace

TEST_CASE("weights 2 to 1 give bytes 2 to 1, with I-DATA and without, whatever the sizes of the messages",
          "[SCTP-ID-08][DCEP-24]") {
  for (const bool interleaving : {false, true}) {
    for (const auto& [size_a, size_b] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
             {1000, 1000}, {100, 20000}, {20000, 100}, {64 * 1024, 64 * 1024}, {10, 1500}}) {
      Fixture f(interleaving);
      f.weigh(1, 512);
      f.weigh(2, 256);
      const std::size_t total = 3 * 1000 * 1000;
      f.push(1, size_a, static_cast<int>(total / size_a));
      f.push(2, size_b, static_cast<int>(total / size_b));
      f.take_bytes(2 * 1000 * 1000);
      INFO("I-DATA " << interleaving << ", sizes " << size_a << " and " << size_b);
      CHECK(f.ratio(1, 2) > 1.8);
      CHECK(f.ratio(1, 2) < 2.2);
    }
  }
}

TEST_CASE("the four priorities of data channels share as 1 to 2 to 4 to 8", "[SCTP-ID-08][DCEP-24]") {
  for (const bool interleaving : {false, true}) {
    Fixture f(interleaving);
    for (std::uint16_t i = 0; i < 4; ++i) {
      f.weigh(i, static_cast<std::uint16_t>(128 << i));
      f.push(i, 2000, 1000);
    }
    f.take_bytes(2000 * 1000);
    for (int i = 1; i < 4; ++i) {
      CHECK(f.ratio(i, i - 1) > 1.8);
      CHECK(f.ratio(i, i - 1) < 2.2);
    }
  }
}

TEST_CASE("any 16 bits are a weight", "[DCEP-24]") {
  Fixture f(true);
  f.weigh(1, 65535);
  f.weigh(2, 0);  // as 1
  f.push(1, 1000, 200);
  f.push(2, 1000, 200);
  f.take_bytes(150 * 1000);
  CHECK(f.bytes[2] == 1000);
  f.take_bytes(250 * 1000);
  CHECK(f.bytes[2] == 200 * 1000);
}

TEST_CASE("without I-DATA a small message waits for one large one at most", "[DCEP-27]") {
  for (const SchedulerPolicy policy :
       {SchedulerPolicy::RoundRobin, SchedulerPolicy::WeightedFair, SchedulerPolicy::Priority}) {
    Fixture f(false, policy);
    f.weigh(1, 128);
    f.push(1, 100000, 5);
    CHECK(f.take() == 1);
    f.push(2, 10, 3);
    while (f.bytes[1] < 100000) REQUIRE(f.take() == 1);
    CHECK(f.take() == 2);
    CHECK(f.bytes[1] == 100000);
  }
}

TEST_CASE("with I-DATA a small message waits for one chunk at most", "[SCTP-ID-06][SCTP-ID-08]") {
  for (const SchedulerPolicy policy :
       {SchedulerPolicy::RoundRobin, SchedulerPolicy::WeightedFair, SchedulerPolicy::Priority}) {
    Fixture f(true, policy);
    f.weigh(1, 128);
    f.push(1, 100000, 5);
    for (int i = 0; i < 10; ++i) CHECK(f.take() == 1);
    f.push(2, 10, 1);
    const int first = f.take(), second = f.take();
    CHECK((first == 2 || second == 2));
  }
}

TEST_CASE("messages under way together keep to half of what the peer can hold, and all of them are sent",
          "[SCTP-ID-06]") {
  Fixture f(true);
  f.queue->set_peer_window(10000);
  for (std::uint16_t stream = 1; stream <= 20; ++stream) {
    f.push(stream, 2400);
    f.push(stream, 2400);
  }
  f.push(21, 7000);  // larger than the half: alone
  f.push(22, 400, 5);
  std::map<int, std::size_t> sent;
  std::size_t small = 0, chunks = 0;
  for (int stream = f.take(); stream >= 0; stream = f.take(), ++chunks) {
    sent[stream] = f.bytes[stream];
    std::size_t under_way = 0, open = 0;
    for (const auto& [of, bytes] : sent) {
      const std::size_t size = of == 21 ? 7000 : of == 22 ? 400 : 2400;
      if (bytes % size != 0) under_way += size, ++open;
    }
    CHECK((open <= 1 || under_way <= 5000));
    if (stream == 22 && chunks < 40) ++small;
  }
  CHECK(small == 5);  // these do not wait
  for (int stream = 1; stream <= 20; ++stream) CHECK(sent[stream] == 4800);
  CHECK(sent[21] == 7000);
  CHECK(f.queue->empty());
}

TEST_CASE("a stream that was idle cannot save up a share, nor is it made to wait", "[SCTP-ID-08]") {
  for (const bool interleaving : {false, true}) {
    Fixture f(interleaving);
    f.push(1, 1000, 1000);
    f.push(2, 1000, 1);
    f.take_bytes(500 * 1000);
    f.bytes.clear();
    f.push(2, 1000, 1000);
    f.take_bytes(100 * 1000);
    CHECK(f.ratio(1, 2) > 0.9);
    CHECK(f.ratio(1, 2) < 1.1);
  }
}

TEST_CASE("round robin takes streams in turn by messages, with I-DATA by chunks", "[SCTP-ID-08]") {
  for (const bool interleaving : {false, true}) {
    Fixture f(interleaving, SchedulerPolicy::RoundRobin);
    f.weigh(1, 1024);
    f.push(1, 2320, 2);
    f.push(2, 10, 2);
    f.push(3, 1160, 2);
    std::vector<int> turns;
    for (int stream = f.take(); stream >= 0; stream = f.take()) turns.push_back(stream);
    CHECK(turns == (interleaving ? std::vector<int>{1, 2, 3, 1, 2, 3, 1, 1}
                                 : std::vector<int>{1, 1, 2, 3, 1, 1, 2, 3}));
  }
}

TEST_CASE("strict priority serves the highest weight first, equal ones in turn", "[SCTP-ID-08]") {
  Fixture f(true, SchedulerPolicy::Priority);
  f.weigh(1, 128);
  f.weigh(2, 512);
  f.weigh(3, 512);
  f.push(1, 3000);
  CHECK(f.take() == 1);
  f.push(2, 2000);
  f.push(3, 2000);
  std::vector<int> turns;
  for (int stream = f.take(); stream >= 0; stream = f.take()) turns.push_back(stream);
  CHECK(turns == std::vector<int>{2, 3, 2, 3, 1, 1});
}

}  // namespace pollrtc::sctp::test
