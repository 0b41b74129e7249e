#include "ice/candidate.h"

#include <algorithm>

#include "base/address.h"

namespace pollrtc::ice {

namespace {

std::uint32_t type_preference(CandidateType type, Transport transport) {
  const bool is_tcp = transport == Transport::Tcp;
  switch (type) {
    case CandidateType::Host:
      return is_tcp ? 90 : 126;
    case CandidateType::PeerReflexive:
      return is_tcp ? 80 : 110;
    case CandidateType::ServerReflexive:
      return is_tcp ? 70 : 100;
    case CandidateType::Relayed:
      return 0;
  }
  return 0;
}

bool is_ice_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool is_ice_text(std::string_view text, std::size_t min, std::size_t max) {
  return text.size() >= min && text.size() <= max && std::all_of(text.begin(), text.end(), is_ice_char);
}

bool is_unusable(const Address& address) {
  return !address.is_valid() || address.port == 0 || is_unspecified(address) || is_multicast(address) ||
         is_broadcast(address);
}

}  // namespace

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference, std::uint16_t component,
                                 Transport transport) {
  return type_preference(type, transport) << 24 | std::uint32_t{local_preference} << 8 | (256u - component);
}

std::uint16_t tcp_local_preference(CandidateType type, TcpType direction, std::uint16_t other) {
  // Behind a NAT both ends opening at once has the best prospects, without one it has the worst.
  const bool is_reflexive = type == CandidateType::ServerReflexive;
  int preference = 0;
  if (direction == TcpType::Active) preference = is_reflexive ? 4 : 6;
  if (direction == TcpType::Passive) preference = is_reflexive ? 2 : 4;
  if (direction == TcpType::So) preference = is_reflexive ? 6 : 2;
  return static_cast<std::uint16_t>((preference << 13) + std::min(other, kMaxOtherPreference));
}

bool can_pair_directions(TcpType local, TcpType remote) {
  return (local == TcpType::Active && remote == TcpType::Passive) ||
         (local == TcpType::So && remote == TcpType::So) ||
         (local == TcpType::None && remote == TcpType::None);
}

std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) {
  const std::uint64_t low = std::min(controlling, controlled), high = std::max(controlling, controlled);
  return (low << 32) + 2 * high + (controlling > controlled ? 1 : 0);
}

bool is_gatherable(const Address& address, bool loopback_allowed) {
  if (is_unusable(address)) return false;
  if (address.family == Address::Family::IPv6) {
    if (is_ipv4_mapped(address) || is_site_local(address)) return false;
    if (is_ipv4_compatible(address) && !is_loopback(address)) return false;
    if (is_link_local(address) && address.scope_id == 0) return false;  // nobody could tell on which link
  }
  return loopback_allowed || !is_loopback(address);
}

bool is_plausible_mapping(const Address& mapped, const Address& base) {
  const Address plain = unmapped(mapped);
  if (is_unusable(plain) || plain.family != base.family) return false;
  if (is_loopback(plain) != is_loopback(base)) return false;
  return !(plain.family == Address::Family::IPv6 && is_link_local(plain));
}

bool is_checkable(const Address& remote) { return !is_unusable(unmapped(remote)); }

bool can_pair(const Address& base, const Address& remote, bool allow_loopback) {
  if (base.family != remote.family) return false;
  if (base.family == Address::Family::IPv6 && is_link_local(base) != is_link_local(remote)) return false;
  return !is_loopback(remote) || is_loopback(base) || allow_loopback;
}

Address scoped_as(const Address& remote, const Address& base) {
  Address scoped = remote;
  scoped.scope_id = remote.family == Address::Family::IPv6 && is_link_local(remote) ? base.scope_id : 0;
  return scoped;
}

bool is_valid_ufrag(std::string_view ufrag) { return is_ice_text(ufrag, 4, 256); }
bool is_valid_pwd(std::string_view pwd) { return is_ice_text(pwd, 22, 256); }

}  // namespace pollrtc::ice
