#include "sctp/delivery_rate.h"

#include <algorithm>
#include <utility>

namespace pollrtc::sctp {

SentPacket DeliveryRate::on_sent(Time now, bool is_first) {
  if (is_first) first_sent_at_ = delivered_at_ = now;
  SentPacket packet;
  packet.sent_at = now;
  packet.first_sent_at = first_sent_at_;
  packet.delivered_at = delivered_at_;
  packet.delivered = delivered_;
  packet.lost = lost_;
  packet.is_app_limited = is_app_limited();
  return packet;
}

void DeliveryRate::on_delivered(Time now, std::size_t bytes) {
  delivered_ += bytes;
  delivered_at_ = now;
  if (delivered_ > app_limited_until_) app_limited_until_ = 0;
}

RateSample DeliveryRate::sample(Time now, const SentPacket& newest, Duration shortest_rtt) {
  RateSample sample;
  sample.prior_delivered = newest.delivered;
  sample.delivered = static_cast<std::size_t>(delivered_ - newest.delivered);
  // What the last acknowledgement found lost was found after its sample was taken. Where each covers all that was in flight
  // nothing acknowledged now was sent before that, and losses would never be seen.
  const std::uint64_t lost_before = std::min(newest.lost, std::exchange(lost_at_sample_, lost_));
  sample.lost = static_cast<std::size_t>(lost_ > lost_before ? lost_ - lost_before : 0);
  sample.in_flight = newest.in_flight;
  sample.is_app_limited = newest.is_app_limited;
  // The slower of sending and of acknowledging: neither a burst of packets nor one of SACKs is the rate of the path.
  const Duration interval = std::max(newest.sent_at - newest.first_sent_at, now - newest.delivered_at);
  first_sent_at_ = newest.sent_at;
  if (interval >= shortest_rtt) sample.interval = std::max(interval, Duration::zero());
  return sample;
}

}  // namespace pollrtc::sctp
