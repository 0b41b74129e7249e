// Random: the one source of chance in a simulated world. Same seed, same world.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
  std::size_t index(std::size_t n) { return static_cast<std::size_t>(below(n)); }
  double real() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
  bool chance(double probability) { return probability > 0 && real() < probability; }
  Duration up_to(Duration longest) {
    return Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>(longest.count()) + 1)));
  }
  // A stream of its own: what is drawn from it does not shift what others draw.
  Random fork() { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace pollrtc::sim
