// One session alone, as a server or a client, and the handshake messages it says.
#pragma once

#include <vector>

#include "unit/dtls/pair.h"

namespace pollrtc::test {

inline const Time kStart{1h};

struct Server {
  explicit Server(const Fingerprint& expected = client_certificate().fingerprint(), Duration timeout = 100ms);
  ~Server();
  TestEnvironment env{5};
  Session session;
};

struct Client {
  Client();
  ~Client();
  TestEnvironment env{6};
  Session session;
};

// The body of the first message of this type in a flight of unfragmented messages.
ByteVector message_in(const std::vector<ByteVector>& flight, std::uint8_t msg_type);

// Types of the extensions of a ServerHello or ClientHello body, from where they begin.
std::vector<std::uint16_t> extensions_at(Bytes body, std::size_t at);

// Our ClientHello: random, session id, cookie, suites, extensions.
struct ClientHello {
  ByteVector random, session_id, cookie, suites, compression;
  std::vector<std::uint16_t> extensions;
};
ClientHello parse_client_hello(Bytes body);

bool has(const std::vector<std::uint16_t>& list, std::uint16_t value);

ByteVector hello_datagram(std::uint64_t sequence, Bytes body, std::uint16_t message_seq = 0);

}  // namespace pollrtc::test
