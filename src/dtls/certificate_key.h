// KeyPair: what a Certificate is to Mbed TLS. Apart from certificate.h so that no other room meets the
// library's headers.
#pragma once

#include "dtls/certificate.h"
#include "dtls/ec_shortcuts.h"
#include "dtls/mbedtls_compat.h"

namespace pollrtc::dtls {

struct KeyPair {
  KeyPair() {
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
  }
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair() {
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
  }

  // What signs. Call it when the key is there; good for as long as the pair.
  mbedtls_pk_context* signer() {
#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS
    signer_ = as_ecdsa_key(key);
    return &signer_;
#else
    return &key;
#endif
  }

  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;

#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS
 private:
  mbedtls_pk_context signer_{};
#endif
};

// Nothing when the library refuses.
std::optional<Fingerprint> fingerprint_of(HashAlgorithm hash, Bytes der);

}  // namespace pollrtc::dtls
