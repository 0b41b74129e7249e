// What differs between Mbed TLS 2.28 and 3.x, in one place; and the two adapters that both rooms' halves
// need.
#pragma once

#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "base/random.h"

// A member that 3.x declares private but gives no accessor for.
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define POLLRTC_MBEDTLS_FIELD(name) MBEDTLS_PRIVATE(name)
#else
#define POLLRTC_MBEDTLS_FIELD(name) name
#endif

namespace pollrtc::dtls {

// Our Rng in the shape of Mbed TLS. It notes that the source failed, since the library's own codes get lost
// on the way up.
struct RandomSource {
  const Rng* rng = nullptr;
  bool failed = false;

  static int fill(void* context, unsigned char* out, std::size_t size) {
    auto& source = *static_cast<RandomSource*>(context);
    if (fill_random(*source.rng, MutBytes(out, size))) return 0;
    source.failed = true;
    return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
  }
};

// Mbed TLS 3.x may do its work through PSA, which wants to be started once; starting it again does nothing.
inline bool start_crypto() {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && defined(MBEDTLS_PSA_CRYPTO_C)
  return psa_crypto_init() == PSA_SUCCESS;
#else
  return true;
#endif
}

inline int parse_key(mbedtls_pk_context& key, Bytes pem_with_nul, [[maybe_unused]] RandomSource& random) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_parse_key(&key, pem_with_nul.data(), pem_with_nul.size(), nullptr, 0, RandomSource::fill,
                              &random);
#else
  return mbedtls_pk_parse_key(&key, pem_with_nul.data(), pem_with_nul.size(), nullptr, 0);
#endif
}

inline int check_pair(const mbedtls_pk_context& public_key, const mbedtls_pk_context& key,
                      [[maybe_unused]] RandomSource& random) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_check_pair(&public_key, &key, RandomSource::fill, &random);
#else
  return mbedtls_pk_check_pair(&public_key, &key);
#endif
}

inline int set_serial(mbedtls_x509write_cert& certificate, Bytes serial) {
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
  return mbedtls_x509write_crt_set_serial_raw(&certificate, const_cast<std::uint8_t*>(serial.data()),
                                              serial.size());
#else
  mbedtls_mpi number;
  mbedtls_mpi_init(&number);
  int result = mbedtls_mpi_read_binary(&number, serial.data(), serial.size());
  if (result == 0) result = mbedtls_x509write_crt_set_serial(&certificate, &number);
  mbedtls_mpi_free(&number);
  return result;
#endif
}

// Version 1.2 alone, of TLS or DTLS, and one handshake: no renegotiation, no session taken up again.
inline void allow_one_handshake_of_1_2(mbedtls_ssl_config& config) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  mbedtls_ssl_conf_min_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
}

}  // namespace pollrtc::dtls
