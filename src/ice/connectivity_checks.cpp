// Connectivity checks: sending them (RFC 8445 §7.2), answering them (§7.3), and what their answers mean (§7.2.5).
// STUN's own rules for requests and responses: RFC 8489 §6.3 and §9.1.
#include "base/address.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "ice/agent.h"
#include "ice/nomination.h"
#include "ice/screen.h"

namespace pollrtc::ice {

namespace {

// DEVIATION RFC 8445 §14.3: the RTO of a check grows with the checks that wait, but not above this. The formula alone
// would give 500 s for a full list.
constexpr Duration kMaxCheckRto = std::chrono::seconds(2);
// Triggered checks go first (§6.1.4.2). A peer that hears us, but that we never hear, would keep the queue filled for
// ever, so after this many in a row an ordinary check gets its turn.
constexpr int kMaxTriggeredRun = 4;
constexpr Duration kConsentCheckLife = Consent::kExpiry;
// RFC 8489 §6.2.2: Ti, for transports that repeat what is lost by themselves.
constexpr Duration kReliableTimeout = std::chrono::milliseconds(39500);
constexpr Duration kHeedAgain = std::chrono::milliseconds(100);

}  // namespace

// ---- sending

void Agent::start_one() {
  if (now_ < pacer_) return;
  Start start = can_check() ? start_consent() : Start::Nothing;
  if (start == Start::Nothing && !is_paused_ && now_ >= may_begin()) {
    start = start_next();
    if (start == Start::Begun && environment_.pacer != nullptr) environment_.pacer->on_begin(now_);
  }
  if (start != Start::Nothing) pacer_ = now_ + config_.ta;  // also when blocked: try again, but not at once
}

// One new transaction per Ta, whatever it is for (RFC 8445 §14.2).
Agent::Start Agent::start_next() {
  if (!can_check()) return start_probe();
  if (is_nomination_owed()) return start_check(*checklist_.find(nominee_), stun::Purpose::Nomination);
  if (may_probe() && triggered_run_ < kMaxTriggeredRun) {
    if (Pair* const pair = checklist_.next_triggered()) {
      ++triggered_run_;
      return start_check(*pair, stun::Purpose::Check);
    }
  }
  const bool is_probe_first = !probe_was_last_;
  probe_was_last_ = is_probe_first && gatherer_.has_waiting_probe();
  if (is_probe_first)
    if (const Start probe = start_probe(); probe != Start::Nothing) return probe;
  const bool is_triggered_turn_over = triggered_run_ >= kMaxTriggeredRun;
  triggered_run_ = 0;
  if (may_probe()) {
    if (Pair* const pair = checklist_.next_ordinary()) return start_check(*pair, stun::Purpose::Check);
    if (Pair* const pair = is_triggered_turn_over ? checklist_.next_triggered() : nullptr)
      return start_check(*pair, stun::Purpose::Check);
  }
  return is_probe_first ? Start::Nothing : start_probe();
}

Agent::Start Agent::start_consent() {
  Pair* due = nullptr;
  for (Pair& pair : checklist_) {
    if (!pair.is_valid || pair.is_retired || pair.is_cut || now_ < pair.consent.next_check()) continue;
    if (due == nullptr || pair.consent.next_check() < due->consent.next_check()) due = &pair;
  }
  if (due == nullptr) return Start::Nothing;
  const Start start = start_check(*due, stun::Purpose::Consent);
  if (start == Start::Begun)
    due->consent.on_check_sent(now_, Consent::plan(now_, load_u64(transactions_.newest().id.data())));
  return start;
}

Agent::Start Agent::start_probe() {
  Probe* const probe = gatherer_.next_probe();
  if (probe == nullptr) return Start::Nothing;
  stun::Transaction transaction;
  transaction.purpose = stun::Purpose::Server;
  transaction.target = gatherer_.number_of(*probe);
  transaction.path = gatherer_.path_of(*probe);
  transaction.timer = stun::Retransmission(now_, gatherer_.rto(config_.ta));
  const Start start = begin(transaction);
  if (start == Start::Begun) probe->state = Probe::State::Running;
  return start;
}

Agent::Start Agent::start_check(Pair& pair, stun::Purpose purpose) {
  stun::Transaction transaction;
  transaction.purpose = purpose;
  transaction.target = pair.id;
  transaction.path = pair.path;
  transaction.tie_breaker = tie_breaker_;
  if (pair.check_priority == 0) pair.check_priority = gatherer_.reflexive_priority(pair.local);
  transaction.priority = pair.check_priority;
  transaction.controlling = controlling_;
  transaction.use_candidate = purpose == stun::Purpose::Nomination;
  // RFC 7675 §5.1: consent checks are not repeated; the next one comes soon enough. Nor is anything over TCP.
  if (purpose == stun::Purpose::Consent) {
    transaction.timer = stun::Retransmission(now_, kConsentCheckLife, 1, 1);
  } else if (pair.path.transport == Transport::Tcp) {
    transaction.timer = stun::Retransmission(now_, kReliableTimeout, 1, 1);
  } else {
    transaction.timer = stun::Retransmission(now_, check_rto());
  }
  const Start start = begin(transaction);
  if (start != Start::Begun || purpose != stun::Purpose::Check) return start;
  pair.queued = 0;
  pair.state = PairState::InProgress;
  return start;
}

Agent::Start Agent::begin(stun::Transaction transaction) {
  transaction.started = now_;
  // RFC 8489 §5: 96 random bits, new for each transaction.
  if (!fill_random(environment_.rng, transaction.id)) return Start::Blocked;
  return transactions_.add(transaction) == nullptr ? Start::Blocked : Start::Begun;
}

Duration Agent::check_rto() const {
  const Duration wanted = config_.ta * static_cast<Duration::rep>(checklist_.count_unfinished());
  return std::clamp(wanted, stun::Retransmission::kMinRto, kMaxCheckRto);
}

std::size_t Agent::write_request(const stun::Transaction& transaction, MutBytes out) const {
  using stun::Attribute;
  stun::Writer w(out.first(std::min(out.size(), stun::kMaxSent)), stun::Class::Request, transaction.id);
  if (transaction.purpose != stun::Purpose::Server) {
    std::array<char, 520> user;
    const std::string_view theirs = remote_.ufrag(), ours = local_.ufrag();
    char* end = std::copy(theirs.begin(), theirs.end(), user.begin());
    *end++ = ':';
    end = std::copy(ours.begin(), ours.end(), end);
    w.text(Attribute::Username, {user.data(), static_cast<std::size_t>(end - user.data())});
    w.u32(Attribute::Priority, transaction.priority);
    w.u64(transaction.controlling ? Attribute::IceControlling : Attribute::IceControlled,
          transaction.tie_breaker);
    if (transaction.use_candidate) w.flag(Attribute::UseCandidate);
    w.integrity(as_bytes(remote_.pwd()));  // ICE fixes the algorithm, so this one alone (RFC 8445 §7.3)
  }
  w.fingerprint();
  return w.finish();
}

// ---- receiving

Drop Agent::handle_datagram(Time now, const Path& path, Bytes datagram) {
  if (state_ == AgentState::Closed) return drops_.count(Drop::Ended);
  if (!is_started_) return drops_.count(Drop::NoSession);
  const auto message = stun::Message::parse(datagram);
  const Drop drop = message ? on_message(now, path, *message) : message.error();
  if (drop != Drop::None)
    POLLRTC_LOG(environment_, Debug, "ice", "from {}: {}", address_text(path.remote).view(),
                pollrtc::name_of(drop));
  return drops_.count(drop);
}

// RFC 8489 §6.3: the order of the questions is header, fingerprint, authentication, unknown attributes.
Drop Agent::on_message(Time now, const Path& path, const stun::Message& message) {
  now_ = std::max(now_, now);
  if (message.fingerprint_at() != 0 && !stun::verify_fingerprint(message)) return Drop::StunFingerprint;
  Drop drop = Drop::None;
  switch (message.message_class()) {
    case stun::Class::Request:
      drop = on_request(path, message);
      break;
    case stun::Class::Success:
    case stun::Class::Error:
      drop = on_response(path, message);
      break;
    case stun::Class::Indication:  // a keepalive: never answered, changes nothing (RFC 8445 §11)
      return message.unknown_required().empty() ? Drop::None : Drop::StunUnknownAttribute;
  }
  advance(now_);
  return drop;
}

Drop Agent::on_request(const Path& path, const stun::Message& request) {
  const Pair* const known = checklist_.find(path);
  const auto base = known != nullptr && !known->is_cut ? std::optional(known->local)
                                                       : gatherer_.find_base(path.local, path.transport);
  if (!base) return Drop::UnknownPath;
  const RequestVerdict verdict = screen_request(request, local_ufrag(), local_pwd());
  const bool is_authentic = verdict.integrity != stun::Integrity::None;
  if (is_authentic) ++counters_.checks_received;
  if (verdict.code != 0) return refuse(path, request, verdict.code, verdict.integrity, verdict.drop);
  if (verdict.drop != Drop::None) return verdict.drop;
  if (const Drop conflict = settle_role(path, request, verdict.integrity); conflict != Drop::None)
    return conflict;
  // Nothing of ours goes there any more (RFC 7675 §5.1), or anywhere, so the other end must not think that the pair works, and
  // nominate it.
  if (state_ == AgentState::Failed || (known != nullptr && known->is_spent)) return Drop::UnknownPath;

  const Drop drop = take_request(*base, path, request, verdict.remote_ufrag);
  // Nobody repeats what was answered, so what we had no memory for, or a nomination we had no room for, is not.
  const bool nominates = request.has(stun::Attribute::UseCandidate);
  if (drop == Drop::OutOfMemory || (drop == Drop::IceLimit && nominates)) return drop;
  Reply reply;
  reply.path = path;
  reply.id = request.id();
  reply.integrity = verdict.integrity;
  if (replies_.push(reply)) ++counters_.checks_answered;
  if (Pair* const pair = checklist_.find(path); pair != nullptr && pair->is_valid)
    pair->consent.on_request(now_);
  return drop;
}

Drop Agent::take_request(std::uint16_t base, const Path& path, const stun::Message& request,
                         std::string_view remote_ufrag) {
  const auto ufrag = FixedString<256>::from(remote_ufrag);
  if (!ufrag) return Drop::None;  // no credentials of that name can exist
  EarlyRequest facts;
  facts.path = path;
  facts.ufrag = *ufrag;
  facts.priority = request.u32(stun::Attribute::Priority).value_or(0);
  facts.nomination = request.u32(stun::Attribute::Nomination).value_or(0);
  facts.use_candidate = request.has(stun::Attribute::UseCandidate);
  return has_remote_ ? heed(base, facts) : remember(facts);
}

Drop Agent::heed(std::uint16_t base, const EarlyRequest& request) {
  return config_.lite ? accept_as_lite(base, request) : learn(base, request);
}

Drop Agent::refuse(const Path& path, const stun::Message& request, int code, stun::Integrity integrity,
                   Drop reason) {
  if (!error_limiter_.allow(now_, path.remote)) return Drop::StunRateLimited;
  Reply reply;
  reply.path = path;
  reply.id = request.id();
  reply.code = code;
  reply.integrity = integrity;
  reply.longest = request.bytes().size();
  if (code == 420) reply.unknown = request.unknown_required();
  if (replies_.push(reply)) ++counters_.errors_sent;
  return reason;
}

// RFC 8445 §7.3.1.1.
Drop Agent::settle_role(const Path& path, const stun::Message& request, stun::Integrity integrity) {
  const bool they_control = request.has(stun::Attribute::IceControlling);
  // A lite end is controlled whatever happens (§6.1.1).
  if (config_.lite && !they_control) return refuse(path, request, 487, integrity, Drop::IceRoleConflict);
  const auto theirs =
      request.u64(they_control ? stun::Attribute::IceControlling : stun::Attribute::IceControlled);
  switch (resolve_role_conflict(controlling_, tie_breaker_, they_control, theirs.value_or(0))) {
    case RoleVerdict::NoConflict:
      break;
    case RoleVerdict::RefuseWith487:
      return refuse(path, request, 487, integrity, Drop::IceRoleConflict);
    case RoleVerdict::BecomeControlled:
      switch_role(false);
      break;
    case RoleVerdict::BecomeControlling:
      switch_role(true);
      break;
  }
  return Drop::None;
}

// RFC 8445 §7.3: the answer went out at once; the rest follows when the remote credentials come.
Drop Agent::remember(const EarlyRequest& request) {
  for (EarlyRequest& known : early_) {
    if (known.path != request.path) continue;
    const bool use_candidate = known.use_candidate || request.use_candidate;
    known = request;
    known.use_candidate = use_candidate;
    return Drop::None;
  }
  if (early_.size() >= environment_.limits.ice_prflx) return Drop::IceLimit;
  return early_.push_back(request) ? Drop::None : Drop::OutOfMemory;
}

// The remote credentials are there. What there is no memory for stays for another time, since it was answered.
void Agent::heed_early() {
  if (early_.empty() || now_ < heed_again_) return;
  for (std::size_t i = 0; i < early_.size();) {
    const EarlyRequest request = early_[i];
    const auto base = gatherer_.find_base(request.path.local, request.path.transport);
    if (base && heed(*base, request) == Drop::OutOfMemory) {
      ++i;
    } else {
      early_.erase(i);
    }
  }
  heed_again_ = now_ + kHeedAgain;
}

// What an authenticated request teaches: RFC 8445 §7.3.1.3 (a new remote candidate), §7.3.1.4 (a triggered check),
// §7.3.1.5 (a nomination).
Drop Agent::learn(std::uint16_t base, const EarlyRequest& request) {
  if (!can_check() || !(request.ufrag == remote_.ufrag()))
    return Drop::None;  // nobody we could send a check to
  const bool nominates = request.use_candidate && !controlling_;
  if (has_nominated_ && !nominates && !is_rescue_wanted()) return Drop::None;  // §8.1.2: concluded
  const Result<Pair*, Drop> found = pair_of(base, request);
  if (!found) return found.error();
  Pair* const pair = *found;
  if (pair->is_spent) return Drop::None;
  pair->nomination = std::max(pair->nomination, request.nomination);
  if (nominates && pair->is_valid) {
    pair->is_retired = false;
    nominate(*pair);
    return Drop::None;
  }
  if (nominates) pair->nominate_on_success = true;
  if (pair->state == PairState::Succeeded && !pair->is_retired) return Drop::None;
  if (pair->state == PairState::InProgress) cancel_checks(pair->id);
  pair->is_retired = false;
  checklist_.trigger(*pair);
  return Drop::None;
}

// The pair a request came by; one that is not known is made, with a remote candidate of its own if need be (§7.3.1.3).
Result<Pair*, Drop> Agent::pair_of(std::uint16_t base, const EarlyRequest& request) {
  if (Pair* const known = checklist_.find(request.path)) return known;
  if (!is_checkable(request.path.remote)) return Unexpected{Drop::UnknownPath};
  auto remote = find_remote(request.path.remote, request.path.transport);
  if (!remote) {
    const Result<std::uint16_t, Drop> learned = learn_remote(request);
    if (!learned) return Unexpected{learned.error()};
    remote = *learned;
  }
  gatherer_.reflexive_priority(base);  // the host's own preference must be known to rank the pair
  Pair* const pair = make_pair(base, *remote);
  if (pair == nullptr) return Unexpected{checklist_.is_full() ? Drop::IceLimit : Drop::OutOfMemory};
  return pair;
}

Result<std::uint16_t, Drop> Agent::learn_remote(const EarlyRequest& request) {
  CandidateFacts candidate;
  candidate.type = CandidateType::PeerReflexive;
  candidate.address = scoped_as(request.path.remote, Address{});
  candidate.priority = request.priority;
  candidate.transport = request.path.transport;
  if (candidate.transport == Transport::Tcp) candidate.tcp_type = TcpType::Active;
  Remote* const free =
      std::find_if(remotes_.begin(), remotes_.end(), [](const Remote& r) { return r.is_free; });
  if (free != remotes_.end()) {
    free->candidate = candidate;
    free->is_free = false;
    return static_cast<std::uint16_t>(free - remotes_.begin());
  }
  const auto learned =
      std::count_if(remotes_.begin(), remotes_.end(), [](const Remote& r) { return !r.is_signalled; });
  if (learned >= environment_.limits.ice_prflx) return Unexpected{Drop::IceLimit};
  if (add_remote(candidate, false) == nullptr) return Unexpected{Drop::OutOfMemory};
  return static_cast<std::uint16_t>(remotes_.size() - 1);
}

// ---- what comes of our checks

Drop Agent::on_response(const Path& path, const stun::Message& response) {
  stun::Transaction* const found = transactions_.find(response.id());
  if (found == nullptr) return Drop::StunNoTransaction;
  const stun::Transaction transaction = *found;
  if (transaction.purpose == stun::Purpose::Server) return on_server_response(path, response, transaction);
  const bool is_symmetric = path == transaction.path;
  switch (screen_response(response, remote_.pwd())) {
    case ResponseVerdict::Unprotected:
      return Drop::StunFingerprint;
    case ResponseVerdict::Malformed:
      return Drop::StunMalformed;
    case ResponseVerdict::Violated:  // the transaction goes on, but its end will be known for what it was
      found->integrity_violated = true;
      if (path.transport == Transport::Tcp && is_symmetric) {  // there nothing better can follow
        const stun::Transaction violated = *found;
        transactions_.erase(found);
        on_failure(violated);
      }
      return Drop::StunIntegrity;
    case ResponseVerdict::Success:
      if (is_symmetric) return on_success(response, transaction);
      transactions_.erase(found);
      on_failure(transaction);  // RFC 8445 §7.2.5.2.1
      return Drop::StunWrongSource;
    case ResponseVerdict::Error:
      if (!is_symmetric) return Drop::StunWrongSource;
      transactions_.erase(found);
      on_error(response.error_code()->code, transaction);
      return Drop::None;
    case ResponseVerdict::Unusable:
      if (!is_symmetric) return Drop::StunWrongSource;
      transactions_.erase(found);
      on_failure(transaction);
      return Drop::StunUnknownAttribute;
  }
  return Drop::StunMalformed;
}

// RFC 8489 §6.3.3, RFC 8445 §5.1.1.2. Servers are asked without credentials; ALTERNATE-SERVER is not followed.
Drop Agent::on_server_response(const Path& path, const stun::Message& response,
                               const stun::Transaction& transaction) {
  if (path != transaction.path) return Drop::StunWrongSource;
  if (response.has_malformed_value()) return Drop::StunMalformed;
  transactions_.erase_if([&transaction](const stun::Transaction& t) { return t.id == transaction.id; });
  if (response.message_class() == stun::Class::Error || !response.unknown_required().empty()) {
    on_failure(transaction);
    return response.unknown_required().empty() ? Drop::None : Drop::StunUnknownAttribute;
  }
  std::optional<Address> mapped = response.xor_mapped_address();
  if (!mapped) mapped = response.mapped_address();  // servers of RFC 3489
  if (Probe* const probe = gatherer_.probe(transaction.target)) gatherer_.on_answer(now_, *probe, mapped);
  return Drop::None;
}

// RFC 8445 §7.2.5.3.
Drop Agent::on_success(const stun::Message& response, const stun::Transaction& transaction) {
  const Address mapped = response.xor_mapped_address().value_or(transaction.path.local);
  Pair* const pair = checklist_.find(transaction.target);
  if (pair == nullptr || pair->is_spent) return Drop::StunNoTransaction;
  ++counters_.responses_received;
  unanswered_ -= std::min<std::uint64_t>(unanswered_, transaction.unanswered);
  if (transaction.timer.copies() == 1) {  // of a repeated request nobody knows which copy was answered
    const Duration sample = now_ - transaction.started;
    pair->round_trip_time = pair->round_trip_time ? (*pair->round_trip_time * 7 + sample) / 8 : sample;
  }
  transactions_.erase_if([&transaction](const stun::Transaction& t) {
    return t.id == transaction.id || (t.target == transaction.target && t.purpose == stun::Purpose::Check);
  });
  if (!pair->is_valid || !gatherer_.is_mapped_to(pair->valid_local, mapped)) {
    pair->valid_local = gatherer_.identify(pair->local, mapped, transaction.priority);
    pair->valid_priority = priority_of(pair->valid_local, pair->remote);
  }
  pair->state = PairState::Succeeded;
  pair->queued = 0;
  if (!pair->is_valid) {
    POLLRTC_LOG(environment_, Debug, "ice", "valid {} -> {}", address_text(pair->path.local).view(),
                address_text(pair->path.remote).view());
    if (nomination_due_ == kNever) nomination_due_ = now_ + kNominationPatience;
  }
  pair->is_valid = true;
  if (pair->path.transport == Transport::Tcp) pair->is_cut = false;  // its connection was made anew
  pair->consent.on_answer(now_, Consent::plan(now_, load_u64(transaction.id.data())));
  checklist_.thaw(pair->foundation);
  const bool is_ours =
      transaction.purpose == stun::Purpose::Nomination && transaction.controlling && controlling_;
  if (is_ours || (pair->nominate_on_success && !controlling_)) nominate(*pair);
  return Drop::None;
}

// All of these are authenticated: a forged error never comes here.
void Agent::on_error(int code, const stun::Transaction& transaction) {
  if (code == 487) return on_role_conflict(transaction);
  if (code == 403) {  // RFC 7675 §5.2: consent is withdrawn
    if (Pair* const pair = checklist_.find(transaction.target)) revoke_consent(*pair);
    return;
  }
  on_failure(transaction);
}

// RFC 8445 §7.2.5.1: the role is the opposite of the one that request named, so a second 487 of the same round finds it
// settled. Then the pair is checked again.
void Agent::on_role_conflict(const stun::Transaction& transaction) {
  if (controlling_ == transaction.controlling) {
    switch_role(!transaction.controlling);
    tie_breaker_ = random_u64(environment_.rng).value_or(~tie_breaker_);
  }
  if (Pair* const pair = checklist_.find(transaction.target); pair != nullptr && !pair->is_spent)
    checklist_.trigger(*pair);
}

// A transaction that timed out, or was refused. A consent check that failed changes nothing: the next one counts.
void Agent::on_failure(const stun::Transaction& transaction) {
  if (transaction.purpose == stun::Purpose::Server) {
    if (Probe* const probe = gatherer_.probe(transaction.target))
      gatherer_.on_failure(now_, transaction.started, *probe);
    return;
  }
  Pair* const pair = checklist_.find(transaction.target);
  if (pair == nullptr || transaction.purpose == stun::Purpose::Consent || transaction.is_cancelled) return;
  POLLRTC_LOG(environment_, Debug, "ice", "check {} -> {} failed: {}", address_text(pair->path.local).view(),
              address_text(pair->path.remote).view(),
              transaction.integrity_violated ? "integrity violated" : "no answer");
  if (transaction.purpose == stun::Purpose::Nomination) {
    // DEVIATION RFC 8445 §7.2.5.3.4: the pair leaves the valid list, but the checklist fails only when there is no other
    // pair to nominate.
    pair->is_valid = false;
    nominee_ = 0;
  }
  pair->state = pair->is_valid ? PairState::Succeeded : PairState::Failed;
}

}  // namespace pollrtc::ice
