#include "sctp/tx_outstanding.h"

#include <algorithm>

#include "sctp/packet.h"

namespace pollrtc::sctp {

namespace {
constexpr std::size_t kInitialBurst = 10;    // packets: the initial window (congestion.cpp)
constexpr std::size_t kLeastPiece = 32;      // bytes, of a message that fills the rest of a packet
constexpr std::uint32_t kMaxChunks = 65535;  // gap blocks are 16-bit offsets (§3.3.4)
}  // namespace

TxOutstanding::TxOutstanding(const Environment& env, const Parameters& parameters, TxQueue& queue,
                             Tsn initial_tsn, std::size_t mtu)
    : parameters_(parameters),
      queue_(queue),
      mtu_(mtu & ~std::size_t{3}),
      max_chunks_(std::min(env.limits.sctp_chunks_queued, kMaxChunks)),
      max_bytes_(2 * std::size_t{env.limits.sctp_tx_buffer}),
      rto_(parameters),
      congestion_(parameters.congestion, mtu_ - kCommonHeader),
      packets_(env.memory, 2 * max_chunks_),
      cumulative_(initial_tsn - 1),
      chunks_(env.memory),
      gaps_(env.memory),
      fresh_gaps_(env.memory),
      marked_from_(initial_tsn),
      miss_from_(initial_tsn),
      burst_left_(kInitialBurst),
      highest_acked_(cumulative_),
      advanced_ack_point_(cumulative_),
      forwarded_(cumulative_),
      anew_(env.memory) {}

void TxOutstanding::set_mtu(std::size_t mtu) {
  mtu_ = mtu & ~std::size_t{3};
  forget_black_hole();
  congestion_.set_pmdcs(mtu_ - kCommonHeader);
}

std::size_t TxOutstanding::full_payload() const {
  return std::min(mtu_, cut_for_ & ~std::size_t{3}) - kCommonHeader - header_size();
}

void TxOutstanding::enter_flight(std::uint32_t offset) {
  Chunk& chunk = at_offset(offset);
  chunk.fate = Fate::InFlight;
  chunk.packet = packets_.newest_number();
  link_newest(offset);
  flight_bytes_ += wire_size(chunk);
  flight_payload_ += chunk.length;
}

// Whatever it was, it is now `fate`: the accounts follow. RFC 9260 §6.2.1 C for the window.
void TxOutstanding::leave_for(std::uint32_t offset, Fate fate) {
  Chunk& chunk = at_offset(offset);
  if (chunk.fate == Fate::InFlight) {
    unlink(offset);
    flight_bytes_ -= wire_size(chunk);
    flight_payload_ -= chunk.length;
    if (fate == Fate::Marked) peer_rwnd_ += std::min<std::uint32_t>(chunk.length, 0xFFFFFFFF - peer_rwnd_);
  }
  if (chunk.fate == Fate::Marked) --marked_count_;
  if (fate == Fate::Marked) ++marked_count_;
  chunk.fate = fate;
}

void TxOutstanding::link_newest(std::uint32_t offset) {
  Chunk& chunk = at_offset(offset);
  const Tsn tsn = cumulative_ + offset;
  chunk.older = chunk.newer = tsn;
  if (flight_bytes_ == 0) {
    oldest_ = tsn;
  } else {
    chunk.older = newest_;
    at_offset(offset_of(newest_)).newer = tsn;
  }
  newest_ = tsn;
}

void TxOutstanding::unlink(std::uint32_t offset) {
  const Chunk& chunk = at_offset(offset);
  const Tsn tsn = cumulative_ + offset;
  if (chunk.older == tsn) {
    oldest_ = chunk.newer;
  } else {
    at_offset(offset_of(chunk.older)).newer = chunk.newer == tsn ? chunk.older : chunk.newer;
  }
  if (chunk.newer == tsn) {
    newest_ = chunk.older;
  } else {
    at_offset(offset_of(chunk.newer)).older = chunk.older == tsn ? chunk.newer : chunk.older;
  }
}

// The lowest chunk that is to be sent again and still deserves it (RFC 3758 §4.1 TR4); 0: none.
std::uint32_t TxOutstanding::first_marked(Time now) {
  while (marked_count_ != 0) {
    const std::uint32_t offset = offset_of(marked_from_);
    Chunk& chunk = at_offset(offset);
    if (chunk.fate != Fate::Marked) {
      ++marked_from_;
    } else if (queue_.is_expired(queue_.messages()[chunk.message], now)) {
      abandon(chunk.message);
      update_ack_point(now, true);
    } else {
      return offset;
    }
  }
  return 0;
}

// DEVIATION RFC 9260 §6.1 D: Max.Burst counts the packets beyond those that SACKs have acknowledged and those by which
// they let cwnd grow, until there is nothing to send. A peer that handles datagrams in batches acknowledges many at once,
// and four packets for each such SACK would starve the window. And where the rate of the path is known it is at least what
// the pacer lets out at once on a longer one, so that packets leave in runs.
std::size_t TxOutstanding::most_burst() const {
  const std::uint64_t rate = congestion_.pacing_rate(smoothed_rtt());
  const auto quantum = static_cast<std::uint64_t>(SendPacer::kQuantum.count());
  const std::uint64_t packets =
      std::min<std::uint64_t>(rate * quantum / 1'000'000 / congestion_.pmdcs(), kMaxChunks);
  return std::max<std::size_t>(parameters_.max_burst, static_cast<std::size_t>(packets));
}

void TxOutstanding::refill_burst(Time now) {
  if (now == burst_at_) return;
  burst_at_ = now;
  burst_left_ = std::max(burst_left_, most_burst());
}

// The length of the next new chunk for `room` bytes of a packet; 0: none may go.
std::size_t TxOutstanding::next_length(Time now, std::size_t room) {
  if (flight_bytes_ >= window() || t3_ == T3State::AwaitingAck) return 0;  // §6.1 B, §7.2.3
  if (chunks_.size() >= max_chunks_ || kept_bytes_ >= max_bytes_) return 0;
  TxMessageId id = queue_.current(now);
  while (id != kNoMessage && queue_.messages()[id].begun && queue_.is_expired(queue_.messages()[id], now)) {
    abandon(id);
    update_ack_point(now, true);
    id = queue_.current(now);
  }
  // The first burst of all is the initial window, however often we were asked before there was anything to send.
  if (id == kNoMessage && chunks_sent_ != 0 && burst_left_ > parameters_.max_burst)
    burst_left_ = std::min(burst_left_, most_burst());
  if (id == kNoMessage) delivery_.on_app_limited(flight_bytes_);
  if (id == kNoMessage || room <= header_size()) return 0;
  const TxMessage& message = queue_.messages()[id];
  const std::size_t left = message.unsent_in_one_piece();
  const std::size_t space = (room & ~std::size_t{3}) - header_size();
  const std::size_t length = std::min({left, space, full_payload()});
  if (length < left && (queue_.is_single_chunk(message) || length < least_piece(left))) return 0;
  return is_window_open(now, std::min(left, full_payload())) ? length : 0;
}

// What is cut is cut into large pieces: no message begins in the last corner of a packet. What TxQueue let pass as a single
// chunk is not cut at all. But on a path too short for pacing what has to be cut anyway fills that corner, so that packets
// are of one size and the system takes many of them as one run.
std::size_t TxOutstanding::least_piece(std::size_t left) const {
  const bool is_short = rack_.shortest_rtt().value_or(SendPacer::kShortestRtt) < SendPacer::kShortestRtt;
  return is_short && left > full_payload() ? kLeastPiece : (full_payload() + 1) / 2;
}

// §6.1 A. A chunk is never cut to what is left of the peer's window, so a window that opens byte by byte draws no tiny
// fragments (SCTP-DATA-25); when nothing is in flight that could open it, it is probed with a whole chunk.
bool TxOutstanding::is_window_open(Time now, std::size_t length) {
  if (length <= peer_rwnd_) {
    probe_due_ = kNever;
    return true;
  }
  if (flight_bytes_ != 0 || marked_count_ != 0) return false;
  if (probe_allowed_) return true;
  if (probe_due_ == kNever) probe_due_ = now + rto_.current();
  return false;
}

bool TxOutstanding::has_data_to_send(Time now) {
  if (flight_bytes_ == 0 && marked_count_ == 0) congestion_.on_send_after_idle(now, rto_.current());
  const bool forced = first_marked(now) != 0 && (fast_retransmit_due_ || t3_ == T3State::PacketDue);
  if (forced) return true;
  fast_retransmit_due_ = false;
  if (pacing_rate() != 0) {
    if (is_allowed(now)) return pacer_.may_send(now);
    pacer_.on_nothing_to_send();
    return false;
  }
  refill_burst(now);
  return burst_left_ != 0 && is_allowed(now);
}

// Something waits, and the windows let it go.
bool TxOutstanding::is_allowed(Time now) {
  if (marked_count_ != 0) return flight_bytes_ < window() && t3_ != T3State::AwaitingAck;  // §6.1 C
  return next_length(now, mtu_ - kCommonHeader) != 0;
}

std::size_t TxOutstanding::oversized_packet(Time now) {
  if (marked_count_ == 0 || !has_data_to_send(now)) return 0;
  const std::uint32_t offset = first_marked(now);
  const std::size_t size = offset == 0 ? 0 : kCommonHeader + wire_size(at_offset(offset));
  return size > mtu_ ? size : 0;
}

std::size_t TxOutstanding::write_due(Time now, ByteWriter& out) {
  const std::size_t before = out.size();
  if (!packets_.open(delivery_.on_sent(now, flight_bytes_ == 0))) return 0;
  std::size_t count = write_marked(now, out);
  packets_.newest().is_retransmission = count != 0;
  if (marked_count_ == 0) count += write_new(now, out);
  if (out.size() == before) return 0;
  const std::size_t bytes = out.size() - before;
  packets_.newest().in_flight = flight_bytes_;
  packets_.newest().is_large = out.size() > base_ && out.size() <= mtu_;
  if (in_fast_recovery()) prr_.on_sent(bytes);
  if (const std::uint64_t rate = pacing_rate()) pacer_.on_sent(now, bytes, rate, congestion_.pmdcs());
  arm_tail_probe(now);
  fast_retransmit_due_ = false;
  if (t3_ == T3State::PacketDue) t3_ = T3State::AwaitingAck;
  if (burst_left_ != 0) --burst_left_;
  congestion_.on_sent(now);
  chunks_sent_ += count;
  return count;
}

std::size_t TxOutstanding::write_marked(Time now, ByteWriter& out) {
  const bool forced = fast_retransmit_due_ || t3_ == T3State::PacketDue;
  std::size_t count = 0;
  while (const std::uint32_t offset = first_marked(now)) {
    Chunk& chunk = at_offset(offset);
    if (wire_size(chunk) > out.room() || (!forced && flight_bytes_ >= window())) break;
    leave_for(offset, Fate::InFlight);
    enter_flight(offset);
    if (undo_from_) ++undo_left_;
    chunk.misses = 0;
    chunk.reneged = false;
    if (chunk.transmissions != 0xFFFF) ++chunk.transmissions;
    ++retransmissions_;
    ++count;
    const Tsn tsn = cumulative_ + offset;
    if (timed_tsn_ && (tsn == *timed_tsn_ || (tsn < *timed_tsn_ && timed_through_t3_ == 0)))
      timed_tsn_.reset();                                                  // §6.3.1 C5
    if (offset == 1 || t3_due_ == kNever) t3_due_ = now + rto_.current();  // §6.1, §6.3.2 R1
    write_chunk(out, offset);
  }
  return count;
}

std::size_t TxOutstanding::write_new(Time now, ByteWriter& out) {
  std::size_t count = 0;
  while (const std::size_t length = next_length(now, out.room())) {
    if (!chunks_.push_back(Chunk{})) break;  // no memory: the message waits
    const bool is_probe = queue_fragment(length);
    if (is_probe) {
      probe_allowed_ = false;
      probing_ = true;
      sack_since_t3_ = false;
    }
    const std::uint32_t offset = highest_offset();
    if (!timed_tsn_ && !is_probe) {  // one measurement in each round trip (§6.3.1 C4)
      timed_tsn_ = cumulative_ + offset;
      timed_since_ = now;
      timed_through_t3_ = 0;
    }
    if (t3_due_ == kNever) t3_due_ = now + rto_.current();
    write_chunk(out, offset);
    ++count;
  }
  return count;
}

// Fills the newest chunk of the ring. True: the peer's window is closed to it.
bool TxOutstanding::queue_fragment(std::size_t length) {
  const TxQueue::Fragment fragment = queue_.take(length);
  Chunk& chunk = chunks_.back();
  chunk.message = fragment.message;
  chunk.offset = fragment.offset;
  chunk.fsn = fragment.fsn;
  chunk.length = fragment.length;
  chunk.begin = fragment.begin;
  chunk.end = fragment.end;
  chunk.transmissions = 1;
  link_to_message(chunk);
  kept_bytes_ += length;
  enter_flight(highest_offset());
  return length > peer_rwnd_;
}

void TxOutstanding::write_chunk(ByteWriter& out, std::uint32_t offset) {
  const Chunk& chunk = at_offset(offset);
  const TxMessage& message = queue_.messages()[chunk.message];
  peer_rwnd_ -= std::min<std::uint32_t>(peer_rwnd_, chunk.length);  // §6.2.1 B
  DataChunk data;
  data.tsn = cumulative_ + offset;
  data.stream = message.stream;
  data.ssn = Ssn(message.unordered ? std::uint16_t{0} : static_cast<std::uint16_t>(message.number.value()));
  data.mid = message.number;
  data.fsn = chunk.fsn;
  data.ppid = message.ppid;
  data.unordered = message.unordered;
  data.begin = chunk.begin;
  data.end = chunk.end;
  // §6.1: ask for the SACK where waiting for it would stop us: a window of one or two packets, or the end.
  const bool fills_small_window =
      flight_bytes_ >= congestion_.cwnd() && congestion_.cwnd() < 4 * congestion_.pmdcs();
  data.immediate = shutdown_pending_ || fills_small_window;
  data.payload = message.bytes_at(chunk.offset, chunk.length);
  if (queue_.interleaving()) {
    write_idata(out, data);
  } else {
    sctp::write_data(out, data);
  }
}

// T3 runs while anything is outstanding or a FORWARD TSN unanswered (§6.3.2, RFC 3758 §3.5 C5), and starts anew when
// the cumulative ack moves (R3).
void TxOutstanding::settle_t3(Time now, bool restart) {
  if (flight_bytes_ == 0 && marked_count_ == 0 && advanced_ack_point_ == cumulative_) {
    t3_due_ = kNever;
    t3_ = T3State::Quiet;
  } else if (restart || t3_due_ == kNever) {
    t3_due_ = now + rto_.current();
  }
}

void TxOutstanding::on_path_change(Time now) {
  congestion_.reset();
  path_since_ = now;  // what left before went another way, and measures nothing
  timed_tsn_.reset();
  rack_.reset();
  forget_black_hole();
  pacer_.reset();
  rack_due_ = tail_due_ = kNever;
  undo_from_.reset();
  rto_.forget_shortest();
  rto_.clear_back_off();
  if (t3_due_ != kNever) t3_due_ = std::min(t3_due_, now + rto_.current());
}

T3Result TxOutstanding::handle_timeout(Time now) {
  if (now >= probe_due_) {
    probe_due_ = kNever;
    probe_allowed_ = true;
  }
  pacer_.handle_timeout(now);
  if (now < t3_due_) {
    if (now >= rack_due_) detect_losses(now, flight_bytes_);
    if (now >= tail_due_) send_tail_probe(now);
    return T3Result::NotDue;
  }
  // §6.1 A: a peer that answers with a closed window is there, so its silence is not counted.
  const bool is_answered_probe = (probing_ || window_closed_) && sack_since_t3_;
  // §6.3.3 E1, E2. A probe says nothing about congestion (§6.1 A), an unanswered FORWARD TSN alone neither.
  if (!probing_ && flight_bytes_ != 0) {
    open_undo();
    undo_is_timeout_ = true;
    congestion_.on_timeout();
  }
  rto_.back_off();
  fast_recovery_exit_.reset();
  fast_retransmit_due_ = false;
  time_through_t3();
  tail_probe_.reset();
  rack_due_ = tail_due_ = kNever;
  sack_since_t3_ = false;
  // E3: all are lost; what fits one packet goes at once, the rest as cwnd allows.
  for (std::uint32_t offset = 1; offset <= highest_offset(); ++offset)
    if (at_offset(offset).fate == Fate::InFlight) on_lost(now, offset);
  if (timed_tsn_ && at_offset(offset_of(*timed_tsn_)).fate == Fate::Abandoned) timed_tsn_.reset();
  miss_from_ = cumulative_ + 1;
  t3_ = T3State::PacketDue;
  update_ack_point(now, true);  // RFC 3758 §3.5 A5
  settle_t3(now, true);
  release_packets();
  return is_answered_probe ? T3Result::ProbeExpired : T3Result::Expired;
}

// DEVIATION RFC 9260 §6.3.1: C5 would measure nothing while chunks below the timed one are sent again. On a path whose round trip
// is longer than the RTO that is so for each flight, until a HEARTBEAT measures (heartbeat.cpp). So the chunk that left last
// is timed through T3, unless it is sent again itself, which leaves Karn nothing to doubt. The next T3 ends it, the one after
// that while nothing was ever measured: a silence on the way back is no round trip.
void TxOutstanding::time_through_t3() {
  const unsigned most = rto_.has_sample() ? 1 : 2;
  if (timed_tsn_ && timed_through_t3_ != 0 && timed_through_t3_ < most) {
    ++timed_through_t3_;
    return;
  }
  timed_tsn_.reset();
  if (probing_ || flight_bytes_ == 0) return;
  const Chunk& last = at_offset(offset_of(newest_));
  const SentPacket* const packet = packets_.find(last.packet);
  if (last.transmissions != 1 || last.reneged || packet == nullptr || packet->sent_at < path_since_) return;
  timed_tsn_ = newest_;
  timed_since_ = packet->sent_at;
  timed_through_t3_ = 1;
}

}  // namespace pollrtc::sctp
