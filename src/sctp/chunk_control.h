// The small chunks: those that are a header alone, SHUTDOWN (RFC 9260 §3.3.8), HEARTBEAT (§3.3.5), ABORT
// (§3.3.7) and ERROR (§3.3.10).
#pragma once

#include <optional>

#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/parameters.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

// ABORT and SHUTDOWN COMPLETE: the verification tag is the one of the packet answered, not the receiver's
// (§8.5.1).
inline constexpr std::uint8_t kTagReflected = 1;

inline void write_chunk(ByteWriter& out, ChunkType type, std::uint8_t flags = 0, Bytes value = {}) {
  ChunkWriter w(out, code_of(type), flags);
  out.bytes(value);
  w.finish();
}

// ABORT or ERROR with one cause.
inline void write_cause(ByteWriter& out, ChunkType type, std::uint8_t flags, CauseCode cause, Bytes value) {
  ChunkWriter w(out, code_of(type), flags);
  write_tlv_unpadded(out, code_of(cause), value);
  w.finish();
}

// | 7 | 0 | 8 | cumulative_tsn_ack:32 |
inline std::optional<Tsn> parse_shutdown(const ChunkView& chunk) {
  ByteReader r(chunk.value);
  const Tsn cumulative_tsn_ack(r.u32());
  return r.ok() ? std::optional(cumulative_tsn_ack) : std::nullopt;
}
inline void write_shutdown(ByteWriter& out, Tsn cumulative_tsn_ack) {
  ChunkWriter w(out, code_of(ChunkType::Shutdown));
  out.u32(cumulative_tsn_ack.value());
  w.finish();
}

// HEARTBEAT and its ACK: | 4 or 5 | 0 | length | HeartbeatInfo parameter |. Our info is a 64-bit nonce.
inline void write_heartbeat(ByteWriter& out, std::uint64_t nonce) {
  ChunkWriter w(out, code_of(ChunkType::Heartbeat));
  std::array<std::uint8_t, 8> info;
  store_u64(info.data(), nonce);
  write_tlv_unpadded(out, code_of(ParameterType::HeartbeatInfo), info);
  w.finish();
}
inline std::optional<std::uint64_t> parse_heartbeat_nonce(const ChunkView& chunk) {
  TlvView info;
  if (TlvWalker(chunk.value).next(info) != Walk::Item) return std::nullopt;
  if (info.type != code_of(ParameterType::HeartbeatInfo) || info.value.size() != 8) return std::nullopt;
  return load_u64(info.value.data());
}

// RFC 4820 §3: | 0x84 | 0 | length | padding |; `size` bytes in all, at least 4 and a multiple of 4.
inline void write_pad(ByteWriter& out, std::size_t size) {
  ChunkWriter w(out, code_of(ChunkType::Pad));
  out.zeros(size - kTlvHeader);
  w.finish();
}

}  // namespace pollrtc::sctp
