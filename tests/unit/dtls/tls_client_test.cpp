// TLS to a server: who it is counts, and nothing is said before that is known.
#include "dtls/tls_client.h"

#include <mbedtls/ecp.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include "base/bytes.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using dtls::TlsClient;
using dtls::TrustAnchors;

namespace {

constexpr const char* kFrom = "20200101000000";
constexpr const char* kTo = "20991231235959";

// A server's key and a certificate that it signed itself; who trusts it, trusts it as a root.
struct Identity {
  explicit Identity(const std::string& name, const char* from = kFrom, const char* to = kTo) {
    mbedtls_pk_init(&key);
    mbedtls_x509_crt_init(&certificate);
    dtls::RandomSource random{&environment.env.rng};
    REQUIRE(dtls::start_crypto());
    REQUIRE(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    REQUIRE(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), dtls::RandomSource::fill,
                                &random) == 0);
    mbedtls_x509write_cert writer;
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_subject_key(&writer, &key);
    mbedtls_x509write_crt_set_issuer_key(&writer, &key);
    REQUIRE(mbedtls_x509write_crt_set_subject_name(&writer, ("CN=" + name).c_str()) == 0);
    REQUIRE(mbedtls_x509write_crt_set_issuer_name(&writer, ("CN=" + name).c_str()) == 0);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    const std::uint8_t serial[4] = {1, 2, 3, 4};
    REQUIRE(dtls::set_serial(writer, serial) == 0);
    REQUIRE(mbedtls_x509write_crt_set_validity(&writer, from, to) == 0);
    ByteVector text(4096);
    REQUIRE(mbedtls_x509write_crt_pem(&writer, text.data(), text.size(), dtls::RandomSource::fill, &random) ==
            0);
    mbedtls_x509write_crt_free(&writer);
    pem = reinterpret_cast<const char*>(text.data());
    REQUIRE(mbedtls_x509_crt_parse(&certificate, text.data(), pem.size() + 1) == 0);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  ~Identity() {
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
  }
  TestEnvironment environment{9};
  mbedtls_pk_context key;
  mbedtls_x509_crt certificate;
  std::string pem;
};

class Server {
 public:
  explicit Server(Identity& identity, int suite = 0) : suites_{suite, 0} {
    mbedtls_ssl_config_init(&config_);
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config_, dtls::RandomSource::fill, &random_);
    mbedtls_ssl_conf_own_cert(&config_, &identity.certificate, &identity.key);
    if (suite != 0) mbedtls_ssl_conf_ciphersuites(&config_, suites_.data());
    mbedtls_ssl_setup(&ssl_, &config_);
    mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
  }
  void step() {
    if (!is_open) is_open = mbedtls_ssl_handshake(&ssl_) == 0;
    std::uint8_t plain[1000];
    for (int size = 0; is_open && (size = mbedtls_ssl_read(&ssl_, plain, sizeof plain)) > 0;)
      got.insert(got.end(), plain, plain + size);
  }
  void write(std::string_view text) {
    REQUIRE(mbedtls_ssl_write(&ssl_, as_bytes(text).data(), text.size()) == static_cast<int>(text.size()));
  }
  ByteVector in, out, got;
  bool is_open = false;

 private:
  static int send(void* self, const unsigned char* bytes, std::size_t size) {
    auto& out = static_cast<Server*>(self)->out;
    out.insert(out.end(), bytes, bytes + size);
    return static_cast<int>(size);
  }
  static int receive(void* self, unsigned char* out, std::size_t capacity) {
    auto& in = static_cast<Server*>(self)->in;
    if (in.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const std::size_t count = std::min(capacity, in.size());
    std::copy_n(in.begin(), count, out);
    in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
    return static_cast<int>(count);
  }
  TestEnvironment environment_{4};
  dtls::RandomSource random_{&environment_.env.rng};
  std::array<int, 2> suites_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
};

struct Rig {
  Rig(Identity& server_identity, std::string_view trusted, int suite = 0) : server(server_identity, suite) {
    if (!trusted.empty()) REQUIRE(anchors.add(environment.env.memory, trusted));
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
  REQUIRE(rig.client.start("turn.example.org", 65536));
  rig.exchange();
  CHECK(rig.client.state() == TlsClient::State::Open);
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
  REQUIRE(rig.client.start("turn.example.org", 65536));
  CHECK(rig.client.start("turn.example.org", 65536).error() == ErrorCode::InvalidState);
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

}  // namespace pollrtc::test
