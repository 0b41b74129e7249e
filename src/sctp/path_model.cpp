#include "sctp/path_model.h"

#include <algorithm>
#include <utility>

namespace pollrtc::sctp {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kInitialPackets = 10;
constexpr std::uint64_t kLossPercent = 2;  // LossThresh (§2.7) ...
constexpr std::size_t kLossSlack = 3;      // ... and so many packets, since one of ten is no rate
constexpr std::uint64_t kChanceRounds = 8, kChanceStep = 2000, kLeastChance = 3000;  // of a million bytes
constexpr std::uint64_t kBetaPercent = 70;
constexpr std::uint64_t kSharedPercent = 75;
constexpr std::uint64_t kSharedStep = 50, kGentleStep = 20;  // packets, up
constexpr int kFullRounds = 3;
constexpr std::uint32_t kSlowRounds = 3;
constexpr std::uint32_t kMostDrainRounds =
    4;  // a queue that stands longer is not, or not only, what Startup made
constexpr std::uint32_t kRenoRounds = 63;  // §5.3.3.5.2: no neighbour like Reno waits longer for its share
constexpr Duration kCycle = 2s, kSharedCycle = 1300ms;  // between two Ups; neighbours become equal the sooner
constexpr Duration kMinRttWindow = 10s;
constexpr Duration kProbeRttTime = 200ms;
// Of so short a path the product of rate and round trip is less than what a poll loop hands over at a time.
constexpr Duration kLeastRtt = 1ms;
// Of a batch, one part in so many: its loss says that something overflows, and not that chance took it.
constexpr std::size_t kHeavyLoss = 8;
constexpr Duration kOverflowRemembered = 10s;
// Goal::LowLatency: what may wait in the queue, and what tells that it begins to.
constexpr Duration kMostQueue = 10ms, kQueueSeen = 5ms;
// So many round trips, and the shortest of them is that of the path and its queue.
constexpr std::uint32_t kEnoughSamples = 12;
constexpr Duration kMostStray = 20ms;
constexpr std::size_t kOwnPackets = 2;  // so many of ours wait for each other anyway

// Rates and what they bring are of 64 bits on every machine; a window is a size_t, and none is larger than this.
constexpr std::uint64_t kMostWindow = 1u << 30;
std::size_t as_window(std::uint64_t bytes) { return static_cast<std::size_t>(std::min(bytes, kMostWindow)); }

std::uint64_t bytes_in(std::uint64_t rate, Duration time) {
  return rate * static_cast<std::uint64_t>(time.count()) / 1'000'000;
}
}  // namespace

PathModel::PathModel(std::size_t pmdcs, Goal goal)
    : pmdcs_(pmdcs), goal_(goal), cwnd_(kInitialPackets * pmdcs) {}

void PathModel::reset() { *this = PathModel(pmdcs_, goal_); }

std::uint64_t PathModel::bandwidth() const {
  const std::uint64_t highest = std::max(rates_[0], rates_[1]);
  return rate_limit_ != 0 ? std::min(highest, rate_limit_) : highest;
}

std::size_t PathModel::product(std::uint64_t percent) const {
  return as_window(bytes_in(bandwidth(), std::max(min_rtt_, kLeastRtt)) * percent / 100);
}

void PathModel::on_ack(Time now, const AckedBytes& acked) {
  is_first_after_timeout_ = std::exchange(is_timeout_open_, false);
  note_round(acked);
  note_slowness(acked);
  note_rate(acked);
  note_rtt(now, acked);
  note_extra(now, acked);
  note_carried(acked);
  note_chance(acked);
  note_stray();
  advance(now, acked);
  set_cwnd(now, acked);
  if (is_round_start_) {
    latest_rate_ = acked.rate.rate();
    latest_delivered_ = acked.rate.delivered;
    round_rtt_ = round_rtts_ = acked.rtt;
    round_samples_ = acked.rtt > Duration::zero() ? 1 : 0;
  }
}

