// DATA (RFC 9260 §3.3.1).
#pragma once

#include <optional>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// | 0 | reserved:4 I U B E | length:16 | tsn:32 | stream:16 | ssn:16 | ppid:32 | user data |
struct DataChunk {
  Tsn tsn;
  StreamId stream{};
  Ssn ssn;
  Ppid ppid{};
  bool immediate = false;  // I: the sender wants the SACK at once
  bool unordered = false;  // U: the SSN means nothing
  bool begin = false;      // B: first fragment of its message
  bool end = false;        // E: last fragment
  Bytes payload;  // a view; empty is a format error that draws an ABORT (§6.2), so the parser lets it pass
};

inline constexpr std::size_t kDataHeader = 16;  // with the chunk header

// Nothing when it is shorter than its fixed part.
std::optional<DataChunk> parse_data(const ChunkView& chunk);
// Header, payload and padding.
void write_data(ByteWriter& out, const DataChunk& chunk);

}  // namespace pollrtc::sctp
