// A TURN server (RFC 8656), and how it is reached.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc {

// How a TURN server is spoken to; Tls is TLS over TCP.
enum class TurnTransport : std::uint8_t { Udp, Tcp, Tls };

// Names a TCP connection that a Peer asked for. Never reused, never 0.
enum class StreamId : std::uint32_t {};

// One server with its addresses and credentials.
struct TurnServer {
  std::span<const Address> addresses;            // of its name, the preferred one first; with the port
  TurnTransport transport = TurnTransport::Udp;  // to the server; what it relays is UDP
  std::string_view host = {};  // as in its url; its certificate must bear it. Tls only; at most 253 bytes
  // UTF-8, each of 1 to 508 bytes (RFC 8489 §14.3). They are used as they are: characters beyond ASCII must come in the
  // form that RFC 8265 §4.2 gives them.
  std::string_view username = {}, credential = {};
};

}  // namespace pollrtc