void PathModel::note_round(const AckedBytes& acked) {
  is_round_start_ = acked.rate.prior_delivered >= round_end_;
  if (!is_round_start_) return;
  round_end_ = acked.delivered;
  ++rounds_in_phase_;
  ++rounds_in_cycle_;
}

// §5.5.5: what was sent while there was nothing else to send proves a rate, but no limit.
void PathModel::note_rate(const AckedBytes& acked) {
  if (!acked.rate.is_valid()) return;
  const std::uint64_t rate = acked.rate.rate();
  latest_rate_ = std::max(latest_rate_, rate);
  latest_delivered_ = std::max(latest_delivered_, acked.rate.delivered);
  if (!acked.rate.is_app_limited || rate >= std::max(rates_[0], rates_[1]))
    rates_[0] = std::max(rates_[0], rate);
}

// A path that has become much slower is believed within three round trips: the highest rate of the last cycles would fill its
// queue for as long as they last, and the longer the queue is the longer they last.
void PathModel::note_slowness(const AckedBytes& acked) {
  if (!is_round_start_) return;
  const bool is_slow = phase_ != Phase::ProbeRtt && round_rtt_ > 3 * min_rtt_ && !acked.rate.is_app_limited &&
                       latest_rate_ != 0 && latest_rate_ < std::max(rates_[0], rates_[1]) / 2;
  slow_rate_ = is_slow ? std::max(slow_rate_, latest_rate_) : 0;
  slow_rounds_ = is_slow ? slow_rounds_ + 1 : 0;
  if (slow_rounds_ == kSlowRounds) rates_[0] = rates_[1] = slow_rate_;
}

// A round trip within a fiftieth of the shortest is as good as that one: a path that is empty now and then need not be emptied
// on purpose.
void PathModel::note_rtt(Time now, const AckedBytes& acked) {
  if (acked.rtt <= Duration::zero()) return;
  round_rtt_ = round_rtt_ == Duration::zero() ? acked.rtt : std::min(round_rtt_, acked.rtt);
  round_rtts_ += acked.rtt;
  ++round_samples_;
  if (min_rtt_ == Duration::zero() || acked.rtt <= min_rtt_ + min_rtt_ / 50) {
    min_rtt_ = min_rtt_ == Duration::zero() ? acked.rtt : std::min(min_rtt_, acked.rtt);
    min_rtt_at_ = now;
  }
}

// §5.5.9: peers and radios acknowledge in batches, and the window must bridge the time in between.
void PathModel::note_extra(Time now, const AckedBytes& acked) {
  if (is_round_start_ && ++extra_.rounds == 5) {
    extra_.before = std::exchange(extra_.now, 0);
    extra_.silence_before = std::exchange(extra_.silence, Duration::zero());
    extra_.rounds = 0;
  }
  if (extra_.last != kNever) extra_.silence = std::max(extra_.silence, now - extra_.last);
  extra_.last = now;
  if (extra_.since == kNever) extra_.since = now;
  const std::uint64_t expected = bytes_in(bandwidth(), now - extra_.since);
  if (extra_.acked <= expected) {
    extra_.acked = 0;
    extra_.since = now;
  }
  extra_.acked += acked.newly_acked;
  const std::uint64_t due = extra_.since == now ? 0 : expected;
  const std::size_t extra = extra_.acked > due ? as_window(extra_.acked - due) : 0;
  if (is_full_) extra_.now = std::max(extra_.now, std::min(extra, cwnd_));
}

bool PathModel::is_acked_in_batches() const {
  return std::min(extra_.silence, extra_.silence_before) > min_rtt_ && most_extra() > product(100);
}

void PathModel::note_carried(const AckedBytes& acked) {
  if (is_round_start_) carried_ = 0;
  if (acked.flight_before > acked.rate.lost)
    carried_ = std::max(carried_, acked.flight_before - acked.rate.lost);
}

bool PathModel::is_crowded() const {
  const Duration tenth = min_rtt_ / 10;
  return round_rtt_ > min_rtt_ + (is_latency_bound() ? std::min(tenth, kQueueSeen) : tenth);
}

