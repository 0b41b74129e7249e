// Chunks that have a TSN and are not yet below the peer's cumulative ack: what is in flight, what is lost,
// what to send next, and when to give up waiting. RFC 9260 §6.1 (sending), §6.2.1 (SACK), §6.3 (T3-rtx),
// §7.2.4 (fast retransmit); RFC 3758 §3.5 and RFC 7496 §3.1 (partial reliability).
//
//   tx_outstanding.cpp       sending, T3, accounts        tx_sack.cpp      SACK and fast retransmit
//   partial_reliability.cpp  abandoning, FORWARD TSN      tx_recovery.cpp  RACK-TLP, PRR, what was no loss after all
//
// Chunks lie in a ring indexed by TSN - first TSN. Payloads are not here: a chunk is a piece of a TxMessage. Whether they go
// out as DATA or as I-DATA (RFC 8260) is the queue's to know.
// A SACK costs time for its gap blocks and for the chunks whose fate it changes, not for the window. Those in flight are
// linked in the order of their sending, so that the oldest are found at once.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/fixed_vec.h"
#include "base/memory.h"
#include "sctp/black_hole.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/chunk_sack.h"
#include "sctp/congestion_choice.h"
#include "sctp/gap_ranges.h"
#include "sctp/parameters_config.h"
#include "sctp/prr.h"
#include "sctp/rack.h"
#include "sctp/rto.h"
#include "sctp/send_pacer.h"
#include "sctp/sent_packets.h"
#include "sctp/tx_queue.h"

namespace pollrtc::sctp {

enum class SackResult : std::uint8_t {
  Old,        // Drop::SctpOldSack
  Nothing,    // nothing new acknowledged
  Progress,   // DATA newly acknowledged: the error counter of the association goes to 0 (RFC 9260 §8.1)
  Violation,  // a TSN we never assigned: ABORT(protocol violation) (§12.4)
};

enum class T3Result : std::uint8_t {
  NotDue,
  Expired,      // one error for the association (§8.1)
  ProbeExpired  // of a window probe while SACKs come: no error (§6.1 A)
};

class TxOutstanding {
 public:
  // `queue` must outlive it. `mtu` is the largest SCTP packet.
  TxOutstanding(const Environment& env, const Parameters& parameters, TxQueue& queue, Tsn initial_tsn,
                std::size_t mtu);

  void set_peer_rwnd(std::uint32_t a_rwnd) {  // from INIT or INIT ACK
    peer_rwnd_ = a_rwnd;
    queue_.set_peer_window(a_rwnd);
  }
  void set_mtu(std::size_t mtu);
  // Messages are cut into chunks that fit packets of `size`, or of the MTU where that is less.
  void cut_for(std::size_t size) { cut_for_ = size; }
  // Packets of up to `size` are never what the path is too small for.
  void set_base(std::size_t size) { base_ = size; }
  // Packets above the base size vanish, and smaller ones arrive (RFC 8899 §4.3). Told once; then it must show again.
  bool take_black_hole();
  // A reset of streams names the last TSN assigned. From the request on, no FORWARD TSN carries SSNs of before the reset
  // past it: the peer may have performed it by then, and would take them for numbers of after.
  void on_reset_requested(Tsn last_assigned) { reset_at_ = last_assigned; }
  // `streams`, in ascending order, begin anew.
  void on_reset_answered(bool performed, std::span<const StreamId> streams);
  std::size_t mtu() const { return mtu_; }
  // The selected path changed: congestion control starts anew (§7.2.5.2), and what the old one swallowed is not waited for
  // any longer than the round trip asks for, however far T3 had backed off.
  void on_path_change(Time now);
  // From now on DATA carries the I bit (§6.1), and what is not finished never will be.
  void start_shutdown(Time now);
  Rto& rto() { return rto_; }
  const Rto& rto() const { return rto_; }

