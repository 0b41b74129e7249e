// Many MultiplayerPeers over bad networks, for a long time: a mesh whose members come and go, a server that passes on.
#include <charconv>
#include <limits>

#include "support/catch.h"
#include "unit/api/players.h"

using namespace pollrtc;
using namespace pollrtc::test;
using enum MultiplayerPeer::TransferMode;

namespace {

sim::LinkConfig lossy(double loss) {
  sim::LinkConfig link;
  link.delay = 20ms;
  link.jitter = 5ms;
  link.loss = loss;
  return link;
}

// A seat of the mesh: who sits there changes, and each has an id of its own.
struct Seat {
  explicit Seat(sim::World& world, std::uint8_t number) : player(world, number, number) {
    player.on_packet = [this](const Packet& packet) { check(packet); };
  }
  // Reliable packets of one sender are numbered from where we began to hear; unreliable ones come at most once.
  void check(const Packet& packet) {
    int number = 0;
    std::from_chars(packet.data.data() + 1, packet.data.data() + packet.data.size(), number);
    if (packet.data[0] == 'r') {
      CHECK(packet.mode == TRANSFER_MODE_RELIABLE);
      const auto last = last_reliable.find(packet.from);
      if (last != last_reliable.end()) CHECK(number == last->second + 1);
      last_reliable[packet.from] = number;
      ++reliable_received;
    } else {
      CHECK(packet.mode == TRANSFER_MODE_UNRELIABLE);
      CHECK(unreliable[packet.from].insert(number).second);
      ++unreliable_received;
    }
  }
  void sit_down(int new_id) {
    id = new_id;
    last_reliable.clear();
    unreliable.clear();
    REQUIRE(player.peer->create_mesh(id));
  }
  void leave() {
    player.peer->close();
    player.connected.clear();
    id = 0;
  }
  void speak() {
    player.packets.clear();
    if (id == 0) return;
    ++spoken;
    CHECK(player.put(0, std::string("r") + std::to_string(spoken)));
    CHECK(player.put(0, std::string("u") + std::to_string(spoken), TRANSFER_MODE_UNRELIABLE));
  }

  Player player;
  int id = 0, spoken = 0;
  std::map<int, int> last_reliable;
  std::map<int, std::set<int>> unreliable;
  std::size_t reliable_received = 0, unreliable_received = 0;
};

}  // namespace

TEST_CASE("a mesh of eight for ten minutes, with loss, members coming and going", "[API-56][API-19]") {
  sim::World world(2024);
  world.set_default_link(lossy(0.03));
  std::vector<std::unique_ptr<Seat>> seats;
  for (std::uint8_t i = 1; i <= 8; ++i) seats.push_back(std::make_unique<Seat>(world, i));
  int next_id = 2;
  const auto join = [&](Seat& seat) {
    seat.sit_down(next_id++);
    for (const auto& other : seats)
      if (other->id != 0 && other.get() != &seat)
        introduce(world, seat.player, seat.id, other->player, other->id);
  };
  const auto is_whole = [&] {
    std::set<int> ids;
    for (const auto& seat : seats)
      if (seat->id != 0) ids.insert(seat->id);
    return std::all_of(seats.begin(), seats.end(), [&](const auto& seat) {
      if (seat->id == 0) return true;
      std::set<int> others = ids;
      others.erase(seat->id);
      return seat->player.connected == others;
    });
  };
  const auto story = [&] {
    std::string text;
    for (const auto& seat : seats) {
      text += std::to_string(seat->id) + ":";
      for (const std::string& line : seat->player.log) text += " " + line;
      text += '\n';
    }
    return text;
  };
  for (const auto& seat : seats) join(*seat);
  REQUIRE(world.run_until(is_whole, 60s));

  std::size_t left = 0;
  for (int second = 0; second < 600; ++second) {
    if (second % 2 == 0)
      for (const auto& seat : seats) seat->speak();
    if (second % 60 == 20) {  // one goes
      seats[static_cast<std::size_t>(second / 60) % 8]->leave();
      ++left;
    }
    if (second % 60 == 40) {
      INFO("second " << second);
      INFO(story());
      CHECK(is_whole());  // all have noticed, and nobody else was lost
      join(*seats[static_cast<std::size_t>(second / 60) % 8]);
    }
    if (second % 60 == 59) CHECK(is_whole());
    world.run_for(1s);
  }
  CHECK(left == 10);
  REQUIRE(world.run_until(is_whole, 60s));
  for (const auto& seat : seats) {
    CHECK(seat->player.connected.size() == 7);
    CHECK(seat->reliable_received > 1500);
    // 3% of them are lost, and nothing brings them back.
    CHECK(seat->unreliable_received < seat->reliable_received);
    CHECK(seat->unreliable_received > seat->reliable_received * 9 / 10);
  }
}

