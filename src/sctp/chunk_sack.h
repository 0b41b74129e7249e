// SACK (RFC 9260 §3.3.4).
#pragma once

#include <optional>
#include <span>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// TSNs received above the cumulative one, as offsets from it: cumulative + start .. cumulative + end.
struct GapBlock {
  std::uint16_t start = 0;
  std::uint16_t end = 0;
  friend constexpr bool operator==(const GapBlock&, const GapBlock&) = default;
};

// A SACK as it lies in the packet. Blocks may be unsorted, overlapping or upside down: the reader must cope.
// | 3 | 0 | length | cumulative_tsn_ack:32 | a_rwnd:32 | n_gaps:16 | n_dups:16 | gaps[n_gaps] | dups[n_dups]
// |
struct SackChunk {
  Tsn cumulative_tsn_ack;
  std::uint32_t a_rwnd = 0;
  Bytes gap_bytes;        // four bytes a block
  Bytes duplicate_bytes;  // four bytes a TSN

  std::size_t gap_count() const { return gap_bytes.size() / 4; }
  GapBlock gap(std::size_t i) const {
    return {load_u16(gap_bytes.data() + 4 * i), load_u16(gap_bytes.data() + 4 * i + 2)};
  }
  std::size_t duplicate_count() const { return duplicate_bytes.size() / 4; }
  Tsn duplicate(std::size_t i) const { return Tsn(load_u32(duplicate_bytes.data() + 4 * i)); }
};

inline constexpr std::size_t kSackHeader = 16;  // with the chunk header, without blocks and duplicates

// Nothing when it is too short for its fixed part or for the counts it claims.
std::optional<SackChunk> parse_sack(const ChunkView& chunk);
void write_sack(ByteWriter& out, Tsn cumulative_tsn_ack, std::uint32_t a_rwnd, std::span<const GapBlock> gaps,
                std::span<const Tsn> duplicates);

}  // namespace pollrtc::sctp
