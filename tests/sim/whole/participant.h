// A machine of the simulation and the process on it: the clock that it shows, and whether it runs at all.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "sim/world.h"

namespace pollrtc::sim {

// A clock as fast as the world's, but in steps, and sometimes it jumps. It never shows less than before: where the machine's
// own goes back, what a connection is told stands still until that has caught up (pollrtc/network.h).
struct HostClock {
  Duration ahead{};
  Duration tick = Duration(1);
  Time least{};  // it has shown that

  Time local(Time world) const { return std::max(least, unbounded(world)); }
  // The first moment of the world at which the clock shows `local`; the beginning of time when it does already.
  Time world(Time local) const {
    if (local == kNever) return kNever;
    if (local <= least) return Time{};
    const Duration since = local - Time{};
    return Time{} + (since + tick - Duration(1)) / tick * tick - ahead;
  }
  void step_back(Time world, Duration by) {
    least = local(world);
    ahead -= by;
  }
  // It stands no longer.
  void catch_up(Time world) {
    if (unbounded(world) < least) ahead += least - unbounded(world);
  }

 private:
  Time unbounded(Time world) const {
    const Duration since = world - Time{} + ahead;
    return Time{} + since / tick * tick;
  }
};

struct Participant {
  std::string name;
  Host* host = nullptr;
  Nat* nat = nullptr;
  Nat* carrier_nat = nullptr;      // the one that `nat` is behind
  std::vector<Address> addresses;  // none while its interface is gone
  HostClock clock;
  bool is_paused = false;   // the process does not run: nothing is called, what comes waits in the sockets
  double send_errors = 0;   // the system refuses so many datagrams
  double no_memory = 0;     // and so many allocations
  bool reads_first = true;  // after a pause: datagrams before deadlines
};

}  // namespace pollrtc::sim
