// Poller: sleep until one of some sockets can be read or written, or until a time has passed.
#pragma once

#include <poll.h>

#include <optional>

#include "base/fixed_vec.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

// The milliseconds that poll(2) takes, rounded up: woken a fraction early, a loop would find its deadline in
// the future and spin. Not negative (poll's "for ever"), and cut at what an int holds.
int poll_milliseconds(Duration timeout);

class Poller {
 public:
  static constexpr std::size_t kMaxSockets = 256;

  void clear() { entries_.clear(); }
  // Watches for reading, and for writing too when asked. False when there is no room.
  [[nodiscard]] bool add(int fd, bool want_write = false);

  // Sleeps until a socket is ready or `timeout` is over (nothing: for ever), or a signal comes. How many are
  // ready. A timeout that is not above zero only looks.
  std::size_t wait(std::optional<Duration> timeout);

  // What the last wait() found. An error on a socket counts as readable: reading it tells.
  bool is_readable(int fd) const;
  bool is_writable(int fd) const;

 private:
  bool has_event(int fd, short events) const;
  FixedVec<pollfd, kMaxSockets> entries_;
};

}  // namespace pollrtc::net
