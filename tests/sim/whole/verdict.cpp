#include "sim/whole/verdict.h"

#include <algorithm>
#include <initializer_list>

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kConsent = 30s;

// Something that can keep checks or a handshake from coming through for half a minute.
bool is_hard(const Plan& plan) {
  using K = FaultKind;
  return plan.has({K::Loss, K::Bursts, K::SmallMtu, K::Bandwidth, K::Outage, K::Nat, K::NatForgets,
                   K::InterfaceLoss, K::InterfaceChange, K::Pause, K::ClockStep, K::ClockBack, K::SendErrors,
                   K::AllocationFailure, K::Corrupt, K::MemoryShort, K::OneInterface});
}

// Nothing proves the first flights of a handshake: what was changed on the way, or comes from another session under the peer's
// own address, spoils a try; and the other end, which has said its hello, says it no more.
bool spoils_handshakes(const Plan& plan) {
  return plan.has({FaultKind::Corrupt, FaultKind::Replayer, FaultKind::SessionMixer});
}

}  // namespace

std::string why_given_up(const Side& a, const Side& b) {
  const auto told = [](Close reason) { return reason == Close::Remote || reason == Close::RemoteAbort; };
  const Close of_a = a.peer().stats().close_reason, of_b = b.peer().stats().close_reason;
  return std::string(name_of(told(of_a) ? of_b : of_a)) +
         (a.was_up() && b.was_up() ? "" : ", before it was up");
}

void check_failure(const Plan& plan, const Side& side, const Side& other) {
  const PeerStats stats = side.peer().stats();
  const SctpInvariants* const sctp = side.checked().sctp();
  const auto refuse = [&](bool holds, const std::string& text) {
    if (!holds)
      throw Violation("INV-9: " + std::string(name_of(stats.close_reason)) + " for no cause: " + text + " (" +
                      side.checked().first_failure().value_or("") + ")");
  };
  const sctp::Parameters limits = sctp::Parameters::over_watched_path();
  switch (stats.close_reason) {
    case Close::Remote:
    case Close::RemoteAbort:
      return refuse(other.has_failed(), "the other end lives");
    case Close::ConsentExpired:
      return refuse(side.silence_at_end() >= kConsent - 1s,
                    "an answer came " + std::to_string(side.silence_at_end().count() / 1000) + " ms before");
    case Close::IceFailed:
      return refuse(is_hard(plan), "the network was good enough");
    case Close::HandshakeTimeout:
      return refuse(is_hard(plan) || spoils_handshakes(plan), "the network was good enough");
    case Close::DtlsFailed:
      return refuse(spoils_handshakes(plan) && !side.was_up(), "nothing was changed on the way");
    case Close::OutOfMemory:
      return refuse(side.checked().refused_allocations() != 0, "no allocation failed");
    case Close::SctpSetupFailed:
      return refuse(sctp != nullptr && sctp->unanswered_requests() > limits.max_init_retransmits, "set-up");
    case Close::SctpUnreachable:
      return refuse(sctp != nullptr && sctp->unanswered_requests() >= limits.association_max_retrans,
                    "answers came");
    default:
      return refuse(false, "this must never be");
  }
}

bool met_something(const Fault& fault, const Participant& machine, const MachinePlan& place,
                   const std::vector<const Side*>& sides) {
  std::uint64_t sends = 0, allocations = 0, shortages = 0;
  for (const Side* side : sides) {
    sends += side->checked().refused_sends();
    shortages += side->checked().shortages();
    allocations += side->checked().refused_allocations() - side->checked().shortages();
  }
  switch (fault.kind) {
    case FaultKind::SendErrors:
      return sends != 0;
    case FaultKind::AllocationFailure:
      return allocations != 0;
    case FaultKind::MemoryShort:
      return shortages != 0;
    case FaultKind::NatForgets:
      return machine.nat != nullptr;
    case FaultKind::OneInterface:
      return place.has_second_address;
    default:
      return true;
  }
}

}  // namespace pollrtc::sim
