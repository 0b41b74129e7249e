// The agent and hidden addresses: remote candidates that have a name of multicast DNS in the place of their address. They wait
// here until somebody says what the name means; who knows how to ask is not the agent's business.
// draft-ietf-mmusic-mdns-ice-candidates §3.2, §3.3.
#include "base/address.h"
#include "ice/agent.h"

namespace pollrtc::ice {

// §3.2.2 (ICE-MDNS-02): where nothing but relayed candidates may be used, a name is not even asked for; nor by a lite end, which
// checks nothing.
Status Agent::await_name(const Candidate& candidate) {
  if (config_.relay_only || config_.lite) return ignore(candidate, "a name that is of no use");
  if (has_remote_ && is_foreign(candidate)) return ignore(candidate, "of another generation");
  if (candidate.mdns_port == 0) return ignore(candidate, "a name without a port");
  for (const Named& named : named_)
    if (named.candidate == candidate) return {};
  const auto names =
      static_cast<std::size_t>(std::count_if(named_.begin(), named_.end(), [&](const Named& n) {
        return !(n.candidate.mdns_name == candidate.mdns_name);
      }));
  if (names >= environment_.limits.ice_mdns_names) return ignore(candidate, "too many names at once");
  // All that ever came count: what a peer can make us multicast has an end.
  if (named_so_far_ >= environment_.limits.ice_remote_candidates) {
    ++counters_.candidates_ignored;
    return fail(ErrorCode::LimitReached, "too many remote candidates");
  }
  Named named;
  named.candidate = candidate;
  named.is_asked = std::any_of(named_.begin(), named_.end(), [&](const Named& n) {
    return n.is_asked && n.candidate.mdns_name == candidate.mdns_name;
  });
  if (!named_.push_back(named)) return fail(ErrorCode::OutOfMemory, "remote candidate");
  ++named_so_far_;
  return {};
}

// That of a TCP candidate is asked for once there is one of ours that connects to it (RFC 6544 §6.2): where TCP is not allowed,
// nothing is multicast for it.
bool Agent::can_use_name(const Named& named) const {
  return named.candidate.transport == Transport::Udp ||
         std::any_of(gatherer_.locals().begin(), gatherer_.locals().end(), [](const Gatherer::Local& local) {
           return local.candidate.tcp_type == TcpType::Active && !local.is_gone;
         });
}

bool Agent::next_name(FixedString<64>& name) {
  if (state_ == AgentState::Failed || state_ == AgentState::Closed) return false;
  const auto next = std::find_if(named_.begin(), named_.end(), [this](const Named& named) {
    return !named.is_asked && can_use_name(named);
  });
  if (next == named_.end()) return false;
  name = next->candidate.mdns_name;
  for (Named& named : named_) named.is_asked = named.is_asked || named.candidate.mdns_name == name.view();
  return true;
}

// They were signalled before the end-of-candidates, so that does not shut them out.
void Agent::on_name_resolved(Time now, std::string_view name, const Address& address) {
  if (!ready()) return;
  now_ = std::max(now_, now);
  for (std::size_t i = named_.size(); i-- > 0;) {
    if (!(named_[i].candidate.mdns_name == name)) continue;
    Candidate candidate = named_[i].candidate;
    named_.erase(i);
    candidate.address = unmapped(address).with_port(candidate.mdns_port);
    candidate.address.scope_id = 0;
    if (address.is_valid()) {
      static_cast<void>(use_remote_candidate(candidate));  // no room: it is counted
    } else {
      static_cast<void>(ignore(candidate, "nobody knows its name"));
    }
  }
}

// §3.3.2: the TURN server would learn the address from the permission and from where the checks go.
bool Agent::is_kept_from_relay(const Gatherer::Local& local, const CandidateFacts& remote) const {
  return local.candidate.type == CandidateType::Relayed && !remote.mdns_name.empty();
}

}  // namespace pollrtc::ice
