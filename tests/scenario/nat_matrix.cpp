// Eight kinds of access to the network against eight: who reaches whom, and by which candidates. What is expected stands in
// docs/nat.md, and this test compares the two cell by cell.
#include <fstream>
#include <sstream>

#include "scenario/signalling.h"
#include "scenario/stun_server.h"
#include "scenario/turn_service.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

const Address kStun = Address::v4(203, 0, 113, 1, 3478), kTurn = Address::v4(203, 0, 113, 2, 3478);

// NATs from the inside out; none for a host on the public network.
struct Access {
  const char* name;
  std::vector<sim::NatConfig> nats;
};

const std::vector<Access>& kinds() {
  static const std::vector<Access> all{
      {"open", {}},
      {"full cone", {sim::NatConfig::full_cone()}},
      {"address-restricted", {sim::NatConfig::restricted()}},
      {"port-restricted", {sim::NatConfig::port_restricted()}},
      {"symmetric", {sim::NatConfig::symmetric()}},
      {"double cone", {sim::NatConfig::port_restricted(), sim::NatConfig::full_cone()}},
      {"symmetric then cone", {sim::NatConfig::symmetric(), sim::NatConfig::port_restricted()}},
      {"UDP blocked", {sim::NatConfig::blocked()}},
  };
  return all;
}

HostMaker host_of(const Access& access, std::uint8_t side) {
  return [access, side](sim::World& world) -> sim::Host& {
    sim::Nat* outer = nullptr;
    for (std::size_t i = access.nats.size(); i-- > 0;) {
      const bool is_outermost = outer == nullptr;
      const Address address =
          is_outermost ? Address::v4(198, 51, 100, side, 0) : Address::v4(100, 64, side, 7, 0);
      outer = &world.add_nat(access.nats[i], address, outer);
    }
    const Address inner =
        outer == nullptr ? Address::v4(192, 0, 2, side, 0) : Address::v4(192, 168, side, 2, 0);
    return world.add_host({inner}, outer);
  };
}

// "local > remote" of the offerer's selected pair, or "none"; a message has gone each way.
std::string outcome(const Access& alice, const Access& bob, std::uint64_t seed, bool has_turn) {
  TwoPeers t(seed, host_of(alice, 1), host_of(bob, 2));
  StunServer server(t.world, kStun);
  TurnService relay(t.world, kTurn);
  if (has_turn)
    for (End* end : {&t.alice, &t.bob}) {
      const Address seen = Address::v4(198, 51, 100, end == &t.alice ? 1 : 2, 0);
      relay.serve(*end, seen, {TurnTransport::Udp, TurnTransport::Tcp});
    }
  t.alice.stun_servers = t.bob.stun_servers = {kStun};
  const ChannelHandle a = t.alice.create({.label = "chat"});
  t.negotiate();
  t.run_until(
      [&] {
        const bool is_open = t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty();
        const bool has_failed = t.alice.peer.connection_state() == ConnectionState::Failed &&
                                t.bob.peer.connection_state() == ConnectionState::Failed;
        return is_open || has_failed;
      },
      120s);
  if (t.alice.peer.connection_state() == ConnectionState::Failed) return "none";
  t.world.run_for(2s);  // until the nomination is through
  speak(t, {a, t.bob.announced[0]});
  const PeerStats stats = t.alice.peer.stats();
  return std::string(name_of(stats.local_type)) + " > " + std::string(name_of(stats.remote_type));
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

// The rows of the table under a heading: the first cell names the offerer's access, the others the outcome by column.
std::map<std::string, std::vector<std::string>> documented(const std::string& heading) {
  std::ifstream file(std::string(test::kTestFolder) + "/../docs/nat.md");
  REQUIRE(file);
  std::map<std::string, std::vector<std::string>> rows;
  bool is_there = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) is_there = line == "## " + heading;
    if (!is_there || !line.starts_with("| ") || line.starts_with("| ---")) continue;
    std::istringstream cells(line.substr(1));
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '|');) row.push_back(trimmed(cell));
    rows[row.front()] = {row.begin() + 1, row.end()};
  }
  return rows;
}

std::string row_of(const std::string& name, const std::vector<std::string>& cells) {
  std::string row = "| " + name + " |";
  for (const std::string& cell : cells) row += " " + cell + " |";
  return row;
}

}  // namespace

TEST_CASE("who reaches whom, and how: as the tables say", "[ICE-NAT-01]") {
  const bool has_turn = GENERATE(false, true);
  const auto table = documented(has_turn ? "With TURN" : "Without TURN"), direct = documented("Without TURN");
  REQUIRE(table.count("offerer \\ answerer") == 1);
  std::vector<std::string> columns;
  for (const Access& kind : kinds()) columns.emplace_back(kind.name);
  CHECK(table.at("offerer \\ answerer") == columns);
  for (std::size_t a = 0; a < kinds().size(); ++a) {
    std::vector<std::string> found;
    for (std::size_t b = 0; b < kinds().size(); ++b)
      found.push_back(outcome(kinds()[a], kinds()[b], 100 + 8 * a + b, has_turn));
    INFO("found: " << row_of(kinds()[a].name, found));
    REQUIRE(table.count(kinds()[a].name) == 1);
    CHECK(table.at(kinds()[a].name) == found);
    // A relay is for those whom nothing else helps, and helps them all.
    for (std::size_t b = 0; b < kinds().size(); ++b) {
      const bool is_relayed = found[b].find("relay") != std::string::npos;
      CHECK(is_relayed == (has_turn && direct.at(kinds()[a].name)[b] == "none"));
    }
  }
}

