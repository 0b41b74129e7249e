#include "sctp/chunk_data.h"

namespace pollrtc::sctp {

namespace {
constexpr std::uint8_t kEnd = 1, kBegin = 2, kUnordered = 4, kImmediate = 8;
}

std::optional<DataChunk> parse_data(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  DataChunk data;
  data.tsn = Tsn(r.u32());
  data.stream = StreamId{r.u16()};
  data.ssn = Ssn(r.u16());
  data.ppid = Ppid{r.u32()};
  if (!r.ok()) return std::nullopt;
  data.payload = r.rest();
  data.immediate = (chunk.flags & kImmediate) != 0;
  data.unordered = (chunk.flags & kUnordered) != 0;
  data.begin = (chunk.flags & kBegin) != 0;
  data.end = (chunk.flags & kEnd) != 0;
  return data;
}

void write_data(ByteWriter& out, const DataChunk& chunk) {
  const int flags = (chunk.immediate ? kImmediate : 0) | (chunk.unordered ? kUnordered : 0) |
                    (chunk.begin ? kBegin : 0) | (chunk.end ? kEnd : 0);
  ChunkWriter w(out, code_of(ChunkType::Data), static_cast<std::uint8_t>(flags));
  out.u32(chunk.tsn.value());
  out.u16(value_of(chunk.stream));
  out.u16(chunk.ssn.value());
  out.u32(value_of(chunk.ppid));
  out.bytes(chunk.payload);
  w.finish();
}

}  // namespace pollrtc::sctp
