// One seeded run of whole peers over bad networks: real DTLS, every call checked (checked_peer.h), every message accounted
// for (message_ledger.h). A broken invariant throws Violation.
//
// What must hold in the end: once the faults stop, each connection is up at both ends or has failed at both within 60 s of
// virtual time, and where it is up everything reliable has come within 120 s (80 s later where a machine has two addresses). A connection may fail only for cause: memory
// that ran out, no path, 30 s without an answer to a check, a handshake of 30 s, retransmissions without an answer.
#pragma once

#include <iosfwd>
#include <map>

#include "sim/whole/checked_peer.h"
#include "sim/whole/plan.h"

namespace pollrtc::sim {

struct WholeReport {
  std::uint64_t trace_hash = 0;
  Duration virtual_time{}, connected{}, longest_healing{};
  std::uint64_t connections = 0, set_up = 0;
  std::uint64_t messages = 0, bytes = 0, datagrams = 0, channels = 0, restarts = 0;
  std::uint64_t attacker_datagrams = 0, refused_sends = 0, refused_allocations = 0;
  std::size_t peak_memory = 0;
  std::map<std::string, std::uint64_t> given_up;  // connections, by why
  std::map<FaultKind, std::uint64_t>
      idle;  // faults that met nothing: no allocation, no NAT, no second address
};

struct WholeOptions {
  std::ostream* log = nullptr;
  // All that is sent, and all SCTP in the clear.
  std::function<void(Time now, const TappedPacket& packet)> sink;
};

WholeReport run_whole(const Plan& plan, const WholeOptions& options = {});

}  // namespace pollrtc::sim
