#include "sctp/black_hole.h"

#include <algorithm>

namespace pollrtc::sctp {

namespace {
constexpr std::uint32_t kPerLossRate = 20;  // packets
}  // namespace

void BlackHole::on_lost(PacketNumber number, const SentPacket& packet) {
  if (packet.sent_at < since_ || (is_suspected() && number == last_lost_)) return;
  if (!packet.is_large) {
    if (is_suspected()) ++smaller_lost_;
    last_lost_ = number;
    return;
  }
  if (!is_suspected()) since_ = last_at_ = packet.sent_at;
  last_lost_ = number;
  last_at_ = std::max(last_at_, packet.sent_at);
  ++lost_;
}

void BlackHole::on_delivered(PacketNumber number, const SentPacket* packet) {
  if (packet != nullptr && packet->sent_at < since_) return;
  if (packet == nullptr || packet->is_large) return reset(since_);
  if (smaller_delivered_ != 0 && number == last_delivered_) return;
  last_delivered_ = number;
  ++smaller_delivered_;
}

// One packet more than three for each twentieth of the smaller ones that are lost. Large ones that vanish by the same chance then
// make as many in a row once in a hundred thousand times, be that chance one in fifty or two in five.
bool BlackHole::is_certain(Duration rto) const {
  if (lost_ < kLeastPackets || smaller_delivered_ < kLeastPackets) return false;
  if (last_at_ - since_ < std::max(kLeastTime, 2 * rto)) return false;
  const std::uint32_t smaller = smaller_lost_ + smaller_delivered_;
  // As if one more of two had been lost: a few that arrived prove little.
  return lost_ >= kLeastPackets + kPerLossRate * (smaller_lost_ + 1) / (smaller + 2);
}

}  // namespace pollrtc::sctp
