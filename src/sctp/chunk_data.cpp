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

// The header, of which what both have in common is filled in; null: no room. These two are written and read more often than all
// others together, so the room is asked for once.
std::uint8_t* begin_chunk(ByteWriter& out, ChunkType type, std::size_t header, const DataChunk& chunk) {
  const MutBytes room = out.take(header);
  if (room.empty()) return nullptr;
  std::uint8_t* const p = room.data();
  p[0] = code_of(type);
  p[1] = flags_of(chunk);
  store_u16(p + 2, static_cast<std::uint16_t>(header + chunk.payload.size()));
  store_u32(p + 4, chunk.tsn.value());
  store_u16(p + 8, value_of(chunk.stream));
  return p;
}

}  // namespace

std::optional<DataChunk> parse_data(const ChunkView& chunk) {
  constexpr std::size_t kFixed = kDataHeader - kTlvHeader;
  if (chunk.value.size() < kFixed) return std::nullopt;
  const std::uint8_t* const p = chunk.value.data();
  std::optional<DataChunk> parsed(std::in_place);
  DataChunk& data = *parsed;
  read_flags(chunk.flags, data);
  data.tsn = Tsn(load_u32(p));
  data.stream = StreamId{load_u16(p + 4)};
  data.ssn = Ssn(load_u16(p + 6));
  data.ppid = Ppid{load_u32(p + 8)};
  data.payload = chunk.value.subspan(kFixed);
  return parsed;
}

std::optional<DataChunk> parse_idata(const ChunkView& chunk) {
  constexpr std::size_t kFixed = kIDataHeader - kTlvHeader;
  if (chunk.value.size() < kFixed) return std::nullopt;
  const std::uint8_t* const p = chunk.value.data();
  std::optional<DataChunk> parsed(std::in_place);
  DataChunk& data = *parsed;
  read_flags(chunk.flags, data);
  data.tsn = Tsn(load_u32(p));
  data.stream = StreamId{load_u16(p + 4)};  // reserved behind it: ignored, whatever it holds
  data.mid = Mid(load_u32(p + 8));
  if (data.begin) {
    data.ppid = Ppid{load_u32(p + 12)};
  } else {
    data.fsn = Fsn(load_u32(p + 12));
  }
  data.payload = chunk.value.subspan(kFixed);
  return parsed;
}

void write_data(ByteWriter& out, const DataChunk& chunk) {
  if (std::uint8_t* const p = begin_chunk(out, ChunkType::Data, kDataHeader, chunk)) {
    store_u16(p + 10, chunk.ssn.value());
    store_u32(p + 12, value_of(chunk.ppid));
  }
  out.bytes(chunk.payload);
  out.pad_to_4();
}

void write_idata(ByteWriter& out, const DataChunk& chunk) {
  if (std::uint8_t* const p = begin_chunk(out, ChunkType::IData, kIDataHeader, chunk)) {
    store_u16(p + 10, 0);
    store_u32(p + 12, chunk.mid.value());
    store_u32(p + 16, chunk.begin ? value_of(chunk.ppid) : chunk.fsn.value());
  }
  out.bytes(chunk.payload);
  out.pad_to_4();
}

}  // namespace pollrtc::sctp
