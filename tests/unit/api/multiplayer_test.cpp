// MultiplayerPeer as Godot's users know it, over a simulated network.
#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/players.h"

using namespace pollrtc;
using namespace pollrtc::test;
using enum MultiplayerPeer::TransferMode;

namespace {

// Two in a mesh, 1 and 2, connected.
struct Pair {
  explicit Pair(const sim::LinkConfig& link = {}, std::span<const MultiplayerPeer::TransferMode> extra = {},
                const std::function<void(Configuration&)>& edit = {})
      : world(7), a(world, 1, 11), b(world, 2, 12) {
    world.set_default_link(link);
    a.edit_configuration = b.edit_configuration = edit;
    REQUIRE(a.peer->create_mesh(1, extra));
    REQUIRE(b.peer->create_mesh(2, extra));
    introduce(world, a, 1, b, 2);
    REQUIRE(world.run_until([&] { return a.connected.count(2) == 1 && b.connected.count(1) == 1; }, 30s));
  }
  sim::World world;
  Player a, b;
};

// DATA and I-DATA chunks that carry `payload`, and (I-)FORWARD-TSN chunks, as a tap sees them sent.
struct Wire {
  static void look(void* context, const TappedPacket& packet) {
    auto& wire = *static_cast<Wire*>(context);
    if (packet.layer != PacketLayer::Sctp || !packet.is_sent) return;
    const Bytes bytes = packet.bytes;
    for (std::size_t at = 12; at + 4 <= bytes.size();) {
      const std::size_t length = static_cast<std::size_t>(bytes[at + 2] << 8 | bytes[at + 3]);
      if (length < 4 || at + length > bytes.size()) return;
      const std::string_view content = as_text(bytes.subspan(at, length));
      const bool is_data = bytes[at] == 0 || bytes[at] == 64;
      if (bytes[at] == 192 || bytes[at] == 194) ++wire.forward_tsns;
      if (is_data && content.find(wire.payload) != std::string_view::npos) {
        ++wire.transmissions;
        wire.stream = bytes[at + 8] << 8 | bytes[at + 9];
      }
      at += (length + 3) / 4 * 4;
    }
  }
  std::string payload = "mark";
  int transmissions = 0, forward_tsns = 0, stream = -1;
};

}  // namespace

TEST_CASE("two in a mesh: three channels, each with its mode, and the packet's peer, channel and mode",
          "[API-56]") {
  const MultiplayerPeer::TransferMode extra[] = {TRANSFER_MODE_UNRELIABLE, TRANSFER_MODE_RELIABLE};
  Pair t({}, extra);
  CHECK(t.a.log == std::vector<std::string>{"+2"});
  CHECK(t.b.log == std::vector<std::string>{"+1"});
  CHECK(t.a.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTED);
  const auto info = t.a.peer->get_peer(2);
  REQUIRE(info);
  CHECK(info->connected);
  REQUIRE(info->channels.size() == 5);
  const char* const labels[] = {"reliable", "ordered", "unreliable", "4", "5"};
  for (int i = 0; i < 5; ++i) {
    INFO(i);
    const DataChannel& channel = *info->channels[static_cast<std::size_t>(i)];
    CHECK(channel.get_label() == labels[i]);
    CHECK(channel.get_id() == i + 1);
    CHECK(channel.is_negotiated());
    CHECK(channel.is_ordered() == (i != 2 && i != 3));
    const bool is_reliable = i == 0 || i == 4;
    CHECK(channel.get_max_packet_life_time() == (is_reliable ? DataChannel::kUnset : 1));
  }
  REQUIRE(t.a.put(2, "r", TRANSFER_MODE_RELIABLE));
  REQUIRE(t.a.put(0, "o", TRANSFER_MODE_UNRELIABLE_ORDERED));
  REQUIRE(t.a.put(-7, "u", TRANSFER_MODE_UNRELIABLE));
  REQUIRE(t.a.put(2, "x1", TRANSFER_MODE_RELIABLE, 1));
  REQUIRE(t.a.put(2, "x2", TRANSFER_MODE_UNRELIABLE, 2));
  t.world.run_for(1s);
  REQUIRE(t.b.packets.size() == 5);
  std::map<std::string, Packet> by_data;
  for (const Packet& p : t.b.packets) by_data.emplace(p.data, p);
  for (const auto& [data, p] : by_data) CHECK(p.from == 1);
  CHECK(by_data.at("r").mode == TRANSFER_MODE_RELIABLE);
  CHECK(by_data.at("o").mode == TRANSFER_MODE_UNRELIABLE_ORDERED);
  CHECK(by_data.at("u").mode == TRANSFER_MODE_UNRELIABLE);
  for (const char* base : {"r", "o", "u"}) CHECK(by_data.at(base).channel == 0);
  CHECK(by_data.at("x1").channel == 1);
  CHECK(by_data.at("x1").mode == TRANSFER_MODE_UNRELIABLE);
  CHECK(by_data.at("x2").channel == 2);
  CHECK(by_data.at("x2").mode == TRANSFER_MODE_RELIABLE);

  CHECK(t.a.put(3, "x").error() == ErrorCode::InvalidArgument);
  CHECK(t.a.put(2, "x", TRANSFER_MODE_RELIABLE, 3).error() == ErrorCode::InvalidArgument);
  REQUIRE(t.a.put(-2, "not for 2"));
  REQUIRE(t.a.put(2, ""));  // an empty packet is no packet
  t.world.run_for(1s);
  CHECK(t.b.packets.size() == 5);
  CHECK(t.b.peer->get_packet_peer() == 0);
  CHECK(t.b.peer->get_packet().error() == ErrorCode::Empty);
  CHECK(t.b.peer->get_packet_error() == ErrorCode::Empty);
}

