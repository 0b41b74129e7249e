// The ICE agent: one component, one generation of credentials, UDP. It finds candidates, checks pairs, nominates, keeps
// consent, and says which path data may take. RFC 8445 (ICE), 8838 (trickle), 8863 (patience), 7675 (consent),
// 8421 (dual stack). An engine in the sense of base/engine.h: it speaks STUN datagrams only; DTLS never comes here.
//
// Connected means that a pair is valid and data may go; Completed that it is nominated as well.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "pollrtc/candidate.h"
#include "pollrtc/environment.h"
#include "pollrtc/result.h"

namespace pollrtc::ice {

struct AgentConfig {
  bool controlling = false;
  bool relay_only = false;             // nothing but relayed candidates; there are none yet
  bool allow_remote_loopback = false;  // check remote loopback addresses even from a local one that is not loopback
  Duration ta = std::chrono::milliseconds(50);  // RFC 8445 §14.2
};

enum class AgentState : std::uint8_t { New, Checking, Connected, Completed, Disconnected, Failed, Closed };
std::string_view name_of(AgentState state);

struct AgentStats {
  bool controlling = false;
  std::uint16_t local_candidates = 0;
  std::uint16_t remote_candidates = 0;
  std::uint16_t pairs = 0;
  std::uint16_t valid_pairs = 0;
  std::uint64_t checks_sent = 0;         // requests, consent checks and retransmissions included
  std::uint64_t checks_received = 0;     // authenticated requests
  std::uint64_t checks_answered = 0;     // success responses sent
  std::uint64_t responses_received = 0;  // success responses that counted
  std::uint64_t errors_sent = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t consent_checks_sent = 0;
  std::uint64_t candidates_ignored = 0;  // remote candidates that policy, their form or a limit kept out
  Time last_consent{};                   // of the selected pair; meaningful when there is one
  std::optional<Candidate> selected_local, selected_remote;
  std::optional<Duration> round_trip_time;
};

class Agent {
 public:
  struct LocalCandidate {  // to be signalled; checks on it begin when this event has been taken (RFC 8838 §10)
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
  std::string_view local_ufrag() const;
  std::string_view local_pwd() const;

  // Gathering: an address for each bound socket; the address of each STUN server as it is resolved; then `done`, and
  // gathering ends when all transactions with servers are over. `loopback_allowed` lets a loopback address be gathered.
  // Addresses that are never candidates (RFC 8445 §5.1.1.1) are Refused.
  Status add_local_address(Time now, const Address& base, bool loopback_allowed);
  Status add_server(Time now, const Address& server);
  void local_addresses_done(Time now);

  // In any order, before or after gathering. Other credentials than before would be a restart: InvalidState.
  Status set_remote_credentials(Time now, std::string_view ufrag, std::string_view pwd, bool remote_is_lite);
  // A candidate that cannot be used is no error: it is counted and ignored. LimitReached when there are too many.
  Status add_remote_candidate(Time now, const Candidate& candidate);
  void end_of_remote_candidates(Time now);
  // By the offer/answer exchange; ignored once the remote credentials are known (from then on conflicts decide).
  void set_controlling(Time now, bool controlling);

  // Our own check of this path has succeeded and consent is fresh: data from it may be fed to DTLS.
  bool is_validated(const Path& path) const;
  // Where data goes now: the nominated pair, before that the best valid one; nothing once consent is lost.
  std::optional<Path> selected_path() const;
  // Of the selected pair, smoothed over its checks.
  std::optional<Duration> round_trip_time() const;

  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  void close(Time now);
  AgentState state() const;
  bool is_controlling() const;
  const DropCounters& drops() const;
  AgentStats stats() const;

 private:
  Environment& environment_;
  AgentConfig config_;
};

}  // namespace pollrtc::ice
