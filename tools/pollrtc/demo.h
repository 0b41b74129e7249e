// `pollrtc demo`: one connection, from the first line of SDP to megabytes per second, told step by step.
#pragma once

#include <cstdint>

namespace pollrtc::tool {

struct DemoOptions {
  bool native = false;      // two peers in this process, no browser
  bool no_browser = false;  // serve the page and wait for somebody to open it
  double seconds = 3;       // of each throughput measurement
  std::uint16_t port = 0;   // of the page; 0: any
};

// 0 only when a connection came about and everything that was to be measured was.
int run_demo(const DemoOptions& options);

}  // namespace pollrtc::tool
