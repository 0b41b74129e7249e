// What a SACK says about the chunks in flight: tx_outstanding.h. RFC 9260 §6.2.1, §6.3.2, §7.2.4.
#include <algorithm>
#include <utility>

#include "sctp/tx_outstanding.h"

namespace pollrtc::sctp {

namespace {
constexpr std::uint32_t kBehind = 0x80000000;
constexpr std::uint8_t kMissesUntilLost = 3;  // §7.2.4
}  // namespace

SackResult TxOutstanding::on_sack(Time now, const SackChunk& sack) {
  return process(now, sack.cumulative_tsn_ack, &sack);
}

SackResult TxOutstanding::on_shutdown(Time now, Tsn cumulative_tsn_ack) {
  return process(now, cumulative_tsn_ack, nullptr);
}

SackResult TxOutstanding::process(Time now, Tsn cumulative, const SackChunk* sack) {
  const std::uint32_t distance = offset_of(cumulative);
  if (distance >= kBehind) return SackResult::Old;  // §6.2.1 D i
  if (distance > highest_offset()) return SackResult::Violation;
  if (sack != nullptr && !is_valid(*sack, highest_offset() - distance)) return SackResult::Violation;

  SackState state;
  const std::size_t cwnd_before = congestion_.cwnd();
  state.flight_before = flight_bytes_;
  state.cumulative_moved = distance != 0;
  sack_since_t3_ = true;
  advance_cumulative(now, distance, state);
  if (sack != nullptr) apply_gaps(now, *sack, state);
  if (fast_recovery_exit_ && cumulative_ >= *fast_recovery_exit_) {  // D iv
    fast_recovery_exit_.reset();
    rack_.on_recovery_end();
  }
  const bool is_progress = state.cumulative_moved || state.newly_acked != 0;
  if (is_progress) t3_ = T3State::Quiet;
  settle_rto(state, sack != nullptr && sack->duplicate_count() != 0);
  if (state.newly_acked != 0) measure(now, state);  // before any cut (§7.2.4, note)
  if (sack != nullptr) {
    settle_undo(*sack, state);
    count_misses(now, state);
    detect_losses(now, state.flight_before);
    if (in_fast_recovery()) prr_.on_ack(state.newly_acked, flight_bytes_, congestion_.pmdcs());
    const std::size_t outstanding = flight_payload_;
    peer_rwnd_ =
        sack->a_rwnd > outstanding ? static_cast<std::uint32_t>(sack->a_rwnd - outstanding) : 0;  // D ii
    check_probe(now, sack->a_rwnd);
    check_reopening(now, sack->a_rwnd);
  }
  const std::size_t grown = congestion_.cwnd() > cwnd_before ? congestion_.cwnd() - cwnd_before : 0;
  // On top of the packets that any moment allows, not in their place: or a SACK for four packets would let out four, and a
  // flight below cwnd would stay there, and keep cwnd from growing, for ever.
  refill_burst(now);
  burst_left_ += (state.newly_acked + grown + congestion_.pmdcs() - 1) / congestion_.pmdcs();
  update_ack_point(now, false);
  settle_t3(now, state.cumulative_moved);
  settle_tail_probe(sack);
  if (is_progress) arm_tail_probe(now);
  release_packets();
  return is_progress ? SackResult::Progress : SackResult::Nothing;
}

// DEVIATION RFC 9260 §6.3.3: there only a new measurement ends the back-off, and while a whole window is sent again none
// can be made, so that on a bad path each further loss costs up to a minute. Here, as in browsers, an ack that moves
// the cumulative TSN ends it too. Karn's reason for the rule is kept: when the peer reports duplicates, the timeouts may
// have been too early (or a SACK was lost), and then each such ack takes back one doubling only, so that the RTO stays
// near what the path needs until there is a measurement.
void TxOutstanding::settle_rto(const SackState& state, bool has_duplicates) {
  if (state.rtt) {
    rto_.on_sample(*state.rtt);
    maybe_early_timeouts_ = false;
    return;
  }
  maybe_early_timeouts_ |= has_duplicates;
  if (!state.cumulative_moved) return;
  if (maybe_early_timeouts_) {
    rto_.ease_back_off();
  } else {
    rto_.clear_back_off();
  }
}

// No block that is one may reach above what was ever sent (§12.4); those that are none are left out later.
bool TxOutstanding::is_valid(const SackChunk& sack, std::uint32_t highest) const {
  for (std::size_t i = 0; i < sack.gap_count(); ++i) {
    const GapBlock gap = sack.gap(i);
    if (gap.start <= gap.end && gap.end > highest) return false;
  }
  return true;
}

void TxOutstanding::advance_cumulative(Time now, std::uint32_t distance, SackState& state) {
  if (distance == 0) return;
  for (std::uint32_t offset = 1; offset <= distance; ++offset) acknowledge(now, offset, state);
  for (std::uint32_t i = 0; i < distance; ++i) {
    const Chunk& passed = chunks_.front();
    const TxMessageId id = passed.message;
    TxMessage& message = queue_.messages()[id];
    message.acknowledged = passed.offset + passed.length;
    --message.chunks;
    kept_bytes_ -= passed.length;
    chunks_.pop_front();
    queue_.messages().free_if_unused(id);
  }
  cumulative_ = cumulative_ + distance;
  if (peer_is_past_ && *peer_is_past_ <= cumulative_) {
    peer_is_past_.reset();
    anew_.clear();
    knows_anew_ = true;
  }
  marked_from_ = std::max(marked_from_, cumulative_ + 1);
  miss_from_ = std::max(miss_from_, cumulative_ + 1);
  if (timed_tsn_ && *timed_tsn_ <= cumulative_) timed_tsn_.reset();
  // The ranges are offsets from the cumulative TSN.
  std::size_t passed = 0;
  while (passed < gaps_.size() && gaps_[passed].last <= distance) ++passed;
  if (passed != 0) gaps_.erase(0, passed);
  for (GapRange& range : gaps_) {
    range.first = range.first > distance ? range.first - distance : 1;
    range.last -= distance;
  }
}

void TxOutstanding::acknowledge(Time now, std::uint32_t offset, SackState& state) {
  Chunk& chunk = at_offset(offset);
  if (chunk.fate != Fate::InFlight && chunk.fate != Fate::Marked) return;  // abandoned ones are not credited
  const Tsn tsn = cumulative_ + offset;
  if (timed_tsn_ == tsn) {
    const bool was_held_up = timed_through_t3_ != 0 && now - timed_since_ > Rto::kLongestRoundTrip;
    if (chunk.transmissions == 1 && !was_held_up) state.rtt = now - timed_since_;  // §6.3.1 C5
    timed_tsn_.reset();
  }
  if (chunk.fate == Fate::Marked) {
    state.marked_arrived = true;
    delivery_.on_found(wire_size(chunk));
  }
  if (!chunk.reneged && (!state.newest_packet || chunk.packet > *state.newest_packet)) {
    state.newest_packet = chunk.packet;
    state.newest_was_sent_again = chunk.transmissions != 1;
  }
  if (black_hole_.is_suspected()) black_hole_.on_delivered(chunk.packet, packets_.find(chunk.packet));
  if (tsn > highest_acked_) {
    highest_acked_ = tsn;
  } else if (chunk.transmissions == 1 && !chunk.reneged && parameters_.rack_tlp) {
    rack_.on_reordering();  // RFC 8985 §6.2 step 3
  }
  leave_for(offset, Fate::Acked);
  state.newly_acked += wire_size(chunk);
  state.highest_newly_acked = std::max(state.highest_newly_acked.value_or(tsn), tsn);
}

// Blocks that do not ascend, overlap or stand upside down are cut to what is new in them, or left out (SCTP-SACK-03).
void TxOutstanding::apply_gaps(Time now, const SackChunk& sack, SackState& state) {
  fresh_gaps_.clear();
  if (!fresh_gaps_.reserve(std::min<std::size_t>(sack.gap_count(), chunks_.size()))) return;
  std::uint32_t covered = 0;  // up to here
  for (std::size_t i = 0; i < sack.gap_count(); ++i) {
    const GapBlock gap = sack.gap(i);
    const std::uint32_t first = std::max<std::uint32_t>(gap.start, covered + 1);
    if (gap.start == 0 || first > gap.end) continue;
    const bool adjoins = !fresh_gaps_.empty() && fresh_gaps_.back().last + 1 == first;
    if (adjoins) {
      fresh_gaps_.back().last = gap.end;
    } else if (!fresh_gaps_.push_back({first, gap.end})) {
      return;
    }
    covered = gap.end;
  }
  for_each_difference(fresh_gaps_, gaps_, [&](std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t offset = first; offset <= last; ++offset) {
      if (at_offset(offset).fate == Fate::Abandoned) on_abandoned_arrived(offset);
      acknowledge(now, offset, state);
    }
  });
  for_each_difference(gaps_, fresh_gaps_, [&](std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t offset = first; offset <= last; ++offset) renege(offset);
  });
  std::swap(gaps_, fresh_gaps_);
}

