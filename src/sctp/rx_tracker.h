// Which TSNs have arrived, and when and how to say so: RFC 9260 §6.2 (acknowledging), §6.7 (gaps), §3.3.4
// (SACK), and RFC 3758 §3.6 (FORWARD TSN). It holds no payload: rx_reassembly does.
//
// A SACK is not a message in a queue but something owed: the state at the moment it is written is what it
// says.
#pragma once

#include "base/bytes.h"
#include "base/fixed_vec.h"
#include "base/memory.h"
#include "sctp/chunk_sack.h"
#include "sctp/internal_types.h"
#include "sctp/parameters_config.h"

namespace pollrtc::sctp {

class RxTracker {
 public:
  enum class Arrival : std::uint8_t {
    New,
    Duplicate,
    OutOfRange  // further above the cumulative TSN than Limits.sctp_tsn_span
  };

  RxTracker(const Environment& env, const Parameters& parameters, Tsn peer_initial_tsn);

  Arrival look_up(Tsn tsn) const;
  // Before the first TSN out of order is accepted, memory is needed to note it. False: there is none.
  bool reserve();
  // A TSN that look_up() calls New was taken; reserve() said yes.
  void accept(Tsn tsn, bool immediate);
  void on_duplicate(Tsn tsn);
  // A chunk was dropped though it was new: the window is full, or there is no memory. The SACK that says so is due at
  // once (§6.2).
  void on_refused() { sack_at_once_ = true; }
  // DEVIATION RFC 9260 §6.2: a TSN beyond the span was dropped, and the SACK is due within its delay, with the window closed
  // too. Whoever sends it may know of no window that is full, and would learn of nothing until its timeout; but all the gaps
  // that a span can have, at once for each such packet, would be many bytes for few.
  void on_out_of_range() { packet_had_out_of_range_ = true; }
  // A TSN above the cumulative one was given up again to make room (§6.2): it is reported no more.
  void forget(Tsn tsn);
  // Moves the cumulative TSN at least to what is returned: `tsn`, or the end of the span where that comes before (SCTP-PR-03).
  Tsn on_forward_tsn(Tsn tsn);
  // Whatever else made the SACK due at once: a RE-CONFIG request (RFC 6525 §5.2.1), DATA in SHUTDOWN-SENT (RFC 9260 §9.2).
  void request_sack() { sack_at_once_ = true; }
  // Call it when the user took something: a SACK is due when the window grew by a quarter of `whole` (§6.2).
  void on_window(std::size_t a_rwnd, std::size_t whole);
  // Every packet that held DATA or FORWARD TSN ends with this: it is packets that the delay rules count.
  void end_of_packet(Time now);

  bool sack_is_due(Time now) const { return sack_at_once_ || now >= sack_due_; }
  // Something is unacknowledged: a SACK may ride with outgoing DATA (§6.1).
  bool has_unacknowledged() const { return sack_at_once_ || sack_due_ != kNever; }
  // As many gap blocks as fit into `out`, lowest first, then duplicates. False, and nothing written, when
  // there is no room for a SACK without them. Settles what was owed.
  bool write_sack(ByteWriter& out, std::size_t a_rwnd);
  // When a delayed SACK becomes due. There is nothing to do then but to write it.
  Time next_timeout() const { return sack_at_once_ ? kNever : sack_due_; }
  void handle_timeout(Time now);

  Tsn cumulative() const { return cumulative_; }
  Tsn highest() const { return highest_; }
  bool has_gaps() const { return highest_ != cumulative_; }

 private:
  static constexpr std::size_t kMaxGapBlocks = 400;  // more than fit a packet of 1500 bytes
  using GapBlocks = FixedVec<GapBlock, kMaxGapBlocks>;

  bool is_held(Tsn tsn) const;
  void mark(Tsn tsn, bool held);
  void advance();
  void collect_gaps(std::size_t limit, GapBlocks& gaps) const;
  // The first TSN above the cumulative one, from offset `from` on and up to `to`, whose held-ness is `held`;
  // `to` + 1 when there is none.
  std::uint32_t find_offset(std::uint32_t from, std::uint32_t to, bool held) const;

  Duration sack_delay_;
  std::uint32_t span_;
  std::size_t max_duplicates_;
  Tsn cumulative_;
  Tsn highest_;              // the highest held; the cumulative one when nothing is above it
  Vec<std::uint64_t> held_;  // one bit a TSN above the cumulative one, at TSN modulo the number of bits;
                             // empty until the first gap
  FixedVec<Tsn, 32> duplicates_;

  // this packet
  bool packet_had_new_ = false;
  bool packet_had_gap_ = false;
  bool packet_had_out_of_range_ = false;
  bool packet_wants_sack_ = false;
  // since the last SACK
  bool seen_any_ = false;
  bool sack_at_once_ = false;
  std::uint8_t packets_unacknowledged_ = 0;
  Time sack_due_ = kNever;
  std::size_t advertised_ = 0;  // the a_rwnd of the last SACK
};

}  // namespace pollrtc::sctp
