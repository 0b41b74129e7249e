// format_text(buffer, "{}:{}", host, port): fmt into a buffer of the caller's, cut at its end. The format is checked when we compile;
// the work is done in format.cpp, so that a header which formats stays light, and so that it links: the part of fmt that this would
// otherwise instantiate here is named differently by clang than by the gcc that Debian's libfmt was compiled with.
#pragma once

#include <fmt/core.h>

#include <span>
#include <string_view>

namespace pollrtc {

// Not for direct use.
std::string_view vformat_text(std::span<char> buffer, fmt::string_view format, fmt::format_args args);

// What was written: a view of the front of `buffer`. No NUL ends it.
template <class... Args>
std::string_view format_text(std::span<char> buffer, fmt::format_string<Args...> format, Args&&... args) {
  return vformat_text(buffer, format, fmt::make_format_args(args...));
}

}  // namespace pollrtc
