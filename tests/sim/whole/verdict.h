// Whether a connection had cause to fail, and whether a fault met anything. A failure without a cause is a Violation.
#pragma once

#include <string>
#include <vector>

#include "sim/whole/plan.h"
#include "sim/whole/side.h"

namespace pollrtc::sim {

// `side` has failed; what it gives as the reason must be so, and follow from the faults of the plan.
void check_failure(const Plan& plan, const Side& side, const Side& other);
// In words, for the report.
std::string why_given_up(const Side& a, const Side& b);
// False: nothing was there for it to hit, no allocation, no NAT, no second address. `sides` are those of its machine.
bool met_something(const Fault& fault, const Participant& machine, const MachinePlan& place,
                   const std::vector<const Side*>& sides);

}  // namespace pollrtc::sim
