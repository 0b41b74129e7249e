#include "ice/nomination.h"

namespace pollrtc::ice {

RoleVerdict resolve_role_conflict(bool we_control, std::uint64_t ours, bool they_control,
                                  std::uint64_t theirs) {
  if (we_control != they_control) return RoleVerdict::NoConflict;
  const bool we_stay = we_control ? ours >= theirs : ours < theirs;
  if (we_stay) return RoleVerdict::RefuseWith487;
  return we_control ? RoleVerdict::BecomeControlled : RoleVerdict::BecomeControlling;
}

int directness(CandidateType local, CandidateType remote, Transport transport) {
  if (local == CandidateType::Relayed || remote == CandidateType::Relayed) return 0;
  return remote == CandidateType::ServerReflexive || transport == Transport::Tcp ? 1 : 2;
}

}  // namespace pollrtc::ice
