#include "pollrtc/environment.h"

#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/assert.h"

namespace pollrtc {

Memory default_memory() {
  Memory memory;
  memory.allocate = [](void*, std::size_t bytes, std::size_t align) {
    return ::operator new(bytes, std::align_val_t(align), std::nothrow);
  };
  memory.release = [](void*, void* block, std::size_t, std::size_t align) {
    ::operator delete(block, std::align_val_t(align));
  };
  return memory;
}

#if defined(POLLRTC_ASSERTS) && POLLRTC_ASSERTS
void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, expression);
  std::abort();
}
#endif

}  // namespace pollrtc