TEST_CASE("an unreliable packet that is lost is not sent again, a reliable one is: on the wire",
          "[API-38][API-56]") {
  for (const auto mode : std::initializer_list<MultiplayerPeer::TransferMode>{
           TRANSFER_MODE_UNRELIABLE, TRANSFER_MODE_UNRELIABLE_ORDERED, TRANSFER_MODE_RELIABLE}) {
    INFO(int{mode});
    Wire wire;
    Pair t({}, {}, [&](Configuration& c) { c.tap = {Wire::look, &wire}; });
    t.world.run_for(1s);
    const Address ip_a = Address::v4(192, 0, 2, 1, 0), ip_b = Address::v4(192, 0, 2, 2, 0);
    const auto cut = [&](bool is_cut) { t.world.link(ip_a, ip_b).config.cut = is_cut; };
    cut(true);
    REQUIRE(t.a.put(2, "mark", mode));
    t.world.run_for(50ms);
    cut(false);
    CHECK(wire.transmissions == 1);  // a life time of 1 ms still gives the first transmission
    REQUIRE(t.a.put(2, "after", mode));
    t.world.run_for(10s);
    const bool is_reliable = mode == TRANSFER_MODE_RELIABLE;
    CHECK(wire.stream == (is_reliable ? 1 : mode == TRANSFER_MODE_UNRELIABLE ? 3 : 2));
    if (is_reliable) {
      CHECK(wire.transmissions >= 2);
      CHECK(t.b.packets.size() == 2);
      CHECK(wire.forward_tsns == 0);
    } else {
      CHECK(wire.transmissions == 1);
      CHECK(wire.forward_tsns >= 1);
      REQUIRE(t.b.packets.size() == 1);
      CHECK(t.b.packets[0].data == "after");
    }
  }
}

TEST_CASE("packets of many peers take turns", "[API-52]") {
  sim::World world(3);
  std::vector<std::unique_ptr<Player>> players;
  for (int i = 1; i <= 4; ++i) {
    players.push_back(
        std::make_unique<Player>(world, static_cast<std::uint8_t>(i), static_cast<std::uint64_t>(i)));
    REQUIRE(players.back()->peer->create_mesh(i));
  }
  Player& hub = *players[0];
  hub.reads = false;
  for (int i = 2; i <= 4; ++i) introduce(world, *players[static_cast<std::size_t>(i - 1)], i, hub, 1);
  REQUIRE(world.run_until([&] { return hub.connected.size() == 3; }, 30s));
  world.run_for(1s);
  for (int i = 2; i <= 4; ++i)
    for (int n = 0; n < 3; ++n)
      REQUIRE(players[static_cast<std::size_t>(i - 1)]->put(
          1, std::to_string(i) + std::string("/") + std::to_string(n)));
  world.run_for(1s);
  CHECK(hub.peer->get_available_packet_count() == 9);
  hub.read();
  std::vector<int> order;
  for (const Packet& p : hub.packets) order.push_back(p.from);
  CHECK(order == std::vector<int>{2, 3, 4, 2, 3, 4, 2, 3, 4});
  CHECK(hub.packets[5].data == "4/1");
}

