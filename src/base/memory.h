// Containers over pollrtc::Memory. None throws: what would have to allocate answers whether it could.
//
//   Buffer        owned bytes
//   Vec<T>        a growable array
//   Ring<T>       a growable queue: push_back, pop_front, operator[]
//   FlatMap<K,T>  a sorted array of pairs, for tables that stay small or are filled in order
//   Owned<T>      one object (our unique_ptr)
#pragma once

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "pollrtc/environment.h"

namespace pollrtc {

namespace detail {
// An uninitialised block for `capacity` objects of T. Knows how to give itself back, not what lives in it.
template <class T>
class Block {
 public:
  explicit Block(const Memory& memory) : memory_(memory) {}
  Block(Block&& other) noexcept
      : memory_(other.memory_),
        data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Block& operator=(Block&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Block() {
    if (data_ != nullptr) memory_.release(memory_.context, data_, capacity_ * sizeof(T), alignof(T));
  }
  bool allocate(std::size_t capacity) {
    POLLRTC_ASSERT(data_ == nullptr);
    if (capacity > static_cast<std::size_t>(-1) / 2 / sizeof(T)) return false;
    data_ = static_cast<T*>(memory_.allocate(memory_.context, capacity * sizeof(T), alignof(T)));
    if (data_ == nullptr) return false;
    capacity_ = capacity;
    return true;
  }
  void swap(Block& other) {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
  }
  T* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }
  const Memory& memory() const { return memory_; }

