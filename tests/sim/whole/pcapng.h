// Traces for Wireshark (pcapng, draft-ietf-opsawg-pcapng): two interfaces, both of raw IP. On the first every datagram as UDP,
// on the second every SCTP packet in the clear, as if it had gone by IP (protocol 132), with the ports of its path as addresses say.
#pragma once

#include <iosfwd>

#include "pollrtc/packet_tap.h"

namespace pollrtc::sim {

class PcapngWriter {
 public:
  explicit PcapngWriter(std::ostream& out);
  // What comes in was sent by somebody too: only what is sent is written, so each packet stands there once.
  void write(Time now, const TappedPacket& packet);

 private:
  void block(std::uint32_t type, Bytes body);
  std::ostream& out_;
};

}  // namespace pollrtc::sim
