// Poller: sleep until one of some sockets can be read or written, or until a time has passed.
#pragma once

#include <poll.h>

#include <optional>

#include "base/memory.h"
#include "pollrtc/environment.h"

namespace pollrtc::net {

// The milliseconds that poll(2) takes, rounded up: woken a fraction early, a loop would find its deadline in
// the future and spin. Not negative (poll's "for ever"), and cut at what an int holds.
int poll_milliseconds(Duration timeout);

class Poller {
 public:
  explicit Poller(const Memory& memory = default_memory()) : entries_(memory) {}

  void clear() { entries_.clear(); }  // what it has allocated it keeps
  // Watches for reading, and for writing too when asked. False: no memory.
  [[nodiscard]] bool add(int fd, bool want_write = false);

  // Sleeps until a socket is ready or `timeout` is over (nothing: for ever), or a signal comes. How many are
  // ready. A timeout that is not above zero only looks.
  std::size_t wait(std::optional<Duration> timeout);

  // What the last wait() found. An error on a socket counts as readable: reading it tells.
  bool is_readable(int fd) const;
  bool is_writable(int fd) const;
  // The same by place, in the order of add(): whether one of first..end has anything to say.
  std::size_t size() const { return entries_.size(); }
  bool is_any_ready(std::size_t first, std::size_t end) const;

 private:
  bool has_event(int fd, short events) const;
  Vec<pollfd> entries_;
};

}  // namespace pollrtc::net
