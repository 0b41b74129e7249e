#include "pollrtc/demo_story.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>

namespace pollrtc::tool {

void Story::write(const std::string& line) {
  fmt::print("{:9.1f} ms  {}\n", elapsed_ms(), line);
  std::fflush(stdout);
}

void Story::title(std::string_view text) {
  fmt::print("\n{}\n", text);
  std::fflush(stdout);
}

std::string brief_candidate(const std::string& line) {
  std::istringstream words(line);
  std::string foundation, component, transport, priority, address, port, typ, type;
  words >> foundation >> component >> transport >> priority >> address >> port >> typ >> type;
  if (type.empty()) return line;
  std::transform(transport.begin(), transport.end(), transport.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool is_ipv6 = address.find(':') != std::string::npos;
  return fmt::format("{} {}{}{}:{} {}", type, is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "", port,
                     transport);
}

std::string text_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool is_ipv6 = address.family == Address::Family::IPv6;
  if (inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address.ip.data(), text.data(), text.size()) == nullptr)
    return "?";
  return is_ipv6 ? fmt::format("[{}]:{}", text.data(), address.port)
                 : fmt::format("{}:{}", text.data(), address.port);
}

std::string_view text_of(CandidateType type) {
  switch (type) {
    case CandidateType::Host:
      return "host";
    case CandidateType::ServerReflexive:
      return "server-reflexive";
    case CandidateType::PeerReflexive:
      return "peer-reflexive";
    case CandidateType::Relayed:
      return "relayed";
  }
  return "?";
}

RoundTrips RoundTrips::of(std::vector<double> times) {
  RoundTrips result;
  result.count = times.size();
  if (times.empty()) return result;
  std::sort(times.begin(), times.end());
  result.min = times.front();
  result.median = times[times.size() / 2];
  result.p99 = times[times.size() * 99 / 100];
  return result;
}

}  // namespace pollrtc::tool
