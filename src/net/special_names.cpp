#include "net/special_names.h"

#include <algorithm>

namespace pollrtc::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_or_is_below(std::string_view name, std::string_view top) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() < top.size() || !same_name(name.substr(name.size() - top.size()), top)) return false;
  return name.size() == top.size() || name[name.size() - top.size() - 1] == '.';
}

}  // namespace

bool is_localhost_name(std::string_view name) { return is_or_is_below(name, "localhost"); }
bool is_never_resolved(std::string_view name) {
  return is_or_is_below(name, "invalid") || is_or_is_below(name, "onion");
}
bool is_multicast_dns_name(std::string_view name) { return is_or_is_below(name, "local"); }

}  // namespace pollrtc::net
