// The generations of one ICE session: an agent for the one agreed on, and others for as long as a restart lasts. RFC 8445
// §9 (restart) and §12.1 (where data goes meanwhile), RFC 8838 §2 (generation), RFC 8839 §4.4 (restart by offer and answer).
//
//   restart()          next_ begins: our offer names its credentials, it gathers; checks on it are answered already
//   commit()           both descriptions are known: next_ becomes current_, and the one that carries data former_
//   cancel_restart()   the offer came to nothing: next_ goes, all else is as it was
//
// Data stays on the former pair until the current generation has nominated one (or the former has none left). Then the
// former credentials are refused; what is still on its way over its paths is taken for three seconds more (RFC 8445 §8.3.1).
#pragma once

#include <utility>

#include "base/memory.h"
#include "ice/agent.h"

namespace pollrtc::ice {

class Generations {
 public:
  using LocalCandidate = Agent::LocalCandidate;
  using GatheringDone = Agent::GatheringDone;
  using StateChanged = Agent::StateChanged;
  using PairSelected = Agent::PairSelected;
  using Event = Agent::Event;

  static constexpr Duration kFormerPathsLive = std::chrono::seconds(3);

  Generations(Environment& environment, const AgentConfig& config);

  // The first generation. NoRandomness or OutOfMemory change nothing. Every other call needs it first.
  Status start(Time now);
  // A generation with these credentials, beside the ones there are. InvalidState when one is begun already.
  Status restart(Time now, const Credentials& credentials);
  // OutOfMemory; after it commit() and set_remote_credentials() with as many characters find the memory they need.
  Status prepare_commit(std::size_t remote_credentials) {
    return newest().reserve_remote_credentials(remote_credentials);
  }
  void commit(Time now);
  void cancel_restart(Time now);
  bool is_restarting() const { return bool(next_); }  // begun and not agreed on

  // Of the newest generation: what its description says, and its gathering.
  std::string_view local_ufrag() const { return newest().local_ufrag(); }
  std::string_view local_pwd() const { return newest().local_pwd(); }
  Status add_local_address(Time now, const Address& base, bool loopback_allowed,
                           const Address& announced = {}, const FixedString<64>& hidden_as = {});
  Status add_tcp_address(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                         const Address& announced = {}, const FixedString<64>& hidden_as = {});
  Status add_server(Time now, const Address& server);
  Status add_relayed(Time now, const RelayedAddress& relay) { return newest().add_relayed(now, relay); }
  void local_addresses_done(Time now);
  bool is_gathering_over() const { return newest().is_gathering_over(); }

  // Of all of them.
  bool next_name(FixedString<64>& name);
  void on_name_resolved(Time now, std::string_view name, const Address& address) {
    for_each([&](Agent& agent) { agent.on_name_resolved(now, name, address); });
  }
  Status remove_local_address(Time now, const Address& base);
  void handle_icmp_error(Time now, const Path& path, Bytes quoted);
  Status remove_tcp_addresses(Time now, const Address& ip);
  void on_connection_opened(Time now, const Path& path);
  void on_connection_closed(Time now, const Path& path, bool is_stranger);
  bool keeps_connection(const Path& path) const;
  void on_relay_lost(Time now, const Address& relayed);
  bool next_permission(Path& wanted);
  void on_permission(Time now, const Address& relayed, const Address& peer, bool granted);
  bool wants_permission(const Address& relayed, const Address& peer) const;
  // Has one of them gone since this was asked last? What it alone wanted is not wanted any more.
  bool take_generation_gone() { return std::exchange(generation_gone_, false); }

  // Of the generation that was agreed on: see Agent.
  Status set_remote_credentials(Time now, std::string_view ufrag, std::string_view pwd, bool remote_is_lite);
  Status add_remote_candidate(Time now, const Candidate& candidate);
  void end_of_remote_candidates(Time now);
  void set_controlling(Time now, bool controlling);
  void set_remote_pacing(Time now, Duration ta);

  bool is_validated(const Path& path) const;
  bool is_expected(const Path& path) const;
  std::optional<Path> selected_path() const;
  bool is_reconnecting() const { return carrier().is_reconnecting(); }
  std::optional<Duration> round_trip_time() const;
  void on_data_sent(Time now);
  void on_data_acknowledged(Time now);
  bool is_path_doubtful() const { return carrier().is_path_doubtful(); }

  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  void rest();
  void close(Time now);
  AgentState state() const;
  bool is_controlling() const { return current_->is_controlling(); }
  Agent::Drops drops() const;
  AgentStats stats() const;  // of the generation that carries data, else of the one agreed on

 private:
  Agent& newest() { return next_ ? *next_ : *current_; }
  const Agent& newest() const { return next_ ? *next_ : *current_; }
  // The one whose pair data goes to.
  const Agent& carrier() const;
  Agent& agent_for(const stun::Message& message);
  template <class Call>
  void for_each(Call call) {
    for (Agent* const agent : {former_.get(), next_.get(), current_.get()})
      if (agent != nullptr) call(*agent);
  }
  void settle(Time now);
  void forget(Owned<Agent>& agent, Time now);

  Environment& environment_;
  AgentConfig config_;
  Owned<Agent> current_, next_, former_;
  bool has_restarted_ = false;
  bool generation_gone_ = false;
  AgentState told_state_ = AgentState::New;
  std::optional<Path> told_path_;
  Time former_end_ = kNever;  // former_ is closed, and only its paths still count, until then
  Agent::Drops past_drops_;   // of agents that are gone
};

static_assert(NetworkEngine<Generations>);

}  // namespace pollrtc::ice
