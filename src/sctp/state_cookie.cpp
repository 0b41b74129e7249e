#include "sctp/state_cookie.h"

namespace pollrtc::sctp {

std::optional<CookieBytes> seal_cookie(const StateCookie& cookie, const CookieSecret& secret) {
  CookieBytes bytes{};
  ByteWriter w(bytes);
  w.u64(static_cast<std::uint64_t>(cookie.created.time_since_epoch().count()));
  w.u32(value_of(cookie.local_tag));
  w.u32(value_of(cookie.peer_tag));
  w.u32(cookie.ties.local);
  w.u32(cookie.ties.peer);
  w.u32(cookie.local_initial_tsn.value());
  w.u32(cookie.peer_initial_tsn.value());
  w.u32(cookie.peer_a_rwnd);
  w.u16(cookie.outbound_streams);
  w.u16(cookie.inbound_streams);
  w.u16(cookie.local_port);
  w.u16(cookie.remote_port);
  w.u32(cookie.peer_capabilities.to_bits());
  const auto mac = crypto::hmac_sha256(secret, w.written());
  if (!mac) return std::nullopt;
  w.bytes(*mac);
  return bytes;
}

std::optional<StateCookie> open_cookie(Bytes bytes, const CookieSecret& secret) {
  if (bytes.size() != kCookieSize) return std::nullopt;
  const auto mac = crypto::hmac_sha256(secret, bytes.first(kCookieFields));
  if (!mac || !crypto::equal_constant_time(*mac, bytes.subspan(kCookieFields))) return std::nullopt;
  ByteReader r(bytes);
  StateCookie cookie;
  cookie.created = Time(Duration(static_cast<Duration::rep>(r.u64())));
  cookie.local_tag = VerificationTag{r.u32()};
  cookie.peer_tag = VerificationTag{r.u32()};
  cookie.ties.local = r.u32();
  cookie.ties.peer = r.u32();
  cookie.local_initial_tsn = Tsn(r.u32());
  cookie.peer_initial_tsn = Tsn(r.u32());
  cookie.peer_a_rwnd = r.u32();
  cookie.outbound_streams = r.u16();
  cookie.inbound_streams = r.u16();
  cookie.local_port = r.u16();
  cookie.remote_port = r.u16();
  cookie.peer_capabilities = Capabilities::from_bits(static_cast<std::uint8_t>(r.u32()));
  return cookie;
}

CookieCase cookie_case(const StateCookie& cookie, const AssociationTags& ours) {
  const bool local_matches = cookie.local_tag == ours.local;
  const bool peer_matches = ours.peer != VerificationTag{} && cookie.peer_tag == ours.peer;
  if (local_matches) return peer_matches ? CookieCase::Duplicate : CookieCase::Collision;
  if (peer_matches) return cookie.ties == TieTags{} ? CookieCase::Late : CookieCase::Unlisted;
  const bool ties_match = cookie.ties != TieTags{} && cookie.ties == ours.ties;
  return ties_match ? CookieCase::Restart : CookieCase::Unlisted;
}

}  // namespace pollrtc::sctp