// Told when a round trip has enough packets, or ends, and zero before: its first ones cannot tell a queue from jitter and from
// acknowledgements that come together.
Duration PathModel::standing_wait() const {
  const bool tells = is_round_start_ || round_samples_ >= kEnoughSamples;
  return tells && min_rtt_ != Duration::zero() ? round_rtt_ - min_rtt_ : Duration::zero();
}

bool PathModel::loses_too_much(const AckedBytes& acked) const {
  const std::uint64_t expected = acked.rate.in_flight * kLossPercent / 100;
  if (acked.rate.lost <= expected + kLossSlack * pmdcs_) return false;
  if (is_crowded() && !is_acked_in_batches()) return true;
  // No queue stands, so it may be chance, which strays from what is expected by its square root: twice that is rare.
  const std::uint64_t excess = acked.rate.lost - expected - kLossSlack * pmdcs_;
  return excess * excess > 4 * expected * pmdcs_;
}

void PathModel::advance(Time now, const AckedBytes& acked) {
  if (phase_ == Phase::Startup) check_startup(acked);
  if (phase_ == Phase::Startup && is_full_) enter(now, Phase::Drain);
  if (phase_ == Phase::Drain && (acked.flight_after <= product(100) || rounds_in_phase_ > kMostDrainRounds))
    enter(now, Phase::Down);
  if (phase_ == Phase::ProbeRtt) {
    probe_rtt(now, acked);
  } else if (is_full_ && phase_ != Phase::Drain) {
    advance_cycle(now, acked);
    adapt_to_losses(now, acked);
    if (now - min_rtt_at_ > kMinRttWindow) enter(now, Phase::ProbeRtt);
  }
}

// §5.3.1: full when three round trips bring less than a quarter more, or when the queue overflows.
void PathModel::check_startup(const AckedBytes& acked) {
  if (loses_too_much(acked) && rounds_in_phase_ > 1) {
    is_full_ = true;
    inflight_most_ = std::max({product(100), latest_delivered_, least()});
  }
  if (is_latency_bound() && standing_wait() > kQueueSeen && rounds_in_phase_ > 1) is_full_ = true;
  if (!is_round_start_ || acked.rate.is_app_limited || !acked.rate.is_valid()) return;
  const std::uint64_t rate = std::max(rates_[0], rates_[1]);
  if (rate >= full_rate_ * 5 / 4) {
    full_rate_ = rate;
    full_rounds_ = 0;
  } else if (++full_rounds_ == kFullRounds) {
    is_full_ = true;
  }
}

void PathModel::advance_cycle(Time now, const AckedBytes& acked) {
  const std::size_t inflight = product(100) + (is_acked_in_batches() ? most_extra() : 0);
  const auto packets = static_cast<std::uint32_t>(inflight / pmdcs_);
  const bool is_time =
      now - cycle_since_ >= cycle_wait_ || rounds_in_cycle_ >= std::min(packets, kRenoRounds);
  // What Up brought is seen a round trip later. On while it brings more (§5.3.3.4): a path that has become ten times faster
  // is found within some ten steps.
  const bool has_grown = probed_from_ != 0 && rounds_in_cycle_ == 2 && is_round_start_ &&
                         bandwidth() >= probed_from_ * (100 + up_percent_) / 200;
  if ((phase_ == Phase::Down || phase_ == Phase::Cruise) && has_grown && !is_crowded())
    return enter(now, Phase::Up);
  switch (phase_) {
    case Phase::Down:  // a queue that is not ours does not drain however long we wait
      if (is_time) return enter(now, Phase::Refill);
      if (acked.flight_after <= std::min(product(100), inflight_with_headroom())) enter(now, Phase::Cruise);
      break;
    case Phase::Cruise:
      if (is_time) enter(now, Phase::Refill);
      break;
    case Phase::Refill:
      if (is_round_start_ && rounds_in_phase_ > 1) enter(now, Phase::Up);
      break;
    case Phase::Up: {
      if (inflight_most_ != kUnknown && acked.flight_before + 2 * pmdcs_ >= inflight_most_)
        inflight_most_ += acked.newly_acked / 4;
      const bool is_proven = now - phase_since_ > min_rtt_ && acked.flight_before >= inflight_that_proves();
      const bool queue_grows = is_latency_bound() && standing_wait() > kQueueSeen;
      if (is_proven || (queue_grows && rounds_in_phase_ > 1) || rounds_in_phase_ > 8) enter(now, Phase::Down);
      break;
    }
    default:
      break;
  }
}

