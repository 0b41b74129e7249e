// RecentTransactions: the STUN requests of all connections of a mux that wait for their answers, and whose each is. A ring: the
// oldest are forgotten first, whose answers are then told apart by their addresses, as everything else is. Once it is full it
// allocates nothing, and ten thousand connections ask a few thousand times a second.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "ice/stun_message.h"

namespace pollrtc::detail {

template <class Member>
class RecentTransactions {
 public:
  static constexpr std::size_t kMost = 16384;  // a power of two

  void add(const stun::TransactionId& id, Member& member) {
    if (heads_.empty()) heads_.assign(kMost, kNone);
    if (find(id) != nullptr) return;  // a copy
    if (entries_.size() < kMost) {
      entries_.emplace_back();
    } else {
      unlink(next_);
    }
    std::uint32_t& head = head_of(id);
    entries_[next_] = {id, head, &member};
    head = next_;
    next_ = (next_ + 1) % kMost;
  }
  // Null: it is not known, or its connection is gone.
  Member* find(const stun::TransactionId& id) const {
    if (heads_.empty()) return nullptr;
    for (std::uint32_t at = heads_[slot_of(id)]; at != kNone; at = entries_[at].next)
      if (entries_[at].id == id) return entries_[at].member;
    return nullptr;
  }
  void forget(const Member& member) {
    for (Entry& entry : entries_)
      if (entry.member == &member) entry.member = nullptr;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Entry {
    stun::TransactionId id;
    std::uint32_t next;  // of those in one slot
    Member* member;
  };
  // Nobody but us chooses what is kept here, and by chance (RFC 8489 §5).
  static std::size_t slot_of(const stun::TransactionId& id) { return load_u32(id.data()) % kMost; }
  std::uint32_t& head_of(const stun::TransactionId& id) { return heads_[slot_of(id)]; }
  void unlink(std::uint32_t index) {
    std::uint32_t* link = &head_of(entries_[index].id);
    while (*link != index) link = &entries_[*link].next;
    *link = entries_[index].next;
  }

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> heads_;
  std::uint32_t next_ = 0;
};

}  // namespace pollrtc::detail
