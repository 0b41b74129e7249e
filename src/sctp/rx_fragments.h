// The fragments of messages that are not complete yet (RFC 9260 §6.9), found by key in O(1), and the runs
// they form.
//
// A run is a row of fragments with adjacent positions. Its two ends know each other, so that a fragment joins
// its neighbours, and a run is known to be whole, without walking it: no order of arrival is expensive.
#pragma once

#include "base/memory.h"
#include "sctp/chunk_data.h"

namespace pollrtc::sctp {

// Where a fragment belongs. DATA is numbered through by its TSN, whatever message it is of; I-DATA (RFC 8260
// §2.1) will put stream, U and MID into `message` and the FSN into `position`. Nothing else here differs
// between the two.
struct FragmentKey {
  std::uint64_t message = 0;
  std::uint32_t position = 0;
  friend constexpr bool operator==(const FragmentKey&, const FragmentKey&) = default;

  static constexpr FragmentKey of(Tsn tsn) { return {0, tsn.value()}; }
  constexpr FragmentKey at(std::uint32_t other_position) const { return {message, other_position}; }
};

struct Fragment {
  explicit Fragment(const Memory& memory) : payload(memory) {}
  FragmentKey key;
  std::uint32_t other_end = 0;  // position of the other end of the run; good at both ends only
  std::uint32_t run_bytes = 0;  // payload of the whole run; good at both ends only
  StreamId stream{};
  Ssn ssn;
  Ppid ppid{};
  bool unordered = false, begin = false, end = false;
  bool too_large = false;  // of the whole run: its payload is thrown away, only its ends are kept
  Buffer payload;
};

class FragmentTable {
 public:
  explicit FragmentTable(const Memory& memory) : fragments_(memory), index_(memory), memory_(memory) {}

  Fragment* find(const FragmentKey& key);
  // A new fragment with an empty payload; null: no memory. The key must not be in the table.
  // Pointers are good until the next insert or erase.
  Fragment* insert(const FragmentKey& key);
  bool erase(const FragmentKey& key);
  std::size_t size() const { return fragments_.size(); }
  // In no order; erase(key) of fragment i puts another one at i.
  Fragment& at(std::size_t i) { return fragments_[i]; }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  bool grow();
  std::size_t home(const FragmentKey& key) const;
  std::size_t slot_of(const FragmentKey& key) const;  // its slot, or the free one where it would go

  Vec<Fragment> fragments_;   // dense
  Vec<std::uint32_t> index_;  // open addressing, at most half full, a power of two: index into fragments_
  Memory memory_;
};

}  // namespace pollrtc::sctp
