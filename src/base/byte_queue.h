// ByteQueue: bytes on their way into a stream, in order and bounded. Its memory comes with reserve().
#pragma once

#include "base/memory.h"

namespace pollrtc {

class ByteQueue {
 public:
  explicit ByteQueue(const Memory& memory) : bytes_(memory) {}

  [[nodiscard]] bool reserve(std::size_t limit) {
    begin_ = end_ = 0;
    return bytes_.resize_discarding(limit);
  }
  // All of them or, when there is no room, none.
  [[nodiscard]] bool append(Bytes bytes) {
    if (bytes.size() > room()) return false;
    if (bytes.size() > bytes_.size() - end_) {
      std::copy(bytes_.data() + begin_, bytes_.data() + end_, bytes_.data());
      end_ -= begin_;
      begin_ = 0;
    }
    std::copy(bytes.begin(), bytes.end(), bytes_.data() + end_);
    end_ += bytes.size();
    return true;
  }
  // Moves the oldest bytes out; how many.
  std::size_t take(MutBytes out) {
    const std::size_t count = std::min(out.size(), size());
    std::copy_n(bytes_.data() + begin_, count, out.begin());
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
    return count;
  }
  void clear() { begin_ = end_ = 0; }
  std::size_t size() const { return end_ - begin_; }
  std::size_t room() const { return bytes_.size() - size(); }

 private:
  Buffer bytes_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace pollrtc
