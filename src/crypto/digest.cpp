#include "crypto/digest.h"

#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

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

}  // namespace

std::optional<Sha1> hmac_sha1(Bytes key, Bytes data) { return hmac<Sha1>(MBEDTLS_MD_SHA1, key, data); }
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
