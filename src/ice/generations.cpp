#include "ice/generations.h"

#include "base/log.h"

namespace pollrtc::ice {

Generations::Generations(Environment& environment, const AgentConfig& config)
    : environment_(environment), config_(config) {}

Status Generations::start(Time now) {
  if (current_) return fail(ErrorCode::InvalidState, "started before");
  auto agent = Owned<Agent>::make(environment_.memory, environment_, config_);
  if (!agent) return fail(ErrorCode::OutOfMemory, "no memory for an ICE agent");
  if (const Status status = agent->start(now); !status) return status;
  current_ = std::move(agent);
  return {};
}

// ---- restarts

Status Generations::restart(Time now, const Credentials& credentials) {
  if (state() == AgentState::Closed) return fail(ErrorCode::Closed, "the agent is closed");
  if (next_) return fail(ErrorCode::InvalidState, "a restart is under way");
  AgentConfig config = config_;
  config.controlling = current_->is_controlling();  // RFC 8445 §9: the roles alone outlive a restart
  auto agent = Owned<Agent>::make(environment_.memory, environment_, config);
  if (!agent) return fail(ErrorCode::OutOfMemory, "no memory for an ICE agent");
  if (const Status status = agent->start(now, credentials); !status) return status;
  next_ = std::move(agent);
  current_->set_paused(now, true);
  POLLRTC_LOG(environment_, Info, "ice", "restart begun");
  return {};
}

void Generations::commit(Time now) {
  if (!next_) return;
  // After two restarts in a row the older generation may be the one whose pair still works.
  if (former_ && former_end_ == kNever && former_->selected_path()) {
    forget(current_, now);
  } else {
    forget(former_, now);
    former_ = std::move(current_);
  }
  former_end_ = kNever;
  current_ = std::move(next_);
  next_.reset();
  has_restarted_ = true;
  POLLRTC_LOG(environment_, Info, "ice", "restart agreed on");
  settle(now);
}

void Generations::cancel_restart(Time now) {
  if (!next_) return;
  forget(next_, now);
  current_->set_paused(now, false);
}

void Generations::forget(Owned<Agent>& agent, Time now) {
  if (!agent) return;
  agent->close(now);
  past_drops_ += agent->drops();
  agent.reset();
  generation_gone_ = true;
}

// RFC 8445 §12.1: data moves when the new generation has a selected pair. From then on the former one neither answers nor
// asks; RFC 8445 §8.3.1: what is on its way is still taken.
void Generations::settle(Time now) {
  if (!former_) return;
  if (former_end_ == kNever && current_->state() == AgentState::Completed) {
    POLLRTC_LOG(environment_, Info, "ice", "restart over: the former generation goes");
    former_end_ = now + kFormerPathsLive;
  }
  const bool has_path = former_end_ != kNever || former_->selected_path();
  if (!has_path || now >= former_end_) {
    forget(former_, now);
    former_end_ = kNever;
  }
}

// ---- calls that go to one of them

Status Generations::add_local_address(Time now, const Address& base, bool loopback_allowed,
                                      const Address& announced, const FixedString<64>& hidden_as) {
  return newest().add_local_address(now, base, loopback_allowed, announced, hidden_as);
}
Status Generations::remove_local_address(Time now, const Address& base) {
  bool found = false;
  for_each([&](Agent& agent) { found |= agent.remove_local_address(now, base).has_value(); });
  settle(now);
  return found ? Status() : Status(fail(ErrorCode::NotFound, "no such local address"));
}
Status Generations::add_tcp_address(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                                    const Address& announced, const FixedString<64>& hidden_as) {
  return newest().add_tcp_address(now, base, direction, loopback_allowed, announced, hidden_as);
}
Status Generations::remove_tcp_addresses(Time now, const Address& ip) {
  bool found = false;
  for_each([&](Agent& agent) { found |= agent.remove_tcp_addresses(now, ip).has_value(); });
  settle(now);
  return found ? Status() : Status(fail(ErrorCode::NotFound, "no TCP candidate of that address"));
}
void Generations::on_connection_opened(Time now, const Path& path) {
  for_each([&](Agent& agent) { agent.on_connection_opened(now, path); });
}
void Generations::on_connection_closed(Time now, const Path& path, bool is_stranger) {
  for_each([&](Agent& agent) { agent.on_connection_closed(now, path, is_stranger); });
  settle(now);
}
bool Generations::keeps_connection(const Path& path) const {
  const auto keeps = [&](const Owned<Agent>& agent) { return agent && agent->keeps_connection(path); };
  return keeps(current_) || keeps(next_) || keeps(former_);
}
void Generations::handle_icmp_error(Time now, const Path& path, Bytes quoted) {
  for_each([&](Agent& agent) { agent.handle_icmp_error(now, path, quoted); });
}
void Generations::on_relay_lost(Time now, const Address& relayed) {
  for_each([&](Agent& agent) { agent.on_relay_lost(now, relayed); });
  settle(now);
}
bool Generations::next_name(FixedString<64>& name) {
  bool found = false;
  for_each([&](Agent& agent) { found = found || agent.next_name(name); });
  return found;
}
bool Generations::next_permission(Path& wanted) {
  bool found = false;
  for_each([&](Agent& agent) { found = found || agent.next_permission(wanted); });
  return found;
}
void Generations::on_permission(Time now, const Address& relayed, const Address& peer, bool granted) {
  for_each([&](Agent& agent) { agent.on_permission(now, relayed, peer, granted); });
}
bool Generations::wants_permission(const Address& relayed, const Address& peer) const {
  const auto wants = [&](const Owned<Agent>& agent) {
    return agent && agent->wants_permission(relayed, peer);
  };
  return wants(current_) || wants(next_) || wants(former_);
}
void Generations::on_data_sent(Time now) { const_cast<Agent&>(carrier()).on_data_sent(now); }
void Generations::on_data_acknowledged(Time now) { const_cast<Agent&>(carrier()).on_data_acknowledged(now); }
Status Generations::add_server(Time now, const Address& server) { return newest().add_server(now, server); }
void Generations::local_addresses_done(Time now) { newest().local_addresses_done(now); }

Status Generations::set_remote_credentials(Time now, std::string_view ufrag, std::string_view pwd,
                                           bool remote_is_lite) {
  return current_->set_remote_credentials(now, ufrag, pwd, remote_is_lite);
}
Status Generations::add_remote_candidate(Time now, const Candidate& candidate) {
  return current_->add_remote_candidate(now, candidate);
}
void Generations::end_of_remote_candidates(Time now) { current_->end_of_remote_candidates(now); }
void Generations::set_controlling(Time now, bool controlling) { current_->set_controlling(now, controlling); }
void Generations::set_remote_pacing(Time now, Duration ta) { current_->set_remote_pacing(now, ta); }

// ---- data

// The former generation until the new one is done (RFC 8445 §9), unless its path answers no more and a new one does.
const Agent& Generations::carrier() const {
  const bool has_former_path = former_ && former_end_ == kNever && former_->selected_path();
  const bool is_rescued = has_former_path && former_->state() == AgentState::Disconnected &&
                          current_->state() == AgentState::Connected;
  return has_former_path && !is_rescued ? *former_ : *current_;
}

std::optional<Path> Generations::selected_path() const { return carrier().selected_path(); }
std::optional<Duration> Generations::round_trip_time() const { return carrier().round_trip_time(); }

bool Generations::is_validated(const Path& path) const {
  return current_->is_validated(path) || (former_ && former_->is_validated(path));
}

bool Generations::is_expected(const Path& path) const {
  return current_->is_expected(path) || (next_ && next_->is_expected(path)) ||
         (former_ && former_->is_expected(path));
}

// ---- the engine

// A request says by its user name whose it is, a response by its transaction. The rest is for the newest to judge.
Agent& Generations::agent_for(const stun::Message& message) {
  const auto username = message.text(stun::Attribute::Username);
  const std::string_view ufrag = username ? username->substr(0, username->find(':')) : std::string_view();
  const auto is_for = [&](Agent& agent) {
    return message.message_class() == stun::Class::Request ? agent.local_ufrag() == ufrag
                                                           : agent.has_transaction(message.id());
  };
  if (former_ && former_end_ == kNever && is_for(*former_)) return *former_;
  if (next_ && is_for(*next_)) return *next_;
  return *current_;
}

Drop Generations::handle_datagram(Time now, const Path& path, Bytes datagram) {
  Agent* agent = current_.get();
  if (next_ || former_)
    if (const auto message = stun::Message::parse(datagram)) agent = &agent_for(*message);
  const Drop drop = agent->handle_datagram(now, path, datagram);
  settle(now);
  return drop;
}

std::optional<Transmit> Generations::poll_transmit(Time now, MutBytes out) {
  if (former_ && former_end_ == kNever)
    if (const auto transmit = former_->poll_transmit(now, out)) return transmit;
  if (next_)
    if (const auto transmit = next_->poll_transmit(now, out)) return transmit;
  return current_->poll_transmit(now, out);
}

void Generations::handle_timeout(Time now) {
  current_->handle_timeout(now);
  if (next_) next_->handle_timeout(now);
  if (former_ && former_end_ == kNever) former_->handle_timeout(now);
  settle(now);
}

Time Generations::next_timeout() const {
  Time next = current_->next_timeout();
  if (next_) next = std::min(next, next_->next_timeout());
  if (former_) next = std::min(next, former_end_ == kNever ? former_->next_timeout() : former_end_);
  return next;
}

bool Generations::poll_event(Event& event) {
  if (newest().poll_gathering_event(event)) return true;
  if (const AgentState now = state(); now != told_state_) {
    event = StateChanged{told_state_, now};
    told_state_ = now;
    return true;
  }
  const std::optional<Path> path = selected_path();
  if (!path || path == told_path_) return false;
  told_path_ = path;
  event = PairSelected{*path};
  return true;
}

void Generations::rest() {
  for_each([](Agent& agent) { agent.rest(); });
}

void Generations::close(Time now) {
  forget(next_, now);
  forget(former_, now);
  former_end_ = kNever;
  current_->close(now);
}

// A path that is lost while a restart looks for another is an interruption, not yet a failure; an offer that nobody has answered
// looks for nothing.
AgentState Generations::state() const {
  if (!current_) return AgentState::New;
  const AgentState own = carrier().state();
  const bool is_restart = next_ || former_ || has_restarted_;
  const bool is_over = own == AgentState::Failed || own == AgentState::Closed;
  if (!is_restart || is_over || carrier().selected_path()) return own;
  return told_path_ ? AgentState::Disconnected : AgentState::Checking;
}

Agent::Drops Generations::drops() const {
  Agent::Drops all = past_drops_;
  all += current_->drops();
  if (next_) all += next_->drops();
  if (former_) all += former_->drops();
  return all;
}

AgentStats Generations::stats() const { return carrier().stats(); }

}  // namespace pollrtc::ice
