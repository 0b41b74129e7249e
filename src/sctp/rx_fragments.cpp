#include "sctp/rx_fragments.h"

#include <bit>

namespace pollrtc::sctp {

std::size_t FragmentTable::home(const Index& index, const FragmentKey& key) {
  const std::uint64_t mixed = (key.message * 0x9E3779B97F4A7C15u + key.position) * 0xD6E8FEB86659FD93u;
  return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(index.size())));
}

std::size_t FragmentTable::slot_of(const Index& index, const FragmentKey& key) const {
  const std::size_t mask = index.size() - 1;
  std::size_t slot = home(index, key);
  while (index[slot] != kFree && !(key_in(index, at(index[slot])) == key)) slot = (slot + 1) & mask;
  return slot;
}

Fragment* FragmentTable::find_in(const Index& index, const FragmentKey& key) {
  if (size_ == 0) return nullptr;
  const std::uint32_t found = index[slot_of(index, key)];
  return found == kFree ? nullptr : &at(found);
}

Fragment* FragmentTable::find(const FragmentKey& key) { return find_in(by_key_, key); }

Fragment* FragmentTable::find_tsn(Tsn tsn) {
  return find_in(has_tsn_index_ ? by_tsn_ : by_key_, FragmentKey::of(tsn));
}

bool FragmentTable::grow(Index& index) {
  const std::size_t size = index.empty() ? 16 : index.size() * 2;
  Index bigger(memory_);
  if (!bigger.reserve(size)) return false;
  for (std::size_t i = 0; i < size; ++i) static_cast<void>(bigger.push_back(kFree));
  index = std::move(bigger);
  for (std::uint32_t i = 0; i < size_; ++i) index[slot_of(index, key_in(index, at(i)))] = i;
  return true;
}

bool FragmentTable::push(Fragment&& fragment) {
  const std::size_t page = size_ / kPage;
  if (page == pages_.size()) {
    Vec<Fragment> fresh(memory_);
    if (!fresh.reserve(kPage) || !pages_.push_back(std::move(fresh))) return false;
  }
  ++size_;
  return pages_[page].push_back(std::move(fragment));  // there is room
}

// One page more than is used stays, so that steady traffic asks for no memory.
void FragmentTable::pop() {
  pages_[--size_ / kPage].pop_back();
  if (pages_.size() > (size_ + kPage - 1) / kPage + 1) pages_.pop_back();
}

Fragment* FragmentTable::insert(const FragmentKey& key, Tsn tsn) {
  if (!make_room(by_key_) || (has_tsn_index_ && !make_room(by_tsn_))) return nullptr;
  Fragment fresh(memory_);
  fresh.key = key;
  fresh.tsn = tsn;
  fresh.other_end = key.position;
  if (!push(std::move(fresh))) return nullptr;
  const auto place = static_cast<std::uint32_t>(size_ - 1);
  // The new one is in the dense part already, but in no slot: slot_of() stops at the free one.
  by_key_[slot_of(by_key_, key)] = place;
  if (has_tsn_index_) by_tsn_[slot_of(by_tsn_, FragmentKey::of(tsn))] = place;
  return &at(place);
}

bool FragmentTable::erase(const FragmentKey& key) {
  if (size_ == 0) return false;
  const std::size_t hole = slot_of(by_key_, key);
  const std::uint32_t place = by_key_[hole];
  if (place == kFree) return false;
  const auto last = static_cast<std::uint32_t>(size_ - 1);
  const std::size_t tsn_hole = has_tsn_index_ ? slot_of(by_tsn_, FragmentKey::of(at(place).tsn)) : 0;
  if (place != last) {
    by_key_[slot_of(by_key_, at(last).key)] = place;
    if (has_tsn_index_) by_tsn_[slot_of(by_tsn_, FragmentKey::of(at(last).tsn))] = place;
    std::swap(at(place), at(last));
  }
  pop();
  close_hole(by_key_, hole);
  if (has_tsn_index_) close_hole(by_tsn_, tsn_hole);
  return true;
}

// Backward shift: what stands behind the hole moves into it, unless its home lies behind the hole.
void FragmentTable::close_hole(Index& index, std::size_t hole) {
  const std::size_t mask = index.size() - 1;
  for (std::size_t next = (hole + 1) & mask; index[next] != kFree; next = (next + 1) & mask) {
    const std::size_t from_home = (next - home(index, key_in(index, at(index[next])))) & mask;
    if (from_home < ((next - hole) & mask)) continue;
    index[hole] = index[next];
    hole = next;
  }
  index[hole] = kFree;
}

}  // namespace pollrtc::sctp
