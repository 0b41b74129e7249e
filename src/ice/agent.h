// The ICE agent: one component, one generation of credentials, UDP and TCP (agent_tcp.cpp). An ICE restart is another agent: generations.h holds
// them together. It finds candidates, checks pairs, nominates, keeps
// consent, and says which path data may take. RFC 8445 (ICE), 8838 (trickle), 8863 (patience), 7675 (consent),
// 8421 (dual stack), 6544 (TCP). An engine in the sense of base/engine.h: it speaks STUN datagrams only; DTLS never comes here.
//
// Connected means that a pair is valid and data may go; Completed that it is nominated as well. Disconnected: two consent
// checks in a row went unanswered, the second for a second, and no data was acknowledged meanwhile (9 to 13 s after the last
// sign of life), or four in any case; it ends with the next answer. Failed: consent expired 30 s after the last answer or was withdrawn, or no pair works, gathering is over and
// patience (39.5 s from the remote credentials on) has run out; only a restart could end it.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "ice/checklist.h"
#include "ice/gatherer.h"
#include "ice/replies.h"
#include "ice/stored_credentials.h"
#include "ice/stun_transaction.h"

namespace pollrtc::ice {

struct Credentials {
  FixedString<256> ufrag, pwd;
};
// Fresh ones, or NoRandomness. RFC 8445 §5.3.
Result<Credentials> make_credentials(const Rng& rng);

struct AgentConfig {
  bool controlling = false;
  bool lite = false;        // RFC 8445 §2.5: hosts only, controlled, no checks of our own (lite.cpp)
  bool relay_only = false;  // nothing but relayed candidates; there are none yet
  bool allow_remote_loopback =
      false;  // check remote loopback addresses even from a local one that is not loopback
  Duration ta = std::chrono::milliseconds(50);  // RFC 8445 §14.2
};

enum class AgentState : std::uint8_t { New, Checking, Connected, Completed, Disconnected, Failed, Closed };
std::string_view name_of(AgentState state);

struct AgentCounters {
  std::uint64_t checks_sent = 0;         // requests of all kinds, questions to servers and copies included
  std::uint64_t checks_received = 0;     // authenticated requests
  std::uint64_t checks_answered = 0;     // success responses sent
  std::uint64_t responses_received = 0;  // success responses that counted
  std::uint64_t errors_sent = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t consent_checks_sent = 0;
  std::uint64_t candidates_ignored = 0;  // remote candidates that policy, their form or a limit kept out
};

struct AgentStats : AgentCounters {
  bool controlling = false;
  std::uint16_t local_candidates = 0;
  std::uint16_t remote_candidates = 0;
  std::uint16_t pairs = 0;
  std::uint16_t valid_pairs = 0;
  Time last_consent{};  // of the selected pair; meaningful when there is one
  // A local one whose address is hidden has its name.
  std::optional<CandidateFacts> selected_local, selected_remote;
  bool is_remote_signalled = false;  // the selected one; else it is known from a check alone
  std::optional<Duration> round_trip_time;
};

class Agent {
 public:
  struct
      LocalCandidate {  // to be signalled; checks on it begin when this event has been taken (RFC 8838 §10)
    Candidate candidate;
  };
  struct GatheringDone {};  // exactly once a generation, after the last LocalCandidate
  struct StateChanged {     // states passed through between two polls are skipped
    AgentState from, to;
  };
  struct PairSelected {  // the first usable path, and each change of it
    Path path;
  };
  using Event = std::variant<std::monostate, LocalCandidate, GatheringDone, StateChanged, PairSelected>;

  Agent(Environment& environment, const AgentConfig& config);

  // Draws ufrag, pwd and tie-breaker. NoRandomness or OutOfMemory change nothing. Every other call needs it first.
  Status start(Time now);
  // With credentials that were drawn before, since an offer had to name them.
  Status start(Time now, const Credentials& credentials);
  std::string_view local_ufrag() const;
  std::string_view local_pwd() const;

