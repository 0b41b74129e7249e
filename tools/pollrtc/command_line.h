// The options of each sub-command, as they stand on the command line. They are declared here alone: CLI11 takes its time to
// compile.
#pragma once

#include "pollrtc/demo.h"
#include "pollrtc/join.h"
#include "pollrtc/peer_options.h"
#include "pollrtc/serve.h"

namespace CLI {
class App;
}

namespace pollrtc::tool {

// What these say is checked by complete().
void add_peer_options(CLI::App& app, PeerOptions& options);
void add_demo_options(CLI::App& app, DemoOptions& options);
void add_serve_options(CLI::App& app, ServeOptions& options);
void add_join_options(CLI::App& app, JoinOptions& options);

}  // namespace pollrtc::tool
