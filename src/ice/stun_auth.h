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

// Long-term credentials (§9.2.2): MD5(user ":" realm ":" password). Nothing when the texts are too long or MD5 is missing.
std::optional<crypto::Md5> long_term_key(std::string_view user, std::string_view realm,
                                         std::string_view password);

}  // namespace pollrtc::stun
