#include "crypto/digest.h"

#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha1.h>
#include <mbedtls/version.h>

#include <algorithm>

namespace pollrtc::crypto {
namespace {

template <class Digest>
std::optional<Digest> hmac(mbedtls_md_type_t type, Bytes key, Bytes data) {
  Digest digest;
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(type);
  if (info == nullptr) return std::nullopt;
  if (mbedtls_md_hmac(info, key.data(), key.size(), data.data(), data.size(), digest.data()) != 0)
    return std::nullopt;
  return digest;
}

template <class Digest>
std::optional<Digest> hash(mbedtls_md_type_t type, Bytes data) {
  Digest digest;
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(type);
  if (info == nullptr || mbedtls_md(info, data.data(), data.size(), digest.data()) != 0) return std::nullopt;
  return digest;
}

#if defined(MBEDTLS_SHA1_C)
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
constexpr auto sha1_starts = mbedtls_sha1_starts;
constexpr auto sha1_update = mbedtls_sha1_update;
constexpr auto sha1_finish = mbedtls_sha1_finish;
#else
constexpr auto sha1_starts = mbedtls_sha1_starts_ret;
constexpr auto sha1_update = mbedtls_sha1_update_ret;
constexpr auto sha1_finish = mbedtls_sha1_finish_ret;
#endif
using Sha1Block = std::array<std::uint8_t, 64>;

// H(pad, data), RFC 2104 §2.
bool sha1_of(const Sha1Block& pad, Bytes data, Sha1& out) {
  mbedtls_sha1_context context;
  mbedtls_sha1_init(&context);
  const bool ok = sha1_starts(&context) == 0 && sha1_update(&context, pad.data(), pad.size()) == 0 &&
                  sha1_update(&context, data.data(), data.size()) == 0 &&
                  sha1_finish(&context, out.data()) == 0;
  mbedtls_sha1_free(&context);
  return ok;
}
#endif

}  // namespace

// Each check of consent takes two, of each connection every few seconds for ever, and mbedtls_md_hmac() asks for memory
// three times; so SHA-1 itself is used, where there is one that can be.
std::optional<Sha1> hmac_sha1(Bytes key, Bytes data) {
#if defined(MBEDTLS_SHA1_C)
  if (key.size() > sizeof(Sha1Block)) return hmac<Sha1>(MBEDTLS_MD_SHA1, key, data);
  Sha1Block inner{}, outer{};
  std::copy(key.begin(), key.end(), inner.begin());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    outer[i] = static_cast<std::uint8_t>(inner[i] ^ 0x5c);
    inner[i] = static_cast<std::uint8_t>(inner[i] ^ 0x36);
  }
  Sha1 digest;
  const bool ok = sha1_of(inner, data, digest) && sha1_of(outer, digest, digest);
  wipe(inner.data(), inner.size());
  wipe(outer.data(), outer.size());
  return ok ? std::optional(digest) : std::nullopt;
#else
  return hmac<Sha1>(MBEDTLS_MD_SHA1, key, data);
#endif
}
std::optional<Sha256> hmac_sha256(Bytes key, Bytes data) {
  return hmac<Sha256>(MBEDTLS_MD_SHA256, key, data);
}
std::optional<Md5> md5(Bytes data) { return hash<Md5>(MBEDTLS_MD_MD5, data); }
std::optional<Sha256> sha256(Bytes data) { return hash<Sha256>(MBEDTLS_MD_SHA256, data); }
std::optional<Sha384> sha384(Bytes data) { return hash<Sha384>(MBEDTLS_MD_SHA384, data); }
std::optional<Sha512> sha512(Bytes data) { return hash<Sha512>(MBEDTLS_MD_SHA512, data); }

bool equal_constant_time(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

void wipe(void* bytes, std::size_t size) { mbedtls_platform_zeroize(bytes, size); }

}  // namespace pollrtc::crypto
