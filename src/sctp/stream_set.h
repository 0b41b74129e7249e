// A set of streams. They are the peer's to choose, all 65,535 of them and in any order.
#pragma once

#include <cstdint>
#include <optional>

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

// As a table of bits, 8 KiB once it is used: constant time whatever a peer lists.
class StreamSet {
 public:
  explicit StreamSet(const Memory& memory) : words_(memory) {}
  // False: no memory. Needed once before insert().
  [[nodiscard]] bool reserve();
  // False: it was in already.
  bool insert(StreamId stream);
  bool contains(StreamId stream) const;
  // False: it was not in.
  bool erase(StreamId stream);
  std::optional<StreamId> pop();
  void clear();
  bool empty() const { return count_ == 0; }

 private:
  Vec<std::uint64_t> words_;
  std::size_t count_ = 0;
  std::size_t lowest_ = 0;  // no word below it has a bit
};

}  // namespace pollrtc::sctp
