// Giving up: RFC 3758 §3.5 (what the sender does with an abandoned message), RFC 7496 §3.1 (limited retransmissions),
// RFC 3758 §4.1 (lifetimes), RFC 8260 §2.3.1 (what differs with I-DATA). Part of tx_outstanding.h.
#include <algorithm>

#include "sctp/tx_outstanding.h"

namespace pollrtc::sctp {

void TxOutstanding::mark_or_abandon(Time now, std::uint32_t offset) {
  Chunk& chunk = at_offset(offset);
  const TxMessage& message = queue_.messages()[chunk.message];
  // RFC 7496 §3.1: the limit holds for each chunk, however it came to be sent again.
  if (chunk.transmissions > queue_.max_retransmits(message) || queue_.is_expired(message, now)) {
    abandon(chunk.message);
    return;
  }
  leave_for(offset, Fate::Marked);
  marked_from_ = std::min(marked_from_, cumulative_ + offset);
}

// The whole message with all its chunks (RFC 3758 §3.5 A3), and what is still in the queue of it.
void TxOutstanding::abandon(TxMessageId id) {
  const TxMessage& message = queue_.messages()[id];
  if (message.chunks != 0) {
    // With I-DATA chunks of other messages lie in between, so each knows where the one before it is.
    std::uint32_t offset = offset_of(message.last_tsn);
    for (std::uint32_t left = message.chunks; left != 0; --left) {
      leave_for(offset, Fate::Abandoned);
      offset -= at_offset(offset).back;
    }
  }
  if (!queue_.abandon(id)) return;
  // Something was never sent. If the peer has acknowledged all that was, no TSN is left whose skipping would tell it
  // that the rest will not come: so the rest gets one TSN, which is abandoned from the start.
  Chunk rest;
  rest.message = id;
  rest.offset = message.sent;
  rest.end = true;
  rest.fate = Fate::Abandoned;
  if (chunks_.push_back(rest)) link_to_message(chunks_.back());
  queue_.messages().free_if_unused(id);
}

// The newest chunk of the ring is its message's newest too.
void TxOutstanding::link_to_message(Chunk& chunk) {
  TxMessage& message = queue_.messages()[chunk.message];
  chunk.back = message.chunks == 0 ? 0 : last_assigned_tsn().distance_from(message.last_tsn);
  message.last_tsn = last_assigned_tsn();
  ++message.chunks;
}

void TxOutstanding::abandon_open(Time now, StreamId stream) {
  const TxMessageId id = queue_.open_message(stream);
  if (id == kNoMessage) return;
  if (queue_.messages()[id].begun) {
    abandon(id);
    update_ack_point(now, true);
  } else {
    queue_.abandon(id);
    queue_.messages().free_if_unused(id);
  }
}

void TxOutstanding::start_shutdown(Time now) {
  shutdown_pending_ = true;
  while (const auto stream = queue_.any_open()) abandon_open(now, *stream);
}

// RFC 3758 §3.5 C1 to C3. `anew`: something was abandoned, or T3 expired: do not wait a round trip to repeat it (F2).
void TxOutstanding::update_ack_point(Time now, bool anew) {
  advanced_ack_point_ = std::max(advanced_ack_point_, cumulative_);
  while (offset_of(advanced_ack_point_) < highest_offset() &&
         at_offset(offset_of(advanced_ack_point_) + 1).fate == Fate::Abandoned)
    ++advanced_ack_point_;
  if (advanced_ack_point_ == cumulative_) {
    forward_due_ = false;
    return;
  }
  const Duration wait =
      std::clamp(rto_.srtt(), Duration(std::chrono::milliseconds(10)), Duration(kMaxForwardDelay));
  forward_due_ |= anew || advanced_ack_point_ != forwarded_ || now - forwarded_at_ >= wait;
  if (t3_due_ == kNever) t3_due_ = now + rto_.current();  // C5
}

bool TxOutstanding::write_forward_tsn(Time now, ByteWriter& out) {
  const bool interleaving = queue_.interleaving();
  if (!forward_due_ || out.room() < kForwardTsnHeader) return false;
  SkippedList skipped;
  const std::size_t limit =
      std::min<std::size_t>((out.room() - kForwardTsnHeader) / (interleaving ? 8 : 4), kMaxSkipped);
  const Tsn point = cumulative_ + collect_skipped(limit, skipped);
  if (point == cumulative_) return false;
  if (interleaving) {
    write_i_forward_tsn(out, point, {skipped.begin(), skipped.size()});
  } else {
    FixedVec<SkippedStream, kMaxSkipped> streams;
    for (const SkippedMessages& entry : skipped)
      static_cast<void>(
          streams.push_back({entry.stream, Ssn(static_cast<std::uint16_t>(entry.mid.value()))}));
    sctp::write_forward_tsn(out, point, {streams.begin(), streams.size()});
  }
  advanced_ack_point_ = point;
  forwarded_ = point;
  forwarded_at_ = now;
  forward_due_ = false;
  if (t3_due_ == kNever) t3_due_ = now + rto_.current();
  return true;
}

// The peer performs a reset only when it has everything up to there (RFC 6525 §5.2.2), and takes older numbers of those streams for
// new ones. Some do it at once, so the others are still to be told of.
void TxOutstanding::on_reset_answered(bool performed, std::span<const StreamId> streams) {
  if (performed && reset_at_ && cumulative_ < *reset_at_) {
    peer_is_past_ = reset_at_;
    knows_anew_ = knows_anew_ && note_anew(streams, *reset_at_);
  }
  reset_at_.reset();
}

// False: no memory.
bool TxOutstanding::note_anew(std::span<const StreamId> streams, Tsn after) {
  const std::size_t known = anew_.size();
  for (const StreamId stream : streams) {
    Anew* const end = anew_.begin() + known;
    Anew* const at = std::lower_bound(anew_.begin(), end, Anew{stream, after});
    if (at != end && at->stream == stream) {
      at->after = after;
    } else if (!anew_.push_back({stream, after})) {
      return false;
    }
  }
  std::sort(anew_.begin(), anew_.end());
  return true;
}

bool TxOutstanding::has_begun_anew(StreamId stream, Tsn tsn) const {
  if (!peer_is_past_ || *peer_is_past_ < tsn) return false;
  if (!knows_anew_) return true;
  const Anew* const at = std::lower_bound(anew_.begin(), anew_.end(), Anew{stream, tsn});
  return at != anew_.end() && at->stream == stream && tsn <= at->after;
}

// RFC 3758 §3.5 C4: each stream once, with its highest number, which the TSNs bring in ascending order; with I-DATA its
// unordered messages too, on their own (RFC 8260 §2.3.1). The answer is how far the list reaches: what has no place in it
// goes with the next FORWARD TSN.
std::uint32_t TxOutstanding::collect_skipped(std::size_t limit, SkippedList& skipped) {
  std::uint32_t end = offset_of(advanced_ack_point_);
  if (reset_at_ && cumulative_ < *reset_at_) end = std::min(end, offset_of(*reset_at_));
  for (std::uint32_t offset = 1; offset <= end; ++offset) {
    const TxMessage& message = queue_.messages()[at_offset(offset).message];
    if (message.unordered && !queue_.interleaving()) continue;
    if (has_begun_anew(message.stream, cumulative_ + offset)) continue;
    SkippedMessages* const known =
        std::find_if(skipped.begin(), skipped.end(), [&message](const SkippedMessages& s) {
          return s.stream == message.stream && s.unordered == message.unordered;
        });
    if (known != skipped.end()) {
      known->mid = message.number;
    } else if (skipped.size() == limit ||
               !skipped.push_back({message.stream, message.unordered, message.number})) {
      return offset - 1;
    }
  }
  return end;
}

}  // namespace pollrtc::sctp
