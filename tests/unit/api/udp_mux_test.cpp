// Many PeerConnections on one UDP port, with real sockets.
#include "pollrtc/udp_mux.h"

#include <algorithm>
#include <map>
#include <set>

#include "api/mux_core.h"
#include "ice/stun_message.h"
#include "net/interfaces.h"
#include "net/udp_socket.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

struct Guest {
  TwoSides t;  // `a` is a client with sockets of its own, `b` is behind the mux
  ChannelPtr ours, theirs;
};

std::uint16_t port_of(const std::string& candidate) {
  const std::size_t at = candidate.find(" typ ");
  const std::size_t begin = candidate.rfind(' ', at - 1);
  return static_cast<std::uint16_t>(std::stoi(candidate.substr(begin + 1)));
}

}  // namespace

TEST_CASE("twenty connections share one port, with poll_all") {
  const auto mux = std::make_shared<UdpMux>();
  std::vector<std::unique_ptr<Guest>> guests;
  std::vector<PeerConnection*> all;
  std::map<std::string, std::set<std::uint16_t>> ports;  // of each address
  for (int i = 0; i < 20; ++i) {
    guests.push_back(std::make_unique<Guest>());
    Guest& guest = *guests.back();
    Configuration configuration = loopback();
    configuration.udp_mux = mux;
    REQUIRE(guest.t.b.connection->initialize(configuration));
    const auto forward = guest.t.b.connection->ice_candidate_created;
    guest.t.b.connection->ice_candidate_created = [&ports, forward](const std::string& media, int index,
                                                                    const std::string& name) {
      if (!name.empty()) {
        const std::size_t end = name.rfind(' ', name.find(" typ ") - 1);
        ports[name.substr(name.rfind(' ', end - 1), end)].insert(port_of(name));
      }
      forward(media, index, name);
    };
    guest.ours = guest.t.a.create();
    REQUIRE(guest.t.a.connection->create_offer());
    all.push_back(guest.t.a.connection.get());
    all.push_back(guest.t.b.connection.get());
  }
  const auto poll_until = [&](const std::function<bool(Guest&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!std::all_of(guests.begin(), guests.end(), [&](auto& g) { return condition(*g); })) {
      if (std::chrono::steady_clock::now() > end) return false;
      REQUIRE(poll_all(all, 10ms));
    }
    return true;
  };
  REQUIRE(poll_until(
      [](Guest& g) { return g.ours->get_ready_state() == ChannelState::Open && !g.t.b.channels.empty(); }));
  CHECK_FALSE(ports.empty());
  for (const auto& [address, its] : ports) CHECK(its.size() == 1);
  CHECK(mux->get_stats().connections == 20);
  CHECK(mux->get_stats().addresses >= 20);
  CHECK(mux->get_stats().strangers_refused == 0);
  for (std::size_t i = 0; i < guests.size(); ++i) {
    Guest& g = *guests[i];
    g.theirs = g.t.b.channels.front();
    REQUIRE(g.ours->put_packet(as_bytes("to " + std::to_string(i))));
    REQUIRE(g.theirs->put_packet(as_bytes(std::string(100'000, static_cast<char>('a' + i)))));
  }
  REQUIRE(poll_until([](Guest& g) {
    return g.ours->get_available_packet_count() == 1 && g.theirs->get_available_packet_count() == 1;
  }));
  for (std::size_t i = 0; i < guests.size(); ++i) {
    CHECK(take(guests[i]->theirs) == "to " + std::to_string(i));
    CHECK(take(guests[i]->ours) == std::string(100'000, static_cast<char>('a' + i)));
  }
  // One sleeps alone, too.
  Guest& one = *guests.front();
  REQUIRE(one.ours->put_packet(as_bytes("alone")));
  REQUIRE(one.t.run_until([&] { return one.theirs->get_available_packet_count() == 1; }));
  // A restart has other credentials, and so another name.
  REQUIRE(one.t.a.connection->restart_ice());
  one.t.run_for(500ms);
  REQUIRE(one.ours->put_packet(as_bytes("again")));
  REQUIRE(one.t.run_until([&] { return one.theirs->get_available_packet_count() == 2; }));
  guests.resize(5);
  CHECK(mux->get_stats().connections == 5);
  guests.clear();
  CHECK(mux->get_stats().connections == 0);
  CHECK(mux->get_stats().addresses == 0);
}

TEST_CASE("a connection has a mux or a network of its own, not both") {
  Configuration configuration;
  configuration.udp_mux = std::make_shared<UdpMux>();
  configuration.network.now = [](void*) { return Time{}; };
  configuration.network.list_addresses = [](void*, bool, std::span<Address>) { return std::size_t{0}; };
  configuration.network.open = [](void*, const Address&, std::uint16_t, std::uint16_t, Address&) {
    return -1;
  };
  configuration.network.close = [](void*, int) {};
  configuration.network.send = [](void*, int, const Address&, Bytes) { return Network::Outcome::Done; };
  configuration.network.receive = [](void*, int, MutBytes, std::size_t&, Address&) {
    return Network::Outcome::WouldBlock;
  };
  PeerConnection pc;
  CHECK(pc.initialize(configuration).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("a mux that was made with what is no good is nobody's, and opens nothing") {
  UdpMux::Config bad;
  SECTION("a DSCP beyond its six bits") { bad.dscp = 64; }
  SECTION("a clock without a network") {
    bad.network.now = [](void*) { return Time{}; };
  }
  Configuration configuration;
  configuration.udp_mux = std::make_shared<UdpMux>(bad);
  PeerConnection pc;
  CHECK(pc.initialize(configuration).error() == ErrorCode::InvalidArgument);
  CHECK(configuration.udp_mux->open().error() == ErrorCode::InvalidArgument);
  CHECK(configuration.udp_mux->poll());

  UdpMux::Config good;
  good.dscp = 63;
  configuration.udp_mux = std::make_shared<UdpMux>(good);
  CHECK(pc.initialize(configuration));
}

TEST_CASE("a mux may go before its connections, which keep what they need of it") {
  auto mux = std::make_shared<UdpMux>();
  TwoSides t;
  Configuration configuration = loopback();
  configuration.udp_mux = mux;
  REQUIRE(t.b.connection->initialize(configuration));
  configuration.udp_mux.reset();
  mux.reset();
  const auto [ours, theirs] = t.connect();
  REQUIRE(ours->put_packet(as_bytes("hello")));
  REQUIRE(t.run_until([&, channel = theirs] { return channel->get_available_packet_count() == 1; }));
}

TEST_CASE("a mux whose port another program has says so, and can have it when that is gone") {
  Result<net::UdpSocket> other = net::UdpSocket::bind(Address::v4(0, 0, 0, 0, 0), {}, 0);
  REQUIRE(other);
  UdpMux mux(UdpMux::Config{.port = other->local().port});
  CHECK(mux.open().error() == ErrorCode::Network);
  *other = net::UdpSocket();
  CHECK(mux.open());
  CHECK(mux.open());
}

#if defined(__linux__)
TEST_CASE("a mux hands runs to the system only where it may") {
  const Address loopback = Address::v4(127, 0, 0, 1, 0);
  Result<net::UdpSocket> to = net::UdpSocket::bind(loopback);
  REQUIRE(to);
  to->take_runs(true);  // on loopback a run that was sent as one comes as one
  const std::vector<std::uint8_t> run(10 * 1000);
  std::vector<std::uint8_t> buffer(net::UdpSocket::kLargestRun);
  for (const bool may : {true, false}) {
    const auto core = std::make_shared<detail::MuxCore>(UdpMux::Config{.udp_offload = may});
    detail::MuxMember member(core);
    const Network hooks = member.hooks();
    Address bound;
    const int socket = hooks.open(hooks.context, loopback, 0, 0, bound);
    REQUIRE(socket >= 0);
    std::size_t taken = 0;
    REQUIRE(hooks.send_run(hooks.context, socket, to->local(), run, 1000, true, taken) ==
            Network::Outcome::Done);
    int came = 0;
    while (to->receive(buffer).result == net::ReceiveResult::Received) ++came;
    CHECK(came == (may ? 1 : 10));
  }
}
#endif

// What comes before anybody has gathered is for nobody, and who sleeps is not kept awake by it: a check is answered, and as its
// sender has gone the answer comes back as an error of ICMP.
TEST_CASE("who sleeps beside an open mux is woken up by a stranger, and sleeps again") {
  Vec<net::LocalAddress> addresses(default_memory());
  REQUIRE(net::list_local_addresses(addresses));
  net::AddressPolicy policy;
  net::select_addresses(policy, addresses);
  policy.loopback = true;
  if (addresses.empty()) {
    REQUIRE(net::list_local_addresses(addresses));
    net::select_addresses(policy, addresses);
  }
  REQUIRE_FALSE(addresses.empty());
  const Address local = addresses[0].address;
  UdpMux::Config config;
  config.port = net::UdpSocket::bind(local.with_port(0))->local().port;  // free again
  const auto mux = std::make_shared<UdpMux>(config);
  REQUIRE(mux->open());
  Configuration configuration;
  configuration.udp_mux = mux;
  PeerConnection connection;
  REQUIRE(connection.initialize(configuration));

  const bool is_alone = GENERATE(true, false);
  CAPTURE(is_alone);
  Result<net::UdpSocket> stranger = net::UdpSocket::bind(local.with_port(0));
  REQUIRE(stranger);
  const std::uint8_t check[20] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3};
  for (const Bytes datagram : {Bytes(check), as_bytes("neither a check nor an answer")})
    REQUIRE(stranger->send_to(local.with_port(config.port), datagram) == net::SendResult::Sent);
  *stranger = net::UdpSocket();
  PeerConnection* const all[] = {&connection};
  int calls = 0;
  for (const auto end = std::chrono::steady_clock::now() + 300ms; std::chrono::steady_clock::now() < end;
       ++calls)
    REQUIRE((is_alone ? connection.wait(50ms) : poll_all(all, 50ms)));
  CHECK(calls < 20);
  CHECK(mux->get_stats().strangers_refused + mux->get_stats().dropped >= 2);
}

TEST_CASE("a mux knows the user name in force also after restarts that were taken back") {
  const auto mux = std::make_shared<UdpMux>();
  TwoSides t;
  Configuration behind = loopback();
  behind.udp_mux = mux;
  behind.restart_ice_automatically = false;
  REQUIRE(t.a.connection->initialize(loopback()));
  REQUIRE(t.b.connection->initialize(behind));
  std::string answer;
  const auto forward = t.b.connection->session_description_created;
  t.b.connection->session_description_created = [&](const std::string& type, const std::string& sdp) {
    if (answer.empty()) answer = sdp;
    if (type == "answer") forward(type, sdp);
  };
  const auto channels = t.connect();
  t.run_for(100ms);
  const std::size_t at = answer.find("a=ice-ufrag:") + 12;
  const std::string in_force = answer.substr(at, answer.find('\r', at) - at);
  const auto path = t.b.connection->get_stats().selected_path;
  REQUIRE(path);
  // A check from where nobody is known, as after a NAT has forgotten the peer. How many were nobody's?
  const auto ask = [&](const std::string& user) {
    ByteVector check(200);
    stun::Writer w(check, stun::Class::Request, {1, 2, 3});
    w.text(stun::Attribute::Username, user + ":us");
    w.integrity(as_bytes("not that of anybody"));
    check.resize(w.finish());
    Result<net::UdpSocket> stranger = net::UdpSocket::bind(path->local.with_port(0));
    REQUIRE(stranger);
    REQUIRE(stranger->send_to(path->local, check) == net::SendResult::Sent);
    const std::uint64_t before = mux->get_stats().strangers_refused + mux->get_stats().dropped;
    t.run_for(30ms);
    return mux->get_stats().strangers_refused + mux->get_stats().dropped - before;
  };
  for (int i = 0; i < 3; ++i) {
    REQUIRE(t.b.connection->restart_ice());
    t.run_for(30ms);
    REQUIRE(t.b.connection->set_local_description("rollback", ""));
  }
  REQUIRE(t.b.connection->get_connection_state() == ConnectionState::Connected);
  CHECK(ask(in_force) == 0);
  CHECK(ask("other") == 1);
}
