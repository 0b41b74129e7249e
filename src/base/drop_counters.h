// How often each Drop happened. Every engine keeps one, so that "silently discard" can be seen; a connection has eight of
// them, so they count to 2^32 - 1 and stay there.
#pragma once

#include <array>

#include "pollrtc/error.h"

namespace pollrtc {

class DropCounters {
 public:
  // Counts and hands the reason on: `return drops_.count(Drop::SctpTag);`
  Drop count(Drop reason) {
    if (reason != Drop::None) add(counts_[static_cast<std::size_t>(reason)], 1);
    return reason;
  }
  std::uint64_t operator[](Drop reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint32_t n : counts_) sum += n;
    return sum;
  }
  DropCounters& operator+=(const DropCounters& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) add(counts_[i], other.counts_[i]);
    return *this;
  }

 private:
  static void add(std::uint32_t& count, std::uint32_t more) {
    count = more > ~count ? ~std::uint32_t{0} : count + more;
  }
  std::array<std::uint32_t, kDropCount> counts_{};
};

}  // namespace pollrtc
