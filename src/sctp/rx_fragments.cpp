#include "sctp/rx_fragments.h"

#include <bit>

namespace pollrtc::sctp {

std::size_t FragmentTable::home(const FragmentKey& key) const {
  const std::uint64_t mixed = (key.message * 0x9E3779B97F4A7C15u + key.position) * 0xD6E8FEB86659FD93u;
  return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(index_.size())));
}

std::size_t FragmentTable::slot_of(const FragmentKey& key) const {
  const std::size_t mask = index_.size() - 1;
  std::size_t slot = home(key);
  while (index_[slot] != kFree && !(fragments_[index_[slot]].key == key)) slot = (slot + 1) & mask;
  return slot;
}

Fragment* FragmentTable::find(const FragmentKey& key) {
  if (fragments_.empty()) return nullptr;
  const std::uint32_t found = index_[slot_of(key)];
  return found == kFree ? nullptr : &fragments_[found];
}

bool FragmentTable::grow() {
  const std::size_t size = index_.empty() ? 16 : index_.size() * 2;
  Vec<std::uint32_t> bigger(memory_);
  if (!bigger.reserve(size)) return false;
  for (std::size_t i = 0; i < size; ++i) static_cast<void>(bigger.push_back(kFree));
  index_ = std::move(bigger);
  for (std::uint32_t i = 0; i < fragments_.size(); ++i) index_[slot_of(fragments_[i].key)] = i;
  return true;
}

Fragment* FragmentTable::insert(const FragmentKey& key) {
  if (2 * (fragments_.size() + 1) > index_.size() && !grow()) return nullptr;
  Fragment fresh(memory_);
  fresh.key = key;
  fresh.other_end = key.position;
  if (!fragments_.push_back(std::move(fresh))) return nullptr;
  const auto at = static_cast<std::uint32_t>(fragments_.size() - 1);
  // The new one is in the dense part already, but in no slot: slot_of() stops at the free one.
  index_[slot_of(key)] = at;
  return &fragments_[at];
}

bool FragmentTable::erase(const FragmentKey& key) {
  if (fragments_.empty()) return false;
  std::size_t hole = slot_of(key);
  const std::uint32_t at = index_[hole];
  if (at == kFree) return false;
  const auto last = static_cast<std::uint32_t>(fragments_.size() - 1);
  if (at != last) {
    index_[slot_of(fragments_[last].key)] = at;
    std::swap(fragments_[at], fragments_[last]);
  }
  fragments_.pop_back();
  // Backward shift: what stands behind the hole moves into it, unless its home lies behind the hole.
  const std::size_t mask = index_.size() - 1;
  for (std::size_t next = (hole + 1) & mask; index_[next] != kFree; next = (next + 1) & mask) {
    const std::size_t from_home = (next - home(fragments_[index_[next]].key)) & mask;
    if (from_home < ((next - hole) & mask)) continue;
    index_[hole] = index_[next];
    hole = next;
  }
  index_[hole] = kFree;
  return true;
}

}  // namespace pollrtc::sctp
