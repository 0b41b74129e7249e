#include "sctp/packet.h"

#include "base/crc.h"

namespace pollrtc::sctp {

namespace {

constexpr std::size_t kChecksumAt = 8;

// The CRC is computed with the checksum field as zero, and its bytes stand in the packet lowest first: alone
// among the fields, since CRC-32C numbers its bits from the other end (RFC 9260 appendix A).
std::uint32_t checksum_of(Bytes packet) {
  constexpr std::array<std::uint8_t, 4> kZero{};
  std::uint32_t crc = crc32c(packet.first(kChecksumAt));
  crc = crc32c(kZero, crc);
  return crc32c(packet.subspan(kCommonHeader), crc);
}
std::uint32_t load_checksum(const std::uint8_t* p) {
  return std::uint32_t{p[3]} << 24 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[1]} << 8 | p[0];
}

}  // namespace

Result<Packet, Drop> parse_packet(Bytes packet, bool accept_zero) {
  if (packet.size() < kCommonHeader) return Unexpected{Drop::SctpTruncated};
  const std::uint32_t checksum = load_checksum(packet.data() + kChecksumAt);
  if (!(accept_zero && checksum == 0) && checksum != checksum_of(packet))
    return Unexpected{Drop::SctpChecksum};
  ByteReader r(packet);
  Packet parsed;
  parsed.source_port = r.u16();
  parsed.destination_port = r.u16();
  parsed.tag = VerificationTag{r.u32()};
  r.skip(4);
  parsed.chunks = r.rest();
  if (parsed.chunks.size() < kTlvHeader) return Unexpected{Drop::SctpTruncated};
  return parsed;
}

PacketWriter::PacketWriter(MutBytes out, std::size_t limit, std::uint16_t source_port,
                           std::uint16_t destination_port, VerificationTag tag)
    : out_(out.first(std::min(out.size(), limit) & ~std::size_t{3})), writer_(out_) {
  writer_.u16(source_port);
  writer_.u16(destination_port);
  writer_.u32(value_of(tag));
  writer_.u32(0);
}

std::size_t PacketWriter::finish(bool zero_checksum) {
  if (!writer_.ok() || !has_chunks()) return 0;
  const MutBytes packet = writer_.written();
  if (!zero_checksum) {
    const std::uint32_t crc = checksum_of(packet);
    for (std::size_t i = 0; i < 4; ++i) packet[kChecksumAt + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  }
  return packet.size();
}

}  // namespace pollrtc::sctp
