// Events on their way to the user, in the order in which they happened.
#pragma once

#include <bit>

#include "base/memory.h"
#include "pollrtc/peer.h"

namespace pollrtc {

class EventQueue {
 public:
  EventQueue(const Memory& memory, std::size_t message_limit)
      : events_(memory), message_limit_(message_limit) {}

  // False: it is lost.
  bool push(Peer::Event event) {
    const bool is_kept = static_cast<bool>(events_.push_back(std::move(event)));
    if (!is_kept) lost_ = true;
    return is_kept;
  }
  // MessageReceived is a hint (channel() tells how many wait), so a user who reads without polling events
  // costs nothing: beyond the limit no more of them are queued.
  void push_message(ChannelHandle channel) {
    if (events_.size() < message_limit_) push(Peer::MessageReceived{channel});
  }
  bool pop(Peer::Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  void clear() { events_.clear(); }
  // The memory of a burst goes. Room for an event stays, or the next one could be lost for want of memory.
  void rest() { events_.trim_to(std::bit_ceil(events_.size() + 1)); }
  bool empty() const { return events_.empty(); }
  // Reports on messages are asked for only while there is room; meanwhile the association keeps them, and bounds them.
  bool has_room() const { return events_.size() < message_limit_; }
  // An event could not be stored. The connection must end, since its user no longer knows its state.
  bool lost() const { return lost_; }

 private:
  Ring<Peer::Event> events_;
  std::size_t message_limit_;
  bool lost_ = false;
};

}  // namespace pollrtc
