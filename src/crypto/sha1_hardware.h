// SHA-1's blocks by the processor's own instructions, where it has them. For digest.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pollrtc::crypto::detail {

using Sha1State = std::array<std::uint32_t, 5>;

// Whether this processor has them; asked at run time where the compiler knows how.
bool has_sha1_instructions();
// FIPS 180-4 §6.1.2 for `count` blocks of 64 bytes. Only where the question above was answered with yes.
void sha1_by_instructions(Sha1State& state, const std::uint8_t* blocks, std::size_t count);

}  // namespace pollrtc::crypto::detail
