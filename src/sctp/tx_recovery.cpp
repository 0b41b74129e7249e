// Which chunks are lost, and what follows from it: tx_outstanding.h. RFC 8985 (RACK-TLP), RFC 6937 (the way down to the new
// window), RFC 9260 §7.2.4 (one cut for each loss event); and what is taken back when nothing was lost (RFC 5682, RFC 3708).
#include "sctp/tx_outstanding.h"

namespace pollrtc::sctp {

// What an acknowledgement says about the path.
void TxOutstanding::measure(Time now, const SackState& state) {
  delivery_.on_delivered(now, state.newly_acked);
  AckedBytes acked;
  acked.newly_acked = state.newly_acked;
  acked.flight_before = state.flight_before;
  acked.flight_after = flight_bytes_;
  acked.in_fast_recovery = in_fast_recovery();
  acked.delivered = delivery_.delivered();
  const SentPacket* const packet = state.newest_packet ? packets_.find(*state.newest_packet) : nullptr;
  if (packet != nullptr) {
    const bool is_of_this_path = packet->sent_at >= path_since_;
    if (is_of_this_path && rack_.on_delivered(now, *state.newest_packet, *packet) &&
        !packet->is_retransmission)
      acked.rtt = std::max(now - packet->sent_at, Duration(1));
    // Until a packet that was sent once has been acknowledged ICE's round trip tells what comes too soon. After a timeout that was
    // early the acknowledgement of the first copy seems to be the second's, microseconds after it left.
    const std::optional<Duration> shortest = rack_.shortest_rtt() ? rack_.shortest_rtt() : rto_.shortest();
    acked.rate = delivery_.sample(now, *packet, shortest.value_or(Duration(1)));
    if (!is_of_this_path || (!shortest && packet->is_retransmission)) acked.rate = {};
  }
  congestion_.on_ack(now, acked);
}

// RFC 8985 §6.2 step 5, and when to look again. The chunks in flight lie in the order of their sending, so those that are
// lost come first.
void TxOutstanding::detect_losses(Time now, std::size_t flight_before) {
  rack_due_ = kNever;
  bool lost = false;
  while (flight_bytes_ != 0 && parameters_.rack_tlp) {
    const Chunk& oldest = at_offset(offset_of(oldest_));
    if (!rack_.is_overtaken(oldest.packet)) break;
    const SentPacket* const packet = packets_.find(oldest.packet);
    const Time due = packet == nullptr ? now : rack_.lost_at(packet->sent_at, smoothed_rtt());
    if (due > now) {
      rack_due_ = due;
      break;
    }
    on_lost(now, offset_of(oldest_));
    lost = true;
  }
  if (!lost) return;
  on_loss_event(flight_before);
  prr_.on_ack(0, flight_bytes_,
              congestion_.pmdcs());  // when what was lost is given up, nothing else would go on
  update_ack_point(now, true);       // a message may have been given up
  settle_t3(now, false);
}

void TxOutstanding::on_lost(Time now, std::uint32_t offset) {
  const Chunk& chunk = at_offset(offset);
  delivery_.on_lost(wire_size(chunk));
  if (const SentPacket* const packet = packets_.find(chunk.packet))
    black_hole_.on_lost(chunk.packet, *packet);
  mark_or_abandon(now, offset);
}

// RFC 9260 §7.2.4 steps 2, 3 and 6: one cut for each loss event.
void TxOutstanding::on_loss_event(std::size_t flight_before) {
  tail_due_ = kNever;
  if (in_fast_recovery()) return;
  open_undo();
  undo_is_timeout_ = false;
  congestion_.on_fast_retransmit();
  prr_.enter(flight_before, congestion_.cwnd());
  fast_recovery_exit_ = last_assigned_tsn();
  fast_retransmit_due_ = true;
}

// Until the next loss event it may turn out that this one was none.
void TxOutstanding::open_undo() {
  undo_from_ = cumulative_ + 1;
  undo_left_ = 0;
}

// Nothing was lost when all that was sent again turns out to have been there already: the peer names each such TSN among
// its duplicates (RFC 3708 §3 has the same of TCP's D-SACK). And a timeout was too early when a chunk arrives that it gave
// up for lost and that was not sent again since (RFC 5682 §2).
void TxOutstanding::settle_undo(const SackChunk& sack, const SackState& state) {
  if (sack.duplicate_count() != 0) rack_.on_duplicates(cumulative_, next_tsn());
  delivery_.on_found(sack.duplicate_count() * congestion_.pmdcs());
  if (!undo_from_) return;
  if (undo_is_timeout_ && state.marked_arrived) return undo();
  for (std::size_t i = 0; i < sack.duplicate_count(); ++i) {
    const Tsn tsn = sack.duplicate(i);
    if (tsn < *undo_from_ || tsn > last_assigned_tsn() || undo_left_ == 0) continue;
    if (--undo_left_ == 0) return undo();
  }
}

void TxOutstanding::undo() {
  undo_from_.reset();
  fast_recovery_exit_.reset();
  congestion_.undo();
}

// §7.2: when the end of a flight goes unanswered for two round trips, its last chunk is sent again to draw a SACK, which
// then tells what is missing; T3 need not be waited for.
void TxOutstanding::arm_tail_probe(Time now) {
  tail_due_ = kNever;
  const bool is_quiet = t3_ == T3State::Quiet && !in_fast_recovery() && marked_count_ == 0 && !probing_;
  if (!parameters_.rack_tlp || !is_quiet || flight_bytes_ == 0 || tail_probe_ || !rto_.has_sample()) return;
  const bool is_lone = at_offset(offset_of(oldest_)).packet == at_offset(offset_of(newest_)).packet;
  const Time due = now + Rack::probe_timeout(rto_.srtt(), is_lone);
  if (due < t3_due_) tail_due_ = due;
}

// §7.3. DEVIATION RFC 8985 §7.3: never new data, which cwnd holds back whenever there is any; the newest chunk again.
void TxOutstanding::send_tail_probe(Time now) {
  tail_due_ = kNever;
  if (flight_bytes_ == 0) return;
  const std::uint32_t offset = offset_of(newest_);
  const Chunk& chunk = at_offset(offset);
  const TxMessage& message = queue_.messages()[chunk.message];
  // A probe is no loss: it must not use up what a message may be sent again, nor give it up (RFC 7496 §3.1).
  if (chunk.transmissions > queue_.max_retransmits(message) || queue_.is_expired(message, now)) return;
  tail_probe_ = newest_;
  mark_or_abandon(now, offset);
  fast_retransmit_due_ = true;
  t3_due_ = now + rto_.current();
}

// §7.4: a probe that repaired a loss hides it, so the window is cut as for any other. When both copies came the peer says
// so, and when later data arrives without that, there was but one.
void TxOutstanding::settle_tail_probe(const SackChunk* sack) {
  if (!tail_probe_) return;
  for (std::size_t i = 0; sack != nullptr && i < sack->duplicate_count(); ++i)
    if (sack->duplicate(i) == *tail_probe_) return tail_probe_.reset();
  if (cumulative_ <= *tail_probe_) return;
  tail_probe_.reset();
  if (!in_fast_recovery()) congestion_.on_fast_retransmit();
}

bool TxOutstanding::take_black_hole() {
  if (!black_hole_.is_suspected() || !black_hole_.is_certain(rto_.current())) return false;
  forget_black_hole();
  return true;
}

void TxOutstanding::forget_black_hole() {
  black_hole_.reset(packets_.empty() ? Time{} : packets_.newest().sent_at + Duration(1));
}

void TxOutstanding::release_packets() {
  if (packets_.empty()) return;
  packets_.release_before(flight_bytes_ == 0 ? packets_.newest_number()
                                             : at_offset(offset_of(oldest_)).packet);
}

// 0: not paced, since nothing is known of the path, or since it is too short for that.
std::uint64_t TxOutstanding::pacing_rate() const {
  const std::optional<Duration> shortest = rack_.shortest_rtt();
  if (!shortest || *shortest < SendPacer::kShortestRtt) return 0;
  return congestion_.pacing_rate(smoothed_rtt());
}

// Until there is a measurement by §6.3.1, which losses can delay, that of RACK.
Duration TxOutstanding::smoothed_rtt() const { return rto_.has_sample() ? rto_.srtt() : rack_.rtt(); }

}  // namespace pollrtc::sctp
