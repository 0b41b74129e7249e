// The hashes the protocols need: HMAC-SHA1 and HMAC-SHA256 (STUN, SCTP's cookie), SHA-2 (fingerprints), MD5 (TURN keys);
// and two services for secrets.
#pragma once

#include <array>
#include <optional>

#include "pollrtc/types.h"

namespace pollrtc::crypto {

using Md5 = std::array<std::uint8_t, 16>;
using Sha1 = std::array<std::uint8_t, 20>;
using Sha256 = std::array<std::uint8_t, 32>;
using Sha384 = std::array<std::uint8_t, 48>;
using Sha512 = std::array<std::uint8_t, 64>;

// Nothing when the library refuses (no memory, or the hash was left out of its build).
std::optional<Sha1> hmac_sha1(Bytes key, Bytes data);
// The same without the processor's help: what is computed where it offers none.
std::optional<Sha1> hmac_sha1_by_library(Bytes key, Bytes data);
std::optional<Sha256> hmac_sha256(Bytes key, Bytes data);
std::optional<Md5> md5(Bytes data);
std::optional<Sha256> sha256(Bytes data);
std::optional<Sha384> sha384(Bytes data);
std::optional<Sha512> sha512(Bytes data);

// Takes the same time whatever the bytes are, so that a guess learns nothing from how long a refusal takes.
bool equal_constant_time(Bytes a, Bytes b);

// Writes zeros, though nobody reads them again: for a secret in memory that is given back.
void wipe(void* bytes, std::size_t size);

}  // namespace pollrtc::crypto
