// The Data Channel Establishment Protocol: OPEN and ACK (RFC 8832 §5), and the payload protocol identifiers
// of RFC 8831 §8. Bytes to meaning and back; what a message does to a channel is in channels.h.
#pragma once

#include <optional>
#include <string_view>

#include "base/memory.h"
#include "pollrtc/types.h"

namespace pollrtc::dcep {

// RFC 8831 §8. The deprecated 52 and 54 (pieces of a message as messages of their own) are not understood.
enum class Ppid : std::uint32_t { Dcep = 50, String = 51, Binary = 53, StringEmpty = 56, BinaryEmpty = 57 };

inline constexpr std::size_t kOpenHeaderSize = 12;

struct Open {
  std::string_view label, protocol;  // views into the message, or into the caller's strings
  std::uint16_t priority = 256;
  std::optional<std::uint32_t> max_retransmits;  // at most one of these two
  std::optional<std::uint32_t> max_lifetime_ms;
  bool ordered = true;
};

// An OPEN that breaks its format (unknown channel type, lengths that do not add up) is none: nothing comes
// back.
std::optional<Open> parse_open(Bytes message);
// False: no memory. Label and protocol must be at most 65535 bytes each.
[[nodiscard]] bool write_open(const Open& open, Buffer& out);

// Message types, RFC 8832 §8.2.1.
inline constexpr std::uint8_t kAck = 0x02, kOpen = 0x03;

}  // namespace pollrtc::dcep
