// The complete messages that wait for their turn (RFC 9260 §6.6), sorted by stream, ordered before unordered, and number.
//
// A peer decides in what order they come, and how many of them: in one array each would push all above it up. They lie in
// blocks, so that none costs more than a block, wherever it goes.
#pragma once

#include <optional>

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

struct WaitingMessage {
  StreamId stream{};
  bool unordered = false;
  Mid number;  // unordered: the MID; with DATA, which has none, the TSN
  std::uint32_t held = 0;
};

class WaitingMessages {
 public:
  explicit WaitingMessages(const Memory& memory) : memory_(memory), blocks_(memory) {}

  enum class Added : std::uint8_t { Done, Taken, NoMemory };  // Taken: one of that number waits already
  Added add(const WaitingMessage& message);

  // The lowest number of its kind; null: none waits. Good until the next change.
  const WaitingMessage* first(StreamId stream, bool unordered) const;
  void remove_first(StreamId stream, bool unordered);  // there is one
  // The highest number of the last kind of the highest stream.
  const WaitingMessage& last() const { return blocks_.back().back(); }
  void remove_last();

  bool empty() const { return blocks_.empty(); }
  void clear() { blocks_.clear(); }
  template <class Do>
  void for_each(Do&& action) const {
    for (const Block& block : blocks_)
      for (const WaitingMessage& message : block) action(message);
  }

 private:
  static constexpr std::size_t kBlock = 64;
  using Block = Vec<WaitingMessage>;
  struct Place {
    std::size_t block = 0, index = 0;
  };

  Place place_of(StreamId stream, bool unordered, std::optional<Mid> number) const;
  const WaitingMessage* at(const Place& place) const;
  bool split(std::size_t block);

  Memory memory_;
  Vec<Block> blocks_;  // of 1 to kBlock messages each
};

}  // namespace pollrtc::sctp
