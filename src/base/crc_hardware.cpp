// An instruction takes eight bytes, and its result three cycles later; a new one can begin each cycle. So three parts of the
// bytes are worked on at once, and joined: the CRC of "a, then n zero bytes" is that of a times x^8n, which one carry-less
// multiplication gives. Read first: V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction"
// (Intel, 2011).
#include "base/crc_hardware.h"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define POLLRTC_CRC_X86 1
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define POLLRTC_CRC_ARM 1
#include <arm_acle.h>
#endif

namespace pollrtc::detail {

#if defined(POLLRTC_CRC_X86)
namespace {

// x^n modulo the polynomial, its bits reflected: the highest bit is x^0.
constexpr std::uint32_t power_of_x(std::uint32_t n) {
  std::uint32_t value = 0x80000000;
  for (; n != 0; --n) value = (value & 1) != 0 ? value >> 1 ^ 0x82F63B78 : value >> 1;
  return value;
}
// The reflected product comes out a bit short, and the instruction that takes it modulo the polynomial multiplies by x^32.
constexpr std::uint32_t past(std::size_t zero_bytes) {
  return power_of_x(static_cast<std::uint32_t>(zero_bytes) * 8 - 33);
}

std::uint64_t load_word(const std::uint8_t* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

[[gnu::target("sse4.2,pclmul")]] std::uint64_t times(std::uint64_t state, std::uint32_t power) {
  const __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(state)), _mm_cvtsi64_si128(power), 0);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
}

// Takes three times `kLane` bytes, as often as they are there.
template <std::size_t kLane>
[[gnu::target("sse4.2,pclmul")]] std::uint64_t in_lanes(std::uint64_t state, Bytes& bytes) {
  static_assert(kLane % 8 == 0);
  constexpr std::uint32_t kPastTwo = past(2 * kLane), kPastOne = past(kLane);
  while (bytes.size() >= 3 * kLane) {
    const std::uint8_t* at = bytes.data();
    std::uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      state = _mm_crc32_u64(state, load_word(at + i));
      second = _mm_crc32_u64(second, load_word(at + kLane + i));
      third = _mm_crc32_u64(third, load_word(at + 2 * kLane + i));
    }
    state = third ^ _mm_crc32_u64(0, times(state, kPastTwo) ^ times(second, kPastOne));
    bytes = bytes.subspan(3 * kLane);
  }
  return state;
}

}  // namespace

bool has_crc32c_instructions() {
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
}

[[gnu::target("sse4.2,pclmul")]] std::uint32_t crc32c_by_instructions(std::uint32_t state, Bytes bytes) {
  std::uint64_t wide = in_lanes<384>(state, bytes);
  wide = in_lanes<64>(wide, bytes);
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) wide = _mm_crc32_u64(wide, load_word(bytes.data()));
  auto narrow = static_cast<std::uint32_t>(wide);
  for (const std::uint8_t byte : bytes) narrow = _mm_crc32_u8(narrow, byte);
  return narrow;
}

#elif defined(POLLRTC_CRC_ARM)

bool has_crc32c_instructions() { return true; }

std::uint32_t crc32c_by_instructions(std::uint32_t state, Bytes bytes) {
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    state = __crc32cd(state, word);
  }
  for (const std::uint8_t byte : bytes) state = __crc32cb(state, byte);
  return state;
}

#else

bool has_crc32c_instructions() { return false; }
std::uint32_t crc32c_by_instructions(std::uint32_t state, Bytes) { return state; }

#endif

}  // namespace pollrtc::detail
