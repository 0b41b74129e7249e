#include "common/shared_mux.h"

#include <algorithm>
#include <vector>

#include "pollrtc/error.h"

namespace pollrtc::godot_plugin {
namespace {

struct Entry {
  std::uint16_t port;
  int dscp;
  std::weak_ptr<UdpMux> mux;
};
std::vector<Entry> muxes;  // a script's connections all live in one thread

}  // namespace

Result<std::shared_ptr<UdpMux>> shared_mux(std::uint16_t port, int dscp) {
  std::erase_if(muxes, [](const Entry& entry) { return entry.mux.expired(); });
  const auto found =
      std::find_if(muxes.begin(), muxes.end(), [&](const Entry& entry) { return entry.port == port; });
  if (found == muxes.end()) {
    UdpMux::Config config;
    config.port = port;
    config.dscp = dscp;
    auto mux = std::make_shared<UdpMux>(config);
    if (const Status status = mux->open(); !status) return Unexpected{status.error()};
    muxes.push_back({port, dscp, mux});
    return mux;
  }
  if (found->dscp != dscp)
    return Unexpected{Error(ErrorCode::InvalidArgument,
                            "udpMuxPort: the connections that share the port have another dscp")};
  return found->mux.lock();
}

}  // namespace pollrtc::godot_plugin
