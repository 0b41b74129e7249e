// The messages that wait for their turn: in order, whatever the order they came in, and whatever was taken out. And what is
// known of each stream.
#include "sctp/rx_waiting.h"

#include <algorithm>
#include <map>
#include <vector>

#include "sctp/stream_table.h"
#include "sim/random.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;

namespace {

struct Entry {
  std::uint16_t stream;
  bool unordered;
  std::uint32_t number;
  auto operator<=>(const Entry&) const = default;
};

Entry entry_of(const WaitingMessage& message) {
  return {value_of(message.stream), message.unordered, message.number.value()};
}

}  // namespace

TEST_CASE("waiting messages lie in the order of stream, kind and number, like a sorted list of them",
          "[SCTP-DATA-06][SCTP-DATA-07]") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    TestEnvironment environment;
    {
      sim::Random random(seed);
      WaitingMessages waiting(environment.env.memory);
      std::vector<Entry> model;
      const std::uint64_t streams = 1 + random.below(4);
      const bool grows = seed % 2 == 0;
      for (int i = 0; i < 3000; ++i) {
        const Entry entry{static_cast<std::uint16_t>(random.below(streams)), random.chance(0.3),
                          static_cast<std::uint32_t>(random.below(500))};
        const auto place = std::lower_bound(model.begin(), model.end(), entry);
        switch (random.below(grows ? 8 : 4)) {
          case 0: {
            const auto first =
                std::lower_bound(model.begin(), model.end(), Entry{entry.stream, entry.unordered, 0});
            const bool has =
                first != model.end() && first->stream == entry.stream && first->unordered == entry.unordered;
            const WaitingMessage* const found = waiting.first(StreamId{entry.stream}, entry.unordered);
            REQUIRE((found != nullptr) == has);
            if (!has) break;
            REQUIRE(entry_of(*found) == *first);
            waiting.remove_first(StreamId{entry.stream}, entry.unordered);
            model.erase(first);
            break;
          }
          case 1:
            if (model.empty()) break;
            REQUIRE(entry_of(waiting.last()) == model.back());
            waiting.remove_last();
            model.pop_back();
            break;
          default: {
            const bool is_taken = place != model.end() && *place == entry;
            const auto added = waiting.add(
                {StreamId{entry.stream}, entry.unordered, Mid(entry.number), static_cast<std::uint32_t>(i)});
            REQUIRE(added == (is_taken ? WaitingMessages::Added::Taken : WaitingMessages::Added::Done));
            if (!is_taken) model.insert(place, entry);
          }
        }
        REQUIRE(waiting.empty() == model.empty());
      }
      std::vector<Entry> all;
      waiting.for_each([&](const WaitingMessage& message) { all.push_back(entry_of(message)); });
      REQUIRE(all == model);
    }
    REQUIRE(environment.bytes_in_use() == 0);
  }
}

TEST_CASE("numbers that wrap are in order, from whichever side they come", "[SCTP-DATA-08]") {
  for (const bool falling : {false, true}) {
    TestEnvironment environment;
    WaitingMessages waiting(environment.env.memory);
    for (std::uint32_t i = 0; i < 500; ++i) {
      const std::uint32_t number = 0xFFFFFFFF - 250 + (falling ? 499 - i : i);
      REQUIRE(waiting.add({StreamId{1}, false, Mid(number), i}) == WaitingMessages::Added::Done);
    }
    for (std::uint32_t i = 0; i < 500; ++i) {
      const WaitingMessage* const first = waiting.first(StreamId{1}, false);
      REQUIRE(first != nullptr);
      REQUIRE(first->number == Mid(0xFFFFFFFF - 250 + i));
      waiting.remove_first(StreamId{1}, false);
    }
    CHECK(waiting.empty());
  }
}

TEST_CASE("without memory a message is not added, and nothing is lost") {
  for (std::size_t successes = 0; successes < 40; ++successes) {
    TestEnvironment environment;
    WaitingMessages waiting(environment.env.memory);
    environment.fail_allocations_after(successes);
    std::size_t added = 0, refused = 0;
    for (std::uint32_t i = 0; i < 400; ++i) {
      const bool done =
          waiting.add({StreamId{1}, false, Mid(1000 - 7 * i % 401), i}) == WaitingMessages::Added::Done;
      ++(done ? added : refused);
    }
    environment.fail_allocations_after(1000000);
    std::size_t count = 0;
    std::optional<Mid> before;
    waiting.for_each([&](const WaitingMessage& message) {
      REQUIRE((!before || *before < message.number));
      before = message.number;
      ++count;
    });
    REQUIRE(count == added);
    REQUIRE(added + refused == 400);
  }
}

TEST_CASE("a table of streams has what was set and not erased, on any stream, the highest too") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    TestEnvironment environment;
    {
      sim::Random random(seed);
      StreamTable<Mid> table(environment.env.memory);
      std::map<std::uint16_t, std::uint32_t> model;
      for (int i = 0; i < 5000; ++i) {
        const auto stream =
            static_cast<std::uint16_t>(random.chance(0.2) ? 65535 - random.below(3) : random.below(300));
        const auto value = static_cast<std::uint32_t>(random.next());
        if (random.chance(0.5)) {
          REQUIRE(*table.set(StreamId{stream}, Mid(value)) == Mid(value));
          model[stream] = value;
        } else if (random.chance(0.5)) {
          table.erase(StreamId{stream});
          model.erase(stream);
        }
        if (random.chance(0.001)) table.clear(), model.clear();
        const auto other = static_cast<std::uint16_t>(random.below(300));
        for (const std::uint16_t at : {stream, other}) {
          const Mid* const found = table.find(StreamId{at});
          REQUIRE((found != nullptr) == (model.count(at) != 0));
          if (found != nullptr) REQUIRE(*found == Mid(model[at]));
        }
      }
    }
    REQUIRE(environment.bytes_in_use() == 0);
  }
  // So many pages and no more: those that hold nothing any more make room.
  TestEnvironment environment;
  StreamTable<Mid> narrow(environment.env.memory, 3);
  const auto on_page = [](int page) { return StreamId{static_cast<std::uint16_t>(64 * page)}; };
  for (int page = 0; page < 3; ++page) REQUIRE(narrow.set(on_page(page), Mid(7)) != nullptr);
  CHECK(narrow.set(on_page(3), Mid(7)) == nullptr);
  narrow.erase(on_page(1));
  CHECK(narrow.set(on_page(3), Mid(8)) != nullptr);
  CHECK(narrow.find(on_page(1)) == nullptr);
  CHECK(*narrow.find(on_page(0)) == Mid(7));
  CHECK(*narrow.find(on_page(2)) == Mid(7));
  CHECK(narrow.set(on_page(4), Mid(7)) == nullptr);
  TestEnvironment poor;
  StreamTable<Mid> table(poor.env.memory);
  for (std::size_t successes = 0; successes < 2; ++successes) {
    poor.fail_allocations_after(successes);
    CHECK(table.set(StreamId{7}, Mid(1)) == nullptr);
    CHECK(table.find(StreamId{7}) == nullptr);
  }
}

}  // namespace pollrtc::sctp
