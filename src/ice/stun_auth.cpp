#include "ice/stun_auth.h"

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
  std::array<std::uint8_t, 2048> text;
  ByteWriter w(text);
  w.bytes(as_bytes(user));
  w.u8(':');
  w.bytes(as_bytes(realm));
  w.u8(':');
  w.bytes(as_bytes(password));
  if (!w.ok()) return std::nullopt;
  return crypto::md5(w.written());
}

}  // namespace pollrtc::stun
