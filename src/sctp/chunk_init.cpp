#include "sctp/chunk_init.h"

namespace pollrtc::sctp {

std::optional<InitChunk> parse_init(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  InitChunk init;
  init.initiate_tag = VerificationTag{r.u32()};
  init.a_rwnd = r.u32();
  init.outbound_streams = r.u16();
  init.inbound_streams = r.u16();
  init.initial_tsn = Tsn(r.u32());
  if (!r.ok()) return std::nullopt;
  init.parameters = r.rest();
  return init;
}

ChunkWriter begin_init(ByteWriter& out, ChunkType type, const InitChunk& chunk) {
  ChunkWriter w(out, code_of(type));
  out.u32(value_of(chunk.initiate_tag));
  out.u32(chunk.a_rwnd);
  out.u16(chunk.outbound_streams);
  out.u16(chunk.inbound_streams);
  out.u32(chunk.initial_tsn.value());
  return w;
}

}  // namespace pollrtc::sctp
