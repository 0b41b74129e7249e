// The options of `pollrtc peer` (docs/pollrtc-peer.md), read and checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc::tool {

struct PeerOptions {
  std::string role, mode;
  std::string direction = "up";
  std::size_t size = 0;   // 0 with no --size: the mode's own default, filled in by complete()
  std::size_t count = 0;  // likewise
  std::size_t channels = 1;
  std::size_t buffer = 1048576;
  double warmup = 1, duration = 5, timeout = 60;
  bool binary = false, text = false, unordered = false, verify = false, loopback = false;
  std::optional<int> max_retransmits, max_lifetime, negotiated_id;
  std::optional<std::size_t> given_size, given_count;
  std::string label = "bench", protocol;
  std::vector<std::string> ice_servers;
  std::string trace;  // file; empty: none
  std::string ice_policy = "all", transports = "udp";
  bool hide_addresses = false;
  bool no_offload = false;
  std::uint16_t max_packet = 1500;  // 0: no path MTU discovery

  bool is_offering() const { return role == "offer"; }
  bool is_reliable() const { return !max_retransmits && !max_lifetime; }
  // Of the `index`-th test channel.
  std::string channel_label(std::size_t index) const;
  DataChannelOptions channel_options(std::size_t index) const;
  Configuration configuration() const;
};

// Fills in what depends on the mode. Says what cannot be done, or nothing.
std::optional<std::string> complete(PeerOptions& options);

}  // namespace pollrtc::tool
