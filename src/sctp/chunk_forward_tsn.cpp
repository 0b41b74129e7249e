#include "sctp/chunk_forward_tsn.h"

namespace pollrtc::sctp {

std::optional<ForwardTsnChunk> parse_forward_tsn(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  ForwardTsnChunk forward;
  forward.new_cumulative_tsn = Tsn(r.u32());
  forward.skipped_bytes = r.rest();
  if (!r.ok() || forward.skipped_bytes.size() % 4 != 0) return std::nullopt;
  return forward;
}

std::optional<IForwardTsnChunk> parse_i_forward_tsn(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  IForwardTsnChunk forward;
  forward.new_cumulative_tsn = Tsn(r.u32());
  forward.skipped_bytes = r.rest();
  if (!r.ok() || forward.skipped_bytes.size() % 8 != 0) return std::nullopt;
  return forward;
}

void write_forward_tsn(ByteWriter& out, Tsn new_cumulative_tsn, std::span<const SkippedStream> skipped) {
  ChunkWriter w(out, code_of(ChunkType::ForwardTsn));
  out.u32(new_cumulative_tsn.value());
  for (const SkippedStream& entry : skipped) {
    out.u16(value_of(entry.stream));
    out.u16(entry.ssn.value());
  }
  w.finish();
}

void write_i_forward_tsn(ByteWriter& out, Tsn new_cumulative_tsn, std::span<const SkippedMessages> skipped) {
  ChunkWriter w(out, code_of(ChunkType::IForwardTsn));
  out.u32(new_cumulative_tsn.value());
  for (const SkippedMessages& entry : skipped) {
    out.u16(value_of(entry.stream));
    out.u16(entry.unordered ? 1 : 0);
    out.u32(entry.mid.value());
  }
  w.finish();
}

}  // namespace pollrtc::sctp
