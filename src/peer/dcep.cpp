#include "peer/dcep.h"

#include "base/bytes.h"

namespace pollrtc::dcep {
namespace {

// RFC 8832 §5.1, Channel Type: the low bits say what limits retransmission, the top bit that order does not
// matter.
constexpr std::uint8_t kReliable = 0x00, kRetransmits = 0x01, kLifetime = 0x02, kUnordered = 0x80;

}  // namespace

// | type:8 | channel_type:8 | priority:16 | reliability:32 | label_length:16 | protocol_length:16 | label |
// protocol |
std::optional<Open> parse_open(Bytes message) {
  ByteReader r(message);
  Open open;
  const std::uint8_t message_type = r.u8(), channel_type = r.u8();
  open.priority = r.u16();
  const std::uint32_t reliability = r.u32();
  const std::size_t label_length = r.u16(), protocol_length = r.u16();
  open.label = as_text(r.take(label_length));
  open.protocol = as_text(r.take(protocol_length));
  if (!r.at_end() || message_type != kOpen) return std::nullopt;

  open.ordered = (channel_type & kUnordered) == 0;
  switch (channel_type & static_cast<std::uint8_t>(~kUnordered)) {
    case kReliable:
      break;  // §5.1: the parameter is ignored
    case kRetransmits:
      open.max_retransmits = reliability;
      break;
    case kLifetime:
      open.max_lifetime_ms = reliability;
      break;
    default:
      return std::nullopt;
  }
  return open;
}

bool write_open(const Open& open, Buffer& out) {
  if (!out.resize_discarding(kOpenHeaderSize + open.label.size() + open.protocol.size())) return false;
  std::uint8_t channel_type = open.max_retransmits   ? kRetransmits
                              : open.max_lifetime_ms ? kLifetime
                                                     : kReliable;
  if (!open.ordered) channel_type |= kUnordered;
  ByteWriter w(out.writable());
  w.u8(kOpen);
  w.u8(channel_type);
  w.u16(open.priority);
  w.u32(open.max_retransmits.value_or(open.max_lifetime_ms.value_or(0)));
  w.u16(static_cast<std::uint16_t>(open.label.size()));
  w.u16(static_cast<std::uint16_t>(open.protocol.size()));
  w.bytes(as_bytes(open.label));
  w.bytes(as_bytes(open.protocol));
  return w.ok();
}

}  // namespace pollrtc::dcep