  // Gathering: an address for each bound socket; the address of each STUN server as it is resolved; then `done`, and
  // gathering ends when all transactions with servers are over. `loopback_allowed` lets a loopback address be gathered.
  // Addresses that are never candidates (RFC 8445 §5.1.1.1) are Refused.
  // `announced` is how the address looks from outside a one-to-one NAT; invalid: as it is.
  // `hidden_as`, when it is not empty, is the ".local" name that stands for the address in all that leaves the agent.
  Status add_local_address(Time now, const Address& base, bool loopback_allowed,
                           const Address& announced = {}, const FixedString<64>& hidden_as = {});
  Status add_server(Time now, const Address& server);
  void local_addresses_done(Time now);
  // Its socket is gone: NotFound, or nothing leaves from it any more. When it carried the selected pair the agent is
  // Disconnected, until another pair is found or consent runs out. on_relay_lost() is the same for a relayed address.
  Status remove_local_address(Time now, const Address& base);
  // TCP candidates (RFC 6544). To the agent a connection is a path of Transport::Tcp, whose packets arrive and leave as
  // datagrams do; somebody else frames them and opens the connection when the first one is to leave. An active candidate's
  // end of it is called by the candidate's base, with port 9, whatever port the system takes.
  Status add_tcp_address(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                         const Address& announced = {}, const FixedString<64>& hidden_as = {});
  // All those of that IP address. NotFound: there is none.
  Status remove_tcp_addresses(Time now, const Address& ip);
  void on_connection_opened(Time now, const Path& path);
  // It is gone, or could not be made. `is_stranger`: whoever is there does not speak STUN.
  void on_connection_closed(Time now, const Path& path, bool is_stranger);
  // Is there any use for the connection on that path? What the peer's end has proved by its check is known by now.
  bool keeps_connection(const Path& path) const;
  // The connection of the selected pair is gone, but may well be made again: no reason to restart ICE yet.
  bool is_reconnecting() const;
  // A hard ICMP error that quotes the beginning of a datagram sent along `path`. It fails the check or the question it
  // quotes, never a pair that works (RFC 8445 §7.2.5.2.2, §19.2).
  void handle_icmp_error(Time now, const Path& path, Bytes quoted);
  // A check of the selected path waits for its answer.
  bool is_path_doubtful() const;
  // The peer has acknowledged, beyond doubt, data that went out on the selected path: it is there and hears us, though
  // consent is given by answers alone.
  void on_data_acknowledged(Time now);
  // Data went out on the selected path, so it needs no keepalive for a while.
  void on_data_sent(Time now) { last_sent_ = std::max(last_sent_, now); }

  // Relayed candidates. To the agent a relayed address is a socket like any other, but that its peers need a permission
  // first: `next_permission` says which one to ask for (relayed address to peer), and `on_permission` how that went.
  Status add_relayed(Time now, const RelayedAddress& relay);
  void on_relay_lost(Time now, const Address& relayed);
  bool next_permission(Path& wanted);
  void on_permission(Time now, const Address& relayed, const Address& peer, bool granted);
  bool wants_permission(const Address& relayed, const Address& peer) const;

  // OutOfMemory; after it set_remote_credentials() with as many characters finds the memory it needs.
  Status reserve_remote_credentials(std::size_t characters);
  // In any order, before or after gathering. Other credentials than before would be a restart: InvalidState.
  Status set_remote_credentials(Time now, std::string_view ufrag, std::string_view pwd, bool remote_is_lite);
  // A candidate that cannot be used is no error: it is counted and ignored. LimitReached when there are too many.
  Status add_remote_candidate(Time now, const Candidate& candidate);
  void end_of_remote_candidates(Time now);
  // Remote candidates with a name for an address: `next_name` says which one to ask multicast DNS for, each once, and
  // `on_name_resolved` what came of it (an invalid address: nothing).
  bool next_name(FixedString<64>& name);
  void on_name_resolved(Time now, std::string_view name, const Address& address);
  // By the offer/answer exchange; ignored once the remote credentials are known (from then on conflicts decide).
  void set_controlling(Time now, bool controlling);
  // The larger of both ends' Ta paces from now on (RFC 8445 §14.2).
  void set_remote_pacing(Time now, Duration ta);
  // While an ICE restart is in the air, the agent before it answers, keeps consent and carries data, but begins neither
  // checks nor questions to servers (RFC 8445 §9, RFC 7675 §5.1).
  void set_paused(Time now, bool paused);

