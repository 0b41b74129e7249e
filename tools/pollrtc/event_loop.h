// One thread, one ppoll(2): file descriptors, timers, and the sockets and deadlines of every connection. Nothing spins:
// the loop sleeps until the first of them is due.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc::tool {

class EventLoop {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Task = std::function<void()>;

  static Instant now() { return std::chrono::steady_clock::now(); }

  // Timers. A task may add others.
  void at(Instant when, Task task) { timers_.emplace(when, std::move(task)); }
  template <class Rep, class Period>
  void after(std::chrono::duration<Rep, Period> delay, Task task) {
    at(now() + std::chrono::duration_cast<Instant::duration>(delay), std::move(task));
  }

  // A connection is polled when one of its sockets can be read or its deadline has come; `polled` is called after that.
  // It may be added and removed from inside its own signals: the loop lets go of it only afterwards.
  void add(std::shared_ptr<PeerConnection> connection, Task polled = nullptr);
  void remove(const PeerConnection* connection);

  // `wanted` says before each turn for which events the descriptor is watched (0: not at all).
  void watch(int fd, std::function<short()> wanted, Task ready);
  void unwatch(int fd);

  // Goes on until stop(); returns its status.
  int run();
  void stop(int status);
  bool is_stopped() const { return status_.has_value(); }

 private:
  struct Watch {
    int fd;
    std::function<short()> wanted;
    Task ready;
  };
  struct Held {
    std::shared_ptr<PeerConnection> connection;
    std::shared_ptr<Task> polled;
  };
  struct Turn {
    Held held;
    std::size_t first = 0, count = 0;  // its sockets in fds_
    bool is_due = false;
  };

  void turn();
  std::optional<Instant> gather_descriptors();
  void wait_until(std::optional<Instant> deadline);
  void run_timers();
  void poll_connections();

  std::multimap<Instant, Task> timers_;
  std::vector<std::shared_ptr<Watch>> watches_;  // one that is called may add and remove others, and itself
  std::vector<Held> connections_;
  std::vector<pollfd> fds_;  // the watches first, then the sockets
  std::vector<Turn> turns_;
  std::vector<int> sockets_ = std::vector<int>(64);
  std::optional<int> status_;
};

}  // namespace pollrtc::tool
