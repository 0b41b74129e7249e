// The state cookie (RFC 9260 §5.1.3): everything we would have to remember after an INIT, handed to the peer
// instead and authenticated with a secret of this association object, so that an INIT costs no memory. Plain
// numbers at fixed places: no pointers, no padding of structs, the same size whatever the INIT held
// (SCTP-CKI-06, -14).
#pragma once

#include <array>
#include <optional>

#include "crypto/digest.h"
#include "sctp/internal_types.h"
#include "sctp/parameters.h"

namespace pollrtc::sctp {

struct TieTags {
  std::uint32_t local = 0;  // 0: the cookie was made without an association, or in COOKIE-WAIT
  std::uint32_t peer = 0;
  friend constexpr bool operator==(const TieTags&, const TieTags&) = default;
};

struct StateCookie {
  Time created{};
  VerificationTag local_tag{};  // the tag we gave in our INIT ACK
  VerificationTag peer_tag{};   // the one in the peer's INIT
  TieTags ties;
  Tsn local_initial_tsn;
  Tsn peer_initial_tsn;
  std::uint32_t peer_a_rwnd = 0;
  std::uint16_t outbound_streams = 0;  // agreed for us to send on
  std::uint16_t inbound_streams = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  Capabilities peer_capabilities;
};

using CookieSecret = std::array<std::uint8_t, 32>;

inline constexpr std::size_t kCookieFields = 8 + 7 * 4 + 4 * 2 + 4;
inline constexpr std::size_t kCookieSize = kCookieFields + std::tuple_size_v<crypto::Sha256>;
using CookieBytes = std::array<std::uint8_t, kCookieSize>;

// Nothing when the hash is not to be had.
std::optional<CookieBytes> seal_cookie(const StateCookie& cookie, const CookieSecret& secret);
// Nothing when it is not ours, bit for bit. Says nothing about its age.
std::optional<StateCookie> open_cookie(Bytes bytes, const CookieSecret& secret);

// RFC 9260 §5.2.4 table 12: what a COOKIE ECHO means when there is an association already.
enum class CookieCase : std::uint8_t {
  Restart,    // (A) the peer lost its state and comes anew
  Collision,  // (B) both ends began at about the same time
  Late,       // (C) an answer to an INIT that was overtaken
  Duplicate,  // (D) the association it speaks of is this one
  Unlisted    // none of the table's rows: discard
};
// The tags of the association we have; `peer` is 0 in COOKIE-WAIT, when it is not known yet.
struct AssociationTags {
  VerificationTag local{};
  VerificationTag peer{};
  TieTags ties;
};
CookieCase cookie_case(const StateCookie& cookie, const AssociationTags& ours);

}  // namespace pollrtc::sctp
