// Congestion control as a plain value (RFC 9260 §7.2): it is told what happened and says how many bytes may
// be in flight. It knows nothing of TSNs or timers, so that another controller can stand beside it; what a
// controller must offer is the concept at the end.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

// One SACK, or SHUTDOWN, that acknowledged something new. Bytes are those of DATA chunks with header and
// padding (§7.2).
struct AckedBytes {
  std::size_t newly_acked = 0;    // without abandoned chunks (RFC 3758 §3.5 A2)
  std::size_t flight_before = 0;  // in flight when it came
  std::size_t flight_after = 0;
  bool in_fast_recovery = false;  // before it was processed, and still after
};

// RFC 9260 §7.2.1 to §7.2.3: slow start, congestion avoidance, halving on loss.
class RenoController {
 public:
  // The rules (docs/rules/sctp.tsv) that it bends; each stands in docs/deviations.md.
  static constexpr std::array<std::string_view, 3> kReplaces{"SCTP-CC-01", "SCTP-CC-03", "SCTP-CC-04"};

  // `pmdcs`: the most bytes of DATA chunks that fit a packet (§7.2).
  explicit RenoController(std::size_t pmdcs);

  std::size_t cwnd() const { return cwnd_; }
  std::size_t ssthresh() const { return ssthresh_; }
  std::size_t pmdcs() const { return pmdcs_; }

  void on_ack(Time now, const AckedBytes& acked);
  void on_fast_retransmit();  // once per loss event: the caller knows about Fast Recovery
  void on_timeout();
  // Before a packet with DATA is written while nothing is in flight: what idleness since the last one costs
  // (§7.2.1).
  void on_send_after_idle(Time now, Duration rto);
  void on_sent(Time now);
  // Another path or another DSCP: everything starts anew (§7.2.5).
  void reset();
  // A larger or smaller packet. cwnd in bytes stays (RFC 8899 §3 item 7), but is never below one packet.
  void set_pmdcs(std::size_t pmdcs);

 private:
  bool is_slow_start() const { return cwnd_ <= ssthresh_; }

  std::size_t pmdcs_;
  std::size_t cwnd_ = 0;
  std::size_t ssthresh_ = 0;
  std::size_t partial_bytes_acked_ = 0;
  Time last_sent_ = kNever;  // never yet
  bool is_idle_ = false;     // since the last step for idleness nothing was sent
};

template <class C>
concept CongestionControl = requires(C c, const C k, Time now, Duration rto, const AckedBytes& acked) {
  { k.cwnd() } -> std::same_as<std::size_t>;
  { k.ssthresh() } -> std::same_as<std::size_t>;
  c.on_ack(now, acked);
  c.on_fast_retransmit();
  c.on_timeout();
  c.on_send_after_idle(now, rto);
  c.on_sent(now);
  c.reset();
  c.set_pmdcs(std::size_t{});
  // Which of SCTP-CC-01 to SCTP-CC-07 do not hold as they are.
  {std::span<const std::string_view>(C::kReplaces)};
};
static_assert(CongestionControl<RenoController>);

// The one in use.
using CongestionController = RenoController;

}  // namespace pollrtc::sctp
