#include "ice/agent.h"

#include "base/address.h"
#include "base/log.h"
#include "base/random.h"
#include "ice/nomination.h"

namespace pollrtc::ice {

namespace {

constexpr std::size_t kUfragSize = 8;  // 48 and 144 random bits; RFC 8445 §5.3 asks for 24 and 128
constexpr std::size_t kPwdSize = 24;
// RFC 8863 §4: as long as one check takes to time out.
constexpr Duration kPatience = std::chrono::milliseconds(39500);

constexpr std::string_view kClosed = "the agent is closed";

}  // namespace

std::string_view name_of(AgentState state) {
  switch (state) {
    case AgentState::New:
      return "New";
    case AgentState::Checking:
      return "Checking";
    case AgentState::Connected:
      return "Connected";
    case AgentState::Completed:
      return "Completed";
    case AgentState::Disconnected:
      return "Disconnected";
    case AgentState::Failed:
      return "Failed";
    case AgentState::Closed:
      return "Closed";
  }
  return "";
}

Agent::Agent(Environment& environment, const AgentConfig& config)
    : environment_(environment),
      config_(config),
      controlling_(config.controlling && !config.lite),
      checklist_(environment.memory, environment.limits.ice_pairs),
      transactions_(environment.memory, environment.limits.stun_pending),
      replies_(environment.memory),
      gatherer_(environment.memory, environment.limits, config.relay_only),
      early_(environment.memory),
      local_(environment.memory),
      remote_(environment.memory),
      remotes_(environment.memory),
      permissions_(environment.memory),
      named_(environment.memory),
      error_limiter_(environment.memory, environment.limits) {
  config_.ta = std::max(config_.ta, Pacer::kGap);
}

Result<Credentials> make_credentials(const Rng& rng) {
  std::array<char, kUfragSize> ufrag;
  std::array<char, kPwdSize> pwd;
  if (!fill_random_ice_chars(rng, ufrag) || !fill_random_ice_chars(rng, pwd))
    return fail(ErrorCode::NoRandomness, "ICE credentials");
  Credentials credentials;
  credentials.ufrag = *FixedString<256>::from({ufrag.data(), ufrag.size()});
  credentials.pwd = *FixedString<256>::from({pwd.data(), pwd.size()});
  return credentials;
}

Status Agent::start(Time now) {
  if (is_started_) return fail(ErrorCode::InvalidState, "started before");
  const Result<Credentials> credentials = make_credentials(environment_.rng);
  if (!credentials) return Unexpected{credentials.error()};
  return start(now, *credentials);
}

Status Agent::start(Time now, const Credentials& credentials) {
  if (is_started_ || state_ == AgentState::Closed) return fail(ErrorCode::InvalidState, "started before");
  const auto tie_breaker = random_u64(environment_.rng);
  if (!tie_breaker) return fail(ErrorCode::NoRandomness, "ICE tie-breaker");
  if (!local_.set(credentials.ufrag.view(), credentials.pwd.view()))
    return fail(ErrorCode::OutOfMemory, "ICE credentials");
  tie_breaker_ = *tie_breaker;
  is_started_ = true;
  now_ = pacer_ = now;
  return {};
}

std::string_view Agent::local_ufrag() const { return local_.ufrag(); }
std::string_view Agent::local_pwd() const { return local_.pwd(); }
AgentState Agent::state() const { return state_; }
bool Agent::is_controlling() const { return controlling_; }

Status Agent::ready() const {
  if (state_ == AgentState::Closed) return fail(ErrorCode::Closed, kClosed);
  if (!is_started_) return fail(ErrorCode::InvalidState, "start() comes first");
  return {};
}

// ---- gathering

Status Agent::add_local_address(Time now, const Address& base, bool loopback_allowed,
                                const Address& announced, const FixedString<64>& hidden_as) {
  if (const Status status = ready(); !status) return status;
  const Status added = gatherer_.add_base(now, base, loopback_allowed, announced, hidden_as);
  if (added) advance(now);
  return added;
}

Status Agent::add_server(Time now, const Address& server) {
  if (const Status status = ready(); !status) return status;
  if (config_.lite) return {};  // RFC 8445 §5.2: a lite end has host candidates only
  const Status added = gatherer_.add_server(now, server);
  if (added) advance(now);
  return added;
}

void Agent::local_addresses_done(Time now) {
  if (!ready()) return;
  gatherer_.done(now);
  advance(now);
}

// ---- the other end

Status Agent::reserve_remote_credentials(std::size_t characters) {
  if (has_remote_ || remote_.reserve(characters)) return {};
  return fail(ErrorCode::OutOfMemory, "remote ICE credentials");
}

Status Agent::set_remote_credentials(Time now, std::string_view ufrag, std::string_view pwd,
                                     bool remote_is_lite) {
  if (const Status status = ready(); !status) return status;
  if (!is_valid_ufrag(ufrag)) return fail(ErrorCode::InvalidArgument, "ice-ufrag is not 4 to 256 ice-chars");
  if (!is_valid_pwd(pwd)) return fail(ErrorCode::InvalidArgument, "ice-pwd is not 22 to 256 ice-chars");
  if (has_remote_) {
    if (remote_.ufrag() == ufrag && remote_.pwd() == pwd) return {};
    return fail(ErrorCode::InvalidState, "other credentials mean an ICE restart, which is not supported yet");
  }
  if (config_.lite && remote_is_lite)
    return fail(ErrorCode::NotSupported, "of two lite ends neither would send a check");
  if (!remote_.set(ufrag, pwd)) return fail(ErrorCode::OutOfMemory, "remote ICE credentials");
  has_remote_ = true;
  if (remote_is_lite) controlling_ = true;  // RFC 8445 §6.1.1
  patience_end_ = now + kPatience;
  for (std::size_t i = remotes_.size(); i-- > 0;) {
    const Owned<FixedString<256>> generation = std::move(remotes_[i].ufrag);
    if (generation && !(*generation == ufrag)) remotes_.erase(i);
  }
  for (std::size_t i = named_.size(); i-- > 0;)
    if (is_foreign(named_[i].candidate)) named_.erase(i);
  for (std::size_t i = 0; i < remotes_.size(); ++i) pair_remote(static_cast<std::uint16_t>(i));
  now_ = std::max(now_, now);
  advance(now);
  return {};
}

Status Agent::ignore([[maybe_unused]] const Candidate& candidate, [[maybe_unused]] std::string_view why) {
  ++counters_.candidates_ignored;
  POLLRTC_LOG(environment_, Debug, "ice", "remote candidate {} ignored: {}",
              address_text(candidate.address).view(), why);
  return {};
}

// RFC 8838 §9: one that names another generation.
bool Agent::is_foreign(const Candidate& candidate) const {
  return !candidate.ufrag.empty() && !(candidate.ufrag == remote_.ufrag());
}

Status Agent::add_remote_candidate(Time now, const Candidate& given) {
  if (const Status status = ready(); !status) return status;
  now_ = std::max(now_, now);
  Candidate candidate = given;
  candidate.address = unmapped(given.address);
  candidate.address.scope_id = 0;
  // RFC 8838 §14: after the end-of-candidates nothing is taken.
  if (is_remote_done_) return ignore(candidate, "after end-of-candidates");
  if (candidate.component != 1) return ignore(candidate, "not component 1");
  if ((candidate.transport == Transport::Tcp) != (candidate.tcp_type != TcpType::None))
    return ignore(candidate, "by TCP, and nobody says which end connects");
  // RFC 6544 §6.2: the pairs of an active one would all be pruned. It is learned when its end connects.
  if (candidate.tcp_type == TcpType::Active) return ignore(candidate, "its end connects to us");
  if (!candidate.mdns_name.empty()) return await_name(candidate);
  return use_remote_candidate(candidate);
}

Status Agent::use_remote_candidate(const Candidate& candidate) {
  if (!is_checkable(candidate.address)) return ignore(candidate, "not an address that is checked");
  if (has_remote_ && is_foreign(candidate)) return ignore(candidate, "of another generation");
  if (const auto known = find_remote(candidate.address, candidate.transport))
    return promote(*known, candidate);
  const auto signalled =
      std::count_if(remotes_.begin(), remotes_.end(), [](const Remote& r) { return r.is_signalled; });
  if (signalled >= environment_.limits.ice_remote_candidates) {
    ++counters_.candidates_ignored;
    return fail(ErrorCode::LimitReached, "too many remote candidates");
  }
  Remote* const added = add_remote(candidate, true);
  if (added == nullptr) return fail(ErrorCode::OutOfMemory, "remote candidate");
  if (!note_generation(*added, candidate)) {
    remotes_.pop_back();
    return fail(ErrorCode::OutOfMemory, "remote candidate");
  }
  pair_remote(static_cast<std::uint16_t>(remotes_.size() - 1));
  advance(now_);
  return {};
}

// RFC 8838 §11: signalling names what a check had shown us. Its pairs and their checks go on, under the signalled type,
// priority and foundation.
Status Agent::promote(std::uint16_t remote, const Candidate& candidate) {
  Remote& known = remotes_[remote];
  const bool was_hidden = !known.candidate.mdns_name.empty() && candidate.mdns_name.empty();
  if (known.is_signalled && !was_hidden) return {};
  if (!note_generation(known, candidate)) return fail(ErrorCode::OutOfMemory, "remote candidate");
  known.candidate = candidate;
  known.foundation = remote_foundation(candidate, remote);
  known.is_signalled = true;
  for (Pair& pair : checklist_)
    if (pair.remote == remote)
      pair.foundation = gatherer_.locals()[pair.local].foundation << 16 | known.foundation;
  compute_priorities();
  pair_remote(remote);
  advance(now_);
  return {};
}

void Agent::end_of_remote_candidates(Time now) {
  if (!ready()) return;
  is_remote_done_ = true;
  advance(now);
}

void Agent::set_controlling(Time, bool controlling) {
  if (!has_remote_ && !config_.lite && state_ != AgentState::Closed) controlling_ = controlling;
}

void Agent::set_remote_pacing(Time, Duration ta) { config_.ta = std::max(config_.ta, ta); }

void Agent::set_paused(Time now, bool paused) {
  is_paused_ = paused;
  // Our checks stand still while an offer asks for others. It may never be answered, so that has an end too.
  if (paused && has_remote_) patience_end_ = std::max(patience_end_, now + kPatience);
  advance(now);
}

std::optional<std::uint16_t> Agent::find_remote(const Address& address, Transport transport) const {
  Address plain = address;
  plain.scope_id = 0;
  for (std::size_t i = 0; i < remotes_.size(); ++i)
    if (remotes_[i].candidate.address == plain && remotes_[i].candidate.transport == transport)
      return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

std::uint32_t Agent::remote_foundation(const CandidateFacts& candidate, std::size_t index) const {
  for (const Remote& remote : remotes_)
    if (remote.is_signalled && remote.candidate.foundation == candidate.foundation) return remote.foundation;
  return static_cast<std::uint32_t>(index + 1);
}

Agent::Remote* Agent::add_remote(const CandidateFacts& candidate, bool is_signalled) {
  Remote remote;
  remote.candidate = candidate;
  remote.is_signalled = is_signalled;
  // One known from a check alone has a foundation of its own (RFC 8445 §7.3.1.3).
  remote.foundation = is_signalled ? remote_foundation(candidate, remotes_.size())
                                   : static_cast<std::uint32_t>(remotes_.size() + 1);
  return remotes_.push_back(std::move(remote)) ? &remotes_.back() : nullptr;
}

// Until our own is known nobody can say whether it is that one. False: no memory, and nothing changed.
bool Agent::note_generation(Remote& remote, const Candidate& candidate) {
  if (has_remote_) return true;
  auto generation = candidate.ufrag.empty()
                        ? Owned<FixedString<256>>()
                        : Owned<FixedString<256>>::make(environment_.memory, candidate.ufrag);
  if (!generation && !candidate.ufrag.empty()) return false;
  remote.ufrag = std::move(generation);
  return true;
}

// ---- pairs

std::uint64_t Agent::priority_of(std::uint16_t local, std::uint16_t remote) const {
  const std::uint32_t ours = gatherer_.locals()[local].candidate.priority,
                      theirs = remotes_[remote].candidate.priority;
  return controlling_ ? pair_priority(ours, theirs) : pair_priority(theirs, ours);
}

void Agent::compute_priorities() {
  for (Pair& pair : checklist_) {
    pair.priority = priority_of(pair.local, pair.remote);
    pair.valid_priority = priority_of(pair.valid_local, pair.remote);
  }
}

Pair* Agent::make_pair(std::uint16_t local, std::uint16_t remote) {
  const Gatherer::Local& ours = gatherer_.locals()[local];
  Pair pair;
  pair.path.local = ours.candidate.base;
  pair.path.remote = scoped_as(remotes_[remote].candidate.address, pair.path.local);
  pair.path.transport = ours.candidate.transport;
  pair.local = pair.valid_local = local;
  pair.remote = remote;
  pair.foundation = ours.foundation << 16 | remotes_[remote].foundation;
  pair.priority = priority_of(local, remote);
  if (Pair* const known = checklist_.find(pair.path)) return known;
  return checklist_.add(pair);
}

bool Agent::may_pair(const Gatherer::Local& local, const CandidateFacts& remote) {
  return local.candidate.transport == remote.transport &&
         can_pair_directions(local.candidate.tcp_type, remote.tcp_type) &&
         can_pair(local.candidate.base, remote.address, config_.allow_remote_loopback) &&
         !is_kept_from_relay(local, remote) && may_relay(local, remote.address);
}

// Reflexive local candidates are replaced by their bases, which makes their pairs redundant (RFC 8445 §6.1.2.4), so
// only bases are paired; those that were signalled (RFC 8838 §10).
void Agent::pair_local(std::uint16_t local) {
  for (std::size_t i = 0; i < remotes_.size(); ++i) {
    if (!has_remote_ || has_nominated_ || config_.lite || !remotes_[i].is_signalled) continue;
    if (may_pair(gatherer_.locals()[local], remotes_[i].candidate))
      static_cast<void>(make_pair(local, static_cast<std::uint16_t>(i)));
  }
}

void Agent::pair_remote(std::uint16_t remote) {
  if (!has_remote_ || has_nominated_ || config_.lite) return;
  for (std::size_t i = 0; i < gatherer_.locals().size(); ++i) {
    const Gatherer::Local& local = gatherer_.locals()[i];
    if (local.may_pair && may_pair(local, remotes_[remote].candidate))
      static_cast<void>(make_pair(static_cast<std::uint16_t>(i), remote));
  }
}

void Agent::switch_role(bool controlling) {
  POLLRTC_LOG(environment_, Info, "ice", "role is now {}", controlling ? "controlling" : "controlled");
  controlling_ = controlling;
  nominee_ = 0;
  transactions_.erase_if([](const stun::Transaction& t) { return t.purpose == stun::Purpose::Nomination; });
  compute_priorities();  // RFC 8445 §7.3.1.1: they are a function of the role
}

// RFC 8445 §8.1.2: the others leave the list; checks that run are not repeated, but a late answer is taken. Valid pairs
// keep the consent they have, so that data on its way is not lost, and get no new one.
void Agent::nominate(Pair& pair) {
  if (pair.is_nominated) return;
  POLLRTC_LOG(environment_, Info, "ice", "nominated {} -> {}", address_text(pair.path.local).view(),
              address_text(pair.path.remote).view());
  pair.is_nominated = true;
  has_nominated_ = true;
  nominee_ = 0;
  for (Pair& other : checklist_) {
    if (other.is_nominated || other.nominate_on_success) continue;
    other.is_retired = true;
    other.queued = 0;
  }
  for (const Pair& other : checklist_)
    if (other.is_retired) cancel_checks(other.id);
  gatherer_.conclude();
}

// No more copies, but a late answer is taken (RFC 8445 §7.3.1.4, §8.1.2).
void Agent::cancel_checks(std::uint32_t pair) {
  for (stun::Transaction& transaction : transactions_) {
    if (transaction.purpose != stun::Purpose::Check || transaction.target != pair) continue;
    transaction.is_cancelled = true;
    transaction.timer.cancel();
  }
}

void Agent::drop_retired_pairs() {
  if (!has_nominated_) return;
  checklist_.erase_if([this](const Pair& pair) {
    if (!pair.is_retired || pair.is_valid || pair.is_nominated || pair.is_spent) return false;
    return std::none_of(transactions_.begin(), transactions_.end(), [&pair](const stun::Transaction& t) {
      return t.purpose != stun::Purpose::Server && t.target == pair.id;
    });
  });
}

const Pair* Agent::selected() const {
  if (state_ == AgentState::Failed || state_ == AgentState::Closed) return nullptr;
  const Pair* const best = checklist_.best(now_);
  // RFC 8445 §12.1: any valid pair may carry data before the nomination, only the nominated one afterwards.
  return best != nullptr && (best->is_nominated || !has_nominated_) ? best : nullptr;
}

bool Agent::is_validated(const Path& path) const {
  const Pair* const pair = checklist_.find(path);
  return pair != nullptr && pair->is_valid && !pair->is_cut && state_ != AgentState::Failed &&
         state_ != AgentState::Closed;
}

bool Agent::is_expected(const Path& path) const {
  if (find_remote(path.remote, path.transport)) return true;
  return std::any_of(early_.begin(), early_.end(),
                     [&](const EarlyRequest& request) { return request.path == path; });
}

std::optional<Path> Agent::selected_path() const {
  const Pair* const pair = selected();
  return pair == nullptr || pair->is_cut ? std::nullopt : std::optional(pair->path);
}

std::optional<Duration> Agent::round_trip_time() const {
  const Pair* const pair = selected();
  return pair == nullptr ? std::nullopt : pair->round_trip_time;
}

}  // namespace pollrtc::ice
