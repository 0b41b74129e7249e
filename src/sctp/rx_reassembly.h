// From fragments to messages: RFC 9260 §6.6 (order), §6.9 (reassembly), §6.2 (the receive window); RFC 3758
// §3.6; RFC 8260 §2.2.3 (I-DATA).
//
// Everything held is charged to the window: payload plus kOverhead for each fragment, and for each complete
// message until the user hands its charge back. A fragment is copied once out of the packet; a message of
// several fragments is gathered once, when it is whole.
//
//   rx_reassembly.cpp  fragments and runs      rx_delivery.cpp  the order, and the way to the user
//   rx_skip.cpp        what will not come: FORWARD TSN, stream reset, a window full of unfinished messages
//   rx_pieces.cpp      messages given out before they are whole
#pragma once

#include <optional>

#include "base/memory.h"
#include "sctp/association.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/rx_fragments.h"
#include "sctp/rx_tracker.h"
#include "sctp/rx_waiting.h"
#include "sctp/stream_set.h"
#include "sctp/stream_table.h"

namespace pollrtc::sctp {

class RxReassembly {
 public:
  // What a fragment or a message costs besides its payload: an upper bound of our own book-keeping, so that a
  // peer cannot make us hold more than the window by sending small pieces.
  static constexpr std::size_t kOverhead = 128;

  enum class Added : std::uint8_t {
    Accepted,
    NoRoom,     // the window is full, or memory is: the chunk is as if never received
    Violation,  // it contradicts its neighbours (SCTP-DATA-09)
  };

  // `interleaving`: chunks are I-DATA.
  RxReassembly(const Environment& env, std::size_t max_message, bool interleaving = false);

  bool has_room(const DataChunk& chunk) const;
  bool fits_window(const DataChunk& chunk) const {
    return used_ + chunk.payload.size() + kOverhead <= window_;
  }
  // Beyond the window and sctp_chunks_queued: for the chunk without which nothing of what fills them can be completed. One
  // message of the largest size fits, and so do messages side by side whose sizes come to no more than half the window.
  bool has_reserve(const DataChunk& chunk) const;
  // Only for a chunk that has room or reserve, and whose TSN is new. `is_next`: all TSNs below it have been received.
  Added add(const DataChunk& chunk, bool is_next = false);
  // Gives up the highest TSN above `above` that is held and not yet for the user, to make room (§6.2), and un-acknowledges
  // it. False: there is none, or this packet has searched enough.
  bool evict_highest(Tsn above, RxTracker& tracker);
  // The window is full, and only what is unfinished could be freed. Gives what precedes `chunk` to a user who takes pieces.
  // False: there is none.
  bool give_before(const DataChunk& chunk);
  // So is the reserve, which no sane peer brings about: gives up the message that `chunk` continues (SCTP-DATA-12), or,
  // with I-DATA, the largest one of several that cannot all be held. False: nothing of the kind.
  bool give_up_for(const DataChunk& chunk);

  // Comes before the two below, since what is skipped is not told again once its TSN has been taken; not for a chunk that is out of
  // date. What a reset that waits holds back up to there goes into its order, or the numbers skipped would make it late. False: no
  // memory.
  [[nodiscard]] bool reserve(const ForwardTsnChunk& forward);
  [[nodiscard]] bool reserve(const IForwardTsnChunk& forward);
  // All TSNs up to `new_cumulative` are received or skipped; `old_cumulative` was so before.
  void on_forward_tsn(Tsn old_cumulative, const ForwardTsnChunk& forward);
  void on_i_forward_tsn(const IForwardTsnChunk& forward);
  // What I-FORWARD-TSN has skipped is freed here: once a packet, since it takes a walk over all fragments.
  void end_of_packet();
  // The peer reset its outgoing stream (RFC 6525 §5.2.2): SSN and MIDs begin at 0 again.
  void reset_stream(StreamId stream);
  void reset_all_streams();
  // What those streams left unfinished is freed; a walk over all fragments too.
  void drop_before_reset();
  [[nodiscard]] bool reserve_reset() { return reset_streams_.reserve(); }
  // For tests of wrap-around; the FSN is of the message of which a part has been given out.
  void set_next_ssn(StreamId stream, Ssn ssn);
  void set_next_mid(StreamId stream, bool unordered, Mid mid);
  void set_next_fsn(StreamId stream, Fsn fsn);
  // Messages that begin above `last` on any stream wait until release_deferred(): a reset is under way that
  // is to be performed once `last` has been received (RFC 6525 §5.2.2 E2).
  void defer_above(Tsn last) { defer_above_ = last; }
  // False: there was no memory for all of them. They have been acknowledged, so they stay, for another try; until it succeeds
  // no other reset may be put off.
  bool release_deferred();
  bool owes_release() const { return owes_release_; }

  Status receive_in_pieces(StreamId stream, bool on);
  // Whether receive() or pop_too_large() has something to give.
  bool has_news() const { return ready_head_ != kNone || !too_large_.empty(); }
  bool receive(Message& out);
  // Gives charge back to the window: at most what the user holds, which is the answer.
  std::size_t release(std::size_t charge);
  // The stream of a message that was too large, once each.
  std::optional<StreamId> pop_too_large();

  // No message is held, so their table goes.
  void rest() {
    if (held_count_ != 0) return;
    held_ = Vec<Held>(memory_);
    free_held_ = kNone;
  }

  std::size_t window() const { return window_; }
  void set_window(std::size_t bytes) { window_ = bytes; }
  std::size_t used() const { return used_; }
  // What the SACK says. A window of less than a packet is called closed: receiver side silly window avoidance
  // (RFC 1122 §4.2.3.3).
  std::size_t a_rwnd() const;
  // The user holds nothing and nothing waits for the user: only the network can free the window.
  bool user_owes_nothing() const { return user_charge_ == 0 && ready_head_ == kNone; }

