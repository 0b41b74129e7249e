// One instruction does four of the eighty rounds, with a function that its operand names; two more make four words of the
// message schedule from the sixteen before them. Read first: FIPS 180-4 §6.1.2, and Intel's "SHA Extensions" (2013).
#include "crypto/sha1_hardware.h"

// gcc can ask the processor at run time; clang must be told that it is there.
#if defined(__x86_64__) && defined(__GNUC__) && (defined(__SHA__) || !defined(__clang__))
#define POLLRTC_SHA1_X86 1
#include <immintrin.h>
#endif

namespace pollrtc::crypto::detail {

#if defined(POLLRTC_SHA1_X86)
#define POLLRTC_WITH_SHA [[gnu::target("sha,sse4.1,ssse3"), gnu::always_inline]] inline
namespace {

struct Working {
  __m128i abcd;    // a in the highest word
  __m128i before;  // the same four rounds ago: its a, rotated, is the e of now
  __m128i w[4];    // the last sixteen words of the schedule
};

// Rounds 4 * kGroup to 4 * kGroup + 3.
template <int kGroup>
POLLRTC_WITH_SHA void four_rounds(Working& at, __m128i first_e) {
  __m128i& words = at.w[kGroup % 4];
  if constexpr (kGroup >= 4) {
    const __m128i sum =
        _mm_xor_si128(_mm_sha1msg1_epu32(words, at.w[(kGroup + 1) % 4]), at.w[(kGroup + 2) % 4]);
    words = _mm_sha1msg2_epu32(sum, at.w[(kGroup + 3) % 4]);
  }
  __m128i e;
  if constexpr (kGroup == 0)
    e = _mm_add_epi32(first_e, words);
  else
    e = _mm_sha1nexte_epu32(at.before, words);
  at.before = at.abcd;
  at.abcd = _mm_sha1rnds4_epu32(at.abcd, e, kGroup / 5);
}

template <int kFirst>
POLLRTC_WITH_SHA void twenty_rounds(Working& at, __m128i first_e) {
  four_rounds<kFirst>(at, first_e);
  four_rounds<kFirst + 1>(at, first_e);
  four_rounds<kFirst + 2>(at, first_e);
  four_rounds<kFirst + 3>(at, first_e);
  four_rounds<kFirst + 4>(at, first_e);
}

}  // namespace

bool has_sha1_instructions() {
#if defined(__SHA__)
  return true;
#else
  return __builtin_cpu_supports("sha") != 0 && __builtin_cpu_supports("sse4.1") != 0;
#endif
}

[[gnu::target("sha,sse4.1,ssse3")]] void sha1_by_instructions(Sha1State& state, const std::uint8_t* blocks,
                                                              std::size_t count) {
  const __m128i to_words = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);  // the first one highest
  __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data())), 0x1B);
  __m128i e = _mm_set_epi32(static_cast<int>(state[4]), 0, 0, 0);
  for (; count != 0; --count, blocks += 64) {
    Working at{abcd, abcd, {}};
    for (int i = 0; i < 4; ++i)
      at.w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks) + i), to_words);
    twenty_rounds<0>(at, e);
    twenty_rounds<5>(at, e);
    twenty_rounds<10>(at, e);
    twenty_rounds<15>(at, e);
    e = _mm_sha1nexte_epu32(at.before, e);
    abcd = _mm_add_epi32(abcd, at.abcd);
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_shuffle_epi32(abcd, 0x1B));
  state[4] = static_cast<std::uint32_t>(_mm_extract_epi32(e, 3));
}

#else

bool has_sha1_instructions() { return false; }
void sha1_by_instructions(Sha1State&, const std::uint8_t*, std::size_t) {}

#endif

}  // namespace pollrtc::crypto::detail
