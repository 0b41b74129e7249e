// A machine of the simulation and the process on it: the clock that it shows, and whether it runs at all.
#pragma once

#include <string>
#include <vector>

#include "sim/world.h"

namespace pollrtc::sim {

// A clock that goes forward only, as fast as the world's, but in steps, and sometimes it jumps.
struct HostClock {
  Duration ahead{};
  Duration tick = Duration(1);

  Time local(Time world) const {
    const Duration since = world - Time{} + ahead;
    return Time{} + since / tick * tick;
  }
  // The first moment of the world at which the clock shows `local`.
  Time world(Time local) const {
    if (local == kNever) return kNever;
    const Duration since = local - Time{};
    return Time{} + (since + tick - Duration(1)) / tick * tick - ahead;
  }
};

struct Participant {
  std::string name;
  Host* host = nullptr;
  Nat* nat = nullptr;
  std::vector<Address> addresses;  // none while its interface is gone
  HostClock clock;
  bool is_paused = false;   // the process does not run: nothing is called, what comes waits in the sockets
  double send_errors = 0;   // the system refuses so many datagrams
  bool reads_first = true;  // after a pause: datagrams before deadlines
};

}  // namespace pollrtc::sim
