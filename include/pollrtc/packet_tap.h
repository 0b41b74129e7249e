// PacketTap: looks at what passes, for captures and tests. It may not call the connection it looks at.
#pragma once

#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc {

// What was seen.
enum class PacketLayer : std::uint8_t {
  Udp,   // a whole datagram, as on the wire: STUN, DTLS, TURN
  Sctp,  // an SCTP packet in the clear, before it is sealed or after it was opened
};

// A packet that passes.
struct TappedPacket {
  Time time;                             // when, by the connection's clock
  Path path;                             // from our end: `local` is ours, whichever way it goes
  Bytes bytes;                           // good for the call
  PacketLayer layer = PacketLayer::Udp;  // whole datagram, or SCTP in the clear
  bool is_sent = false;                  // false: received
};

// The hook that looks.
struct PacketTap {
  // Called for each packet, in the middle of things: see PeerConnection about what it may do.
  void (*packet)(void* context, const TappedPacket& packet) = nullptr;
  void* context = nullptr;  // handed to packet()
};

}  // namespace pollrtc
