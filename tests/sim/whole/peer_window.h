// The window into a Peer through which tests see what no user may: its association, its DTLS session, what its channels hold.
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
auto& channels_in(const Channels& channels);
auto& kept_in(const Channels& channels);
template <auto MadeOnes, auto Kept>
struct ChannelsWindow {
  friend auto& channels_in(const Channels& channels) { return channels.*MadeOnes; }
  friend auto& kept_in(const Channels& channels) { return channels.*Kept; }
};
template struct ChannelsWindow<&Channels::channels_, &Channels::kept_>;

// Of the receive window, what everything takes that came and was not read. A connection that has ended gives nothing back.
inline std::size_t window_held(Peer& peer) {
  const auto& impl = inside(peer);
  std::size_t bytes = sctp::Inspector::window_held(*impl.association);
  for (const auto& entry : channels_in(impl.channels)) {
    const auto& inbox = entry.value->inbox;
    for (std::size_t i = 0; i < inbox.size(); ++i)
      bytes += sctp::window_held_by(inbox[i].payload, inbox[i].abandoned, inbox[i].charge);
  }
  for (const sctp::Message& message : kept_in(impl.channels))
    bytes += sctp::window_held_by(message.payload, message.abandoned, message.charge);
  return bytes;
}

}  // namespace pollrtc::sim
