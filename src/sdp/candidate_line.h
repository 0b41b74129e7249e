// The candidate attribute: "candidate:1 1 udp 2130706431 192.0.2.1 8998 typ host" to a Candidate and back.
// Read first: RFC 8839 §5.1, RFC 6544 §4.5 (tcptype), RFC 8838 §9 (ufrag), and the mdns-ice-candidates draft
// §3.
#pragma once

#include <string>
#include <string_view>

#include "pollrtc/candidate.h"
#include "pollrtc/result.h"

namespace pollrtc::sdp {

// Takes the line as the API and as a description has it: "candidate:..." or "a=candidate:...", without a line
// end.
//   ParseFailed  the line breaks the grammar
//   Refused      the grammar is kept, but no check can be sent there: a host name, another component,
//   transport or type,
//                a number out of range, an address that is no unicast destination. RFC 8839 §5.1: such a line
//                is ignored, what stands around it counts.
Result<Candidate> parse_candidate(std::string_view line);

// "candidate:..." without "a=" (RFC 9429 §3.5.2.1). With `hide_related`, or when there is no related address,
// a reflexive or relayed candidate gets 0.0.0.0 or :: and port 9 in its place (RFC 8839 §5.1).
std::string write_candidate(const Candidate& candidate, bool hide_related);

// A name that may be resolved by multicast DNS: a version 4 UUID under ".local" (mdns draft §3.1.1, §3.2.1).
bool is_mdns_name(std::string_view name);

}  // namespace pollrtc::sdp
