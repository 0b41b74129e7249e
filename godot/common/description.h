// What our classes have beside the engine's own API, in the form in which both bindings register it.
#pragma once

#include <span>

#include "common/value.h"

namespace pollrtc::godot_plugin {

enum class Kind : int { Nil, Bool, Int, Float, String, Dict };

struct Argument {
  const char* name = nullptr;
  Kind kind = Kind::Nil;
};

// A method or a signal has at most three.
struct Arguments {
  static constexpr std::size_t kMost = 3;
  Argument first{}, second{}, third{};
  std::size_t count() const {
    return third.name != nullptr ? 3 : second.name != nullptr ? 2 : first.name != nullptr ? 1 : 0;
  }
  const Argument& operator[](std::size_t i) const { return i == 0 ? first : i == 1 ? second : third; }
};

struct Method {
  enum class Scope { Const, Mutable, Static };
  const char* name;
  Scope scope;
  Kind result;  // Nil: none
  Arguments arguments;
  Value (*call)(void* instance, std::span<const Value> arguments);  // of the right number and types
};

struct Signal {
  const char* name;
  Arguments arguments;
};

struct Property {
  Argument property;
  const char* setter;
  const char* getter;
};

// Whether the argument is of this kind. A number becomes one: an int where a float was given.
inline bool fits(Kind kind, Value& value) {
  switch (kind) {
    case Kind::Int: {
      const std::optional<std::int64_t> number = whole_number(value);
      if (number) value = *number;
      return number.has_value();
    }
    case Kind::Bool:
      return value.as<bool>() != nullptr;
    case Kind::String:
      return value.as<std::string>() != nullptr;
    case Kind::Float:
      return value.as<double>() != nullptr;
    case Kind::Dict:
      return value.as<Dictionary>() != nullptr;
    case Kind::Nil:
      break;
  }
  return true;
}

}  // namespace pollrtc::godot_plugin