  // Whether write_data() would put something into an empty packet now. Also decides what no longer deserves
  // sending.
  bool has_data_to_send(Time now);
  // The size of the packet that the next chunk needs when it is larger than the MTU, since it was cut for a larger path;
  // else 0.
  std::size_t oversized_packet(Time now);
  // Fills the rest of one packet with DATA chunks, in TSN order; call it once a packet. How many it wrote.
  std::size_t write_data(Time now, ByteWriter& out) {
    return has_data_to_send(now) ? write_due(now, out) : 0;
  }
  // The same for who has just asked.
  std::size_t write_due(Time now, ByteWriter& out);

  bool forward_tsn_is_due() const { return forward_due_; }
  // FORWARD TSN, or I-FORWARD-TSN with I-DATA. False: no room, nothing written.
  bool write_forward_tsn(Time now, ByteWriter& out);

  // The message in pieces that is open on the stream, if there is one, will not be finished.
  void abandon_open(Time now, StreamId stream);

  SackResult on_sack(Time now, const SackChunk& sack);
  // The cumulative TSN of a SHUTDOWN: no window, and missing gap blocks are no renege (§3.3.8).
  SackResult on_shutdown(Time now, Tsn cumulative_tsn_ack);

  T3Result handle_timeout(Time now);
  bool is_t3_running() const { return t3_due_ != kNever; }
  Time next_timeout() const { return std::min({t3_due_, probe_due_, rack_due_, tail_due_, pacer_.next()}); }

  // Everything that was ever sent is acknowledged or given up, and the peer knows (§9.2: SHUTDOWN may go).
  bool all_acknowledged() const { return chunks_.empty(); }

  // Nothing is in flight, so the table goes.
  void rest() { chunks_.trim(0); }

  Tsn next_tsn() const { return cumulative_ + 1 + static_cast<std::uint32_t>(chunks_.size()); }
  Tsn last_assigned_tsn() const { return next_tsn() - 1; }
  Tsn cumulative_ack() const { return cumulative_; }
  std::size_t cwnd() const { return congestion_.cwnd(); }
  std::size_t ssthresh() const { return congestion_.ssthresh(); }
  // What may be in flight now: cwnd, or in a recovery what comes of the flight and of what has arrived (RFC 6937).
  std::size_t window() const {
    return in_fast_recovery() && congestion_.reduces_proportionally() ? flight_bytes_ + prr_.budget()
                                                                      : congestion_.cwnd();
  }
  std::size_t flight_bytes() const { return flight_bytes_; }
  std::uint32_t peer_rwnd() const { return peer_rwnd_; }
  bool in_fast_recovery() const { return fast_recovery_exit_.has_value(); }
  std::uint64_t retransmissions() const { return retransmissions_; }
  std::uint64_t chunks_sent() const { return chunks_sent_; }

 private:
  friend struct Inspector;  // of tests, which look at the accounts
  enum class Fate : std::uint8_t {
    InFlight,   // counted as outstanding
    Acked,      // by a gap block; may come back (§6.2.1 D iii)
    Marked,     // to be retransmitted, not outstanding
    Abandoned,  // RFC 3758 §3.5 A2: as if acknowledged, but never credited
  };
  struct Chunk {
    TxMessageId message = kNoMessage;
    std::uint32_t offset = 0;
    std::uint32_t back = 0;  // how many TSNs before it the message has its previous chunk; 0: it is the first
    Fsn fsn;
    PacketNumber packet;       // in which it went last
    Tsn older, newer;          // InFlight: the chunks sent before and after it; itself where there is none
    std::uint16_t length = 0;  // 0: the place of fragments that were never sent (partial_reliability.cpp)
    std::uint16_t transmissions = 0;
    Fate fate = Fate::InFlight;
    std::uint8_t misses = 0;
    bool begin = false, end = false;
    bool fast_retransmitted = false;  // not twice (§7.2.4 step 5)
    // Taken back by the peer, or by a SACK that an older one overtook: when it is acknowledged again that is no measurement.
    bool reneged = false;
  };
  struct SackState {  // of one SACK, while it is processed
    std::size_t flight_before = 0;
    std::size_t newly_acked = 0;
    std::optional<Tsn> highest_newly_acked;
    bool cumulative_moved = false;
    std::optional<Duration> rtt;
    // Of the chunks acknowledged, the one in the newest packet.
    std::optional<PacketNumber> newest_packet;
    bool newest_was_sent_again = false;
    bool marked_arrived = false;  // one that was given up for lost, and has not been sent again
  };

