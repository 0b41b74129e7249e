// Errors of ICMP that routers send. No machine sends them to itself, so they take the place of the one that a closed port on
// loopback brings: the next call of the socket's takes that off it, as the system would, and fails with another.
#if defined(__linux__)
#include <dlfcn.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/address.h"
#include "base/bytes.h"
#include "net/poller.h"
#include "net/udp_socket.h"
#include "support/bytes.h"
#include "support/catch.h"

namespace {

int waiting_error = 0;  // for the next call; 0: what the system says
int calls = 0;          // that send

int take_error(int fd) {
  int real = 0;
  socklen_t size = sizeof real;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &real, &size);
  return real;
}
bool fails(int fd) {
  if (waiting_error == 0) return false;
  take_error(fd);
  errno = std::exchange(waiting_error, 0);
  return true;
}
template <class Function>
Function* usual(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
ssize_t sendto(int fd, const void* data, std::size_t size, int flags, const sockaddr* to, socklen_t to_size) {
  static const auto system = usual<decltype(sendto)>("sendto");
  ++calls;
  return fails(fd) ? -1 : system(fd, data, size, flags, to, to_size);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto system = usual<decltype(sendmsg)>("sendmsg");
  ++calls;
  return fails(fd) ? -1 : system(fd, message, flags);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto system = usual<decltype(recvmsg)>("recvmsg");
  return (flags & MSG_ERRQUEUE) == 0 && fails(fd) ? -1 : system(fd, message, flags);
}
}

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

UdpSocket open() {
  auto socket = UdpSocket::bind(Address::v4(127, 0, 0, 1, 0));
  REQUIRE(socket);
  return std::move(*socket);
}

struct Ends {
  Ends() { a.keep_errors(); }
  // A datagram of a's meets a closed port; the next call of a's is told of it as `error`.
  void meet(int error) {
    const Address closed = open().local();
    REQUIRE(a.send_to(closed, as_bytes("is anybody there?")) == SendResult::Sent);
    waiting_error = error;
    calls = 0;
  }
  bool is_told() {
    std::size_t size = 0;
    Address remote;
    return a.receive_error(buffer, size, remote) && as_text(Bytes(buffer).first(size)) == "is anybody there?";
  }
  // What poll(2) would come back with at once.
  bool has_news() {
    Poller poller;
    REQUIRE(poller.add(a.fd()));
    return poller.wait(Duration::zero()) != 0;
  }
  std::size_t received(UdpSocket& socket) {
    std::size_t count = 0;
    while (socket.receive(buffer).result == ReceiveResult::Received) ++count;
    return count;
  }

  UdpSocket a = open(), b = open();
  test::ByteVector buffer = test::ByteVector(2000);
};

// What Linux makes of ICMP (icmp_err_convert) and of ICMPv6 (tab_unreach, and packets too big or in error).
constexpr int kIcmp[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE,
                         EOPNOTSUPP,  EHOSTDOWN,    ENONET,      EACCES,       EPROTO};

}  // namespace

TEST_CASE("a run that an error of ICMP meets goes as one all the same, and the error is read") {
  Ends ends;
  const test::ByteVector run(10 * 1000);
  for (const int error : kIcmp) {
    INFO("errno " << error);
    for (int i = 0; i < 10; ++i) {  // one that counted as a refusal would end runs altogether
      ends.meet(error);
      std::size_t taken = 0;
      CHECK(ends.a.send_run(ends.b.local(), run, 1000, true, taken) == SendResult::Sent);
      CHECK(taken == run.size());
      CHECK(calls == 2);
      CHECK(ends.received(ends.b) == 10);
      CHECK(ends.has_news());
      CHECK(ends.is_told());
      CHECK_FALSE(ends.is_told());
      CHECK_FALSE(ends.has_news());
    }
  }
}

TEST_CASE("a run that is refused is no error of ICMP: its datagrams go one by one") {
  Ends ends;
  const test::ByteVector run(4 * 1000);
  std::size_t taken = 0;
  for (const int refusal : {EINVAL, EIO}) {
    waiting_error = refusal;
    calls = 0;
    CHECK(ends.a.send_run(ends.b.local(), run, 1000, true, taken) == SendResult::Sent);
    CHECK(calls == 5);
    CHECK(ends.received(ends.b) == 4);
  }
}

TEST_CASE("no datagram is lost, nor left unread, for an error of ICMP about an earlier one") {
  Ends ends;
  for (const int error : kIcmp) {
    INFO("errno " << error);
    ends.meet(error);
    CHECK(ends.a.send_to(ends.b.local(), as_bytes("hello")) == SendResult::Sent);
    CHECK(ends.received(ends.b) == 1);
    CHECK(ends.is_told());
    REQUIRE(ends.b.send_to(ends.a.local(), as_bytes("hello")) == SendResult::Sent);
    ends.meet(error);
    CHECK(ends.a.receive(ends.buffer).result == ReceiveResult::Received);
    CHECK(ends.is_told());
    CHECK_FALSE(ends.has_news());
  }
  waiting_error = EBADF;
  CHECK(ends.a.receive(ends.buffer).result == ReceiveResult::Error);
}

TEST_CASE("an error that somebody else took off the socket does not keep waking up whoever sleeps") {
  Ends ends;
  const auto turns_until_quiet = [&] {
    int turns = 0;
    for (; turns < 1000 && ends.has_news(); ++turns) {
      CHECK(ends.received(ends.a) == 0);
      (void)ends.is_told();
    }
    return turns;
  };
  for (int i = 0; i < 3; ++i) {
    ends.meet(0);
    REQUIRE(take_error(ends.a.fd()) == ECONNREFUSED);  // as event loops do
  }
  CHECK(turns_until_quiet() <= 64);
  CHECK(ends.a.send_to(ends.b.local(), as_bytes("hello")) == SendResult::Sent);
  CHECK_FALSE(ends.is_told());
}
#endif