  // Our own check of this path has succeeded and consent is fresh: data from it may be fed to DTLS.
  bool is_validated(const Path& path) const;
  // Signalling has named its remote address, or somebody with our password has checked from there. That proves nothing of a
  // datagram's sender, but a few may be worth keeping until our own check is through.
  bool is_expected(const Path& path) const;
  // Where data goes now: the nominated pair, before that the best valid one; nothing once consent is lost.
  std::optional<Path> selected_path() const;
  // Of the selected pair, smoothed over its checks.
  std::optional<Duration> round_trip_time() const;

  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);
  bool poll_gathering_event(Event& event);  // of the same, only LocalCandidate and GatheringDone

  // A connection at rest: tables that grew while it was set up become as small as what is in them.
  void rest();

  void close(Time now);
  AgentState state() const;
  bool is_controlling() const;
  bool is_gathering_over() const { return gatherer_.is_over(); }
  bool has_transaction(const stun::TransactionId& id) { return transactions_.find(id) != nullptr; }
  using Drops = DropCountersOf<Drop::StunMalformed, Drop::IceLimit>;
  const Drops& drops() const { return drops_; }
  AgentStats stats() const;

 private:
  struct Remote {
    CandidateFacts candidate;
    Owned<FixedString<256>> ufrag;  // the generation that it says it belongs to, until ours is known
    std::uint32_t foundation = 0;   // equal numbers, equal foundations
    bool is_signalled = false;      // else peer-reflexive: known from a check alone
    bool is_free = false;           // came by a TCP connection that is gone: another may take its place
  };
  struct Permission {  // of a relayed candidate for the address of a remote one (RFC 8656 §9)
    enum class State : std::uint8_t { Wanted, Asked, Granted, Refused };
    Address relayed, peer;
    State state = State::Wanted;
  };
  struct Named {  // waits until its name is resolved
    Candidate candidate;
    bool is_asked = false;
  };
  struct EarlyRequest {  // a good request from before the remote credentials were known (RFC 8445 §7.3)
    Path path;
    FixedString<256> ufrag;
    std::uint32_t priority = 0;
    std::uint32_t nomination = 0;  // the peer's count, when it counts its nominations
    bool use_candidate = false;
  };
  enum class Start : std::uint8_t { Nothing, Begun, Blocked };

  // agent.cpp: what the passing of time brings
  Status ready() const;
  void advance(Time now);
  void step_transactions();
  bool gives_way(const stun::Transaction& nomination) const;
  void fail_transaction(const stun::Transaction& transaction);
  void expire_consent();
  void revoke_consent(Pair& pair);
  void take_out(Pair& pair);
  void pick_nominee();
  void drop_retired_pairs();
  void cancel_checks(std::uint32_t pair);
  void update_state();
  void become(AgentState next);
  const Pair* selected() const;
  bool can_check() const;
  bool may_probe() const;
  bool is_alive() const;
  Time may_begin() const;
  bool keeps_bindings() const;
  bool is_nomination_owed() const;

  // agent_names.cpp
  Status await_name(const Candidate& candidate);
  bool can_use_name(const Named& named) const;
  bool is_kept_from_relay(const Gatherer::Local& local, const CandidateFacts& remote) const;

  // agent.cpp: candidates and pairs
  Status use_remote_candidate(const Candidate& candidate);
  std::optional<std::uint16_t> find_remote(const Address& address, Transport transport) const;
  bool is_foreign(const Candidate& candidate) const;
  std::uint32_t remote_foundation(const CandidateFacts& candidate, std::size_t index) const;
  Remote* add_remote(const CandidateFacts& candidate, bool is_signalled);
  bool note_generation(Remote& remote, const Candidate& candidate);
  Status ignore(const Candidate& candidate, std::string_view why);
  Status promote(std::uint16_t remote, const Candidate& candidate);
  void pair_local(std::uint16_t local);
  void pair_remote(std::uint16_t remote);
  bool may_relay(const Gatherer::Local& local, const Address& remote);
  bool may_pair(const Gatherer::Local& local, const CandidateFacts& remote);
  bool awaits_permission() const;
  Pair* make_pair(std::uint16_t local, std::uint16_t remote);
  std::uint64_t priority_of(std::uint16_t local, std::uint16_t remote) const;
  void compute_priorities();
  void switch_role(bool controlling);
  void nominate(Pair& pair);

