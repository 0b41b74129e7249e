// A thousand ICE agents on one port, over a network of the test's own: whose datagram is it, and what do strangers cost?
#include <deque>
#include <map>
#include <set>

#include "api/mux_core.h"
#include "base/address.h"
#include "ice/agent.h"
#include "ice/stun_auth.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::test;
using namespace std::chrono_literals;
using detail::MuxCore;
using detail::MuxMember;

namespace {

const Address kServer = Address::v4(192, 0, 2, 1, 3478);

// What the mux sends goes to `sent`; what it is to receive stands in `inbox`.
struct FakeNetwork {
  struct Datagram {
    Address remote;
    ByteVector bytes;
    int socket = 0;  // that it came to
  };
  Network hooks() {
    Network n;
    n.now = [](void* c) { return static_cast<FakeNetwork*>(c)->now; };
    n.list_addresses = [](void* c, bool with_loopback, std::span<Address> out) {
      const auto& self = *static_cast<FakeNetwork*>(c);
      std::size_t count = 0;
      for (const Address& address : with_loopback ? self.loopback : self.addresses)
        out[count++] = address.with_port(0);
      return count;
    };
    if (finds_addresses)
      n.find_addresses = [](void* c, std::span<const Address> wanted, std::span<bool> is_there) {
        const auto& there = static_cast<FakeNetwork*>(c)->addresses;
        std::transform(wanted.begin(), wanted.end(), is_there.begin(), [&](const Address& address) {
          return std::find(there.begin(), there.end(), address.with_port(0)) != there.end();
        });
        return true;
      };
    n.open = [](void* c, const Address& local, std::uint16_t first, std::uint16_t last, Address& bound) {
      auto& self = *static_cast<FakeNetwork*>(c);
      const auto is_in = [&](const std::vector<Address>& addresses_there) {
        return std::find(addresses_there.begin(), addresses_there.end(), local) != addresses_there.end();
      };
      CHECK(first == last);
      if (is_in(self.useless) || (is_in(self.taken) && first == kServer.port)) return -1;
      if (!is_in(self.taken)) CHECK(first == kServer.port);
      bound = local.with_port(first);
      self.open_sockets.insert(self.opened);
      return self.opened++;
    };
    n.close = [](void* c, int socket) {
      CHECK(static_cast<FakeNetwork*>(c)->open_sockets.erase(socket) == 1);
    };
    n.send = [](void* c, int, const Address& remote, Bytes bytes) {
      static_cast<FakeNetwork*>(c)->sent.push_back({remote, to_vector(bytes)});
      return Network::Outcome::Done;
    };
    n.receive = [](void* c, int socket, MutBytes buffer, std::size_t& size, Address& source) {
      auto& self = *static_cast<FakeNetwork*>(c);
      ++self.asked;
      if (self.flooded.contains(socket)) {
        buffer[0] = 23;
        size = 1;
        source = Address::v4(203, 0, 113, 1, 9);
        return Network::Outcome::Done;
      }
      const auto next = std::find_if(self.inbox.begin(), self.inbox.end(),
                                     [&](const Datagram& there) { return there.socket == socket; });
      if (next == self.inbox.end()) return Network::Outcome::WouldBlock;
      const Datagram d = *next;
      self.inbox.erase(next);
      std::copy(d.bytes.begin(), d.bytes.end(), buffer.begin());
      size = d.bytes.size();
      source = d.remote;
      return Network::Outcome::Done;
    };
    n.overflows = [](void* c, int socket) { return static_cast<FakeNetwork*>(c)->lost[socket]; };
    if (hears_errors)
      n.receive_error = [](void* c, int, MutBytes quoted, std::size_t& size, Address& remote) {
        auto& self = *static_cast<FakeNetwork*>(c);
        if (self.errors.empty()) return false;
        const Datagram e = self.errors.front();
        self.errors.pop_front();
        std::copy(e.bytes.begin(), e.bytes.end(), quoted.begin());
        size = e.bytes.size();
        remote = e.remote;
        ++self.errors_read;
        return true;
      };
    n.context = this;
    return n;
  }
  std::vector<Address> addresses{kServer.with_port(0)}, loopback;
  std::vector<Address> taken;    // another program has the port there
  std::vector<Address> useless;  // no port can be had there
  bool hears_errors = true, finds_addresses = false;
  std::deque<Datagram> errors;
  std::size_t errors_read = 0;
  Time now{};
  std::deque<Datagram> inbox;
  std::set<int> flooded;              // sockets to which somebody sends faster than anybody reads
  std::map<int, std::uint32_t> lost;  // by the socket whose buffer was full
  int asked = 0;                      // how often for a datagram
  std::vector<Datagram> sent;
  int opened = 0;
  std::set<int> open_sockets;
};

struct Mux {
  explicit Mux(const UdpMux::Config& given = {}, bool hears_errors = true, bool finds_addresses = false)
      : network{.hears_errors = hears_errors, .finds_addresses = finds_addresses},
        environment(5),
        core(std::make_shared<MuxCore>(with(given))) {}
  UdpMux::Config with(UdpMux::Config config) {
    config.port = kServer.port;
    config.network = network.hooks();
    config.rng = environment.env.rng;
    return config;
  }
  // Somebody sends this to our port.
  void arrive(const Address& from, const ByteVector& bytes) { network.inbox.push_back({from, bytes}); }

