#include "dtls/certificate.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/format.h"
#include "crypto/digest.h"
#include "dtls/certificate_key.h"

namespace pollrtc::dtls {
namespace {

constexpr std::int64_t kDay = 24 * 60 * 60;
constexpr std::int64_t kLatest =
    4102444800 - 31 * kDay;  // 2100: Mbed TLS writes two digits for years before 2050, four after

struct X509Writer {
  X509Writer() { mbedtls_x509write_crt_init(&certificate); }
  X509Writer(const X509Writer&) = delete;
  X509Writer& operator=(const X509Writer&) = delete;
  ~X509Writer() { mbedtls_x509write_crt_free(&certificate); }
  mbedtls_x509write_cert certificate;
};

// "YYYYMMDDhhmmss" in UTC.
struct TimeText {
  char text[16];
};
TimeText time_text(std::int64_t unix_time) {
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_time)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  TimeText out{};
  const std::string_view digits =
      format_text(out.text, "{:04}{:02}{:02}{:02}{:02}{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  out.text[std::min(digits.size(), sizeof out.text - 1)] = '\0';
  return out;
}

// Zeroes the copy of a private key's text.
struct Wiped {
  Buffer& buffer;
  ~Wiped() { crypto::wipe(buffer.data(), buffer.size()); }
};

// Mbed TLS reads PEM up to a NUL that the length includes.
bool with_nul(std::string_view text, Buffer& out) {
  if (!out.resize_discarding(text.size() + 1)) return false;
  std::copy(text.begin(), text.end(), out.data());
  out.data()[text.size()] = 0;
  return true;
}

int generate_key(KeyPair& pair, RandomSource& random) {
  const int result = mbedtls_pk_setup(&pair.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (result != 0) return result;
  return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pair.key), RandomSource::fill, &random);
}

int sign_own(KeyPair& pair, std::int64_t unix_time, RandomSource& random) {
  // RFC 5280 §4.1.2.2: positive, at most 20 octets. 126 random bits below a leading 01.
  std::array<std::uint8_t, 16> serial;
  if (int result = RandomSource::fill(&random, serial.data(), serial.size()); result != 0) return result;
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3f) | 0x40);

  X509Writer writer;
  mbedtls_x509write_cert* certificate = &writer.certificate;
  mbedtls_x509write_crt_set_version(certificate, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(certificate, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(certificate, &pair.key);
  mbedtls_x509write_crt_set_issuer_key(certificate, pair.signer());
  if (int result = mbedtls_x509write_crt_set_subject_name(certificate, "CN=pollrtc"); result != 0)
    return result;
  if (int result = mbedtls_x509write_crt_set_issuer_name(certificate, "CN=pollrtc"); result != 0)
    return result;
  if (int result = set_serial(*certificate, serial); result != 0) return result;
  // One day back, since clocks of the two ends differ.
  const TimeText from = time_text(unix_time - kDay), to = time_text(unix_time + 30 * kDay);
  if (int result = mbedtls_x509write_crt_set_validity(certificate, from.text, to.text); result != 0)
    return result;

  std::array<std::uint8_t, 1024> der;  // written at its end
  const int size =
      mbedtls_x509write_crt_der(certificate, der.data(), der.size(), RandomSource::fill, &random);
  if (size < 0) return size;
  const Bytes written = Bytes(der).last(static_cast<std::size_t>(size));
  return mbedtls_x509_crt_parse_der(&pair.certificate, written.data(), written.size());
}

std::optional<HashAlgorithm> hash_of(mbedtls_md_type_t type) {
  switch (type) {
    case MBEDTLS_MD_SHA256:
      return HashAlgorithm::Sha256;
    case MBEDTLS_MD_SHA384:
      return HashAlgorithm::Sha384;
    case MBEDTLS_MD_SHA512:
      return HashAlgorithm::Sha512;
    default:
      return std::nullopt;
  }
}

template <class Digest>
std::optional<Fingerprint> as_fingerprint(HashAlgorithm hash, const std::optional<Digest>& digest) {
  if (!digest) return std::nullopt;
  Fingerprint fingerprint;
  fingerprint.hash = hash;
  std::copy(digest->begin(), digest->end(), fingerprint.bytes.begin());
  return fingerprint;
}

}  // namespace

std::optional<Fingerprint> fingerprint_of(HashAlgorithm hash, Bytes der) {
  switch (hash) {
    case HashAlgorithm::Sha256:
      return as_fingerprint(hash, crypto::sha256(der));
    case HashAlgorithm::Sha384:
      return as_fingerprint(hash, crypto::sha384(der));
    case HashAlgorithm::Sha512:
      return as_fingerprint(hash, crypto::sha512(der));
  }
  return std::nullopt;
}

