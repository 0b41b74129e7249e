// The packets with DATA of which something may still be in flight, by number. Chunks refer to them, so that what is known of
// a packet is kept once however many chunks it held.
#pragma once

#include "base/memory.h"
#include "sctp/delivery_rate.h"

namespace pollrtc::sctp {

class SentPackets {
 public:
  SentPackets(const Memory& memory, std::size_t most) : packets_(memory), most_(most) {}

  // A packet that is being written. False: no memory, or too many are under way.
  [[nodiscard]] bool open(const SentPacket& packet) {
    return packets_.size() < most_ && packets_.push_back(packet);
  }
  bool empty() const { return packets_.empty(); }
  std::size_t size() const { return packets_.size(); }
  // Only when not empty.
  PacketNumber newest_number() const { return first_ + static_cast<std::uint32_t>(packets_.size() - 1); }
  SentPacket& newest() { return packets_.back(); }
  // Null when it was let go.
  const SentPacket* find(PacketNumber number) const {
    const std::uint32_t place = number.distance_from(first_);
    return place < packets_.size() ? &packets_[place] : nullptr;
  }
  // Those before `first_needed` are let go. The newest stays in any case: what a peer reneges on is counted to it.
  void release_before(PacketNumber first_needed) {
    while (packets_.size() > 1 && first_ < first_needed) {
      packets_.pop_front();
      ++first_;
    }
  }

 private:
  Ring<SentPacket> packets_;
  std::size_t most_;
  PacketNumber first_{};  // of the oldest here
};

}  // namespace pollrtc::sctp
