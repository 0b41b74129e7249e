#include "ice/turn_auth.h"

namespace pollrtc::turn {

using stun::Attribute;

bool LongTermAuth::is_bid_down(const stun::Message& response) {
  const auto features = stun::security_features(response.text(Attribute::Nonce).value_or(""));
  return features && features->password_algorithms && !response.has(Attribute::PasswordAlgorithms);
}

// §14.11  | algorithm:16 | parameters size:16 | parameters, padded | repeated. RFC 8656 §6: SHA-256 when
// both are there; neither it nor MD5 has parameters.
std::optional<LongTermAuth::Algorithm> LongTermAuth::choose(Bytes offered) {
  std::optional<Algorithm> choice;
  ByteReader r(offered);
  while (!r.rest().empty()) {
    const std::uint16_t algorithm = r.u16();
    const std::size_t size = r.u16();
    r.skip(padded4(size));
    if (!r.ok()) return std::nullopt;
    if (size != 0) continue;
    if (algorithm == static_cast<std::uint16_t>(Algorithm::Sha256)) choice = Algorithm::Sha256;
    if (algorithm == static_cast<std::uint16_t>(Algorithm::Md5) && !choice) choice = Algorithm::Md5;
  }
  return choice;
}

LongTermAuth::Verdict LongTermAuth::challenge(const stun::Message& error, int code) {
  const auto nonce = error.text(Attribute::Nonce);
  auto realm = error.text(Attribute::Realm);
  if (!realm && code == 438 && is_challenged_) realm = as_text(realm_);
  if (!nonce || !realm) return Verdict::Malformed;
  if (is_bid_down(error)) return Verdict::BidDown;
  const auto offered = error.value_of(Attribute::PasswordAlgorithms);
  const auto algorithm = offered ? choose(*offered) : std::optional(Algorithm::None);
  if (!algorithm) return Verdict::NoAlgorithm;
  // A second 401 for the same user, realm and password: asking again would change nothing.
  if (code == 401 && is_challenged_ && equal(as_bytes(*realm), realm_)) return Verdict::WrongCredentials;

  const auto features = stun::security_features(*nonce);
  const bool is_new_realm = realm->data() != as_text(realm_).data();
  if (!nonce_.assign(as_bytes(*nonce)) || (is_new_realm && !realm_.assign(as_bytes(*realm))) ||
      !algorithms_.assign(offered.value_or(Bytes{})))
    return Verdict::OutOfMemory;
  algorithm_ = *algorithm;
  is_anonymous_ = features && features->username_anonymity;
  is_challenged_ = true;
  return derive_key() ? Verdict::Retry : Verdict::OutOfMemory;
}

bool LongTermAuth::derive_key() {
  const std::string_view user = as_text(account_.username), realm = as_text(realm_),
                         password = as_text(account_.password);
  if (is_anonymous_) {
    const auto hash = stun::userhash(user, realm);
    if (!hash) return false;
    userhash_ = *hash;
  }
  if (algorithm_ == Algorithm::Sha256) {
    const auto key = stun::long_term_key_sha256(user, realm, password);
    if (key) std::copy(key->begin(), key->end(), key_.begin());
    return key.has_value();
  }
  const auto key = stun::long_term_key(user, realm, password);
  if (key) std::copy(key->begin(), key->end(), key_.begin());
  return key.has_value();
}

void LongTermAuth::reset() {
  is_challenged_ = false;
  nonce_.clear();
  realm_.clear();
}

void LongTermAuth::sign(stun::Writer& writer) const {
  if (!is_challenged_) return;
  if (is_anonymous_) {
    writer.value(Attribute::Userhash, userhash_);
  } else {
    writer.value(Attribute::Username, account_.username);
  }
  writer.value(Attribute::Realm, realm_);
  writer.value(Attribute::Nonce, nonce_);
  if (algorithm_ == Algorithm::None) return writer.integrity(key());
  // §9.2.5: the list as it came, so that the server sees what a man in the middle made of it.
  writer.value(Attribute::PasswordAlgorithms, algorithms_);
  writer.u32(Attribute::PasswordAlgorithm, std::uint32_t{static_cast<std::uint16_t>(algorithm_)} << 16);
  writer.integrity_sha256(key());
}

bool LongTermAuth::is_authentic(const stun::Message& response) const {
  const stun::Integrity wanted =
      algorithm_ == Algorithm::None ? stun::Integrity::Sha1 : stun::Integrity::Sha256;
  return is_challenged_ && stun::integrity_of(response) == wanted &&
         stun::verify_integrity(response, wanted, key());
}

}  // namespace pollrtc::turn