// What is lost while we send no more than the model says and no queue stands is lost by chance, and will be in a queue as
// well. Chance comes in every round trip; a neighbour who overflows the queue does not, so no single one counts for much.
void PathModel::note_chance(const AckedBytes& acked) {
  const bool is_quiet = phase_ == Phase::Cruise && rounds_in_phase_ > 2 && !is_crowded();
  if (!is_round_start_ || !is_quiet || acked.rate.in_flight == 0) return;
  const std::uint64_t lost = acked.rate.lost * std::uint64_t{1'000'000} / acked.rate.in_flight;
  const std::uint64_t seen = std::min(lost, 2 * chance_ + kChanceStep);
  chance_ = chance_ - chance_ / kChanceRounds + seen / kChanceRounds;
}

// Jitter, acknowledgements that come together, and packets that a late poll() sends together: what is in flight for their sake is
// there for a moment only, so it may take the place of the queue that is allowed.
void PathModel::note_stray() {
  const bool is_quiet = (phase_ == Phase::Down || phase_ == Phase::Cruise) && rounds_in_phase_ > 1;
  if (!is_round_start_ || !is_quiet || round_samples_ < 3 || bandwidth() == 0) return;
  const auto packets =
      Duration(static_cast<Duration::rep>(kOwnPackets * pmdcs_ * std::uint64_t{1'000'000} / bandwidth()));
  const Duration stray = std::clamp(mean_rtt() - round_rtt_ - packets, Duration::zero(), kMostStray);
  stray_ += (stray - stray_) / 4;
}

// Losses in a queue that stands, beyond those of chance and twice their spread: it overflows, or a neighbour's does.
bool PathModel::is_shared_loss(const AckedBytes& acked) const {
  // Of what is acknowledged in batches each round trip has a wait in it that is no queue's.
  if (!is_crowded() || is_acked_in_batches()) return false;
  const std::uint64_t least = acked.rate.in_flight / 100 + pmdcs_;
  const std::uint64_t chance = chance_ < kLeastChance ? 0 : acked.rate.in_flight * chance_ / 1'000'000;
  if (acked.rate.lost <= least + chance) return false;
  const std::uint64_t excess = acked.rate.lost - least - chance;
  return excess * excess > 4 * chance * pmdcs_;
}

// §5.5.10: too much loss while probing tells what the path holds; while not, that it holds less just now.
void PathModel::adapt_to_losses(Time now, const AckedBytes& acked) {
  const bool is_late = is_latency_bound() && standing_wait() > kMostQueue;  // what losses are to others
  if (!loses_too_much(acked) && !is_shared_loss(acked) && !is_late) return;
  const std::size_t batch = std::max(acked.rate.in_flight, most_extra());
  if (is_acked_in_batches() && acked.rate.lost > batch / kHeavyLoss)
    batches_overflow_until_ = now + kOverflowRemembered;
  if (phase_ == Phase::Refill || phase_ == Phase::Up) {
    if (is_late) return;
    if (!acked.rate.is_app_limited) {
      inflight_most_ = std::max({acked.rate.in_flight, product(kBetaPercent), least()});
      // What a host that reads in batches has taken of one was in flight when none of it was acknowledged yet.
      if (is_acked_in_batches()) inflight_most_ = std::max(inflight_most_, carried_);
    }
    if (phase_ == Phase::Up) enter(now, Phase::Down);
  } else if (is_round_start_) {
    // The window of one packet after a timeout is no measure of anything.
    const std::size_t window = is_first_after_timeout_ ? before_loss_ : cwnd_;
    const std::size_t inflight = inflight_limit_ == kUnknown ? window : inflight_limit_;
    if (is_crowded()) {
      // All give the same share back, and take equal steps up again: whoever has most gives most.
      rate_limit_ = bandwidth() * kSharedPercent / 100;
      inflight_limit_ = std::max(as_window(inflight * kSharedPercent / 100), least());
    } else {
      rate_limit_ = std::max(latest_rate_, bandwidth() * kBetaPercent / 100);
      inflight_limit_ = std::max({latest_delivered_, as_window(inflight * kBetaPercent / 100), least()});
    }
  }
}

