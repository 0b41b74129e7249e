// The two clocks of the operating system. Only `api` and tools ask them; engines are told the time.
#pragma once

#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::net {

// Never goes back and is not set by anyone; its epoch means nothing.
Time monotonic_now();

// Seconds since 1970, as the machine believes: for the validity of certificates only.
std::int64_t unix_seconds();

}  // namespace pollrtc::net
