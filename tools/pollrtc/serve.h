// `pollrtc serve`: a signalling server with lobbies, and a page that joins them.
#pragma once

#include <cstdint>
#include <string>

namespace pollrtc::tool {

struct ServeOptions {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 9080;
};

int run_serve(const ServeOptions& options);

}  // namespace pollrtc::tool
