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
#include "sctp/delivery_rate.h"

namespace pollrtc::sctp {

// One SACK, or SHUTDOWN, that acknowledged something new. Bytes are those of DATA chunks with header and
// padding (§7.2).
struct AckedBytes {
  std::size_t newly_acked = 0;    // without abandoned chunks (RFC 3758 §3.5 A2)
  std::size_t flight_before = 0;  // in flight when it came
  std::size_t flight_after = 0;
  bool in_fast_recovery = false;  // before it was processed, and still after
  RateSample rate = {};
  std::uint64_t delivered = 0;  // bytes in all, these included
  Duration rtt{};               // of the newest packet, when it was sent once; zero: unknown
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
  // The last loss event, or timeout, was none: what was taken for lost had only been late.
  void undo();
  // Before a packet with DATA is written while nothing is in flight: what idleness since the last one costs
  // (§7.2.1).
  void on_send_after_idle(Time now, Duration rto);
  void on_sent(Time now);
  // Another path or another DSCP: everything starts anew (§7.2.5).
  void reset();
  // A larger or smaller packet. cwnd in bytes stays (RFC 8899 §3 item 7), but is never below one packet.
  void set_pmdcs(std::size_t pmdcs);
  // Bytes a second to spread packets by; 0: they go as window and Max.Burst (RFC 9260 §6.1 D) allow.
  std::uint64_t pacing_rate(Duration) const { return 0; }
  // Whether a recovery comes down to cwnd by proportional rate reduction (prr.h).
  bool reduces_proportionally() const { return true; }

 private:
  struct Window {
    std::size_t cwnd = 0, ssthresh = 0;
  };
  bool is_slow_start() const { return cwnd_ <= ssthresh_; }

  std::size_t pmdcs_;
  std::size_t cwnd_ = 0;
  std::size_t ssthresh_ = 0;
  std::size_t partial_bytes_acked_ = 0;
  Window before_loss_;
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
  c.undo();
  c.on_send_after_idle(now, rto);
  c.on_sent(now);
  c.reset();
  c.set_pmdcs(std::size_t{});
  { k.pacing_rate(rto) } -> std::same_as<std::uint64_t>;
  { k.reduces_proportionally() } -> std::same_as<bool>;
  // Which of SCTP-CC-01 to SCTP-CC-07 do not hold as they are.
  {std::span<const std::string_view>(C::kReplaces)};
};
static_assert(CongestionControl<RenoController>);

}  // namespace pollrtc::sctp
