#include "sctp/hystart.h"

#include <algorithm>

namespace pollrtc::sctp {

void HyStart::on_round_start() {
  last_min_ = current_min_;
  current_min_ = kNone;
  samples_ = 0;
  if (is_conservative_ && rounds_left_ != 0) --rounds_left_;
}

void HyStart::on_rtt(Duration rtt) {
  current_min_ = std::min(current_min_, rtt);
  if (++samples_ < kSamples || current_min_ == kNone) return;
  if (is_conservative_) {
    if (current_min_ >= baseline_) return;
    baseline_ = kNone;  // it was noise
    is_conservative_ = false;
    rounds_left_ = kConservativeRounds;
  } else if (last_min_ != kNone) {
    const Duration threshold = std::clamp(last_min_ / kRttDivisor, kMinThreshold, kMaxThreshold);
    if (current_min_ < last_min_ + threshold) return;
    baseline_ = current_min_;
    is_conservative_ = true;
  }
}

}  // namespace pollrtc::sctp
