#include "common/value.h"

#include "crypto/digest.h"

namespace pollrtc::godot_plugin {

// With what its buffer holds beyond its end: a short text that was moved from is still there.
void wipe(std::string& text) {
  text.resize(text.capacity());
  crypto::wipe(text.data(), text.size());
  text.clear();
}

void wipe(Value& value) {
  if (auto* const text = std::get_if<std::string>(&value.content)) wipe(*text);
  if (auto* const dictionary = std::get_if<Dictionary>(&value.content)) wipe(*dictionary);
  if (auto* const array = std::get_if<Array>(&value.content))
    for (Value& element : *array) wipe(element);
}

void wipe(Dictionary& dictionary) {
  for (auto& [key, value] : dictionary) wipe(value);
}

}  // namespace pollrtc::godot_plugin
