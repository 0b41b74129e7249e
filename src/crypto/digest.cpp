#include "crypto/digest.h"

#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha1.h>
#include <mbedtls/version.h>

#include <algorithm>

#include "base/bytes.h"
#include "crypto/sha1_hardware.h"

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

using Sha1Block = std::array<std::uint8_t, 64>;

// H(pad, data), RFC 2104 §2, with the processor's help: the last block or two hold the rest, a 1 bit, and the size in bits
// (FIPS 180-4 §5.1.1).
bool sha1_by_instructions(const Sha1Block& pad, Bytes data, Sha1& out) {
  detail::Sha1State state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  detail::sha1_by_instructions(state, pad.data(), 1);
  const std::size_t whole = data.size() / pad.size(), rest = data.size() % pad.size();
  detail::sha1_by_instructions(state, data.data(), whole);
  std::array<std::uint8_t, 128> end{};
  std::copy(data.end() - static_cast<std::ptrdiff_t>(rest), data.end(), end.begin());
  end[rest] = 0x80;
  const std::size_t blocks = rest < 56 ? 1 : 2;
  store_u64(end.data() + blocks * 64 - 8, std::uint64_t{pad.size() + data.size()} * 8);
  detail::sha1_by_instructions(state, end.data(), blocks);
  for (std::size_t i = 0; i < state.size(); ++i) store_u32(out.data() + 4 * i, state[i]);
  return true;
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

// The same by Mbed TLS.
bool sha1_by_library(const Sha1Block& pad, Bytes data, Sha1& out) {
  mbedtls_sha1_context context;
  mbedtls_sha1_init(&context);
  const bool ok = sha1_starts(&context) == 0 && sha1_update(&context, pad.data(), pad.size()) == 0 &&
                  sha1_update(&context, data.data(), data.size()) == 0 &&
                  sha1_finish(&context, out.data()) == 0;
  mbedtls_sha1_free(&context);
  return ok;
}
#endif

// `hash` is H above; the key is no longer than a block.
template <class Hash>
std::optional<Sha1> hmac_by(Hash hash, Bytes key, Bytes data) {
  Sha1Block inner{}, outer{};
  std::copy(key.begin(), key.end(), inner.begin());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    outer[i] = static_cast<std::uint8_t>(inner[i] ^ 0x5c);
    inner[i] = static_cast<std::uint8_t>(inner[i] ^ 0x36);
  }
  Sha1 digest;
  const bool ok = hash(inner, data, digest) && hash(outer, digest, digest);
  wipe(inner.data(), inner.size());
  wipe(outer.data(), outer.size());
  return ok ? std::optional(digest) : std::nullopt;
}

}  // namespace

// Each check of consent takes two, of each connection every few seconds for ever. By the processor's instructions one takes
// half the time that Mbed TLS's routine does; and mbedtls_md_hmac() would ask for memory three times.
std::optional<Sha1> hmac_sha1(Bytes key, Bytes data) {
  if (key.size() > sizeof(Sha1Block) || !detail::has_sha1_instructions())
    return hmac_sha1_by_library(key, data);
  return hmac_by(sha1_by_instructions, key, data);
}

std::optional<Sha1> hmac_sha1_by_library(Bytes key, Bytes data) {
#if defined(MBEDTLS_SHA1_C)
  if (key.size() <= sizeof(Sha1Block)) return hmac_by(sha1_by_library, key, data);
#endif
  return hmac<Sha1>(MBEDTLS_MD_SHA1, key, data);
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
