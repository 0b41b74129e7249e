#include "net/special_names.h"

#include "base/ascii.h"

namespace pollrtc::net {
namespace {

bool is_or_is_below(std::string_view name, std::string_view top) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() < top.size() || !equals_ignoring_case(name.substr(name.size() - top.size()), top))
    return false;
  return name.size() == top.size() || name[name.size() - top.size() - 1] == '.';
}

}  // namespace

bool is_localhost_name(std::string_view name) { return is_or_is_below(name, "localhost"); }
bool is_never_resolved(std::string_view name) {
  return is_or_is_below(name, "invalid") || is_or_is_below(name, "onion");
}
bool is_multicast_dns_name(std::string_view name) { return is_or_is_below(name, "local"); }

}  // namespace pollrtc::net
