// The agent and its relayed candidates: what they need before they can be checked, and what becomes of their pairs when the
// allocation goes. RFC 8445 §7.2.1 (permissions), RFC 8656 §9.
#include "base/address.h"
#include "base/log.h"
#include "ice/agent.h"

namespace pollrtc::ice {

Status Agent::add_relayed(Time now, const RelayedAddress& relay) {
  if (const Status status = ready(); !status) return status;
  const Status added = gatherer_.add_relayed(now, relay);
  if (added) advance(now);
  return added;
}

void Agent::on_relay_lost(Time now, const Address& relayed) {
  for (std::size_t i = permissions_.size(); i-- > 0;)
    if (permissions_[i].relayed == relayed) permissions_.erase(i);
  if (remove_local_address(now, relayed))
    POLLRTC_LOG(environment_, Warning, "ice", "relayed candidate {} is gone", address_text(relayed).view());
}

// A pair of a relayed candidate is formed once its permission stands: a check before that would be thrown away by the
// server (RFC 8445 §7.2.1). Permissions go by IP address alone.
bool Agent::may_relay(const Gatherer::Local& local, const Address& remote) {
  if (local.candidate.type != CandidateType::Relayed) return true;
  const Address peer = remote.with_port(0);
  for (const Permission& permission : permissions_)
    if (permission.relayed == local.candidate.base && permission.peer == peer)
      return permission.state == Permission::State::Granted;
  Permission permission;
  permission.relayed = local.candidate.base;
  permission.peer = peer;
  if (permissions_.size() < environment_.limits.ice_pairs)
    static_cast<void>(permissions_.push_back(permission));
  return false;
}

bool Agent::awaits_permission() const {
  return std::any_of(permissions_.begin(), permissions_.end(), [](const Permission& permission) {
    return permission.state == Permission::State::Wanted || permission.state == Permission::State::Asked;
  });
}

bool Agent::next_permission(Path& wanted) {
  for (Permission& permission : permissions_) {
    if (permission.state != Permission::State::Wanted || state_ == AgentState::Closed) continue;
    permission.state = Permission::State::Asked;
    wanted = Path{permission.relayed, permission.peer};
    return true;
  }
  return false;
}

bool Agent::wants_permission(const Address& relayed, const Address& peer) const {
  return std::any_of(permissions_.begin(), permissions_.end(), [&](const Permission& permission) {
    return permission.relayed == relayed && permission.peer == peer.with_port(0) &&
           permission.state != Permission::State::Refused;
  });
}

void Agent::on_permission(Time now, const Address& relayed, const Address& peer, bool granted) {
  const Address plain = peer.with_port(0);
  const auto local = gatherer_.find_base(relayed);
  Permission* const found = std::find_if(permissions_.begin(), permissions_.end(), [&](const Permission& p) {
    return p.relayed == relayed && p.peer == plain;
  });
  if (!local || found == permissions_.end() || !ready()) return;
  now_ = std::max(now_, now);
  found->state = granted ? Permission::State::Granted : Permission::State::Refused;
  if (granted) {
    pair_local(*local);
  } else {
    for (Pair& pair : checklist_)
      if (pair.path.local == relayed && pair.path.remote.with_port(0) == plain) revoke_consent(pair);
  }
  advance(now);
}

}  // namespace pollrtc::ice
