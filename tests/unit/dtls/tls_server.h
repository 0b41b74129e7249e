// A TLS server in memory, with a certificate that it signed itself.
#pragma once

#include <mbedtls/ssl.h>

#include <array>
#include <string>

#include "base/bytes.h"
#include "dtls/tls_client.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::test {

inline constexpr const char* kFrom = "20200101000000";
inline constexpr const char* kTo = "20991231235959";

// A server's key and a certificate that it signed itself; who trusts it, trusts it as a root.
struct TlsIdentity {
  explicit TlsIdentity(const std::string& name, const char* from = kFrom, const char* to = kTo,
                       mbedtls_md_type_t signed_by = MBEDTLS_MD_SHA256);
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;
  ~TlsIdentity();
  TestEnvironment environment{9};
  mbedtls_pk_context key;
  mbedtls_x509_crt certificate;
  std::string pem;
};

class TlsServer {
 public:
  explicit TlsServer(TlsIdentity& identity, int suite = 0);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();
  void step();
  void write(Bytes bytes);
  void write(std::string_view text) { write(as_bytes(text)); }
  void close();
  ByteVector in, out, got;
  bool is_open = false;

 private:
  static int send(void* self, const unsigned char* bytes, std::size_t size);
  static int receive(void* self, unsigned char* out, std::size_t capacity);
  TestEnvironment environment_{4};
  dtls::RandomSource random_{&environment_.env.rng};
  std::array<int, 2> suites_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
};

}  // namespace pollrtc::test