  // A TSN's place in the ring; the cumulative one has offset 0, the first chunk 1.
  std::uint32_t offset_of(Tsn tsn) const { return tsn.distance_from(cumulative_); }
  Chunk& at_offset(std::uint32_t offset) { return chunks_[offset - 1]; }
  std::uint32_t highest_offset() const { return static_cast<std::uint32_t>(chunks_.size()); }
  std::size_t header_size() const { return queue_.interleaving() ? kIDataHeader : kDataHeader; }
  std::size_t wire_size(const Chunk& chunk) const { return padded4(header_size() + chunk.length); }

  enum class T3State : std::uint8_t {
    Quiet,
    PacketDue,   // it has expired: one packet, whatever cwnd is (RFC 9260 §6.3.3 E3)
    AwaitingAck  // that packet is out: nothing more until something is acknowledged (§7.2.3)
  };

  // tx_outstanding.cpp
  std::size_t full_payload() const;
  std::uint32_t first_marked(Time now);
  std::size_t most_burst() const;
  void refill_burst(Time now);
  std::size_t next_length(Time now, std::size_t room);
  std::size_t least_piece(std::size_t left) const;
  bool is_allowed(Time now);
  bool is_window_open(Time now, std::size_t length);
  std::size_t write_marked(Time now, ByteWriter& out);
  std::size_t write_new(Time now, ByteWriter& out);
  bool queue_fragment(std::size_t length);
  void write_chunk(ByteWriter& out, std::uint32_t offset);
  void enter_flight(std::uint32_t offset);
  void leave_for(std::uint32_t offset, Fate fate);
  void link_newest(std::uint32_t offset);
  void unlink(std::uint32_t offset);
  void settle_t3(Time now, bool restart);
  // tx_sack.cpp
  SackResult process(Time now, Tsn cumulative, const SackChunk* sack);
  bool is_valid(const SackChunk& sack, std::uint32_t highest) const;
  void advance_cumulative(Time now, std::uint32_t distance, SackState& state);
  void apply_gaps(Time now, const SackChunk& sack, SackState& state);
  void acknowledge(Time now, std::uint32_t offset, SackState& state);
  void on_abandoned_arrived(std::uint32_t offset);
  void renege(std::uint32_t offset);
  void settle_rto(const SackState& state, bool has_duplicates);
  void time_through_t3();
  void count_misses(Time now, const SackState& state);
  void check_probe(Time now, std::uint32_t a_rwnd);
  void check_reopening(Time now, std::uint32_t a_rwnd);
  void send_again_into_window(Time now);
  // tx_recovery.cpp
  void measure(Time now, const SackState& state);
  void detect_losses(Time now, std::size_t flight_before);
  void on_lost(Time now, std::uint32_t offset);
  void on_loss_event(std::size_t flight_before);
  void open_undo();
  void settle_tail_probe(const SackChunk* sack);
  void settle_undo(const SackChunk& sack, const SackState& state);
  void undo();
  void arm_tail_probe(Time now);
  void send_tail_probe(Time now);
  void release_packets();
  void forget_black_hole();
  std::uint64_t pacing_rate() const;
  Duration smoothed_rtt() const;
  // partial_reliability.cpp
  void mark_or_abandon(Time now, std::uint32_t offset);  // it would have to be sent again
  void abandon(TxMessageId id);
  void link_to_message(Chunk& chunk);
  void update_ack_point(Time now, bool anew);
  static constexpr std::size_t kMaxSkipped = 300;  // of a FORWARD TSN; more than fit a packet of 1200 bytes
  using SkippedList = FixedVec<SkippedMessages, kMaxSkipped>;
  [[nodiscard]] bool note_anew(std::span<const StreamId> streams, Tsn after);
  bool has_begun_anew(StreamId stream, Tsn tsn) const;
  std::uint32_t collect_skipped(std::size_t limit, SkippedList& skipped);
  static constexpr std::chrono::milliseconds kMaxForwardDelay{200};  // RFC 3758 §3.5 F3

