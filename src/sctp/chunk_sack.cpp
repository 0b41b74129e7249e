#include "sctp/chunk_sack.h"

namespace pollrtc::sctp {

std::optional<SackChunk> parse_sack(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  SackChunk sack;
  sack.cumulative_tsn_ack = Tsn(r.u32());
  sack.a_rwnd = r.u32();
  const std::size_t gaps = r.u16(), duplicates = r.u16();
  sack.gap_bytes = r.take(4 * gaps);  // a view: nothing is allocated from a count on the wire
  sack.duplicate_bytes = r.take(4 * duplicates);
  if (!r.ok()) return std::nullopt;
  return sack;
}

void write_sack(ByteWriter& out, Tsn cumulative_tsn_ack, std::uint32_t a_rwnd, std::span<const GapBlock> gaps,
                std::span<const Tsn> duplicates) {
  ChunkWriter w(out, code_of(ChunkType::Sack));
  out.u32(cumulative_tsn_ack.value());
  out.u32(a_rwnd);
  out.u16(static_cast<std::uint16_t>(gaps.size()));
  out.u16(static_cast<std::uint16_t>(duplicates.size()));
  for (const GapBlock& gap : gaps) {
    out.u16(gap.start);
    out.u16(gap.end);
  }
  for (const Tsn tsn : duplicates) out.u32(tsn.value());
  w.finish();
}

}  // namespace pollrtc::sctp
