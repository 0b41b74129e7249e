// How often each Drop happened. Every engine keeps counts of its own, so that "silently discard" can be seen; a connection has
// eight of them, so an engine has room for what it can say alone, and they count to 2^32 - 1 and stay there.
#pragma once

#include <array>

#include "base/assert.h"
#include "pollrtc/error.h"

namespace pollrtc {

// Of the reasons that any layer may have, which stand first, and of `First` to `Last`. Another one is never counted, and so 0.
template <Drop First, Drop Last>
class DropCountersOf {
 public:
  // Counts and hands the reason on: `return drops_.count(Drop::SctpTag);`
  Drop count(Drop reason) {
    if (reason == Drop::None) return reason;
    POLLRTC_ASSERT(place_of(reason) < kPlaces);
    add(reason, 1);
    return reason;
  }
  std::uint64_t operator[](Drop reason) const {
    const std::size_t place = place_of(reason);
    return place < kPlaces ? counts_[place] : 0;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint32_t n : counts_) sum += n;
    return sum;
  }
  template <Drop OtherFirst, Drop OtherLast>
  DropCountersOf& operator+=(const DropCountersOf<OtherFirst, OtherLast>& other) {
    for (std::size_t i = 0; i < kDropCount; ++i)
      add(static_cast<Drop>(i), static_cast<std::uint32_t>(other[static_cast<Drop>(i)]));
    return *this;
  }

 private:
  static constexpr std::size_t kShared = static_cast<std::size_t>(Drop::StunMalformed),
                               kFirst = static_cast<std::size_t>(First),
                               kPlaces = kShared + static_cast<std::size_t>(Last) - kFirst + 1;
  static_assert(First >= Drop::StunMalformed && Last >= First);

  static constexpr std::size_t place_of(Drop reason) {
    const auto number = static_cast<std::size_t>(reason);
    if (number < kShared) return number;
    return number < kFirst ? kPlaces : kShared + number - kFirst;
  }
  void add(Drop reason, std::uint32_t more) {
    const std::size_t place = place_of(reason);
    if (place >= kPlaces) return;
    std::uint32_t& count = counts_[place];
    count = more > ~count ? ~std::uint32_t{0} : count + more;
  }
  std::array<std::uint32_t, kPlaces> counts_{};
};

using DropCounters = DropCountersOf<Drop::StunMalformed, Drop::SocketOverflow>;  // of all

}  // namespace pollrtc
