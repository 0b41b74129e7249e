// What a candidate is worth and which ones may be used: priorities (RFC 8445 §5.1.2, §6.1.2.3; RFC 6544 §4.2 for TCP), the
// addresses that are never candidates (§5.1.1.1), who may be paired with whom (§6.1.2.2; RFC 6544 §6.2), and the grammar of
// credentials (RFC 8839 §5.4).
#pragma once

#include <string_view>

#include "pollrtc/candidate.h"

namespace pollrtc::ice {

// RFC 8445 §5.1.2.1 and §5.1.2.2. The local preference is 65535 for a host with a single address. Any straight way by UDP
// is worth more than one by TCP, and that more than a relay (RFC 6544 §4.2 leaves the type preferences to us).
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 std::uint16_t component = 1, Transport transport = Transport::Udp);

// RFC 6544 §4.2: the local preference of a TCP candidate. `other` tells those of one direction apart: 8191, the best, and
// less; higher is taken for 8191.
inline constexpr std::uint16_t kMaxOtherPreference = 8191;
std::uint16_t tcp_local_preference(CandidateType type, TcpType direction, std::uint16_t other);

// RFC 6544 §4.5: what an active candidate has for a port, since it will connect from another each time.
inline constexpr std::uint16_t kActivePort = 9;

// RFC 6544 §6.2: may they form a pair that is checked? Not with a passive candidate of our own: such a pair comes alive
// when the other end connects.
bool can_pair_directions(TcpType local, TcpType remote);

// §6.1.2.3: the same number on both sides, so that both sort their lists alike.
std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled);

// May a socket's address become a host candidate?
bool is_gatherable(const Address& address, bool loopback_allowed);

// May a mapped address that a server reports become a candidate of a socket at `base`? A hostile server may report
// anything (RFC 8445 §19.3).
bool is_plausible_mapping(const Address& mapped, const Address& base);

// May checks ever go to this address of a peer? Loopback is a question of the pair.
bool is_checkable(const Address& remote);

// Same family; IPv6 link-local only with link-local; loopback only from loopback, unless `allow_loopback`.
bool can_pair(const Address& base, const Address& remote, bool allow_loopback);

// A remote link-local address has no zone of its own: it is the one of the socket we send from.
Address scoped_as(const Address& remote, const Address& base);

// 4 to 256 and 22 to 256 ice-chars.
bool is_valid_ufrag(std::string_view ufrag);
bool is_valid_pwd(std::string_view pwd);

}  // namespace pollrtc::ice
