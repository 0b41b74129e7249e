#include "net/host_files.h"

#include <net/if.h>

#include <charconv>

#include "base/address.h"

namespace pollrtc::net {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line.substr(0, line.find_first_of("#;"));
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view without_dot(std::string_view name) {
  return name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
}

bool is_or_is_below(std::string_view name, std::string_view top) {
  name = without_dot(name);
  if (name.size() < top.size() || !same_name(name.substr(name.size() - top.size()), top)) return false;
  return name.size() == top.size() || name[name.size() - top.size() - 1] == '.';
}

// A zone is the name of an interface, or its number.
std::uint32_t zone_index(std::string_view zone) {
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  if (error == std::errc{} && end == zone.data() + zone.size()) return index;
  const auto name = FixedString<IF_NAMESIZE>::from(zone);
  if (!name || zone.size() >= IF_NAMESIZE) return 0;
  std::array<char, IF_NAMESIZE> text{};  // if_nametoindex wants a zero at the end
  std::copy(zone.begin(), zone.end(), text.begin());
  return if_nametoindex(text.data());
}

std::optional<Address> server_address(std::string_view word) {
  const std::size_t percent = word.find('%');
  auto address = parse_ip(word.substr(0, percent), kDnsPort);
  if (address && percent != std::string_view::npos) address->scope_id = zone_index(word.substr(percent + 1));
  return address;
}

}  // namespace

void find_in_hosts(std::string_view hosts, std::string_view name, DnsAddresses& out) {
  name = without_dot(name);
  while (!hosts.empty()) {
    std::string_view line = take_line(hosts);
    const auto address = parse_ip(take_word(line));
    if (!address) continue;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!same_name(word, name)) continue;
      if (std::find(out.begin(), out.end(), *address) == out.end() && !out.push_back(*address)) return;
    }
  }
}

FixedVec<Address, 3> name_servers_in(std::string_view resolv_conf) {
  FixedVec<Address, 3> servers;
  while (!resolv_conf.empty()) {
    std::string_view line = take_line(resolv_conf);
    if (take_word(line) != "nameserver") continue;
    if (const auto address = server_address(take_word(line)))
      if (!servers.push_back(*address)) break;
  }
  if (servers.empty()) static_cast<void>(servers.push_back(Address::v4(127, 0, 0, 1, kDnsPort)));
  return servers;
}

bool is_localhost_name(std::string_view name) { return is_or_is_below(name, "localhost"); }
bool is_multicast_dns_name(std::string_view name) { return is_or_is_below(name, "local"); }

}  // namespace pollrtc::net
