// Agenda: which of many things is due when. All of it lies in two arrays, a heap in which each node has four children, and the
// places of the things in that heap: moving one touches a few lines of memory that are in use anyway, and none of the things
// themselves. Of ten thousand that are due once in a few seconds each would have to be fetched from far away.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pollrtc/types.h"

namespace pollrtc::detail {

template <class Thing>
class Agenda {
 public:
  using Ticket = std::uint32_t;

  // A thing without a deadline; its ticket is good until it is removed.
  Ticket add(Thing& thing) {
    if (free_.empty()) {
      slots_.push_back({});
      free_.push_back(static_cast<Ticket>(slots_.size() - 1));
    }
    const Ticket ticket = free_.back();
    free_.pop_back();
    slots_[ticket] = {&thing, kNowhere};
    return ticket;
  }
  void remove(Ticket ticket) {
    set(ticket, kNever);
    free_.push_back(ticket);
  }
  // Its deadline from now on; kNever: none.
  void set(Ticket ticket, Time due) {
    const std::uint32_t place = slots_[ticket].place;
    if (due == kNever) {
      if (place != kNowhere) take_out(place);
    } else if (place == kNowhere) {
      heap_.push_back({});
      rise(static_cast<std::uint32_t>(heap_.size() - 1), {due, ticket});
    } else {
      put(place, {due, ticket});
    }
  }
  // The earliest deadline, or kNever.
  Time next() const { return heap_.empty() ? kNever : heap_.front().due; }
  // The one with the earliest deadline, of those with the same the one with the lowest ticket, if that has come; it has none
  // then. Null: nothing is due.
  Thing* take_due(Time now) {
    if (heap_.empty() || heap_.front().due > now) return nullptr;
    Thing* const thing = slots_[heap_.front().ticket].thing;
    take_out(0);
    return thing;
  }

 private:
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0}, kChildren = 4;
  struct Slot {
    Thing* thing = nullptr;
    std::uint32_t place = kNowhere;  // in the heap
  };
  struct Entry {
    Time due{};
    Ticket ticket = 0;
    bool is_before(const Entry& other) const {
      return due != other.due ? due < other.due : ticket < other.ticket;
    }
  };

  void store(std::uint32_t place, const Entry& entry) {
    heap_[place] = entry;
    slots_[entry.ticket].place = place;
  }
  // To where it belongs, from a place that is free.
  void put(std::uint32_t place, const Entry& entry) {
    if (place != 0 && entry.is_before(heap_[(place - 1) / kChildren]))
      rise(place, entry);
    else
      sink(place, entry);
  }
  void rise(std::uint32_t place, const Entry& entry) {
    while (place != 0) {
      const std::uint32_t parent = (place - 1) / kChildren;
      if (!entry.is_before(heap_[parent])) break;
      store(place, heap_[parent]);
      place = parent;
    }
    store(place, entry);
  }
  void sink(std::uint32_t place, const Entry& entry) {
    const auto size = static_cast<std::uint32_t>(heap_.size());
    for (;;) {
      const std::uint32_t first = place * kChildren + 1;
      if (first >= size) break;
      std::uint32_t least = first;
      for (std::uint32_t child = first + 1; child < std::min(first + kChildren, size); ++child)
        if (heap_[child].is_before(heap_[least])) least = child;
      if (!heap_[least].is_before(entry)) break;
      store(place, heap_[least]);
      place = least;
    }
    store(place, entry);
  }
  void take_out(std::uint32_t place) {
    slots_[heap_[place].ticket].place = kNowhere;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place != heap_.size()) put(place, last);
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<Ticket> free_;
};

}  // namespace pollrtc::detail