 private:
  friend struct Inspector;  // of tests, which look at the accounts
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Held {  // a complete message, or a piece
    explicit Held(const Memory& memory) : message(memory) {}
    Message message;
    Tsn first, last;  // the lowest; the highest: DATA, or of one fragment
    std::uint32_t tsns =
        0;  // I-DATA of several fragments, as long as it waits: so many TSNs lie behind the payload
    std::uint32_t number = 0;  // SSN or MID
    bool too_large = false;    // a place in the order, nothing to deliver
    std::uint32_t next = kNone;
  };
  struct Run {  // what a new fragment and its neighbours make together
    std::uint32_t first = 0, last = 0;
    std::size_t bytes = 0, left_bytes = 0, right_bytes = 0;  // payload, whole and of what it joins
    bool begins = false, ends = false;
    bool left = false, right = false;  // it joins a run on that side
    bool left_too_large = false, right_too_large = false;
    bool left_given = false;
  };
  struct InPieces {  // of a stream
    bool on = false;
    bool is_open = false;  // a message has been given out in part; its last fragment so far is at `anchor`
    bool unordered = false;
    Mid number;
    Ppid ppid{};
    FragmentKey anchor;
    std::uint32_t end = kNone;  // kept ready: the piece that says it was given up
  };

  // rx_reassembly.cpp
  FragmentKey key_of(const DataChunk& chunk) const;
  std::uint32_t number_of(const DataChunk& chunk) const {
    return interleaving_ ? chunk.mid.value() : chunk.ssn.value();
  }
  bool contradicts(const DataChunk& chunk, const Fragment* left, const Fragment* right);
  Added add_fragment(const DataChunk& chunk, const Run& run);
  void take_back(const FragmentKey& key, const Run& run);
  Added complete(const DataChunk& chunk, const Run& run);
  Added add_too_large(const DataChunk& chunk, const Run& run);
  Fragment* insert_fragment(const DataChunk& chunk, const FragmentKey& key, Bytes payload);
  void erase_fragment(const FragmentKey& key);
  void tie_ends(const FragmentKey& key, const Run& run, bool too_large);
  void tie(Fragment& end, std::uint32_t other_end, const Run& run, bool too_large);
  void strip(const FragmentKey& key, std::uint32_t first, std::uint32_t last, bool stripped_before);
  void drop_run(const FragmentKey& key, std::uint32_t first, std::uint32_t last);

  // rx_delivery.cpp
  std::uint32_t new_held(StreamId stream, bool unordered, std::size_t bytes);
  void free_held(std::uint32_t held);
  Mid order_of(std::uint32_t number, Mid next) const;
  bool is_skipped(const DataChunk& chunk);
  bool must_wait(const DataChunk& chunk);
  // False: no memory; nothing changed and the caller frees it.
  bool deliver(std::uint32_t held);
  void make_ready(std::uint32_t held);
  void deliver_waiting(StreamId stream);
  void drop_waiting(StreamId stream);
  Mid* next_number(StreamId stream);
  void note_too_large(StreamId stream);

  // rx_skip.cpp
  bool park(const DataChunk& chunk);
  bool let_through(Tsn point);
  bool give_deferred();
  bool unpark();
  void skip(StreamId stream, bool unordered, Mid up_to);
  void drop_unfinished(Tsn old_cumulative, Tsn new_cumulative);
  void drop_fragment(const FragmentKey& key, Tsn new_cumulative);
  void drop_run(const FragmentKey& first);
  bool evict_fragment(Tsn above, RxTracker& tracker);
  bool evict_deferred(Tsn above, RxTracker& tracker);
  bool evict_waiting(Tsn above, RxTracker& tracker);
  bool shrink_run(const Fragment& fragment);
  const Fragment* end_before(const DataChunk& chunk);
  Fragment* largest_unfinished();
  void give_up(const Fragment& part);

  // rx_pieces.cpp
  bool is_open(StreamId stream) const;
  bool is_due_in_pieces(const DataChunk& chunk, const Run& run, bool is_next);
  bool give(const FragmentKey& key, const Run& run);
  std::uint32_t gather_piece(const FragmentKey& key, std::uint32_t from, const Run& run);
  void close_open(StreamId stream, bool is_whole);
  void abandon_open(StreamId stream);

  Memory memory_;
  std::size_t window_, max_message_, max_chunks_;
  bool interleaving_;
  std::size_t used_ = 0;         // everything charged
  std::size_t user_charge_ = 0;  // of it, what the user has taken and not released
  FragmentTable fragments_;
  Tsn fragment_high_;                // no fragment is held above it
  std::uint32_t span_, steps_left_;  // of the packet, in search of the highest fragment
  Vec<Held> held_;
  std::uint32_t free_held_ = kNone;
  std::size_t held_count_ = 0;
  std::uint32_t ready_head_ = kNone, ready_tail_ = kNone;
  WaitingMessages
      waiting_;  // ordered, before their turn; or while another message of the stream is given out
  Vec<std::uint32_t> deferred_;  // by TSN
  std::optional<Tsn> defer_above_;
  bool owes_release_ = false;
  StreamTable<Mid> next_number_;        // of ordered messages; a stream that is not here is at 0
  StreamTable<Mid> unordered_skipped_;  // I-DATA: unordered messages below it will not be completed
  bool has_skipped_ = false;            // fragments of such messages may be held
  bool has_let_through_ = false;        // let_through() did, in this packet
  StreamSet reset_streams_;
  bool all_streams_reset_ = false;
  FlatMap<std::uint16_t, InPieces> in_pieces_;
  Ring<StreamId> too_large_;
};

}  // namespace pollrtc::sctp
