// What becomes of the messages whose sender asked to be told: sent, and then acknowledged or abandoned. Bounded: so many
// messages can be asked about at a time (Limits::sctp_outcomes), counted until their last report was taken. Whoever does
// not ask pays nothing.
#pragma once

#include <optional>

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

class TxOutcomes {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Report {
    std::uint64_t id;
    MessageOutcome outcome;
  };

  TxOutcomes(const Memory& memory, std::size_t limit) : entries_(memory), limit_(limit) {}

  bool is_full() const { return count_ >= limit_; }
  // A place for a message that `id` names in its reports. kNone: no memory.
  std::uint32_t open(std::uint64_t id) {
    if (free_ == kNone) {
      if (!entries_.push_back(Entry{})) return kNone;
      free_ = static_cast<std::uint32_t>(entries_.size() - 1);
    }
    const std::uint32_t place = free_;
    free_ = entries_[place].next;
    entries_[place] = Entry{};
    entries_[place].id = id;
    ++count_;
    return place;
  }
  void on_sent(std::uint32_t place) {
    entries_[place].tells_sent = true;
    list(place);
  }
  // The last there is to say about it.
  void on_end(std::uint32_t place, MessageOutcome outcome) {
    entries_[place].end = outcome;
    list(place);
  }
  bool has_told() const { return head_ != kNone; }  // pop() has something
  // Oldest first.
  std::optional<Report> pop() {
    if (head_ == kNone) return std::nullopt;
    const std::uint32_t place = head_;
    Entry& entry = entries_[place];
    Report report{entry.id, MessageOutcome::Sent};
    if (std::exchange(entry.tells_sent, false) && entry.end) return report;  // its end is told next
    head_ = entry.next;
    entry.is_listed = false;
    if (entry.end) {
      report.outcome = *entry.end;
      release(place);
    }
    return report;
  }
  std::size_t count() const { return count_; }

 private:
  struct Entry {
    std::uint64_t id = 0;
    std::uint32_t next = kNone;  // among those with something to tell, or the free ones
    bool tells_sent = false, is_listed = false;
    std::optional<MessageOutcome> end;
  };
  void list(std::uint32_t place) {
    Entry& entry = entries_[place];
    if (std::exchange(entry.is_listed, true)) return;
    entry.next = kNone;
    if (head_ == kNone) {
      head_ = place;
    } else {
      entries_[tail_].next = place;
    }
    tail_ = place;
  }
  void release(std::uint32_t place) {
    entries_[place].next = free_;
    free_ = place;
    --count_;
  }

  Vec<Entry> entries_;
  std::size_t limit_;
  std::size_t count_ = 0;
  std::uint32_t free_ = kNone, head_ = kNone, tail_ = kNone;
};

}  // namespace pollrtc::sctp
