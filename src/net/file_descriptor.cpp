#include "net/file_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace pollrtc::net {

FileDescriptor::~FileDescriptor() {
  // Not retried after EINTR: on Linux the descriptor is gone by then, and its number may be someone else's.
  if (fd_ >= 0) ::close(fd_);
}

FileDescriptor FileDescriptor::open_for_reading(const char* path) {
  for (;;) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 || errno != EINTR) return FileDescriptor(fd);
  }
}

std::size_t FileDescriptor::read(MutBytes out) const {
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t got = ::read(fd_, out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

}  // namespace pollrtc::net
