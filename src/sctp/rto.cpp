#include "sctp/rto.h"

#include <algorithm>

namespace pollrtc::sctp {

Rto::Rto(const Parameters& parameters)
    : min_(parameters.rto_min),
      max_(parameters.rto_max),
      max_back_off_(std::min(parameters.max_back_off, parameters.rto_max)),
      base_(parameters.rto_initial),
      current_(base_) {}

Duration Rto::clamp(Duration rto) const { return std::clamp(rto, min_, max_); }

void Rto::set_initial_rtt(Duration rtt) {
  if (has_sample() || rtt <= Duration::zero()) return;
  base_ = clamp(3 * std::min(rtt, max_));  // what C2 makes of a first sample: SRTT + 4 * SRTT/2
  current_ = base_;
  shortest_ = std::min(rtt, max_);
}

void Rto::on_sample(Duration rtt) {
  if (rtt < Duration::zero()) return;
  rtt = std::clamp(rtt, Duration(1), max_);
  unmeasured_timeouts_ = 0;
  shortest_ = std::min(shortest_.value_or(rtt), rtt);
  if (!has_sample()) {  // C2
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {  // C3, with RTO.Alpha 1/8 and RTO.Beta 1/4; the old SRTT goes into RTTVAR
    const Duration error = srtt_ > rtt ? srtt_ - rtt : rtt - srtt_;
    rttvar_ = (3 * rttvar_ + error) / 4;
    srtt_ = std::max((7 * srtt_ + rtt) / 8, Duration(1));
  }
  rttvar_ = std::max(rttvar_, Duration(1));  // G1: the clock counts microseconds
  base_ = clamp(srtt_ + 4 * rttvar_);
  current_ = base_;
}

void Rto::back_off() {
  if (unmeasured_timeouts_ != 0xFF) ++unmeasured_timeouts_;
  current_ = std::clamp(2 * current_, base_, std::max(base_, max_back_off_));
}

void Rto::clear_back_off() { current_ = base_; }

void Rto::ease_back_off() { current_ = std::max(current_ / 2, base_); }

}  // namespace pollrtc::sctp
