#include "ice/stun_auth.h"

#include <initializer_list>

#include "base/crc.h"

namespace pollrtc::stun {

namespace {

// The message up to `end`, with the Length of a message that ends `behind` bytes further on: what an HMAC covers.
Bytes covered(const Message& message, std::size_t end, std::size_t behind,
              std::array<std::uint8_t, kMaxMessage>& copy) {
  std::copy_n(message.bytes().begin(), end, copy.begin());
  store_u16(copy.data() + 2, static_cast<std::uint16_t>(end + behind - kHeaderSize));
  return Bytes(copy).first(end);
}

using Text = std::array<std::uint8_t, 2048>;  // a user name, a realm and a password at their longest

// The parts with a colon between them; empty when they do not fit.
Bytes join(std::initializer_list<std::string_view> parts, Text& text) {
  ByteWriter w(text);
  bool is_first = true;
  for (const std::string_view part : parts) {
    if (!is_first) w.u8(':');
    is_first = false;
    w.bytes(as_bytes(part));
  }
  return w.ok() ? Bytes(w.written()) : Bytes{};
}

std::optional<std::uint32_t> base64_digit(char c) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t at = kDigits.find(c);
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<std::uint32_t>(at));
}

}  // namespace

Integrity integrity_of(const Message& message) {
  if (message.integrity_sha256_at() != 0) return Integrity::Sha256;
  return message.integrity_at() != 0 ? Integrity::Sha1 : Integrity::None;
}

bool verify_integrity(const Message& message, Integrity kind, Bytes key) {
  std::array<std::uint8_t, kMaxMessage> copy;
  if (kind == Integrity::Sha1 && message.integrity_at() != 0) {
    const Bytes given = *message.value_of(Attribute::MessageIntegrity);
    const auto mac = crypto::hmac_sha1(key, covered(message, message.integrity_at(), 4 + given.size(), copy));
    return mac && crypto::equal_constant_time(*mac, given);
  }
  if (kind == Integrity::Sha256 && message.integrity_sha256_at() != 0) {
    const Bytes given = *message.value_of(Attribute::MessageIntegritySha256);
    if (given.size() != 32) return false;
    const auto mac =
        crypto::hmac_sha256(key, covered(message, message.integrity_sha256_at(), 4 + given.size(), copy));
    return mac && crypto::equal_constant_time(*mac, given);
  }
  return false;
}

bool verify_fingerprint(const Message& message) {
  if (message.fingerprint_at() == 0) return false;
  // It is the last attribute, so the Length in the header is already the one it was computed with.
  const std::uint32_t crc = crc32(message.bytes().first(message.fingerprint_at())) ^ kFingerprintXor;
  return message.u32(Attribute::Fingerprint) == crc;
}

std::optional<crypto::Md5> long_term_key(std::string_view user, std::string_view realm,
                                         std::string_view password) {
  Text text;
  const Bytes joined = join({user, realm, password}, text);
  return joined.empty() ? std::nullopt : crypto::md5(joined);
}

std::optional<crypto::Sha256> long_term_key_sha256(std::string_view user, std::string_view realm,
                                                   std::string_view password) {
  Text text;
  const Bytes joined = join({user, realm, password}, text);
  return joined.empty() ? std::nullopt : crypto::sha256(joined);
}

std::optional<crypto::Sha256> userhash(std::string_view user, std::string_view realm) {
  Text text;
  const Bytes joined = join({user, realm}, text);
  return joined.empty() ? std::nullopt : crypto::sha256(joined);
}

std::optional<SecurityFeatures> security_features(std::string_view nonce) {
  constexpr std::string_view kCookie = "obMatJos2";
  if (nonce.size() < kCookie.size() + 4 || !nonce.starts_with(kCookie)) return std::nullopt;
  std::uint32_t bits = 0;
  for (const char c : nonce.substr(kCookie.size(), 4)) {
    const std::optional<std::uint32_t> six = base64_digit(c);
    if (!six) return std::nullopt;
    bits = bits << 6 | *six;
  }
  return SecurityFeatures{(bits & 1u << 23) != 0, (bits & 1u << 22) != 0};  // bit 0 is the first of the 24
}

}  // namespace pollrtc::stun
