// FORWARD TSN (RFC 3758 §3.2) and I-FORWARD-TSN (RFC 8260 §2.3.1): what the sender has given up. The first goes with DATA,
// the second with I-DATA.
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

// The highest MID of a stream that is given up, of its ordered or of its unordered messages.
struct SkippedMessages {
  StreamId stream{};
  bool unordered = false;
  Mid mid;
  friend constexpr bool operator==(const SkippedMessages&, const SkippedMessages&) = default;
};

// | 194 | 0 | length | new_cumulative_tsn:32 | (stream:16 | reserved:15 U | mid:32)* |
struct IForwardTsnChunk {
  Tsn new_cumulative_tsn;
  Bytes skipped_bytes;  // eight bytes an entry

  std::size_t skipped_count() const { return skipped_bytes.size() / 8; }
  SkippedMessages skipped(std::size_t i) const {
    const std::uint8_t* const entry = skipped_bytes.data() + 8 * i;
    return {StreamId{load_u16(entry)}, (entry[3] & 1) != 0, Mid(load_u32(entry + 4))};
  }
};

inline constexpr std::size_t kForwardTsnHeader = 8;  // of either, with the chunk header, without entries

// Nothing when the length is none that the format can have.
std::optional<ForwardTsnChunk> parse_forward_tsn(const ChunkView& chunk);
std::optional<IForwardTsnChunk> parse_i_forward_tsn(const ChunkView& chunk);
void write_forward_tsn(ByteWriter& out, Tsn new_cumulative_tsn, std::span<const SkippedStream> skipped);
void write_i_forward_tsn(ByteWriter& out, Tsn new_cumulative_tsn, std::span<const SkippedMessages> skipped);

}  // namespace pollrtc::sctp
