// One ICE candidate (RFC 8445 §5.1), as `ice` finds it and `sdp` writes it.
#pragma once

#include <cstdint>
#include <string_view>

#include "pollrtc/fixed_string.h"
#include "pollrtc/types.h"

namespace pollrtc {

enum class CandidateType : std::uint8_t { Host, ServerReflexive, PeerReflexive, Relayed };
POLLRTC_API std::string_view name_of(CandidateType);  // as a candidate line says it (RFC 8839 §5.1): "srflx"
enum class TcpType : std::uint8_t { None, Active, Passive, So };  // RFC 6544 §4.5

struct Candidate {
  FixedString<32> foundation;
  Address address;             // invalid when `mdns_name` stands in its place
  Address base;                // local candidates only: what we send from
  Address related;             // raddr and rport; invalid when absent or hidden
  FixedString<64> mdns_name;   // "<uuid>.local" of a remote candidate whose address is hidden
  FixedString<256> ufrag;      // the generation it belongs to, when its line says so (RFC 8838 §9)
  std::uint32_t priority = 0;  // 1..2^31-1
  std::uint16_t component = 1;
  std::uint16_t mdns_port = 0;  // the port that goes with `mdns_name`
  CandidateType type = CandidateType::Host;
  Transport transport = Transport::Udp;
  TcpType tcp_type = TcpType::None;
  friend constexpr bool operator==(const Candidate&, const Candidate&) = default;
};

}  // namespace pollrtc
