// Connections behind one UdpMux over a network of the user's: TURN servers, errors of ICMP, multicast DNS.
#include "pollrtc/udp_mux.h"
#include "scenario/turn_service.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

namespace pollrtc::test {
namespace {

const Address kTurn = Address::v4(203, 0, 113, 9, 3478);
constexpr std::size_t kGuests = 4;

// A machine whose connections share a port, and a guest elsewhere for each of them.
struct Household {
  explicit Household(const std::function<void(Configuration&)>& edit = {},
                     const std::function<void(UdpMux::Config&, SimEnd&)>& edit_mux = {})
      : server(world, 1) {
    UdpMux::Config config;
    config.network = server.machine.configuration().network;
    config.rng = server.machine.environment.env.rng;
    if (edit_mux) edit_mux(config, server);
    mux = std::make_shared<UdpMux>(config);
    for (std::size_t i = 0; i < kGuests; ++i) {
      guests.push_back(std::make_unique<SimEnd>(world, static_cast<std::uint8_t>(10 + i)));
      guests[i]->start();
      ends.push_back(std::make_shared<PeerConnection>());
      Configuration c = server.machine.configuration();
      c.network = {};
      c.udp_mux = mux;
      if (edit) edit(c);
      REQUIRE(ends[i]->initialize(c));
      signal_between(world, guests[i]->connection, ends[i], 5ms);
      ends[i]->data_channel_received = [this](const ChannelPtr& channel) { channels.push_back(channel); };
      ends[i]->ice_server_failed = [this](const std::string&, int code, const std::string&) {
        failures.push_back(code);
      };
    }
    server.machine.poll = [this] {
      for (const auto& end : ends) CHECK(end->poll());
    };
    server.machine.time_to_deadline = [this]() -> std::optional<Duration> {
      std::optional<Duration> next;
      for (const auto& end : ends)
        if (const auto wait = end->get_time_to_next_deadline()) next = next ? std::min(*next, *wait) : wait;
      return next;
    };
  }
  bool connect() {
    for (auto& guest : guests) {
      ours.push_back(guest->create());
      REQUIRE(guest->connection->create_offer());
    }
    return world.run_until(
        [&] {
          return channels.size() == kGuests && std::all_of(ours.begin(), ours.end(), [](const auto& c) {
                   return c->get_ready_state() == ChannelState::Open;
                 });
        },
        30s);
  }

  sim::World world{1};
  SimEnd server;
  std::shared_ptr<UdpMux> mux;
  std::vector<std::unique_ptr<SimEnd>> guests;
  std::vector<std::shared_ptr<PeerConnection>> ends;
  std::vector<ChannelPtr> ours, channels;
  std::vector<int> failures;
};

}  // namespace

TEST_CASE("behind a mux each connection has its own allocation on the TURN server, all at the same time",
          "[TURN-06]") {
  Household h([](Configuration& c) {
    c.ice_servers = {{{"turn:203.0.113.9"}, "alice", "secret"}};
    c.ice_transport_policy = IceTransportPolicy::Relay;
  });
  scenario::TurnService turn(h.world, kTurn);
  REQUIRE(h.connect());
  CHECK(turn.server.allocations.size() == kGuests);
  CHECK(h.failures.empty());
  CHECK(h.server.machine.open_sockets == 1 + kGuests);  // the shared one, and one each
  std::set<Address> relayed;
  for (std::size_t i = 0; i < kGuests; ++i) {
    const PeerStats stats = h.ends[i]->get_stats();
    CHECK(stats.local_type == CandidateType::Relayed);
    relayed.insert(stats.selected_path->local);
    REQUIRE(h.ours[i]->send_text("to " + std::to_string(i)));
    REQUIRE(h.channels[i]->send_text("from " + std::to_string(i)));
  }
  CHECK(relayed.size() == kGuests);
  h.world.run_for(700s);  // refreshed, too
  CHECK(turn.server.allocations.size() == kGuests);
  std::set<std::string> heard;
  for (std::size_t i = 0; i < kGuests; ++i) {
    heard.insert(take(h.ours[i]));
    heard.insert(take(h.channels[i]));
  }
  CHECK(heard.size() == 2 * kGuests);
  h.ends[0]->close();
  h.world.run_for(1s);
  CHECK(h.server.machine.open_sockets == kGuests);
  CHECK(turn.server.allocations.size() == kGuests - 1);
}

TEST_CASE(
    "behind a mux the TURN server also tells how the shared socket looks, which stays the first choice") {
  Household h([](Configuration& c) { c.ice_servers = {{{"turn:203.0.113.9"}, "alice", "secret"}}; });
  scenario::TurnService turn(h.world, kTurn);
  REQUIRE(h.connect());
  for (const auto& end : h.ends) {
    const PeerStats stats = end->get_stats();
    CHECK(stats.local_type == CandidateType::Host);
    CHECK(stats.selected_path->local.port == 5000);
  }
  CHECK(turn.server.count(stun::Method::Binding) >= kGuests);
}

TEST_CASE("without a TURN server by UDP nobody behind a mux has a socket of its own") {
  Household h([](Configuration& c) {
    c.ice_servers = {{{"turn:203.0.113.9?transport=tcp"}, "alice", "secret"}, {{"stun:203.0.113.9"}, "", ""}};
  });
  REQUIRE(h.connect());
  CHECK(h.server.machine.open_sockets == 1);
}

TEST_CASE("names are resolved by multicast also behind a mux whose network was given", "[ICE-MDNS-05]") {
  MulticastLink link;
  Household h({}, [&](UdpMux::Config& config, SimEnd& server) {
    Configuration c;
    server.machine.join(link, c);
    config.network.open_multicast = c.network.open_multicast;
  });
  SimEnd& guest = *h.guests[0];
  guest.start([&](Configuration& c) {
    guest.machine.join(link, c);
    c.hide_addresses = true;
  });
  signal_between(h.world, guest.connection, h.ends[0], 5ms);
  std::size_t named = 0;
  const auto forward = guest.connection->ice_candidate_created;
  guest.connection->ice_candidate_created = [&](const std::string& media, int index,
                                                const std::string& line) {
    named += line.find(".local") != std::string::npos;
    forward(media, index, line);
  };
  const std::size_t sockets = h.server.machine.open_sockets;
  const ChannelPtr ours = guest.create();
  REQUIRE(guest.connection->create_offer());
  REQUIRE(h.world.run_until([&] { return ours->get_ready_state() == ChannelState::Open; }, 10s));
  CHECK(named == 1);
  CHECK(h.server.machine.open_sockets == sockets + 2);  // the shared one, and that of the group
  h.world.run_for(2s);
  CHECK(h.ends[0]->get_stats().remote_type == CandidateType::Host);
}

}  // namespace pollrtc::test
