// Random numbers from the Rng that the caller handed in. Every call can fail, as the source can.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "pollrtc/environment.h"

namespace pollrtc {

[[nodiscard]] inline bool fill_random(const Rng& rng, MutBytes out) {
  return rng.fill != nullptr && rng.fill(rng.context, out);
}

inline std::optional<std::uint32_t> random_u32(const Rng& rng) {
  std::array<std::uint8_t, 4> bytes;
  if (!fill_random(rng, bytes)) return std::nullopt;
  return load_u32(bytes.data());
}

inline std::optional<std::uint64_t> random_u64(const Rng& rng) {
  std::array<std::uint8_t, 8> bytes;
  if (!fill_random(rng, bytes)) return std::nullopt;
  return load_u64(bytes.data());
}

// Fills `out` with letters, digits, '+' and '/': the ice-chars of RFC 8839 §5.4, six random bits each.
[[nodiscard]] bool fill_random_ice_chars(const Rng& rng, std::span<char> out);

}  // namespace pollrtc