// §5.3.4: half of the window, until a round trip has passed in which the queue was empty.
void PathModel::probe_rtt(Time now, const AckedBytes& acked) {
  if (acked.flight_after > std::max(product(50), least()) && rounds_in_phase_ < 3) return;
  if (now - phase_since_ < kProbeRttTime + min_rtt_ || rounds_in_phase_ < 2) return;
  min_rtt_ = round_rtt_ != Duration::zero() ? round_rtt_ : min_rtt_;
  min_rtt_at_ = now;
  cwnd_ = std::max(cwnd_, before_probe_);
  enter(now, Phase::Down);
}

void PathModel::enter(Time now, Phase phase) {
  phase_ = phase;
  phase_since_ = now;
  rounds_in_phase_ = 0;
  phase_rtt_ = mean_rtt();
  if (phase == Phase::Down) {  // a cycle begins
    if (rates_[0] != 0)
      rates_[1] = std::exchange(rates_[0], 0);  // nothing measured is no measurement of nothing
    cycle_since_ = now;
    rounds_in_cycle_ = 0;
    // Up to a second more, by chance, so that flows do not probe in step; the clock's last digits are chance enough.
    const std::uint64_t dice =
        static_cast<std::uint64_t>(now.time_since_epoch().count()) * 0x9E3779B97F4A7C15u;
    cycle_wait_ = (is_crowded() ? kSharedCycle : kCycle) +
                  Duration(static_cast<Duration::rep>((dice >> 40) % 1'000'000));
  }
  if (phase == Phase::Refill || phase == Phase::Up) {
    rate_limit_ = 0;
    inflight_limit_ = kUnknown;
  }
  if (phase == Phase::Up) {
    probed_from_ = bandwidth();
    // A queue that stands though we have sent no more than the model says is that of neighbours. Then the step up is as many
    // packets for who has little as for who has much, and shares become equal.
    const std::uint64_t most = is_latency_bound() ? kGentleStep : kSharedStep;
    const std::uint64_t step = 100 * most / (product(100) / pmdcs_ + 1);
    const auto gentle = static_cast<std::uint64_t>(100 * kMostQueue / std::max(min_rtt_, kLeastRtt));
    up_percent_ = 100 + (is_latency_bound() ? std::clamp<std::uint64_t>(gentle, 3, 10) : 25);
    if (is_crowded()) up_percent_ = 100 + std::clamp<std::uint64_t>(step, 5, is_latency_bound() ? 50 : 100);
  }
  if (phase == Phase::ProbeRtt) {
    before_probe_ = cwnd_;
    probed_from_ = 0;
  }
}

std::size_t PathModel::inflight_with_headroom() const {
  return inflight_most_ == kUnknown ? kUnknown
                                    : std::max(as_window(inflight_most_ * std::uint64_t{85} / 100), least());
}

// Of Up: what is in flight when its rate has filled a round trip as long as the one it began in.
std::size_t PathModel::inflight_that_proves() const {
  if (is_latency_bound()) return product(100) + as_window(bytes_in(bandwidth(), kQueueSeen + stray_));
  return as_window(bytes_in(bandwidth(), std::max(phase_rtt_, min_rtt_)) * up_percent_ / 100) + 2 * pmdcs_;
}

