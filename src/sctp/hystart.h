// HyStart++ (RFC 9406): when slow start has filled the path, told by round trips that grow, before the queue overflows. Read
// §4.2 and §4.3. It leaves slow start by way of Conservative Slow Start, from which it comes back when the growth was noise.
//
// A plain value: it is told where round trips begin, and of each measurement.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

class HyStart {
 public:
  static constexpr Duration kMinThreshold = std::chrono::milliseconds(4);   // MIN_RTT_THRESH
  static constexpr Duration kMaxThreshold = std::chrono::milliseconds(16);  // MAX_RTT_THRESH
  static constexpr int kRttDivisor = 8;                                     // MIN_RTT_DIVISOR
  static constexpr int kSamples = 8;                                        // N_RTT_SAMPLE
  static constexpr std::size_t kGrowthDivisor = 4;                          // CSS_GROWTH_DIVISOR
  static constexpr int kConservativeRounds = 5;                             // CSS_ROUNDS

  void on_round_start();
  void on_rtt(Duration rtt);
  void reset() { *this = HyStart(); }

  // What the growth of slow start is to be divided by.
  std::size_t growth_divisor() const { return is_conservative_ ? kGrowthDivisor : 1; }
  // Slow start is over: ssthresh becomes cwnd.
  bool is_done() const { return rounds_left_ == 0; }

 private:
  static constexpr Duration kNone = Duration::max();

  Duration last_min_ = kNone, current_min_ = kNone;  // lastRoundMinRTT, currentRoundMinRTT
  Duration baseline_ = kNone;                        // cssBaselineMinRtt
  int samples_ = 0;                                  // rttSampleCount
  int rounds_left_ = kConservativeRounds;
  bool is_conservative_ = false;
};

}  // namespace pollrtc::sctp
