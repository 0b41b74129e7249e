// Our own candidates: hosts from the addresses we are given, server-reflexive ones from STUN servers. RFC 8445 §5.1.1
// (gathering), §5.1.2 (priorities), RFC 8421 §4 (IPv4 among IPv6), RFC 6544 §4.1 (TCP, hosts only). What is asked of which server is decided here; the
// agent paces and sends.
#pragma once

#include "base/fixed_vec.h"
#include "base/memory.h"
#include "ice/candidate.h"
#include "pollrtc/result.h"
#include "pollrtc/turn_server.h"

namespace pollrtc::ice {

// One question to one server from one socket. It is asked again to keep the NAT's binding (RFC 8445 §5.1.1.4).
struct Probe {
  enum class State : std::uint8_t { Waiting, Running, Over };

  Address server;
  std::uint16_t local = 0;  // index of the host candidate it is asked from
  std::uint16_t server_index = 0;
  State state = State::Waiting;
  bool is_finished_once = false;  // gathering does not wait for it any more
  bool has_answered = false;
  Time keepalive_due = kNever;
};

// What a TURN server gave us: RFC 8656 §7.3.
struct RelayedAddress {
  Address relayed, mapped;  // `mapped` may be invalid
  Address base, server;     // `base` is invalid when it is a stream's
  TurnTransport transport = TurnTransport::Udp;
};

class Gatherer {
 public:
  static constexpr std::size_t kMaxServers = 8;
  static constexpr std::size_t kMaxProbes = 64;
  static constexpr Duration kCutOff = std::chrono::seconds(40);
  // RFC 8445 §11 asks for at least 15 s; many NATs forget a UDP binding after 30 s.
  static constexpr Duration kKeepalive = std::chrono::seconds(15);

  struct Local {
    CandidateFacts candidate;
    Address server;  // the one that told us; invalid for others
    std::uint32_t foundation = 0;
    std::uint16_t local_preference = 0;  // 0: not given yet
    bool is_announced = false;
    bool may_pair = false;  // a base that the peer was told of
    bool is_gone = false;   // its socket is
  };

  Gatherer(const Memory& memory, const Limits& limits, bool relay_only)
      : relay_only_(relay_only),
        probes_(memory),
        locals_(memory),
        servers_(memory),
        limit_(limits.ice_local_candidates) {}

  // `announced` is how the base looks from outside a one-to-one NAT; invalid: as it is.
  // `hidden_as` is the name that is signalled in the place of the base; empty: nothing is hidden.
  Status add_base(Time now, const Address& base, bool loopback_allowed, const Address& announced = {},
                  const FixedString<64>& hidden_as = {});
  // A host candidate by TCP. Of an active one only the IP address counts.
  Status add_tcp(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                 const Address& announced = {}, const FixedString<64>& hidden_as = {});
  // Its socket is gone. False when there is no such base.
  bool remove_base(const Address& base, Transport transport = Transport::Udp);
  // RFC 8838 §13: after the nomination no candidate is signalled any more.
  void conclude();
  Status add_server(Time now, const Address& server);
  void done(Time now);
  // Ends what takes too long, and lets keepalives come due.
  void tick(Time now, bool keep_bindings);
  Time next_timeout(bool keep_bindings) const;

  bool is_over() const;
  bool has_waiting_probe() const;
  Probe* next_probe();
  Probe* probe(std::uint32_t number) { return number < probes_.size() ? &probes_[number] : nullptr; }
  std::uint32_t number_of(const Probe& probe) const {
    return static_cast<std::uint32_t>(&probe - probes_.begin());
  }
  Path path_of(const Probe& probe) const { return {locals_[probe.local].candidate.base, probe.server}; }
  Duration rto(Duration ta) const;  // RFC 8445 §14.3
  void on_answer(Time now, Probe& probe, const std::optional<Address>& mapped);
  // `asked` is when the question left for the first time.
  void on_failure(Time now, Time asked, Probe& probe);
  // An allocation on a TURN server, and what the server saw us as. Not when it comes too late, or nothing fits.
  Status add_relayed(Time now, const RelayedAddress& relay);

  // What the other end is told of it, but for the generation's ufrag: of a hidden address the name alone.
  static Candidate as_signalled(const Local& local);
  // The next candidate that was not signalled yet; null when there is none. Hosts get their preference here, all those
  // known by now in one order.
  Local* next_unannounced();

  // The host or relayed candidate that is sent from; nothing when we have no such socket and no such allocation.
  std::optional<std::uint16_t> find_base(const Address& base, Transport transport = Transport::Udp) const;
  // A mapped address in an answer to a check from `base`: one we know, or a new peer-reflexive one (RFC 8445
  // §7.2.5.3.1). When there is no room for that, the base itself.
  std::uint16_t identify(std::uint16_t base, const Address& mapped, std::uint32_t priority);
  // Is this the candidate that identify() found for the address, not long ago?
  bool is_mapped_to(std::uint16_t local, const Address& mapped) const;
  // The priority a peer-reflexive candidate on this base would have: the PRIORITY of a check (§7.1.1).
  std::uint32_t reflexive_priority(std::uint16_t base);

  Vec<Local>& locals() { return locals_; }
  const Vec<Local>& locals() const { return locals_; }

 private:
  // What a candidate of a kind is ranked among.
  struct Kind {
    Transport transport;
    TcpType direction;
  };
  void begin(Time now);
  Status check_base(const CandidateFacts& candidate, bool loopback_allowed) const;
  void add_reflexive(std::uint16_t host, const Address& mapped, const Address& server,
                     std::uint16_t server_index);
  bool add_probes(std::uint16_t local, std::size_t first_server);
  void give_preferences();
  void give_preferences(Kind kind, std::uint16_t& rank);
  static void prefer(Local& local, std::uint16_t rank);
  std::uint32_t foundation_of(const CandidateFacts& candidate, const Address& server);
  bool add_local(const CandidateFacts& candidate, const Address& server);

  // What an idle agent is asked for stands together.
  Time cut_off_ = kNever;
  std::uint16_t rank_ = 0, active_rank_ = 0,
                passive_rank_ = 0;  // how many of each kind have their preference
  bool relay_only_;
  bool is_done_ = false;
  bool is_concluded_ = false;
  Vec<Probe> probes_;
  Vec<Local> locals_;
  std::size_t preferred_ = 0;  // of locals_, those that were there when preferences were given
  Vec<Address> servers_;
  std::size_t limit_;
};

}  // namespace pollrtc::ice