void PathModel::set_cwnd(Time now, const AckedBytes& acked) {
  const std::uint64_t batch =
      bytes_in(bandwidth(), 2ms) + (is_latency_bound() ? 1 : 3) * pmdcs_;  // pacing and delayed SACKs
  std::uint64_t target = product(phase_ == Phase::Up ? 225 : 200);
  if (phase_ == Phase::Up) target = std::max<std::uint64_t>(target, inflight_that_proves());
  target += most_extra() + batch;
  if (is_latency_bound() && !is_full_) target = product(130) + batch;
  if (is_latency_bound() && is_full_)
    target = product(100) + bytes_in(bandwidth(), std::max(kMostQueue, stray_)) + batch;
  if (is_full_) {
    cwnd_ = as_window(std::min<std::uint64_t>(cwnd_ + acked.newly_acked, target));
  } else if (cwnd_ < target || acked.delivered < kInitialPackets * pmdcs_) {
    cwnd_ = as_window(cwnd_ + acked.newly_acked);
  }
  std::size_t most = kUnknown;
  if (phase_ == Phase::Refill || phase_ == Phase::Up) most = inflight_most_;
  if (phase_ == Phase::Down || phase_ == Phase::Cruise)
    most = std::min(inflight_with_headroom(), inflight_limit_);
  // Who acknowledges less often than once a round trip lets that much more stand in flight than the path holds; but a host that
  // reads less often has all of it wait in its socket, and where that overflows, the bounds that losses set are those of the socket.
  if (most != kUnknown && is_acked_in_batches() && now >= batches_overflow_until_) most += most_extra();
  if (phase_ == Phase::ProbeRtt) most = product(50);
  cwnd_ = std::max(std::min(cwnd_, most), least());
}

std::uint64_t PathModel::pacing_percent() const {
  switch (phase_) {
    case Phase::Startup:
      return is_latency_bound() ? 130 : 277;
    case Phase::Drain:
      return 50;
    case Phase::Down:
      return 85;
    case Phase::Up:
      return up_percent_;
    default:
      return 100;
  }
}

std::uint64_t PathModel::pacing_rate(Duration srtt) const {
  std::uint64_t rate = bandwidth();
  if (srtt > Duration::zero() && !is_full_)
    rate = std::max(rate, cwnd_ * std::uint64_t{1'000'000} / static_cast<std::uint64_t>(srtt.count()) / 2);
  // Never slower than the least window a round trip: after a silence the model knows nothing.
  const Duration round_trip = std::max(min_rtt_ == Duration::zero() ? srtt : min_rtt_, kLeastRtt);
  const std::uint64_t floor =
      least() * std::uint64_t{1'000'000} / static_cast<std::uint64_t>(round_trip.count());
  return std::max({rate * pacing_percent() / 100, floor, std::uint64_t{pmdcs_}});
}

// Of timeouts in a row the first knew the window. When something was acknowledged in between, an older one is of another time.
void PathModel::on_timeout() {
  before_loss_ = std::exchange(is_timeout_open_, true) ? std::max(before_loss_, cwnd_) : cwnd_;
  bounds_before_loss_ = bounds();
  cwnd_ = pmdcs_;
}

void PathModel::on_fast_retransmit() {
  before_loss_ = cwnd_;
  bounds_before_loss_ = bounds();
}

// §5.5.10.3
void PathModel::undo() {
  const Bounds& before = bounds_before_loss_;
  cwnd_ = std::max(cwnd_, before_loss_);
  rate_limit_ = before.rate == 0 ? 0 : std::max(rate_limit_, before.rate);
  inflight_limit_ = std::max(inflight_limit_, before.inflight);
  inflight_most_ = std::max(inflight_most_, before.inflight_most);
  batches_overflow_until_ = before.batches_overflow_until;
  if (before.is_full || !is_full_) return;
  is_full_ = false;
  full_rounds_ = 0;
  phase_ = Phase::Startup;
}

// A path is not what it was long ago.
void PathModel::on_send_after_idle(Time now, Duration) {
  if (last_sent_ == kNever || now - last_sent_ < kMinRttWindow) return;
  min_rtt_ = Duration::zero();
  min_rtt_at_ = now;
}

void PathModel::set_pmdcs(std::size_t pmdcs) {
  pmdcs_ = pmdcs;
  cwnd_ = std::max(cwnd_, pmdcs_);
}

}  // namespace pollrtc::sctp
