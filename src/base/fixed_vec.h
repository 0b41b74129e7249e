// FixedVec<T, N>: up to N elements inside the object, no heap. push_back says whether it fit.
#pragma once

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace pollrtc {

template <class T, std::size_t N>
class FixedVec {
 public:
  [[nodiscard]] constexpr bool push_back(T value) {
    if (size_ == N) return false;
    items_[size_++] = std::move(value);
    return true;
  }
  constexpr void erase(std::size_t at) {
    POLLRTC_ASSERT(at < size_);
    std::move(begin() + at + 1, end(), begin() + at);
    items_[--size_] = T{};
  }
  constexpr void clear() {
    while (size_ != 0) items_[--size_] = T{};
  }
  constexpr T* begin() { return items_.data(); }
  constexpr T* end() { return items_.data() + size_; }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }
  constexpr T& operator[](std::size_t i) {
    POLLRTC_ASSERT(i < size_);
    return items_[i];
  }
  constexpr const T& operator[](std::size_t i) const {
    POLLRTC_ASSERT(i < size_);
    return items_[i];
  }
  constexpr T& back() { return (*this)[size_ - 1]; }
  constexpr const T& back() const { return (*this)[size_ - 1]; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr bool full() const { return size_ == N; }

 private:
  std::size_t size_ = 0;  // before them, so that who holds one or none touches one place
  std::array<T, N> items_{};
};

}  // namespace pollrtc