TEST_CASE("every mapping with every filter, hairpin or not, short lives, kept and shared ports",
          "[ICE-NAT-02]") {
  using enum sim::NatRule;
  const auto rules =
      std::initializer_list<sim::NatRule>{EndpointIndependent, AddressDependent, AddressAndPortDependent};
  std::uint64_t seed = 300;
  for (const sim::NatRule mapping : rules) {
    for (const sim::NatRule filtering : rules) {
      for (const bool inbound_refreshes : {false, true}) {
        sim::NatConfig nat{mapping, filtering};
        nat.hairpin = seed % 2 == 0;
        nat.lifetime = 30s;  // harsher than REQ-5
        nat.inbound_refreshes = inbound_refreshes;
        nat.preserves_ports = seed % 3 == 0;
        nat.overlaps_ports = seed % 3 == 0;
        INFO("seed " << seed);
        TwoPeers t(++seed, host_of({"", {nat}}, 1), host_of({"", {sim::NatConfig::full_cone()}}, 2));
        StunServer server(t.world, kStun);
        t.alice.stun_servers = t.bob.stun_servers = {kStun};
        const auto channels = t.connect();
        speak(t, channels);
        // Two minutes of silence: consent alone keeps the mapping of 30 s.
        t.world.run_for(120s);
        CHECK(t.both_connected());
        speak(t, channels);
        CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
      }
    }
  }
}

TEST_CASE("two machines behind one NAT: the private way when there is one, hairpin when there is not",
          "[ICE-NAT-02]") {
  for (const bool hairpin : {true, false}) {
    sim::Nat* nat = nullptr;
    sim::NatConfig config = sim::NatConfig::full_cone();
    config.hairpin = hairpin;
    // The inner network lets its machines speak to the NAT only.
    const auto maker = [&](std::uint8_t last) {
      return [&, last](sim::World& world) -> sim::Host& {
        if (nat == nullptr) nat = &world.add_nat(config, Address::v4(198, 51, 100, 1, 0));
        return world.add_host({Address::v4(192, 168, 0, last, 0)}, nat);
      };
    };
    TwoPeers t(400, maker(2), maker(3));
    StunServer server(t.world, kStun);
    t.alice.stun_servers = t.bob.stun_servers = {kStun};
    sim::LinkConfig cut;
    cut.cut = true;
    t.world.set_link(Address::v4(192, 168, 0, 2, 0), Address::v4(192, 168, 0, 3, 0), cut, nat);
    const ChannelHandle a = t.alice.create({.label = "chat"});
    t.negotiate();
    t.run_until(
        [&] {
          return t.alice.channel_state(a) == ChannelState::Open ||
                 t.alice.peer.connection_state() == ConnectionState::Failed;
        },
        120s);
    CHECK((t.alice.channel_state(a) == ChannelState::Open) == hairpin);
  }
}

TEST_CASE("a NAT that forgets its mappings in mid-transfer: on within 35 s, nothing lost or repeated",
          "[ICE-NAT-03][ICE-NAT-02]") {
  for (std::uint64_t seed = 500; seed < 508; ++seed) {
    const bool alice_is_behind = seed % 2 == 0;
    const Access open{"", {}},
        cone{"", {seed % 4 < 2 ? sim::NatConfig::port_restricted() : sim::NatConfig::symmetric()}};
    sim::Nat* nat = nullptr;
    const auto behind = [&](sim::World& world) -> sim::Host& {
      nat = &world.add_nat(cone.nats[0], Address::v4(198, 51, 100, 1, 0));
      return world.add_host({Address::v4(192, 168, 0, 2, 0)}, nat);
    };
    TwoPeers t(seed, alice_is_behind ? HostMaker(behind) : host_of(open, 1),
               alice_is_behind ? host_of(open, 2) : HostMaker(behind));
    const auto [a, b] = t.connect();
    int sent = 0;
    bool stop = false;
    std::function<void()> step = [&, a = a] {
      if (stop) return;
      if (t.alice.send(a, std::to_string(sent))) ++sent;
      t.world.after(20ms, step);
    };
    step();
    t.world.run_for(Duration(std::chrono::milliseconds(1000 + 700 * (seed - 500))));
    nat->forget();
    const auto received = [&, b = b] { return t.bob.channels[b].messages.size(); };
    const std::size_t before = received();
    const Time then = t.world.now();
    t.run_until([&] { return received() > before + 50; }, 35s);
    CHECK(t.world.now() - then < 35s);
    t.world.run_for(20s);
    stop = true;
    t.run_until([&] { return received() == static_cast<std::size_t>(sent); }, 60s);
    for (int i = 0; i < sent; ++i)
      REQUIRE(t.bob.channels[b].messages[static_cast<std::size_t>(i)].data == std::to_string(i));
    CHECK(t.both_connected());
  }
}