TEST_CASE("what add_peer, create and put refuse, and by which error") {
  sim::World world(1);
  Player p(world, 1, 1);
  MultiplayerPeer& peer = *p.peer;
  const auto fresh = [&] { return p.make_connection({}); };
  CHECK(peer.get_connection_status() == MultiplayerPeer::CONNECTION_DISCONNECTED);
  CHECK(peer.get_unique_id() == 1);
  CHECK(peer.add_peer(fresh(), 2).error() == ErrorCode::Unconfigured);
  CHECK(p.put(0, "x").error() == ErrorCode::Unconfigured);
  CHECK(peer.create_client(1).error() == ErrorCode::InvalidArgument);
  CHECK(peer.create_mesh(0).error() == ErrorCode::InvalidArgument);
  CHECK(peer.create_mesh(-5).error() == ErrorCode::InvalidArgument);
  const auto bad = static_cast<MultiplayerPeer::TransferMode>(3);
  CHECK(peer.create_server(std::span(&bad, 1)).error() == ErrorCode::InvalidArgument);
  CHECK(peer.get_connection_status() == MultiplayerPeer::CONNECTION_DISCONNECTED);

  REQUIRE(peer.create_client(9));
  CHECK(peer.get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTING);
  CHECK(peer.get_unique_id() == 9);
  CHECK(peer.is_server_relay_supported());
  CHECK(peer.add_peer(fresh(), 2).error() == ErrorCode::InvalidArgument);
  REQUIRE(peer.create_server());
  CHECK(peer.is_server());
  CHECK(peer.add_peer(fresh(), 1).error() == ErrorCode::InvalidArgument);
  REQUIRE(peer.create_mesh(5));
  CHECK_FALSE(peer.is_server_relay_supported());
  CHECK(peer.add_peer(fresh(), 0).error() == ErrorCode::InvalidArgument);
  CHECK(peer.add_peer(fresh(), 2, -1).error() == ErrorCode::InvalidArgument);
  CHECK(peer.add_peer(nullptr, 2).error() == ErrorCode::InvalidArgument);
  const auto used = fresh();
  const auto channel = used->create_data_channel("x");
  REQUIRE(used->create_offer());
  CHECK(peer.add_peer(used, 2).error() == ErrorCode::InvalidArgument);
  peer.set_refuse_new_connections(true);
  CHECK(peer.add_peer(fresh(), 2).error() == ErrorCode::Unauthorized);
  CHECK(peer.is_refusing_new_connections());
  peer.set_refuse_new_connections(false);
  CHECK(peer.get_peers().empty());
  REQUIRE(peer.add_peer(fresh(), 2));
  CHECK(peer.has_peer(2));
  CHECK_FALSE(peer.get_peers()[0].second.connected);
  CHECK(peer.remove_peer(3).error() == ErrorCode::NotFound);
  CHECK(peer.disconnect_peer(3).error() == ErrorCode::NotFound);
  CHECK(peer.get_peer(3).error() == ErrorCode::NotFound);
  // An id that is there is replaced: the old connection loses its reference.
  const std::weak_ptr<PeerConnection> old = peer.get_peer(2)->connection;
  REQUIRE(peer.add_peer(fresh(), 2));
  CHECK(old.expired());
  CHECK(peer.get_peers().size() == 1);
  REQUIRE(peer.remove_peer(2));
  CHECK(p.log.empty());  // it was never announced
  for (int i = 0; i < 100; ++i) CHECK(MultiplayerPeer::generate_unique_id() >= 2);
}

