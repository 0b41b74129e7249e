// DTLS among paths: who may speak to it, what a change of path leaves alone, and where its secrets come from.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr std::uint8_t kHandshake = 22, kClientHello = 1, kInit = 1;

// What one end sends, as its tap sees it.
struct Sent {
  static void look(void* context, const TappedPacket& packet) {
    auto& sent = *static_cast<Sent*>(context);
    if (!packet.is_sent || packet.bytes.empty()) return;
    if (packet.layer == PacketLayer::Udp) {
      if (packet.bytes[0] == kHandshake) ++sent.handshakes;
      const bool is_dtls = packet.bytes[0] >= 20 && packet.bytes[0] <= 63;
      if (is_dtls && sent.on_record) sent.on_record(packet.bytes);
    } else if (packet.bytes.size() >= 20 && packet.bytes[12] == kInit) {
      ++sent.inits;
      sent.init_tag.assign(packet.bytes.begin() + 16, packet.bytes.begin() + 20);
    }
  }
  PeerConfig config() {
    PeerConfig config;
    config.tap = {look, this};
    return config;
  }
  int handshakes = 0, inits = 0;
  std::vector<std::uint8_t> init_tag;
  std::function<void(Bytes record)> on_record;
};

const Address kStranger = Address::v4(198, 51, 100, 7, 4444);

}  // namespace

TEST_CASE("records from anywhere but a path that ICE has checked never reach DTLS, be they genuine",
          "[DTLS-01]") {
  Sent sent;
  TwoPeers t(1, {}, sent.config());
  int injected = 0;
  // Each record of Alice's reaches Bob from strangers first; were one taken, hers would be the replay.
  sent.on_record = [&](Bytes record) {
    for (const Address& from : {kStranger, TwoPeers::kAlice.with_port(5001)}) {
      const Path path{TwoPeers::kBob.with_port(5000), from};
      CHECK(t.bob.peer.handle_datagram(t.world.now(), path, record) == Drop::UnknownPath);
      ++injected;
    }
  };
  const auto channels = t.connect();
  speak(t, channels);
  CHECK(injected > 10);
  const PeerStats stats = t.bob.peer.stats();
  CHECK(stats.drops[static_cast<std::size_t>(Drop::UnknownPath)] == static_cast<std::uint64_t>(injected));
  for (const Drop drop : std::initializer_list<Drop>{Drop::DtlsMalformed, Drop::DtlsUnexpected,
                                                     Drop::DtlsFragment, Drop::DtlsRejected, Drop::DtlsEarly})
    CHECK(stats.drops[static_cast<std::size_t>(drop)] == 0);
}

TEST_CASE("another pair, and an ICE restart: the same DTLS and SCTP associations go on", "[DTLS-42]") {
  const auto ip = [](std::uint8_t last) { return Address::v4(192, 0, 2, last, 0); };
  TwoPeers t(
      2, [&](sim::World& world) -> sim::Host& { return world.add_host({ip(1)}); },
      [&](sim::World& world) -> sim::Host& {
        return world.add_host({ip(2), ip(3)});
      });
  Sent sent;
  t.alice.peer = [&] {  // the same end with a tap
    auto peer = Peer::create(t.alice.environment.env, sent.config(), t.world.now());
    REQUIRE(peer);
    return *std::move(peer);
  }();
  const auto channels = t.connect();
  speak(t, channels);
  t.world.run_for(2s);
  CHECK(sent.inits >= 1);
  const int handshakes = sent.handshakes, inits = sent.inits;
  const Fingerprint fingerprint = t.bob.peer.stats().local_fingerprint;
  const Path before = *t.bob.peer.stats().selected_path;
  const Address other = (before.local.same_ip(ip(2)) ? ip(3) : ip(2)).with_port(5000);

  // A record is taken from every valid pair, not from the selected one alone.
  int taken = 0;
  sent.on_record = [&](Bytes record) {
    if (taken == 0 && t.bob.peer.handle_datagram(t.world.now(), {other, before.remote}, record) == Drop::None)
      ++taken;
  };
  speak(t, channels);
  sent.on_record = nullptr;
  CHECK(taken == 1);

  // The path in use breaks; a restart finds the other.
  for (const auto& [from, to] : {std::pair(ip(1), before.local), std::pair(before.local, ip(1))})
    t.world.link(from.with_port(0), to.with_port(0)).config.cut = true;
  const auto offer = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = true});
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  t.run_until([&] { return t.bob.peer.stats().selected_path->local == other; }, 30s);
  t.world.run_for(5s);
  speak(t, channels);
  CHECK(sent.handshakes == handshakes);
  CHECK(sent.inits == inits);
  CHECK(t.bob.peer.stats().local_fingerprint == fingerprint);
  CHECK(t.both_connected());
}

