#include "sctp/rx_waiting.h"

#include <algorithm>

namespace pollrtc::sctp {

// Where a message of this number is or would be; without a number, where those of its kind begin.
WaitingMessages::Place WaitingMessages::place_of(StreamId stream, bool unordered,
                                                 std::optional<Mid> number) const {
  const auto is_before = [&](const WaitingMessage& message) {
    if (message.stream != stream) return message.stream < stream;
    if (message.unordered != unordered) return !message.unordered;
    return number && message.number < *number;
  };
  const Block* const block = std::partition_point(blocks_.begin(), blocks_.end(),
                                                  [&](const Block& one) { return is_before(one.back()); });
  if (block == blocks_.end()) return {blocks_.size(), 0};
  const WaitingMessage* const message = std::partition_point(block->begin(), block->end(), is_before);
  return {static_cast<std::size_t>(block - blocks_.begin()),
          static_cast<std::size_t>(message - block->begin())};
}

const WaitingMessage* WaitingMessages::at(const Place& place) const {
  return place.block == blocks_.size() ? nullptr : &blocks_[place.block][place.index];
}

WaitingMessages::Added WaitingMessages::add(const WaitingMessage& message) {
  Place place = place_of(message.stream, message.unordered, message.number);
  const WaitingMessage* const found = at(place);
  if (found != nullptr && found->stream == message.stream && found->unordered == message.unordered &&
      found->number == message.number)
    return Added::Taken;
  if (found == nullptr) {
    // Behind all, as most come: a full block stays full.
    if (blocks_.empty() || blocks_.back().size() == kBlock) {
      Block fresh(memory_);
      if (!fresh.push_back(message) || !blocks_.push_back(std::move(fresh))) return Added::NoMemory;
      return Added::Done;
    }
    place = {blocks_.size() - 1, blocks_.back().size()};
  } else if (blocks_[place.block].size() == kBlock) {
    if (!split(place.block)) return Added::NoMemory;
    if (place.index > kBlock / 2) place = {place.block + 1, place.index - kBlock / 2};
  }
  return blocks_[place.block].insert(place.index, message) ? Added::Done : Added::NoMemory;
}

bool WaitingMessages::split(std::size_t block) {
  Block upper(memory_);
  if (!upper.reserve(kBlock) || !blocks_.insert(block + 1, std::move(upper))) return false;
  Block& lower = blocks_[block];
  for (std::size_t i = kBlock / 2; i < kBlock; ++i) static_cast<void>(blocks_[block + 1].push_back(lower[i]));
  lower.erase(kBlock / 2, kBlock / 2);
  return true;
}

const WaitingMessage* WaitingMessages::first(StreamId stream, bool unordered) const {
  const WaitingMessage* const found = at(place_of(stream, unordered, std::nullopt));
  return found != nullptr && found->stream == stream && found->unordered == unordered ? found : nullptr;
}

void WaitingMessages::remove_first(StreamId stream, bool unordered) {
  const Place place = place_of(stream, unordered, std::nullopt);
  blocks_[place.block].erase(place.index);
  if (blocks_[place.block].empty()) blocks_.erase(place.block);
}

void WaitingMessages::remove_last() {
  blocks_.back().pop_back();
  if (blocks_.back().empty()) blocks_.pop_back();
}

}  // namespace pollrtc::sctp