// It was late, not lost. No FORWARD TSN makes a peer say so: that moves the cumulative TSN, and leaves no gap behind.
void TxOutstanding::on_abandoned_arrived(std::uint32_t offset) {
  const Chunk& chunk = at_offset(offset);
  if (chunk.transmissions == 0) return;  // the place of what was never sent
  // Of a packet that is forgotten nobody knows the size, if it may have held more than this.
  const SentPacket* const packet = packets_.find(chunk.packet);
  const bool was_large = kCommonHeader + wire_size(chunk) > base_;
  if (black_hole_.is_suspected() && (packet != nullptr || was_large))
    black_hole_.on_delivered(chunk.packet, packet);
  if (cumulative_ + offset < highest_acked_ && chunk.transmissions == 1 && parameters_.rack_tlp)
    rack_.on_reordering();
}

// Acknowledged before, missing now: outstanding again, with one miss (§6.2.1 D iii). settle_t3() starts T3 (R4).
void TxOutstanding::renege(std::uint32_t offset) {
  Chunk& chunk = at_offset(offset);
  if (chunk.fate != Fate::Acked) return;
  enter_flight(offset);
  chunk.reneged = true;
  chunk.misses = 1;
  miss_from_ = std::min(miss_from_, cumulative_ + offset);
}

