// PacketTap: looks at what passes, for captures and tests. It may not call the connection it looks at.
#pragma once

#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc {

enum class PacketLayer : std::uint8_t {
  Udp,   // a whole datagram, as on the wire: STUN, DTLS, TURN
  Sctp,  // an SCTP packet in the clear, before it is sealed or after it was opened
};

struct TappedPacket {
  Time time;
  Path path;
  Bytes bytes;  // good for the call
  PacketLayer layer = PacketLayer::Udp;
  bool is_sent = false;
};

struct PacketTap {
  void (*packet)(void* context, const TappedPacket& packet) = nullptr;
  void* context = nullptr;
};

}  // namespace pollrtc
