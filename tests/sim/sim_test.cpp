// The simulator itself, proved with toy engines: some that keep the promises of base/engine.h and some that break them.
#include <sstream>

#include "base/address.h"
#include "base/bytes.h"
#include "sim/packet_pair.h"
#include "sim/seeds.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {

// Sends a number each second to where it is told, answers each number it gets once, and tells of both.
struct Pinger {
  struct Event {
    std::uint32_t number = 0;
    bool is_answer = false;
  };
  Path path;
  Time due = kNever;
  std::size_t size = 100;
  std::uint32_t next = 0;
  bool owes_ping = false;
  std::optional<std::pair<Path, std::uint32_t>> owed_answer;
  std::vector<Event> events;
  std::vector<std::uint32_t> answered;

  void start(Time now, const Path& to) {
    path = to;
    due = now + 1s;
    owes_ping = true;
  }
  Drop handle_datagram(Time, const Path& from, Bytes datagram) {
    if (datagram.size() < 5) return Drop::Empty;
    const std::uint32_t number = load_u32(datagram.data() + 1);
    events.push_back({number, datagram[0] == 1});
    if (datagram[0] == 0) owed_answer = {from, number};
    if (datagram[0] == 1) answered.push_back(number);
    return Drop::None;
  }
  std::optional<Transmit> poll_transmit(Time, MutBytes out) {
    if (!owes_ping && !owed_answer) return std::nullopt;
    const bool answers = owed_answer.has_value();
    std::fill_n(out.begin(), size, std::uint8_t{0});
    out[0] = answers ? 1 : 0;
    store_u32(out.data() + 1, answers ? owed_answer->second : next++);
    const Transmit transmit{answers ? owed_answer->first : path, size};
    if (answers) {
      owed_answer.reset();
    } else {
      owes_ping = false;
    }
    return transmit;
  }
  void handle_timeout(Time now) {
    if (now < due) return;
    due = now + 1s;
    owes_ping = true;
  }
  Time next_timeout() const { return due; }
  bool poll_event(Event& event) {
    if (events.empty()) return false;
    event = events.front();
    events.erase(events.begin());
    return true;
  }
};
static_assert(NetworkEngine<Pinger>);

// Breaks whichever promise it is told to.
struct Broken {
  struct Event {};
  bool stuck = false, floods = false, chatters = false, too_large = false;
  Time due = Time(1s);
  Drop handle_packet(Time, Bytes) { return Drop::UnknownProtocol; }
  std::size_t poll_packet(Time, MutBytes out) { return too_large ? out.size() + 1 : floods ? 10 : 0; }
  void handle_timeout(Time now) { due = stuck ? now : kNever; }
  Time next_timeout() const { return due; }
  bool poll_event(Event&) { return chatters; }
};
static_assert(PacketEngine<Broken>);

const Address kAlice = Address::v4(203, 0, 113, 10, 1000);
const Address kBob = Address::v4(203, 0, 113, 20, 2000);

struct PublicPair {
  World world;
  Pinger alice, bob;
  Node<Pinger> a, b;
  explicit PublicPair(std::uint64_t seed, const LinkConfig& config = {})
      : world(seed),
        a(world, world.add_host({kAlice.with_port(0)}), alice),
        b(world, world.add_host({kBob.with_port(0)}), bob) {
    world.set_default_link(config);
    a.listen(kAlice);
    b.listen(kBob);
  }
  void start() { alice.start(world.now(), {kAlice, kBob, Transport::Udp}); }
};

LinkConfig bad_link() {
  LinkConfig config;
  config.jitter = 2s;
  config.loss = 0.1;
  config.duplicate = 0.1;
  config.corrupt = 0.1;
  return config;
}

std::uint64_t hash_of_run(std::uint64_t seed) {
  PublicPair pair(seed, bad_link());
  pair.start();
  pair.world.run_for(200s);
  return pair.world.trace().hash();
}

}  // namespace

TEST_CASE("the same seed gives the same trace, another one another") {
  for_each_seed(1, 5, [](std::uint64_t seed) { CHECK(hash_of_run(seed) == hash_of_run(seed)); });
  CHECK(hash_of_run(1) != hash_of_run(2));
}

TEST_CASE("time jumps to deadlines and arrivals, exactly") {
  PublicPair pair(1);
  std::vector<Time> heard;
  pair.b.on_event = [&](Time now, const Pinger::Event&) { heard.push_back(now); };
  pair.start();
  pair.world.run_until(Time(2s + 10ms));
  CHECK(heard == std::vector<Time>{Time(10ms), Time(1s + 10ms), Time(2s + 10ms)});
  CHECK(pair.world.now() == Time(2s + 10ms));
  CHECK(pair.a.datagrams_out() == 3);
  CHECK(pair.a.datagrams_in() == 2);  // the third answer is under way
  CHECK(pair.world.run_until([&] { return pair.alice.answered.size() == 5; }, 10s));
  CHECK(pair.world.now() == Time(4s + 20ms));
  CHECK_FALSE(pair.world.run_until([&] { return false; }, 500ms));
  CHECK(pair.world.now() == Time(4s + 520ms));
}

