// "stun:host[:port]" (RFC 7064 §3.1): not a hierarchical URI, no user, path or query.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pollrtc/result.h"

namespace pollrtc {

struct IceServerUrl {
  std::string host;  // a name, or an IP address without brackets
  std::uint16_t port = 3478;
};

// InvalidArgument: malformed. NotSupported: turn, turns and stuns.
Result<IceServerUrl> parse_ice_server_url(std::string_view url);

}  // namespace pollrtc
