// `pollrtc peer`: one end of a connection, driven by lines on standard input and output.
#pragma once

#include <string_view>

#include "pollrtc/peer_options.h"

namespace pollrtc::tool {

// Returns the exit status: 0 done, 1 failed, 2 unknown or unsupported option, 3 timed out.
int run_peer(PeerOptions options);

// Raises the number of descriptors to what the system lets this process have.
void allow_many_sockets();

// The line that says so, and status 2.
int report_unsupported(std::string_view message);

}  // namespace pollrtc::tool
