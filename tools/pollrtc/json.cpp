#include "pollrtc/json.h"

namespace pollrtc::tool {

Json parse_json(std::string_view text) { return Json::parse(text.begin(), text.end(), nullptr, false); }

Json parse_json(Bytes text) { return Json::parse(text.begin(), text.end(), nullptr, false); }

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string text_of(const Json& line, const char* name, const char* otherwise) {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

std::int64_t number_of(const Json& line, const char* name, std::int64_t otherwise) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

bool flag_of(const Json& line, const char* name, bool otherwise) {
  const auto found = line.find(name);
  return found != line.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

}  // namespace pollrtc::tool