TEST_CASE("leaving: remove, disconnect, force, close, and one closed channel", "[API-56][API-49]") {
  const auto gone = [](Player& p, int id) { return p.connected.count(id) == 0; };
  SECTION("remove_peer tells here and, by the lost reference, there") {
    Pair t;
    REQUIRE(t.a.peer->remove_peer(2));
    CHECK(t.a.log.back() == "-2");
    REQUIRE(t.world.run_until([&] { return gone(t.b, 1); }, 1s));
    CHECK(t.b.log == std::vector<std::string>{"+1", "-1"});
  }
  SECTION("disconnect_peer tells in the next poll") {
    Pair t;
    REQUIRE(t.a.peer->disconnect_peer(2));
    CHECK(t.a.log.back() == "+2");
    CHECK(t.a.peer->has_peer(2));
    REQUIRE(t.a.peer->poll());
    CHECK(t.a.log.back() == "-2");
    CHECK_FALSE(t.a.peer->has_peer(2));
    REQUIRE(t.world.run_until([&] { return gone(t.b, 1); }, 1s));
  }
  SECTION("with force nobody here is told") {
    Pair t;
    REQUIRE(t.a.peer->disconnect_peer(2, true));
    CHECK_FALSE(t.a.peer->has_peer(2));
    REQUIRE(t.world.run_until([&] { return gone(t.b, 1); }, 1s));
    CHECK(t.a.log == std::vector<std::string>{"+2"});
  }
  SECTION("close drops all without a word, and can be followed by a new start") {
    Pair t;
    t.a.peer->close();
    CHECK(t.a.peer->get_connection_status() == MultiplayerPeer::CONNECTION_DISCONNECTED);
    CHECK(t.a.peer->get_peers().empty());
    REQUIRE(t.world.run_until([&] { return gone(t.b, 1); }, 1s));
    CHECK(t.a.log == std::vector<std::string>{"+2"});
    REQUIRE(t.a.peer->create_mesh(3));
    introduce(t.world, t.b, 2, t.a, 3);
    REQUIRE(
        t.world.run_until([&] { return t.a.connected.count(2) == 1 && t.b.connected.count(3) == 1; }, 30s));
  }
  SECTION("one channel that closes ends the peer, at both ends") {
    for (const std::size_t which : {std::size_t{0}, std::size_t{2}}) {
      Pair t;
      t.a.peer->get_peer(2)->channels[which]->close();
      REQUIRE(t.world.run_until([&] { return gone(t.a, 2) && gone(t.b, 1); }, 2s));
      CHECK(t.a.log == std::vector<std::string>{"+2", "-2"});
      CHECK(t.b.log == std::vector<std::string>{"+1", "-1"});
    }
  }
}

TEST_CASE(
    "who sleeps until the deadline is told at once that a peer was disconnected, or came beyond the server",
    "[API-18]") {
  SECTION("disconnect_peer()") {
    Pair t;
    REQUIRE(t.a.peer->disconnect_peer(2));
    CHECK(t.a.peer->get_time_to_next_deadline() == Duration::zero());
    t.world.run_for(1ms);
    CHECK(t.a.log.back() == "-2");
    CHECK(t.a.peer->get_time_to_next_deadline() != Duration::zero());
  }
  SECTION("a packet that is read uncovers the word that another came") {
    sim::World world(1);
    Player server(world, 1, 1), client(world, 2, 2), other(world, 3, 3);
    REQUIRE(server.peer->create_server());
    REQUIRE(client.peer->create_client(2));
    REQUIRE(other.peer->create_client(3));
    for (Player* player : {&server, &client, &other}) REQUIRE(player->peer->set_server_relay_enabled(true));
    introduce(world, client, 2, server, 1);
    world.run_for(2s);
    client.reads = false;
    REQUIRE(server.put(2, "first"));
    introduce(world, other, 3, server, 1);
    world.run_for(2s);
    REQUIRE(client.log == std::vector<std::string>{"+1", "succeeded"});
    client.read();
    REQUIRE(client.packets.size() == 1);
    CHECK(client.peer->get_time_to_next_deadline() == Duration::zero());
    world.run_for(1ms);
    CHECK(client.log.back() == "+3");
    CHECK(client.peer->get_time_to_next_deadline() != Duration::zero());
  }
}

TEST_CASE("a client that loses its server forgets whom it knew through it", "[API-56]") {
  sim::World world(1);
  Player server(world, 1, 1), client(world, 2, 2), other(world, 3, 3);
  REQUIRE(server.peer->create_server());
  REQUIRE(client.peer->create_client(2));
  REQUIRE(other.peer->create_client(3));
  for (Player* player : {&server, &client, &other}) REQUIRE(player->peer->set_server_relay_enabled(true));
  introduce(world, client, 2, server, 1);
  world.run_for(2s);
  SECTION("word of another that was not given out yet is not given out any more") {
    const auto poll = std::exchange(client.machine.poll, nullptr);
    const auto deadline = std::exchange(client.machine.time_to_deadline, nullptr);
    REQUIRE(server.put(2, "first"));
    introduce(world, other, 3, server, 1);
    world.run_for(2s);
    client.reads = false;
    poll();
    client.read();
    REQUIRE(client.packets.size() == 1);
    REQUIRE(client.log == std::vector<std::string>{"+1", "succeeded"});
    server.peer.reset();
    world.run_for(100ms);
    client.machine.poll = poll;
    client.machine.time_to_deadline = deadline;
    poll();
    world.run_for(10s);
    CHECK(client.log == std::vector<std::string>{"+1", "succeeded", "-1", "server gone"});
  }
  SECTION("after it left by force and joined again it hears of the other anew") {
    introduce(world, other, 3, server, 1);
    world.run_for(2s);
    REQUIRE(client.log.back() == "+3");
    REQUIRE(client.peer->disconnect_peer(1, true));
    world.run_for(2s);
    client.log.clear();
    introduce(world, client, 2, server, 1);
    world.run_for(2s);
    CHECK(client.log == std::vector<std::string>{"+1", "+3"});
  }
  SECTION("a connection that takes the place of the one to the server") {
    introduce(world, other, 3, server, 1);
    world.run_for(2s);
    client.log.clear();
    REQUIRE(server.peer->disconnect_peer(2, true));
    introduce(world, client, 2, server, 1);
    world.run_for(2s);
    CHECK(client.log == std::vector<std::string>{"+1", "+3"});
  }
}

