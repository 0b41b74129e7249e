// The UDP multiplexers of the process. A dictionary cannot hold one, so connections share it by naming its port.
#pragma once

#include <memory>

#include "pollrtc/result.h"
#include "pollrtc/udp_mux.h"

namespace pollrtc::godot_plugin {

// The one of this port; it is there as long as a connection uses it. Port 0, which the system chooses, is one for all who ask
// for it. InvalidArgument: it is there and has another DSCP. Network: it cannot be opened (UdpMux::open()).
Result<std::shared_ptr<UdpMux>> shared_mux(std::uint16_t port, int dscp);

}  // namespace pollrtc::godot_plugin
