#include "pollrtc/line_io.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace pollrtc::tool {
namespace {

bool is_writable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLOUT, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

}  // namespace

void LineWriter::put(const Json& line) {
  if (is_broken_) return;
  // A label of the other end that is not UTF-8 must not take the line with it.
  waiting_ += to_text(line);
  waiting_ += '\n';
  write_some();
}

void LineWriter::write_some() {
  while (is_pending() && is_writable(fd_, 0)) {
    // poll() promises room for PIPE_BUF bytes, and only for those.
    const std::size_t size = std::min<std::size_t>(waiting_.size() - sent_, PIPE_BUF);
    const ssize_t written = ::write(fd_, waiting_.data() + sent_, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) is_broken_ = true;
      break;
    }
    sent_ += static_cast<std::size_t>(written);
  }
  if (!is_pending()) {
    waiting_.clear();
    sent_ = 0;
  }
}

void LineWriter::drain(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (is_pending()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0 || !is_writable(fd_, static_cast<int>(left))) return;
    write_some();
  }
}

LineReader::Status LineReader::read(const std::function<void(std::string_view)>& on_line) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return Status::Open;
  if (got <= 0) return Status::End;
  std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
  while (true) {
    const std::size_t end = rest.find('\n');
    partial_ += rest.substr(0, end);
    if (partial_.size() > kMaxLine) return Status::TooLong;
    if (end == std::string_view::npos) return Status::Open;
    std::string line;
    line.swap(partial_);
    on_line(line);
    rest.remove_prefix(end + 1);
  }
}

}  // namespace pollrtc::tool
