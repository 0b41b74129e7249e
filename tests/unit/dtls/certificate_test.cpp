#include "dtls/certificate.h"

#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>

#include "crypto/digest.h"
#include "dtls/certificate_key.h"
#include "support/catch.h"
#include "unit/dtls/pair.h"
#include "unit/dtls/tls_server.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

struct Pem {
  std::string certificate, key;
};

std::string certificate_pem(Bytes der) {
  unsigned char text[4096];
  std::size_t size = 0;
  REQUIRE(mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", der.data(),
                                   der.size(), text, sizeof text, &size) == 0);
  return reinterpret_cast<const char*>(text);
}

std::string key_pem(const mbedtls_pk_context& key) {
  unsigned char text[8192];
  REQUIRE(mbedtls_pk_write_key_pem(const_cast<mbedtls_pk_context*>(&key), text, sizeof text) == 0);
  return reinterpret_cast<const char*>(text);
}

Pem pem_of(const Certificate& certificate) {
  return {certificate_pem(certificate.der()), key_pem(certificate.key_pair().key)};
}

// A P-384 pair whose certificate is signed with SHA-384 and expired long ago.
Pem odd_pem(Environment& env) {
  dtls::KeyPair pair;
  dtls::RandomSource random{&env.rng};
  REQUIRE(mbedtls_pk_setup(&pair.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
  REQUIRE(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(pair.key), dtls::RandomSource::fill,
                              &random) == 0);
  mbedtls_x509write_cert writer;
  mbedtls_x509write_crt_init(&writer);
  mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA384);
  mbedtls_x509write_crt_set_subject_key(&writer, &pair.key);
  mbedtls_x509write_crt_set_issuer_key(&writer, &pair.key);
  REQUIRE(mbedtls_x509write_crt_set_subject_name(&writer, "CN=odd,O=Test") == 0);
  REQUIRE(mbedtls_x509write_crt_set_issuer_name(&writer, "CN=someone else") == 0);
  REQUIRE(dtls::set_serial(writer, ByteVector{7}) == 0);
  REQUIRE(mbedtls_x509write_crt_set_validity(&writer, "20010101000000", "20020101000000") == 0);
  unsigned char der[2048];
  const int size = mbedtls_x509write_crt_der(&writer, der, sizeof der, dtls::RandomSource::fill, &random);
  REQUIRE(size > 0);
  mbedtls_x509write_crt_free(&writer);
  return {certificate_pem(Bytes(der).last(static_cast<std::size_t>(size))), key_pem(pair.key)};
}

}  // namespace

