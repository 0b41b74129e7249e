// ICE-lite, for servers that everybody can reach: checks are answered, and the pair that the full peer nominates is taken.
// RFC 8445 §5.2, §6.1.1, §7.3.2, §8.2, §11, §12.1.1.
#include "base/random.h"
#include "ice/agent.h"

namespace pollrtc::ice {

// RFC 8445 §7.3.2. There are no checks of ours, so there is no consent to ask for (RFC 7675 §1), and nothing would tell that
// the peer has gone: its own checks, which it owes us every few seconds for its own consent, stand in.
Drop Agent::accept_as_lite(std::uint16_t base, const EarlyRequest& request) {
  if (!is_alive() || !(request.ufrag == remote_.ufrag())) return Drop::None;
  Pair* pair = checklist_.find(request.path);
  if (pair == nullptr && !request.use_candidate) return Drop::None;
  const Result<Pair*, Drop> found = pair_of(base, request);
  if (!found) return found.error();
  pair = *found;
  if (pair->is_spent || pair->is_cut) return Drop::None;
  pair->nomination = std::max(pair->nomination, request.nomination);
  pair->consent.on_sign_of_life(now_);
  if (!request.use_candidate) return Drop::None;
  pair->state = PairState::Succeeded;
  pair->is_valid = true;
  pair->is_retired = false;
  nominate(*pair);
  return Drop::None;
}

// RFC 8445 §11: a pair without consent checks is kept open by Binding indications after 15 s of silence.
Time Agent::keepalive_due() const {
  constexpr Duration kTr = std::chrono::seconds(15);
  if (!config_.lite || !is_alive()) return kNever;
  const Pair* const pair = selected();
  if (pair == nullptr || pair->is_cut) return kNever;
  return last_sent_ + kTr;
}

// Without authentication, FINGERPRINT only.
std::size_t Agent::write_keepalive(MutBytes out) {
  is_keepalive_owed_ = false;
  stun::TransactionId id{};
  if (!selected_path() || !fill_random(environment_.rng, id)) return 0;
  stun::Writer w(out, stun::Class::Indication, id);
  w.fingerprint();
  return w.finish();
}

}  // namespace pollrtc::ice
