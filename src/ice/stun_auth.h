// Who wrote a message, and whether it is STUN at all: MESSAGE-INTEGRITY in both forms and FINGERPRINT.
// RFC 8489 §9 (mechanisms), §14.5 to §14.7.
#pragma once

#include "crypto/digest.h"
#include "ice/stun_message.h"

namespace pollrtc::stun {

enum class Integrity : std::uint8_t { None, Sha1, Sha256 };

// Which integrity attribute speaks for the message: the stronger when there are both (RFC 8489 §9.1.3).
Integrity integrity_of(const Message& message);

// Does the attribute of that kind match the key? In constant time. A SHA-256 one that is cut short counts as wrong,
// since ICE allows no truncation (§14.6).
bool verify_integrity(const Message& message, Integrity kind, Bytes key);

// True only when it is there and right.
bool verify_fingerprint(const Message& message);

// Long-term credentials (§9.2.2, §18.5.1): MD5(user ":" realm ":" password), or SHA-256 of the same. Nothing when the
// texts are too long or the hash is missing.
std::optional<crypto::Md5> long_term_key(std::string_view user, std::string_view realm,
                                         std::string_view password);
std::optional<crypto::Sha256> long_term_key_sha256(std::string_view user, std::string_view realm,
                                                   std::string_view password);
// What stands in for the name of a user who wants to stay unknown (§14.4): SHA-256(user ":" realm).
std::optional<crypto::Sha256> userhash(std::string_view user, std::string_view realm);

// The nonce of a server that speaks RFC 8489 begins with a cookie, which says what the server can do (§9.2, §18.1).
// Nothing when there is no cookie.
struct SecurityFeatures {
  bool password_algorithms = false;  // PASSWORD-ALGORITHMS must be there, or somebody took it out
  bool username_anonymity = false;   // USERHASH is to be used
};
std::optional<SecurityFeatures> security_features(std::string_view nonce);

}  // namespace pollrtc::stun
