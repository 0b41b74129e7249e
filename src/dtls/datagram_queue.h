// DatagramQueue: datagrams that wait, bounded in number and in bytes. What does not fit is refused, never
// squeezed in.
#pragma once

#include "base/memory.h"

namespace pollrtc::dtls {

class DatagramQueue {
 public:
  DatagramQueue(const Memory& memory, std::size_t max_count, std::size_t max_bytes)
      : memory_(memory), items_(memory), max_count_(max_count), max_bytes_(max_bytes) {}

  // False: it is full, or there is no memory.
  [[nodiscard]] bool push(Bytes datagram) {
    if (items_.size() >= max_count_ || datagram.size() > max_bytes_ - bytes_) return false;
    Buffer copy(memory_);
    if (!copy.assign(datagram) || !items_.push_back(std::move(copy))) return false;
    bytes_ += datagram.size();
    return true;
  }
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  Bytes front() const { return items_.front(); }
  Buffer take_front() {
    Buffer datagram = std::move(items_.front());
    bytes_ -= datagram.size();
    items_.pop_front();
    return datagram;
  }
  void clear() {
    items_.clear();
    bytes_ = 0;
  }
  // As clear(), and its memory goes as well.
  void release() {
    items_ = Ring<Buffer>(memory_);
    bytes_ = 0;
  }

 private:
  Memory memory_;
  Ring<Buffer> items_;
  std::size_t max_count_, max_bytes_, bytes_ = 0;
};

}  // namespace pollrtc::dtls
