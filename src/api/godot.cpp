#include "pollrtc/godot.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace pollrtc {
namespace {

using Value = decltype(Option::value);

const Value* find(std::span<const Option> dictionary, std::string_view key) {
  const auto at =
      std::find_if(dictionary.begin(), dictionary.end(), [&](const Option& o) { return o.key == key; });
  return at == dictionary.end() ? nullptr : &at->value;
}

int clamp(std::int64_t number) {
  return static_cast<int>(
      std::clamp<std::int64_t>(number, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

std::optional<int> number_of(const Value& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  if (const auto* i = std::get_if<int>(&value)) return *i;
  if (const auto* l = std::get_if<std::int64_t>(&value)) return clamp(*l);
  if (const auto* d = std::get_if<double>(&value)) {
    if (!(*d > -1e9 && *d < 1e9)) return std::nullopt;  // NaN too
    return static_cast<int>(*d);
  }
  const std::string_view text = std::get<std::string_view>(value);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return clamp(number);
}

}  // namespace

GodotError godot_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return GodotError::ERR_INVALID_PARAMETER;
    case ErrorCode::Empty:
      return GodotError::ERR_UNAVAILABLE;
    case ErrorCode::OutOfMemory:
      return GodotError::ERR_OUT_OF_MEMORY;
    case ErrorCode::Unconfigured:
      return GodotError::ERR_UNCONFIGURED;
    case ErrorCode::Unauthorized:
      return GodotError::ERR_UNAUTHORIZED;
    default:
      return GodotError::FAILED;
  }
}

Result<DataChannelOptions> data_channel_options(std::span<const Option> dictionary) {
  DataChannelOptions options;
  std::optional<Error> fault;
  const auto read_number = [&](std::string_view key, int otherwise) {
    const Value* const value = find(dictionary, key);
    if (value == nullptr) return otherwise;
    const auto number = number_of(*value);
    if (!number && !fault)
      fault.emplace(ErrorCode::InvalidArgument, "a channel option is no number where one is needed");
    return number.value_or(otherwise);
  };
  options.negotiated = read_number("negotiated", 0) != 0;
  options.ordered = read_number("ordered", 1) != 0;
  options.id = read_number("id", options.id);
  options.max_retransmits = read_number("maxRetransmits", -1);
  options.max_packet_life_time = read_number("maxPacketLifeTime", read_number("maxPacketLifetime", -1));
  options.priority =
      static_cast<std::uint16_t>(std::clamp(read_number("priority", options.priority), 0, 65535));
  options.discard_when_full = read_number("discardWhenFull", 0) != 0;
  const bool is_said = find(dictionary, "ordered") != nullptr || options.max_retransmits >= 0 ||
                       options.max_packet_life_time >= 0;
  if (read_number("reliable", 1) == 0 && !is_said) {
    options.ordered = false;
    options.max_retransmits = 0;
  }
  if (const Value* const protocol = find(dictionary, "protocol")) {
    const auto* const text = std::get_if<std::string_view>(protocol);
    if (text == nullptr && !fault)
      fault.emplace(ErrorCode::InvalidArgument, "the channel option protocol is no text");
    if (text != nullptr) options.protocol = *text;
  }
  if (fault) return Unexpected{*fault};
  return options;
}

}  // namespace pollrtc
