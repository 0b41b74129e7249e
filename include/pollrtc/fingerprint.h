// The fingerprint of a certificate (RFC 8122 §5), as `dtls` computes it and `sdp` reads and writes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc {

// The hashes we compute, weakest first, so that a larger one is preferred. RFC 8122 §5 forbids md5 and md2;
// sha-1 and sha-224 are left out by choice.
enum class HashAlgorithm : std::uint8_t { Sha256, Sha384, Sha512 };

// In bytes.
constexpr std::size_t hash_size(HashAlgorithm hash) {
  return hash == HashAlgorithm::Sha256 ? 32 : hash == HashAlgorithm::Sha384 ? 48 : 64;
}

// The hash of a certificate.
struct Fingerprint {
  HashAlgorithm hash = HashAlgorithm::Sha256;  // the one it was made with
  std::array<std::uint8_t, 64>
      bytes{};  // the first size() of them; the others are zero, so that == is of all fields

  constexpr std::size_t size() const { return hash_size(hash); }  // in bytes, by the algorithm
  // the bytes that count; good as long as the object
  constexpr Bytes view() const { return Bytes(bytes).first(size()); }
  friend constexpr bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

}  // namespace pollrtc
