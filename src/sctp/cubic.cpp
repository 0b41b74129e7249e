#include "sctp/cubic.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace pollrtc::sctp {

namespace {
constexpr std::size_t kInitialPackets = 10;
constexpr std::size_t kMinPackets = 2;     // RFC 9438 §4.6
constexpr std::size_t kBetaPercent = 70;   // beta_cubic
constexpr std::int64_t kLongest = 60'000;  // milliseconds of the curve: no arithmetic overflows
// C is 0.4 packets a cubic second: 4e-10 packets a cubic millisecond.
constexpr std::int64_t kC = 4, kPerC = 10'000'000'000;

std::int64_t milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

// value * by / of: windows are of 32 bits on some machines, and their products are not.
std::size_t share(std::size_t value, std::uint64_t by, std::size_t of) {
  return static_cast<std::size_t>(value * by / of);
}

std::int64_t cube_root(std::int64_t of) {
  std::int64_t root = 0;
  for (std::int64_t bit = std::int64_t{1} << 20; bit != 0; bit >>= 1)
    if (const std::int64_t next = root + bit; next <= 2'000'000 && next * next * next <= of) root = next;
  return root;
}
}  // namespace

void CubicController::reset() {
  cwnd_ = kInitialPackets * pmdcs_;
  ssthresh_ = std::numeric_limits<std::uint32_t>::max();
  w_max_ = w_est_ = cwnd_prior_ = 0;
  epoch_ = unused_since_ = kNever;
  hystart_.reset();
  before_loss_ = {};
  last_sent_ = kNever;
}

std::size_t CubicController::curve(Duration t) const {
  const std::int64_t x = std::clamp(milliseconds(t - k_), -kLongest, kLongest);
  const std::int64_t packet = static_cast<std::int64_t>(pmdcs_);
  const std::int64_t bytes = x * x * x / (kPerC / 1000) * kC * packet / 1000;
  const std::int64_t window = static_cast<std::int64_t>(w_max_) + bytes;
  return static_cast<std::size_t>(std::max(window, packet));
}

void CubicController::on_ack(Time now, const AckedBytes& acked) {
  if (acked.rtt > Duration::zero()) rtt_ = acked.rtt;
  if (is_slow_start()) {
    if (acked.rate.prior_delivered >= round_end_) {
      round_end_ = acked.delivered;
      hystart_.on_round_start();
    }
    if (acked.rtt > Duration::zero()) hystart_.on_rtt(acked.rtt);
    if (hystart_.is_done()) ssthresh_ = cwnd_;
  }
  // §5.8: a window that is not used does not grow. Paced packets are a little behind it.
  const bool was_used = 8 * acked.flight_before + 24 * pmdcs_ >= 7 * cwnd_;
  if (!was_used) unused_since_ = std::min(unused_since_, now);
  if (!was_used || acked.in_fast_recovery) return;
  skip_unused_time(now);
  if (is_slow_start()) {
    grow_slowly(acked);
  } else {
    grow_along_curve(now, acked);
  }
  // Nothing is under way. What leaves at once is acknowledged in a round trip, and only what is later has not been in use.
  if (acked.flight_after == 0) unused_since_ = now + rtt_;
}

// §5.8: nor does the curve go on meanwhile, or the window would jump when it is used again.
void CubicController::skip_unused_time(Time now) {
  const Time since = std::exchange(unused_since_, kNever);
  if (epoch_ != kNever && since < now) epoch_ += now - since;
}

// §4.10; RFC 9406 §4.2 without its limit L, since packets are paced.
void CubicController::grow_slowly(const AckedBytes& acked) {
  cwnd_ += acked.newly_acked / hystart_.growth_divisor();
}

void CubicController::grow_along_curve(Time now, const AckedBytes& acked) {
  if (epoch_ == kNever) {
    epoch_ = now;
    w_est_ = cwnd_;
    if (cwnd_ >= w_max_) {
      w_max_ = cwnd_;
      k_ = Duration::zero();
    } else {  // §4.2: K
      const auto missing = static_cast<std::int64_t>(std::min<std::size_t>(w_max_ - cwnd_, 100'000'000));
      const std::int64_t k =
          cube_root(missing * (kPerC / kC / 100) / static_cast<std::int64_t>(pmdcs_) * 100);
      k_ = std::chrono::milliseconds(std::min(k, kLongest));
    }
  }
  const Duration t = now - epoch_;
  // §4.3: alpha_cubic is 3 (1 - beta) / (1 + beta) = 0.53 until Reno would be where the reduction began, then 1.
  const std::size_t alpha = w_est_ >= cwnd_prior_ ? 100 : 53;
  w_est_ += share(share(acked.newly_acked, pmdcs_, cwnd_), alpha, 100);
  if (curve(t) < w_est_) {
    cwnd_ = std::max(cwnd_, w_est_);
    return;
  }
  // §4.4, §4.5: where the curve will be in a round trip, approached with each acknowledgement.
  const std::size_t target = std::clamp(curve(t + rtt_), cwnd_, cwnd_ + cwnd_ / 2);
  cwnd_ += share(target - cwnd_, acked.newly_acked, cwnd_);
}

// §4.6, §4.7.
void CubicController::reduce() {
  before_loss_ = {cwnd_, ssthresh_, w_max_};
  w_max_ = cwnd_ < w_max_ ? share(cwnd_, 100 + kBetaPercent, 200) : cwnd_;  // fast convergence
  cwnd_prior_ = cwnd_;
  ssthresh_ = std::max(share(cwnd_, kBetaPercent, 100), kMinPackets * pmdcs_);
  epoch_ = kNever;
}

void CubicController::on_fast_retransmit() {
  reduce();
  cwnd_ = ssthresh_;
}

void CubicController::on_timeout() {
  reduce();
  cwnd_ = pmdcs_;
  hystart_.reset();
}

// §4.9.
void CubicController::undo() {
  if (before_loss_.cwnd == 0) return;
  cwnd_ = std::max(cwnd_, before_loss_.cwnd);
  ssthresh_ = std::max(ssthresh_, before_loss_.ssthresh);
  w_max_ = std::max(w_max_, before_loss_.w_max);
  before_loss_ = {};
  epoch_ = kNever;
}

// RFC 9260 §7.2.1, as RenoController; and the curve does not go on while nothing is sent (§5.8).
void CubicController::on_send_after_idle(Time now, Duration rto) {
  if (last_sent_ == kNever || rto <= Duration::zero()) return;
  const std::size_t floor = kInitialPackets * pmdcs_;
  while (now - last_sent_ >= rto && cwnd_ > floor) {
    epoch_ = kNever;
    cwnd_ = std::max(cwnd_ / 2, floor);
    last_sent_ += rto;
  }
}

void CubicController::set_pmdcs(std::size_t pmdcs) {
  pmdcs_ = pmdcs;
  cwnd_ = std::max(cwnd_, pmdcs_);
}

std::uint64_t CubicController::pacing_rate(Duration srtt) const {
  if (srtt <= Duration::zero()) return 0;
  const std::uint64_t rate = cwnd_ * std::uint64_t{1'000'000} / static_cast<std::uint64_t>(srtt.count());
  return std::max<std::uint64_t>(is_slow_start() ? 2 * rate : rate * 5 / 4, pmdcs_);
}

}  // namespace pollrtc::sctp
