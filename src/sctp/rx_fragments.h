// The fragments of messages that are not complete yet (RFC 9260 §6.9), found by key in O(1), and the runs
// they form.
//
// A run is a row of fragments with adjacent positions. Its two ends know each other, so that a fragment joins
// its neighbours, and a run is known to be whole, without walking it: no order of arrival is expensive.
#pragma once

#include "base/memory.h"
#include "sctp/chunk_data.h"

namespace pollrtc::sctp {

// Where a fragment belongs. DATA is numbered through by its TSN, whatever message it is of; I-DATA has stream, U and MID
// in `message` and the FSN in `position` (RFC 8260 §2.2.3). Hardly anything else here differs between the two.
struct FragmentKey {
  std::uint64_t message = 0;
  std::uint32_t position = 0;
  friend constexpr bool operator==(const FragmentKey&, const FragmentKey&) = default;

  static constexpr FragmentKey of(Tsn tsn) { return {0, tsn.value()}; }
  static constexpr FragmentKey of(StreamId stream, bool unordered, Mid mid, Fsn fsn) {
    return {kInterleaved | std::uint64_t{value_of(stream)} << 33 | std::uint64_t{unordered ? 1u : 0u} << 32 |
                mid.value(),
            fsn.value()};
  }
  // One that is put by as it came, until its stream has been reset.
  static constexpr FragmentKey parked(Tsn tsn) { return {kParked, tsn.value()}; }
  constexpr bool is_parked() const { return message == kParked; }
  constexpr FragmentKey at(std::uint32_t other_position) const { return {message, other_position}; }

 private:
  static constexpr std::uint64_t kInterleaved = std::uint64_t{1} << 63, kParked = std::uint64_t{1} << 62;
};

struct Fragment {
  explicit Fragment(const Memory& memory) : payload(memory) {}
  FragmentKey key;
  Tsn tsn;
  std::uint32_t other_end = 0;  // position of the other end of the run; good at both ends only
  std::uint32_t run_bytes = 0;  // payload of the whole run; good at both ends only
  std::uint32_t number = 0;     // the SSN, or the MID
  Fsn fsn;                      // I-DATA
  StreamId stream{};
  Ppid ppid{};
  bool unordered = false, begin = false, end = false;
  bool too_large = false;  // of the whole run: its payload is thrown away, only its ends are kept
  bool given = false;      // the run up to here has been given out in pieces, and this stands for it
  Buffer payload;
};

class FragmentTable {
 public:
  // `by_tsn`: keys are not TSNs, but find_tsn() is wanted all the same.
  FragmentTable(const Memory& memory, bool by_tsn)
      : pages_(memory), by_key_(memory), by_tsn_(memory), memory_(memory), has_tsn_index_(by_tsn) {}

  Fragment* find(const FragmentKey& key);
  Fragment* find_tsn(Tsn tsn);
  // A new fragment with an empty payload; null: no memory. Key and TSN must not be in the table.
  // Pointers are good until the next insert or erase.
  Fragment* insert(const FragmentKey& key, Tsn tsn);
  bool erase(const FragmentKey& key);
  std::size_t size() const { return size_; }
  // In no order; erase(key) of fragment i puts another one at i.
  Fragment& at(std::size_t i) { return pages_[i / kPage][i % kPage]; }
  const Fragment& at(std::size_t i) const { return pages_[i / kPage][i % kPage]; }

 private:
  bool push(Fragment&& fragment);
  void pop();

  // Open addressing, at most half full, a power of two: places in the table.
  using Index = Vec<std::uint32_t>;
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;

  static std::size_t home(const Index& index, const FragmentKey& key);
  FragmentKey key_in(const Index& index, const Fragment& fragment) const {
    return &index == &by_tsn_ ? FragmentKey::of(fragment.tsn) : fragment.key;
  }
  std::size_t slot_of(const Index& index,
                      const FragmentKey& key) const;  // its slot, or the free one where it would go
  Fragment* find_in(const Index& index, const FragmentKey& key);
  bool grow(Index& index);
  bool make_room(Index& index) { return 2 * (size_ + 1) <= index.size() || grow(index); }
  void close_hole(Index& index, std::size_t hole);

  // Dense: pages that are full, one that is not, and one that is empty, so that what they take is what they hold. A vector that
  // doubles would take three times that while it grows, and keep it.
  static constexpr std::size_t kPage = 64;
  Vec<Vec<Fragment>> pages_;
  std::size_t size_ = 0;
  Index by_key_, by_tsn_;
  Memory memory_;
  bool has_tsn_index_;
};

}  // namespace pollrtc::sctp
