// A whole Peer that is held to the invariants at every call: a NetworkEngine like the one inside, on a machine with a clock
// of its own that may stand, jump or stop. What is broken throws Violation.
//
//   INV-2, 3, 4, 5, 6, 8, 11-16   of its association, by what the packet tap shows (sctp_invariants.h)
//   INV-4   a deadline that was served lies in the future         INV-7   nothing but STUN goes where nobody answered
//   INV-5   heap, and none after the end                          INV-8   edges of the states of the connection
#pragma once

#include <deque>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/engine.h"
#include "pollrtc/peer.h"
#include "sim/sctp_invariants.h"
#include "sim/whole/participant.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::sim {

struct CheckedPeerOptions {
  std::string name;
  std::uint64_t seed = 1;
  PeerConfig config;
  Limits limits;
  // The other end is no honest one: what it sends keeps no rule, so only what ours does is looked at.
  bool is_against_attacker = false;
  std::ostream* log = nullptr;  // each log line, for a failing seed that is looked at
};

// Sees each SCTP packet in the clear, and each datagram.
using PacketSink = std::function<void(Time now, const TappedPacket& packet)>;

class CheckedPeer {
 public:
  using Event = Peer::Event;

  CheckedPeer(const CheckedPeerOptions& options, Participant& participant, Time now);
  CheckedPeer(const CheckedPeer&) = delete;
  CheckedPeer& operator=(const CheckedPeer&) = delete;
  // Frees the peer, and throws when memory is left behind; call it before the end of the run.
  void finish();

  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);
  // The process runs again.
  void resume(Time now);

  // Any other call, with the time that the machine shows.
  template <class Call>
  auto call(Time now, Call call) {
    enter(now);
    auto result = call(*peer_, local());
    leave();
    return result;
  }
  const Peer& peer() const { return *peer_; }
  Peer& unchecked() { return *peer_; }  // for attackers, who keep no rules
  Time local() const { return now_; }

  // A message was handed in, for the channel with this stream.
  void on_message(std::uint16_t stream, std::size_t size, bool reliable);
  void forget_stream(std::uint16_t stream) { streams_.erase(stream); }
  // Servers of ours: what goes there needs nobody's consent.
  void trust(const Address& server) { servers_.insert(server); }

  test::TestEnvironment& environment() { return environment_; }
  std::size_t peak_memory() const { return environment_.peak_bytes(); }
  const SctpInvariants* sctp() const { return sctp_ ? &*sctp_ : nullptr; }
  Time last_answer() const { return last_answer_; }  // to a check of ours, as the machine's clock showed
  std::uint64_t refused_sends() const { return refused_sends_; }
  std::uint64_t refused_allocations() const { return environment_.refused_allocations() + shortages_; }
  std::uint64_t shortages() const { return shortages_; }  // of these: because the machine had no memory
  // What the peer itself took of the processor, checks of the invariants not counted.
  std::chrono::nanoseconds cpu_time() const { return cpu_time_; }
  const std::optional<std::string>& first_failure() const { return first_failure_; }
  PacketSink sink;
  std::function<void(Bytes packet)> takes_sctp;  // what comes where no association is wanted

 private:
  static void on_packet(void* context, const TappedPacket& packet);
  static void* allocate(void* context, std::size_t bytes, std::size_t align);
  static void on_log(void* context, LogLevel level, std::string_view room, std::string_view line);
  void on_sctp(const TappedPacket& packet);
  void begin_sctp();
  void enter(Time now);
  void leave();
  void look(SctpFacts& facts) const;
  void check();
  void check_destination(const Path& path, Bytes datagram);
  void on_state(ConnectionState next);
  void on_state(SignalingState next);

  const CheckedPeerOptions options_;
  Participant& participant_;
  test::TestEnvironment environment_;
  const Memory memory_;  // what the machine has, when it is not short
  Random random_;
  Random shortage_;
  std::optional<Peer> peer_;
  Time now_{};
  bool owes_ = true;  // something happened since poll_transmit() gave nothing
  std::deque<std::pair<Path, test::ByteVector>> waiting_;
  std::string broken_;  // found while the engine ran: an exception must not pass through it
  std::optional<SctpInvariants> sctp_;
  bool knows_peer_tsn_ = false;
  SctpFacts before_;
  mutable std::size_t peak_own_bytes_ = 0;
  std::set<std::uint16_t> streams_;
  std::set<Address> servers_;
  std::map<Address, Time> answered_;
  Time last_answer_{};
  ConnectionState state_ = ConnectionState::New;
  SignalingState signaling_ = SignalingState::Stable;
  std::optional<std::string> first_failure_;
  std::uint64_t refused_sends_ = 0, shortages_ = 0;
  std::chrono::nanoseconds cpu_time_{};
};

static_assert(NetworkEngine<CheckedPeer>);

}  // namespace pollrtc::sim
