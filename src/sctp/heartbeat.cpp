// Whether the peer is still there: HEARTBEAT and the association's error counter (RFC 9260 §8.1, §8.3). There is one
// path (RFC 8261 §6.1), so the counter of the path is that of the association.
#include "base/log.h"
#include "base/random.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

namespace {
constexpr std::uint8_t kTimeoutsOfBlackHole = 2;
constexpr unsigned kTimeoutsUntilMeasured = 3;  // two are common where flows meet in a short queue
}  // namespace

// §8.3: HB.interval + RTO, give or take half an RTO, after the last DATA or HEARTBEAT.
void Association::schedule_heartbeat(Time now) {
  if (!heartbeats_run() || !is_heartbeat_wanted()) return;
  const Duration rto = this->rto();
  const Time earliest = now + config_.parameters.heartbeat_interval + rto / 2;
  // While DATA flows each packet would draw anew: what was drawn a moment ago still lies where it may.
  const Time due = timers_.due(Timer::Heartbeat);
  if (due >= earliest && due <= earliest + rto) return;
  const auto dice = random_u32(env_.rng);
  const Duration jitter = dice ? rto * (*dice % 1024) / 1024 : rto / 2;
  timers_.set(Timer::Heartbeat, earliest + jitter);
}

bool Association::heartbeats_run() const {
  using enum AssociationState;
  return state_ == Established || state_ == ShutdownPending || state_ == ShutdownReceived;
}

bool Association::is_heartbeat_wanted() const {
  return config_.parameters.heartbeat_when_idle || errors_ != 0;
}

Association::Handled Association::on_heartbeat(const ChunkView& chunk) {
  if (!tcb_ || state_ < AssociationState::CookieEchoed) return {Drop::SctpState};
  // What cannot be answered within a packet is dropped (SCTP-HB-01).
  const bool answered = replies_.add(tcb_->peer_tag, false, [&](ByteWriter& out) {
    write_chunk(out, ChunkType::HeartbeatAck, 0, chunk.value);
  });
  return {answered ? Drop::None : Drop::SctpHeartbeat};
}

// The nonce proves that it answers the HEARTBEAT under way, and not an older or a guessed one.
Association::Handled Association::on_heartbeat_ack(Time now, const ChunkView& chunk) {
  const auto nonce = parse_heartbeat_nonce(chunk);
  if (nonce && is_transferring() && (on_probe_ack(now, *nonce) || on_measurement(now, *nonce))) return {};
  if (!nonce || heartbeat_nonce_ == 0 || *nonce != heartbeat_nonce_ || owed_.heartbeat ||
      !is_transferring()) {
    return {Drop::SctpHeartbeat};
  }
  heartbeat_nonce_ = 0;
  timers_.stop(Timer::HeartbeatAck);
  tcb_->tx.rto().on_sample(now - heartbeat_sent_);
  clear_errors();
  schedule_heartbeat(now);
  return {};
}

// An idle interval is over, or the HEARTBEAT under way got no answer for an RTO, which is one error.
void Association::on_heartbeat_timer(Time now, Timer timer) {
  if (!heartbeats_run()) return;
  if (timer == Timer::HeartbeatAck) {
    tcb_->tx.rto().back_off();
    heartbeat_nonce_ = 0;
    count_error(now, "HEARTBEAT is not answered");
    schedule_heartbeat(now);
    return;
  }
  if (!is_heartbeat_wanted()) return;
  const auto nonce = random_u64(env_.rng);
  heartbeat_nonce_ = nonce.value_or(0);
  if (heartbeat_nonce_ == 0) return schedule_heartbeat(now);
  owed_.heartbeat = true;
  heartbeat_sent_ = now;
  timers_.set(Timer::HeartbeatAck, now + rto());
}

