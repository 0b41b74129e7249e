// The JSON of the program's lines. Members keep the order in which they were written, so that "type" stands first.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc::tool {

using Json = nlohmann::ordered_json;

// The value that `text` is; is_discarded() when it is none.
Json parse_json(std::string_view text);
Json parse_json(Bytes text);
// On one line. What is no UTF-8 becomes U+FFFD.
std::string to_text(const Json& value);

// The member `name` when it is there and of that kind, else `otherwise`: a line of another program never throws.
std::string text_of(const Json& line, const char* name, const char* otherwise = "");
std::int64_t number_of(const Json& line, const char* name, std::int64_t otherwise = 0);
bool flag_of(const Json& line, const char* name, bool otherwise = false);

}  // namespace pollrtc::tool
