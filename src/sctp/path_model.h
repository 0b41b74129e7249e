// Congestion control by a model of the path, after BBRv3 (draft-ietf-ccwg-bbr): the highest rate at which the path has
// delivered lately and its shortest round trip say how much belongs in flight, and packets are paced at that rate. A packet
// lost now and then changes nothing; more than about two of a hundred say that the queue overflows. Read §2 and §4 to §5 there;
// the states have its names.
//
//   Startup     doubles the rate each round trip until it does not grow, or losses say enough
//   Drain       empties the queue that made
//   ProbeBW     down (drains), cruise (keeps to the model), refill (fills the pipe), up (looks for more)
//   ProbeRTT    rarely: half a window for a moment, so that the round trip without queue is seen
//
// With Goal::LowLatency it holds the queue to some milliseconds: smaller steps up, no more in flight than the path and those
// milliseconds hold, or as many more as round trips stray anyway, and a longer queue counts as losses do. It gives way to
// neighbours who fill the queue.
#pragma once

#include <algorithm>

#include "sctp/congestion.h"

namespace pollrtc::sctp {

// DEVIATION RFC 9260 §7.2: there the window follows the losses. They are no measure of a path that loses packets by chance: with
// one of a thousand lost, a path of 100 ms and 100 Mbit/s would be used to a tenth (docs/performance.md).
class PathModel {
 public:
  enum class Goal : std::uint8_t { Throughput, LowLatency };
  enum class Phase : std::uint8_t { Startup, Drain, Down, Cruise, Refill, Up, ProbeRtt };

  static constexpr std::array<std::string_view, 5> kReplaces{"SCTP-CC-01", "SCTP-CC-02", "SCTP-CC-03",
                                                             "SCTP-CC-04", "SCTP-CC-05"};

  explicit PathModel(std::size_t pmdcs, Goal goal = Goal::Throughput);

  std::size_t cwnd() const { return cwnd_; }
  std::size_t ssthresh() const { return kUnknown; }  // it has none
  std::size_t pmdcs() const { return pmdcs_; }
  Phase phase() const { return phase_; }
  std::uint64_t bandwidth() const;                    // bytes a second; 0: unknown
  Duration shortest_rtt() const { return min_rtt_; }  // zero: unknown

  void on_ack(Time now, const AckedBytes& acked);
  void on_fast_retransmit();  // only remembers: the rate of losses counts, not that there is one
  void on_timeout();
  void undo();
  void on_send_after_idle(Time now, Duration rto);
  void on_sent(Time now) { last_sent_ = now; }
  void reset();
  void set_pmdcs(std::size_t pmdcs);
  std::uint64_t pacing_rate(Duration srtt) const;
  bool reduces_proportionally() const { return false; }

 private:
  static constexpr std::size_t kUnknown = 0xFFFFFFFF;
  struct Extra {  // what came in one go beyond the rate: the largest of two spans of rounds
    std::size_t now = 0, before = 0;
    std::uint32_t rounds = 0;
    std::uint64_t acked = 0;
    Time since = kNever, last = kNever;
    Duration silence{}, silence_before{};  // the longest between two acknowledgements, of the same two spans
  };

  struct Bounds {  // what losses bring down, and what is given back when nothing was lost
    std::uint64_t rate = 0;
    std::size_t inflight = kUnknown, inflight_most = kUnknown;
    bool is_full = false;
    Time batches_overflow_until = Time::min();
  };

  // What is measured
  void note_round(const AckedBytes& acked);
  void note_slowness(const AckedBytes& acked);
  void note_rate(const AckedBytes& acked);
  void note_rtt(Time now, const AckedBytes& acked);
  void note_extra(Time now, const AckedBytes& acked);
  void note_carried(const AckedBytes& acked);
  void note_chance(const AckedBytes& acked);
  void note_stray();
  bool loses_too_much(const AckedBytes& acked) const;
  bool is_shared_loss(const AckedBytes& acked) const;
  // What follows
  void advance(Time now, const AckedBytes& acked);
  void check_startup(const AckedBytes& acked);
  void advance_cycle(Time now, const AckedBytes& acked);
  void adapt_to_losses(Time now, const AckedBytes& acked);
  void probe_rtt(Time now, const AckedBytes& acked);
  void enter(Time now, Phase phase);
  void set_cwnd(Time now, const AckedBytes& acked);
  std::size_t product(std::uint64_t percent) const;  // of rate and round trip, in bytes
  std::size_t least() const { return 4 * pmdcs_; }
  // A queue stands though no more is sent than the model says.
  bool is_crowded() const;
  Bounds bounds() const {
    return {rate_limit_, inflight_limit_, inflight_most_, is_full_, batches_overflow_until_};
  }
  Duration standing_wait() const;
  std::size_t most_extra() const { return std::max(extra_.now, extra_.before); }
  // Less often than once a round trip, and each time more than the path holds.
  bool is_acked_in_batches() const;
  Duration mean_rtt() const { return round_samples_ == 0 ? round_rtt_ : round_rtts_ / round_samples_; }
  bool is_latency_bound() const { return goal_ == Goal::LowLatency; }
  std::uint64_t pacing_percent() const;
  std::size_t inflight_with_headroom() const;
  std::size_t inflight_that_proves() const;

  std::size_t pmdcs_;
  Goal goal_;
  Phase phase_ = Phase::Startup;
  std::size_t cwnd_, before_loss_ = 0, before_probe_ = 0;
  Bounds bounds_before_loss_;
  bool is_timeout_open_ = false;  // nothing was acknowledged since the last one
  bool is_first_after_timeout_ = false;

  std::uint64_t rates_[2] = {};    // the highest of this cycle of probing and of the one before
  std::uint64_t rate_limit_ = 0;   // bw_lo: 0 is none
  std::uint64_t latest_rate_ = 0;  // the highest of this round trip
  std::size_t latest_delivered_ = 0;
  std::size_t inflight_limit_ = kUnknown;  // inflight_lo: of now
  std::size_t inflight_most_ = kUnknown;   // inflight_hi: of the path, found by probing
  Duration min_rtt_{};
  Time min_rtt_at_{};
  std::uint64_t chance_ = 0;  // of a million bytes, those that are lost where no queue stands
  Duration stray_{};          // the mean of round trips beyond the shortest of each, while not probing
  Duration phase_rtt_{};      // the mean of the round trip in which the phase began
  Duration round_rtt_{};      // the shortest of this round trip
  Duration round_rtts_{};     // the sum, of so many
  std::uint32_t round_samples_ = 0;

  std::uint64_t round_end_ = 0;
  bool is_round_start_ = false;
  std::uint32_t rounds_in_phase_ = 0, rounds_in_cycle_ = 0;
  Time phase_since_{}, cycle_since_{};
  Duration cycle_wait_{};
  std::uint64_t up_percent_ = 125;
  std::uint64_t slow_rate_ = 0;  // the highest of so many round trips, each slower than half of bandwidth()
  std::uint32_t slow_rounds_ = 0;
  std::uint64_t probed_from_ = 0;  // the rate when Up began; 0: this cycle does not follow one

  std::uint64_t full_rate_ = 0;  // Startup: the rate that was to be surpassed
  int full_rounds_ = 0;
  bool is_full_ = false;
  Extra extra_;
  std::size_t carried_ = 0;  // the most in flight in this round trip, without what was lost by then
  Time batches_overflow_until_ =
      Time::min();  // no room beyond the bounds for batches until then; they overflowed
  Time last_sent_ = kNever;
};
static_assert(CongestionControl<PathModel>);

}  // namespace pollrtc::sctp
