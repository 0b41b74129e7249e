// UdpMux::poll(): it polls whom something is due for, costs nothing for the others, and stands handlers that make and
// destroy connections.
#include "base/bytes.h"
#include "pollrtc/udp_mux.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// A network without a wire: it counts how often it is asked.
struct DeadNetwork {
  Network hooks() {
    Network n;
    n.now = [](void* c) { return ++self(c).asked, self(c).time; };
    n.list_addresses = [](void* c, bool, std::span<Address> out) {
      ++self(c).listed;
      out[0] = Address::v4(192, 0, 2, 1, 0);
      return std::size_t{1};
    };
    n.open = [](void*, const Address& local, std::uint16_t, std::uint16_t, Address& bound) {
      bound = local.with_port(5000);
      return 0;
    };
    n.close = [](void*, int) {};
    n.send = [](void* c, int, const Address&, Bytes) { return ++self(c).sent, Network::Outcome::Done; };
    n.receive = [](void* c, int, MutBytes, std::size_t&, Address&) {
      return ++self(c).reads, Network::Outcome::WouldBlock;
    };
    n.context = this;
    return n;
  }
  static DeadNetwork& self(void* c) { return *static_cast<DeadNetwork*>(c); }
  Time time{1h};
  std::size_t asked = 0, listed = 0, sent = 0, reads = 0;
};

struct Guest {
  TwoSides t;  // `a` is a client with sockets of its own, `b` is behind the mux
  ChannelPtr ours;
};

struct Guests {
  explicit Guests(int count) {
    for (int i = 0; i < count; ++i) {
      all.push_back(std::make_unique<Guest>());
      Configuration configuration = loopback();
      configuration.udp_mux = mux;
      REQUIRE(all.back()->t.b.connection->initialize(configuration));
      all.back()->ours = all.back()->t.a.create();
      REQUIRE(all.back()->t.a.connection->create_offer());
    }
  }
  bool poll_until(const std::function<bool(Guest&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!std::all_of(all.begin(), all.end(), [&](auto& g) { return g == nullptr || condition(*g); })) {
      if (std::chrono::steady_clock::now() > end) return false;
      for (const auto& guest : all)
        if (guest) REQUIRE(guest->t.a.connection->poll());
      REQUIRE(mux->poll(1ms));
    }
    return true;
  }
  static bool is_open(Guest& g) {
    return g.ours->get_ready_state() == ChannelState::Open && !g.t.b.channels.empty();
  }
  std::shared_ptr<UdpMux> mux = std::make_shared<UdpMux>();
  std::vector<std::unique_ptr<Guest>> all;
};

}  // namespace

TEST_CASE("a mux polls its connections: they connect, and messages go both ways") {
  Guests guests(10);
  REQUIRE(guests.poll_until(Guests::is_open));
  for (auto& g : guests.all) {
    REQUIRE(g->ours->put_packet(as_bytes("there")));
    REQUIRE(g->t.b.channels.front()->put_packet(as_bytes(std::string(50'000, 'b'))));
  }
  REQUIRE(guests.poll_until([](Guest& g) {
    return g.ours->get_available_packet_count() == 1 &&
           g.t.b.channels.front()->get_available_packet_count() == 1;
  }));
  // With nothing to do it sleeps for as long as it is told.
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) REQUIRE(guests.mux->poll(20ms));
  CHECK(std::chrono::steady_clock::now() - start < 5s);
}

TEST_CASE("a poll of a mux costs what is due, not what exists") {
  DeadNetwork network;
  UdpMux::Config config;
  config.network = network.hooks();
  const auto mux = std::make_shared<UdpMux>(config);
  std::vector<std::unique_ptr<PeerConnection>> connections;
  for (int i = 0; i < 200; ++i) {
    connections.push_back(std::make_unique<PeerConnection>());
    Configuration configuration;
    configuration.udp_mux = mux;
    REQUIRE(connections.back()->initialize(configuration));
    REQUIRE(connections.back()->create_data_channel("x"));
    REQUIRE(connections.back()->create_offer());
  }
  CHECK(network.listed == 1);  // the machine was asked once for all of them
  int described = 0;
  for (auto& c : connections)
    c->session_description_created = [&](const std::string&, const std::string&) { ++described; };
  for (int i = 0; i < 5; ++i) REQUIRE(mux->poll());
  CHECK(described == 200);

  network.asked = network.reads = 0;
  for (int i = 0; i < 10; ++i) REQUIRE(mux->poll());
  CHECK(network.reads == 10);
  CHECK(network.asked < 10 * 5);  // none of the 200 was so much as asked

  // One is touched, and one alone is polled.
  REQUIRE(connections[7]->create_data_channel("y"));
  network.asked = 0;
  REQUIRE(mux->poll());
  CHECK(network.asked < 60);
}

TEST_CASE("handlers that a mux calls may destroy connections, make new ones, and drop the mux") {
  Guests guests(6);
  REQUIRE(guests.poll_until(Guests::is_open));
  int heard = 0;
  std::unique_ptr<PeerConnection> made;
  for (auto& g : guests.all) REQUIRE(g->ours->put_packet(as_bytes("go")));
  for (std::size_t i = 0; i < guests.all.size(); ++i) {
    guests.all[i]->t.b.channels.front()->message_received = [&, i] {
      if (++heard != 1) return;
      CHECK(guests.mux->poll().error() == ErrorCode::InvalidState);
      for (std::size_t k = 0; k < guests.all.size(); ++k) {
        if (k == i) continue;
        guests.all[k]->t.b.channels.clear();
        guests.all[k]->t.b.connection.reset();
      }
      guests.all[i]->t.b.connection.reset();
      made = std::make_unique<PeerConnection>();
      Configuration configuration = loopback();
      configuration.udp_mux = guests.mux;
      REQUIRE(made->initialize(configuration));
      REQUIRE(made->create_data_channel("new"));
      REQUIRE(made->create_offer());
      guests.mux.reset();
    };
  }
  const std::shared_ptr<UdpMux> watched = guests.mux;
  for (int i = 0; i < 2000 && heard == 0; ++i) REQUIRE(watched->poll(1ms));
  CHECK(heard == 1);
  CHECK(watched->get_stats().connections == 2);  // the new one, and the one whose channel is held
  bool is_described = false;
  made->session_description_created = [&](const std::string&, const std::string&) { is_described = true; };
  for (int i = 0; i < 10; ++i) REQUIRE(watched->poll(1ms));
  CHECK(is_described);
}
