#include "net/clock.h"

#include <time.h>

namespace pollrtc::net {

Time monotonic_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);  // cannot fail: POSIX has this clock, and the pointer is good
  return Time(std::chrono::duration_cast<Duration>(std::chrono::seconds(t.tv_sec) +
                                                   std::chrono::nanoseconds(t.tv_nsec)));
}

std::int64_t unix_seconds() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec;
}

}  // namespace pollrtc::net
