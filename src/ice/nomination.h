// Choosing the pair (RFC 8445 §8.1.1), and who chooses (§7.3.1.1). Pure functions; the agent acts on their answers.
#pragma once

#include "ice/checklist.h"
#include "pollrtc/candidate.h"

namespace pollrtc::ice {

// What a request that names a role asks of us. `ours` and `theirs` are tie-breakers.
enum class RoleVerdict : std::uint8_t { NoConflict, RefuseWith487, BecomeControlled, BecomeControlling };
RoleVerdict resolve_role_conflict(bool we_control, std::uint64_t ours, bool they_control,
                                  std::uint64_t theirs);

// How direct a way is: 2 straight (host, peer-reflexive), 1 to a server-reflexive address or by TCP, 0 relayed.
int directness(CandidateType local, CandidateType remote, Transport transport = Transport::Udp);

// A nomination is final, so a pair is not nominated while one that would be clearly better is still being checked: but
// not for longer than this after the first pair became valid.
inline constexpr Duration kNominationPatience = std::chrono::milliseconds(200);
// When only a relay works so far. Through a NAT that filters it is the second or third copy of a check that comes through, and
// data need not wait for the nomination (RFC 8445 §12.1).
inline constexpr Duration kRelayPatience = std::chrono::seconds(1);

// The pair to nominate now, of all those in `pairs`; null when there is none, or when waiting is worth it.
// `directness_of` answers for one pair, `is_due` whether there has been enough waiting with one of that directness.
template <class Pairs, class DirectnessOf, class IsDue>
const Pair* choose_nominee(const Pairs& pairs, DirectnessOf directness_of, IsDue is_due) {
  const Pair* best = nullptr;
  for (const Pair& pair : pairs)
    if (pair.is_valid && !pair.is_cut && (best == nullptr || pair.valid_priority > best->valid_priority))
      best = &pair;
  if (best == nullptr) return nullptr;
  const int have = directness_of(*best);
  if (is_due(have)) return best;
  for (const Pair& pair : pairs)
    if (pair.is_pending() && !pair.is_valid && directness_of(pair) > have) return nullptr;
  return best;
}

}  // namespace pollrtc::ice
