// Urls of ICE servers: "stun:host[:port]" (RFC 7064 §3.1), "turn:host[:port][?transport=udp|tcp]" and "turns:..." (RFC 7065
// §3.1): not hierarchical, no user and no path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pollrtc/result.h"
#include "pollrtc/turn_server.h"

namespace pollrtc {

struct IceServerUrl {
  std::string host;  // a name, or an IP address without brackets
  std::uint16_t port = 3478;
  bool is_turn = false;
  TurnTransport transport = TurnTransport::Udp;  // of TURN
};

// InvalidArgument: malformed, or an unknown transport. NotSupported: stuns, and turns over UDP (which would be DTLS).
Result<IceServerUrl> parse_ice_server_url(std::string_view url);

}  // namespace pollrtc
