// POLLRTC_ASSERT(x): a broken invariant of our own code. Bytes from the network and wrong calls must never reach one.
// Compiled in when POLLRTC_ASSERTS is 1 (tests, fuzzing, debug builds); elsewhere it costs nothing.
#pragma once

#if defined(POLLRTC_ASSERTS) && POLLRTC_ASSERTS
namespace pollrtc {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}
#define POLLRTC_ASSERT(x) ((x) ? static_cast<void>(0) : ::pollrtc::assertion_failed(#x, __FILE__, __LINE__))
#else
#define POLLRTC_ASSERT(x) static_cast<void>(0)
#endif
