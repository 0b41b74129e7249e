#include "sctp/send_pacer.h"

#include <algorithm>

namespace pollrtc::sctp {

bool SendPacer::may_send(Time now) {
  if (now >= free_at_) {
    wake_at_ = kNever;
    return true;
  }
  is_waited_for_ = true;
  if (wake_at_ == kNever) wake_at_ = std::max(free_at_, now + kQuantum);
  return false;
}

void SendPacer::on_sent(Time now, std::size_t bytes, std::uint64_t rate, std::size_t packet) {
  const auto microseconds = [rate](std::uint64_t millionths) {
    return Duration(static_cast<Duration::rep>(millionths / rate));
  };
  const Duration burst = std::max(kQuantum, microseconds(kLeastPackets * packet * std::uint64_t{1'000'000}));
  const Time earliest = now - (is_waited_for_ ? std::max(kMostLate, burst) : burst);
  if (free_at_ < earliest) {
    free_at_ = earliest;
    remainder_ = 0;
  }
  // What a division by the rate leaves over counts for the next packet: at a gigabit a packet takes ten microseconds.
  const std::uint64_t cost = bytes * std::uint64_t{1'000'000} + std::min<std::uint64_t>(remainder_, rate);
  free_at_ += microseconds(cost);
  remainder_ = cost % rate;
}

void SendPacer::on_nothing_to_send() {
  is_waited_for_ = false;
  wake_at_ = kNever;
}

}  // namespace pollrtc::sctp
