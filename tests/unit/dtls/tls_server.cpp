#include "unit/dtls/tls_server.h"

#include <mbedtls/ecp.h>

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::test {

TlsIdentity::TlsIdentity(const std::string& name, const char* from, const char* to,
                         mbedtls_md_type_t signed_by) {
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

TlsIdentity::~TlsIdentity() {
  mbedtls_x509_crt_free(&certificate);
  mbedtls_pk_free(&key);
}

TlsServer::TlsServer(TlsIdentity& identity, int suite) : suites_{suite, 0} {
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

TlsServer::~TlsServer() {
  mbedtls_ssl_free(&ssl_);
  mbedtls_ssl_config_free(&config_);
}

void TlsServer::step() {
  if (!is_open) is_open = mbedtls_ssl_handshake(&ssl_) == 0;
  std::uint8_t plain[1000];
  for (int size = 0; is_open && (size = mbedtls_ssl_read(&ssl_, plain, sizeof plain)) > 0;)
    got.insert(got.end(), plain, plain + size);
}

void TlsServer::write(Bytes bytes) {
  REQUIRE(mbedtls_ssl_write(&ssl_, bytes.data(), bytes.size()) == static_cast<int>(bytes.size()));
}

void TlsServer::close() { REQUIRE(mbedtls_ssl_close_notify(&ssl_) == 0); }

int TlsServer::send(void* self, const unsigned char* bytes, std::size_t size) {
  auto& out = static_cast<TlsServer*>(self)->out;
  out.insert(out.end(), bytes, bytes + size);
  return static_cast<int>(size);
}

int TlsServer::receive(void* self, unsigned char* out, std::size_t capacity) {
  auto& in = static_cast<TlsServer*>(self)->in;
  if (in.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  const std::size_t count = std::min(capacity, in.size());
  std::copy_n(in.begin(), count, out);
  in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<int>(count);
}

}  // namespace pollrtc::test
