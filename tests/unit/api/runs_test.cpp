// Runs of datagrams: Network::send_run and receive_run, and what a connection gives them.
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kLarge = 65536;

// A machine's network that also takes and brings runs, made of its own single calls.
struct RunNetwork {
  struct Sent {
    std::size_t datagrams, segment, bytes;
    bool whole;
  };
  Network inner;
  std::vector<Sent> sent;
  std::size_t received_at_once = 0;  // the most
  std::size_t smallest_room = kLarge * 2, largest_room = 0;
  std::size_t takes = ~std::size_t{0} / 2;  // datagrams, until it says WouldBlock once
  std::uint32_t lost = 0;                   // as the system counts them
  struct Ahead {                            // read to see whether it belongs to the run
    std::vector<std::uint8_t> bytes;
    Address source;
  };
  std::map<int, Ahead> ahead;

  Network hooks() {
    Network n;
    n.now = [](void* c) { return self(c).inner.now(self(c).inner.context); };
    n.list_addresses = [](void* c, bool loopback, std::span<Address> out) {
      return self(c).inner.list_addresses(self(c).inner.context, loopback, out);
    };
    n.open = [](void* c, const Address& local, std::uint16_t first, std::uint16_t last, Address& bound) {
      return self(c).inner.open(self(c).inner.context, local, first, last, bound);
    };
    n.close = [](void* c, int socket) { self(c).inner.close(self(c).inner.context, socket); };
    n.send = n.send_whole = [](void* c, int socket, const Address& remote, Bytes datagram) {
      return self(c).inner.send(self(c).inner.context, socket, remote, datagram);
    };
    n.receive = [](void*, int, MutBytes, std::size_t&, Address&) { return Network::Outcome::Error; };
    n.send_run = send_run;
    n.receive_run = receive_run;
    n.overflows = [](void* c, int) { return self(c).lost; };
    n.context = this;
    return n;
  }
  static RunNetwork& self(void* context) { return *static_cast<RunNetwork*>(context); }

