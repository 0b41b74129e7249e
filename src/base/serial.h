// Serial<Tag, Int>: a sequence number that wraps (RFC 1982), as a type of its own so that a TSN cannot become an SSN.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace pollrtc {

template <class Tag, std::unsigned_integral Int>
class Serial {
 public:
  using value_type = Int;

  constexpr Serial() = default;
  explicit constexpr Serial(Int value) : value_(value) {}
  constexpr Int value() const { return value_; }

  constexpr Serial operator+(Int n) const { return Serial(static_cast<Int>(value_ + n)); }
  constexpr Serial operator-(Int n) const { return Serial(static_cast<Int>(value_ - n)); }
  constexpr Serial& operator++() {
    ++value_;
    return *this;
  }
  constexpr Serial operator++(int) {
    const Serial before = *this;
    ++value_;
    return before;
  }
  // How far `this` lies ahead of `other`, modulo the number space: 0 when they are equal.
  constexpr Int distance_from(Serial other) const { return static_cast<Int>(value_ - other.value_); }

  friend constexpr bool operator==(Serial, Serial) = default;
  // RFC 1982 §3.2: a < b when b lies less than half the number space ahead. Two numbers exactly half the space apart
  // are neither less nor greater.
  friend constexpr bool operator<(Serial a, Serial b) {
    return a != b && b.distance_from(a) < (Int{1} << (sizeof(Int) * 8 - 1));
  }
  friend constexpr bool operator>(Serial a, Serial b) { return b < a; }
  friend constexpr bool operator<=(Serial a, Serial b) { return a == b || a < b; }
  friend constexpr bool operator>=(Serial a, Serial b) { return a == b || b < a; }

 private:
  Int value_ = 0;
};

}  // namespace pollrtc
