// Players: MultiplayerPeers on machines of a simulated network, introduced to each other by the test.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "unit/api/simulated.h"

namespace pollrtc::test {

struct Packet {
  int from, channel;
  MultiplayerPeer::TransferMode mode;
  std::string data;
};

struct Player {
  Player(sim::World& world, std::uint8_t number, std::uint64_t seed);
  ~Player();
  void listen();
  void read();
  Status put(int target, std::string_view data,
             MultiplayerPeer::TransferMode mode = MultiplayerPeer::TRANSFER_MODE_RELIABLE, int channel = 0);
  std::shared_ptr<PeerConnection> make_connection(const std::function<void(Configuration&)>& edit);

  Machine machine;
  std::unique_ptr<MultiplayerPeer> peer;
  std::vector<std::string> log;
  std::set<int> connected;
  std::vector<Packet> packets;
  std::function<void(const Packet&)> on_packet;
  std::function<void(Configuration&)> edit_configuration;
  bool reads = true;
};

// The first offers.
void introduce(sim::World& world, Player& a, int a_id, Player& b, int b_id);

}  // namespace pollrtc::test
