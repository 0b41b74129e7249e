#include "unit/api/players.h"

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

Player::Player(sim::World& world, std::uint8_t number, std::uint64_t seed)
    : machine(world, Address::v4(192, 0, 2, number, 0), seed), peer(std::make_unique<MultiplayerPeer>()) {
  machine.poll = [this] {
    if (!peer) return;
    CHECK(peer->poll());
    if (reads) read();
  };
  machine.time_to_deadline = [this] { return peer ? peer->get_time_to_next_deadline() : std::nullopt; };
  listen();
}
Player::~Player() = default;

void Player::listen() {
  peer->peer_connected = [this](int id) {
    log.push_back(std::string("+") + std::to_string(id));
    connected.insert(id);
  };
  peer->peer_disconnected = [this](int id) {
    log.push_back(std::string("-") + std::to_string(id));
    connected.erase(id);
  };
  peer->connection_succeeded = [this] { log.push_back("succeeded"); };
  peer->connection_failed = [this] { log.push_back("failed"); };
  peer->server_disconnected = [this] { log.push_back("server gone"); };
}

void Player::read() {
  while (peer && peer->get_available_packet_count() != 0) {
    Packet packet{peer->get_packet_peer(), peer->get_packet_channel(), peer->get_packet_mode(), {}};
    const auto bytes = peer->get_packet();
    REQUIRE(bytes);
    packet.data = as_text(*bytes);
    if (on_packet) on_packet(packet);
    packets.push_back(std::move(packet));
  }
}

Status Player::put(int target, std::string_view data, MultiplayerPeer::TransferMode mode, int channel) {
  peer->set_target_peer(target);
  peer->set_transfer_mode(mode);
  peer->set_transfer_channel(channel);
  return peer->put_packet(as_bytes(data));
}

std::shared_ptr<PeerConnection> Player::make_connection(const std::function<void(Configuration&)>& edit) {
  auto connection = std::make_shared<PeerConnection>();
  Configuration configuration = machine.configuration();
  if (edit) edit(configuration);
  REQUIRE(connection->initialize(configuration));
  return connection;
}

void introduce(sim::World& world, Player& a, int a_id, Player& b, int b_id) {
  const auto at_a = a.make_connection(a.edit_configuration), at_b = b.make_connection(b.edit_configuration);
  REQUIRE(a.peer->add_peer(at_a, b_id));
  REQUIRE(b.peer->add_peer(at_b, a_id));
  signal_between(world, at_a, at_b);
  REQUIRE(at_a->create_offer());
}

}  // namespace pollrtc::test
