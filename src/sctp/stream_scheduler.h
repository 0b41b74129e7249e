// Whose turn it is among the streams that have something to send (RFC 8260 §3). Knows streams by a number and their
// share, nothing of messages: the queue (tx_queue.h) says what a turn is, a whole message without I-DATA, one chunk with it.
//
//   RoundRobin    each stream in turn (§3.2)
//   Priority      the highest weight first; those with the same weight in turn (§3.4)
//   WeightedFair  bytes in proportion to the weights (§3.6), the default, as RFC 8831 §6.4 asks
//
// All three are one queue ordered by rank: nothing, the weight upside down, or the virtual time at which a stream would
// begin its next turn if each were served at its own rate. A stream that was idle begins at the virtual time of now, so it
// cannot save up a share.
#pragma once

#include <algorithm>

#include "base/memory.h"

namespace pollrtc::sctp {

enum class SchedulerPolicy : std::uint8_t { RoundRobin, Priority, WeightedFair };

class StreamScheduler {
 public:
  // Of a stream; lives with it.
  struct Share {
    std::uint16_t weight = 256;  // RFC 8831 §6.4: 128, 256, 512 or 1024; 0 counts as 1
    std::uint64_t begins = 0;    // WeightedFair: the virtual time of its next turn
  };

  StreamScheduler(const Memory& memory, SchedulerPolicy policy) : policy_(policy), waiting_(memory) {}

  // Room for that many streams at once; add() needs it. False: no memory.
  [[nodiscard]] bool reserve(std::size_t streams) { return waiting_.reserve(streams); }
  // The stream waits for a turn from now on. It must not be waiting already.
  void add(std::uint32_t stream, const Share& share) {
    const bool fits = waiting_.push_back({rank_of(share), arrivals_++, stream});
    POLLRTC_ASSERT(fits);
    static_cast<void>(fits);
    std::push_heap(waiting_.begin(), waiting_.end(), comes_later);
  }
  bool empty() const { return waiting_.empty(); }
  std::uint32_t first() const { return waiting_.front().stream; }
  // The first one leaves: its turn begins, or it has nothing to send after all.
  void pop_first() {
    std::pop_heap(waiting_.begin(), waiting_.end(), comes_later);
    waiting_.pop_back();
  }
  void begin_turn(Share& share) {
    share.begins = std::max(share.begins, now_);
    now_ = share.begins;
    pop_first();
  }
  // What a turn has cost.
  static void charge(Share& share, std::uint64_t bytes) {
    share.begins += (bytes << kFraction) / std::max<std::uint16_t>(share.weight, 1);
  }

 private:
  static constexpr int kFraction = 16;  // bits of virtual time below one byte at weight 1
  struct Waiting {
    std::uint64_t rank, arrival;
    std::uint32_t stream;
  };
  static bool comes_later(const Waiting& a, const Waiting& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.arrival > b.arrival;
  }
  std::uint64_t rank_of(const Share& share) const {
    switch (policy_) {
      case SchedulerPolicy::RoundRobin:
        return 0;
      case SchedulerPolicy::Priority:
        return 0xFFFFu - share.weight;
      case SchedulerPolicy::WeightedFair:
        break;
    }
    return std::max(share.begins, now_);
  }

  SchedulerPolicy policy_;
  Vec<Waiting> waiting_;  // a heap
  std::uint64_t now_ = 0;
  std::uint64_t arrivals_ = 0;
};

}  // namespace pollrtc::sctp
