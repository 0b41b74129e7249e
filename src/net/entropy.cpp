#include "net/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
#include <sys/random.h>
#define POLLRTC_HAS_GETRANDOM 1
#elif defined(__APPLE__)
#include <sys/random.h>
#define POLLRTC_HAS_GETENTROPY 1
#elif defined(__OpenBSD__)
#define POLLRTC_HAS_GETENTROPY 1
#endif

#include "net/file_descriptor.h"

namespace pollrtc::net {
namespace {

// What getrandom and getentropy both give in one call, whole.
constexpr std::size_t kPiece = 256;

// Reads until `out` is full; false at the first error or end of file.
bool fill_from_device(MutBytes out) {
  const FileDescriptor device = FileDescriptor::open_for_reading("/dev/urandom");
  return device.is_open() && device.read(out) == out.size();
}

bool fill_piece(MutBytes out) {
#if defined(POLLRTC_HAS_GETRANDOM)
  for (;;) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got == static_cast<ssize_t>(out.size())) return true;
    if (got >= 0 || errno == EINTR) continue;  // a part counts for nothing: the next try overwrites it
    break;                                     // ENOSYS: an old kernel, or a sandbox
  }
#elif defined(POLLRTC_HAS_GETENTROPY)
  if (getentropy(out.data(), out.size()) == 0) return true;
#endif
  return fill_from_device(out);
}

bool fill_from_system(void*, MutBytes out) {
  while (!out.empty()) {
    const MutBytes piece = out.first(std::min(out.size(), kPiece));
    if (!fill_piece(piece)) return false;
    out = out.subspan(piece.size());
  }
  return true;
}

}  // namespace

Rng system_rng() { return {fill_from_system, nullptr}; }

}  // namespace pollrtc::net
