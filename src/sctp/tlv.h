// The one walker for everything in SCTP that has a type and a length: chunks in a packet (RFC 9260 §3.2),
// parameters in a chunk (§3.2.1) and causes in an ERROR or ABORT (§3.3.10). Every length is checked here,
// once.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace pollrtc::sctp {

// A length counts its own four header bytes, but not the padding behind the value. Padding may hold anything,
// and may be missing at the very end (SCTP-PKT-06).
inline constexpr std::size_t kTlvHeader = 4;

enum class Walk : std::uint8_t {
  Item,      // there is one
  End,       // nothing is left
  BadLength  // the length is below four, or runs past the end: nothing behind this point can be told apart
};

// | type:8 | flags:8 | length:16 | value | padding |
struct ChunkView {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  Bytes value;  // without header and padding
  Bytes whole;  // with the header, without padding
};

// | type:16 | length:16 | value | padding |
struct TlvView {
  std::uint16_t type = 0;
  Bytes value;
  Bytes whole;
};

namespace detail {
// Cuts the next item off `rest`.
inline Walk next_item(Bytes& rest, Bytes& whole) {
  if (rest.empty()) return Walk::End;
  if (rest.size() < kTlvHeader) return Walk::BadLength;
  const std::size_t length = load_u16(rest.data() + 2);
  if (length < kTlvHeader || length > rest.size()) return Walk::BadLength;
  whole = rest.first(length);
  rest = rest.subspan(std::min(padded4(length), rest.size()));
  return Walk::Item;
}
}  // namespace detail

class ChunkWalker {
 public:
  explicit ChunkWalker(Bytes chunks) : rest_(chunks) {}
  Walk next(ChunkView& chunk) {
    const Walk walk = detail::next_item(rest_, chunk.whole);
    if (walk != Walk::Item) return walk;
    chunk.type = chunk.whole[0];
    chunk.flags = chunk.whole[1];
    chunk.value = chunk.whole.subspan(kTlvHeader);
    return walk;
  }

 private:
  Bytes rest_;
};

class TlvWalker {
 public:
  explicit TlvWalker(Bytes items) : rest_(items) {}
  Walk next(TlvView& item) {
    const Walk walk = detail::next_item(rest_, item.whole);
    if (walk != Walk::Item) return walk;
    item.type = load_u16(item.whole.data());
    item.value = item.whole.subspan(kTlvHeader);
    return walk;
  }

 private:
  Bytes rest_;
};

// True when every item of the list has a sound length (SCTP-PKT-10: the last one is checked like the others).
inline bool is_well_formed_tlvs(Bytes items) {
  TlvWalker walker(items);
  TlvView item;
  Walk walk;
  while ((walk = walker.next(item)) == Walk::Item) {
  }
  return walk == Walk::End;
}

// Writes one chunk: the header now, the value by the caller, then finish() patches the length and pads.
class ChunkWriter {
 public:
  ChunkWriter(ByteWriter& out, std::uint8_t type, std::uint8_t flags = 0) : out_(out), start_(out.size()) {
    out_.u8(type);
    out_.u8(flags);
    out_.u16(0);
  }
  void finish() {
    out_.patch_u16(start_ + 2, static_cast<std::uint16_t>(out_.size() - start_));
    out_.pad_to_4();
  }

 private:
  ByteWriter& out_;
  std::size_t start_;
};

// One parameter or cause, padded. What it stands in must not count the padding of the last one (RFC 9260
// §3.2), so a chunk ends with write_tlv_unpadded().
inline void write_tlv_unpadded(ByteWriter& out, std::uint16_t type, Bytes value) {
  out.u16(type);
  out.u16(static_cast<std::uint16_t>(kTlvHeader + value.size()));
  out.bytes(value);
}
inline void write_tlv(ByteWriter& out, std::uint16_t type, Bytes value) {
  write_tlv_unpadded(out, type, value);
  out.pad_to_4();
}

}  // namespace pollrtc::sctp
