// The agent in time: what falls due, what is owed, and what there is to tell. RFC 8445 §6.1.4 (states of the checklist),
// §8 (concluding), RFC 8863 (patience), RFC 7675 §5.1 (the end of consent).
#include "base/address.h"
#include "base/fit.h"
#include "base/log.h"
#include "ice/agent.h"
#include "ice/nomination.h"

namespace pollrtc::ice {

namespace {

// When the waiting for a better pair ends with one of this directness in hand; `due` is when it ends with any but a relayed one.
Time due_for(int directness, Time due) {
  return directness != 0 || due == kNever ? due : due + (kRelayPatience - kNominationPatience);
}

}  // namespace

bool Agent::is_alive() const {
  return has_remote_ && state_ != AgentState::Failed && state_ != AgentState::Closed;
}

bool Agent::can_check() const { return is_alive() && !config_.lite; }

// What a peer can make us send to addresses that never answer: as many datagrams as a full checklist would cost, and no
// more for as long as the agent lives, however many candidates it signals (RFC 8445 §19.5.1).
bool Agent::may_probe() const {
  return unanswered_ < std::uint64_t{environment_.limits.ice_pairs} * stun::Retransmission::kRc;
}

// RFC 8445 §5.1.1.4: until ICE has completed.
bool Agent::keeps_bindings() const {
  return !has_nominated_ && !is_paused_ && state_ != AgentState::Failed && state_ != AgentState::Closed;
}

bool Agent::is_nomination_owed() const {
  return can_check() && !is_paused_ && nominee_ != 0 &&
         std::none_of(transactions_.begin(), transactions_.end(),
                      [](const auto& t) { return t.purpose == stun::Purpose::Nomination; });
}

void Agent::advance(Time now) {
  now_ = std::max(now_, now);
  if (!is_started_ || state_ == AgentState::Closed) return;
  advanced_to_ = now_;
  if (has_remote_) heed_early();
  step_transactions();
  gatherer_.tick(now_, keeps_bindings());
  if (is_alive()) {
    expire_consent();
    move_to_rescue();
    drop_closed_pairs();
    pick_nominee();
  }
  start_one();
  if (now_ >= keepalive_due()) {
    is_keepalive_owed_ = true;
    last_sent_ = now_;
  }
  drop_retired_pairs();
  update_state();
}

void Agent::step_transactions() {
  for (std::size_t i = transactions_.size(); i-- > 0;) {
    if (i >= transactions_.size()) continue;  // one that failed took others with it
    stun::Transaction& transaction = transactions_.begin()[i];
    const Pair* const pair = checklist_.find(transaction.target);
    const bool is_check = transaction.purpose != stun::Purpose::Server;
    switch (transaction.timer.step(now_)) {
      case stun::Retransmission::Step::Wait:
        break;
      case stun::Retransmission::Step::Send:
        if (gives_way(transaction)) {
          fail_transaction(transaction);
          break;
        }
        transaction.is_owed = !is_check || may_probe() || (pair != nullptr && pair->is_valid);
        POLLRTC_LOG(environment_, Trace, "ice", "no answer yet from {}: copy {}",
                    address_text(transaction.path.remote).view(), transaction.timer.copies());
        break;
      case stun::Retransmission::Step::Fail:
        fail_transaction(transaction);
        break;
    }
  }
}

void Agent::fail_transaction(const stun::Transaction& transaction) {
  const stun::Transaction failed = transaction;
  transactions_.erase(&transaction);
  on_failure(failed);
  if (failed.purpose != stun::Purpose::Nomination) return;
  // The other end may have nominated the pair, so its checks there get no answer any more: it is to take the next one too.
  if (Pair* const pair = checklist_.find(failed.target)) revoke_consent(*pair);
}

// DEVIATION RFC 8489 §6.2.1: a nomination without an answer is not repeated for 40 s when another pair has answered since, in the
// time in which each is asked for consent: the other end may have no path for as long.
bool Agent::gives_way(const stun::Transaction& nomination) const {
  if (nomination.purpose != stun::Purpose::Nomination || now_ < nomination.started + Consent::kLongest)
    return false;
  return std::any_of(checklist_.begin(), checklist_.end(), [&](const Pair& pair) {
    return pair.is_valid && !pair.is_cut && pair.id != nomination.target &&
           pair.consent.last_answer() > nomination.started;
  });
}

void Agent::expire_consent() {
  for (Pair& pair : checklist_) {
    if (!pair.is_valid || now_ < pair.consent.expires()) continue;
    // RFC 7675 §5.1: who sends no data need not keep consent, and gains it anew before sending. Nobody was asked for it on a
    // pair that another was preferred to, nor by a lite end.
    const bool is_lapsed = config_.lite || (pair.is_retired && !pair.consent.is_doubtful());
    if (is_lapsed)
      take_out(pair);
    else
      revoke_consent(pair);
  }
}

// RFC 7675 §5.1: sending stops at once, and these credentials are not used on this path again.
void Agent::revoke_consent(Pair& pair) {
  POLLRTC_LOG(environment_, Warning, "ice", "consent lost on {} -> {}", address_text(pair.path.local).view(),
              address_text(pair.path.remote).view());
  take_out(pair);
  pair.is_spent = true;
}

// It is no valid pair any more. Open checks are forgotten, so that a late answer revives nothing.
void Agent::take_out(Pair& pair) {
  pair.is_valid = pair.is_nominated = false;
  pair.state = PairState::Failed;
  pair.queued = 0;
  if (nominee_ == pair.id) nominee_ = 0;
  transactions_.erase_if([&pair](const stun::Transaction& transaction) {
    return transaction.purpose != stun::Purpose::Server && transaction.target == pair.id;
  });
}

void Agent::pick_nominee() {
  if (!controlling_ || is_paused_ || has_nominated_ || nominee_ != 0) return;
  const auto directness_of = [this](const Pair& pair) {
    return directness(gatherer_.locals()[pair.valid_local].candidate.type,
                      remotes_[pair.remote].candidate.type, pair.path.transport);
  };
  const auto is_due = [this](int way) { return now_ >= due_for(way, nomination_due_); };
  const Pair* const choice = choose_nominee(checklist_, directness_of, is_due);
  if (choice != nullptr) nominee_ = choice->id;
}

void Agent::update_state() {
  if (state_ == AgentState::Failed || !has_remote_) return;
  const Pair* const pair = selected();
  if (pair != nullptr) {
    const bool is_interrupted = pair->is_cut || now_ >= pair->consent.interrupted_at();
    become(is_interrupted       ? AgentState::Disconnected
           : pair->is_nominated ? AgentState::Completed
                                : AgentState::Connected);
    return;
  }
  const bool is_hopeless =
      now_ >= patience_end_ && gatherer_.is_over() && !awaits_permission() &&
      (is_paused_ || !may_probe() ||
       std::none_of(checklist_.begin(), checklist_.end(), [](const Pair& p) { return p.is_pending(); }));
  become(has_nominated_ || is_hopeless ? AgentState::Failed : AgentState::Checking);
}

void Agent::become(AgentState next) {
  if (next == state_) return;
  POLLRTC_LOG(environment_, Info, "ice", "{} -> {}", name_of(state_), name_of(next));
  state_ = next;
  if (next != AgentState::Failed) return;
  for (Pair& pair : checklist_) {  // nothing revives it but a restart
    pair.is_valid = false;
    pair.queued = 0;
  }
  nominee_ = 0;
  transactions_.erase_if([](const stun::Transaction& t) { return t.purpose != stun::Purpose::Server; });
}

void Agent::handle_timeout(Time now) {
  is_woken_ = false;
  advance(now);
}

Time Agent::next_timeout() const {
  if (!is_started_ || state_ == AgentState::Closed) return kNever;
  if (is_woken_) return now_;
  Time next = gatherer_.next_timeout(keeps_bindings());
  for (const stun::Transaction& transaction : transactions_) next = std::min(next, transaction.timer.due());
  if (!is_paused_ && gatherer_.has_waiting_probe()) next = std::min(next, may_begin());
  next = std::min(next, keepalive_due());
  if (has_remote_ && !early_.empty()) next = std::min(next, heed_again_);
  if (!is_alive()) return next;
  if (is_nomination_owed() || (!is_paused_ && checklist_.has_work() && may_probe()))
    next = std::min(next, may_begin());
  const Pair* const pair = selected();
  // What advance() has looked at already is due no more.
  if (pair != nullptr && advanced_to_ < pair->consent.interrupted_at())
    next = std::min(next, pair->consent.interrupted_at());
  for (const Pair& p : checklist_) {
    if (!p.is_valid) continue;
    next = std::min(next, p.consent.expires());
    if (!p.is_retired && !p.is_cut && !config_.lite)
      next = std::min(next, std::max(p.consent.next_check(), pacer_));
  }
  if (advanced_to_ < reconnect_end_ && pair != nullptr && pair->is_cut) next = std::min(next, reconnect_end_);
  if (advanced_to_ < patience_end_ && pair == nullptr) next = std::min(next, patience_end_);
  if (controlling_ && !is_paused_ && !has_nominated_ && nominee_ == 0)
    for (const int way : std::initializer_list<int>{1, 0})
      if (const Time due = due_for(way, nomination_due_); advanced_to_ < due) next = std::min(next, due);
  return next;
}

// Consent is none of RFC 8445's phases, so only our own Ta paces it: one busy neighbour must not cost us the path.
Time Agent::may_begin() const {
  return environment_.pacer == nullptr ? pacer_ : std::max(pacer_, environment_.pacer->next());
}

std::optional<Transmit> Agent::poll_transmit(Time now, MutBytes out) {
  now_ = std::max(now_, now);
  while (!replies_.empty()) {
    const Transmit reply = replies_.pop(out, local_pwd());
    if (reply.size != 0) return reply;
  }
  for (stun::Transaction& transaction : transactions_) {
    if (!transaction.is_owed) continue;
    transaction.is_owed = false;
    const std::size_t size = write_request(transaction, out);
    if (size == 0) continue;
    ++counters_.checks_sent;
    if (transaction.timer.copies() > 1) ++counters_.retransmissions;
    if (transaction.purpose == stun::Purpose::Consent) ++counters_.consent_checks_sent;
    const Pair* const pair = checklist_.find(transaction.target);
    if (transaction.purpose != stun::Purpose::Server && (pair == nullptr || !pair->is_valid)) {
      ++transaction.unanswered;
      ++unanswered_;
    }
    return Transmit{transaction.path, size};
  }
  if (is_keepalive_owed_)
    if (const std::size_t size = write_keepalive(out); size != 0) return Transmit{*selected_path(), size};
  return std::nullopt;
}

bool Agent::poll_gathering_event(Event& event) {
  if (is_started_ && state_ != AgentState::Closed) {
    if (Gatherer::Local* const local = gatherer_.next_unannounced()) {
      local->is_announced = true;
      Candidate candidate = Gatherer::as_signalled(*local);
      candidate.ufrag = *FixedString<256>::from(local_ufrag());  // RFC 8838 §9
      event = LocalCandidate{candidate};
      if (local->candidate.type == CandidateType::Host || local->candidate.type == CandidateType::Relayed) {
        local->may_pair = true;
        pair_local(static_cast<std::uint16_t>(local - gatherer_.locals().begin()));
        advance(now_);
        // There may be a check to send now, and the caller may have done with sending.
        is_woken_ =
            std::any_of(transactions_.begin(), transactions_.end(), [](const auto& t) { return t.is_owed; });
      }
      return true;
    }
    if (!told_gathering_done_ && gatherer_.is_over()) {
      told_gathering_done_ = true;
      event = GatheringDone{};
      return true;
    }
  }
  return false;
}

bool Agent::poll_event(Event& event) {
  if (poll_gathering_event(event)) return true;
  if (told_state_ != state_) {
    event = StateChanged{told_state_, state_};
    told_state_ = state_;
    return true;
  }
  const std::optional<Path> path = selected_path();
  if (path && path != told_path_) {
    told_path_ = path;
    event = PairSelected{*path};
    return true;
  }
  return false;
}

void Agent::rest() {
  const std::size_t elements = gatherer_.locals().size() + remotes_.size() + checklist_.size();
  if (elements == std::exchange(fitted_to_, elements)) return;
  fit(gatherer_.locals());
  fit(remotes_);
  checklist_.fit();
  transactions_.fit();
  replies_.rest();
}

void Agent::close(Time now) {
  now_ = std::max(now_, now);
  transactions_.clear();
  replies_.clear();
  checklist_.clear();
  early_.clear();
  is_woken_ = false;
  become(AgentState::Closed);
}

AgentStats Agent::stats() const {
  AgentStats stats;
  static_cast<AgentCounters&>(stats) = counters_;
  stats.controlling = controlling_;
  stats.local_candidates = static_cast<std::uint16_t>(gatherer_.locals().size());
  stats.remote_candidates = static_cast<std::uint16_t>(remotes_.size());
  stats.pairs = static_cast<std::uint16_t>(checklist_.size());
  stats.valid_pairs = static_cast<std::uint16_t>(
      std::count_if(checklist_.begin(), checklist_.end(), [](const Pair& pair) { return pair.is_valid; }));
  stats.round_trip_time = round_trip_time();
  if (const Pair* const pair = selected()) {
    stats.selected_local = gatherer_.locals()[pair->valid_local].candidate;
    stats.selected_local->mdns_name = gatherer_.locals()[pair->local].candidate.mdns_name;
    stats.selected_remote = remotes_[pair->remote].candidate;
    stats.is_remote_signalled = remotes_[pair->remote].is_signalled;
    stats.last_consent = pair->consent.last_answer();
  }
  return stats;
}

}  // namespace pollrtc::ice