TEST_CASE("handlers of a MultiplayerPeer may do anything", "[API-02][API-03]") {
  for (int action = 0; action < 6; ++action) {
    for (const bool on_leaving : {false, true}) {
      INFO("action " << action << (on_leaving ? ", leaving" : ", coming"));
      sim::World world(5);
      Player a(world, 1, 1), b(world, 2, 2);
      REQUIRE(a.peer->create_mesh(1));
      REQUIRE(b.peer->create_mesh(2));
      int calls = 0;
      const auto act = [&](int) {
        ++calls;
        CHECK(a.peer->poll().error() == ErrorCode::InvalidState);
        if (action == 0) a.peer.reset();
        if (action == 1) a.peer->close();
        if (action == 2) (void)a.peer->remove_peer(2);
        if (action == 3) (void)a.peer->disconnect_peer(2, true);
        if (action == 4) (void)a.peer->create_mesh(77);
        if (action == 5) a.peer->peer_connected = a.peer->peer_disconnected = nullptr;
      };
      (on_leaving ? a.peer->peer_disconnected : a.peer->peer_connected) = act;
      introduce(world, a, 1, b, 2);
      REQUIRE(world.run_until([&] { return b.connected.count(1) == 1; }, 30s));
      world.run_for(100ms);
      if (on_leaving) b.peer->close();
      world.run_for(5s);
      CHECK(calls == 1);
    }
  }
}

TEST_CASE("a client and its server; Godot 3's compatible mesh", "[API-56]") {
  sim::World world(9);
  Player server(world, 1, 1), client(world, 2, 2), other(world, 3, 3);
  SECTION("client") {
    REQUIRE(server.peer->create_server());
    REQUIRE(client.peer->create_client(20));
    introduce(world, client, 20, server, 1);
    CHECK(client.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTING);
    REQUIRE(world.run_until([&] { return client.connected.count(1) == 1; }, 30s));
    CHECK(client.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTED);
    CHECK(client.log == std::vector<std::string>{"+1", "succeeded"});
    world.run_for(1s);
    server.peer->close();
    world.run_for(1s);
    CHECK(client.log == std::vector<std::string>{"+1", "succeeded", "-1", "server gone"});
    CHECK(client.peer->get_connection_status() == MultiplayerPeer::CONNECTION_DISCONNECTED);
  }
  SECTION("a client whose server never answers stays connecting, though it hears that it failed") {
    REQUIRE(client.peer->create_client(20));
    const auto connection = client.make_connection({});
    REQUIRE(client.peer->add_peer(connection, 1));
    connection->close();
    REQUIRE(client.peer->poll());
    CHECK(client.log == std::vector<std::string>{"failed"});
    CHECK(client.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTING);
  }
  SECTION("server_compatibility holds the others back until the server is there") {
    REQUIRE(server.peer->initialize(1, true));
    REQUIRE(client.peer->initialize(20, true));
    REQUIRE(other.peer->initialize(30, true));
    CHECK(server.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTED);
    introduce(world, client, 20, other, 30);
    world.run_for(5s);
    CHECK(client.log.empty());
    CHECK(client.peer->get_connection_status() == MultiplayerPeer::CONNECTION_CONNECTING);
    introduce(world, client, 20, server, 1);
    world.run_for(5s);
    CHECK(client.log == std::vector<std::string>{"+1", "succeeded", "+30"});
  }
}
