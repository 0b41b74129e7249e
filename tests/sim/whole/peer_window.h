// The window into a Peer through which tests see what no user may: its association, its DTLS session.
#pragma once

#include "peer/peer_impl.h"
#include "sim/inspector.h"

namespace pollrtc::sim {

// What an explicit instantiation names may be private ([temp.spec]), so the public header need not know of tests.
auto& inside(Peer& peer);
template <auto Member>
struct PeerWindow {
  friend auto& inside(Peer& peer) { return *(peer.*Member); }
};
template struct PeerWindow<&Peer::impl_>;

}  // namespace pollrtc::sim
