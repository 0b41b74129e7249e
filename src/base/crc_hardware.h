// CRC-32C by the processor's own instructions, where it has them. For crc.cpp.
#pragma once

#include "pollrtc/types.h"

namespace pollrtc::detail {

// Whether this processor has them. On x86-64 that is asked at run time; on ARM it is settled by what the compiler was told.
bool has_crc32c_instructions();
// Goes on from a state that has not been inverted. Only where the question above was answered with yes.
std::uint32_t crc32c_by_instructions(std::uint32_t state, Bytes bytes);

}  // namespace pollrtc::detail
