// One ICE candidate (RFC 8445 §5.1), as `ice` finds it and `sdp` writes it.
#pragma once

#include <cstdint>
#include <string_view>

#include "pollrtc/fixed_string.h"
#include "pollrtc/types.h"

namespace pollrtc {

// RFC 8445 §5.1: where the address was found.
enum class CandidateType : std::uint8_t { Host, ServerReflexive, PeerReflexive, Relayed };
// As a candidate line says it (RFC 8839 §5.1): "srflx".
POLLRTC_API std::string_view name_of(CandidateType);
// RFC 6544 §4.5: who connects. None: no TCP candidate; So: simultaneous open.
enum class TcpType : std::uint8_t { None, Active, Passive, So };

// An address the other end may try, as found.
struct CandidateFacts {
  FixedString<32> foundation;   // the same for candidates that live and die together (RFC 8445 §5.1.1.3)
  Address address;              // invalid when `mdns_name` stands in its place
  Address base;                 // local candidates only: what we send from
  Address related;              // raddr and rport; invalid when absent or hidden
  FixedString<64> mdns_name;    // "<uuid>.local" of a remote candidate whose address is hidden
  std::uint32_t priority = 0;   // 1..2^31-1
  std::uint16_t component = 1;  // always 1 for data channels
  std::uint16_t mdns_port = 0;  // the port that goes with `mdns_name`
  CandidateType type = CandidateType::Host;  // where the address was found
  Transport transport = Transport::Udp;      // UDP, or TCP with its tcp_type
  TcpType tcp_type = TcpType::None;          // who connects; None with UDP
  friend constexpr bool operator==(const CandidateFacts&, const CandidateFacts&) = default;
};

// The same as signalled.
struct Candidate : CandidateFacts {
  FixedString<256> ufrag;  // the generation it belongs to, when its line says so (RFC 8838 §9)
  friend constexpr bool operator==(const Candidate&, const Candidate&) = default;
};

}  // namespace pollrtc
