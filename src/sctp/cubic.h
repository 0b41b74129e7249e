// CUBIC (RFC 9438): after a loss the window returns to where it was along a cubic curve of time, not of round trips, so that
// long paths are not at a disadvantage; slow start ends by HyStart++ (hystart.h). Read §4. It is what most of the internet
// sends by, so it also stands in the simulator as the neighbour to be fair to.
//
// In whole numbers: bytes, and milliseconds for the curve.
#pragma once

#include "sctp/congestion.h"
#include "sctp/hystart.h"

namespace pollrtc::sctp {

class CubicController {
 public:
  static constexpr std::array<std::string_view, 5> kReplaces{"SCTP-CC-01", "SCTP-CC-02", "SCTP-CC-03",
                                                             "SCTP-CC-04", "SCTP-CC-05"};

  explicit CubicController(std::size_t pmdcs) : pmdcs_(pmdcs) { reset(); }

  std::size_t cwnd() const { return cwnd_; }
  std::size_t ssthresh() const { return ssthresh_; }
  std::size_t pmdcs() const { return pmdcs_; }

  void on_ack(Time now, const AckedBytes& acked);
  void on_fast_retransmit();
  void on_timeout();
  void undo();
  void on_send_after_idle(Time now, Duration rto);
  void on_sent(Time now) { last_sent_ = now; }
  void reset();
  void set_pmdcs(std::size_t pmdcs);
  // Twice what the window gives in slow start, so that it can double; a quarter more than it gives afterwards.
  std::uint64_t pacing_rate(Duration srtt) const;
  bool reduces_proportionally() const { return true; }

  // W_cubic(t) of §4.2, `t` since the curve began.
  std::size_t curve(Duration t) const;

 private:
  struct Saved {
    std::size_t cwnd = 0, ssthresh = 0, w_max = 0;
  };
  bool is_slow_start() const { return cwnd_ < ssthresh_; }
  void grow_slowly(const AckedBytes& acked);
  void grow_along_curve(Time now, const AckedBytes& acked);
  void skip_unused_time(Time now);
  void reduce();

  std::size_t pmdcs_;
  std::size_t cwnd_ = 0, ssthresh_ = 0;
  std::size_t w_max_ = 0;       // the window before the last reduction
  std::size_t w_est_ = 0;       // what Reno would have (§4.3)
  std::size_t cwnd_prior_ = 0;  // until w_est_ reaches it, it grows more slowly than Reno
  Duration k_{};                // from the start of the curve until it is at w_max_
  Time epoch_ = kNever;         // when the curve began
  Time unused_since_ = kNever;  // the window has not been filled
  HyStart hystart_;
  std::uint64_t round_end_ = 0;  // bytes delivered when the round trip began
  Duration rtt_{};               // the latest
  Saved before_loss_;
  Time last_sent_ = kNever;
};
static_assert(CongestionControl<CubicController>);

}  // namespace pollrtc::sctp
