// Connections to TURN servers by TCP, with real sockets: what sleeping and ending do with one that is being made.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/turn_addresses.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// Listens and never accepts, its queue full: whoever connects waits.
class DeafServer {
 public:
  DeafServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, generic, size) == 0);
    REQUIRE(listen(listener_, 0) == 0);
    REQUIRE(getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    for (int& filler : fillers_) {
      filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)connect(filler, generic, size);
    }
  }
  ~DeafServer() {
    for (const int filler : fillers_) close(filler);
    close(listener_);
  }
  DeafServer(const DeafServer&) = delete;
  DeafServer& operator=(const DeafServer&) = delete;

  Configuration configuration() const {
    Configuration c = loopback();
    c.ice_servers = {
        {{std::string("turn:127.0.0.1:") + std::to_string(port_) + "?transport=tcp"}, "user", "secret"}};
    return c;
  }

 private:
  int listener_;
  std::array<int, 4> fillers_{};
  std::uint16_t port_ = 0;
};

using SteadyClock = std::chrono::steady_clock;

}  // namespace

TEST_CASE("while a server is being connected to, only a loop of the user's own is called every millisecond",
          "[API-18]") {
  const DeafServer server;
  PeerConnection pc;
  REQUIRE(pc.initialize(server.configuration()));
  REQUIRE(pc.create_data_channel("x"));
  REQUIRE(pc.create_offer());
  const auto start = SteadyClock::now();
  while (SteadyClock::now() - start < 100ms) REQUIRE(pc.wait(5ms));  // gathering begins
  REQUIRE(pc.get_gathering_state() == GatheringState::Gathering);
  CHECK(pc.get_time_to_next_deadline() <= 1ms);
  const bool together = GENERATE(true, false);
  PeerConnection* const one = &pc;
  const auto before = SteadyClock::now();
  int wakes = 0;
  for (; SteadyClock::now() - before < 400ms; ++wakes) {
    if (together) {
      REQUIRE(poll_all(std::span(&one, 1), 100ms));
    } else {
      REQUIRE(pc.wait(100ms));
    }
  }
  CHECK(wakes < 40);
  // One who sleeps by the shorter time all the same is not made to spin: what is due by it is polled.
  int turns = 0;
  for (const auto begin = SteadyClock::now(); SteadyClock::now() - begin < 200ms; ++turns)
    REQUIRE(poll_all(std::span(&one, 1), pc.get_time_to_next_deadline().value_or(100ms)));
  CHECK(turns < 2000);
}

TEST_CASE("a connection that has ended connects to no server, and asks for nothing", "[API-18]") {
  const DeafServer server;
  TwoSides t;
  REQUIRE(t.a.connection->initialize(server.configuration()));
  (void)t.connect();
  std::array<int, 16> sockets;
  REQUIRE(t.a.connection->get_sockets(sockets) != 0);
  CHECK(t.a.connection->get_time_to_next_deadline() <= 1ms);
  t.b.connection->close();
  REQUIRE(t.run_until([&] { return t.a.connection->get_connection_state() == ConnectionState::Closed; }));
  t.run_for(5ms);
  CHECK(t.a.connection->get_sockets(sockets) == 0);
  const auto deadline = t.a.connection->get_time_to_next_deadline();
  CHECK((!deadline || *deadline > 5ms));
}

TEST_CASE("the addresses of TURN servers: each once, the first asker's, and not without end") {
  detail::TurnAddresses addresses;
  const Address first = Address::v4(192, 0, 2, 1, 3478);
  for (std::size_t gathering = 0; gathering < 10; ++gathering) {
    addresses.add(first, TurnTransport::Udp, 0);
    addresses.add(first, TurnTransport::Tcp, 1);
    addresses.add(first, TurnTransport::Tcp, 2);
  }
  CHECK(addresses.size() == 2);
  CHECK(addresses.find(first, TurnTransport::Udp) == 0u);
  CHECK(addresses.find(first, TurnTransport::Tcp) == 1u);
  CHECK_FALSE(addresses.find(first, TurnTransport::Tls));
  CHECK_FALSE(addresses.find(first.with_port(1), TurnTransport::Udp));
  for (std::uint16_t port = 1; port <= 1000; ++port)
    addresses.add(first.with_port(port), TurnTransport::Tls, 3);
  CHECK(addresses.size() == detail::TurnAddresses::kMost);
  CHECK(addresses.find(first.with_port(1000), TurnTransport::Tls) == 3u);
  CHECK_FALSE(addresses.find(first, TurnTransport::Udp));
}
