// Violation: something broke a promise or an invariant. Thrown by what watches a simulation, so that the run ends there.
#pragma once

#include <stdexcept>

namespace pollrtc::sim {

class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace pollrtc::sim
