// A whole SCTP packet: common header and checksum (RFC 9260 §3.1, §6.8; RFC 9653 for the checksum of zero).
#pragma once

#include <optional>

#include "base/bytes.h"
#include "pollrtc/result.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

inline constexpr std::size_t kCommonHeader = 12;

// | source_port:16 | destination_port:16 | verification_tag:32 | checksum:32 | chunks |
struct Packet {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  VerificationTag tag{};
  Bytes chunks;  // ChunkWalker
};

// The checksum is looked at before anything else. `accept_zero`: we announced Zero Checksum Acceptable, so a
// checksum of zero counts as right; a wrong one that is not zero never does (SCTP-PKT-01, -02, -03).
Result<Packet, Drop> parse_packet(Bytes packet, bool accept_zero);

// Writes the header at once, the chunks by whoever writes through chunks(), and the checksum last.
class PacketWriter {
 public:
  PacketWriter(MutBytes out, std::size_t limit, std::uint16_t source_port, std::uint16_t destination_port,
               VerificationTag tag);

  ByteWriter& chunks() { return writer_; }
  bool has_chunks() const { return writer_.size() > kCommonHeader; }
  std::size_t room() const { return writer_.room(); }
  // Runs `write(ByteWriter&)`. When what it wrote does not fit, the packet is as before, and the answer is
  // false.
  template <class Write>
  bool try_write(Write&& write) {
    const std::size_t before = writer_.size();
    write(writer_);
    if (writer_.ok()) return true;
    writer_.rewind(before);
    return false;
  }
  // The packet's size; 0 when it holds no chunk. `zero_checksum`: leave the checksum out.
  std::size_t finish(bool zero_checksum);

 private:
  MutBytes out_;
  ByteWriter writer_;
};

}  // namespace pollrtc::sctp