TEST_CASE("a server with thirty-two clients passes their packets on", "[API-56]") {
  sim::World world(32);
  world.set_default_link(lossy(0.01));
  Player server(world, 200, 200);
  REQUIRE(server.peer->set_server_relay_enabled(true));
  REQUIRE(server.peer->create_server());
  std::vector<std::unique_ptr<Player>> clients;
  constexpr int kClients = 32;
  const auto id_of = [](std::size_t i) { return 100 + static_cast<int>(i); };
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Player>(world, static_cast<std::uint8_t>(i + 1), i + 1));
    REQUIRE(clients[i]->peer->set_server_relay_enabled(true));
    REQUIRE(clients[i]->peer->create_client(id_of(i)));
    introduce(world, *clients[i], id_of(i), server, 1);
  }
  REQUIRE(world.run_until(
      [&] {
        return std::all_of(clients.begin(), clients.end(),
                           [](const auto& c) { return c->connected.size() == kClients; });
      },
      60s));
  CHECK(server.connected.size() == kClients);
  CHECK(clients[0]->peer->set_server_relay_enabled(false).error() == ErrorCode::InvalidState);

  // Each to each other one, to all, to all but one, and to the server.
  for (std::size_t i = 0; i < kClients; ++i) {
    for (std::size_t j = 0; j < kClients; ++j)
      if (i != j) REQUIRE(clients[i]->put(id_of(j), std::string("to ") + std::to_string(id_of(j))));
    REQUIRE(clients[i]->put(1, "to server"));
  }
  REQUIRE(clients[3]->put(0, "to all"));
  REQUIRE(clients[4]->put(-id_of(5), "not to 105"));
  REQUIRE(clients[6]->put(-1, "not to the server"));
  REQUIRE(server.put(0, "from server"));
  CHECK(clients[0]->put(999, "x").error() == ErrorCode::InvalidArgument);
  world.run_for(10s);
  for (std::size_t i = 0; i < kClients; ++i) {
    INFO("client " << id_of(i));
    std::set<int> direct;
    std::map<std::string, int> others;
    for (const Packet& p : clients[i]->packets) {
      if (p.data == std::string("to ") + std::to_string(id_of(i))) {
        CHECK(direct.insert(p.from).second);
      } else {
        ++others[p.data + std::string(" by ") + std::to_string(p.from)];
      }
    }
    CHECK(direct.size() == kClients - 1);
    CHECK(direct.count(id_of(i)) == 0);
    CHECK(others["to all by 103"] == (i == 3 ? 0 : 1));
    CHECK(others["not to 105 by 104"] == (i == 4 || i == 5 ? 0 : 1));
    CHECK(others["not to the server by 106"] == (i == 6 ? 0 : 1));
    CHECK(others["from server by 1"] == 1);
  }
  std::map<std::string, int> at_server;
  for (const Packet& p : server.packets) ++at_server[p.data];
  CHECK(at_server == std::map<std::string, int>{{"to server", 32}, {"to all", 1}, {"not to 105", 1}});

  // One goes: everybody hears; then the server: everybody hears of everybody.
  clients[7]->peer->close();
  REQUIRE(world.run_until(
      [&] {
        return std::all_of(clients.begin(), clients.end(),
                           [&](const auto& c) { return c == clients[7] || c->connected.count(107) == 0; });
      },
      60s));
  CHECK(server.connected.size() == kClients - 1);
  server.peer->close();
  REQUIRE(world.run_until([&] { return clients[0]->connected.empty(); }, 60s));
  CHECK(clients[0]->log.back() == "server gone");
}

