#include "unit/dtls/ends.h"

#include <algorithm>

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

Server::Server(const Fingerprint& expected, Duration timeout) : session(env.env, server_certificate()) {
  REQUIRE(session.set_remote_fingerprints(kStart, {&expected, 1}));
  REQUIRE(session.start(kStart, Role::Server, timeout));
}
Server::~Server() = default;

Client::Client() : session(env.env, client_certificate()) {
  const Fingerprint expected = server_certificate().fingerprint();
  REQUIRE(session.set_remote_fingerprints(kStart, {&expected, 1}));
  REQUIRE(session.start(kStart, Role::Client, 100ms));
}
Client::~Client() = default;

ByteVector message_in(const std::vector<ByteVector>& flight, std::uint8_t msg_type) {
  for (const auto& datagram : flight) {
    for (const auto& record : records_of(datagram)) {
      if (record.type != 22 || record.epoch != 0) continue;
      dtls::HandshakeFragment fragment;
      for (Bytes rest = record.fragment; !rest.empty() && dtls::take_fragment(rest, fragment);) {
        if (fragment.msg_type == msg_type) return to_vector(fragment.body);
      }
    }
  }
  return {};
}

std::vector<std::uint16_t> extensions_at(Bytes body, std::size_t at) {
  std::vector<std::uint16_t> types;
  ByteReader reader(body.subspan(at));
  ByteReader list(reader.take(reader.u16()));
  while (!list.rest().empty() && list.ok()) {
    types.push_back(list.u16());
    list.skip(list.u16());
  }
  return types;
}

ClientHello parse_client_hello(Bytes body) {
  ByteReader r(body);
  ClientHello hello;
  CHECK(r.u16() == 0xfefd);
  hello.random = to_vector(r.take(32));
  hello.session_id = to_vector(r.take(r.u8()));
  hello.cookie = to_vector(r.take(r.u8()));
  hello.suites = to_vector(r.take(r.u16()));
  hello.compression = to_vector(r.take(r.u8()));
  REQUIRE(r.ok());
  hello.extensions = extensions_at(body, body.size() - r.rest().size());
  return hello;
}

bool has(const std::vector<std::uint16_t>& list, std::uint16_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

ByteVector hello_datagram(std::uint64_t sequence, Bytes body, std::uint16_t message_seq) {
  return make_record(22, 0xfeff, 0, sequence,
                     make_fragment(1, static_cast<std::uint32_t>(body.size()), message_seq, 0, body));
}

}  // namespace pollrtc::test
