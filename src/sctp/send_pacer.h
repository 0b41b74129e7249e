// When the next packet may leave at a given rate: pacing without a timer for each packet. Time that passes earns bytes; a
// packet spends them. (draft-ietf-ccwg-bbr §5.6.2 and RFC 9002 §7.7 say why.)
//
//   - In the steady state packets leave in small bursts, a millisecond's worth apart.
//   - A caller that comes late, a game that polls sixty times a second, gets at once what the time has earned since, up to
//     kMostLate: it still fills the path.
//   - Time in which there was nothing to send, or no window, earns no more than one burst: there is none after idleness.
//
// A plain value.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

class SendPacer {
 public:
  static constexpr Duration kQuantum = std::chrono::milliseconds(1);
  static constexpr Duration kMostLate = std::chrono::milliseconds(50);
  // Round trips below this one are not paced: the clock of a poll loop is no finer, and no queue on the way that deserves the
  // name is this short.
  static constexpr Duration kShortestRtt = std::chrono::milliseconds(2);

  // Whether a packet may leave. When not, it is remembered that somebody waits, and next() says when to come again.
  bool may_send(Time now);
  // `rate` in bytes a second, not 0. `packet`: the size of a full one; two of them are the least burst.
  void on_sent(Time now, std::size_t bytes, std::uint64_t rate, std::size_t packet);
  // Nothing waits for it now: the time from here on earns one burst at most.
  void on_nothing_to_send();
  // The deadline of who waits; kNever: nobody does, or it has been served.
  Time next() const { return wake_at_; }
  void handle_timeout(Time now) {
    if (now >= wake_at_) wake_at_ = kNever;
  }
  void reset() { *this = SendPacer(); }

 private:
  static constexpr std::uint64_t kLeastPackets = 2;

  Time free_at_{};  // when all that was sent is paid for
  Time wake_at_ = kNever;
  std::uint64_t remainder_ = 0;  // of the last division, in millionths of a byte
  bool is_waited_for_ = false;   // somebody was told to wait, and has had something to send since
};

}  // namespace pollrtc::sctp
