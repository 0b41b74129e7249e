#include "sctp/stream_set.h"

#include <algorithm>
#include <bit>

namespace pollrtc::sctp {

bool StreamSet::reserve() {
  constexpr std::size_t kWords = 65536 / 64;
  if (words_.size() == kWords) return true;
  if (!words_.reserve(kWords)) return false;
  while (words_.size() < kWords) static_cast<void>(words_.push_back(0));
  return true;
}

bool StreamSet::insert(StreamId stream) {
  const std::size_t word = value_of(stream) / 64;
  const std::uint64_t bit = std::uint64_t{1} << (value_of(stream) % 64);
  if ((words_[word] & bit) != 0) return false;
  words_[word] |= bit;
  lowest_ = count_++ == 0 ? word : std::min(lowest_, word);
  return true;
}

bool StreamSet::contains(StreamId stream) const {
  return count_ != 0 && (words_[value_of(stream) / 64] >> (value_of(stream) % 64) & 1) != 0;
}

bool StreamSet::erase(StreamId stream) {
  if (!contains(stream)) return false;
  words_[value_of(stream) / 64] &= ~(std::uint64_t{1} << (value_of(stream) % 64));
  --count_;
  return true;
}

std::optional<StreamId> StreamSet::pop() {
  if (empty()) return std::nullopt;
  while (words_[lowest_] == 0) ++lowest_;
  const int bit = std::countr_zero(words_[lowest_]);
  words_[lowest_] &= words_[lowest_] - 1;
  --count_;
  return StreamId{static_cast<std::uint16_t>(lowest_ * 64 + static_cast<std::size_t>(bit))};
}

void StreamSet::clear() {
  std::fill(words_.begin(), words_.end(), 0);
  count_ = 0;
}

}  // namespace pollrtc::sctp
