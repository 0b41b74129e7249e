// Attacks on a connection that is up, from off the path and from a peer that knows the passwords: what each costs, and that the
// connection goes on. The figures are printed.
#include <set>

#include "ice/stun_auth.h"
#include "scenario/attack_figures.h"
#include "scenario/signalling.h"
#include "scenario/turn_service.h"
#include "sim/random.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

const Address kHome = TwoPeers::kAlice.with_port(5000), kBobHome = TwoPeers::kBob.with_port(5000);
const Address kTurn = Address::v4(203, 0, 113, 2, 3478);
constexpr int kMany = 20'000;

Address stranger(std::uint64_t n) {
  return Address::v4(198, 51, 100, static_cast<std::uint8_t>(1 + n / 60000),
                     static_cast<std::uint16_t>(1024 + n % 60000));
}

stun::TransactionId id_of(sim::Random& random) {
  stun::TransactionId id;
  for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(random.next());
  return id;
}

test::ByteVector check_of(const stun::TransactionId& id, std::string_view username, std::string_view password,
                          bool nominates = false) {
  test::ByteVector out(400);
  stun::Writer w(out, stun::Class::Request, id);
  w.text(stun::Attribute::Username, username);
  w.u32(stun::Attribute::Priority, 1);
  w.u64(stun::Attribute::IceControlled, 1);
  if (nominates) w.flag(stun::Attribute::UseCandidate);
  w.integrity(as_bytes(password));
  w.fingerprint();
  out.resize(w.finish());
  return out;
}

std::string username_at(const TwoPeers& t) {
  return attribute(t.alice.peer.local_description(), "ice-ufrag") + ":" +
         attribute(t.bob.peer.local_description(), "ice-ufrag");
}

// Datagrams that reach an end, as they came.
struct Recorder {
  explicit Recorder(End& sender) : sender_(sender) {
    sender_.node.on_send = [this](Time, const Path&, Bytes datagram) {
      all.push_back(test::to_vector(datagram));
    };
  }
  ~Recorder() { sender_.node.on_send = nullptr; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  std::vector<test::ByteVector> all;

 private:
  End& sender_;
};

}  // namespace

TEST_CASE("figures: a sprayer off the path, with noise, DTLS, ChannelData and forged checks",
          "[ATK-01][ATK-02]") {
  TwoPeers t(901);
  const auto channels = t.connect();
  t.world.run_for(2s);
  speak(t, channels);  // awake, as whoever has something to be attacked for is
  sim::Random random(901);
  AttackFigures figures(t, t.alice);
  const auto dtls = test::ByteVector{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
  for (std::uint64_t i = 0; i < kMany; ++i) {
    test::ByteVector bytes(20 + random.index(100));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    if (i % 4 == 1) bytes = dtls;
    if (i % 4 == 2) bytes = {0x40, 0, 0, 4, 1, 2, 3, 4};
    if (i % 4 == 3) bytes = check_of(id_of(random), "some:body", "a guess of a password");
    const Path path{kHome, i % 8 < 4 ? stranger(i) : kBobHome};
    CHECK(figures.hit(path, bytes) != Drop::None);
  }
  figures.tell("ATK-01");
  CHECK(figures.heap_grown() <= 4096);  // the ring of answers, no larger for a longer attack
  // Errors alone are answered, a hundred a second of them, and none is longer than its request.
  CHECK(figures.datagrams_out() <= 100);
  CHECK(figures.bytes_out() * 50 <= figures.bytes_in());
  speak(t, channels);
}

TEST_CASE("figures: ten thousand source ports with the right password", "[ATK-06][ATK-02]") {
  TwoPeers t(902);
  const auto channels = t.connect();
  t.world.run_for(2s);
  sim::Random random(902);
  AttackFigures figures(t, t.alice);
  const std::string user = username_at(t), password = attribute(t.alice.peer.local_description(), "ice-pwd");
  std::size_t taken = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i)
    taken += figures.hit({kHome, stranger(i)}, check_of(id_of(random), user, password, true)) == Drop::None;
  t.world.run_for(60s);
  figures.tell("ATK-06");
  // Each good check has its answer, which RFC 8445 asks for; nothing else goes to those addresses but a few paced checks.
  const Limits limits;
  CHECK(figures.datagrams_out() <= taken + limits.ice_prflx * 7u);
  CHECK(figures.bytes_out() <= figures.bytes_in() * 11 / 10);
  CHECK(figures.heap_grown() <= 64 * 1024);
  CHECK(t.alice.peer.stats().selected_path == Path{kHome, kBobHome});
  speak(t, channels);
}

