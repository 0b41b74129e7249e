// The retransmission timeout as a plain value: RFC 9260 §6.3.1 (how it is computed) and §6.3.3 E2 (how it
// backs off).
#pragma once

#include <optional>

#include "pollrtc/types.h"
#include "sctp/parameters_config.h"

namespace pollrtc::sctp {

class Rto {
 public:
  // Of what is measured through timeouts: above it an answer has been held up rather than been on its way.
  static constexpr Duration kLongestRoundTrip = std::chrono::seconds(6);

  explicit Rto(const Parameters& parameters);

  // A guess from elsewhere (ICE has measured the path): used until the first sample, then forgotten.
  void set_initial_rtt(Duration rtt);
  // A round trip that was measured on a chunk sent once (C2, C3). Ends any back-off. A sample below zero,
  // which only a clock that steps back can give, is ignored; one above RTO.Max counts as RTO.Max.
  void on_sample(Duration rtt);
  void back_off();
  // Undoes the doubling, as a sample would: for waits that were no sign of loss (zero window probes).
  void clear_back_off();
  // Takes back one doubling.
  void ease_back_off();

  Duration current() const { return current_; }
  bool is_backed_off() const { return current_ != base_; }
  // Timeouts since the last sample, up to 255, whether or not they were undone.
  unsigned unmeasured_timeouts() const { return unmeasured_timeouts_; }
  // Zero until the first sample.
  Duration srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }
  // The shortest round trip known, measured here or by ICE.
  std::optional<Duration> shortest() const { return shortest_; }
  void forget_shortest() { shortest_.reset(); }  // another path
  bool has_sample() const { return srtt_ != Duration::zero(); }

 private:
  Duration clamp(Duration rto) const;

  Duration min_, max_, max_back_off_;
  Duration base_;     // before any doubling
  Duration current_;  // after it
  Duration srtt_{}, rttvar_{};
  std::optional<Duration> shortest_;
  std::uint8_t unmeasured_timeouts_ = 0;
};

}  // namespace pollrtc::sctp
