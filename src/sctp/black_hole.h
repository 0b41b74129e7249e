// Packets of some size vanish while smaller ones arrive: the third sign of a black hole in RFC 8899 §4.3. Timeouts, the second,
// do not show it: acknowledgements go on, and what RACK sends again restarts T3 each time.
//
// A plain value: it is told which packets were lost and, once one was, which arrive. Packets are large when the path need not
// carry them: when they are above its base size, and must not be cut (TxOutstanding).
#pragma once

#include "sctp/delivery_rate.h"

namespace pollrtc::sctp {

class BlackHole {
 public:
  static constexpr std::uint32_t kLeastPackets = 3;  // lost, and smaller ones that arrived
  static constexpr Duration kLeastTime = std::chrono::seconds(1);

  // A large packet was lost, and since then none has arrived: the others are to be told.
  bool is_suspected() const { return lost_ != 0; }
  void on_lost(PacketNumber number, const SentPacket& packet);
  // Null: it had been given up for lost, and is not known any more.
  void on_delivered(PacketNumber number, const SentPacket* packet);
  // It has gone on for longer than a burst of losses, and chance takes large and small ones alike.
  bool is_certain(Duration rto) const;
  // What left before says nothing about what comes.
  void reset(Time since) {
    *this = BlackHole();
    since_ = since;
  }

 private:
  Time since_{};                                 // the first large packet that was lost left then
  Time last_at_{};                               // and the last
  PacketNumber last_lost_{}, last_delivered_{};  // packets hold several chunks, and are counted once
  std::uint32_t lost_ = 0;
  std::uint32_t smaller_lost_ = 0, smaller_delivered_ = 0;
};

}  // namespace pollrtc::sctp