 private:
  Memory memory_;
  T* data_ = nullptr;
  std::size_t capacity_ = 0;
};
}  // namespace detail

template <class T>
class Vec {
 public:
  explicit Vec(const Memory& memory) : block_(memory) {}
  Vec(Vec&& other) noexcept : block_(std::move(other.block_)), size_(std::exchange(other.size_, 0)) {}
  Vec& operator=(Vec&& other) noexcept {
    block_.swap(other.block_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Vec() { clear(); }

  [[nodiscard]] bool reserve(std::size_t capacity) {
    if (capacity <= block_.capacity()) return true;
    detail::Block<T> bigger(block_.memory());
    if (!bigger.allocate(capacity)) return false;
    for (std::size_t i = 0; i < size_; ++i) {
      new (bigger.data() + i) T(std::move(block_.data()[i]));
      block_.data()[i].~T();
    }
    block_.swap(bigger);
    return true;
  }
  [[nodiscard]] bool push_back(T value) {
    if (size_ == block_.capacity() && !reserve(size_ == 0 ? 4 : size_ * 2)) return false;
    new (block_.data() + size_++) T(std::move(value));
    return true;
  }
  // Puts `value` before position `at`; the elements from there on move up by one.
  [[nodiscard]] bool insert(std::size_t at, T value) {
    POLLRTC_ASSERT(at <= size_);
    if (!push_back(std::move(value))) return false;
    std::rotate(begin() + at, end() - 1, end());
    return true;
  }
  void erase(std::size_t at, std::size_t count = 1) {
    POLLRTC_ASSERT(at + count <= size_);
    std::move(begin() + at + count, end(), begin() + at);
    for (std::size_t i = size_ - count; i < size_; ++i) block_.data()[i].~T();
    size_ -= count;
  }
  void pop_back() { erase(size_ - 1); }
  void clear() {
    for (std::size_t i = 0; i < size_; ++i) block_.data()[i].~T();
    size_ = 0;
  }

  T* begin() { return block_.data(); }
  T* end() { return block_.data() + size_; }
  const T* begin() const { return block_.data(); }
  const T* end() const { return block_.data() + size_; }
  T* data() { return block_.data(); }
  const T* data() const { return block_.data(); }
  T& operator[](std::size_t i) {
    POLLRTC_ASSERT(i < size_);
    return block_.data()[i];
  }
  const T& operator[](std::size_t i) const {
    POLLRTC_ASSERT(i < size_);
    return block_.data()[i];
  }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return block_.capacity(); }
  bool empty() const { return size_ == 0; }
  const Memory& memory() const { return block_.memory(); }

 private:
  detail::Block<T> block_;
  std::size_t size_ = 0;
};

template <class T>
class Ring {
 public:
  explicit Ring(const Memory& memory) : block_(memory) {}
  Ring(Ring&& other) noexcept
      : block_(std::move(other.block_)),
        head_(std::exchange(other.head_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  Ring& operator=(Ring&& other) noexcept {
    block_.swap(other.block_);
    std::swap(head_, other.head_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Ring() { clear(); }

  [[nodiscard]] bool push_back(T value) {
    if (size_ == block_.capacity() && !grow()) return false;
    new (slot(size_)) T(std::move(value));
    ++size_;
    return true;
  }
  void pop_front() {
    POLLRTC_ASSERT(size_ != 0);
    slot(0)->~T();
    head_ = (head_ + 1) & (block_.capacity() - 1);
    --size_;
  }
  void clear() {
    while (size_ != 0) pop_front();
  }
  std::size_t capacity() const { return block_.capacity(); }
  // Gives the block back if it is empty and has room for more than `capacity`.
  void trim(std::size_t capacity) {
    if (size_ == 0 && block_.capacity() > capacity) *this = Ring(block_.memory());
  }
  // Makes the block as small as one that has room for `capacity` (a power of two), if what it holds has room there. Without memory for
  // that one it stays as it is.
  void trim_to(std::size_t capacity) {
    if (size_ <= capacity && block_.capacity() > capacity) static_cast<void>(move_to(capacity));
  }
  T& operator[](std::size_t i) {
    POLLRTC_ASSERT(i < size_);
    return *slot(i);
  }
  const T& operator[](std::size_t i) const {
    POLLRTC_ASSERT(i < size_);
    return *slot(i);
  }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Memory& memory() const { return block_.memory(); }

 private:
  T* slot(std::size_t i) const { return block_.data() + ((head_ + i) & (block_.capacity() - 1)); }
  bool grow() { return move_to(block_.capacity() == 0 ? 4 : block_.capacity() * 2); }
  bool move_to(std::size_t capacity) {  // always a power of two
    POLLRTC_ASSERT(size_ <= capacity && (capacity & (capacity - 1)) == 0);
    detail::Block<T> other(block_.memory());
    if (!other.allocate(capacity)) return false;
    for (std::size_t i = 0; i < size_; ++i) {
      new (other.data() + i) T(std::move(*slot(i)));
      slot(i)->~T();
    }
    block_.swap(other);
    head_ = 0;
    return true;
  }

  detail::Block<T> block_;
  std::size_t head_ = 0, size_ = 0;
};

template <class Key, class T>
class FlatMap {
 public:
  struct Entry {
    Key key;
    T value;
  };
  explicit FlatMap(const Memory& memory) : entries_(memory) {}

  T* find(const Key& key) {
    const std::size_t at = position(key);
    return at < entries_.size() && entries_[at].key == key ? &entries_[at].value : nullptr;
  }
  const T* find(const Key& key) const { return const_cast<FlatMap*>(this)->find(key); }
  // The new value's place, or null when there is no memory. The key must not be in the map.
  // Pointers to values are good until the next insert or erase.
  [[nodiscard]] T* insert(const Key& key, T value) {
    const std::size_t at = position(key);
    POLLRTC_ASSERT(at == entries_.size() || !(entries_[at].key == key));
    return entries_.insert(at, Entry{key, std::move(value)}) ? &entries_[at].value : nullptr;
  }
  bool erase(const Key& key) {
    const std::size_t at = position(key);
    if (at == entries_.size() || !(entries_[at].key == key)) return false;
    entries_.erase(at);
    return true;
  }
  void clear() { entries_.clear(); }
  Entry* begin() { return entries_.begin(); }
  Entry* end() { return entries_.end(); }
  const Entry* begin() const { return entries_.begin(); }
  const Entry* end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

 private:
  std::size_t position(const Key& key) const {
    const Entry* at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                       [](const Entry& e, const Key& k) { return e.key < k; });
    return static_cast<std::size_t>(at - entries_.begin());
  }
  Vec<Entry> entries_;
};

class Buffer {
 public:
  explicit Buffer(const Memory& memory) : block_(memory) {}
  Buffer(Buffer&& other) noexcept : block_(std::move(other.block_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    block_.swap(other.block_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Makes the size `size`; what was in it is gone, what is in it now is undefined. False: no memory, and empty.
  [[nodiscard]] bool resize_discarding(std::size_t size) {
    size_ = 0;
    if (size > block_.capacity()) {
      detail::Block<std::uint8_t> fresh(block_.memory());
      if (!fresh.allocate(size)) return false;
      block_.swap(fresh);
    }
    size_ = size;
    return true;
  }
  [[nodiscard]] bool assign(Bytes bytes) {
    if (!resize_discarding(bytes.size())) return false;
    if (!bytes.empty()) std::memcpy(block_.data(), bytes.data(), bytes.size());
    return true;
  }
  void truncate(std::size_t size) { size_ = std::min(size, size_); }
  void clear() { size_ = 0; }
  // As clear(), and its memory goes as well.
  void release() { *this = Buffer(block_.memory()); }

  std::uint8_t* data() { return block_.data(); }
  const std::uint8_t* data() const { return block_.data(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  operator Bytes() const { return {block_.data(), size_}; }  // NOLINT: a buffer is read as bytes everywhere
  MutBytes writable() { return {block_.data(), size_}; }

 private:
  detail::Block<std::uint8_t> block_;
  std::size_t size_ = 0;
};

template <class T>
class Owned {
 public:
  Owned() = default;
  Owned(Owned&& other) noexcept : memory_(other.memory_), object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { reset(); }

  // Empty when there is no memory.
  template <class... Args>
  [[nodiscard]] static Owned make(const Memory& memory, Args&&... args) {
    Owned owned;
    void* block = memory.allocate(memory.context, sizeof(T), alignof(T));
    if (block == nullptr) return owned;
    owned.memory_ = memory;
    owned.object_ = new (block) T(std::forward<Args>(args)...);
    return owned;
  }
  void reset() {
    if (object_ == nullptr) return;
    T* const object = std::exchange(object_, nullptr);
    object->~T();
    memory_.release(memory_.context, object, sizeof(T), alignof(T));
  }
  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  Memory memory_;
  T* object_ = nullptr;
};

}  // namespace pollrtc