TEST_CASE("a client cannot speak for others, nor for the server", "[API-56]") {
  sim::World world(4);
  Player server(world, 200, 200), honest(world, 1, 1), liar(world, 2, 2);
  for (Player* p : {&server, &honest}) REQUIRE(p->peer->set_server_relay_enabled(true));
  REQUIRE(server.peer->create_server());
  REQUIRE(honest.peer->create_client(10));
  REQUIRE(liar.peer->create_client(20));  // frames by hand
  introduce(world, honest, 10, server, 1);
  introduce(world, liar, 20, server, 1);
  REQUIRE(world.run_until([&] { return honest.connected.count(20) == 1; }, 30s));
  using namespace std::string_view_literals;
  for (const std::string_view frame :
       {"\x07\x01\x63\0\0\0"sv, "\x07\x02\x0a\0\0\0"sv, "\x07\x00\0\0\0\0"sv, "\x07\x09\0\0\0\0"sv, "\x07"sv,
        "\x07\x03"sv, "\x03"sv, "\x00rpc"sv, "\x07\x03\x0a\0\0\0\x07\x03\x01\0\0\0\x03nested"sv,
        "\x07\x03\x63\0\0\0\x03nobody"sv, "\x07\x03\x14\0\0\0\x03self"sv,
        "\x07\x03\0\0\0\x80\x03most negative"sv})
    REQUIRE(liar.put(1, frame));
  REQUIRE(liar.put(1, "\x07\x03\x0a\0\0\0\x03honest"sv));
  world.run_for(2s);
  CHECK(honest.connected == std::set<int>{1, 20});
  CHECK(server.connected == std::set<int>{10, 20});
  for (const Player* p : {&server, &honest})
    for (const Packet& packet : p->packets) {
      CHECK(packet.from == 20);
      CHECK((packet.data == "honest" || packet.data == "most negative"));
    }
}

TEST_CASE("messages of a megabyte, where the announced size allows them", "[API-57]") {
  const std::string megabyte(1 << 20, 'm'), medium(200'000, 'k');
  for (const bool large : {false, true}) {
    sim::World world(6);
    world.set_default_link(lossy(0.01));
    Player a(world, 1, 1), b(world, 2, 2);
    a.edit_configuration = b.edit_configuration = [&](Configuration& c) {
      if (!large) return;
      c.limits.sctp_max_message_rx = 1 << 20;
      c.limits.sctp_rx_window = 2 << 20;
    };
    REQUIRE(a.peer->create_mesh(1));
    REQUIRE(b.peer->create_mesh(2));
    introduce(world, a, 1, b, 2);
    REQUIRE(world.run_until([&] { return a.connected.size() == 1 && b.connected.size() == 1; }, 30s));
    world.run_for(1s);
    REQUIRE(a.put(2, medium));
    REQUIRE(world.run_until([&] { return b.packets.size() == 1; }, 60s));
    CHECK(b.packets[0].data == medium);
    world.run_for(1s);
    const std::size_t sent = a.machine.sends;
    if (!large) {
      CHECK(a.put(2, megabyte).error() == ErrorCode::TooLarge);
      CHECK(a.machine.sends == sent);  // nothing of it is on the wire
      continue;
    }
    CHECK(a.put(2, megabyte + "x").error() == ErrorCode::TooLarge);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(a.put(2, megabyte));
      REQUIRE(world.run_until([&] { return b.packets.size() == static_cast<std::size_t>(i) + 2; }, 120s));
      CHECK(b.packets.back().data == megabyte);
    }
  }
}

TEST_CASE("a frame for the id that has no opposite goes nowhere", "[API-56]") {
  constexpr int kLeast = std::numeric_limits<int>::min();
  sim::World world(5);
  Player server(world, 200, 200), raw(world, 1, 1), other(world, 2, 2);
  for (Player* const player : {&server, &other}) REQUIRE(player->peer->set_server_relay_enabled(true));
  REQUIRE(server.peer->create_server());
  REQUIRE(raw.peer->create_client(100));  // its packets are frames, made by hand
  REQUIRE(other.peer->create_client(101));
  introduce(world, raw, 100, server, 1);
  introduce(world, other, 101, server, 1);
  REQUIRE(
      world.run_until([&] { return other.connected.count(100) == 1 && raw.connected.count(1) == 1; }, 30s));
  REQUIRE(raw.put(1, std::string_view("\7\3\0\0\0\x80\3x", 8)));
  REQUIRE(raw.put(1, std::string_view("\7\3\1\0\0\x80\3y", 8)));  // all but 2147483647
  world.run_for(1s);
  for (const Player* const player : {&server, &other}) {
    REQUIRE(player->packets.size() == 1);
    CHECK(player->packets[0].data == "y");
  }
  // As a target of our own it leaves nobody out.
  REQUIRE(server.put(kLeast, "z"));
  world.run_for(1s);
  REQUIRE(other.packets.size() == 2);
  CHECK(other.packets[1].data == "z");
}
