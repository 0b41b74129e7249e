#include "base/format.h"

#include <fmt/format.h>

#include <algorithm>

namespace pollrtc {

std::string_view vformat_text(std::span<char> buffer, fmt::string_view format, fmt::format_args args) {
  const auto result = fmt::vformat_to_n(buffer.data(), buffer.size(), format, args);
  return {buffer.data(), std::min(result.size, buffer.size())};
}

}  // namespace pollrtc
