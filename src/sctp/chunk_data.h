// DATA (RFC 9260 §3.3.1) and I-DATA (RFC 8260 §2.1): a user message, or a fragment of one. An association speaks one of
// the two, and what both have in common has one type here.
#pragma once

#include <optional>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// DATA:   | 0 | reserved:4 I U B E | length:16 | tsn:32 | stream:16 | ssn:16 | ppid:32 | user data |
// I-DATA: | 64 | reserved:4 I U B E | length:16 | tsn:32 | stream:16 | reserved:16 | mid:32 | B ? ppid:32 : fsn:32 |
//         | user data |
struct DataChunk {
  Tsn tsn;
  StreamId stream{};
  Ssn ssn;                 // DATA only
  Mid mid;                 // I-DATA only, as is the FSN
  Fsn fsn;                 // 0 with the B bit
  Ppid ppid{};             // I-DATA: with the B bit only
  bool immediate = false;  // I: the sender wants the SACK at once
  bool unordered = false;  // U: the SSN means nothing; the MID counts unordered messages
  bool begin = false;      // B: first fragment of its message
  bool end = false;        // E: last fragment
  Bytes payload;  // a view; empty is a format error that draws an ABORT (§6.2), so the parser lets it pass
};

inline constexpr std::size_t kDataHeader = 16;  // with the chunk header
inline constexpr std::size_t kIDataHeader = 20;

// Nothing when it is shorter than its fixed part.
std::optional<DataChunk> parse_data(const ChunkView& chunk);
std::optional<DataChunk> parse_idata(const ChunkView& chunk);
// Header, payload and padding.
void write_data(ByteWriter& out, const DataChunk& chunk);
void write_idata(ByteWriter& out, const DataChunk& chunk);

}  // namespace pollrtc::sctp