TEST_CASE("figures: responses with guessed transactions and no password", "[ATK-07]") {
  TwoPeers t(903);
  const auto channels = t.connect();
  t.world.run_for(2s);
  sim::Random random(903);
  std::vector<stun::TransactionId> asked;
  AttackFigures figures(t, t.alice);
  t.alice.node.on_send = [&](Time, const Path&, Bytes datagram) {
    if (datagram.size() >= 20 && datagram[0] == 0 && datagram[1] == 1)
      std::copy_n(datagram.begin() + 8, 12, asked.emplace_back().begin());
  };
  static constexpr int kCodes[] = {0, 300, 400, 401, 403, 420, 438, 487, 500};
  for (int i = 0; i < kMany; ++i) {
    // A quarter knows what was asked last.
    const stun::TransactionId id = i % 4 == 0 && !asked.empty() ? asked.back() : id_of(random);
    test::ByteVector out(200);
    const int code = kCodes[static_cast<std::size_t>(i) % std::size(kCodes)];
    stun::Writer w(out, code == 0 ? stun::Class::Success : stun::Class::Error, id);
    if (code == 0) w.xor_address(stun::Attribute::XorMappedAddress, stranger(1));
    if (code != 0) w.error(code, "");
    if (i % 3 == 0) w.integrity(as_bytes("no idea of the password"));
    if (i % 2 == 0) w.fingerprint();
    out.resize(w.finish());
    CHECK(figures.hit({kHome, kBobHome}, out) != Drop::None);
    if (i % 100 == 0) t.world.run_for(500ms);
  }
  figures.tell("ATK-07");
  CHECK(asked.size() >= 10);
  CHECK(figures.heap_grown() <= 4096);
  CHECK(t.both_connected());
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
  CHECK(t.alice.peer.stats().selected_path == Path{kHome, kBobHome});
  speak(t, channels);
}

TEST_CASE(
    "figures: what one session sent is played to another, and what an old peer sends to its successor's",
    "[ATK-22][ATK-24]") {
  std::vector<test::ByteVector> old;
  {
    TwoPeers t(904);
    Recorder recorder(t.bob);
    const auto [a, b] = t.connect();
    for (int i = 0; i < 50; ++i) {
      REQUIRE(t.bob.send(b, "of the other session " + std::to_string(i)));
      t.world.run_for(100ms);
    }
    t.world.run_for(15s);
    old = recorder.all;
    REQUIRE(old.size() > 60);
  }
  // The same addresses, another session; from the address of its own peer, and from elsewhere.
  TwoPeers t(905);
  const auto channels = t.connect();
  t.world.run_for(2s);
  speak(t, channels);  // awake, as whoever has something to be attacked for is
  AttackFigures figures(t, t.alice);
  const std::uint64_t received = t.alice.peer.stats().messages_received;
  std::size_t stun = 0;
  for (int round = 0; round < 20; ++round)
    for (const auto& datagram : old)
      for (const Address& from : {kBobHome, stranger(7)}) {
        const Drop drop = figures.hit({kHome, from}, datagram);
        CHECK(drop != Drop::None);
        stun += datagram[0] < 4;
      }
  figures.tell("ATK-22, ATK-24");
  CHECK(stun > 200);
  CHECK(t.alice.peer.stats().messages_received == received);
  CHECK(figures.heap_grown() <= 4096);
  CHECK(figures.bytes_out() * 2 <= figures.bytes_in());
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
  speak(t, channels);
}

TEST_CASE("figures: an old check from another source, old answers, old errors", "[ATK-26]") {
  TwoPeers t(906);
  Recorder recorder(t.bob);
  const auto channels = t.connect();
  t.world.run_for(15s);
  const std::vector<test::ByteVector> old = recorder.all;
  std::size_t checks = 0, answers = 0;
  AttackFigures figures(t, t.alice);
  for (int round = 0; round < 50; ++round)
    for (const auto& datagram : old) {
      if (datagram[0] > 3) continue;
      const bool is_check = datagram[0] == 0 && datagram[1] == 1;
      (is_check ? checks : answers) += 1;
      const Drop drop = figures.hit({kHome, is_check ? stranger(9) : kBobHome}, datagram);
      CHECK((is_check || drop == Drop::StunNoTransaction));
    }
  t.world.run_for(60s);
  figures.tell("ATK-26");
  CHECK(checks > 100);
  CHECK(answers > 100);
  // The answers to those checks, and a check of our own to where they came from, with its copies.
  CHECK(figures.datagrams_out() <= checks + 7);
  CHECK(t.alice.peer.stats().selected_path == Path{kHome, kBobHome});
  CHECK(figures.heap_grown() <= 16 * 1024);
  speak(t, channels);
}

