// Letters of ASCII without their case, as ABNF strings (RFC 5234 §2.3), host names (RFC 4343) and schemes of URLs (RFC 3986
// §3.1) compare, whatever the locale.
#pragma once

#include <cstddef>
#include <string_view>

namespace pollrtc {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

}  // namespace pollrtc
