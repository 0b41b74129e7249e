// What get_stats() of our classes gives, as dictionaries.
#pragma once

#include "common/value.h"
#include "pollrtc/peer.h"

namespace pollrtc::godot_plugin {

Dictionary connection_statistics(const PeerStats& stats);
Dictionary channel_statistics(const ChannelInfo& info);

// Seconds from a packet to its acknowledgement and back, smoothed; that of ICE before data has flowed; negative: unknown.
double round_trip_time(const PeerStats& stats);
// The share of what was sent that had to be sent again, 0 to 1, over the life of the connection. An estimate: a packet that
// carries several chunks counts once, and what is never sent again (unreliable channels) does not count.
double loss(const PeerStats& stats);

}  // namespace pollrtc::godot_plugin
