// The checklist: candidate pairs, their states, and which one is checked next. RFC 8445 §6.1.2 (forming), §6.1.4.2
// (ordinary and triggered checks), §7.2.5.3.3 (thawing); RFC 8838 §10 to §12 (pairs that come late).
//
//   Frozen --> Waiting --> InProgress --> Succeeded
//                 ^            |
//                 +-triggered--+-----> Failed
//
// The valid list is not a list of its own. A valid pair is (mapped address, remote), and data on it leaves from the base
// of the mapped address, so it takes the same path as the pair that was checked. A pair therefore carries what made it
// valid: the local candidate that the mapped address turned out to be, and the priority that goes with that.
#pragma once

#include <optional>

#include "base/fit.h"
#include "ice/consent.h"

namespace pollrtc::ice {

enum class PairState : std::uint8_t { Frozen, Waiting, InProgress, Succeeded, Failed };

struct Pair {
  // First what is asked of each pair whenever a deadline is.
  std::uint32_t id = 0;  // never used again; 0 is none
  PairState state = PairState::Frozen;
  bool is_valid = false;  // in the valid list, consent included
  bool is_nominated = false;
  bool is_cut = false;      // the socket it leaves from is gone, or its connection
  bool is_retired = false;  // left the checklist when another was nominated; late answers are still taken
  bool is_spent = false;    // consent ended: never used again (RFC 7675 §5.1)
  bool nominate_on_success =
      false;  // the peer asked for it before our own check succeeded (RFC 8445 §7.3.1.5)
  std::uint8_t reconnections = 0;  // how often a lost connection was made anew
  std::uint32_t nomination = 0;    // what the peer counted, when it does; the highest wins
  std::uint64_t queued = 0;        // place in the triggered-check queue; 0 when it is not in it
  Consent consent;
  std::uint64_t valid_priority = 0;
  Path path;                // from the base to the remote address
  std::uint16_t local = 0;  // indices into the agent's tables
  std::uint16_t remote = 0;
  std::uint16_t valid_local = 0;
  std::uint32_t check_priority = 0;  // what a check says in PRIORITY (RFC 8445 §7.1.1); 0: none was sent yet
  std::uint32_t foundation = 0;      // equal numbers, equal foundations
  std::uint64_t priority = 0;
  std::optional<Duration> round_trip_time;

  bool is_pending() const { return !is_retired && state < PairState::Succeeded; }
};

class Checklist {
 public:
  Checklist(const Memory& memory, std::size_t limit) : pairs_(memory), limit_(limit) {}

  // Puts a pair in, Waiting or Frozen as its foundation wants it. When the list is full a failed pair makes room, else
  // one of lower priority that was not checked yet. Null when nothing can, or without memory. `pair.path` must be new.
  // The pointer is good until the next change.
  Pair* add(Pair pair);

  Pair* find(const Path& path);
  const Pair* find(const Path& path) const { return const_cast<Checklist*>(this)->find(path); }
  Pair* find(std::uint32_t id);
  const Pair* find(std::uint32_t id) const { return const_cast<Checklist*>(this)->find(id); }

  // Into the triggered-check queue, and Waiting (RFC 8445 §7.3.1.4).
  void trigger(Pair& pair);
  // The pair whose check is next: first of the queue, or the best that waits, thawing a foundation when none does.
  Pair* next_triggered();
  Pair* next_ordinary();
  bool has_work() const;
  // A pair of this foundation succeeded.
  void thaw(std::uint32_t foundation);

  // The pair data should take: the best nominated, else the best valid; one that answers before one that does not.
  const Pair* best(Time now) const;
  std::size_t count_unfinished() const;  // Waiting and In-Progress

  template <class Condition>
  void erase_if(Condition condition) {
    for (std::size_t i = pairs_.size(); i-- > 0;)
      if (condition(pairs_[i])) pairs_.erase(i);
  }
  void clear() { pairs_.clear(); }
  void fit() { pollrtc::fit(pairs_); }  // base/fit.h

  Pair* begin() { return pairs_.begin(); }
  Pair* end() { return pairs_.end(); }
  const Pair* begin() const { return pairs_.begin(); }
  const Pair* end() const { return pairs_.end(); }
  std::size_t size() const { return pairs_.size(); }
  bool is_full() const { return pairs_.size() >= limit_; }

 private:
  bool make_room_for(const Pair& pair);
  PairState first_state_of(const Pair& pair) const;
  bool can_thaw(const Pair& pair) const;

  Vec<Pair> pairs_;
  std::size_t limit_;
  std::uint32_t last_id_ = 0;
  std::uint64_t last_queued_ = 0;
};

}  // namespace pollrtc::ice