  FakeNetwork network;
  TestEnvironment environment;
  std::shared_ptr<MuxCore> core;
};

struct Member {
  explicit Member(Mux& mux) : member(mux.core), hooks(member.hooks()) {
    socket = hooks.open(hooks.context, kServer.with_port(0), 0, 0, bound);
    REQUIRE(socket >= 0);
    CHECK(bound == kServer);
  }
  ~Member() { hooks.close(hooks.context, socket); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  void send(const Address& to, Bytes bytes) { (void)hooks.send(hooks.context, socket, to, bytes); }
  void good_check(const Address& from);
  std::optional<FakeNetwork::Datagram> receive() {
    ByteVector buffer(2000);
    std::size_t size = 0;
    Address source;
    if (hooks.receive(hooks.context, socket, buffer, size, source) != Network::Outcome::Done)
      return std::nullopt;
    buffer.resize(size);
    return FakeNetwork::Datagram{source, buffer};
  }

  MuxMember member;
  Network hooks;
  Address bound;
  int socket = -1;
};

stun::TransactionId id_of(std::uint32_t number) {
  stun::TransactionId id{};
  store_u32(id.data(), number);
  return id;
}

ByteVector request(std::string_view username, std::uint32_t number = 1) {
  ByteVector buffer(500);
  stun::Writer w(buffer, stun::Class::Request, id_of(number));
  if (!username.empty()) w.text(stun::Attribute::Username, username);
  w.u32(stun::Attribute::Priority, 1);
  w.u64(stun::Attribute::IceControlling, 1);
  w.integrity(as_bytes(std::string_view("0123456789abcdefghijkl")));
  w.fingerprint();
  buffer.resize(w.finish());
  return buffer;
}

void Member::good_check(const Address& from) { member.on_taken(socket, from, request("x:y")); }

ByteVector response(std::uint32_t number) {
  ByteVector buffer(200);
  stun::Writer w(buffer, stun::Class::Success, id_of(number));
  w.xor_address(stun::Attribute::XorMappedAddress, kServer);
  buffer.resize(w.finish());
  return buffer;
}

Address client_address(std::size_t i, std::uint16_t port = 6000) {
  return Address::v4(10, 0, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(1 + i % 250), port);
}

// A client with an agent of its own somewhere, and its opposite behind the mux.
struct Couple {
  Couple(Mux& mux, std::size_t i)
      : environment(1000 + i),
        address(client_address(i)),
        member(mux),
        server(environment.env, {.controlling = false}),
        client(environment.env, {.controlling = true}) {
    REQUIRE(server.start(Time{}));
    REQUIRE(client.start(Time{}));
    REQUIRE(server.add_local_address(Time{}, kServer, false));
    REQUIRE(client.add_local_address(Time{}, address, false));
    server.local_addresses_done(Time{});
    client.local_addresses_done(Time{});
    member.member.add_ufrag(server.local_ufrag());
    REQUIRE(server.set_remote_credentials(Time{}, client.local_ufrag(), client.local_pwd(), false));
    REQUIRE(client.set_remote_credentials(Time{}, server.local_ufrag(), server.local_pwd(), false));
    Candidate to_server;
    to_server.address = kServer;
    to_server.priority = 1000;
    ice::Agent::Event event;
    while (client.poll_event(event)) {
    }
    while (server.poll_event(event)) {
    }
    REQUIRE(client.add_remote_candidate(Time{}, to_server));
  }
  void turn(Mux& mux) {
    const Time now = mux.network.now;
    while (const auto datagram = member.receive()) {
      const Drop drop = server.handle_datagram(now, {kServer, datagram->remote}, datagram->bytes);
      CHECK(drop == Drop::None);
      if (drop == Drop::None) member.member.on_taken(member.socket, datagram->remote, datagram->bytes);
    }
    if (server.next_timeout() <= now) server.handle_timeout(now);
    if (client.next_timeout() <= now) client.handle_timeout(now);
    ByteVector buffer(1500);
    while (const auto t = server.poll_transmit(now, buffer))
      member.send(t->path.remote, Bytes(buffer).first(t->size));
    while (const auto t = client.poll_transmit(now, buffer))
      mux.arrive(seen_as, {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(t->size)});
    ice::Agent::Event event;
    while (client.poll_event(event) || server.poll_event(event)) {
    }
  }
  bool is_up() const {
    return client.state() == ice::AgentState::Completed && server.state() == ice::AgentState::Completed &&
           server.selected_path()->remote == seen_as;
  }

