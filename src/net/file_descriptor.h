// FileDescriptor: owns one descriptor and closes it.
#pragma once

#include <utility>

#include "pollrtc/types.h"

namespace pollrtc::net {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  // Close-on-exec. Not open when the file cannot be read.
  static FileDescriptor open_for_reading(const char* path);

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // Reads until `out` is full, the file ends or fails; how many bytes came.
  std::size_t read(MutBytes out) const;

 private:
  int fd_ = -1;
};

}  // namespace pollrtc::net