// §7.2.4: the chunks below the highest newly acknowledged one that the SACK leaves out. In Fast Recovery, when the
// cumulative TSN moves, all that are reported missing.
void TxOutstanding::count_misses(Time now, const SackState& state) {
  std::uint32_t limit = 0;
  if (state.highest_newly_acked && *state.highest_newly_acked > cumulative_)
    limit = offset_of(*state.highest_newly_acked) - 1;
  if (in_fast_recovery() && state.cumulative_moved && !gaps_.empty()) limit = gaps_.back().first - 1;
  const std::uint32_t from = offset_of(miss_from_);
  if (from > limit) return;

  // Chunks below miss_from_ cannot be fast retransmitted any more, so each chunk is looked at a few times in its life.
  bool lost = false;
  std::optional<std::uint32_t> still_eligible;
  const auto visit = [&](std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t offset = first; offset <= last; ++offset) {
      Chunk& chunk = at_offset(offset);
      if (chunk.fate != Fate::InFlight || chunk.fast_retransmitted) continue;
      // DEVIATION RFC 9260 §7.2.4: once packets have been seen to overtake each other, three misses prove nothing, and time
      // alone decides (RFC 8985 §6.2 step 4).
      chunk.misses = static_cast<std::uint8_t>(std::min(chunk.misses + 1, int{kMissesUntilLost}));
      if (chunk.misses == kMissesUntilLost && !rack_.has_seen_reordering()) {
        chunk.fast_retransmitted = true;
        lost = true;
        on_lost(now, offset);
      } else if (!still_eligible) {
        still_eligible = offset;
      }
    }
  };
  std::uint32_t offset = from;
  const GapRange* gap = std::lower_bound(gaps_.begin(), gaps_.end(), from,
                                         [](const GapRange& g, std::uint32_t at) { return g.last < at; });
  for (; offset <= limit; ++gap) {
    if (gap == gaps_.end() || gap->first > limit) {
      visit(offset, limit);
      break;
    }
    if (gap->first > offset) visit(offset, gap->first - 1);
    offset = gap->last + 1;
  }
  miss_from_ = cumulative_ + still_eligible.value_or(limit + 1);
  if (lost) on_loss_event(state.flight_before);
}

// The window has opened, and the probe into it is not acknowledged: it was thrown away, so it need not wait for T3.
void TxOutstanding::check_probe(Time now, std::uint32_t a_rwnd) {
  if (!probing_) return;
  if (flight_bytes_ == 0 && marked_count_ == 0) {
    probing_ = false;
    return;
  }
  if (chunks_.size() != 1 || chunks_.front().fate != Fate::InFlight || a_rwnd < chunks_.front().length)
    return;
  probing_ = false;
  send_again_into_window(now);
}

// The same for chunks that T3 has been sending again since the window closed over them: its back-off, which may have
// reached a minute, says nothing any more.
void TxOutstanding::check_reopening(Time now, std::uint32_t a_rwnd) {
  const bool was_closed = std::exchange(window_closed_, a_rwnd == 0);
  if (!was_closed || !rto_.is_backed_off() || chunks_.empty()) return;
  if (chunks_.front().fate != Fate::InFlight || a_rwnd < chunks_.front().length) return;
  send_again_into_window(now);
}

void TxOutstanding::send_again_into_window(Time now) {
  rto_.clear_back_off();
  mark_or_abandon(now, 1);
  if (t3_ == T3State::AwaitingAck) t3_ = T3State::PacketDue;
}

}  // namespace pollrtc::sctp