  TestEnvironment environment;
  Address address, seen_as = address;  // by the server; another when a NAT rebinds
  Member member;
  ice::Agent server, client;
};

}  // namespace

TEST_CASE("a thousand connections on one port, each found again when its NAT changes its mind") {
  constexpr std::size_t kCount = 1000;
  Mux mux;
  std::vector<std::unique_ptr<Couple>> couples;
  std::map<Address, Couple*> by_address;
  for (std::size_t i = 0; i < kCount; ++i) {
    couples.push_back(std::make_unique<Couple>(mux, i));
    by_address[couples.back()->seen_as] = couples.back().get();
  }
  CHECK(mux.network.opened == 1);
  const auto run = [&](Duration limit) {
    const auto all_up = [&] {
      return std::all_of(couples.begin(), couples.end(), [](const auto& c) { return c->is_up(); });
    };
    for (const Time end = mux.network.now + limit; mux.network.now < end && !all_up();
         mux.network.now += 10ms) {
      for (const auto& couple : couples) couple->turn(mux);
      std::vector<FakeNetwork::Datagram> sent;
      sent.swap(mux.network.sent);
      for (const auto& datagram : sent) {
        const auto to = by_address.find(datagram.remote);
        if (to == by_address.end()) continue;
        Couple& couple = *to->second;
        (void)couple.client.handle_datagram(mux.network.now, {couple.address, kServer}, datagram.bytes);
      }
    }
    return all_up();
  };
  REQUIRE(run(10s));
  CHECK(mux.core->stats().connections == kCount);
  CHECK(mux.core->stats().addresses == kCount);
  CHECK(mux.core->stats().strangers_refused == 0);
  // Data finds its way by the address alone.
  for (std::size_t i = 0; i < kCount; i += 37) {
    mux.arrive(couples[i]->seen_as, {23, static_cast<std::uint8_t>(i)});
    const auto datagram = couples[i]->member.receive();
    REQUIRE(datagram);
    CHECK(datagram->bytes == ByteVector{23, static_cast<std::uint8_t>(i)});
  }
  // All NATs forget at once.
  by_address.clear();
  for (std::size_t i = 0; i < kCount; ++i) {
    couples[i]->seen_as = client_address(i, 7000);
    by_address[couples[i]->seen_as] = couples[i].get();
  }
  REQUIRE(run(60s));
  CHECK(mux.core->stats().strangers_refused == 0);
  CHECK(mux.core->stats().addresses == 2 * kCount);
  couples.resize(kCount / 2);
  CHECK(mux.core->stats().addresses == kCount);
  couples.clear();
  CHECK(mux.core->stats().addresses == 0);
  CHECK(mux.core->stats().connections == 0);
  CHECK_FALSE(mux.network.open_sockets.empty());  // the port stays ours
}

TEST_CASE("a check for nobody gets its 401 or 400, not too often, and leaves nothing", "[ATK-02]") {
  Mux mux;
  Member member(mux);
  member.member.add_ufrag("ours");
  const auto answer_to = [&](const Address& from, const ByteVector& bytes) {
    mux.network.sent.clear();
    mux.arrive(from, bytes);
    CHECK_FALSE(member.receive());
    if (mux.network.sent.empty()) return 0;
    CHECK(mux.network.sent[0].remote == from);
    CHECK(mux.network.sent[0].bytes.size() <= bytes.size());
    return stun::Message::parse(mux.network.sent[0].bytes)->error_code()->code;
  };
  CHECK(answer_to(client_address(1), request("nobody:peer")) == 401);
  CHECK(answer_to(client_address(1), request("our:peer")) == 401);
  CHECK(answer_to(client_address(1), request({})) == 400);
  ByteVector bad = request("nobody:peer");
  bad.back() ^= 1;  // no right fingerprint: nobody's business
  CHECK(answer_to(client_address(1), bad) == 0);
  CHECK(answer_to(client_address(1), {22, 1, 2}) == 0);
  CHECK(answer_to(client_address(1), response(99)) == 0);
  // An empty user name with the empty password for a key is nobody, too.
  ByteVector empty(500);
  stun::Writer w(empty, stun::Class::Request, id_of(7));
  w.text(stun::Attribute::Username, ":peer");
  w.u32(stun::Attribute::Priority, 1);
  w.u64(stun::Attribute::IceControlling, 1);
  w.integrity({});
  w.fingerprint();
  empty.resize(w.finish());
  CHECK(answer_to(client_address(1), empty) == 0);
  int answered = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    answered += answer_to(client_address(i % 900), request("nobody:peer", i)) != 0;
  CHECK(answered == 97);  // a hundred a second in all
  int to_one = 0;
  mux.network.now += 1s;
  for (std::uint32_t i = 0; i < 100; ++i)
    to_one += answer_to(client_address(5), request("nobody:peer", i)) != 0;
  CHECK(to_one == 10);
  CHECK(mux.core->stats().addresses == 0);
  CHECK(mux.core->stats().strangers_refused == 110);
}

TEST_CASE("a check goes by its user name, an answer by its transaction, the rest by the address") {
  Mux mux;
  Member one(mux), two(mux);
  one.member.add_ufrag("aaaa");
  two.member.add_ufrag("bbbb");
  const Address shared = client_address(1);
  one.send(shared, request("peer:aaaa", 11));
  two.send(shared, request("peer:bbbb", 22));
  mux.arrive(shared, response(22));
  CHECK_FALSE(one.receive());
  CHECK(two.member.has_mail());
  CHECK(two.receive()->bytes == response(22));
  mux.arrive(shared, request("bbbb:peer"));
  CHECK_FALSE(one.receive());
  CHECK(two.receive());
  // It was the first one's address, as that wrote there first; a good check makes it the other's.
  mux.arrive(shared, {23});
  CHECK(one.receive());
  two.good_check(shared);
  mux.arrive(shared, {23});
  CHECK_FALSE(one.receive());
  CHECK(two.receive());
}

TEST_CASE("an address with a good check on it is not taken away, but for one whose holder is silent") {
  Mux mux;
  Member holder(mux), forger(mux);
  const Address address = client_address(1);
  const auto is_holders = [&] {
    mux.arrive(address, {23});
    const bool is_it = holder.receive().has_value();
    if (!is_it) CHECK(forger.receive());
    return is_it;
  };
  holder.good_check(address);
  for (int i = 0; i < 20; ++i) {
    mux.network.now += 6s;
    holder.good_check(address);
    forger.good_check(address);
    CHECK(is_holders());
  }
  mux.network.now += 18s;
  forger.good_check(address);
  CHECK_FALSE(is_holders());
}

TEST_CASE("who has lost an address has it back by writing there, once nobody has it") {
  Mux mux;
  Member member(mux);
  const Address address = client_address(1);
  const auto writes = [&] { member.send(address, request("peer:aaaa")); };
  const auto is_its_own = [&] {
    mux.arrive(address, {23});
    return member.receive().has_value();
  };
  writes();
  REQUIRE(is_its_own());
  SECTION("another had it") {
    Member other(mux);
    other.good_check(address);
    CHECK_FALSE(is_its_own());
    CHECK(other.receive());
    writes();
    CHECK_FALSE(is_its_own());
  }
  SECTION("the socket was closed") {
    member.hooks.close(member.hooks.context, member.socket);
    member.socket = member.hooks.open(member.hooks.context, kServer.with_port(0), 0, 0, member.bound);
    CHECK_FALSE(is_its_own());
  }
  writes();
  CHECK(is_its_own());
}

TEST_CASE("the tables of a mux are bounded") {
  Mux mux({.max_addresses = 50, .max_addresses_each = 20, .max_waiting = 10});
  Member one(mux), two(mux), three(mux);
  one.good_check(client_address(0));
  for (std::size_t i = 1; i < 1000; ++i) one.send(client_address(i), request("peer:aaaa", 1));
  CHECK(mux.core->stats().addresses == 20);
  // The one that is in use is not the one that goes.
  mux.arrive(client_address(0), {23});
  CHECK(one.receive());
  for (std::size_t i = 1000; i < 2000; ++i) two.send(client_address(i), request("peer:bbbb", 1));
  for (std::size_t i = 2000; i < 3000; ++i) three.send(client_address(i), request("peer:cccc", 1));
  CHECK(mux.core->stats().addresses == 50);
  const auto before = mux.core->stats().dropped;
  for (std::uint8_t i = 0; i < 100; ++i) mux.arrive(client_address(0), {23, i});
  CHECK_FALSE(two.receive());
  CHECK(mux.core->stats().dropped - before == 90);
  for (std::uint8_t i = 0; i < 10; ++i) CHECK(one.receive()->bytes == ByteVector{23, i});
  CHECK_FALSE(one.member.has_mail());
  // Of its names the last three count.
  for (const char* name : {"aaaa", "bbbb", "cccc", "dddd"}) one.member.add_ufrag(name);
  mux.arrive(client_address(9), request("aaaa:peer"));
  CHECK_FALSE(one.receive());
  mux.arrive(client_address(9), request("bbbb:peer"));
  CHECK(one.receive());
}

TEST_CASE("a flood at some addresses of a mux delays what comes to the others by a reading each") {
  Mux mux;
  Member member(mux);
  std::vector<int> sockets{member.socket};
  for (std::uint8_t i = 2; i <= 4; ++i) {
    Address bound;
    sockets.push_back(member.hooks.open(member.hooks.context, Address::v4(192, 0, 2, i, 0), 0, 0, bound));
  }
  const int quiet = sockets.back(), readings = GENERATE(1, 2, 3);
  const bool is_polled = GENERATE(true, false);
  const auto read = [&] {
    mux.network.asked = 0;
    if (is_polled)
      CHECK(mux.core->poll(0s));
    else
      mux.core->read();
    CHECK(mux.network.asked <= 256 + 4);  // what one call does is bounded
  };
  const Address peer = client_address(1);
  (void)member.hooks.send(member.hooks.context, quiet, peer, request("peer:aaaa"));
  for (int i = 0; i < readings; ++i) mux.network.flooded.insert(sockets[static_cast<std::size_t>(i)]);
  for (int round = 0; round < 5; ++round) {
    mux.network.inbox.push_back({peer, {23, 1}, quiet});
    for (int i = 0; i < readings + 1; ++i) read();
    CHECK(mux.network.inbox.empty());
  }
  for (const int socket : sockets)
    if (socket != member.socket) member.hooks.close(member.hooks.context, socket);
}

TEST_CASE("a mux counts what the system dropped because a socket was full") {
  Mux mux;
  Member member(mux);
  Address bound;
  const int second = member.hooks.open(member.hooks.context, Address::v4(192, 0, 2, 2, 0), 0, 0, bound);
  const auto overflows_after = [&](int socket, std::uint32_t lost) {
    mux.network.lost[socket] = lost;
    mux.network.inbox.push_back({client_address(1), {23}, socket});
    mux.core->read();
    return mux.core->stats().overflows;
  };
  CHECK(overflows_after(member.socket, 0) == 0);
  CHECK(overflows_after(member.socket, 3) == 3);
  CHECK(overflows_after(member.socket, 3) == 3);
  CHECK(overflows_after(second, 10) == 13);
  CHECK(overflows_after(member.socket, 0xffffffff) == 0xffffffff + std::uint64_t{10});
  CHECK(overflows_after(member.socket, 1) == 0xffffffff + std::uint64_t{12});  // it counts on from 0
  member.hooks.close(member.hooks.context, second);
}

TEST_CASE("an error of ICMP goes to whoever asked what it quotes; what quotes nothing of ours goes nowhere",
          "[ATK-25]") {
  Mux mux;
  Member one(mux), other(mux);
  const Address to = client_address(1);
  one.send(to, request("x:y", 1));
  other.send(to, request("z:y", 2));
  const auto read = [&](Member& member) -> std::optional<FakeNetwork::Datagram> {
    ByteVector quoted(2000);
    std::size_t size = 0;
    Address remote;
    if (!member.hooks.receive_error(member.hooks.context, member.socket, quoted, size, remote))
      return std::nullopt;
    quoted.resize(size);
    return FakeNetwork::Datagram{remote, quoted};
  };
  mux.network.errors = {
      {to, request("z:y", 2)},   {to, request("x:y", 1)}, {to, request("x:y", 3)}, {to, {1, 2, 3}}, {to, {}},
      {to, ByteVector(60, 0x16)}};
  const auto for_one = read(one);  // whoever reads, reads for all
  REQUIRE(for_one);
  CHECK(for_one->remote == to);
  CHECK(for_one->bytes[11] == 1);
  CHECK_FALSE(read(one));
  const auto for_other = read(other);
  REQUIRE(for_other);
  CHECK(for_other->bytes[11] == 2);
  CHECK_FALSE(read(other));
  // A flood: one reading takes 64, and 32 of them wait.
  for (int i = 0; i < 1000; ++i) mux.network.errors.push_back({to, request("z:y", 2)});
  mux.network.errors_read = 0;
  CHECK_FALSE(read(one));
  CHECK(mux.network.errors_read == 64);
  mux.network.errors.clear();
  int waiting = 0;
  while (read(other)) ++waiting;
  CHECK(waiting == 32);
  // Nor for one that has closed its socket.
  mux.network.errors = {{to, request("z:y", 2)}};
  other.hooks.close(other.hooks.context, other.socket);
  CHECK_FALSE(read(one));
  other.socket = other.hooks.open(other.hooks.context, kServer.with_port(0), 0, 0, other.bound);
  CHECK_FALSE(read(other));
}

TEST_CASE("a mux has sockets for the addresses of today, however many there have been") {
  const bool finds_addresses = GENERATE(true, false);
  Mux mux({}, true, finds_addresses);
  FakeNetwork& network = mux.network;
  const auto address = [](std::size_t i) {
    return Address::v4(198, 51, 100, static_cast<std::uint8_t>(i), 0);
  };
  const auto come_to = [&](std::size_t i) {
    network.addresses = network.loopback = {kServer.with_port(0)};
    network.loopback.push_back(address(i));
    network.addresses.push_back(address(i));
  };
  Member stays(mux);
  Member one(mux), other(mux);
  const auto open = [&](Member& member, std::size_t i) {
    Address bound;
    const int socket = member.hooks.open(member.hooks.context, address(i), 0, 0, bound);
    if (socket >= 0) CHECK(bound.same_ip(address(i)));
    return socket;
  };
  const Address peer = client_address(1);
  Member* const members[] = {&one, &other};
  for (std::size_t i = 1; i < 200; ++i) {
    come_to(i);
    Member& member = *members[i % 2];
    const int socket = open(member, i);
    REQUIRE(socket >= 0);
    // What the other one knew at this number is forgotten: the peer's address is not held for it.
    member.member.on_taken(socket, peer, request("x:y"));
    network.inbox.push_back({peer, {23, static_cast<std::uint8_t>(i)}, static_cast<int>(i)});
    mux.core->read();
    CHECK(member.member.has_mail());
    ByteVector buffer(100);
    std::size_t size = 0;
    Address source;
    CHECK(member.hooks.receive(member.hooks.context, socket, buffer, size, source) == Network::Outcome::Done);
    member.hooks.close(member.hooks.context, socket);
    CHECK(network.open_sockets.size() <= 64);
    CHECK(mux.core->stats().addresses == 0);
  }
  CHECK(network.open_sockets.contains(0));  // in use, and there
  CHECK(network.open_sockets.size() == 64);
  SECTION("one that a connection has open is not given away, though its address is gone") {
    come_to(200);
    const int held = open(one, 200);
    REQUIRE(held >= 0);
    for (std::size_t i = 201; i < 255; ++i) {
      come_to(i);
      const int socket = open(other, i);
      CHECK(socket != held);
      CHECK(socket > 0);
      other.hooks.close(other.hooks.context, socket);
    }
    CHECK(network.open_sockets.contains(200));
    one.hooks.close(one.hooks.context, held);
  }
  SECTION("a connection that is gone has none open") {
    int first = -1;
    {
      MuxMember member(mux.core);
      const Network hooks = member.hooks();
      Address bound;
      come_to(200);
      first = hooks.open(hooks.context, address(200), 0, 0, bound);
      REQUIRE(first >= 0);
    }
    come_to(201);
    const int second = open(one, 201);
    CHECK(second == first);
    one.hooks.close(one.hooks.context, second);
  }
  SECTION("one whose address is there is not given away either, though nobody has it open") {
    network.addresses = {address(199)};  // and the server's is in use
    for (std::size_t i = 2; i < 64; ++i) network.addresses.push_back(address(i));
    network.loopback = network.addresses;
    const std::set<int> before = network.open_sockets;
    CHECK(open(one, 250) == -1);
    CHECK(network.open_sockets == before);
  }
  SECTION("nor is any for an address where no port can be had") {
    network.useless = {address(251)};
    const std::set<int> before = network.open_sockets;
    CHECK(open(one, 251) == -1);
    CHECK(network.open_sockets == before);
  }
}

TEST_CASE("a network that hears of no errors has a mux without the hook") {
  Mux mux(UdpMux::Config{}, false);
  Member one(mux);
  CHECK(one.hooks.receive_error == nullptr);
}

TEST_CASE("a mux says whether it can have its port, and nothing has changed if it cannot") {
  const Address v4 = kServer.with_port(0), other_v4 = Address::v4(192, 0, 2, 2, 0),
                v6 = *parse_ip("2001:db8::1"), loopback = Address::v4(127, 0, 0, 1, 0);
  Mux mux;
  FakeNetwork& network = mux.network;
  network.addresses = {v4, other_v4, v6};
  SECTION("everywhere; once more, and for a connection, it is the same sockets") {
    CHECK(mux.core->open_all());
    CHECK(network.open_sockets.size() == 3);
    CHECK(mux.core->open_all());
    const Member one(mux);
    CHECK(network.opened == 3);
    CHECK(network.open_sockets.size() == 3);
  }
  SECTION("at one address another program has it") {
    network.taken = {other_v4};
    CHECK(mux.core->open_all().error() == ErrorCode::Network);
    CHECK(network.open_sockets.empty());
    network.taken = {};
    CHECK(mux.core->open_all());
    CHECK(network.open_sockets.size() == 3);
  }
  SECTION("an address where no port can be had is no loss, unless there is no other") {
    network.useless = {v6};
    CHECK(mux.core->open_all());
    CHECK(network.open_sockets.size() == 2);
    Mux other;
    other.network.addresses = other.network.useless = {v6};
    CHECK(other.core->open_all().error() == ErrorCode::Network);
    CHECK(other.network.open_sockets.empty());
  }
  SECTION("what a connection has stays open") {
    const Member one(mux);
    network.taken = {v6};
    CHECK(mux.core->open_all().error() == ErrorCode::Network);
    CHECK(network.open_sockets == std::set<int>{one.socket});
    network.taken = {};
    CHECK(mux.core->open_all());
    CHECK(network.open_sockets.size() == 3);
  }
  SECTION("a machine without a network has loopback") {
    network.addresses = {};
    CHECK(mux.core->open_all().error() == ErrorCode::Network);
    network.loopback = {loopback};
    network.now += 1s;  // the list is good for a while
    CHECK(mux.core->open_all());
    CHECK(network.open_sockets.size() == 1);
  }
}
