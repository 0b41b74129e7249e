// FORWARD TSN (RFC 3758 §3.2).
#pragma once

#include <optional>
#include <span>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// The highest SSN of a stream that is given up.
struct SkippedStream {
  StreamId stream{};
  Ssn ssn;
  friend constexpr bool operator==(const SkippedStream&, const SkippedStream&) = default;
};

// | 192 | 0 | length | new_cumulative_tsn:32 | (stream:16 | ssn:16)* |
struct ForwardTsnChunk {
  Tsn new_cumulative_tsn;
  Bytes skipped_bytes;  // four bytes an entry

  std::size_t skipped_count() const { return skipped_bytes.size() / 4; }
  SkippedStream skipped(std::size_t i) const {
    return {StreamId{load_u16(skipped_bytes.data() + 4 * i)},
            Ssn(load_u16(skipped_bytes.data() + 4 * i + 2))};
  }
};

inline constexpr std::size_t kForwardTsnHeader = 8;  // with the chunk header, without entries

std::optional<ForwardTsnChunk> parse_forward_tsn(const ChunkView& chunk);
void write_forward_tsn(ByteWriter& out, Tsn new_cumulative_tsn, std::span<const SkippedStream> skipped);

}  // namespace pollrtc::sctp
