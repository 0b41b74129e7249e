// FixedString<N>: up to N bytes of text inside the object, no heap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pollrtc {

// Up to N bytes of text, held inside the object.
template <std::size_t N>
class FixedString {
 public:
  constexpr FixedString() = default;  // empty

  // Nothing when the text does not fit: a name cut short would be another name.
  static constexpr std::optional<FixedString> from(std::string_view text) {
    if (text.size() > N) return std::nullopt;
    FixedString s;
    std::copy(text.begin(), text.end(), s.text_.begin());
    s.size_ = static_cast<std::uint16_t>(text.size());
    return s;
  }

  // good as long as the object stays where it is
  constexpr std::string_view view() const { return {text_.data(), size_}; }
  constexpr bool empty() const { return size_ == 0; }    // no bytes
  static constexpr std::size_t capacity() { return N; }  // N, in bytes

  friend constexpr bool operator==(const FixedString& a, const FixedString& b) {
    return a.view() == b.view();
  }
  friend constexpr bool operator==(const FixedString& a, std::string_view b) { return a.view() == b; }

 private:
  std::array<char, N> text_{};
  std::uint16_t size_ = 0;
};

}  // namespace pollrtc
