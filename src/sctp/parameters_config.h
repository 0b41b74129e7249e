// The protocol parameters of RFC 9260 §16, as one struct that both halves of the association read.
#pragma once

#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

struct Parameters {
  // DEVIATION RFC 9260 §16: 1 s and 1 s there. A data channel runs over a path that ICE has just measured;
  // half a second and 400 ms are what browsers use, and 400 ms still lies above the 200 ms by which a peer
  // may delay its SACK.
  Duration rto_initial = std::chrono::milliseconds(500);
  Duration rto_min = std::chrono::milliseconds(400);
  Duration rto_max = std::chrono::seconds(60);
  Duration t1_initial = std::chrono::seconds(1);  // until set_initial_rtt() knows better; T2 follows the RTO
  Duration sack_delay = std::chrono::milliseconds(200);
  Duration heartbeat_interval = std::chrono::seconds(30);
  Duration valid_cookie_life = std::chrono::seconds(60);
  std::uint16_t association_max_retrans = 10;
  std::uint16_t max_init_retransmits = 8;
  std::uint16_t max_burst = 4;
};

}  // namespace pollrtc::sctp
