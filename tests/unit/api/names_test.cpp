// Names: those of servers, and those that stand for hidden addresses.
#include "base/address.h"
#include "base/bytes.h"
#include "net/mdns_message.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// A resolver of the caller's that knows nothing: it refuses "refused.example", and finds no address for others.
HostResolver know_nothing() {
  HostResolver resolver;
  resolver.start = [](void*, std::uint32_t, std::string_view host) { return host != "refused.example"; };
  resolver.poll = [](void*, std::uint32_t, std::span<Address>, std::size_t& count) {
    count = 0;
    return true;
  };
  return resolver;
}

bool contains(Bytes bytes, std::string_view text) {
  return as_text(bytes).find(text) != std::string_view::npos;
}

// Two machines on one link. What they signal to each other is kept.
struct HidingPair {
  explicit HidingPair(bool a_hides, bool b_hides, const std::function<void(Configuration&)>& edit = {})
      : world(1), a(world, 1), b(world, 2) {
    const auto start = [&](SimEnd& end, bool hides) {
      end.start([&](Configuration& c) {
        end.machine.join(link, c);
        c.hide_addresses = hides;
        if (edit) edit(c);
      });
    };
    start(a, a_hides);
    start(b, b_hides);
    signal_between(world, a.connection, b.connection, 5ms);
    for (SimEnd* end : {&a, &b}) {
      const auto forward = end->connection->ice_candidate_created;
      const auto describe = end->connection->session_description_created;
      end->connection->ice_candidate_created = [this, end, forward](const std::string& media, int index,
                                                                    const std::string& name) {
        candidates[end].push_back(name);
        forward(media, index, name);
      };
      end->connection->session_description_created = [this, end, describe](const std::string& type,
                                                                           const std::string& sdp) {
        descriptions[end] += sdp;
        describe(type, sdp);
      };
    }
  }
  bool connect(Duration limit = 60s) {
    ours = a.create();
    REQUIRE(a.connection->create_offer());
    return world.run_until([&] { return ours->get_ready_state() == ChannelState::Open; }, limit);
  }
  std::size_t questions_from(const SimEnd& end) const {
    return static_cast<std::size_t>(std::count_if(link.sent.begin(), link.sent.end(), [&](const auto& sent) {
      return sent.from == &end.machine && !net::DnsHeader::read(sent.bytes)->is_response();
    }));
  }

  sim::World world;
  MulticastLink link;
  SimEnd a, b;
  ChannelPtr ours;
  std::map<SimEnd*, std::vector<std::string>> candidates;
  std::map<SimEnd*, std::string> descriptions;
};

}  // namespace

TEST_CASE("two peers that hide their addresses find each other by multicast",
          "[ICE-MDNS-04][ICE-MDNS-05][SDP-22]") {
  HidingPair t(true, true);
  REQUIRE(t.connect());
  t.world.run_for(2s);
  std::vector<std::string> names;
  for (SimEnd* end : {&t.a, &t.b}) {
    REQUIRE(t.candidates[end].size() == 1);
    const std::string& line = t.candidates[end][0];
    // "candidate:1 1 udp 2130706431 <name> <port> typ host ..."
    const std::size_t dot = line.find(".local ");
    REQUIRE(dot != std::string::npos);
    names.push_back(line.substr(dot - 36, 42));
    CHECK(line.find(" typ host") != std::string::npos);
    CHECK(line.find("192.0.2.") == std::string::npos);
    CHECK(t.descriptions[end].find("192.0.2.") == std::string::npos);
    CHECK(t.descriptions[end].find("c=IN IP4 0.0.0.0\r\n") != std::string::npos);
    CHECK(t.descriptions[end].find("m=application 9 ") != std::string::npos);
    const PeerStats stats = end->connection->get_stats();
    REQUIRE(stats.selected_path);
    CHECK(stats.local_type == CandidateType::Host);
    CHECK(stats.remote_type == CandidateType::Host);  // resolved, not found by a check alone
    for (const Address& shown : {stats.selected_path->local, stats.selected_path->remote}) {
      CHECK(shown.family == Address::Family::IPv4);
      CHECK(shown.ip == std::array<std::uint8_t, 16>{});
      CHECK(shown.port != 0);
    }
  }
  CHECK(names[0] != names[1]);
  const PeerStats stats = t.a.connection->get_stats();
  CHECK(stats.local_name == names[0]);
  CHECK(stats.remote_name == names[1]);
  // Each asked once: the other was there.
  CHECK(t.questions_from(t.a) == 1);
  CHECK(t.questions_from(t.b) == 1);
}

