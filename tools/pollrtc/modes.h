// The modes of `pollrtc peer`, one factory for each.
#pragma once

#include <memory>

#include "pollrtc/peer_run.h"

namespace pollrtc::tool {

std::unique_ptr<Mode> make_echo(PeerRun& run);
std::unique_ptr<Mode> make_ping(PeerRun& run);
std::unique_ptr<Mode> make_bulk(PeerRun& run);  // rate too: only the default size differs
std::unique_ptr<Mode> make_setup(PeerRun& run);
std::unique_ptr<Mode> make_idle(PeerRun& run);
std::unique_ptr<Mode> make_script(PeerRun& run);

// The one that --mode names.
std::unique_ptr<Mode> make_mode(PeerRun& run);

}  // namespace pollrtc::tool
