#include "api/ice_server_url.h"

#include <algorithm>
#include <charconv>

#include "base/address.h"
#include "base/ascii.h"

namespace pollrtc {
namespace {

constexpr std::size_t kLongestHost = 253;  // RFC 1035 §2.3.4, as text

Unexpected<Error> malformed(std::string_view detail) { return fail(ErrorCode::InvalidArgument, detail); }

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_';
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), to_lower);
  return result;
}

// Takes "?transport=..." off the end. RFC 5928 §3: turn means UDP unless it says otherwise, turns TLS over TCP.
Status take_transport(bool is_secure, std::string_view& rest, IceServerUrl& server) {
  server.transport = is_secure ? TurnTransport::Tls : TurnTransport::Udp;
  if (is_secure) server.port = 5349;
  const std::size_t mark = rest.find('?');
  if (mark == std::string_view::npos) return {};
  constexpr std::string_view kKey = "transport=";
  const std::string_view query = rest.substr(mark + 1);
  rest = rest.substr(0, mark);
  const std::string transport = query.starts_with(kKey) ? lower(query.substr(kKey.size())) : std::string();
  if (transport == "tcp") {
    if (!is_secure) server.transport = TurnTransport::Tcp;
    return {};
  }
  if (transport != "udp") return malformed("an ICE server url has a transport that is neither udp nor tcp");
  if (is_secure) return fail(ErrorCode::NotSupported, "turns: over UDP, that is DTLS, is not supported");
  return {};
}

// Takes the host off the front: what is left is a port, or nothing.
Status take_host(std::string_view& rest, IceServerUrl& server) {
  if (rest.starts_with('[')) {  // an IPv6 address
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return malformed("an ICE server url has '[' without ']'");
    server.host = rest.substr(1, end - 1);
    if (server.host.find(':') == std::string::npos || !parse_ip(server.host))
      return malformed("an ICE server url has no IPv6 address between its brackets");
    rest.remove_prefix(end + 1);
    if (!rest.empty() && rest[0] != ':')
      return malformed("an ICE server url has something behind its brackets");
    return {};
  }
  const std::size_t end = std::min(rest.find(':'), rest.size());
  server.host = rest.substr(0, end);
  rest.remove_prefix(end);
  if (server.host.empty()) return malformed("an ICE server url names no host");
  if (server.host.size() > kLongestHost || !std::all_of(server.host.begin(), server.host.end(), is_host_char))
    return malformed("an ICE server url has a host that is no name and no address");
  return {};
}

}  // namespace

Result<IceServerUrl> parse_ice_server_url(std::string_view url) {
  const std::size_t colon = url.find(':');
  const std::string scheme = lower(url.substr(0, colon));  // RFC 3986 §3.1: schemes compare without case
  const bool is_turn = scheme == "turn" || scheme == "turns";
  if (colon == std::string_view::npos || (!is_turn && scheme != "stun" && scheme != "stuns"))
    return malformed("an ICE server url begins with \"stun:\", \"turn:\" or \"turns:\"");
  if (scheme == "stuns") return fail(ErrorCode::NotSupported, "stuns: servers are not supported");

  IceServerUrl server;
  server.is_turn = is_turn;
  std::string_view rest = url.substr(colon + 1);
  if (is_turn) {
    if (const Status status = take_transport(scheme == "turns", rest, server); !status)
      return Unexpected{status.error()};
  }
  if (const Status status = take_host(rest, server); !status) return Unexpected{status.error()};
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
