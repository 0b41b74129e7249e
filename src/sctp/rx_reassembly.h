// From fragments to messages: RFC 9260 §6.6 (order), §6.9 (reassembly), §6.2 (the receive window); RFC 3758
// §3.6.
//
// Everything held is charged to the window: payload plus kOverhead for each fragment, and for each complete
// message until the user hands its charge back. A fragment is copied once out of the packet; a message of
// several fragments is gathered once, when it is whole.
#pragma once

#include <optional>

#include "base/memory.h"
#include "sctp/association.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/rx_fragments.h"

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

  RxReassembly(const Environment& env, std::size_t max_message);

  bool has_room(const DataChunk& chunk) const;
  // Only for a chunk whose TSN is new.
  Added add(const DataChunk& chunk);
  // Gives up the highest TSN above both `above` and `floor` that is held and not yet for the user, to make
  // room (§6.2). Nothing: there is none. The caller un-acknowledges first..last.
  struct TsnRange {
    Tsn first, last;
  };
  std::optional<TsnRange> evict_highest(Tsn above);
  // The window is full of one message whose own next fragment has no room: give the message up
  // (SCTP-DATA-12). False: `tsn` continues no message that is held.
  bool give_up_message_before(Tsn tsn);

  // All TSNs up to `new_cumulative` are received or skipped; `old_cumulative` was so before.
  void on_forward_tsn(Tsn old_cumulative, const ForwardTsnChunk& forward);
  // The peer reset its outgoing stream (RFC 6525 §5.2.2): SSN 0 is next.
  void reset_stream(StreamId stream);
  void reset_all_streams();
  void set_next_ssn(StreamId stream, Ssn ssn);  // for tests of wrap-around
  // Messages that begin above `last` on any stream wait until release_deferred(): a reset is under way that
  // is to be performed once `last` has been received (RFC 6525 §5.2.2 E2).
  void defer_above(Tsn last) { defer_above_ = last; }
  void release_deferred();

  bool receive(Message& out);
  // Gives charge back to the window: at most what the user holds, which is the answer.
  std::size_t release(std::size_t charge);
  // The stream of a message that was too large, once each.
  std::optional<StreamId> pop_too_large();

  std::size_t window() const { return window_; }
  void set_window(std::size_t bytes) { window_ = bytes; }
  std::size_t used() const { return used_; }
  // What the SACK says. A window of less than a packet is called closed: receiver side silly window avoidance
  // (RFC 1122 §4.2.3.3).
  std::size_t a_rwnd() const;
  // The user holds nothing and nothing waits for the user: only the network can free the window.
  bool user_owes_nothing() const { return user_charge_ == 0 && ready_head_ == kNone; }
  std::size_t ready_messages() const { return ready_count_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Held {  // a complete message
    explicit Held(const Memory& memory) : message(memory) {}
    Message message;
    Tsn first, last;
    Ssn ssn;
    bool too_large = false;  // a place in the order, nothing to deliver
    std::uint32_t next = kNone;
  };
  struct Waiting {  // ordered, before its turn
    StreamId stream{};
    Ssn ssn;
    std::uint32_t held = kNone;
  };

  struct Run {  // what a new fragment and its neighbours make together
    std::uint32_t first = 0, last = 0;
    std::size_t bytes = 0;
    bool begins = false, ends = false;
    bool left = false, right = false;  // it joins a run on that side
    bool left_too_large = false, right_too_large = false;
  };

  // rx_reassembly.cpp
  bool contradicts(const DataChunk& chunk, const Fragment* left, const Fragment* right) const;
  Added add_fragment(const DataChunk& chunk, const Run& run);
  Added complete(const DataChunk& chunk, const Run& run);
  Added add_too_large(const DataChunk& chunk, const Run& run);
  Fragment* insert_fragment(const DataChunk& chunk, Bytes payload);
  void erase_fragment(const FragmentKey& key);
  void tie_ends(const FragmentKey& key, const Run& run, bool too_large);
  void strip(const FragmentKey& key, std::uint32_t first, std::uint32_t last, bool stripped_before);
  void drop_run(const FragmentKey& key, std::uint32_t first, std::uint32_t last);

  // rx_delivery.cpp
  std::uint32_t new_held(const DataChunk& chunk, const Run& run, std::size_t bytes);
  void free_held(std::uint32_t held);
  // False: no memory; nothing changed and the caller frees it.
  bool deliver(std::uint32_t held);
  void make_ready(std::uint32_t held);
  void deliver_waiting(StreamId stream);
  std::size_t waiting_position(StreamId stream, Ssn ssn) const;
  void drop_unfinished(Tsn old_cumulative, Tsn new_cumulative);
  void drop_waiting(StreamId stream);
  Ssn* next_ssn(StreamId stream);
  void note_too_large(StreamId stream);

  Memory memory_;
  std::size_t window_, max_message_, max_chunks_;
  std::size_t used_ = 0;         // everything charged
  std::size_t user_charge_ = 0;  // of it, what the user has taken and not released
  FragmentTable fragments_;
  Tsn fragment_high_;  // no fragment is held above it
  Vec<Held> held_;
  std::uint32_t free_held_ = kNone;
  std::size_t held_count_ = 0;
  std::uint32_t ready_head_ = kNone, ready_tail_ = kNone;
  std::size_t ready_count_ = 0;
  Vec<Waiting> waiting_;  // by stream, then SSN
  Vec<std::uint32_t> deferred_;
  std::optional<Tsn> defer_above_;
  Vec<Ssn> next_ssn_;  // by stream id, as far as a stream has been used
  Ring<StreamId> too_large_;
};

}  // namespace pollrtc::sctp
