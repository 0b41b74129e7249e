// Whose is a datagram? The first byte tells (RFC 7983 §7).
#pragma once

#include "pollrtc/types.h"

namespace pollrtc {

enum class Protocol : std::uint8_t { Stun, Zrtp, Dtls, TurnChannel, Rtp, Unknown };

constexpr Protocol protocol_of(std::uint8_t first_byte) {
  if (first_byte <= 3) return Protocol::Stun;
  if (first_byte >= 16 && first_byte <= 19) return Protocol::Zrtp;
  if (first_byte >= 20 && first_byte <= 63) return Protocol::Dtls;
  if (first_byte >= 64 && first_byte <= 79) return Protocol::TurnChannel;
  if (first_byte >= 128 && first_byte <= 191) return Protocol::Rtp;
  return Protocol::Unknown;
}

}  // namespace pollrtc
