// Multicast DNS over real sockets, in a network namespace of this program's own, whose loopback interface nobody else hears:
// what the system's sockets do that multicast_names.h and net::Mdns rely on. Port 5353 is fixed by the protocol, hence the
// namespace; where the system allows none, this is a skipped test.
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "api/system_network.h"
#include "base/bytes.h"
#include "net/clock.h"
#include "net/mdns_message.h"
#include "net/poller.h"
#include "support/catch.h"
#include "support/environment.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;
using namespace pollrtc::net;

namespace {

constexpr int kSkipped = 77;  // as Meson takes it
const Address kLoopback = Address::v4(127, 0, 0, 1, 0);
const Address kGroup = mdns_group(Address::Family::IPv4);

// Once, before anything else: later there may be threads, and then the system refuses.
void enter_namespace() {
  static bool is_inside = false;
  if (is_inside) return;
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    std::perror("skipped: no network namespace can be made here");
    std::_Exit(kSkipped);
  }
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
  REQUIRE(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
  ::close(fd);
  is_inside = true;
}

std::uint32_t loopback_index() { return if_nametoindex("lo"); }

// Ends as soon as something is there; a busy machine may hand a datagram on late.
void await(int fd, Duration limit = std::chrono::seconds(5)) {
  Poller poller;
  REQUIRE(poller.add(fd));
  poller.wait(limit);
}

std::string received_by(UdpSocket& socket, Address* source = nullptr) {
  await(socket.fd());
  std::array<std::uint8_t, 64> buffer;
  const Received got = socket.receive(buffer);
  if (got.result != ReceiveResult::Received) return "";
  if (source != nullptr) *source = got.source;
  return std::string(as_text(Bytes(buffer).first(got.size)));
}

}  // namespace

TEST_CASE("what is sent to the group reaches all that have joined it, from port 5353", "[ICE-MDNS-06]") {
  enter_namespace();
  auto a = UdpSocket::join(kLoopback, loopback_index(), kGroup),
       b = UdpSocket::join(kLoopback, loopback_index(), kGroup);
  REQUIRE((a && b));
  CHECK(a->local() == kLoopback.with_port(5353));
  REQUIRE(a->send_to(kGroup, as_bytes("hello")) == SendResult::Sent);
  Address source;
  CHECK(received_by(*b, &source) == "hello");
  CHECK(source == kLoopback.with_port(5353));
  CHECK(received_by(*a) == "hello");  // its own word comes back too
}

TEST_CASE("what is sent to the address alone is not heard, whoever sends it", "[ICE-MDNS-08][ATK-20]") {
  enter_namespace();
  auto group = UdpSocket::join(kLoopback, loopback_index(), kGroup);
  auto stranger = UdpSocket::bind(kLoopback);
  REQUIRE((group && stranger));
  (void)stranger->send_to(kLoopback.with_port(5353), as_bytes("forged"));
  (void)group->send_to(kLoopback.with_port(5353), as_bytes("forged from 5353"));
  await(group->fd(), std::chrono::milliseconds(50));
  REQUIRE(group->send_to(kGroup, as_bytes("to the group")) == SendResult::Sent);
  CHECK(received_by(*group) == "to the group");  // and nothing before it
  // Nor what another group on that port gets.
  Address other = kGroup;
  other.ip[3] = 252;
  auto member = UdpSocket::join(kLoopback, loopback_index(), other);
  REQUIRE(member);
  (void)member->send_to(other, as_bytes("LLMNR"));
  CHECK(received_by(*member) == "LLMNR");
  REQUIRE(group->send_to(kGroup, as_bytes("to the group")) == SendResult::Sent);
  CHECK(received_by(*group) == "to the group");
}

TEST_CASE("TTL is 255, also by unicast", "[ICE-MDNS-06]") {
  enter_namespace();
  const auto ttl_of = [](int fd) {
    await(fd);
    std::array<std::uint8_t, 16> bytes;
    alignas(cmsghdr) std::array<char, 64> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(fd, &message, 0) <= 0) return -1;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    int ttl = -1;
    if (header != nullptr) std::memcpy(&ttl, CMSG_DATA(header), sizeof ttl);
    return ttl;
  };
  auto group = UdpSocket::join(kLoopback, loopback_index(), kGroup),
       listener = UdpSocket::join(kLoopback, loopback_index(), kGroup);
  auto asker = UdpSocket::bind(kLoopback);
  REQUIRE((group && listener && asker));
  const int on = 1;
  for (const int fd : std::initializer_list<int>{listener->fd(), asker->fd()})
    REQUIRE(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on) == 0);
  REQUIRE(group->send_to(kGroup, as_bytes("x")) == SendResult::Sent);
  REQUIRE(group->send_to(asker->local(), as_bytes("x")) == SendResult::Sent);
  CHECK(ttl_of(listener->fd()) == 255);
  CHECK(ttl_of(asker->fd()) == 255);
}

TEST_CASE("the hook opens one socket for a link and family, and none for an address of another machine") {
  enter_namespace();
  TestEnvironment environment;
  detail::SystemNetwork system(environment.env);
  const Network network = system.hooks();
  REQUIRE(network.open_multicast != nullptr);
  const int first = network.open_multicast(network.context, kLoopback);
  REQUIRE(first >= 0);
  CHECK(network.open_multicast(network.context, kLoopback) < 0);
  CHECK(network.open_multicast(network.context, Address::v4(192, 0, 2, 77, 0)) < 0);
  network.close(network.context, first);
  CHECK(network.open_multicast(network.context, kLoopback) >= 0);
}

TEST_CASE("two connections that hide their addresses find each other over real multicast",
          "[ICE-MDNS-04][ICE-MDNS-06][ICE-MDNS-09]") {
  enter_namespace();
  Configuration configuration;
  configuration.include_loopback = true;
  configuration.hide_addresses = true;
  TwoSides t;
  for (Side* side : {&t.a, &t.b}) {
    REQUIRE(side->connection->initialize(configuration));
    side->listen();
  }
  t.connect();
  // A check of the other end's may come before the answer to its name: its address is a peer-reflexive one until then.
  CHECK(t.run_until([&t] { return t.a.connection->get_stats().remote_type == CandidateType::Host; }));
  const PeerStats stats = t.a.connection->get_stats();
  CHECK(stats.remote_name.view().ends_with(".local"));
  CHECK(stats.local_name.view().ends_with(".local"));
}