TEST_CASE(
    "once DTLS is up, records come by any candidate of the exchange, whether our own check of it succeeded "
    "or not",
    "[ICE-NOM-08][ICE-GATH-11]") {
  const auto ip = [](std::uint8_t last) { return Address::v4(192, 0, 2, last, 0); };
  TwoPeers t(
      4, [&](sim::World& world) -> sim::Host& { return world.add_host({ip(1)}); },
      [&](sim::World& world) -> sim::Host& {
        return world.add_host({ip(2), ip(3)});
      });
  // What Bob sends from his second address is lost, so that he never has an answer to a check of that pair.
  t.world.link(ip(3), ip(1)).config.cut = true;
  Sent sent;
  t.alice.peer = [&] {  // the same end with a tap
    auto peer = Peer::create(t.alice.environment.env, sent.config(), t.world.now());
    REQUIRE(peer);
    return *std::move(peer);
  }();
  const auto channels = t.connect();
  t.world.run_for(2s);
  const Path used = *t.bob.peer.stats().selected_path;
  REQUIRE(used.local.same_ip(ip(2)));
  const Path unchecked{ip(3).with_port(5000), used.remote};

  // What Alice seals from here on comes by the other pair alone.
  t.world.link(ip(1), ip(2)).config.cut = true;
  int taken = 0;
  sent.on_record = [&](Bytes record) {
    if (t.bob.peer.handle_datagram(t.world.now(), unchecked, record) == Drop::None) ++taken;
  };
  speak(t, channels);
  CHECK(taken > 0);
}

TEST_CASE("all secrets come from the application's generator: reseeded, two copies share none", "[DTLS-25]") {
  // A fork, or a machine that is woken twice, goes on with the state it had, unless its generator is seeded anew.
  struct Secrets {
    std::string ufrag, pwd, tls_id, fingerprint;
    std::vector<std::uint8_t> init_tag;
  };
  const auto secrets_of = [](std::uint64_t seed) {
    Sent sent;
    TwoPeers t(seed, {}, sent.config());
    t.connect();
    const std::string text = t.alice.peer.local_description();
    return Secrets{attribute(text, "ice-ufrag"), attribute(text, "ice-pwd"), attribute(text, "tls-id"),
                   attribute(text, "fingerprint"), sent.init_tag};
  };
  const Secrets first = secrets_of(1), copy = secrets_of(1), reseeded = secrets_of(2);
  CHECK(first.ufrag == copy.ufrag);
  CHECK(first.pwd == copy.pwd);
  CHECK(first.tls_id == copy.tls_id);
  CHECK(first.fingerprint == copy.fingerprint);  // so the key pair, too, is drawn from it
  CHECK(first.init_tag == copy.init_tag);
  CHECK(first.ufrag != reseeded.ufrag);
  CHECK(first.pwd != reseeded.pwd);
  CHECK(first.tls_id != reseeded.tls_id);
  CHECK(first.fingerprint != reseeded.fingerprint);
  CHECK(first.init_tag != reseeded.init_tag);
}

TEST_CASE("what asks for a new DTLS association is refused as a whole, and nothing changes", "[DTLS-43]") {
  TwoPeers t(3);
  const auto channels = t.connect();
  const std::string local = t.bob.peer.local_description();
  for (const bool restarts_ice : {true, false}) {
    const auto offer = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = restarts_ice});
    REQUIRE(offer);
    const std::string fingerprint = attribute(*offer, "fingerprint"), tls_id = attribute(*offer, "tls-id");
    std::string other_print = fingerprint;
    other_print.back() = other_print.back() == '0' ? '1' : '0';
    for (const std::string& changed :
         {replaced(*offer, fingerprint, other_print), replaced(*offer, tls_id, "abcdefghijklmnopqrstuvwx"),
          replaced(*offer, "setup:actpass", "setup:active")}) {
      INFO("restarts ICE " << restarts_ice << "\n" << changed);
      const Status status = t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, changed);
      REQUIRE_FALSE(status);
      CHECK((status.error() == ErrorCode::NotSupported || status.error() == ErrorCode::Refused));
      CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
      CHECK(t.bob.peer.local_description() == local);
    }
  }
  speak(t, channels);
}

TEST_CASE("the ClientHello is sent again after one and a half round trips, as ICE measured them",
          "[DTLS-34]") {
  for (const auto& [delay, wait] :
       std::initializer_list<std::pair<Duration, Duration>>{{10ms, 50ms}, {100ms, 300ms}, {200ms, 600ms}}) {
    sim::LinkConfig link;
    link.delay = delay;
    Sent sent;
    TwoPeers t(3, link, {}, sent.config());
    std::vector<Time> hellos;
    sent.on_record = [&](Bytes record) {  // the type of the record, and of the message in it
      if (record[0] != kHandshake || record[13] != kClientHello) return;
      hellos.push_back(t.world.now());
      for (const auto& [from, to] : {std::pair(t.kAlice, t.kBob), std::pair(t.kBob, t.kAlice)})
        t.world.link(from, to).config.cut = true;  // nothing answers it
    };
    t.alice.create({.label = "chat"});
    t.negotiate();
    t.run_until([&] { return hellos.size() == 3; }, 10s);
    INFO(delay.count());
    CHECK(hellos[1] - hellos[0] == wait);
    CHECK(hellos[2] - hellos[1] == 2 * wait);
  }
}
