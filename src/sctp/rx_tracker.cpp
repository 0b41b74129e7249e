#include "sctp/rx_tracker.h"

#include <algorithm>
#include <bit>

namespace pollrtc::sctp {

namespace {
constexpr std::uint32_t kBits = 64;                                 // of a word of held_
constexpr std::uint32_t kBehind = 0x80000000;                       // distances from here on are behind
constexpr Duration kMaxSackDelay = std::chrono::milliseconds(500);  // RFC 9260 §6.2
constexpr std::uint32_t kMaxSpan = 65535;                           // gap blocks are 16-bit offsets (§3.3.4)
constexpr std::uint8_t kPacketsPerSack = 2;                         // §6.2
}  // namespace

RxTracker::RxTracker(const Environment& env, const Parameters& parameters, Tsn peer_initial_tsn)
    : sack_delay_(std::min(parameters.sack_delay, kMaxSackDelay)),
      span_(std::clamp<std::uint32_t>(env.limits.sctp_tsn_span, 1, kMaxSpan)),
      max_duplicates_(env.limits.sctp_dup_tsns),
      cumulative_(peer_initial_tsn - 1),
      highest_(cumulative_),
      held_(env.memory),
      advertised_(env.limits.sctp_rx_window) {}

bool RxTracker::is_held(Tsn tsn) const {
  if (held_.empty()) return false;
  const std::size_t bit = tsn.value() & (held_.size() * kBits - 1);
  return (held_[bit / kBits] >> (bit % kBits) & 1) != 0;
}

void RxTracker::mark(Tsn tsn, bool held) {
  const std::size_t bit = tsn.value() & (held_.size() * kBits - 1);
  const std::uint64_t mask = std::uint64_t{1} << (bit % kBits);
  if (held) {
    held_[bit / kBits] |= mask;
  } else {
    held_[bit / kBits] &= ~mask;
  }
}

RxTracker::Arrival RxTracker::look_up(Tsn tsn) const {
  const std::uint32_t distance = tsn.distance_from(cumulative_);
  if (distance == 0 || distance >= kBehind) return Arrival::Duplicate;
  if (distance > span_) return Arrival::OutOfRange;
  return is_held(tsn) ? Arrival::Duplicate : Arrival::New;
}

bool RxTracker::reserve() {
  if (!held_.empty()) return true;
  const std::size_t words = std::bit_ceil(std::max(span_, kBits)) / kBits;
  if (!held_.reserve(words)) return false;
  for (std::size_t i = 0; i < words; ++i) static_cast<void>(held_.push_back(0));
  return true;
}

void RxTracker::accept(Tsn tsn, bool immediate) {
  const bool had_gaps = has_gaps();
  if (!had_gaps && tsn == cumulative_ + 1) {
    cumulative_ = highest_ = tsn;
  } else {
    POLLRTC_ASSERT(!held_.empty());
    mark(tsn, true);
    highest_ = std::max(highest_, tsn);
    advance();
  }
  packet_had_new_ = true;
  packet_had_gap_ |= had_gaps || has_gaps();
  packet_wants_sack_ |= immediate;  // RFC 9260 §6.2: the I bit
}

void RxTracker::advance() {
  while (cumulative_ != highest_ && is_held(cumulative_ + 1)) mark(++cumulative_, false);
}

void RxTracker::on_duplicate(Tsn tsn) {
  if (duplicates_.size() < max_duplicates_) static_cast<void>(duplicates_.push_back(tsn));
  packet_wants_sack_ = true;
}

void RxTracker::forget(Tsn tsn) {
  if (tsn <= cumulative_ || !is_held(tsn)) return;
  mark(tsn, false);
  if (tsn != highest_) return;
  do {
    highest_ = highest_ - 1;
  } while (highest_ != cumulative_ && !is_held(highest_));
}

// DEVIATION RFC 3758 §3.6: beyond the span it is taken in part. Refused, it would come again for ever, and nothing else could.
Tsn RxTracker::on_forward_tsn(Tsn tsn) {
  std::uint32_t distance = tsn.distance_from(cumulative_);
  if (distance == 0 || distance >= kBehind) {  // RFC 3758 §3.6: out of date, so our last SACK may be lost
    packet_wants_sack_ = true;
    return tsn;
  }
  distance = std::min(distance, span_);
  tsn = cumulative_ + distance;
  const bool had_gaps = has_gaps();
  if (had_gaps) {
    std::uint32_t left = std::min(distance, highest_.distance_from(cumulative_));
    for (Tsn at = cumulative_ + 1; left != 0;) {
      const bool whole_word = at.value() % kBits == 0 && left >= kBits;
      if (whole_word) {
        held_[(at.value() & (held_.size() * kBits - 1)) / kBits] = 0;
      } else {
        mark(at, false);
      }
      at = at + (whole_word ? kBits : 1);
      left -= whole_word ? kBits : 1;
    }
  }
  cumulative_ = tsn;
  highest_ = std::max(highest_, cumulative_);
  advance();
  packet_had_new_ = true;  // the delay rules are those of DATA
  packet_had_gap_ |= had_gaps || has_gaps();
  return tsn;
}

void RxTracker::on_window(std::size_t a_rwnd, std::size_t whole) {
  if (a_rwnd > advertised_ && a_rwnd - advertised_ >= whole / 4) sack_at_once_ = true;
}

void RxTracker::end_of_packet(Time now) {
  if (packet_had_new_) {
    // RFC 9260 §5.1 (the first DATA), §6.2 (every second packet), §6.7 and RFC 5681 §4.2 (a gap opens or is filled).
    packets_unacknowledged_ =
        static_cast<std::uint8_t>(std::min(packets_unacknowledged_ + 1, int{kPacketsPerSack}));
    if (!seen_any_ || packets_unacknowledged_ == kPacketsPerSack || packet_had_gap_) sack_at_once_ = true;
    seen_any_ = true;
  }
  if ((packet_had_new_ || packet_had_out_of_range_) && sack_due_ == kNever) sack_due_ = now + sack_delay_;
  sack_at_once_ |= packet_wants_sack_;
  packet_had_new_ = packet_had_gap_ = packet_had_out_of_range_ = packet_wants_sack_ = false;
}

void RxTracker::handle_timeout(Time now) {
  if (now < sack_due_) return;
  sack_due_ = kNever;
  sack_at_once_ = true;
}

std::uint32_t RxTracker::find_offset(std::uint32_t from, std::uint32_t to, bool held) const {
  const std::size_t mask = held_.size() * kBits - 1;
  while (from <= to) {
    const std::size_t bit = (cumulative_.value() + from) & mask;
    const std::uint32_t shift = static_cast<std::uint32_t>(bit % kBits);
    const std::uint64_t word = (held ? held_[bit / kBits] : ~held_[bit / kBits]) >> shift;
    if (word != 0) return std::min(from + static_cast<std::uint32_t>(std::countr_zero(word)), to + 1);
    from += kBits - shift;
  }
  return to + 1;
}

void RxTracker::collect_gaps(std::size_t limit, GapBlocks& gaps) const {
  const std::uint32_t end = highest_.distance_from(cumulative_);
  for (std::uint32_t from = 1; gaps.size() < limit;) {
    const std::uint32_t first = find_offset(from, end, true);
    if (first > end) return;
    from = find_offset(first, end, false);
    if (!gaps.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(from - 1)})) return;
  }
}

bool RxTracker::write_sack(ByteWriter& out, std::size_t a_rwnd) {
  if (out.room() < kSackHeader) return false;
  const std::size_t room = (out.room() - kSackHeader) / 4;
  GapBlocks gaps;
  if (has_gaps()) collect_gaps(room, gaps);
  const std::size_t duplicates = std::min(duplicates_.size(), room - gaps.size());
  advertised_ = std::min<std::size_t>(a_rwnd, 0xFFFFFFFF);
  sctp::write_sack(out, cumulative_, static_cast<std::uint32_t>(advertised_), {gaps.begin(), gaps.size()},
                   {duplicates_.begin(), duplicates});
  duplicates_.clear();
  sack_at_once_ = false;
  sack_due_ = kNever;
  packets_unacknowledged_ = 0;
  return true;
}

}  // namespace pollrtc::sctp
