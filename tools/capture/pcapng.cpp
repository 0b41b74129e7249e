#include "capture/pcapng.h"

#include <ostream>
#include <vector>

namespace pollrtc::capture {
namespace {

constexpr std::uint16_t kRawIp = 101;  // LINKTYPE_RAW
constexpr std::uint16_t kFlags = 2;    // option of a packet: the direction in its lowest bits
constexpr std::uint32_t kInbound = 1, kOutbound = 2;
constexpr std::uint8_t kUdp = 17, kSctp = 132;

// pcapng numbers are in the writer's byte order, which the section header tells; ours is little-endian everywhere.
struct Body {
  std::vector<std::uint8_t> bytes;
  void u16(std::uint32_t v) {
    bytes.push_back(static_cast<std::uint8_t>(v));
    bytes.push_back(static_cast<std::uint8_t>(v >> 8));
  }
  void u32(std::uint32_t v) {
    u16(v & 0xFFFF);
    u16(v >> 16);
  }
  void be16(std::size_t v) {
    bytes.push_back(static_cast<std::uint8_t>(v >> 8));
    bytes.push_back(static_cast<std::uint8_t>(v));
  }
  void append(Bytes more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
};

std::uint32_t sum_of(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return sum;
}

// RFC 791 §3.1, RFC 8200 §3.
std::vector<std::uint8_t> ip_packet(const Address& from, const Address& to, std::uint8_t protocol,
                                    Bytes payload) {
  Body ip;
  if (from.family == Address::Family::IPv4) {
    ip.be16(0x4500);
    ip.be16(20 + payload.size());
    ip.be16(0);
    ip.be16(0);
    ip.bytes.push_back(64);
    ip.bytes.push_back(protocol);
    ip.be16(0);
    ip.append(from.ip_bytes());
    ip.append(to.ip_bytes());
    const std::uint32_t checksum = ~sum_of(ip.bytes) & 0xFFFF;
    ip.bytes[10] = static_cast<std::uint8_t>(checksum >> 8);
    ip.bytes[11] = static_cast<std::uint8_t>(checksum);
  } else {
    ip.be16(0x6000);
    ip.be16(0);
    ip.be16(payload.size());
    ip.bytes.push_back(protocol);
    ip.bytes.push_back(64);
    ip.append(from.ip_bytes());
    ip.append(to.ip_bytes());
  }
  ip.append(payload);
  return ip.bytes;
}

}  // namespace

PcapngWriter::PcapngWriter(std::ostream& out) : out_(out) {
  Body section;
  section.u32(0x1A2B3C4D);  // the byte order
  section.u16(1);           // version 1.0
  section.u16(0);
  section.u32(0xFFFFFFFF);  // of unknown length
  section.u32(0xFFFFFFFF);
  block(0x0A0D0D0A, section.bytes);
  for (int i = 0; i < 2; ++i) {
    Body interface;
    interface.u16(kRawIp);
    interface.u16(0);
    interface.u32(0);  // no limit
    block(1, interface.bytes);
  }
}

void PcapngWriter::write(Time now, const TappedPacket& packet) {
  const Address& from = packet.is_sent ? packet.path.local : packet.path.remote;
  const Address& to = packet.is_sent ? packet.path.remote : packet.path.local;
  std::vector<std::uint8_t> ip;
  if (packet.layer == PacketLayer::Udp) {
    Body udp;
    udp.be16(from.port);
    udp.be16(to.port);
    udp.be16(8 + packet.bytes.size());
    udp.be16(0);
    udp.append(packet.bytes);
    ip = ip_packet(from, to, kUdp, udp.bytes);
  } else {
    ip = ip_packet(from, to, kSctp, packet.bytes);
  }
  const auto microseconds = static_cast<std::uint64_t>(now.time_since_epoch().count());
  Body enhanced;
  enhanced.u32(packet.layer == PacketLayer::Udp ? 0 : 1);
  enhanced.u32(static_cast<std::uint32_t>(microseconds >> 32));
  enhanced.u32(static_cast<std::uint32_t>(microseconds));
  enhanced.u32(static_cast<std::uint32_t>(ip.size()));
  enhanced.u32(static_cast<std::uint32_t>(ip.size()));
  enhanced.append(ip);
  enhanced.bytes.resize((enhanced.bytes.size() + 3) / 4 * 4);
  enhanced.u16(kFlags);
  enhanced.u16(4);
  enhanced.u32(packet.is_sent ? kOutbound : kInbound);
  enhanced.u32(0);  // the end of the options
  block(6, enhanced.bytes);
}

void PcapngWriter::block(std::uint32_t type, Bytes body) {
  const std::size_t padded = (body.size() + 3) / 4 * 4;
  Body whole;
  whole.u32(type);
  whole.u32(static_cast<std::uint32_t>(12 + padded));
  whole.append(body);
  whole.bytes.resize(8 + padded);
  whole.u32(static_cast<std::uint32_t>(12 + padded));
  out_.write(reinterpret_cast<const char*>(whole.bytes.data()),
             static_cast<std::streamsize>(whole.bytes.size()));
}

}  // namespace pollrtc::capture