TEST_CASE("the world ends when nobody waits for anything") {
  World world(1);
  std::string order;
  world.after(2s, [&] { order += 'c'; });
  world.after(1s, [&] { order += 'a'; });
  world.after(1s, [&] {
    order += 'b';
    world.after(0s, [&] { order += '!'; });
  });
  while (world.step()) {
  }
  CHECK(order == "ab!c");
  CHECK(world.now() == Time(2s));
}

TEST_CASE("faults show, and healing ends them") {
  for_each_seed(1, 3, [](std::uint64_t seed) {
    PublicPair pair(seed, bad_link());
    pair.start();
    pair.world.run_for(500s);
    const Trace& trace = pair.world.trace();
    CHECK(trace.count(Fate::Lost) > 50);
    CHECK(trace.count(Fate::Delivered) > trace.count(Fate::Sent) - trace.count(Fate::Lost));  // doubles
    CHECK_FALSE(std::is_sorted(pair.alice.answered.begin(), pair.alice.answered.end()));
    pair.world.heal();
    pair.world.run_for(10s);  // the last stragglers of before
    pair.alice.answered.clear();
    pair.world.run_for(100s);
    CHECK(pair.alice.answered.size() == 100);
    CHECK(std::is_sorted(pair.alice.answered.begin(), pair.alice.answered.end()));
  });
}

TEST_CASE("a link can be cut in one direction, for one pair of addresses") {
  PublicPair pair(1);
  pair.world.link(kBob, kAlice).config.cut = true;
  pair.start();
  pair.world.run_for(10s);
  CHECK(pair.b.datagrams_in() == 10);
  CHECK(pair.a.datagrams_in() == 0);
  CHECK(pair.world.trace().count(Fate::Cut) == 10);
}

TEST_CASE("datagrams above the MTU vanish without a word") {
  LinkConfig config;
  config.mtu = 1280;
  PublicPair pair(1, config);
  pair.alice.size = 1252;
  pair.start();
  pair.world.run_for(1500ms);
  CHECK(pair.world.trace().count(Fate::TooLarge) == 0);
  pair.alice.size = 1253;
  pair.world.run_for(1s);
  CHECK(pair.world.trace().count(Fate::TooLarge) == 1);
}

TEST_CASE("an address nobody has, a port nobody listens on") {
  PublicPair pair(1);
  pair.alice.start(Time(), {kAlice, Address::v4(192, 168, 0, 1, 1), Transport::Udp});
  pair.world.run_for(100ms);
  CHECK(pair.world.trace().count(Fate::NoRoute) == 1);
  pair.alice.start(Time(), {kAlice, kBob.with_port(1), Transport::Udp});
  pair.world.run_for(100ms);
  CHECK(pair.world.trace().count(Fate::NoListener) == 1);
}

namespace {

// Alice and Carol behind one NAT, Bob and Dave in public.
struct Natted {
  World world{1};
  Nat& nat;
  Host& home;
  Pinger alice, carol, bob, dave;
  Node<Pinger> a, c, b, d;
  const Address inner = Address::v4(192, 168, 0, 2, 5000), inner_c = Address::v4(192, 168, 0, 3, 5000);
  const Address dave_address = Address::v4(203, 0, 113, 30, 3000);
  std::vector<Address> bob_saw;

  explicit Natted(const NatConfig& config)
      : nat(world.add_nat(config, Address::v4(198, 51, 100, 1, 0))),
        home(world.add_host({Address::v4(192, 168, 0, 2, 0)}, &nat)),
        a(world, home, alice),
        c(world, world.add_host({Address::v4(192, 168, 0, 3, 0)}, &nat), carol),
        b(world, world.add_host({kBob.with_port(0)}), bob),
        d(world, world.add_host({Address::v4(203, 0, 113, 30, 0)}), dave) {
    a.listen(inner);
    c.listen(inner_c);
    b.listen(kBob);
    d.listen(dave_address);
    b.after_input = [this](Time) {
      if (bob.owed_answer) bob_saw.push_back(bob.owed_answer->first.remote);
    };
  }
  void ping(Pinger& from, const Address& local, const Address& remote) {
    from.start(world.now(), {local, remote, Transport::Udp});
    world.run_for(100ms);
    from.due = kNever;
  }
};

}  // namespace

TEST_CASE("behind a NAT: the far end sees the external address and its answers come in") {
  Natted n(NatConfig::port_restricted());
  n.ping(n.alice, n.inner, kBob);
  REQUIRE(n.bob_saw.size() == 1);
  CHECK(n.bob_saw[0].same_ip(n.nat.public_ip()));
  CHECK(n.alice.answered.size() == 1);
}

