#include "pollrtc/event_loop.h"

#include <algorithm>
#include <ctime>

namespace pollrtc::tool {

void EventLoop::add(std::shared_ptr<PeerConnection> connection, Task polled) {
  connections_.push_back(
      {std::move(connection), polled ? std::make_shared<Task>(std::move(polled)) : nullptr});
}

void EventLoop::remove(const PeerConnection* connection) {
  std::erase_if(connections_, [=](const Held& held) { return held.connection.get() == connection; });
}

void EventLoop::watch(int fd, std::function<short()> wanted, Task ready) {
  watches_.push_back(std::make_shared<Watch>(Watch{fd, std::move(wanted), std::move(ready)}));
}

void EventLoop::unwatch(int fd) {
  for (const auto& watch : watches_)
    if (watch->fd == fd) watch->fd = -1;
}

void EventLoop::stop(int status) {
  if (!status_) status_ = status;
}

int EventLoop::run() {
  while (!status_) turn();
  return *status_;
}

void EventLoop::turn() {
  const std::optional<Instant> deadline = gather_descriptors();
  wait_until(deadline);
  const std::size_t watched = watches_.size();
  for (std::size_t i = 0; i < watched && !status_; ++i) {
    const std::shared_ptr<Watch> watch = watches_[i];
    if (fds_[i].revents != 0 && watch->fd >= 0) watch->ready();
  }
  run_timers();
  poll_connections();
}

std::optional<EventLoop::Instant> EventLoop::gather_descriptors() {
  fds_.clear();
  turns_.clear();
  std::optional<Instant> deadline;
  if (!timers_.empty()) deadline = timers_.begin()->first;
  std::erase_if(watches_, [](const auto& watch) { return watch->fd < 0; });
  for (const auto& watch : watches_) {
    const short events = watch->wanted();
    fds_.push_back({events != 0 ? watch->fd : -1, events, 0});  // poll() skips negative descriptors
  }
  const Instant start = now();
  for (const Held& held : connections_) {
    const PeerConnection* const connection = held.connection.get();
    std::size_t count = connection->get_sockets(sockets_);
    if (count > sockets_.size()) {
      sockets_.resize(count);
      count = std::min(connection->get_sockets(sockets_), count);
    }
    turns_.push_back({held, fds_.size(), count, false});
    for (std::size_t i = 0; i < count; ++i) fds_.push_back({sockets_[i], POLLIN, 0});
    const std::optional<Duration> sleep = connection->get_time_to_next_deadline();
    if (!sleep) continue;
    turns_.back().is_due = *sleep <= Duration::zero();
    const Instant due = start + std::max(*sleep, Duration::zero());
    if (!deadline || due < *deadline) deadline = due;
  }
  return deadline;
}

void EventLoop::wait_until(std::optional<Instant> deadline) {
  timespec timeout{};
  if (deadline) {
    const auto left = std::max(*deadline - now(), Instant::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timeout.tv_sec = static_cast<std::time_t>(seconds.count());
    timeout.tv_nsec = static_cast<long>(std::chrono::nanoseconds(left - seconds).count());
  }
  const int ready = ::ppoll(fds_.data(), fds_.size(), deadline ? &timeout : nullptr, nullptr);
  if (ready <= 0)
    for (pollfd& entry : fds_) entry.revents = 0;  // a signal leaves them undefined
}

void EventLoop::run_timers() {
  // Only what was due when we began: a task that sets a timer for "now" comes round in the next turn.
  const Instant limit = now();
  while (!status_ && !timers_.empty() && timers_.begin()->first <= limit) {
    auto timer = timers_.extract(timers_.begin());
    timer.mapped()();
  }
}

void EventLoop::poll_connections() {
  for (Turn& turn : turns_) {
    if (status_) break;
    bool is_ready = turn.is_due;
    for (std::size_t i = 0; i < turn.count && !is_ready; ++i) is_ready = fds_[turn.first + i].revents != 0;
    if (!is_ready) {
      const std::optional<Duration> sleep = turn.held.connection->get_time_to_next_deadline();
      is_ready = sleep && *sleep <= Duration::zero();
    }
    if (!is_ready) continue;
    static_cast<void>(turn.held.connection->poll());
    if (turn.held.polled) (*turn.held.polled)();
  }
  turns_.clear();  // connections that were removed end here, outside their own signals
}

}  // namespace pollrtc::tool