  // agent_changes.cpp: when the network is no longer what it was
  bool is_rescue_wanted() const;
  void move_to_rescue();

  // agent_tcp.cpp
  void reconnect(Pair& pair);
  void drop_closed_pairs();

  // lite.cpp
  Drop accept_as_lite(std::uint16_t base, const EarlyRequest& request);
  Time keepalive_due() const;
  std::size_t write_keepalive(MutBytes out);

  // connectivity_checks.cpp: sending
  void start_one();
  Start start_next();
  Start start_consent();
  Start start_probe();
  Start start_check(Pair& pair, stun::Purpose purpose);
  Start begin(stun::Transaction transaction);
  Duration check_rto() const;
  std::size_t write_request(const stun::Transaction& transaction, MutBytes out) const;

  // connectivity_checks.cpp: answering
  Drop on_message(Time now, const Path& path, const stun::Message& message);
  Drop on_request(const Path& path, const stun::Message& request);
  Drop refuse(const Path& path, const stun::Message& request, int code, stun::Integrity integrity,
              Drop reason);
  Drop settle_role(const Path& path, const stun::Message& request, stun::Integrity integrity);
  Drop take_request(std::uint16_t base, const Path& path, const stun::Message& request,
                    std::string_view remote_ufrag);
  Drop heed(std::uint16_t base, const EarlyRequest& request);
  void heed_early();
  Drop remember(const EarlyRequest& request);
  Drop learn(std::uint16_t base, const EarlyRequest& request);
  Result<Pair*, Drop> pair_of(std::uint16_t base, const EarlyRequest& request);
  Result<std::uint16_t, Drop> learn_remote(const EarlyRequest& request);

  // connectivity_checks.cpp: what comes of our checks
  Drop on_response(const Path& path, const stun::Message& response);
  Drop on_server_response(const Path& path, const stun::Message& response,
                          const stun::Transaction& transaction);
  Drop on_success(const stun::Message& response, const stun::Transaction& transaction);
  void on_error(int code, const stun::Transaction& transaction);
  void on_role_conflict(const stun::Transaction& transaction);
  void on_failure(const stun::Transaction& transaction);

  Environment& environment_;
  AgentConfig config_;
  // What an idle agent is asked for stands together.
  AgentState state_ = AgentState::New;
  bool is_started_ = false;
  bool controlling_;
  bool has_remote_ = false;
  bool is_remote_done_ = false;
  bool has_nominated_ = false;
  bool is_paused_ = false;
  bool is_keepalive_owed_ = false;
  bool told_gathering_done_ = false;
  bool probe_was_last_ = false;
  bool is_woken_ = false;  // taking an event gave us work
  std::uint8_t triggered_run_ = 0;
  std::uint32_t nominee_ = 0;     // the pair we are nominating
  Time now_{};                    // the latest we were told
  Time advanced_to_{};            // and when we last looked at what is due
  Time last_sent_{};              // on the selected path, keepalives included (lite.cpp)
  Time pacer_{};                  // no new transaction before this (RFC 8445 §14.2)
  Time patience_end_ = kNever;    // RFC 8863: no Failed for want of pairs before this
  Time reconnect_end_{};          // until then the other end may open a connection anew that was lost
  Time nomination_due_ = kNever;  // no waiting for better pairs from here on
  std::uint64_t tie_breaker_ = 0;
  Checklist checklist_;
  stun::TransactionTable transactions_;
  Replies replies_;
  AgentCounters counters_;
  Gatherer gatherer_;
  Time heed_again_ = Time::min();  // then there may be memory for those of the early ones that are left
  Vec<EarlyRequest> early_;
  StoredCredentials local_;
  StoredCredentials remote_;
  std::uint64_t unanswered_ = 0;  // datagrams sent to addresses that never answered
  std::size_t fitted_to_ = 0;     // elements that the tables were made to fit

  Vec<Remote> remotes_;
  Vec<Permission> permissions_;
  Vec<Named> named_;
  ErrorLimiter error_limiter_;
  Drops drops_;
  std::uint32_t named_so_far_ = 0;
  AgentState told_state_ = AgentState::New;
  std::optional<Path> told_path_;
};

static_assert(NetworkEngine<Agent>);

}  // namespace pollrtc::ice
