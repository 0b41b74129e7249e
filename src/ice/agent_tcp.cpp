// TCP candidates in the agent: what a connection that came or went means for the pair on it. RFC 6544 §4.1 (gathering), §7.1
// (a connection fails, a stranger answers), §8 (which connections stay), §11.1 (the selected one is lost).
#include "base/address.h"
#include "base/log.h"
#include "ice/agent.h"

namespace pollrtc::ice {

namespace {

// How often one pair's connection is made anew: whoever answers a check and closes shall not have us do so for ever.
constexpr int kMaxReconnections = 16;
// How long the passive end waits for the active one to come back before the loss is a reason to restart ICE.
constexpr Duration kReconnectPatience = std::chrono::seconds(5);

}  // namespace

Status Agent::add_tcp_address(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                              const Address& announced, const FixedString<64>& hidden_as) {
  if (const Status status = ready(); !status) return status;
  if (config_.lite && direction == TcpType::Active) return {};  // RFC 6544 §4.4
  const Status added = gatherer_.add_tcp(now, base, direction, loopback_allowed, announced, hidden_as);
  if (added) advance(now);
  return added;
}

Status Agent::remove_tcp_addresses(Time now, const Address& ip) {
  if (const Status status = ready(); !status) return status;
  bool was_there = false;
  for (std::size_t i = 0; i < gatherer_.locals().size(); ++i) {
    const CandidateFacts& candidate = gatherer_.locals()[i].candidate;
    if (candidate.transport == Transport::Tcp && candidate.base.same_ip(ip))
      was_there = gatherer_.remove_base(candidate.base, Transport::Tcp) || was_there;
  }
  if (!was_there) return fail(ErrorCode::NotFound, "no TCP candidate of that address");
  now_ = std::max(now_, now);
  const auto is_there = [&ip](const Path& path) {
    return path.transport == Transport::Tcp && path.local.same_ip(ip);
  };
  transactions_.erase_if([&](const stun::Transaction& t) { return is_there(t.path); });
  for (Pair& pair : checklist_) {
    if (!is_there(pair.path)) continue;
    pair.is_cut = true;
    pair.queued = 0;
    pair.state = pair.is_valid ? PairState::Succeeded : PairState::Failed;
    if (nominee_ == pair.id) nominee_ = 0;
  }
  advance(now);
  return {};
}

// The time that a connection takes to be made is no part of a round trip.
void Agent::on_connection_opened(Time now, const Path& path) {
  for (stun::Transaction& transaction : transactions_)
    if (transaction.path == path) transaction.started = std::max(transaction.started, now);
}

void Agent::on_connection_closed(Time now, const Path& path, bool is_stranger) {
  if (!ready()) return;
  now_ = std::max(now_, now);
  for (std::size_t i = early_.size(); i-- > 0;)
    if (early_[i].path == path) early_.erase(i);
  // RFC 8489 §6.2.2: every transaction on it has failed, now.
  for (std::size_t i = transactions_.size(); i-- > 0;) {
    const stun::Transaction failed = transactions_.begin()[i];
    if (failed.path != path) continue;
    transactions_.erase(transactions_.begin() + i);
    // A pair that was being nominated stays valid, as a nominated one does: both are for reconnect().
    if (failed.purpose != stun::Purpose::Nomination) on_failure(failed);
  }
  Pair* const pair = checklist_.find(path);
  if (pair != nullptr) reconnect(*pair);
  if (pair != nullptr && is_stranger) {
    // RFC 6544 §7.1: that address is none of the peer's.
    for (Pair& other : checklist_) {
      if (other.remote != pair->remote || other.is_valid) continue;
      cancel_checks(other.id);
      other.state = PairState::Failed;
      other.queued = 0;
    }
  }
  advance(now);
}

// RFC 6544 §11.1: the active end opens a connection again and checks it before any data goes; the passive one waits. A FIN
// or RST is signed by nobody, so consent goes on until it runs out (RFC 7675 §5.2).
void Agent::reconnect(Pair& pair) {
  if (!pair.is_valid) {
    if (pair.state != PairState::Succeeded) pair.state = PairState::Failed;
    pair.queued = 0;
    return;
  }
  const bool was_tried = std::exchange(pair.is_cut, true);
  if (nominee_ == pair.id) nominee_ = 0;
  if (pair.is_retired || was_tried) return;
  POLLRTC_LOG(environment_, Info, "ice", "the connection {} -> {} is lost",
              address_text(pair.path.local).view(), address_text(pair.path.remote).view());
  reconnect_end_ = now_ + kReconnectPatience;
  const Gatherer::Local& local = gatherer_.locals()[pair.local];
  if (local.candidate.tcp_type == TcpType::Passive || local.is_gone) return;
  if (pair.reconnections++ < kMaxReconnections) checklist_.trigger(pair);
}

// The connection of a passive candidate never comes back: the other end opens another, from another port.
void Agent::drop_closed_pairs() {
  for (std::size_t i = checklist_.size(); i-- > 0;) {
    const bool is_over = checklist_.begin()[i].is_cut || checklist_.begin()[i].state == PairState::Failed;
    if (!is_over) continue;
    const Pair pair = checklist_.begin()[i];
    const bool is_passive = gatherer_.locals()[pair.local].candidate.tcp_type == TcpType::Passive;
    if (!is_passive || pair.is_nominated) continue;
    checklist_.erase_if([&pair](const Pair& p) { return p.id == pair.id; });
    Remote& remote = remotes_[pair.remote];
    const bool is_shared = std::any_of(checklist_.begin(), checklist_.end(),
                                       [&](const Pair& p) { return p.remote == pair.remote; });
    if (remote.is_signalled || is_shared) continue;
    remote.is_free = true;
    remote.candidate.address = Address{};
  }
}

bool Agent::keeps_connection(const Path& path) const {
  if (state_ == AgentState::Failed || state_ == AgentState::Closed) return false;
  const Pair* const pair = checklist_.find(path);
  if (pair != nullptr) return !pair->is_retired && (pair->is_valid || pair->state != PairState::Failed);
  if (!gatherer_.find_base(path.local, path.transport)) return false;
  if (config_.lite && has_remote_) return !has_nominated_;  // it makes a pair once one is nominated
  return std::any_of(early_.begin(), early_.end(),
                     [&](const EarlyRequest& request) { return request.path == path; });
}

bool Agent::is_reconnecting() const {
  const Pair* const pair = selected();
  if (pair == nullptr || !pair->is_cut || pair->path.transport != Transport::Tcp) return false;
  const Gatherer::Local& local = gatherer_.locals()[pair->local];
  if (local.is_gone) return false;
  if (local.candidate.tcp_type == TcpType::Passive) return now_ < reconnect_end_;
  return pair->is_pending();
}

}  // namespace pollrtc::ice
