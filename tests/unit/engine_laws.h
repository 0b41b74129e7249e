// The promises that every engine makes (base/engine.h), as one test for all of them:
//   1 any order of calls is legal: inputs without a drain between them, spurious timeouts, half a drain lose nothing
//   2 a deadline is a promise: after handle_timeout(next_timeout()) the next one is later
//   3 bounded work: output and events end
//   4 no ambient time, randomness or memory: same seed and inputs, same bytes
//   5 allocation failure is an ordinary result: whichever one fails, no crash and no leak
//
// Two ends of the engine under test talk over a perfect link in virtual time. What they are to do, a Subject says:
//
//   struct Subject {
//     using Engine = sctp::Association;
//     static constexpr bool kReproducible = true;            // false: law 4 compares outcomes, not bytes (DTLS)
//     // One of the two ends (0 or 1), begun: connect() and the like called. Null when there was no memory or randomness.
//     std::unique_ptr<Engine> make(Environment& environment, Time now, int end);
//     // What the user does then; `outcome` collects what must not depend on the order of calls: messages, the end state.
//     void on_event(Engine& engine, Time now, int end, const Engine::Event& event, std::string& outcome);
//     void collect(Engine& engine, Time now, int end, std::string& outcome);   // take out what is no event
//   };
//   TEST_CASE("engine laws: sctp::Association") { test::check_engine_laws<Subject>(); }
//
// NetworkEngines have the addresses kLawEnds[0] and kLawEnds[1].
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/engine.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

inline constexpr std::array<Address, 2> kLawEnds{Address::v4(10, 0, 0, 1, 1000),
                                                 Address::v4(10, 0, 0, 2, 1000)};

enum class Schedule {
  DrainAlways,  // everything is drained after each input
  DrainLate,    // several inputs, then a drain
  Shuffled,     // parts of drains and spurious timeouts in random order between the inputs
};

template <class Subject>
class LawRun {
 public:
  using Engine = typename Subject::Engine;

  static constexpr Duration kLength = std::chrono::seconds(60);
  static constexpr Duration kDelay = std::chrono::milliseconds(10);
  static constexpr std::size_t kMaxBurst = 5000;  // datagrams or events in one drain
  static constexpr std::size_t kMaxSteps = 200'000;

  LawRun(std::uint64_t seed, Schedule schedule) : schedule_(schedule), chance_(seed * 2 + 1) {
    for (std::size_t i = 0; i < 2; ++i) environments_[i] = std::make_unique<TestEnvironment>(seed * 2 + i);
  }

  void fail_allocations(std::size_t end, std::size_t after) {
    environments_[end]->fail_allocations_after(after);
  }
  std::size_t allocations(std::size_t end) const { return environments_[end]->allocations(); }

  // Runs to the end; says which promise was broken, "" when none was.
  std::string run() {
    for (std::size_t i = 0; i < 2; ++i)
      ends_[i] = subject_.make(environments_[i]->env, now_, static_cast<int>(i));
    drain_all();
    for (std::size_t steps = 0; broken_.empty() && step(); ++steps)
      if (steps == kMaxSteps) broken_ = "law 2 or 3: so many steps and no end";
    ends_ = {};
    for (const auto& environment : environments_)
      if (broken_.empty() && environment->bytes_in_use() != 0) broken_ = "law 5: memory is left behind";
    return broken_;
  }

  const std::array<std::string, 2>& outcome() const { return outcome_; }
  std::uint64_t hash() const { return hash_; }  // of all bytes sent, and when

 private:
  struct Flight {
    Time arrival;
    std::size_t to;
    Path path;
    std::vector<std::uint8_t> bytes;
  };

  std::uint64_t draw() {
    chance_ = chance_ * 6364136223846793005u + 1442695040888963407u;
    return chance_ >> 33;
  }

  bool step() {
    Time next =
        flights_.empty() ? kNever : flights_.front().arrival;  // one delay for all: they stay in order
    for (const auto& end : ends_)
      if (end) next = std::min(next, end->next_timeout());
    if (next > Time(kLength)) return late_inputs_ != 0 && (drain_all(), broken_.empty());
    now_ = std::max(now_, next);
    if (!flights_.empty() && flights_.front().arrival <= now_) {
      const Flight flight = std::move(flights_.front());
      flights_.erase(flights_.begin());
      if (ends_[flight.to]) give(*ends_[flight.to], flight);
    } else {
      for (const auto& end : ends_)
        if (end && end->next_timeout() <= now_) time_out(*end);
    }
    after_input();
    return true;
  }

  void give(Engine& engine, const Flight& flight) {
    if constexpr (NetworkEngine<Engine>) {
      engine.handle_datagram(now_, flight.path, flight.bytes);
    } else {
      engine.handle_packet(now_, flight.bytes);
    }
  }

  void time_out(Engine& engine) {
    const Time due = engine.next_timeout();
    engine.handle_timeout(now_);
    if (engine.next_timeout() <= due) broken_ = "law 2: the deadline did not move";
  }

  void after_input() {
    ++late_inputs_;
    if (schedule_ == Schedule::DrainLate && late_inputs_ < 4 && !flights_.empty()) return;
    if (schedule_ == Schedule::Shuffled && !flights_.empty()) return shuffle();
    drain_all();
  }