  const Parameters parameters_;
  TxQueue& queue_;
  std::size_t mtu_;
  std::size_t cut_for_ = ~std::size_t{0};
  std::size_t base_ = ~std::size_t{0};
  std::size_t max_chunks_, max_bytes_;
  Rto rto_;
  CongestionController congestion_;
  SendPacer pacer_;
  SentPackets packets_;
  Time path_since_{};
  DeliveryRate delivery_;
  Rack rack_;
  Prr prr_;
  BlackHole black_hole_;

  Tsn cumulative_;                  // the peer's cumulative ack
  Ring<Chunk> chunks_;              // chunks_[0] has TSN cumulative_ + 1
  GapRanges gaps_, fresh_gaps_;     // gap-acked, as offsets from cumulative_; the second is scratch
  std::size_t flight_bytes_ = 0;    // InFlight chunks with header and padding
  std::size_t flight_payload_ = 0;  // their payload
  std::size_t kept_bytes_ = 0;      // payload of all chunks in the ring
  std::size_t marked_count_ = 0;
  Tsn marked_from_;  // no chunk below it is Marked
  Tsn miss_from_;    // no chunk below it can still be fast retransmitted
  std::uint32_t peer_rwnd_ = 0;

  Tsn oldest_, newest_;  // in flight, by the time of sending; meaningless when nothing is

  std::optional<Tsn> fast_recovery_exit_;
  Time rack_due_ = kNever;
  Time tail_due_ = kNever;
  std::optional<Tsn>
      tail_probe_;  // the chunk that was sent again as a probe, until it is known whether that was needed
  std::optional<Tsn> undo_from_;  // what was sent again since the last loss event lies at or above it
  std::uint32_t undo_left_ = 0;   // chunks sent again since, less those that turned out to be there twice
  bool undo_is_timeout_ = false;
  bool fast_retransmit_due_ = false;  // one packet, whatever cwnd is (§7.2.4 step 3)
  T3State t3_ = T3State::Quiet;
  std::size_t burst_left_;  // packets
  Time burst_at_ = kNever;  // when it was last filled up

  std::optional<Tsn> timed_tsn_;  // the chunk whose round trip is being measured
  Time timed_since_{};
  std::uint8_t timed_through_t3_ = 0;  // so many; see time_through_t3()
  bool maybe_early_timeouts_ = false;  // since the last measurement the peer has seen duplicates

  Time t3_due_ = kNever;
  Time probe_due_ = kNever;
  bool probe_allowed_ = false;  // one chunk into a closed window
  bool probing_ = false;        // the chunk in flight is such a probe
  bool sack_since_t3_ = false;
  bool window_closed_ = false;  // said the last SACK

  Tsn highest_acked_;       // of all chunks that a SACK has ever acknowledged (RACK.fack)
  Tsn advanced_ack_point_;  // RFC 3758 §3.5 A1
  Tsn forwarded_;           // the point that the last FORWARD TSN announced
  Time forwarded_at_{};
  std::optional<Tsn> reset_at_;      // of the request that is not answered
  std::optional<Tsn> peer_is_past_;  // of the last one performed: the peer's cumulative TSN is not below
  struct Anew {
    StreamId stream;
    Tsn after;  // what was sent up to there was the stream's life before
    friend bool operator<(const Anew& a, const Anew& b) { return a.stream < b.stream; }
  };
  Vec<Anew> anew_;  // the streams of those performed that the cumulative TSN has not passed, ascending
  bool knows_anew_ = true;  // false: for want of memory any may be one of them
  bool forward_due_ = false;

  bool shutdown_pending_ = false;
  std::uint64_t retransmissions_ = 0, chunks_sent_ = 0;
};

}  // namespace pollrtc::sctp
