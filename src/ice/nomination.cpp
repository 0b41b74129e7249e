#include "ice/nomination.h"

#include <algorithm>

namespace pollrtc::ice {

RoleVerdict resolve_role_conflict(bool we_control, std::uint64_t ours, bool they_control,
                                  std::uint64_t theirs) {
  if (we_control != they_control) return RoleVerdict::NoConflict;
  const bool we_stay = we_control ? ours >= theirs : ours < theirs;
  if (we_stay) return RoleVerdict::RefuseWith487;
  return we_control ? RoleVerdict::BecomeControlled : RoleVerdict::BecomeControlling;
}

int directness(CandidateType local, CandidateType remote) {
  if (local == CandidateType::Relayed || remote == CandidateType::Relayed) return 0;
  return remote == CandidateType::ServerReflexive ? 1 : 2;
}

const Pair* choose_nominee(std::span<const Contender> contenders, bool patience_is_over) {
  const Contender* best = nullptr;
  for (const Contender& c : contenders)
    if (c.pair->is_valid && (best == nullptr || c.pair->valid_priority > best->pair->valid_priority))
      best = &c;
  if (best == nullptr) return nullptr;
  const bool is_worth_waiting = std::any_of(contenders.begin(), contenders.end(), [best](const Contender& c) {
    return c.pair->is_pending() && !c.pair->is_valid && c.directness > best->directness;
  });
  return is_worth_waiting && !patience_is_over ? nullptr : best->pair;
}

}  // namespace pollrtc::ice
