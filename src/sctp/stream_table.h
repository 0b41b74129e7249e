// A value for each stream that has one. Streams are the peer's to choose, all 65,535 of them and in any order, so a value is
// found and made at the same cost wherever it lies; and one stream costs a page, not a place for each below it.
#pragma once

#include <array>

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

template <class T>
class StreamTable {
 public:
  static constexpr std::uint16_t kPage = 64;

  // `most_pages`: for so many times kPage streams next to each other, or so many far from each other.
  explicit StreamTable(const Memory& memory, std::size_t most_pages = 65536 / kPage)
      : memory_(memory), pages_(memory), most_pages_(most_pages) {}

  // Null: the stream has none. A pointer is good until erase() or clear().
  T* find(StreamId stream) {
    Owned<Page>* const page = pages_.find(page_of(stream));
    if (page == nullptr) return nullptr;
    return (*page)->is_set(index_of(stream)) ? &(*page)->values[index_of(stream)] : nullptr;
  }
  const T* find(StreamId stream) const { return const_cast<StreamTable*>(this)->find(stream); }
  // Sets it, whether it had one or not. Null: no memory.
  T* set(StreamId stream, const T& value) {
    Owned<Page>* page = pages_.find(page_of(stream));
    if (page == nullptr) {
      if (pages_.size() >= most_pages_) drop_empty_pages();
      if (pages_.size() >= most_pages_) return nullptr;
      Owned<Page> fresh = Owned<Page>::make(memory_);
      if (!fresh) return nullptr;
      page = pages_.insert(page_of(stream), std::move(fresh));
      if (page == nullptr) return nullptr;
    }
    (*page)->set |= bit(index_of(stream));
    return &((*page)->values[index_of(stream)] = value);
  }
  // The page stays for others: a peer that sets and erases by turns must not make us move them each time.
  void erase(StreamId stream) {
    if (Owned<Page>* const page = pages_.find(page_of(stream))) (*page)->set &= ~bit(index_of(stream));
  }
  void clear() { pages_.clear(); }

 private:
  void drop_empty_pages() {
    for (std::size_t i = pages_.size(); i-- > 0;)
      if (pages_.begin()[i].value->set == 0) pages_.erase(std::uint16_t{pages_.begin()[i].key});
  }
  static constexpr std::uint64_t bit(std::size_t index) { return std::uint64_t{1} << index; }
  struct Page {
    bool is_set(std::size_t index) const { return (set & bit(index)) != 0; }
    std::uint64_t set = 0;
    std::array<T, kPage> values{};
  };

  static constexpr std::uint16_t page_of(StreamId stream) {
    return static_cast<std::uint16_t>(value_of(stream) / kPage);
  }
  static constexpr std::size_t index_of(StreamId stream) { return value_of(stream) % kPage; }

  Memory memory_;
  FlatMap<std::uint16_t, Owned<Page>> pages_;
  std::size_t most_pages_;
};

}  // namespace pollrtc::sctp
