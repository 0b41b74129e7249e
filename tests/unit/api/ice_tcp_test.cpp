// ICE-TCP with real sockets: UDP switched off, and strangers who connect.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "pollrtc/udp_mux.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

Configuration by_tcp(IceTransports transports = IceTransports::Tcp) {
  Configuration c = loopback();
  c.ice_transports = transports;
  return c;
}

void initialize(TwoSides& t, const Configuration& a, const Configuration& b) {
  REQUIRE(t.a.connection->initialize(a));
  REQUIRE(t.b.connection->initialize(b));
}

bool is_tcp(const Side& side) {
  const auto path = side.connection->get_stats().selected_path;
  return path && path->transport == Transport::Tcp;
}

std::uint64_t drops(const Side& side, Drop drop) {
  return side.connection->get_stats().drops[static_cast<std::size_t>(drop)];
}

class Stranger {
 public:
  Stranger(std::uint16_t port, std::string_view says) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (!says.empty()) REQUIRE(::send(fd_, says.data(), says.size(), MSG_NOSIGNAL) > 0);
  }
  ~Stranger() { ::close(fd_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  bool was_closed() const {
    char byte;
    const auto got = recv(fd_, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }

 private:
  int fd_;
};

// Gathers and shows where it listens.
std::uint16_t listening_port(TwoSides& t) {
  std::uint16_t port = 0;
  const auto forward = t.a.connection->ice_candidate_created;
  t.a.connection->ice_candidate_created = [&](const std::string& media, int index, const std::string& name) {
    const std::size_t at = name.find(" 127.0.0.1 ");
    if (name.find("passive") != std::string::npos && at != std::string::npos)
      port = static_cast<std::uint16_t>(std::stoi(name.substr(at + 11)));
    forward(media, index, name);
  };
  t.a.create();
  t.a.other = nullptr;
  t.a.on_signal = [](const std::string&) {};
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.run_until([&] { return port != 0; }));
  t.a.connection->ice_candidate_created = forward;
  return port;
}

// While it lives the process gets no further descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    const int next = dup(0);
    REQUIRE(next >= 0);
    close(next);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("two connections without UDP meet over TCP", "[ICE-TCP-01][ICE-TCP-03]") {
  TwoSides t;
  initialize(t, by_tcp(), by_tcp());
  std::vector<std::string> lines;
  const auto forward = t.a.connection->ice_candidate_created;
  t.a.connection->ice_candidate_created = [&](const std::string& media, int index, const std::string& name) {
    lines.push_back(name);
    forward(media, index, name);
  };
  const auto channels = t.connect();
  const auto& ours = channels.first;
  const auto& theirs = channels.second;
  CHECK(is_tcp(t.a));
  CHECK(is_tcp(t.b));
  CHECK_FALSE(lines.empty());
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    CHECK(line.find(" tcp ") != std::string::npos);
    const bool is_active = line.find(" 9 typ host tcptype active") != std::string::npos;
    CHECK(is_active != (line.find("typ host tcptype passive") != std::string::npos));
  }
  const std::string large(60'000, 'x');
  for (int i = 0; i < 20; ++i) REQUIRE(ours->put_packet(as_bytes(large)));
  int received = 0;
  REQUIRE(t.run_until([&] {
    while (theirs->get_available_packet_count() > 0) received += take(theirs) == large ? 1 : 0;
    return received == 20;
  }));
  t.a.connection->close();
  REQUIRE(t.run_until([&] { return t.b.connection->get_connection_state() == ConnectionState::Closed; }));
}

TEST_CASE("hidden addresses are hidden on TCP candidates as well", "[ICE-MDNS-04]") {
  TwoSides t;
  Configuration hidden = by_tcp();
  hidden.hide_addresses = true;
  initialize(t, hidden, by_tcp());
  std::vector<std::string> lines;
  const auto forward = t.a.connection->ice_candidate_created;
  t.a.connection->ice_candidate_created = [&](const std::string& media, int index, const std::string& name) {
    if (!name.empty()) lines.push_back(name);
    forward(media, index, name);
  };
  t.connect();
  CHECK(is_tcp(t.a));
  CHECK_FALSE(lines.empty());
  for (const std::string& line : lines) {
    CHECK(line.find(" tcp ") != std::string::npos);
    CHECK(line.find(".local ") != std::string::npos);
  }
}

TEST_CASE("with both, UDP is what is used", "[ICE-TCP-04]") {
  TwoSides t;
  initialize(t, by_tcp(IceTransports::UdpAndTcp), by_tcp(IceTransports::UdpAndTcp));
  t.connect();
  REQUIRE(t.run_until([&] { return !is_tcp(t.a) && !is_tcp(t.b); }, 2s));
  t.run_for(300ms);
  CHECK_FALSE(is_tcp(t.a));
  CHECK_FALSE(is_tcp(t.b));
}

TEST_CASE("strangers at the listening socket are closed and counted, and the peer gets in all the same",
          "[ICE-TCP-06][ATK-29]") {
  TwoSides t;
  initialize(t, by_tcp(), by_tcp());
  const std::uint16_t port = listening_port(t);
  const Stranger web(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), huge(port, "\xff\xff");
  REQUIRE(t.run_until([&] { return web.was_closed() && huge.was_closed(); }));
  CHECK(drops(t.a, Drop::TcpNotStun) + drops(t.a, Drop::TcpTooLarge) == 2);
  std::vector<std::unique_ptr<Stranger>> silent;
  for (int i = 0; i < 12; ++i) {
    silent.push_back(std::make_unique<Stranger>(port, ""));
    t.run_for(2ms);
  }
  REQUIRE(t.run_until([&] { return drops(t.a, Drop::TcpLimit) == 4; }));
  CHECK(silent.front()->was_closed());
  CHECK_FALSE(silent.back()->was_closed());
}

TEST_CASE("without a descriptor for one who connects nobody spins, and they get in when there is one") {
  TwoSides t;
  Configuration c = by_tcp();
  const bool has_mux = GENERATE(false, true);
  if (has_mux) c.udp_mux = std::make_shared<UdpMux>();
  initialize(t, c, by_tcp());
  const std::uint16_t port = listening_port(t);
  PeerConnection& a = *t.a.connection;
  t.run_for(50ms);
  std::array<int, 64> sockets;
  const std::size_t watched = a.get_sockets(sockets);
  const Stranger web(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  {
    const NoDescriptors none;
    PeerConnection* const one = &a;
    for (const int way : {0, 1, 2}) {
      if (way == 2 && !has_mux) continue;
      const auto start = std::chrono::steady_clock::now();
      int wakes = 0;
      for (; std::chrono::steady_clock::now() - start < 300ms; ++wakes) {
        REQUIRE((way == 0 ? a.wait(5s) : way == 1 ? poll_all(std::span(&one, 1), 5s) : c.udp_mux->poll(5s)));
      }
      CHECK(wakes < 20);
      CHECK(std::chrono::steady_clock::now() - start < 4s);
    }
    CHECK(a.get_sockets(sockets) < watched);  // nor does a loop of the user's own
    REQUIRE(a.get_time_to_next_deadline());
    CHECK(*a.get_time_to_next_deadline() <= 100ms);
  }
  REQUIRE(t.run_until([&] { return web.was_closed(); }));
  CHECK(drops(t.a, Drop::TcpNotStun) + drops(t.a, Drop::TcpTooLarge) == 1);
  CHECK(a.get_sockets(sockets) == watched);
}

TEST_CASE("a network that was given has no TCP", "[API-18]") {
  Configuration c = by_tcp();
  c.network.now = [](void*) { return Time{}; };
  c.network.list_addresses = [](void*, bool, std::span<Address>) { return std::size_t{0}; };
  c.network.open = [](void*, const Address&, std::uint16_t, std::uint16_t, Address&) { return -1; };
  c.network.close = [](void*, int) {};
  c.network.send = [](void*, int, const Address&, Bytes) { return Network::Outcome::Done; };
  c.network.receive = [](void*, int, MutBytes, std::size_t&, Address&) {
    return Network::Outcome::WouldBlock;
  };
  PeerConnection pc;
  CHECK(pc.initialize(c).error() == ErrorCode::NotSupported);
}

TEST_CASE("a mux sleeps though a channel outlives its connection, which was by TCP") {
  const IceTransports transports = GENERATE(IceTransports::Udp, IceTransports::Tcp);
  const auto mux = std::make_shared<UdpMux>();
  TwoSides t;
  Configuration behind = by_tcp(transports);
  behind.udp_mux = mux;
  initialize(t, by_tcp(transports), behind);
  const auto channels = t.connect();
  t.run_for(50ms);
  t.b.connection.reset();
  for (int i = 0; i < 20; ++i) REQUIRE(mux->poll(1ms));
  int polls = 0;
  for (const auto end = std::chrono::steady_clock::now() + 300ms; std::chrono::steady_clock::now() < end;
       ++polls)
    REQUIRE(mux->poll(5ms));
  CHECK(polls < 150);
}
