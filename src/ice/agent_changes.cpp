// When the network is no longer what it was: a socket that is gone, a peer whose address changed, errors of ICMP.
// RFC 8445 §7.2.5.2.2 and §19.2 (ICMP), §9 (other addresses); RFC 4787 §4.3 (mappings that a NAT forgets).
#include "base/address.h"
#include "base/log.h"
#include "ice/agent.h"

namespace pollrtc::ice {

Status Agent::remove_local_address(Time now, const Address& base) {
  if (const Status status = ready(); !status) return status;
  if (!gatherer_.remove_base(base)) return fail(ErrorCode::NotFound, "no such local address");
  now_ = std::max(now_, now);
  transactions_.erase_if([&base](const stun::Transaction& t) { return t.path.local == base; });
  for (Pair& pair : checklist_) {
    if (pair.path.local != base) continue;
    pair.is_cut = true;
    pair.queued = 0;
    if (!pair.is_valid) pair.state = PairState::Failed;
    if (nominee_ == pair.id) nominee_ = 0;
  }
  advance(now);
  return {};
}

void Agent::handle_icmp_error(Time now, const Path& path, Bytes quoted) {
  if (!ready() || quoted.size() < stun::kHeaderSize || load_u32(quoted.data() + 4) != stun::kMagicCookie)
    return;
  stun::TransactionId id;
  std::copy(quoted.begin() + 8, quoted.begin() + stun::kHeaderSize, id.begin());
  const stun::Transaction* const found = transactions_.find(id);
  if (found == nullptr || found->path != path) return;
  // Anybody may forge such an error who can see or guess what we send, so what works is not touched: the answer to a check,
  // a nomination or a consent check comes by itself, or does not.
  const bool is_question = found->purpose == stun::Purpose::Server;
  if (!is_question && (found->purpose != stun::Purpose::Check || found->is_cancelled)) return;
  const Pair* const pair = is_question ? nullptr : checklist_.find(found->target);
  if (pair != nullptr && pair->is_valid) return;
  const stun::Transaction failed = *found;
  transactions_.erase(found);
  on_failure(failed);
  advance(now);
}

bool Agent::is_path_doubtful() const {
  const Pair* const pair = selected();
  return pair != nullptr && !pair->is_cut && pair->consent.is_doubtful();
}

void Agent::on_data_acknowledged(Time now) {
  if (!is_path_doubtful()) return;
  now_ = std::max(now_, now);
  checklist_.find(selected()->path)->consent.on_data();
  update_state();
}

// The nominated pair is silent, or cannot be used: a check from an address we do not know may be the same peer, seen through
// another mapping of its NAT.
bool Agent::is_rescue_wanted() const {
  const Pair* const pair = selected();
  return pair != nullptr && (pair->is_cut || pair->consent.is_doubtful());
}

// DEVIATION RFC 8445 §9: data moves without a restart when the nominated pair has gone silent and the peer has answered on
// another since: a NAT gave it another address. A restart would take signalling that may be gone.
void Agent::move_to_rescue() {
  const Pair* const silent = has_nominated_ ? selected() : nullptr;
  if (silent == nullptr || (!silent->is_cut && now_ < silent->consent.interrupted_at())) return;
  const std::uint32_t silent_id = silent->id;
  Pair* rescue = nullptr;
  for (Pair& pair : checklist_) {
    const bool is_usable = pair.is_valid && !pair.is_cut && !pair.is_retired && !pair.is_nominated;
    if (!is_usable || pair.consent.last_answer() <= silent->consent.last_answer()) continue;
    if (rescue == nullptr || pair.consent.last_answer() > rescue->consent.last_answer()) rescue = &pair;
  }
  if (rescue == nullptr) return;
  POLLRTC_LOG(environment_, Info, "ice", "moved to {} -> {}", address_text(rescue->path.local).view(),
              address_text(rescue->path.remote).view());
  rescue->is_nominated = true;
  for (Pair& pair : checklist_) {
    if (&pair == rescue || !pair.is_nominated) continue;
    const bool is_silent = pair.id == silent_id && now_ >= pair.consent.interrupted_at();
    if (!is_silent && !pair.is_cut) continue;
    pair.is_nominated = false;
    pair.is_retired = true;
  }
}

}  // namespace pollrtc::ice
