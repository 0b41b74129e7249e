// Two CRCs with the same shape: CRC-32 (IEEE) for STUN's FINGERPRINT, CRC-32C (Castagnoli) for SCTP's checksum.
#pragma once

#include "pollrtc/types.h"

namespace pollrtc {

std::uint32_t crc32(Bytes bytes);

// `crc32c(b, crc32c(a))` is the CRC of a followed by b.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);
// The same without the processor's help: what is computed where it offers none.
std::uint32_t crc32c_by_tables(Bytes bytes, std::uint32_t previous = 0);

}  // namespace pollrtc