  static Network::Outcome send_run(void* context, int socket, const Address& remote, Bytes datagrams,
                                   std::size_t segment, bool whole, std::size_t& taken) {
    RunNetwork& r = self(context);
    CHECK(segment != 0);
    CHECK(datagrams.size() > segment);
    r.sent.push_back({(datagrams.size() + segment - 1) / segment, segment, datagrams.size(), whole});
    for (taken = 0; taken < datagrams.size();) {
      if (r.takes-- == 0) return Network::Outcome::WouldBlock;
      const Bytes one = datagrams.subspan(taken, std::min(segment, datagrams.size() - taken));
      (void)r.inner.send(r.inner.context, socket, remote, one);
      taken += one.size();
    }
    return Network::Outcome::Done;
  }
  bool look_ahead(int socket) {
    if (ahead.contains(socket)) return true;
    Ahead next;
    next.bytes.resize(kLarge);
    std::size_t size = 0;
    if (inner.receive(inner.context, socket, next.bytes, size, next.source) != Network::Outcome::Done)
      return false;
    next.bytes.resize(size);
    ahead.emplace(socket, std::move(next));
    return true;
  }
  static Network::Outcome receive_run(void* context, int socket, MutBytes buffer, std::size_t& size,
                                      std::size_t& segment, Address& source) {
    RunNetwork& r = self(context);
    r.smallest_room = std::min(r.smallest_room, buffer.size());
    r.largest_room = std::max(r.largest_room, buffer.size());
    size = segment = 0;
    std::size_t count = 0;
    while (r.look_ahead(socket)) {
      const Ahead& next = r.ahead[socket];
      const bool is_first = count == 0;
      if (!is_first && (buffer.size() < kLarge || next.source != source || next.bytes.size() > segment ||
                        size % segment != 0 || size + next.bytes.size() > buffer.size()))
        break;
      if (is_first) segment = next.bytes.size(), source = next.source;
      std::copy(next.bytes.begin(), next.bytes.end(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
      size += next.bytes.size();
      ++count;
      r.ahead.erase(socket);
    }
    r.received_at_once = std::max(r.received_at_once, count);
    return count == 0 ? Network::Outcome::WouldBlock : Network::Outcome::Done;
  }
};

struct Networks {  // a base, so that they are there before the connections ask for their hooks
  std::array<RunNetwork, 2> networks;
  std::size_t given = 0;
  std::array<Time, 2> frames{};
};

struct RunPair : Networks, SimPair {
  RunPair()
      : SimPair([this](Configuration& c) {
          RunNetwork& network = networks.at(given++);
          network.inner = c.network;
          c.network = network.hooks();
        }) {
    by_frames(a, frames[0]);
    by_frames(b, frames[1]);
  }
  // As a game does: much has come when it polls, and much can go.
  void by_frames(SimEnd& end, Time& next) {
    end.machine.poll = [this, &end, &next] {
      if (world.now() < next) return;
      next = world.now() + 5ms;
      CHECK(end.connection->poll());
    };
    end.machine.time_to_deadline = [this, &next] { return std::optional(next - world.now()); };
  }
  // So many messages go over, and each is what it was.
  void transfer(std::size_t messages, std::size_t size) {
    std::vector<std::uint8_t> message(size);
    std::size_t sent = 0, received = 0;
    REQUIRE(run_until([&] {
      while (sent < messages && ours->get_buffered_amount() < 512 * 1024) {
        fill(message, sent);
        REQUIRE(ours->send(message));
        ++sent;
      }
      while (const auto got = theirs->get_packet()) {
        fill(message, received++);
        CHECK(std::equal(got->begin(), got->end(), message.begin(), message.end()));
      }
      return received == messages;
    }));
  }
  static void fill(std::vector<std::uint8_t>& message, std::size_t seed) {
    for (std::size_t i = 0; i < message.size(); ++i)
      message[i] = static_cast<std::uint8_t>(i * 7 + i / 251 + seed * 31);
  }
};

}  // namespace

TEST_CASE("a bulk transfer goes and comes in runs") {
  RunPair pair;
  pair.connect();
  pair.transfer(200, 16 * 1024);
  std::size_t most = 0, datagrams = 0;
  for (const RunNetwork::Sent& run : pair.networks[0].sent) {
    most = std::max(most, run.datagrams);
    datagrams += run.datagrams;
    CHECK(run.segment <= 1500);
    CHECK(run.bytes <= kLarge);
  }
  CHECK(most >= 8);
  CHECK(datagrams * 1200 > 200 * 16 * 1024 / 2);  // of all that was sent, most
  CHECK(pair.networks[1].received_at_once >= 8);
  CHECK(pair.a.connection->get_stats().sctp_retransmitted_chunks == 0);
}

TEST_CASE("a run that meets a full socket goes on where it was, later") {
  RunPair pair;
  pair.connect();
  pair.transfer(20, 16 * 1024);
  for (const std::size_t takes : std::initializer_list<std::size_t>{0, 1, 5, 11}) {
    pair.networks[0].takes = takes;
    pair.transfer(20, 16 * 1024);
    CHECK(pair.networks[0].takes > 1000);  // it said so, and was asked again
  }
  CHECK(pair.a.connection->get_stats().sctp_retransmitted_chunks == 0);
}

// RFC 8899 §3: what is larger than the path is known to take must not be cut; the last of a run may be a small one.
TEST_CASE("all of a run must stay whole, or none of it") {
  RunPair pair;
  pair.connect();
  pair.world.run_for(5s);  // the path's size is found
  pair.transfer(50, 16 * 1024);
  bool has_whole = false;
  for (const RunNetwork::Sent& run : pair.networks[0].sent) {
    has_whole |= run.whole;
    CHECK((run.segment > 1200 - 28) == run.whole);
  }
  CHECK(has_whole);
}

TEST_CASE("buffers are small while little goes on, and again some seconds after much did") {
  RunPair pair;
  pair.connect();
  RunNetwork& network = pair.networks[1];
  CHECK(network.largest_room < 10'000);
  CHECK(pair.networks[0].sent.empty());
  const std::size_t at_rest = 8192;
  pair.transfer(100, 16 * 1024);
  CHECK(network.largest_room >= kLarge);
  pair.world.run_for(10s);
  network.largest_room = 0;
  pair.transfer(1, 100);
  pair.world.run_for(10s);
  CHECK(network.largest_room == at_rest);
}

TEST_CASE("a large buffer is not given up before the network has been asked for single datagrams with it") {
  RunPair pair;
  pair.connect();
  RunNetwork& network = pair.networks[1];
  pair.transfer(100, 16 * 1024);
  network.smallest_room = 2 * kLarge;
  std::vector<std::size_t> rooms;
  for (int i = 0; i < 100; ++i) {
    pair.world.run_for(100ms);
    (void)pair.b.connection->poll();
    if (rooms.empty() || rooms.back() != network.smallest_room) rooms.push_back(network.smallest_room);
  }
  CHECK(rooms == std::vector<std::size_t>{kLarge, kLarge - 1, 8192});
}

TEST_CASE("datagrams that the system dropped for want of room are counted, beyond 32 bits too") {
  RunPair pair;
  pair.connect();
  const auto counted = [&] {
    pair.transfer(1, 10);
    return pair.b.connection->get_stats().drops[static_cast<std::size_t>(Drop::SocketOverflow)];
  };
  CHECK(counted() == 0);
  pair.networks[1].lost = 5;
  CHECK(counted() == 5);
  pair.networks[1].lost = 0xFFFFFFFF;
  CHECK(counted() == 0xFFFFFFFF);
  pair.networks[1].lost = 2;
  CHECK(counted() == 0xFFFFFFFFu + std::uint64_t{3});
}

TEST_CASE("the first messages after a poll go at once; of many, small ones share packets") {
  RunPair pair;
  pair.connect();
  pair.transfer(200, 16 * 1024);
  const auto poll_and_rest = [&] {
    pair.world.run_for(30ms);
    (void)pair.a.connection->poll();
  };
  const std::vector<std::uint8_t> message(64, 1);
  poll_and_rest();
  for (int i = 0; i < 4; ++i) {  // as many as a burst may have
    const std::size_t before = pair.a.machine.sends;
    REQUIRE(pair.ours->send(message));
    CHECK(pair.a.machine.sends == before + 1);
  }
  poll_and_rest();
  const std::size_t before = pair.a.machine.sends;
  for (int i = 0; i < 832; ++i) REQUIRE(pair.ours->send(message));
  CHECK(pair.a.machine.sends > before + 32);  // 48 KiB of them do not wait for more
  CHECK(pair.a.machine.sends <= before + 32 + 800 / 10);
  CHECK(pair.a.connection->get_time_to_next_deadline() == Duration::zero());  // poll() is due at once
  std::size_t received = 0;
  REQUIRE(pair.run_until([&] {
    while (pair.theirs->get_packet()) ++received;
    return received == 836;
  }));
  CHECK(pair.a.machine.sends <= before + 32 + 800 / 10);
}
