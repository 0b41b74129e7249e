// `pollrtc join`: a member of a lobby (serve.h), with a MultiplayerPeer among its members.
#pragma once

#include <string>

#include "pollrtc/peer_options.h"

namespace pollrtc::tool {

struct JoinOptions {
  std::string url, lobby;
  bool client_server = false;
  PeerOptions peer;  // of which --ice-server, --ice-policy, --loopback and --timeout are asked for
};

int run_join(JoinOptions options);

}  // namespace pollrtc::tool
