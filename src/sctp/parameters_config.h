// The protocol parameters of RFC 9260 §16, as one struct that both halves of the association read.
#pragma once

#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

enum class CongestionAlgorithm : std::uint8_t {
  NewReno,    // RFC 9260 §7.2, for reference: congestion.h
  Cubic,      // RFC 9438: cubic.h
  Model,      // after BBRv3: path_model.h
  LowLatency  // the same, with a queue of some milliseconds
};

struct Parameters {
  // Where something below SCTP watches over the peer, as consent does in WebRTC (RFC 7675).
  //
  // DEVIATION RFC 9260 §6.3.3: a wait is doubled up to three seconds only, as in browsers. Doubled up to a minute, a
  // path that loses two packets of five, or comes back after a pause, would stand still most of the time; a packet in
  // three seconds harms nobody. The limits on retransmissions count tries, so with shorter waits more of them make up
  // the same five minutes of silence (§8.1); eleven lost tries in a row are nothing unusual on such a path.
  //
  // And no HEARTBEAT while all is well, as the user of an association may choose (§8.3 A): whether the peer is there is known
  // within 30 s, and thousands of silent associations cost nothing. While something of ours goes unanswered they are sent, since
  // a peer that answers those is there, whatever it does not know.
  static constexpr Parameters over_watched_path();

  // DEVIATION RFC 9260 §16: 1 s and 1 s there. A data channel runs over a path that ICE has just measured;
  // half a second and 400 ms are what browsers use, and 400 ms still lies above the 200 ms by which a peer
  // may delay its SACK.
  Duration rto_initial = std::chrono::milliseconds(500);
  Duration rto_min = std::chrono::milliseconds(400);
  Duration rto_max = std::chrono::seconds(60);
  Duration max_back_off = std::chrono::seconds(60);  // doubling goes no further; a measured RTO may be larger
  Duration t1_initial = std::chrono::seconds(1);  // until set_initial_rtt() knows better; T2 follows the RTO
  Duration sack_delay = std::chrono::milliseconds(200);
  Duration heartbeat_interval = std::chrono::seconds(30);
  bool heartbeat_when_idle = true;  // false: only as long as the peer leaves something unanswered
  Duration valid_cookie_life = std::chrono::seconds(60);
  std::uint16_t association_max_retrans = 10;
  std::uint16_t max_init_retransmits = 8;
  std::uint16_t max_burst = 4;
  // RACK-TLP (RFC 8985) beside the three misses of RFC 9260 §7.2.4 and T3. Without it those two are all: for reference.
  bool rack_tlp = true;
  CongestionAlgorithm congestion = CongestionAlgorithm::Model;
};

constexpr Parameters Parameters::over_watched_path() {
  Parameters parameters;
  parameters.max_back_off = std::chrono::seconds(3);
  parameters.association_max_retrans = parameters.max_init_retransmits = 100;
  parameters.heartbeat_when_idle = false;
  return parameters;
}

}  // namespace pollrtc::sctp
