// With the table lent a signature is judged as before, and one of ours made by the view is a signature of the same key.
#include "dtls/ec_shortcuts.h"

#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS

#include <mbedtls/ecdsa.h>

#include <array>

#include "dtls/certificate_key.h"
#include "support/catch.h"
#include "unit/dtls/pair.h"

using namespace pollrtc;
using namespace pollrtc::test;
using dtls::as_ecdsa_key, dtls::lend_table, dtls::RandomSource;

namespace {

// Of its own, as a parsed certificate has it: nothing was computed with it yet.
struct PublicKey {
  explicit PublicKey(const mbedtls_pk_context& of) {
    mbedtls_pk_init(&key);
    REQUIRE(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    const mbedtls_ecp_keypair& from = *mbedtls_pk_ec(of);
    mbedtls_ecp_keypair& to = *mbedtls_pk_ec(key);
    REQUIRE(mbedtls_ecp_group_load(&to.grp, from.grp.id) == 0);
    REQUIRE(mbedtls_ecp_copy(&to.Q, &from.Q) == 0);
  }
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;
  ~PublicKey() { mbedtls_pk_free(&key); }
  bool has_table() const { return mbedtls_pk_ec(key)->grp.T != nullptr; }
  mbedtls_pk_context key;
};

struct Signature {
  std::array<std::uint8_t, MBEDTLS_ECDSA_MAX_LEN> bytes{};
  std::size_t size = 0;
};

const std::array<std::uint8_t, 32> kHash{1, 2, 3};

Signature sign(Environment& env, mbedtls_pk_context& key) {
  Signature made;
  RandomSource random{&env.rng};
  REQUIRE(mbedtls_pk_sign(&key, MBEDTLS_MD_SHA256, kHash.data(), kHash.size(), made.bytes.data(), &made.size,
                          RandomSource::fill, &random) == 0);
  return made;
}

bool verifies(mbedtls_pk_context& key, const Signature& signature,
              std::span<const std::uint8_t> hash = kHash) {
  return mbedtls_pk_verify(&key, MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature.bytes.data(),
                           signature.size) == 0;
}

mbedtls_pk_context& key_of(const Certificate& certificate) { return certificate.key_pair().key; }

}  // namespace

TEST_CASE("a key seen as an ECDSA key makes signatures of that key") {
  TestEnvironment env{1};
  mbedtls_pk_context view = as_ecdsa_key(key_of(client_certificate()));
  CHECK(mbedtls_pk_get_type(&view) == MBEDTLS_PK_ECDSA);
  PublicKey peer(key_of(client_certificate())), other(key_of(server_certificate()));
  const Signature signature = sign(env.env, view);
  CHECK(verifies(peer.key, signature));
  CHECK_FALSE(verifies(other.key, signature));
}

TEST_CASE("a lent table changes no verdict on a signature") {
  TestEnvironment env{1};
  Signature signature = sign(env.env, key_of(client_certificate()));
  PublicKey peer(key_of(client_certificate())), other(key_of(server_certificate()));
  lend_table(peer.key, key_of(server_certificate()));
  lend_table(other.key, key_of(server_certificate()));
  REQUIRE(peer.has_table());
  REQUIRE(other.has_table());
  CHECK(verifies(peer.key, signature));
  CHECK(verifies(peer.key, signature));  // the first time does not use the table up
  CHECK_FALSE(verifies(other.key, signature));
  auto changed = kHash;
  changed[31] ^= 1;
  CHECK_FALSE(verifies(peer.key, signature, changed));
  signature.bytes[signature.size - 1] ^= 1;
  CHECK_FALSE(verifies(peer.key, signature));
}

TEST_CASE("only a key on the same curve is lent a table, and only one that is there") {
  TestEnvironment env{1};
  RandomSource random{&env.env.rng};
  dtls::KeyPair p384;
  REQUIRE(mbedtls_pk_setup(&p384.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
  REQUIRE(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(p384.key), RandomSource::fill,
                              &random) == 0);
  PublicKey peer(p384.key);
  lend_table(peer.key, key_of(server_certificate()));
  CHECK_FALSE(peer.has_table());
  CHECK(mbedtls_pk_get_type(&peer.key) == MBEDTLS_PK_ECKEY);
  CHECK(verifies(peer.key, sign(env.env, p384.key)));

  PublicKey fresh(key_of(client_certificate())), without(key_of(server_certificate()));
  lend_table(fresh.key, without.key);
  CHECK_FALSE(fresh.has_table());
  CHECK(verifies(fresh.key, sign(env.env, key_of(client_certificate()))));
}

TEST_CASE("what is no EC key is left as it is") {
  mbedtls_pk_context none;
  mbedtls_pk_init(&none);
  const mbedtls_pk_context view = as_ecdsa_key(none);
  CHECK(mbedtls_pk_get_type(&view) == MBEDTLS_PK_NONE);
  lend_table(none, key_of(server_certificate()));
  CHECK(mbedtls_pk_get_type(&none) == MBEDTLS_PK_NONE);
  PublicKey peer(key_of(client_certificate()));
  lend_table(peer.key, none);
  CHECK_FALSE(peer.has_table());
  CHECK(mbedtls_pk_get_type(&peer.key) == MBEDTLS_PK_ECKEY);
}

#endif
