// Messages in a stream: where each ends. To a TURN server (RFC 8656 §12.5, RFC 8489 §6.2.2) STUN messages say how long they
// are, and so do ChannelData messages, which are padded to four bytes there; a stream that holds anything else is broken for
// good. Between two peers (RFC 6544 §7.1) each packet has its length in 16 bits before it (RFC 4571 §2).
#pragma once

#include <optional>

#include "base/memory.h"
#include "ice/stun_message.h"

namespace pollrtc::turn {

class StreamFramer {
 public:
  // Longer ones are passed over: we would drop what they hold anyway. A STUN message above what `Message::parse` reads is no
  // fault of the server's: its Data indications are as long as what anybody sends to the relayed address.
  static constexpr std::size_t kLargestFrame = 8192, kLargestMessage = stun::kMaxMessage;

  enum class Form : std::uint8_t { Turn, Rfc4571 };
  static constexpr std::size_t kLengthSize = 2;  // what stands before a packet of RFC 4571

  explicit StreamFramer(const Memory& memory, Form form = Form::Turn) : held_(memory), form_(form) {}

  // The next whole message, padding or the length before it included; nothing when there is none in what came so far. Takes bytes from the front
  // of `chunk`: call it until it gives nothing. The view is good until the next call, and as long as the chunk is.
  std::optional<Bytes> next(Bytes& chunk);
  bool is_broken() const { return is_broken_; }
  std::size_t skipped() const { return skipped_; }  // messages passed over

 private:
  std::optional<std::size_t> frame_size(Bytes head) const;
  bool hold(Bytes& chunk, std::size_t until);
  std::size_t head_size() const { return form_ == Form::Turn ? 4 : kLengthSize; }
  std::size_t largest(Bytes head) const {
    return form_ == Form::Turn && head[0] <= 3 ? kLargestMessage : kLargestFrame;
  }

  Buffer held_;  // the beginning of a message that is not whole yet
  std::size_t held_size_ = 0;
  std::size_t to_skip_ = 0;
  std::size_t skipped_ = 0;
  Form form_;
  bool is_broken_ = false;
  bool was_given_ = false;  // what is held has been handed out
};

}  // namespace pollrtc::turn
