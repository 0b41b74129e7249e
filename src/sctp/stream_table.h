// A value for each stream that has one. Streams are the peer's to choose, all 65,535 of them and in any order, so a value is
// found and made at the same cost wherever it lies; and one stream costs a page, not a place for each below it.
#pragma once

#include <array>
#include <optional>

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

template <class T>
class StreamTable {
 public:
  explicit StreamTable(const Memory& memory) : memory_(memory), pages_(memory) {}

  // Null: the stream has none. A pointer is good until erase() or clear().
  T* find(StreamId stream) {
    Owned<Page>* const page = pages_.find(page_of(stream));
    if (page == nullptr) return nullptr;
    std::optional<T>& place = (**page)[index_of(stream)];
    return place ? &*place : nullptr;
  }
  const T* find(StreamId stream) const { return const_cast<StreamTable*>(this)->find(stream); }
  // Sets it, whether it had one or not. Null: no memory.
  T* set(StreamId stream, const T& value) {
    Owned<Page>* page = pages_.find(page_of(stream));
    if (page == nullptr) {
      Owned<Page> fresh = Owned<Page>::make(memory_);
      if (!fresh) return nullptr;
      page = pages_.insert(page_of(stream), std::move(fresh));
      if (page == nullptr) return nullptr;
    }
    return &(**page)[index_of(stream)].emplace(value);
  }
  // The page stays for others: a peer that sets and erases by turns must not make us move them each time.
  void erase(StreamId stream) {
    if (Owned<Page>* const page = pages_.find(page_of(stream))) (**page)[index_of(stream)].reset();
  }
  void clear() { pages_.clear(); }

 private:
  static constexpr std::uint16_t kPage = 64;
  using Page = std::array<std::optional<T>, kPage>;

  static constexpr std::uint16_t page_of(StreamId stream) {
    return static_cast<std::uint16_t>(value_of(stream) / kPage);
  }
  static constexpr std::size_t index_of(StreamId stream) { return value_of(stream) % kPage; }

  Memory memory_;
  FlatMap<std::uint16_t, Owned<Page>> pages_;
};

}  // namespace pollrtc::sctp
