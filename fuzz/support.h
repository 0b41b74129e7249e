// What fuzz targets share: how an invariant fails, and randomness that is the same in every run.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "pollrtc/types.h"

namespace pollrtc {

// Always on, unlike POLLRTC_ASSERT: a fuzz target is nothing but its checks.
inline void check(bool invariant, int line = __builtin_LINE()) {
  if (invariant) return;
  std::fprintf(stderr, "the check in line %d does not hold\n", line);
  std::abort();
}

// For Rng::fill; the context is a std::uint32_t, the state.
inline bool fill_counting(void* context, MutBytes out) {
  auto& state = *static_cast<std::uint32_t*>(context);
  for (std::uint8_t& byte : out)
    byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return true;
}

}  // namespace pollrtc
