// How often each Drop happened. Every engine keeps one, so that "silently discard" can be seen.
#pragma once

#include <array>

#include "pollrtc/error.h"

namespace pollrtc {

class DropCounters {
 public:
  // Counts and hands the reason on: `return drops_.count(Drop::SctpTag);`
  Drop count(Drop reason) {
    if (reason != Drop::None) ++counts_[static_cast<std::size_t>(reason)];
    return reason;
  }
  std::uint64_t operator[](Drop reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : counts_) sum += n;
    return sum;
  }
  DropCounters& operator+=(const DropCounters& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::array<std::uint64_t, kDropCount> counts_{};
};

}  // namespace pollrtc
