// MemoryPool: memory that is given back waits here for whoever asks for as much next, so that steady traffic allocates
// nothing. It stands between an engine and Environment::memory, with the same two calls.
//
// Of bytes, which is what asks for no alignment: messages and their fragments come and go, while tables grow and stay, and what
// they leave behind as they grow nobody would ask for again.
//
// Sizes are rounded up to a class, eight to each doubling, so a ninth is lost at the most. What waits and what is in use
// are at most `most` bytes together; when more is in use nothing waits, so the pool adds nothing to the most that is held.
#pragma once

#include <array>

#include "pollrtc/environment.h"

namespace pollrtc {

class MemoryPool {
 public:
  static constexpr std::size_t kClasses = 8 * 13 + 1;  // of sizes: 16, 18, 20 ... 30, 32, 36 ... 131072
  // What the pool itself takes while something waits.
  static constexpr std::size_t kListBytes = kClasses * sizeof(void*);

  MemoryPool(const Memory& source, std::size_t most) : source_(source), most_(most) {}
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  ~MemoryPool() { trim(); }

  // Good as long as this object, which must outlive all that was allocated.
  Memory memory();
  // Gives back all that waits.
  void trim();
  std::size_t waiting_bytes() const { return waiting_; }
  const Memory& source() const { return source_; }

 private:
  static constexpr std::size_t kSmallest = 16, kLargest = 128 * 1024;
  struct Free {
    Free* next;
  };
  struct Class {
    std::size_t index, bytes;
  };
  static Class class_of(std::size_t bytes);
  static std::size_t bytes_of(std::size_t index);
  static bool is_pooled(std::size_t bytes, std::size_t align) { return bytes <= kLargest && align == 1; }
  static void* allocate(void* context, std::size_t bytes, std::size_t align);
  static void release(void* context, void* block, std::size_t bytes, std::size_t align);

  Memory source_;
  std::size_t most_;
  std::size_t waiting_ = 0, used_ = 0;
  using Lists = std::array<Free*, kClasses>;
  static_assert(sizeof(Lists) == kListBytes);
  Lists* make_lists();
  Lists* lists_ = nullptr;  // of what waits; made when something does, so an idle connection has none
};

}  // namespace pollrtc
