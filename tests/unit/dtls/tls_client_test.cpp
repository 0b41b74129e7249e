// TLS to a server: who it is counts, and nothing is said before that is known.
#include "dtls/tls_client.h"

#include <mbedtls/ssl_ciphersuites.h>

#include "support/catch.h"
#include "unit/dtls/tls_server.h"

namespace pollrtc::test {

using dtls::TlsClient;
using dtls::TrustAnchors;

namespace {

using Identity = TlsIdentity;
using Server = TlsServer;

struct Rig {
  Rig(Identity& server_identity, std::string_view trusted, int suite = 0) : server(server_identity, suite) {
    if (!trusted.empty()) REQUIRE(anchors.add(environment.env.memory, trusted));
  }
  // A connection to the server that `server_identity` stands for.
  void open(std::size_t buffer = 65536) {
    REQUIRE(client.start("turn.example.org", buffer));
    exchange();
    REQUIRE(client.state() == TlsClient::State::Open);
  }
  // Until nothing moves; what the client gets, in pieces of `step` bytes.
  std::string exchange(std::size_t step = 100000) {
    std::string read;
    for (int i = 0; i < 20; ++i) {
      ByteVector bytes(50000);
      bytes.resize(client.take(bytes));
      server.in.insert(server.in.end(), bytes.begin(), bytes.end());
      server.step();
      const ByteVector back = std::exchange(server.out, {});
      for (std::size_t at = 0; at < back.size(); at += step) {
        Bytes chunk = Bytes(back).subspan(at, std::min(step, back.size() - at));
        std::array<std::uint8_t, 512> plain;
        while (const std::size_t size = client.read(chunk, plain)) read += as_text(Bytes(plain).first(size));
        CHECK(chunk.empty());
      }
      if (bytes.empty() && back.empty()) break;
    }
    return read;
  }
  TestEnvironment environment{3};
  TrustAnchors anchors;
  TlsClient client{environment.env, anchors};
  Server server;
};

}  // namespace

TEST_CASE("a server that is who it should be gets our bytes, and we get its", "[TURN-34]") {
  Identity identity("turn.example.org");
  for (const std::size_t step : {1u, 7u, 100000u}) {
    Rig rig(identity, identity.pem);
    CHECK_FALSE(rig.client.write(as_bytes("too early")));
    REQUIRE(rig.client.start("turn.example.org", 65536));
    CHECK_FALSE(rig.client.write(as_bytes("too early")));
    rig.exchange(step);
    REQUIRE(rig.client.state() == TlsClient::State::Open);
    CHECK(rig.server.got.empty());
    REQUIRE(rig.client.write(as_bytes("hello")));
    rig.exchange(step);
    CHECK(as_text(rig.server.got) == "hello");
    const std::string large(3000, 'x');
    rig.server.write("back ");
    rig.server.write(large);
    CHECK(rig.exchange(step) == "back " + large);
    // A full buffer takes no more, and says so before.
    const ByteVector chunk(4096);
    std::size_t written = 0;
    while (rig.client.room() >= chunk.size() && rig.client.write(chunk)) written += chunk.size();
    CHECK(written >= 12 * chunk.size());
    CHECK_FALSE(rig.client.write(chunk));
    rig.exchange(step);
    CHECK(rig.server.got.size() == 5 + written);
  }
}

TEST_CASE("a server that is somebody else gets nothing, and the reason is told", "[TURN-34]") {
  struct Row {
    std::string bears, asked;
    const char *from, *to;
    bool is_trusted;
    std::string_view why;
  };
  for (const Row& row :
       {Row{"turn.example.org", "other.example.org", kFrom, kTo, true, "bears another name"},
        Row{"turn.example.org", "turn.example.org", kFrom, kTo, false, "nobody whom we trust"},
        Row{"turn.example.org", "turn.example.org", kFrom, "20210101000000", true, "has expired"},
        Row{"turn.example.org", "turn.example.org", "20980101000000", kTo, true, "not valid yet"},
        Row{"*.example.org", "a.b.example.org", kFrom, kTo, true, "bears another name"},
        Row{"turn.*.org", "turn.example.org", kFrom, kTo, true, "bears another name"},
        Row{"turn.example.org", "example.org", kFrom, kTo, true, "bears another name"}}) {
    INFO(row.why);
    Identity identity(row.bears, row.from, row.to), somebody("somebody");
    Rig rig(identity, row.is_trusted ? identity.pem : somebody.pem);
    REQUIRE(rig.client.start(row.asked, 65536));
    rig.exchange();
    CHECK(rig.client.state() == TlsClient::State::Failed);
    CHECK(rig.client.failure().find(row.why) != std::string_view::npos);
    CHECK_FALSE(rig.client.write(as_bytes("secret")));
    CHECK(rig.server.got.empty());
    CHECK_FALSE(rig.server.is_open);
  }
  Identity wildcard("*.example.org");
  Rig rig(wildcard, wildcard.pem);
  rig.open();
}

TEST_CASE("suites without forward secrecy or with weak ciphers are not offered", "[TURN-34]") {
  Identity identity("turn.example.org");
  for (const int suite :
       {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
        MBEDTLS_TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256}) {
    Rig rig(identity, identity.pem, suite);
    REQUIRE(rig.client.start("turn.example.org", 65536));
    rig.exchange();
    CHECK(rig.client.state() == TlsClient::State::Failed);
  }
}

TEST_CASE("who trusts nobody speaks to nobody", "[TURN-34]") {
  Identity identity("turn.example.org");
  Rig rig(identity, "");
  CHECK(rig.client.start("turn.example.org", 65536).error() == ErrorCode::InvalidState);
  CHECK(rig.anchors.add(rig.environment.env.memory, "no certificate").error() == ErrorCode::ParseFailed);
  CHECK(rig.anchors.add(rig.environment.env.memory, "").error() == ErrorCode::ParseFailed);
  CHECK(rig.anchors.empty());
  REQUIRE(rig.anchors.add(rig.environment.env.memory, identity.pem));
  CHECK(rig.client.start("", 65536).error() == ErrorCode::InvalidArgument);
  CHECK(rig.client.start(std::string(254, 'x'), 65536).error() == ErrorCode::InvalidArgument);
  CHECK(rig.client.start(std::string_view("turn\0.example.org", 17), 65536).error() ==
        ErrorCode::InvalidArgument);
  REQUIRE(rig.client.start("turn.example.org", 65536));
  CHECK(rig.client.start("turn.example.org", 65536).error() == ErrorCode::InvalidState);
}

TEST_CASE("who lacks memory or randomness says so and does not begin, or ends", "[TURN-34]") {
  Identity identity("turn.example.org");
  {
    TestEnvironment environment, another;  // both outlive what is allocated
    TrustAnchors anchors;
    for (const std::size_t successes : {0u, 1u}) {
      environment.fail_allocations_after(successes);
      const Status added = anchors.add(environment.env.memory, identity.pem);
      REQUIRE_FALSE(added);
      CHECK(added.error() == ErrorCode::OutOfMemory);
    }
    CHECK(anchors.add(another.env.memory, identity.pem));
  }
  Rig poor(identity, identity.pem);
  poor.environment.fail_allocations_after(0);
  const Status started = poor.client.start("turn.example.org", 65536);
  REQUIRE_FALSE(started);
  CHECK(started.error() == ErrorCode::OutOfMemory);

  Rig blind(identity, identity.pem);
  blind.environment.fail_randomness_after(0);
  if (const Status begun = blind.client.start("turn.example.org", 65536); begun) {
    blind.exchange();
    CHECK(blind.client.state() == TlsClient::State::Failed);
    CHECK(blind.client.failure().find("random") != std::string_view::npos);
  }
  CHECK_FALSE(blind.server.is_open);
  CHECK(blind.server.got.empty());
}

TEST_CASE("a server that says good-bye has closed, and what it said before is read", "[TURN-34]") {
  Identity identity("turn.example.org");
  Rig rig(identity, identity.pem);
  rig.open();
  rig.server.write("last words");
  rig.server.close();
  CHECK(rig.exchange() == "last words");
  CHECK(rig.client.state() == TlsClient::State::Closed);
  CHECK_FALSE(rig.client.write(as_bytes("too late")));
}

TEST_CASE("a stream that is no TLS, or that ends", "[TURN-34]") {
  Identity identity("turn.example.org");
  Rig garbage(identity, identity.pem);
  REQUIRE(garbage.client.start("turn.example.org", 65536));
  const ByteVector stun = hex("0101 0000 2112a442 000000000000000000000000");
  Bytes chunk = stun;
  std::array<std::uint8_t, 100> plain;
  CHECK(garbage.client.read(chunk, plain) == 0);
  CHECK(garbage.client.state() == TlsClient::State::Failed);
  CHECK_FALSE(garbage.client.failure().empty());
}

TEST_CASE("a record that nobody of the two has sealed ends an open stream", "[TURN-34]") {
  Identity identity("turn.example.org");
  Rig rig(identity, identity.pem);
  rig.open();
  const ByteVector forged =
      hex("1703030020 abababababababababababababababab abababababababababababababababab");
  Bytes chunk = forged;
  std::array<std::uint8_t, 100> plain;
  CHECK(rig.client.read(chunk, plain) == 0);
  CHECK(rig.client.state() == TlsClient::State::Failed);
  CHECK_FALSE(rig.client.failure().empty());
  CHECK_FALSE(rig.client.write(as_bytes("secret")));
}

TEST_CASE("a buffer filled to its last byte has room for nothing", "[TURN-34]") {
  Identity identity("turn.example.org");
  Rig rig(identity, identity.pem);
  rig.open(4096);
  std::string sent;
  while (rig.client.write(as_bytes("x"))) sent += 'x';
  CHECK(rig.client.room() == 0);
  CHECK(sent.size() > 100);
  CHECK(rig.client.state() == TlsClient::State::Open);  // refused, not broken
  rig.exchange();
  CHECK(as_text(rig.server.got) == sent);
  CHECK(rig.client.room() > 4000);
}

}  // namespace pollrtc::test