Certificate::Certificate(Owned<KeyPair> key_pair) : key_pair_(std::move(key_pair)) {}
Certificate::Certificate(Certificate&&) noexcept = default;
Certificate& Certificate::operator=(Certificate&&) noexcept = default;
Certificate::~Certificate() = default;
void Certificate::forget_key() { key_pair_.reset(); }

Bytes Certificate::der() const { return {key_pair_->certificate.raw.p, key_pair_->certificate.raw.len}; }

Status Certificate::take_fingerprints() {
  const auto hash = hash_of(key_pair_->certificate.POLLRTC_MBEDTLS_FIELD(sig_md));
  for (const std::optional<HashAlgorithm> wanted : {std::optional(HashAlgorithm::Sha256), hash}) {
    if (!wanted || (!fingerprints_.empty() && fingerprints_[0].hash == *wanted)) continue;
    const auto fingerprint = fingerprint_of(*wanted, der());
    if (!fingerprint || !fingerprints_.push_back(*fingerprint))
      return fail(ErrorCode::Crypto, "hashing failed");
  }
  return {};
}

Result<Certificate> Certificate::generate(Environment& env, std::int64_t unix_time) {
  if (unix_time < kDay || unix_time > kLatest)
    return fail(ErrorCode::InvalidArgument, "the time is not between 1970 and 2100");
  if (!start_crypto()) return fail(ErrorCode::Crypto, "the crypto library does not start");
  Certificate made(Owned<KeyPair>::make(env.memory));
  if (!made.key_pair_) return fail(ErrorCode::OutOfMemory, "no memory for a key pair");
  RandomSource random{&env.rng};
  int result = generate_key(*made.key_pair_, random);
  if (result == 0) result = sign_own(*made.key_pair_, unix_time, random);
  if (random.failed) return fail(ErrorCode::NoRandomness, "no randomness for a key pair");
  if (result != 0) return fail(ErrorCode::Crypto, "no certificate could be made");
  if (Status status = made.take_fingerprints(); !status) return Unexpected{status.error()};
  return made;
}

Result<Certificate> Certificate::from_pem(Environment& env, std::string_view certificate,
                                          std::string_view private_key) {
  if (!start_crypto()) return fail(ErrorCode::Crypto, "the crypto library does not start");
  Certificate made(Owned<KeyPair>::make(env.memory));
  Buffer text(env.memory);
  if (!made.key_pair_ || !with_nul(certificate, text))
    return fail(ErrorCode::OutOfMemory, "no memory for a key pair");
  KeyPair& pair = *made.key_pair_;
  if (mbedtls_x509_crt_parse(&pair.certificate, text.data(), text.size()) != 0)
    return fail(ErrorCode::ParseFailed, "the certificate is not PEM that can be read");

  RandomSource random{&env.rng};
  Buffer key_text(env.memory);
  if (!with_nul(private_key, key_text)) return fail(ErrorCode::OutOfMemory, "no memory for a key pair");
  const Wiped wiped{key_text};
  if (parse_key(pair.key, key_text, random) != 0)
    return fail(ErrorCode::ParseFailed, "the private key is not PEM that can be read");
  if (mbedtls_pk_can_do(&pair.key, MBEDTLS_PK_ECDSA) == 0)
    return fail(ErrorCode::NotSupported, "only EC keys can sign in our cipher suites");
  if (check_pair(pair.certificate.pk, pair.key, random) != 0)
    return fail(ErrorCode::InvalidArgument, "the private key does not belong to the certificate");
  if (Status status = made.take_fingerprints(); !status) return Unexpected{status.error()};
  return made;
}

Status Certificate::write_pem(Buffer& certificate, Buffer& private_key) const {
  constexpr std::size_t kMost =
      4096;  // an EC key has a few hundred bytes, a self-signed certificate not many more
  if (!certificate.resize_discarding(kMost) || !private_key.resize_discarding(kMost))
    return fail(ErrorCode::OutOfMemory, "no memory for a certificate's text");
  std::size_t size = 0;
  if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", der().data(),
                               der().size(), certificate.data(), certificate.size(), &size) != 0 ||
      mbedtls_pk_write_key_pem(&key_pair().key, private_key.data(), private_key.size()) != 0)
    return fail(ErrorCode::Crypto, "the certificate cannot be written as text");
  certificate.truncate(size - 1);  // both writers end with a NUL
  const std::uint8_t* const end = std::find(private_key.data(), private_key.data() + private_key.size(), 0);
  private_key.truncate(static_cast<std::size_t>(end - private_key.data()));
  return {};
}

}  // namespace pollrtc::dtls
