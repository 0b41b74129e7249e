// The JSON of the program's lines. Members keep the order in which they were written, so that "type" stands first.
#pragma once

#include <nlohmann/json.hpp>

namespace pollrtc::tool {

using Json = nlohmann::ordered_json;

// The member `name` when it is there and of that kind, else `otherwise`: a line of another program never throws.
inline std::string text_of(const Json& line, const char* name, const char* otherwise = "") {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

inline std::int64_t number_of(const Json& line, const char* name, std::int64_t otherwise = 0) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

inline bool flag_of(const Json& line, const char* name, bool otherwise = false) {
  const auto found = line.find(name);
  return found != line.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

}  // namespace pollrtc::tool
