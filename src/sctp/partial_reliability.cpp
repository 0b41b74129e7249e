// Giving up: RFC 3758 §3.5 (what the sender does with an abandoned message), RFC 7496 §3.1 (limited retransmissions),
// RFC 3758 §4.1 (lifetimes). Part of tx_outstanding.h.
#include <algorithm>

#include "base/fixed_vec.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/tx_outstanding.h"

namespace pollrtc::sctp {

void TxOutstanding::mark_or_abandon(Time now, std::uint32_t offset) {
  Chunk& chunk = at_offset(offset);
  const TxMessage& message = queue_.messages()[chunk.message];
  // RFC 7496 §3.1: the limit holds for each chunk, however it came to be sent again.
  if (chunk.transmissions > queue_.max_retransmits(message) || queue_.is_expired(message, now)) {
    abandon(chunk.message, offset);
    return;
  }
  leave_for(chunk, Fate::Marked);
  marked_from_ = std::min(marked_from_, cumulative_ + offset);
}

// The whole message with all its chunks (RFC 3758 §3.5 A3), which lie side by side around `offset`, and what is still
// in the queue of it.
void TxOutstanding::abandon(TxMessageId id, std::uint32_t offset) {
  for (std::uint32_t at = offset; at >= 1 && at_offset(at).message == id; --at)
    leave_for(at_offset(at), Fate::Abandoned);
  for (std::uint32_t at = offset + 1; at <= highest_offset() && at_offset(at).message == id; ++at)
    leave_for(at_offset(at), Fate::Abandoned);
  if (!queue_.abandon(id)) return;
  // Something was never sent. If the peer has acknowledged all that was, no TSN is left whose skipping would tell it
  // that the rest will not come: so the rest gets one TSN, which is abandoned from the start.
  Chunk rest;
  rest.message = id;
  rest.offset = queue_.messages()[id].sent;
  rest.end = true;
  rest.fate = Fate::Abandoned;
  if (chunks_.push_back(rest)) ++queue_.messages()[id].chunks;
  queue_.messages().free_if_unused(id);
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
  if (!forward_due_ || out.room() < kForwardTsnHeader) return false;
  FixedVec<SkippedStream, kMaxSkippedStreams> skipped;
  const std::size_t limit = std::min<std::size_t>((out.room() - kForwardTsnHeader) / 4, kMaxSkippedStreams);
  Tsn point = cumulative_;
  const std::uint32_t end = offset_of(advanced_ack_point_);
  for (std::uint32_t offset = 1; offset <= end; ++offset, ++point) {
    const Chunk& chunk = at_offset(offset);
    const TxMessage& message = queue_.messages()[chunk.message];
    if (message.unordered) continue;
    // C4: each stream once, with its highest SSN, which the TSNs bring in ascending order.
    SkippedStream* const known =
        std::find_if(skipped.begin(), skipped.end(),
                     [&message](const SkippedStream& s) { return s.stream == message.stream; });
    if (known != skipped.end()) {
      known->ssn = message.ssn;
    } else if (skipped.size() == limit) {
      break;  // the rest goes with the next one
    } else if (!skipped.push_back({message.stream, message.ssn})) {
      break;
    }
  }
  if (point == cumulative_) return false;
  sctp::write_forward_tsn(out, point, {skipped.begin(), skipped.size()});
  advanced_ack_point_ = point;
  forwarded_ = point;
  forwarded_at_ = now;
  forward_due_ = false;
  if (t3_due_ == kNever) t3_due_ = now + rto_.current();
  return true;
}

}  // namespace pollrtc::sctp
