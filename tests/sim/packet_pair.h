// PacketPair: two packet engines (sctp::Association, dtls::Session) joined over one link of a World of their own.
//
//   sim::PacketPair<sctp::Association> pair(seed, a, b, {.delay = 20ms, .loss = 0.1});
//   pair.world.run_until([&] { return a.state() == ...; }, 30s);
//
// Sizes count as UDP over IPv4 does: 28 bytes of headers on top of each packet, for rate and MTU.
#pragma once

#include "sim/node.h"

namespace pollrtc::sim {

template <PacketEngine Engine>
class PacketPair {
 public:
  PacketPair(std::uint64_t seed, Engine& first, Engine& second, const LinkConfig& both_ways = {})
      : world(seed),
        a(world, world.add_host({kFirst.with_port(0)}), first),
        b(world, world.add_host({kSecond.with_port(0)}), second) {
    world.set_link(kFirst, kSecond, both_ways);
    a.join(kFirst, kSecond);
    b.join(kSecond, kFirst);
  }

  Link& a_to_b() { return world.link(kFirst, kSecond); }
  Link& b_to_a() { return world.link(kSecond, kFirst); }

  World world;
  Node<Engine> a, b;

 private:
  static constexpr Address kFirst = Address::v4(10, 0, 0, 1, 5000);
  static constexpr Address kSecond = Address::v4(10, 0, 0, 2, 5000);
};

}  // namespace pollrtc::sim
