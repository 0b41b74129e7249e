#include "api/ice_server_url.h"

#include <algorithm>
#include <charconv>

#include "base/address.h"

namespace pollrtc {
namespace {

constexpr std::size_t kLongestHost = 253;  // RFC 1035 §2.3.4, as text

Unexpected<Error> malformed(std::string_view detail) { return fail(ErrorCode::InvalidArgument, detail); }

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_';
}

}  // namespace

Result<IceServerUrl> parse_ice_server_url(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) return malformed("an ICE server url begins with \"stun:\"");
  std::string scheme(url.substr(0, colon));  // RFC 3986 §3.1: schemes compare without case
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (scheme == "turn" || scheme == "turns" || scheme == "stuns")
    return fail(ErrorCode::NotSupported, "only stun: servers are supported, not turn:, turns: or stuns:");
  if (scheme != "stun") return malformed("an ICE server url begins with \"stun:\"");

  std::string_view rest = url.substr(colon + 1);
  IceServerUrl server;
  if (rest.starts_with('[')) {  // an IPv6 address
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return malformed("an ICE server url has '[' without ']'");
    server.host = rest.substr(1, end - 1);
    if (server.host.find(':') == std::string::npos || !parse_ip(server.host))
      return malformed("an ICE server url has no IPv6 address between its brackets");
    rest.remove_prefix(end + 1);
  } else {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    server.host = rest.substr(0, end);
    rest.remove_prefix(end);
    if (server.host.empty()) return malformed("an ICE server url names no host");
    if (server.host.size() > kLongestHost ||
        !std::all_of(server.host.begin(), server.host.end(), is_host_char))
      return malformed("an ICE server url has a host that is no name and no address");
  }
  if (rest.empty()) return server;
  rest.remove_prefix(1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc{} || end != rest.data() + rest.size() || port == 0 || port > 65535)
    return malformed("an ICE server url has a port that is no number from 1 to 65535");
  server.port = static_cast<std::uint16_t>(port);
  return server;
}

}  // namespace pollrtc
