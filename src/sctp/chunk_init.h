// INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3): the same fixed part, then parameters.
#pragma once

#include <optional>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/parameters.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// | 1 or 2 | 0 | length | initiate_tag:32 | a_rwnd:32 | outbound:16 | inbound:16 | initial_tsn:32 |
// parameters |
struct InitChunk {
  VerificationTag initiate_tag{};
  std::uint32_t a_rwnd = 0;
  std::uint16_t outbound_streams = 0;  // OS: how many the sender wants to send on
  std::uint16_t inbound_streams = 0;   // MIS: how many it can receive on
  Tsn initial_tsn;
  Bytes parameters;  // parse_init_parameters()

  // RFC 9260 §3.3.2 (a_rwnd) and erratum 7148 for INIT ACK: the smallest window an end may announce.
  static constexpr std::uint32_t kSmallestWindow = 1500;
  bool has_valid_values() const {
    return outbound_streams != 0 && inbound_streams != 0 && a_rwnd >= kSmallestWindow;
  }
};

// Nothing when it is shorter than its fixed part.
std::optional<InitChunk> parse_init(const ChunkView& chunk);
// `chunk.parameters` is not written: the caller writes parameters between the two calls and then finishes.
ChunkWriter begin_init(ByteWriter& out, ChunkType type, const InitChunk& chunk);

}  // namespace pollrtc::sctp
