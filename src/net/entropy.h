// Randomness from the operating system, fit for keys.
#pragma once

#include "pollrtc/environment.h"

namespace pollrtc::net {

// Blocks only in the first seconds of a machine's life, until the system's generator is seeded.
Rng system_rng();

}  // namespace pollrtc::net
