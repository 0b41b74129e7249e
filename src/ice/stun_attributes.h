// The attribute table of STUN: number, name, and the sizes a value may have. What is not in it is unknown to us, and
// then the top bit decides: below 0x8000 it must be understood, from there on it may be ignored (RFC 8489 §14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pollrtc::stun {

// name, number, smallest and largest size of a value in bytes
//
// RFC 8489 §14.3: texts are sent below 509 bytes, but are read up to 763, the longest that 128 characters could have
// been in the older encodings. PRIORITY, USE-CANDIDATE and the roles: RFC 8445 §16.1; a USE-CANDIDATE with a value is
// taken, as it means the same. Those of TURN, from CHANNEL-NUMBER to ICMP: RFC 8656 §18.
//
// Nomination is no RFC's: libwebrtc, libnice and pion write a 32-bit counter there. Of any other size it means nothing, and
// spoils nothing.
#define POLLRTC_STUN_ATTRIBUTES(X)          \
  X(MappedAddress, 0x0001, 4, 20)           \
  X(Username, 0x0006, 0, 763)               \
  X(MessageIntegrity, 0x0008, 20, 20)       \
  X(ErrorCode, 0x0009, 4, 4 + 763)          \
  X(UnknownAttributes, 0x000A, 0, 65535)    \
  X(ChannelNumber, 0x000C, 4, 4)            \
  X(Lifetime, 0x000D, 4, 4)                 \
  X(XorPeerAddress, 0x0012, 4, 20)          \
  X(Data, 0x0013, 0, 65535)                 \
  X(Realm, 0x0014, 0, 763)                  \
  X(Nonce, 0x0015, 0, 763)                  \
  X(XorRelayedAddress, 0x0016, 4, 20)       \
  X(RequestedAddressFamily, 0x0017, 4, 4)   \
  X(RequestedTransport, 0x0019, 4, 4)       \
  X(MessageIntegritySha256, 0x001C, 16, 32) \
  X(PasswordAlgorithm, 0x001D, 4, 65535)    \
  X(Userhash, 0x001E, 32, 32)               \
  X(XorMappedAddress, 0x0020, 4, 20)        \
  X(Priority, 0x0024, 4, 4)                 \
  X(UseCandidate, 0x0025, 0, 65535)         \
  X(AdditionalAddressFamily, 0x8000, 4, 4)  \
  X(AddressErrorCode, 0x8001, 4, 4 + 763)   \
  X(PasswordAlgorithms, 0x8002, 0, 65535)   \
  X(AlternateDomain, 0x8003, 0, 255)        \
  X(Icmp, 0x8004, 8, 8)                     \
  X(Software, 0x8022, 0, 763)               \
  X(AlternateServer, 0x8023, 4, 20)         \
  X(Fingerprint, 0x8028, 4, 4)              \
  X(IceControlled, 0x8029, 8, 8)            \
  X(IceControlling, 0x802A, 8, 8)           \
  X(Nomination, 0xC001, 0, 65535)

enum class Attribute : std::uint16_t {
#define X(name, number, min, max) name = number,
  POLLRTC_STUN_ATTRIBUTES(X)
#undef X
};

struct AttributeRule {
  Attribute type;
  std::string_view name;
  std::uint16_t min_size, max_size;
};

inline constexpr auto kAttributes = std::to_array<AttributeRule>({
#define X(name, number, min, max) {Attribute::name, #name, min, max},
    POLLRTC_STUN_ATTRIBUTES(X)
#undef X
});

// Where a type stands in the table; nothing when it is unknown.
constexpr std::optional<std::size_t> attribute_index(std::uint16_t type) {
  for (std::size_t i = 0; i < kAttributes.size(); ++i)
    if (static_cast<std::uint16_t>(kAttributes[i].type) == type) return i;
  return std::nullopt;
}

constexpr bool is_comprehension_required(std::uint16_t type) { return type < 0x8000; }

}  // namespace pollrtc::stun
