// A TLS server in memory, with a certificate that it signed itself.
#pragma once

#include <mbedtls/ecp.h>
#include <mbedtls/ssl.h>

#include "base/bytes.h"
#include "dtls/tls_client.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

inline constexpr const char* kFrom = "20200101000000";
inline constexpr const char* kTo = "20991231235959";

// A server's key and a certificate that it signed itself; who trusts it, trusts it as a root.
struct TlsIdentity {
  explicit TlsIdentity(const std::string& name, const char* from = kFrom, const char* to = kTo,
                       mbedtls_md_type_t signed_by = MBEDTLS_MD_SHA256) {
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
    mbedtls_x509write_crt_set_md_alg(&writer, signed_by);
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
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;
  ~TlsIdentity() {
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
  }
  TestEnvironment environment{9};
  mbedtls_pk_context key;
  mbedtls_x509_crt certificate;
  std::string pem;
};

class TlsServer {
 public:
  explicit TlsServer(TlsIdentity& identity, int suite = 0) : suites_{suite, 0} {
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
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer() {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
  }
  void step() {
    if (!is_open) is_open = mbedtls_ssl_handshake(&ssl_) == 0;
    std::uint8_t plain[1000];
    for (int size = 0; is_open && (size = mbedtls_ssl_read(&ssl_, plain, sizeof plain)) > 0;)
      got.insert(got.end(), plain, plain + size);
  }
  void write(Bytes bytes) {
    REQUIRE(mbedtls_ssl_write(&ssl_, bytes.data(), bytes.size()) == static_cast<int>(bytes.size()));
  }
  void write(std::string_view text) { write(as_bytes(text)); }
  void close() { REQUIRE(mbedtls_ssl_close_notify(&ssl_) == 0); }
  ByteVector in, out, got;
  bool is_open = false;

 private:
  static int send(void* self, const unsigned char* bytes, std::size_t size) {
    auto& out = static_cast<TlsServer*>(self)->out;
    out.insert(out.end(), bytes, bytes + size);
    return static_cast<int>(size);
  }
  static int receive(void* self, unsigned char* out, std::size_t capacity) {
    auto& in = static_cast<TlsServer*>(self)->in;
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

}  // namespace pollrtc::test