// An answered probe is as good as an answered HEARTBEAT; a lost one is no error (RFC 8899 §6.2.1.2).
bool Association::on_probe_ack(Time now, std::uint64_t nonce) {
  if (probe_nonce_ == 0 || nonce != probe_nonce_) return false;
  probe_nonce_ = 0;
  tcb_->tx.rto().on_sample(now - probe_sent_);
  clear_errors();
  path_mtu_.on_probe_acked(now);
  use_path_mtu();
  return true;
}

// T3 may be too early each time, where the round trip is longer than the RTO, and Karn's rule (RFC 9260 §6.3.1 C5) may keep
// acknowledgements from ever telling, since something is sent again, or given up, each time. A HEARTBEAT is sent once: what answers
// it is a measurement. It waits for its answer through further timeouts, and a lost one is no error.
void Association::measure_round_trip(Time now) {
  if (tcb_->tx.rto().unmeasured_timeouts() < kTimeoutsUntilMeasured) return;
  if (measurement_nonce_ != 0 && now - measurement_sent_ <= Rto::kLongestRoundTrip) return;
  measurement_nonce_ = random_u64(env_.rng).value_or(0);
  owed_.measurement = measurement_nonce_ != 0;
  measurement_sent_ = now;
}

bool Association::on_measurement(Time now, std::uint64_t nonce) {
  if (measurement_nonce_ == 0 || nonce != measurement_nonce_ || owed_.measurement) return false;
  measurement_nonce_ = 0;
  const Duration round_trip = now - measurement_sent_;
  if (round_trip <= Rto::kLongestRoundTrip) tcb_->tx.rto().on_sample(round_trip);
  clear_errors();
  return true;
}

// RFC 8899 §4.3: an acknowledged protocol sees a black hole in data that nobody acknowledges. One timeout is an accident.
void Association::on_data_timeout(Time now) {
  measure_round_trip(now);
  if (++data_timeouts_ == kTimeoutsOfBlackHole) on_black_hole(now);
}

void Association::on_data_progress(Time now) {
  data_timeouts_ = 0;
  path_mtu_.on_data_progress(now);
  clear_errors();
  if (tcb_->tx.take_black_hole()) on_black_hole(now);
}

void Association::on_black_hole(Time now) {
  data_timeouts_ = 0;
  path_mtu_.on_black_hole(now);
  use_path_mtu();
}

void Association::use_path_mtu() {
  if (!tcb_) return;
  tcb_->tx.cut_for(path_mtu_.size_to_cut_for());
  tcb_->tx.set_base(path_mtu_.base());
  if (tcb_->tx.mtu() == path_mtu_.size()) return;
  const bool is_error = path_mtu_.state() == PathMtu::State::Error;
  POLLRTC_LOG(env_, Info, "sctp", "path MTU: {} -> {} ({})", tcb_->tx.mtu(), path_mtu_.size(),
              name_of(path_mtu_.state()));
  tcb_->tx.set_mtu(path_mtu_.size());
  path_mtu_event_ = PathMtuChanged{path_mtu_.size(), is_error};
}

// A timeout is an error of the peer's only if something went out that it could have answered: while there is no path nothing
// is polled, and how long that may last is not for SCTP to say (Limits::ice_restart_window).
void Association::count_error(Time now, std::string_view what) {
  if (!std::exchange(sent_since_error_, false)) return;
  ++errors_;
  POLLRTC_LOG(env_, Debug, "sctp", "{}: {} errors in a row, RTO {} us", what, errors_, rto().count());
  if (!timers_.is_running(Timer::Heartbeat) && !timers_.is_running(Timer::HeartbeatAck))
    schedule_heartbeat(now);
  if (errors_ <= config_.parameters.association_max_retrans) return;
  // RFC 9260 §8.1. The peer is told, in case it is there after all.
  abort_with(CauseCode::None, {}, Close::SctpUnreachable, "the peer does not answer any more");
}

void Association::clear_errors() { errors_ = 0; }

}  // namespace pollrtc::sctp
