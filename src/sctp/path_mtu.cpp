#include "sctp/path_mtu.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pollrtc::sctp {

namespace {

// IP packets that links and tunnels really carry: IPv6's least, mobile and VPN tunnels, WireGuard, GRE and IP in IP, PPPoE,
// Ethernet; then jumbo frames and loopback. Each that gets through costs a round trip, the first that does not three timers,
// so the steps go up (RFC 8899 §5.3.2).
constexpr std::array<std::uint32_t, 13> kIpSizes{1280, 1360, 1400, 1420, 1440,  1460, 1480,
                                                 1492, 1500, 4352, 9000, 12000, 65535};
constexpr std::uint32_t kLeastGain = 8;  // bytes; a smaller step is not worth a probe

}  // namespace

std::string_view name_of(PathMtu::State state) {
  switch (state) {
    case PathMtu::State::Disabled:
      return "DISABLED";
    case PathMtu::State::Base:
      return "BASE";
    case PathMtu::State::Searching:
      return "SEARCHING";
    case PathMtu::State::SearchComplete:
      return "SEARCH_COMPLETE";
    case PathMtu::State::Error:
      return "ERROR";
  }
  return "?";
}

void PathMtu::set_path(const PathSizes& sizes) {
  below_ = sizes.below;
  base_ = std::clamp(sizes.base, kSmallest, kLargest) & ~std::uint32_t{3};
  most_ = sizes.max_ip == 0 ? 0 : to_packet(sizes.max_ip);
  size_ = base_;
  stop();
}

void PathMtu::stop() {
  state_ = State::Disabled;
  probe_due_ = probe_out_ = is_raise_owed_ = false;
  deadline_ = kNever;
}

void PathMtu::start(Time now) {
  // A ceiling at the base leaves nothing to search, but the base itself may still be too large for the path.
  if (state_ == State::Disabled && most_ != 0) enter(now, State::Base);
}

std::uint32_t PathMtu::to_packet(std::uint32_t ip_size) const {
  if (ip_size <= below_) return 0;
  return std::min(ip_size - below_, kLargest) & ~std::uint32_t{3};
}

// The next size worth trying; 0: there is none.
std::uint32_t PathMtu::next_larger() const {
  for (const std::uint32_t ip_size : kIpSizes) {
    const std::uint32_t size = std::min(to_packet(ip_size), most_);
    if (size >= size_ + kLeastGain) return size;
  }
  return 0;
}

void PathMtu::enter(Time now, State state) {
  state_ = state;
  lost_ = 0;
  probe_due_ = probe_out_ = is_raise_owed_ = false;
  deadline_ = kNever;
  switch (state) {
    case State::Base:
      size_ = base_;
      is_confirmed_ = has_progress_ = false;
      return probe(base_);
    case State::Searching:
      return search(now);
    case State::SearchComplete:
      is_used_ = false;
      deadline_ = now + kRaiseTimer;
      return;
    case State::Error:
      size_ = kSmallest;
      has_progress_ = false;
      deadline_ = now + kErrorPause;
      return;
    case State::Disabled:
      return;
  }
}

void PathMtu::search(Time now) {
  const std::uint32_t next = next_larger();
  if (next == 0) return enter(now, State::SearchComplete);
  probe(next);
}

void PathMtu::probe(std::uint32_t size) {
  probed_ = size;
  probe_due_ = true;
  deadline_ = kNever;  // it begins when the probe is out
}

void PathMtu::on_probe_sent(Time now, Duration rto) {
  probe_due_ = false;
  probe_out_ = true;
  // DEVIATION RFC 8899 §5.1.1: the probe timer SHOULD be above 15 s. A probe is answered at once, so twice the RTO is long
  // enough to know that it is lost; with 15 s a search would take the better part of a minute to end.
  deadline_ = now + std::clamp(2 * rto, kShortestProbeTimer, kLongestProbeTimer);
}

void PathMtu::on_probe_acked(Time now) {
  if (!std::exchange(probe_out_, false)) return;
  is_confirmed_ = true;
  if (state_ == State::Base || state_ == State::Error) {
    size_ = base_;
    return enter(now, State::Searching);
  }
  if (state_ != State::Searching) return;
  lost_ = 0;
  size_ = std::max(size_, probed_);
  search(now);
}

void PathMtu::on_data_progress(Time now) {
  is_used_ = true;
  if (is_raise_owed_) enter(now, State::Searching);
  if (std::exchange(has_progress_, true)) return;
  // The path lives after all: the base size is tried at once, and only once before the pause is over.
  if (state_ == State::Error && !probe_out_) probe(base_);
}

void PathMtu::on_black_hole(Time now) {
  if (state_ == State::SearchComplete && !is_confirmed_) return enter(now, State::Error);
  if (state_ == State::Searching || state_ == State::SearchComplete) enter(now, State::Base);
}

void PathMtu::handle_timeout(Time now) {
  if (now < deadline_) return;
  deadline_ = kNever;
  const bool was_probing = std::exchange(probe_out_, false);
  switch (state_) {
    case State::Disabled:
      return;
    case State::SearchComplete:
      // §5.1.1: without data none need be sent, so a silent path stays silent until there is some.
      if (!is_used_) return void(is_raise_owed_ = true);
      return enter(now, State::Searching);
    case State::Base:
      if (++lost_ < kMaxProbes) return probe(base_);
      // Data of up to that size arrives, so it is the probes that vanish: by mere loss, or because the peer takes no packet
      // with a PAD chunk in it, as Pion. Should the path be too small after all, data tells, as a black hole.
      return enter(now, has_progress_ ? State::SearchComplete : State::Error);
    case State::Searching:
      return ++lost_ < kMaxProbes ? probe(probed_) : enter(now, State::SearchComplete);
    case State::Error:
      if (!was_probing) return probe(base_);
      deadline_ = now + kErrorPause;
      return;
  }
}

}  // namespace pollrtc::sctp
