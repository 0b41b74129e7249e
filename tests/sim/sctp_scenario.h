// One seeded run of two associations over a bad network, with users that send, read, reset and close as the seed says.
// Every call is checked (checked_association.h), every message is accounted for (message_ledger.h). A broken invariant
// throws Violation.
//
// What must hold in the end: once the faults stop, everything reliable that was accepted is delivered within 120 s of
// virtual time, and a shutdown ends both ends with nothing lost. An association may fail only where RFC 9260 demands it:
// in set-up when more than Max.Init.Retransmits INITs or COOKIE ECHOs went unanswered (§5.1.6), later when more than
// Association.Max.Retrans timeouts in a row drew no answer (§8.1), or when a shutdown lasts five RTO.Max (§9.2, T5).
#pragma once

#include <iosfwd>
#include <string>

#include "pollrtc/types.h"
#include "sim/sctp_invariants.h"

namespace pollrtc::sim {

struct SctpRunReport {
  std::uint64_t trace_hash = 0;
  Duration virtual_time{};
  std::uint64_t packets = 0, retransmissions = 0, messages = 0, bytes = 0;
  std::string failure;                                 // empty, or why the association had to fail
  Duration healed_after{};                             // from the end of the faults until all was delivered
  std::uint64_t path_changes = 0, paths_narrowed = 0;  // believed, and of them those to a smaller size
  SctpWraps wraps;                                     // of either end
};

// Throws Violation. `log`: null, or where the engines' log lines go.
SctpRunReport run_sctp_scenario(std::uint64_t seed, std::ostream* log = nullptr);

}  // namespace pollrtc::sim
