// Traces for Wireshark (pcapng, draft-ietf-opsawg-pcapng): two interfaces, both of raw IP. On the first every datagram as UDP,
// on the second every SCTP packet in the clear, as if it had gone by IP (protocol 132). Each packet says whether it was sent or received.
#pragma once

#include <iosfwd>

#include "pollrtc/packet_tap.h"

namespace pollrtc::capture {

class PcapngWriter {
 public:
  explicit PcapngWriter(std::ostream& out);
  // `now` is the time that the trace tells.
  void write(Time now, const TappedPacket& packet);

 private:
  void block(std::uint32_t type, Bytes body);
  std::ostream& out_;
};

}  // namespace pollrtc::capture