  void shuffle() {
    for (int calls = 0; calls < 3 && broken_.empty(); ++calls) {
      const std::size_t i = draw() % 2;
      if (!ends_[i]) continue;
      switch (draw() % 4) {
        case 0:
          ends_[i]->handle_timeout(now_);  // nothing need be due
          break;
        case 1:
          send_one(i);
          break;
        case 2:
          report_one(i);
          break;
        case 3:
          subject_.collect(*ends_[i], now_, static_cast<int>(i), outcome_[i]);
          break;
      }
    }
    if (late_inputs_ > 8) drain_all();
  }

  void drain_all() {
    late_inputs_ = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!ends_[i]) continue;
      for (std::size_t calls = 0, quiet = 0; quiet < 2 && broken_.empty(); ++calls) {
        quiet = send_one(i) || report_one(i) ? 0 : quiet + 1;
        if (quiet == 1)
          subject_.collect(*ends_[i], now_, static_cast<int>(i), outcome_[i]);  // may owe something new
        if (calls > 2 * kMaxBurst) broken_ = "law 3: output without end";
      }
    }
  }

  bool report_one(std::size_t i) {
    typename Engine::Event event{};
    if (!ends_[i]->poll_event(event)) return false;
    subject_.on_event(*ends_[i], now_, static_cast<int>(i), event, outcome_[i]);
    return true;
  }

  bool send_one(std::size_t i) {
    Flight flight{now_ + kDelay, 1 - i, {kLawEnds[1 - i], kLawEnds[i], Transport::Udp}, {}};
    std::size_t size = 0;
    if constexpr (NetworkEngine<Engine>) {
      const auto transmit = ends_[i]->poll_transmit(now_, buffer_);
      if (!transmit) return false;
      size = transmit->size;
      if (transmit->path.remote != kLawEnds[1 - i]) flight.to = 2;  // to somebody else: gone
    } else {
      size = ends_[i]->poll_packet(now_, buffer_);
      if (size == 0) return false;
    }
    if (size > buffer_.size()) {
      broken_ = "law 3: a datagram larger than the buffer";
      return false;
    }
    flight.bytes.assign(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    for (const std::uint8_t byte : flight.bytes) mix(byte);
    if (flight.to < 2) flights_.push_back(std::move(flight));
    return true;
  }

  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3u; }

  Schedule schedule_;
  std::uint64_t chance_;
  std::array<std::unique_ptr<TestEnvironment>, 2> environments_;
  Subject subject_;
  std::array<std::unique_ptr<Engine>, 2> ends_;  // gone before their environments
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(65536);
  std::vector<Flight> flights_;
  std::array<std::string, 2> outcome_;
  std::string broken_;
  Time now_{};
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  int late_inputs_ = 0;
};

// Each says how the law is broken, "" when it holds.

template <class Subject>
std::string laws_1_to_3(std::uint64_t seed) {
  LawRun<Subject> plain(seed, Schedule::DrainAlways);
  if (const std::string broken = plain.run(); !broken.empty()) return broken;
  for (const Schedule schedule : {Schedule::DrainLate, Schedule::Shuffled}) {
    LawRun<Subject> other(seed, schedule);
    if (const std::string broken = other.run(); !broken.empty()) return broken;
    for (std::size_t i = 0; i < 2; ++i)
      if (other.outcome()[i] != plain.outcome()[i])
        return std::string("law 1: end ") + (i == 0 ? "0" : "1") + " saw \"" + other.outcome()[i] +
               "\" with " + (schedule == Schedule::DrainLate ? "late" : "shuffled") + " drains, \"" +
               plain.outcome()[i] + "\" without";
  }
  return "";
}

template <class Subject>
std::string law_4(std::uint64_t seed) {
  LawRun<Subject> first(seed, Schedule::DrainAlways), second(seed, Schedule::DrainAlways);
  first.run();
  second.run();
  if (first.outcome() != second.outcome()) return "law 4: another outcome with the same seed";
  return !Subject::kReproducible || first.hash() == second.hash() ? ""
                                                                  : "law 4: other bytes with the same seed";
}

// Allocation number n and all after it fail, for n = 0, 1, 2...; later on in growing steps.
template <class Subject>
std::string law_5(std::uint64_t seed) {
  for (std::size_t end = 0; end < 2; ++end) {
    for (std::size_t n = 0;; n += 1 + n / 50) {
      LawRun<Subject> run(seed, Schedule::DrainAlways);
      run.fail_allocations(end, n);
      if (const std::string broken = run.run(); !broken.empty())
        return broken + " (when allocation " + std::to_string(n) + " fails)";
      if (run.allocations(end) < n || n > 100'000) break;  // this run had all it wanted
    }
  }
  return "";
}

template <class Subject>
void check_engine_laws(std::uint64_t seeds = 3) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    CHECK(laws_1_to_3<Subject>(seed) == "");
    CHECK(law_4<Subject>(seed) == "");
  }
  CHECK(law_5<Subject>(1) == "");
}

}  // namespace pollrtc::test
