// JSON lines on file descriptors that other programs hold the far end of. Nothing here blocks, and the descriptors are
// left in the mode they came in: O_NONBLOCK would also change them for whoever shares them with us, a shell's terminal
// above all. Instead a descriptor is read once, or written at most PIPE_BUF bytes, each time poll() says that it may be.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "pollrtc/json.h"

namespace pollrtc::tool {

class LineWriter {
 public:
  explicit LineWriter(int fd) : fd_(fd) {}

  // Writes the line at once, or as much of it as the reader takes; the rest follows with write_some().
  void put(const Json& line);
  void write_some();
  bool is_pending() const { return sent_ < waiting_.size() && !is_broken_; }
  std::size_t waiting() const { return waiting_.size() - sent_; }  // bytes
  int fd() const { return fd_; }
  // Waits until everything is written, `limit` at most.
  void drain(std::chrono::milliseconds limit);

 private:
  int fd_;
  std::string waiting_;
  std::size_t sent_ = 0;
  bool is_broken_ = false;
};

class LineReader {
 public:
  enum class Status { Open, End, TooLong };
  static constexpr std::size_t kMaxLine = 1 << 20;

  explicit LineReader(int fd) : fd_(fd) {}

  // Reads once and hands on every line that is whole, without its end. Call it when poll() says that there is something.
  Status read(const std::function<void(std::string_view line)>& on_line);

 private:
  int fd_;
  std::string partial_;
};

}  // namespace pollrtc::tool
