#include "sctp/rack.h"

#include <algorithm>

namespace pollrtc::sctp {

bool Rack::on_delivered(Time now, PacketNumber number, const SentPacket& packet) {
  const Duration rtt = std::max(now - packet.sent_at, Duration::zero());
  if (packet.is_retransmission) {
    if (rtt < shortest_.value_or(Duration::zero())) return false;
  } else {
    shortest_ = std::min(shortest_.value_or(rtt), rtt);
  }
  if (newest_ && number <= *newest_) return true;
  newest_ = number;
  rtt_ = rtt;
  return true;
}

void Rack::on_duplicates(Tsn cumulative, Tsn next_tsn) {
  if (duplicates_until_ && cumulative >= *duplicates_until_) duplicates_until_.reset();
  if (duplicates_until_) return;
  duplicates_until_ = next_tsn;
  if (factor_ < kLargestFactor) ++factor_;
  persistence_ = kPersistence;
}

void Rack::on_recovery_end() {
  if (persistence_ == 0) return;
  if (--persistence_ == 0) factor_ = 1;
}

Duration Rack::window(Duration srtt) const {
  const Duration wanted = factor_ * shortest_.value_or(Duration::zero()) / 4;
  return std::max(std::min(wanted, srtt), kLeastWindow);
}

}  // namespace pollrtc::sctp
