#include "sctp/chunk_data.h"

namespace pollrtc::sctp {

namespace {

constexpr std::uint8_t kEnd = 1, kBegin = 2, kUnordered = 4, kImmediate = 8;

void read_flags(std::uint8_t flags, DataChunk& data) {
  data.immediate = (flags & kImmediate) != 0;
  data.unordered = (flags & kUnordered) != 0;
  data.begin = (flags & kBegin) != 0;
  data.end = (flags & kEnd) != 0;
}

std::uint8_t flags_of(const DataChunk& data) {
  const int flags = (data.immediate ? kImmediate : 0) | (data.unordered ? kUnordered : 0) |
                    (data.begin ? kBegin : 0) | (data.end ? kEnd : 0);
  return static_cast<std::uint8_t>(flags);
}

}  // namespace

std::optional<DataChunk> parse_data(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  DataChunk data;
  data.tsn = Tsn(r.u32());
  data.stream = StreamId{r.u16()};
  data.ssn = Ssn(r.u16());
  data.ppid = Ppid{r.u32()};
  if (!r.ok()) return std::nullopt;
  data.payload = r.rest();
  read_flags(chunk.flags, data);
  return data;
}

std::optional<DataChunk> parse_idata(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  DataChunk data;
  read_flags(chunk.flags, data);
  data.tsn = Tsn(r.u32());
  data.stream = StreamId{r.u16()};
  r.skip(2);  // reserved: ignored, whatever it holds
  data.mid = Mid(r.u32());
  const std::uint32_t ppid_or_fsn = r.u32();
  if (!r.ok()) return std::nullopt;
  if (data.begin) {
    data.ppid = Ppid{ppid_or_fsn};
  } else {
    data.fsn = Fsn(ppid_or_fsn);
  }
  data.payload = r.rest();
  return data;
}

void write_data(ByteWriter& out, const DataChunk& chunk) {
  ChunkWriter w(out, code_of(ChunkType::Data), flags_of(chunk));
  out.u32(chunk.tsn.value());
  out.u16(value_of(chunk.stream));
  out.u16(chunk.ssn.value());
  out.u32(value_of(chunk.ppid));
  out.bytes(chunk.payload);
  w.finish();
}

void write_idata(ByteWriter& out, const DataChunk& chunk) {
  ChunkWriter w(out, code_of(ChunkType::IData), flags_of(chunk));
  out.u32(chunk.tsn.value());
  out.u16(value_of(chunk.stream));
  out.u16(0);
  out.u32(chunk.mid.value());
  out.u32(chunk.begin ? value_of(chunk.ppid) : chunk.fsn.value());
  out.bytes(chunk.payload);
  w.finish();
}

}  // namespace pollrtc::sctp
