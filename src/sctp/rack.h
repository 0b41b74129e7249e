// RACK-TLP (RFC 8985), told by SACK gap blocks instead of TCP's SACK option: a chunk is lost when one that was sent later has
// arrived, and time enough has passed for mere reordering to be over. Read §3 and §6.2.
//
// A plain value: it is told which packets arrived and says how long to wait. The order of sending is that of PacketNumber,
// so no two packets of one microsecond are confused. The chunks lie in TxOutstanding (tx_recovery.cpp).
#pragma once

#include <optional>

#include "sctp/delivery_rate.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

class Rack {
 public:
  // DEVIATION RFC 8985 §6.2: never less than a millisecond, as RFC 9002 §6.1.2 has it. Hosts handle datagrams in batches of
  // about that length, and a spurious retransmission costs more than the wait.
  static constexpr Duration kLeastWindow = std::chrono::milliseconds(1);
  static constexpr std::uint8_t kPersistence = 16;  // recoveries (§6.2 step 4)
  static constexpr std::uint8_t kLargestFactor = 64;
  // §7.2, WCDelAckT: for how long a peer may keep a SACK for a lone packet back (RFC 9260 §6.2).
  static constexpr Duration kDelayedSack = std::chrono::milliseconds(200);

  // Steps 1 and 2. False: the chunk was sent again, and so soon that this must be about the one sent before: it tells
  // nothing about the packet.
  bool on_delivered(Time now, PacketNumber number, const SentPacket& packet);
  // Step 3: a chunk that was sent once arrived, and a later TSN had arrived before it.
  void on_reordering() { reordering_seen_ = true; }
  // Step 4: the peer names TSNs that came twice, so we sent too early. One step a round trip: `next_tsn` is what will be
  // assigned next, `cumulative` what has come back.
  void on_duplicates(Tsn cumulative, Tsn next_tsn);
  void on_recovery_end();
  // Another path has another round trip and another order.
  void reset() { *this = Rack(); }

  bool has_seen_reordering() const { return reordering_seen_; }
  // How far out of order a packet may come.
  Duration window(Duration srtt) const;
  // Step 5: was it sent before the newest packet that has arrived?
  bool is_overtaken(PacketNumber number) const { return newest_ && number < *newest_; }
  // When a packet that was overtaken counts as lost.
  Time lost_at(Time sent_at, Duration srtt) const { return sent_at + rtt_ + window(srtt); }

  Duration rtt() const { return rtt_; }
  // §6.2 step 1 asks for a filter. The shortest round trip since the path changed: what it is for is to tell an early
  // acknowledgement and to scale the window, and for both a path that has grown longer errs to the safe side.
  std::optional<Duration> shortest_rtt() const { return shortest_; }

  // §7.2: how long the tail of a flight may go unanswered before a probe; nothing is known without a round trip.
  static Duration probe_timeout(Duration srtt, bool is_lone_packet) {
    return 2 * srtt + (is_lone_packet ? kDelayedSack : Duration::zero());
  }

 private:
  std::optional<PacketNumber> newest_;  // RACK.xmit_ts and RACK.end_seq
  Duration rtt_{};
  std::optional<Duration> shortest_;
  std::optional<Tsn> duplicates_until_;  // RACK.dsack_round
  std::uint8_t factor_ = 1;              // RACK.reo_wnd_mult
  std::uint8_t persistence_ = 0;         // RACK.reo_wnd_persist
  bool reordering_seen_ = false;
};

}  // namespace pollrtc::sctp
