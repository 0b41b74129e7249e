// Chunk types (RFC 9260 §3.2 table 1, and the registry for extensions) and what their two top bits ask of a
// receiver that does not know them.
#pragma once

#include <cstdint>
#include <string_view>

namespace pollrtc::sctp {

enum class ChunkType : std::uint8_t {
  Data = 0,
  Init = 1,
  InitAck = 2,
  Sack = 3,
  Heartbeat = 4,
  HeartbeatAck = 5,
  Abort = 6,
  Shutdown = 7,
  ShutdownAck = 8,
  Error = 9,
  CookieEcho = 10,
  CookieAck = 11,
  ShutdownComplete = 14,
  IData = 0x40,        // RFC 8260 §2.1
  ReConfig = 0x82,     // RFC 6525 §3.1
  Pad = 0x84,          // RFC 4820 §3
  ForwardTsn = 0xC0,   // RFC 3758 §3.2
  IForwardTsn = 0xC2,  // RFC 8260 §2.3.1
};

constexpr std::uint8_t code_of(ChunkType type) { return static_cast<std::uint8_t>(type); }

// RFC 9260 §3.2 table 2 for chunks, §3.2.1 table 3 for parameters: the top two bits of an unknown type.
struct UnknownRule {
  bool skip;    // go on behind it; else stop here
  bool report;  // tell the sender
};
constexpr UnknownRule unknown_chunk_rule(std::uint8_t type) {
  return {(type & 0x80) != 0, (type & 0x40) != 0};
}
constexpr UnknownRule unknown_parameter_rule(std::uint16_t type) {
  return {(type & 0x8000) != 0, (type & 0x4000) != 0};
}

}  // namespace pollrtc::sctp