TEST_CASE("behind a NAT: a stranger gets in only where the filter is open") {
  const auto stranger_gets_in = [](const NatConfig& config) {
    Natted n(config);
    n.ping(n.alice, n.inner, kBob);
    n.ping(n.dave, n.dave_address, n.bob_saw.at(0));
    CHECK(n.world.trace().count(Fate::Filtered) + n.dave.answered.size() == 1);
    return n.dave.answered.size() == 1;
  };
  CHECK(stranger_gets_in(NatConfig::full_cone()));
  CHECK_FALSE(stranger_gets_in(NatConfig::restricted()));
  CHECK_FALSE(stranger_gets_in(NatConfig::port_restricted()));
  CHECK_FALSE(stranger_gets_in(NatConfig::symmetric()));
}

TEST_CASE("behind the same NAT: direct by the inner address, and by hairpin through the outer one") {
  for (const bool hairpin : {true, false}) {
    NatConfig config = NatConfig::full_cone();
    config.hairpin = hairpin;
    Natted n(config);
    n.ping(n.carol, n.inner_c, n.inner);
    CHECK(n.carol.answered.size() == 1);
    CHECK(n.nat.mappings() == 0);
    n.ping(n.alice, n.inner, kBob);
    n.ping(n.carol, n.inner_c, n.bob_saw.at(0));
    CHECK(n.carol.answered.size() == (hairpin ? 2 : 1));
  }
}

TEST_CASE("an engine that breaks its promises is caught") {
  const auto thrown_by = [](void (*breaking)(Broken&)) -> std::string {
    Broken good, bad;
    breaking(bad);
    PacketPair<Broken> pair(1, good, bad);
    try {
      pair.world.run_for(10s);
    } catch (const Violation& violation) {
      return violation.what();
    }
    return "";
  };
  CHECK(thrown_by([](Broken&) {}).empty());
  CHECK(thrown_by([](Broken& e) { e.stuck = true; }) == "handle_timeout() did not move the deadline");
  CHECK(thrown_by([](Broken& e) { e.floods = true; }) == "output without end");
  CHECK(thrown_by([](Broken& e) { e.chatters = true; }) == "events without end");
  CHECK(thrown_by([](Broken& e) { e.too_large = true; }) == "a datagram larger than the buffer");
}

TEST_CASE("a datagram from a foreign address is caught") {
  PublicPair pair(1);
  pair.alice.start(Time(), {kBob, kAlice, Transport::Udp});
  CHECK_THROWS_AS(pair.world.run_for(1s), Violation);
}

TEST_CASE("packet engines hear each other, and drops are counted") {
  Broken a, b;
  PacketPair<Broken> pair(1, a, b);
  pair.a.send_raw(test::to_vector("x"));
  pair.world.run_for(5ms);
  CHECK(pair.b.datagrams_in() == 0);
  pair.world.run_for(5ms);
  CHECK(pair.b.datagrams_in() == 1);
  CHECK(pair.b.drops()[Drop::UnknownProtocol] == 1);
  pair.a_to_b().config.cut = true;
  pair.a.send_raw(test::to_vector("x"));
  pair.world.run_for(1s);
  CHECK(pair.b.datagrams_in() == 1);
}

TEST_CASE("the dump is what text2pcap reads") {
  World world(1);
  std::ostringstream dump;
  world.trace().dump_to(&dump);
  Host& host = world.add_host({kAlice.with_port(0)});
  world.add_host({kBob.with_port(0)});
  world.run_until(Time(1s + 5us));
  world.send(host, {kAlice, kBob, Transport::Udp}, test::hex("abcd"));
  CHECK(dump.str() ==
        "# sent 203.0.113.10:1000 -> 203.0.113.20:2000\n00:00:01.000005\n"
        "000000 45 00 00 1e 00 00 00 00 40 11 00 00 cb 00 71 0a\n"
        "000010 cb 00 71 14 03 e8 07 d0 00 0a 00 00 ab cd\n\n");
}

TEST_CASE("a trace without bytes tells sizes and times apart, not contents") {
  const auto hash_of = [](std::string_view text, bool bytes) {
    World world(1);
    if (!bytes) world.trace().hash_without_bytes();
    world.send(world.add_host({kAlice.with_port(0)}), {kAlice, kBob, Transport::Udp}, test::to_vector(text));
    return world.trace().hash();
  };
  CHECK(hash_of("a", true) != hash_of("b", true));
  CHECK(hash_of("a", false) == hash_of("b", false));
  CHECK(hash_of("a", false) != hash_of("ab", false));
}

TEST_CASE("which seeds are run, and how one is run again") {
  CHECK(plan_seeds(7, 100, nullptr, nullptr).first == 7);
  CHECK(plan_seeds(7, 100, nullptr, nullptr).count == 100);
  CHECK(plan_seeds(7, 100, nullptr, "5").count == 5);
  CHECK(plan_seeds(7, 100, "42", "5").first == 42);
  CHECK(plan_seeds(7, 100, "42", "5").count == 1);
  CHECK(plan_seeds(7, 100, "junk", "").count == 100);
  CHECK(escaped_test_name("a, b [c]") == "a\\, b \\[c]");
  const std::string command = replay_command(42);
  CHECK(command.find("POLLRTC_SEED=42 ") == 0);
  CHECK(command.find("test_sim \"which seeds are run\\, and how one is run again\"") != std::string::npos);
}
