#include "sim/trace.h"

#include <cstdio>
#include <ostream>

#include "base/address.h"
#include "base/bytes.h"

namespace pollrtc::sim {
namespace {

std::vector<std::uint8_t> with_headers(const Address& from, const Address& to, Bytes datagram) {
  std::vector<std::uint8_t> packet(48 + datagram.size());
  ByteWriter w(packet);
  const auto udp_size = static_cast<std::uint16_t>(8 + datagram.size());
  if (from.family == Address::Family::IPv4) {
    w.u16(0x4500);
    w.u16(static_cast<std::uint16_t>(20 + udp_size));
    w.u32(0);
    w.u16(64 << 8 | 17);
    w.u16(0);  // no checksum: readers do not mind
  } else {
    w.u32(0x60000000);
    w.u16(udp_size);
    w.u16(17 << 8 | 64);
  }
  w.bytes(from.ip_bytes());
  w.bytes(to.ip_bytes());
  w.u16(from.port);
  w.u16(to.port);
  w.u16(udp_size);
  w.u16(0);
  w.bytes(datagram);
  packet.resize(w.size());
  return packet;
}

}  // namespace

void Trace::mix(std::uint64_t value) {  // FNV-1a over the eight bytes
  for (int i = 0; i < 8; ++i, value >>= 8) hash_ = (hash_ ^ (value & 0xff)) * 0x100000001b3u;
}

void Trace::record(Time now, Fate fate, const Address& from, const Address& to, Bytes datagram) {
  ++counts_[static_cast<std::size_t>(fate)];
  mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
  mix(static_cast<std::uint64_t>(fate));
  for (const Address& address : {from, to}) {
    mix(load_u64(address.ip.data()));
    mix(load_u64(address.ip.data() + 8));
    mix(address.port);
  }
  mix(datagram.size());
  if (with_bytes_)
    for (const std::uint8_t byte : datagram) hash_ = (hash_ ^ byte) * 0x100000001b3u;
  if (dump_ != nullptr) dump(now, fate, from, to, datagram);
}

void Trace::dump(Time now, Fate fate, const Address& from, const Address& to, Bytes datagram) {
  if (fate == Fate::Delivered) return;
  *dump_ << "# " << name_of(fate) << ' ' << address_text(from).view() << " -> " << address_text(to).view()
         << '\n';
  if (fate != Fate::Sent) return;
  const auto us = now.time_since_epoch().count();
  char text[40];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%06d\n", static_cast<int>(us / 3'600'000'000 % 24),
                static_cast<int>(us / 60'000'000 % 60), static_cast<int>(us / 1'000'000 % 60),
                static_cast<int>(us % 1'000'000));
  *dump_ << text;
  const auto packet = with_headers(from, to, datagram);
  for (std::size_t i = 0; i < packet.size(); ++i) {
    if (i % 16 == 0) std::snprintf(text, sizeof text, "%s%06zx", i == 0 ? "" : "\n", i), *dump_ << text;
    std::snprintf(text, sizeof text, " %02x", static_cast<unsigned>(packet[i]));
    *dump_ << text;
  }
  *dump_ << "\n\n";
}

}  // namespace pollrtc::sim
