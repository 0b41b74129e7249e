#include "base/random.h"

namespace pollrtc {

bool fill_random_ice_chars(const Rng& rng, std::span<char> out) {
  static constexpr char kIceChars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(sizeof kIceChars == 64 + 1);
  for (char& c : out) {
    std::uint8_t byte;
    if (!fill_random(rng, MutBytes(&byte, 1))) return false;
    c = kIceChars[byte & 63];
  }
  return true;
}

}  // namespace pollrtc
