// The numbers of SCTP as types of their own: a TSN cannot become an SSN, nor a stream id a port (RFC 9260
// §1.6, §3.3).
#pragma once

#include <cstdint>

#include "base/serial.h"

namespace pollrtc::sctp {

using Tsn = Serial<struct TsnKind, std::uint32_t>;
using Ssn = Serial<struct SsnKind, std::uint16_t>;
using Mid = Serial<struct MidKind, std::uint32_t>;  // RFC 8260 §2.1: of a message, takes the place of the SSN
using Fsn = Serial<struct FsnKind, std::uint32_t>;  // of a fragment in its message
using ReconfigSeq =
    Serial<struct ReconfigSeqKind, std::uint32_t>;  // RFC 6525 §4.1: numbers of re-configuration requests

enum class StreamId : std::uint16_t {};
enum class Ppid : std::uint32_t {};
enum class VerificationTag : std::uint32_t {};  // 0 on the wire: none yet

constexpr std::uint16_t value_of(StreamId stream) { return static_cast<std::uint16_t>(stream); }
constexpr std::uint32_t value_of(Ppid ppid) { return static_cast<std::uint32_t>(ppid); }
constexpr std::uint32_t value_of(VerificationTag tag) { return static_cast<std::uint32_t>(tag); }

}  // namespace pollrtc::sctp
