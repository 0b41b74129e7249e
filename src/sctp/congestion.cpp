#include "sctp/congestion.h"

#include <algorithm>
#include <limits>

namespace pollrtc::sctp {

namespace {
// DEVIATION RFC 9260 §7.2.1: at most 4 PMDCS there. Ten packets are what TCP (RFC 6928) and browsers start with.
constexpr std::size_t kInitialPackets = 10;
constexpr std::size_t kMinPacketsAfterLoss = 4;  // §7.2.3
}  // namespace

RenoController::RenoController(std::size_t pmdcs) : pmdcs_(pmdcs) { reset(); }

void RenoController::reset() {
  cwnd_ = kInitialPackets * pmdcs_;
  ssthresh_ = std::numeric_limits<std::uint32_t>::max();  // "arbitrarily high"
  partial_bytes_acked_ = 0;
  before_loss_ = {};
  last_sent_ = kNever;
  is_idle_ = false;
}

void RenoController::on_ack(Time, const AckedBytes& acked) {
  const bool was_full = acked.flight_before >= cwnd_;
  if (is_slow_start()) {
    // Never more than was acknowledged, nor than L packets. DEVIATION RFC 9260 §7.2.1: L SHOULD be 1. Here it is 1 for each two
    // packets that the SACK covers: a peer that handles datagrams in batches and sends one SACK for many is worth as much as one that sends a SACK
    // for every second packet.
    const std::size_t packets = (acked.newly_acked + pmdcs_ - 1) / pmdcs_;
    const std::size_t most = std::max<std::size_t>(packets / 2, 1) * pmdcs_;
    if (was_full && !acked.in_fast_recovery) cwnd_ += std::min(acked.newly_acked, most);
  } else {
    // §7.2.2: one packet more for each full window that was acknowledged.
    partial_bytes_acked_ += acked.newly_acked;
    if (partial_bytes_acked_ >= cwnd_) {
      if (was_full) {
        partial_bytes_acked_ -= cwnd_;
        cwnd_ += pmdcs_;
      } else {
        partial_bytes_acked_ = cwnd_;
      }
    }
  }
  if (acked.flight_after == 0) partial_bytes_acked_ = 0;
}

void RenoController::on_fast_retransmit() {
  before_loss_ = {cwnd_, ssthresh_};
  ssthresh_ = std::max(cwnd_ / 2, kMinPacketsAfterLoss * pmdcs_);
  cwnd_ = ssthresh_;
  partial_bytes_acked_ = 0;
}

void RenoController::on_timeout() {
  before_loss_ = {cwnd_, ssthresh_};
  ssthresh_ = std::max(cwnd_ / 2, kMinPacketsAfterLoss * pmdcs_);
  cwnd_ = pmdcs_;
  partial_bytes_acked_ = 0;
}

void RenoController::undo() {
  cwnd_ = std::max(cwnd_, before_loss_.cwnd);
  ssthresh_ = std::max(ssthresh_, before_loss_.ssthresh);
}

void RenoController::on_send_after_idle(Time now, Duration rto) {
  if (last_sent_ == kNever || rto <= Duration::zero()) return;
  const std::size_t floor = kMinPacketsAfterLoss * pmdcs_;
  while (now - last_sent_ >= rto && cwnd_ > floor) {
    // DEVIATION RFC 9260 §7.2.1 (a SHOULD): a window that was never grown by traffic says nothing about the path, so
    // it does not become the threshold; else a channel that idles after its opening would crawl for ever.
    if (!is_idle_ && cwnd_ > kInitialPackets * pmdcs_) ssthresh_ = cwnd_;
    is_idle_ = true;
    cwnd_ = std::max(cwnd_ / 2, floor);
    last_sent_ += rto;
  }
}

void RenoController::on_sent(Time now) {
  last_sent_ = now;
  is_idle_ = false;
}

void RenoController::set_pmdcs(std::size_t pmdcs) {
  pmdcs_ = pmdcs;
  cwnd_ = std::max(cwnd_, pmdcs_);
}

}  // namespace pollrtc::sctp