TEST_CASE("goodbye is said when the connection ends, and its sockets go", "[ICE-MDNS-09]") {
  HidingPair t(true, true);
  REQUIRE(t.connect());
  t.world.run_for(10s);
  t.link.sent.clear();
  t.a.connection->close();
  REQUIRE(t.link.sent.size() == 1);
  const auto& bytes = t.link.sent[0].bytes;
  std::size_t at = net::kDnsHeaderSize;
  const auto record = net::DnsRecord::read(bytes, at);
  REQUIRE(record);
  CHECK(record->ttl == 0);
  CHECK(record->address() == Address::v4(192, 0, 2, 1, 0));
  CHECK(contains(bytes, t.candidates[&t.a][0].substr(t.candidates[&t.a][0].find(".local ") - 36, 36)));
  CHECK(t.a.machine.open_sockets == 0);
}

TEST_CASE("one that hides nothing resolves the name of one that does, and lets multicast be afterwards",
          "[ICE-MDNS-01][ICE-MDNS-02]") {
  HidingPair t(false, true);
  REQUIRE(t.connect());
  t.world.run_for(10s);
  const PeerStats stats = t.a.connection->get_stats();
  CHECK(stats.remote_type == CandidateType::Host);
  CHECK_FALSE(stats.remote_name.empty());
  CHECK(stats.local_name.empty());
  CHECK(stats.selected_path->local.same_ip(Address::v4(192, 0, 2, 1, 0)));
  CHECK(t.a.machine.open_sockets == 1);
  CHECK(t.b.machine.open_sockets == 2);
  CHECK(t.questions_from(t.a) == 1);
  CHECK(t.questions_from(t.b) == 0);
}

TEST_CASE("each address of each connection has a name of its own", "[ICE-MDNS-04]") {
  HidingPair t(true, true);
  t.a.machine.add_address(*parse_ip("2001:db8::1"));
  REQUIRE(t.connect());
  REQUIRE(t.candidates[&t.a].size() == 2);
  std::vector<std::string> names;
  for (const std::string& line : t.candidates[&t.a])
    names.push_back(line.substr(line.find(".local ") - 36, 36));
  CHECK(names[0] != names[1]);
  for (const std::string& name : names) {
    CHECK(name[14] == '4');
    CHECK(std::string("89ab").find(name[19]) != std::string::npos);
  }
}

TEST_CASE("where there is no multicast an address stays hidden, and its end can still be the one that checks",
          "[ICE-MDNS-04][ICE-MDNS-05]") {
  HidingPair t(true, false, [](Configuration& c) { c.network.open_multicast = nullptr; });
  REQUIRE(t.connect());
  for (const std::string& line : t.candidates[&t.a]) CHECK(line.find("192.0.2.1") == std::string::npos);
  // What the check showed is not shown on.
  const PeerStats stats = t.b.connection->get_stats();
  CHECK(stats.remote_type == CandidateType::PeerReflexive);
  CHECK(stats.selected_path->remote.ip == std::array<std::uint8_t, 16>{});
  CHECK(stats.selected_path->remote.port != 0);
}