TEST_CASE("figures: Data indications and ChannelData in the name of the TURN server", "[ATK-28]") {
  TwoPeers t(
      907, [](sim::World& world) -> sim::Host& { return world.add_host({kHome.with_port(0)}); },
      [](sim::World& world) -> sim::Host& { return world.add_host({kBobHome.with_port(0)}); },
      PeerConfig{.relay_only = true});
  TurnService turn(t.world, kTurn);
  turn.serve(t.alice, kHome, {TurnTransport::Udp});
  turn.serve(t.bob, kBobHome, {TurnTransport::Udp});
  const auto channels = t.connect();
  t.world.run_for(2s);
  const auto path = t.alice.peer.stats().selected_path;
  REQUIRE(path);
  sim::Random random(907);
  AttackFigures figures(t, t.alice);
  figures.expect(kTurn);
  const std::uint64_t received = t.alice.peer.stats().messages_received;
  const auto noise = [&](std::uint8_t first) {
    test::ByteVector bytes(13 + random.index(200));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    bytes[0] = first;
    return bytes;
  };
  const std::string user = username_at(t);
  std::uint64_t unpermitted = 0, unbound = 0, unread = 0;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const test::ByteVector inner = i % 5 == 0   ? check_of(id_of(random), user, "a guess of a password")
                                   : i % 5 == 1 ? noise(23)
                                   : i % 5 == 2 ? noise(20)
                                                : noise(static_cast<std::uint8_t>(random.next()));
    test::ByteVector out(500);
    Drop drop = Drop::None;
    if (i % 2 == 0) {
      stun::Writer w(out, stun::Class::Indication, id_of(random), stun::Method::Data);
      const bool is_permitted = i % 8 == 0;
      w.xor_address(
          stun::Attribute::XorPeerAddress,
          is_permitted ? path->remote.with_port(static_cast<std::uint16_t>(random.next())) : stranger(i));
      w.value(stun::Attribute::Data, inner);
      out.resize(w.finish());
      drop = figures.hit({kHome, kTurn}, out);
      if (!is_permitted) CHECK(drop == Drop::TurnNoPermission);
      unpermitted += drop == Drop::TurnNoPermission;
    } else {
      // The first channel is Bob's; the others are nobody's.
      const bool is_bound = i % 8 == 1;
      const std::uint64_t channel = is_bound ? 0x4000u : 0x4001u + random.below(0xFFE);
      out.resize(4 + (inner.size() + 3) / 4 * 4);
      store_u16(out.data(), static_cast<std::uint16_t>(channel));
      store_u16(out.data() + 2, static_cast<std::uint16_t>(inner.size()));
      std::copy(inner.begin(), inner.end(), out.begin() + 4);
      drop = figures.hit({kHome, kTurn}, out);
      if (!is_bound) CHECK(drop == Drop::TurnUnknownChannel);
      unbound += drop == Drop::TurnUnknownChannel;
    }
    if (drop == Drop::None) ++unread;  // DTLS from where Bob is may be kept back for a check that comes
  }
  figures.tell("ATK-28");
  CHECK(unpermitted == kMany * 3 / 8);
  CHECK(unbound == kMany * 3 / 8);
  CHECK(unread <= Limits().dtls_pre_verified);
  CHECK(figures.datagrams_out() == 0);
  CHECK(figures.heap_grown() <= 16 * 1024);
  CHECK(t.alice.peer.stats().messages_received == received);
  CHECK(t.alice.peer.stats().selected_path == path);
  speak(t, channels);
}

TEST_CASE("figures: a peer that signals a thousand candidates of somebody else", "[ATK-03][ATK-02]") {
  TwoPeers t(908);
  const ChannelHandle a = t.alice.create({.label = "chat"});
  std::uint64_t checks = 0, bytes_in = 0;
  std::vector<Time> sent;
  std::set<Address> asked;
  const Address third = Address::v4(203, 0, 113, 77, 0);
  t.alice.node.on_send = [&](Time now, const Path& path, Bytes) {
    if (!path.remote.same_ip(third)) return;
    ++checks;
    if (asked.insert(path.remote).second) sent.push_back(now);
  };
  const auto cut = [&](bool is_cut) { t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = is_cut; };
  cut(true);  // so that there is time to look for other ways
  t.bob.edit_candidate = [](Peer::LocalCandidate& c) {
    if (c.line.empty())
      c.line = "candidate:end 1 udp 999 203.0.113.78 9 typ host";  // there is no end of them
  };
  t.negotiate();
  t.world.run_for(70ms);
  for (int i = 0; i < 1000; ++i) {
    const std::string line = "candidate:" + std::to_string(i) + " 1 udp 1000 203.0.113.77 " +
                             std::to_string(2000 + i) + " typ host";
    bytes_in += line.size();
    (void)t.alice.peer.add_remote_candidate(t.world.now(), "0", 0, line);
  }
  t.world.run_for(5s);
  cut(false);
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open; }, 60s);
  t.world.run_for(120s);
  WARN("ATK-03: 1000 candidates, " << bytes_in << " bytes in; " << asked.size() << " addresses got " << checks
                                   << " checks");
  CHECK(asked.size() > 20);
  CHECK(asked.size() < Limits().ice_remote_candidates);  // Bob's own is one of them
  CHECK(checks <= asked.size() * 7);
  for (std::size_t i = 1; i < sent.size(); ++i) CHECK(sent[i] - sent[i - 1] >= 50ms);
  speak(t, {a, t.bob.announced.front()});
}
