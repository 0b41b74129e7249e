// Value: what a script's dictionary holds, as both bindings exchange it with the shared code: a tree of plain values.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pollrtc::godot_plugin {

struct Value;
using Array = std::vector<Value>;
using Dictionary = std::vector<std::pair<std::string, Value>>;  // in the script's order

struct Value {
  Value() = default;
  Value(bool b) : content(b) {}                                     // NOLINT: conversions are the point
  Value(std::int64_t i) : content(i) {}                             // NOLINT
  Value(double d) : content(d) {}                                   // NOLINT
  Value(std::string text) : content(std::move(text)) {}             // NOLINT
  Value(std::string_view text) : Value(std::string(text)) {}        // NOLINT
  Value(const char* text) : Value(std::string_view(text)) {}        // NOLINT
  Value(Array array) : content(std::move(array)) {}                 // NOLINT
  Value(Dictionary dictionary) : content(std::move(dictionary)) {}  // NOLINT

  bool is_null() const { return content.index() == 0; }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&content);
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Dictionary> content;
};

// What is read of a script's dictionary: a value lies no deeper than the url of a server, and a dictionary may contain itself.
inline constexpr int kMostLevels = 5;  // configuration / iceServers / server / urls / url
inline constexpr std::int64_t kMostEntries = 4096;

// A number as a whole one; nothing when it is none that both kinds of number can hold.
inline std::optional<std::int64_t> whole_number(const Value& value) {
  if (const std::int64_t* const i = value.as<std::int64_t>()) return *i;
  const double* const d = value.as<double>();
  return d != nullptr && std::abs(*d) < 1e15 ? std::optional(static_cast<std::int64_t>(*d)) : std::nullopt;
}

// The entry of this name; null when there is none, or none but null.
inline const Value* find(const Dictionary& dictionary, std::string_view key) {
  for (const auto& [name, value] : dictionary)
    if (name == key && !value.is_null()) return &value;
  return nullptr;
}

// Overwrites texts, which may be keys and passwords: all that are in it.
void wipe(std::string& text);
void wipe(Value& value);
void wipe(Dictionary& dictionary);

}  // namespace pollrtc::godot_plugin
