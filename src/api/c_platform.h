// The hooks of pollrtc/pollrtc_platform.h behind those of a Configuration.
#pragma once

#include "pollrtc/peer_connection.h"
#include "pollrtc/pollrtc.h"

namespace pollrtc::detail {

struct Platform {
  pollrtc_memory memory{};
  pollrtc_random random{};
  pollrtc_network network{};
  pollrtc_resolver resolver{};

  // False: one of the structures lacks a function that it must have, or is from a newer header and asks for something new.
  bool read(const pollrtc_memory* given_memory, const pollrtc_random* given_random,
            const pollrtc_network* given_network, const pollrtc_resolver* given_resolver);
  bool is_same(const Platform& other) const;
  // What the configuration then calls leads here: this must stay where it is.
  void apply(Configuration& configuration);
  Rng rng_hooks();
  Network network_hooks();
};

pollrtc_address c_address(const Address& address);

}  // namespace pollrtc::detail
