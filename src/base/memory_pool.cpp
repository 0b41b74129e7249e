#include "base/memory_pool.h"

#include <algorithm>
#include <bit>
#include <new>

namespace pollrtc {
namespace {

constexpr std::size_t kAlign = alignof(std::max_align_t);

}  // namespace

Memory MemoryPool::memory() { return {allocate, release, this}; }

MemoryPool::Class MemoryPool::class_of(std::size_t bytes) {
  if (bytes <= kSmallest) return {0, kSmallest};
  const auto octave = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^octave <= bytes - 1
  const std::size_t step = std::size_t{1} << (octave - 3);
  const std::size_t eighth = (bytes - 1 - (std::size_t{1} << octave)) / step;
  constexpr std::size_t kFirstOctave = std::bit_width(kSmallest) - 1;
  return {(octave - kFirstOctave) * 8 + eighth + 1, (std::size_t{1} << octave) + (eighth + 1) * step};
}

void* MemoryPool::allocate(void* context, std::size_t bytes, std::size_t align) {
  MemoryPool& self = *static_cast<MemoryPool*>(context);
  if (!is_pooled(bytes, align)) return self.source_.allocate(self.source_.context, bytes, align);
  const Class of = class_of(bytes);
  Free* const block = self.lists_ == nullptr ? nullptr : (*self.lists_)[of.index];
  if (block == nullptr) {
    if (self.waiting_ != 0 && self.used_ + self.waiting_ + of.bytes > self.most_) self.trim();
    void* const fresh = self.source_.allocate(self.source_.context, of.bytes, kAlign);
    if (fresh != nullptr) self.used_ += of.bytes;
    return fresh;
  }
  self.used_ += of.bytes;
  (*self.lists_)[of.index] = block->next;
  self.waiting_ -= of.bytes;
  return block;
}

void MemoryPool::release(void* context, void* block, std::size_t bytes, std::size_t align) {
  MemoryPool& self = *static_cast<MemoryPool*>(context);
  if (!is_pooled(bytes, align)) return self.source_.release(self.source_.context, block, bytes, align);
  const Class of = class_of(bytes);
  self.used_ -= of.bytes;
  Lists* const lists = self.used_ + self.waiting_ + of.bytes > self.most_ ? nullptr : self.make_lists();
  if (lists == nullptr) return self.source_.release(self.source_.context, block, of.bytes, kAlign);
  Free*& first = (*lists)[of.index];
  first = new (block) Free{first};
  self.waiting_ += of.bytes;
}

// Null: no memory for them, so nothing can wait.
MemoryPool::Lists* MemoryPool::make_lists() {
  if (lists_ != nullptr) return lists_;
  void* const block = source_.allocate(source_.context, sizeof(Lists), alignof(Lists));
  if (block != nullptr) lists_ = new (block) Lists{};
  return lists_;
}

// The inverse of class_of().
std::size_t MemoryPool::bytes_of(std::size_t index) {
  if (index == 0) return kSmallest;
  const std::size_t octave = (index - 1) / 8, eighth = (index - 1) % 8;
  return (kSmallest << octave) + (eighth + 1) * ((kSmallest / 8) << octave);
}

void MemoryPool::trim() {
  if (lists_ == nullptr) return;
  for (std::size_t i = 0; i < kClasses; ++i) {
    while (Free* const block = (*lists_)[i]) {
      (*lists_)[i] = block->next;
      source_.release(source_.context, block, bytes_of(i), kAlign);
    }
  }
  source_.release(source_.context, lists_, sizeof(Lists), alignof(Lists));
  lists_ = nullptr;
  waiting_ = 0;
}

}  // namespace pollrtc
