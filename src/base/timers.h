// Timers as plain values: a table of deadlines indexed by an enum, and exponential back-off.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "pollrtc/types.h"

namespace pollrtc {

// `Timer` is an enum class that counts from 0 and ends with `Count_`.
template <class Timer>
class TimerTable {
 public:
  void set(Timer timer, Time due) { due_[index(timer)] = due; }
  void stop(Timer timer) { due_[index(timer)] = kNever; }
  void stop_all() { due_.fill(kNever); }
  bool is_running(Timer timer) const { return due_[index(timer)] != kNever; }
  Time due(Timer timer) const { return due_[index(timer)]; }
  Time next() const { return *std::min_element(due_.begin(), due_.end()); }

  // Stops the earliest timer that is due and names it. Loop until nothing comes.
  std::optional<Timer> pop_expired(Time now) {
    const auto earliest = std::min_element(due_.begin(), due_.end());
    if (*earliest == kNever || *earliest > now) return std::nullopt;
    *earliest = kNever;
    return static_cast<Timer>(earliest - due_.begin());
  }

 private:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Timer::Count_);
  static constexpr std::size_t index(Timer timer) { return static_cast<std::size_t>(timer); }
  static constexpr std::array<Time, kCount> all_stopped() {
    std::array<Time, kCount> due{};
    due.fill(kNever);
    return due;
  }
  std::array<Time, kCount> due_ = all_stopped();
};

// A wait that doubles at each try, up to a maximum.
class Backoff {
 public:
  constexpr Backoff(Duration initial, Duration maximum)
      : initial_(initial), maximum_(maximum), current_(initial) {}
  constexpr Duration current() const { return current_; }
  constexpr void grow() { current_ = std::max(current_, std::min(current_ * 2, maximum_)); }
  constexpr void reset() { current_ = initial_; }
  constexpr void reset(Duration initial) { current_ = initial_ = initial; }

 private:
  Duration initial_, maximum_, current_;
};

}  // namespace pollrtc