TEST_CASE("without randomness no address is shown in the place of its name", "[ICE-MDNS-04]") {
  static bool is_empty;
  static Rng below;
  HidingPair t(true, false, [](Configuration& c) {
    below = c.rng;
    c.rng = {[](void*, MutBytes out) { return !is_empty && below.fill(below.context, out); }, nullptr};
  });
  is_empty = false;
  t.ours = t.a.create();
  is_empty = true;
  (void)t.a.connection->create_offer();
  t.world.run_for(5s);
  for (const std::string& line : t.candidates[&t.a]) CHECK(line.find("192.0.2.1") == std::string::npos);
  is_empty = false;
}

TEST_CASE("a name is asked for no longer than five seconds, and nobody waits for it",
          "[ICE-MDNS-10][ICE-MDNS-02]") {
  HidingPair t(false, false);
  t.a.create();
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.a.connection->add_ice_candidate(
      "0", 0, "candidate:9 1 udp 2130706431 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5000 typ host"));
  REQUIRE(
      t.a.connection->add_ice_candidate("0", 0, "candidate:8 1 udp 2130706431 printer.local 5000 typ host"));
  REQUIRE(t.world.run_until([&] { return t.a.count("connected") == 1; }, 30s));
  t.world.run_for(20s);
  CHECK(t.questions_from(t.a) == 3);
  for (const auto& sent : t.link.sent) CHECK_FALSE(contains(sent.bytes, "printer"));
  CHECK(t.a.machine.open_sockets == 1);
}

TEST_CASE("under policy relay a hidden address has not even a name", "[ICE-MDNS-04][ICE-MDNS-02]") {
  HidingPair t(true, true, [](Configuration& c) { c.ice_transport_policy = IceTransportPolicy::Relay; });
  CHECK_FALSE(t.connect(20s));
  CHECK(t.link.sent.empty());
  CHECK(t.candidates[&t.a].empty());
}

TEST_CASE("a flood of multicast is taken in turns, and counted", "[ATK-20]") {
  HidingPair t(true, true);
  REQUIRE(t.connect());
  t.world.run_for(5s);
  const std::size_t polls = t.a.machine.polls;
  const auto before = t.a.connection->get_stats().drops[static_cast<std::size_t>(Drop::DnsUnexpected)];
  for (int i = 0; i < 1000; ++i)
    t.b.machine.send_multicast(Address::v4(224, 0, 0, 251, 5353), test::hex("0000 8400 0000 0000 0000 0000"));
  t.world.run_for(1s);
  CHECK(t.a.connection->get_stats().drops[static_cast<std::size_t>(Drop::DnsUnexpected)] == before + 1000);
  CHECK(t.a.machine.polls > polls + 3);  // no turn reads more than its share
  CHECK(t.ours->get_ready_state() == ChannelState::Open);
}

TEST_CASE("more servers than can be looked up at once are looked up by turns") {
  std::vector<std::string> urls, failures;
  for (char name = 'a'; name <= 't'; ++name) urls.push_back(std::string("stun:") + name + ".example");
  SimPair t([&](Configuration& c) {
    c.resolver = know_nothing();
    c.ice_servers = {{urls, "", ""}};
  });
  t.a.connection->ice_server_failed = [&](const std::string& url, int, const std::string& text) {
    CHECK(text == "the name has no address");
    failures.push_back(url);
  };
  t.connect();
  std::sort(failures.begin(), failures.end());
  CHECK(failures == urls);
}

TEST_CASE("a server whose name has no address is reported, and costs nothing else") {
  SimPair t([](Configuration& c) {
    c.resolver = know_nothing();
    c.ice_servers = {{{"stun:refused.example", "stun:unknown.example", "stun:printer.local"}, "", ""}};
  });
  std::vector<std::string> failures;
  t.a.connection->ice_server_failed = [&](const std::string& url, int code, const std::string& text) {
    CHECK(code == 701);
    CHECK_FALSE(text.empty());
    failures.push_back(url);
  };
  t.connect();
  std::sort(failures.begin(), failures.end());
  CHECK(failures ==
        std::vector<std::string>{"stun:printer.local", "stun:refused.example", "stun:unknown.example"});
}
