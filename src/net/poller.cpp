#include "net/poller.h"

#include <limits>

namespace pollrtc::net {

int poll_milliseconds(Duration timeout) {
  constexpr Duration kLongest = std::chrono::milliseconds(std::numeric_limits<int>::max());
  if (timeout <= Duration::zero()) return 0;
  if (timeout >= kLongest) return std::numeric_limits<int>::max();
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
}

bool Poller::add(int fd, bool want_write) {
  pollfd entry{};
  entry.fd = fd;
  entry.events = static_cast<short>(want_write ? POLLIN | POLLOUT : POLLIN);
  return entries_.push_back(entry);
}

std::size_t Poller::wait(std::optional<Duration> timeout) {
  for (pollfd& entry : entries_) entry.revents = 0;
  const auto count = static_cast<nfds_t>(entries_.size());
#if defined(__linux__) || defined(__FreeBSD__) || defined(__OpenBSD__)
  timespec wait_for{};
  if (timeout && *timeout > Duration::zero()) {
    constexpr Duration kLongest = std::chrono::hours(24 * 365);  // a far deadline must not overflow time_t
    const Duration cut = *timeout < kLongest ? *timeout : kLongest;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(cut);
    wait_for.tv_sec = static_cast<time_t>(seconds.count());
    wait_for.tv_nsec = static_cast<long>(std::chrono::nanoseconds(cut - seconds).count());
  }
  const int ready = ppoll(entries_.begin(), count, timeout ? &wait_for : nullptr, nullptr);
#else
  const int ready = ::poll(entries_.begin(), count, timeout ? poll_milliseconds(*timeout) : -1);
#endif
  if (ready > 0) return static_cast<std::size_t>(ready);
  for (pollfd& entry : entries_) entry.revents = 0;  // after a failure (EINTR) they mean nothing
  return 0;
}

bool Poller::has_event(int fd, short events) const {
  for (const pollfd& entry : entries_)
    if (entry.fd == fd) return (entry.revents & events) != 0;
  return false;
}

bool Poller::is_any_ready(std::size_t first, std::size_t end) const {
  for (std::size_t i = first; i < end && i < entries_.size(); ++i)
    if (entries_[i].revents != 0) return true;
  return false;
}

bool Poller::is_readable(int fd) const { return has_event(fd, POLLIN | POLLERR | POLLHUP | POLLNVAL); }
bool Poller::is_writable(int fd) const { return has_event(fd, POLLOUT | POLLERR); }

}  // namespace pollrtc::net
