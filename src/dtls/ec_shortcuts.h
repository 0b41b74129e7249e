// What Mbed TLS 2.28 works out again for each signature, and need not: the table of multiples of the generator, a third to a
// half of the work. It belongs to a loaded group there, and an "EC key" loads its group anew whenever it signs or verifies; an
// "ECDSA key" does not. From 3.x on the table is a constant of the library, and there is nothing to do here.
//
// Neither changes what is signed, or what passes as a signature.
#pragma once

#include <mbedtls/pk.h>

#include "dtls/mbedtls_compat.h"

namespace pollrtc::dtls {

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define POLLRTC_MBEDTLS_EC_SHORTCUTS 1

// The same key, for ECDSA alone. It owns nothing, and is good for as long as `key`.
mbedtls_pk_context as_ecdsa_key(const mbedtls_pk_context& key);
// `peer`, of a certificate that was parsed, becomes a key for ECDSA alone that has the table of `own`, when both are on one
// curve and there is a table. Without memory it stays as it is: the shortcut is missed, nothing else.
void lend_table(mbedtls_pk_context& peer, const mbedtls_pk_context& own);
#endif

}  // namespace pollrtc::dtls
