// POLLRTC_TEST_ASAN: this is compiled with AddressSanitizer, which gcc and clang tell in different ways.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POLLRTC_TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POLLRTC_TEST_ASAN 1
#endif
