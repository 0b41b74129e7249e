// An association that is held to the invariants (sctp_invariants.h) at every call: a PacketEngine like the one inside,
// with counted memory, a seeded generator and the user's calls. What is broken throws Violation.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "sctp/association.h"
#include "sim/sctp_invariants.h"
#include "support/environment.h"

namespace pollrtc::sim {

struct AssociationOptions {
  sctp::AssociationConfig config;  // initial_tsn must be set
  Limits limits;
  std::uint64_t seed = 1;
  // Of the other end:
  std::uint32_t peer_initial_tsn = 0;
  // Both ends count the messages of these streams from here, as if so many had been sent: for runs across the wrap. A MID,
  // of which the lower half is the SSN.
  std::map<std::uint16_t, std::uint32_t> first_numbers = {};
};

class CheckedAssociation {
 public:
  using Event = sctp::Association::Event;

  explicit CheckedAssociation(const AssociationOptions& options);
  // Throws when memory is left behind; call it before the end of the run, since a destructor must not.
  void close();

  Drop handle_packet(Time now, Bytes packet);
  std::size_t poll_packet(Time now, MutBytes out);
  void handle_timeout(Time now);
  bool dont_fragment() const { return association_->dont_fragment(); }
  Time next_timeout() const { return association_->next_timeout(); }
  bool poll_event(Event& event);

  Status connect(Time now);
  Status send(Time now, const sctp::SendOptions& options, Bytes message);
  bool receive(Time now, sctp::Message& out);
  void release(Time now, std::size_t charge);
  Status reset_stream(Time now, std::uint16_t stream);
  void shutdown(Time now);
  void abort(Time now);

  sctp::Message make_message() const { return sctp::Message(environment_.env.memory); }
  sctp::AssociationState state() const { return association_->state(); }
  const sctp::Association& association() const { return *association_; }
  const SctpInvariants& invariants() const { return invariants_; }
  std::size_t peak_memory() const { return environment_.peak_bytes(); }
  const std::optional<sctp::Association::Ended>& ended() const { return ended_; }
  // As it was when the association ended.
  std::size_t unanswered_at_end() const { return unanswered_at_end_; }
  // Bytes of ours that are not acknowledged or given up.
  bool has_unfinished_data() const;

  // Each log line, for a failing seed that is looked at.
  void log_to(std::ostream* out, std::string name);

 private:
  static void on_log(void* context, LogLevel level, std::string_view room, std::string_view line);
  SctpFacts facts() const;
  void check(Time now);
  void begin_numbers();

  test::TestEnvironment environment_;
  std::ostream* log_ = nullptr;
  std::string name_;
  Time now_{};
  const std::map<std::uint16_t, std::uint32_t> first_numbers_;
  const bool interleaves_;
  SctpInvariants invariants_;
  std::unique_ptr<sctp::Association> association_;
  std::map<std::uint16_t, bool> streams_;  // that were sent on
  const sctp::Tcb* numbered_ = nullptr;    // whose messages begin at first_numbers_
  mutable std::size_t peak_own_bytes_ = 0;
  std::size_t taken_ = 0;  // of the window, by messages that were received and not released
  std::optional<sctp::Association::Ended> ended_;
  std::size_t unanswered_at_end_ = 0;
  std::string broken_edge_;  // found while the engine ran: an exception must not pass through it
};

static_assert(PacketEngine<CheckedAssociation>);

}  // namespace pollrtc::sim
