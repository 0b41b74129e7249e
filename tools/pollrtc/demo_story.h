// What the demo prints: one line for each thing that happens, with the time since the beginning in front.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc::tool {

class Story {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  double elapsed_ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun_).count();
  }
  template <class... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  void title(std::string_view text);

 private:
  void write(const std::string& line);

  Instant begun_ = std::chrono::steady_clock::now();
};

// "host 192.0.2.2:40000 udp" of "candidate:1 1 UDP 2122317823 192.0.2.2 40000 typ host".
std::string brief_candidate(const std::string& line);
std::string text_of(const Address& address);
std::string_view text_of(CandidateType type);

struct RoundTrips {
  double min = 0, median = 0, p99 = 0;  // microseconds
  std::size_t count = 0;
  static RoundTrips of(std::vector<double> times);
};

}  // namespace pollrtc::tool
