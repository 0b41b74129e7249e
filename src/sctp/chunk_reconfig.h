// RE-CONFIG (RFC 6525 §3.1) and its parameters (§4).
#pragma once

#include <span>
#include <variant>

#include "base/fixed_vec.h"
#include "pollrtc/result.h"
#include "sctp/parameters.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// A list of stream ids as it lies in the packet; empty means all streams (RFC 6525 §4.1).
struct StreamList {
  Bytes bytes;
  std::size_t count() const { return bytes.size() / 2; }
  StreamId operator[](std::size_t i) const { return StreamId{load_u16(bytes.data() + 2 * i)}; }
};

// | 13 | 16 + 2N | request:32 | response:32 | last_assigned_tsn:32 | streams |
struct OutgoingResetRequest {
  ReconfigSeq request;
  ReconfigSeq response;
  Tsn last_assigned_tsn;
  StreamList streams;
};
// | 14 | 8 + 2N | request:32 | streams |
struct IncomingResetRequest {
  ReconfigSeq request;
  StreamList streams;
};
// SSN/TSN reset and the two that add streams: we deny them all, so the number is all we need.
struct OtherRequest {
  ReconfigSeq request;
};
// RFC 6525 §4.4 table 3.
enum class ReconfigResult : std::uint32_t {
  NothingToDo = 0,
  Performed = 1,
  Denied = 2,
  WrongSsn = 3,
  AlreadyInProgress = 4,
  BadSequenceNumber = 5,
  InProgress = 6
};
// | 16 | 12 or 20 | response:32 | result:32 | (two TSNs) |
struct ReconfigResponse {
  ReconfigSeq response;
  ReconfigResult result{};
  friend constexpr bool operator==(const ReconfigResponse&, const ReconfigResponse&) = default;
};

using ReconfigParameter =
    std::variant<OutgoingResetRequest, IncomingResetRequest, OtherRequest, ReconfigResponse>;
using ReconfigChunk = FixedVec<ReconfigParameter, 2>;

enum class ReconfigFault : std::uint8_t {
  Malformed,   // a length that no such parameter can have: the chunk has no effect
  Combination  // parameters that must not stand together (§3.1): answered with ERROR(protocol violation)
};
Result<ReconfigChunk, ReconfigFault> parse_reconfig(const ChunkView& chunk);

inline constexpr std::size_t kOutgoingResetHeader =
    4 + 16;  // chunk and parameter header, without the streams
void write_outgoing_reset(ByteWriter& out, ReconfigSeq request, ReconfigSeq response, Tsn last_assigned_tsn,
                          std::span<const StreamId> streams);
void write_reconfig_responses(ByteWriter& out, std::span<const ReconfigResponse> responses);

}  // namespace pollrtc::sctp
