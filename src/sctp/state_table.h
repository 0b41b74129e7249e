// The edges of the association's state diagram (RFC 9260 §4), as a table: Association::become() is held to it, and tests compare
// it with the RFC.
#pragma once

#include "sctp/association.h"

namespace pollrtc::sctp {

// Every state may end: to CLOSED the way is open from anywhere. A state may also "become" itself, which changes nothing.
constexpr bool is_edge(AssociationState from, AssociationState to) {
  using enum AssociationState;
  if (from == to || to == Closed) return true;
  switch (from) {
    case Closed:
      return to == CookieWait ||
             to == Established;  // connect(); or a COOKIE ECHO, since an INIT leaves no state (§5.1)
    case CookieWait:
      return to == CookieEchoed || to == Established;  // INIT ACK; or a COOKIE ECHO of the other end (§5.2.4)
    case CookieEchoed:
      return to == Established || to == CookieWait;  // COOKIE ACK or COOKIE ECHO; or a stale cookie (§5.2.6)
    case Established:
      return to == ShutdownPending || to == ShutdownReceived;
    case ShutdownPending:
      return to == ShutdownSent || to == ShutdownReceived ||
             to == Established;  // the last: a restart (§5.2.4 A)
    case ShutdownSent:
      return to == ShutdownAckSent || to == Established;
    case ShutdownReceived:
      return to == ShutdownAckSent || to == Established;
    case ShutdownAckSent:
      return false;
  }
  return false;
}

}  // namespace pollrtc::sctp