TEST_CASE("a made certificate is P-256, short-lived, random and says nothing about us", "[DTLS-21]") {
  TestEnvironment env;
  const auto made = Certificate::generate(env.env, 1'790'000'000);  // 2026-09-21 14:13:20 UTC
  REQUIRE(made);
  const mbedtls_x509_crt& crt = made->key_pair().certificate;
  CHECK(mbedtls_pk_get_bitlen(&crt.pk) == 256);
  CHECK(mbedtls_pk_can_do(&crt.pk, MBEDTLS_PK_ECDSA) == 1);
  char name[64];
  REQUIRE(mbedtls_x509_dn_gets(name, sizeof name, &crt.subject) > 0);
  CHECK(std::string(name) == "CN=pollrtc");
  CHECK(crt.serial.len == 16);
  CHECK((crt.serial.p[0] & 0xc0) == 0x40);
  const auto date = [](const mbedtls_x509_time& t) {
    return std::vector<int>{t.year, t.mon, t.day, t.hour, t.min, t.sec};
  };
  CHECK(date(crt.valid_from) == std::vector<int>{2026, 9, 20, 14, 13, 20});
  CHECK(date(crt.valid_to) == std::vector<int>{2026, 10, 21, 14, 13, 20});
  CHECK(crt.version == 3);

  const auto other = Certificate::generate(env.env, 1'790'000'000);
  REQUIRE(other);
  CHECK_FALSE(made->fingerprint() == other->fingerprint());
  CHECK_FALSE(equal({crt.serial.p, 16}, {other->key_pair().certificate.serial.p, 16}));
  CHECK(equal(made->fingerprint().view(), *crypto::sha256(made->der())));
  CHECK(made->fingerprints().size() == 1);
}

TEST_CASE("the time of a certificate is checked") {
  TestEnvironment env;
  CHECK(Certificate::generate(env.env, 0).error() == ErrorCode::InvalidArgument);
  CHECK(Certificate::generate(env.env, -1).error() == ErrorCode::InvalidArgument);
  CHECK(Certificate::generate(env.env, 1'000'000'000'000).error() == ErrorCode::InvalidArgument);
  CHECK(Certificate::generate(env.env, 90'000));
  CHECK(Certificate::generate(env.env, 4'000'000'000));
}

TEST_CASE("whichever call to the random source fails, there is no certificate", "[DTLS-22]") {
  bool made = false;
  std::size_t successes = 0;
  for (; !made && successes < 200; ++successes) {
    TestEnvironment env;
    env.fail_randomness_after(successes);
    const auto certificate = Certificate::generate(env.env, kNow2026);
    made = certificate.has_value();
    if (!made) CHECK(certificate.error() == ErrorCode::NoRandomness);
  }
  CHECK(made);
  CHECK(successes > 2);
}

TEST_CASE("without memory there is no certificate", "[DTLS-22]") {
  TestEnvironment env;
  env.fail_allocations_after(0);
  CHECK(Certificate::generate(env.env, kNow2026).error() == ErrorCode::OutOfMemory);
  const Pem pem = pem_of(client_certificate());
  for (std::size_t successes = 0; successes < 3; ++successes) {
    env.fail_allocations_after(successes);
    CHECK(Certificate::from_pem(env.env, pem.certificate, pem.key).error() == ErrorCode::OutOfMemory);
  }
  CHECK(env.bytes_in_use() == 0);
}

TEST_CASE("without memory a pair does not become text") {
  for (std::size_t successes = 0; successes < 2; ++successes) {
    TestEnvironment env;
    env.fail_allocations_after(successes);
    Buffer certificate(env.env.memory), key(env.env.memory);
    const Status written = client_certificate().write_pem(certificate, key);
    REQUIRE_FALSE(written);
    CHECK(written.error() == ErrorCode::OutOfMemory);
  }
}

// RFC 8122 §5: a fingerprint by the hash that the certificate is signed with; SHA-256 we give in any case.
TEST_CASE("a certificate is known by SHA-256 and by the hash it is signed with") {
  struct Row {
    mbedtls_md_type_t signed_by;
    std::optional<HashAlgorithm> hash;
  };
  for (const Row& row : {Row{MBEDTLS_MD_SHA256, {}}, Row{MBEDTLS_MD_SHA384, HashAlgorithm::Sha384},
                         Row{MBEDTLS_MD_SHA512, HashAlgorithm::Sha512}, Row{MBEDTLS_MD_SHA224, {}}}) {
    TlsIdentity identity("somebody", kFrom, kTo, row.signed_by);
    TestEnvironment env;
    const auto made = Certificate::from_pem(env.env, identity.pem, key_pem(identity.key));
    REQUIRE(made);
    REQUIRE(made->fingerprints().size() == (row.hash ? 2 : 1));
    CHECK(made->fingerprints()[0] == *dtls::fingerprint_of(HashAlgorithm::Sha256, made->der()));
    if (!row.hash) continue;
    CHECK(made->fingerprints()[1].hash == *row.hash);
    const auto expected = *row.hash == HashAlgorithm::Sha384 ? to_vector(*crypto::sha384(made->der()))
                                                             : to_vector(*crypto::sha512(made->der()));
    CHECK(equal(made->fingerprints()[1].view(), expected));
  }
}

TEST_CASE("an RSA key cannot be ours") {
  TestEnvironment env;
  dtls::RandomSource random{&env.env.rng};
  mbedtls_pk_context rsa;
  mbedtls_pk_init(&rsa);
  REQUIRE(mbedtls_pk_setup(&rsa, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
  REQUIRE(mbedtls_rsa_gen_key(mbedtls_pk_rsa(rsa), dtls::RandomSource::fill, &random, 1024, 65537) == 0);
  const std::string key = key_pem(rsa);
  mbedtls_pk_free(&rsa);
  const auto made = Certificate::from_pem(env.env, pem_of(client_certificate()).certificate, key);
  REQUIRE_FALSE(made);
  CHECK(made.error() == ErrorCode::NotSupported);
}

TEST_CASE("a pair can be given as PEM, and is checked") {
  TestEnvironment env;
  const Pem ours = pem_of(client_certificate()), other = pem_of(server_certificate());
  const auto read = Certificate::from_pem(env.env, ours.certificate, ours.key);
  REQUIRE(read);
  CHECK(read->fingerprint() == client_certificate().fingerprint());
  CHECK(Certificate::from_pem(env.env, ours.certificate, other.key).error() == ErrorCode::InvalidArgument);
  CHECK(Certificate::from_pem(env.env, "", ours.key).error() == ErrorCode::ParseFailed);
  CHECK(Certificate::from_pem(env.env, ours.certificate, "").error() == ErrorCode::ParseFailed);
  CHECK(Certificate::from_pem(env.env, ours.certificate.substr(0, 200), ours.key).error() ==
        ErrorCode::ParseFailed);
}

TEST_CASE("a certificate of the application's serves several connections, expired or not",
          "[DTLS-36][DTLS-06][DTLS-45]") {
  TestEnvironment env;
  const Pem pem = odd_pem(env.env);
  const auto odd = Certificate::from_pem(env.env, pem.certificate, pem.key);
  REQUIRE(odd);
  // Its signature's hash is not SHA-256, so two fingerprints are printed.
  REQUIRE(odd->fingerprints().size() == 2);
  CHECK(odd->fingerprints()[0].hash == HashAlgorithm::Sha256);
  CHECK(odd->fingerprints()[1].hash == HashAlgorithm::Sha384);
  CHECK(equal(odd->fingerprints()[1].view(), *crypto::sha384(odd->der())));

  for (int connection = 0; connection < 2; ++connection) {
    Pair pair({}, *odd, *odd);
    pair.start(100ms, false);
    const Fingerprint fingerprint = odd->fingerprints()[static_cast<std::size_t>(connection)];
    REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&fingerprint, 1}));
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&fingerprint, 1}));
    pair.run();
    CHECK(pair.connected());
    CHECK(pair.data_flows());
  }
}
