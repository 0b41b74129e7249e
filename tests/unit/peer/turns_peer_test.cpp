// A whole peer and a TURN server that it speaks to by TLS: nothing is said before the server has shown who it is, everything goes
// through the one connection, and whatever ends that connection is told.
#include "ice/turn_stream.h"
#include "pollrtc/peer.h"
#include "sim/turn_server.h"
#include "support/catch.h"
#include "unit/dtls/tls_server.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using sim::TurnServer;
using stun::Method;

namespace {

constexpr std::string_view kName = "turn.example.org";
const Address kBase = *parse_ip("192.0.2.1", 4000), kServer = *parse_ip("203.0.113.9", 5349),
              kClient = *parse_ip("192.0.2.1", 40001), kOther = *parse_ip("198.51.100.5", 6000);

TlsIdentity& identity() {
  static TlsIdentity its(std::string{kName});
  return its;
}

struct Rig {
  explicit Rig(std::string_view trusted) : tls(identity()) {
    auto made = Peer::create(environment.env, PeerConfig{.relay_only = true}, now);
    REQUIRE(made);
    alice.emplace(*std::move(made));
    if (!trusted.empty()) REQUIRE(alice->add_trusted_certificates(now, trusted));
  }
  // Gathering begins, and so does the connection to the server.
  void begin() {
    REQUIRE(alice->create_channel(now, {.label = "x"}));
    const auto offer = alice->create_offer(now);
    REQUIRE(offer);
    offered = *offer;
    REQUIRE(alice->set_local_description(now, SdpType::Offer, offered));
    REQUIRE(alice->add_local_address(now, kBase));
    REQUIRE(
        alice->add_turn_server(now, {std::span(&kServer, 1), TurnTransport::Tls, kName, "alice", "secret"}));
    alice->local_addresses_done(now);
    take_events();
    REQUIRE(stream);
  }
  void take_events() {
    for (Peer::Event event; alice->poll_event(event);) {
      if (const auto* needed = std::get_if<Peer::StreamNeeded>(&event)) {
        CHECK(needed->remote == kServer);
        stream = needed->stream;
      }
      if (const auto* failed = std::get_if<Peer::IceServerFailed>(&event)) failures.push_back(*failed);
      if (const auto* candidate = std::get_if<Peer::LocalCandidate>(&event))
        candidates.push_back(candidate->line);
      if (std::holds_alternative<Peer::StreamDone>(event)) is_done = true;
    }
  }
  // Until nothing moves. What the server says comes in pieces of seven bytes.
  void exchange() {
    for (int i = 0; i < 40; ++i) {
      std::array<std::uint8_t, 3000> out;
      std::size_t moved = 0;
      alice->handle_timeout(now);
      while (alice->poll_transmit(now, out)) ++moved;
      while (const std::size_t size = alice->poll_stream(now, *stream, out)) {
        tls.in.insert(tls.in.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
        moved += size;
      }
      tls.step();
      const ByteVector said = std::exchange(tls.got, {});
      Bytes chunk = said;
      while (const auto frame = framer.next(chunk)) answer(relay.handle(kClient, kServer, *frame));
      const ByteVector back = std::exchange(tls.out, {});
      for (std::size_t at = 0; at < back.size(); at += 7)
        alice->handle_stream(now, *stream,
                             Bytes(back).subspan(at, std::min<std::size_t>(7, back.size() - at)));
      take_events();
      if (moved == 0 && back.empty()) return;
    }
    FAIL("it goes on and on");
  }
  void answer(const std::vector<TurnServer::Datagram>& datagrams) {
    for (const auto& datagram : datagrams) {
      if (datagram.to != kClient) continue;
      ByteVector padded = datagram.bytes;
      padded.resize((padded.size() + 3) / 4 * 4);  // RFC 8656 §12.5
      tls.write(Bytes(padded));
    }
  }
  void open() {
    begin();
    alice->stream_opened(now, *stream);
    exchange();
  }
  // The other end answers, and is there.
  void expect(const Address& address) {
    auto bob = Peer::create(bob_environment.env, PeerConfig{}, now);
    REQUIRE(bob);
    REQUIRE(bob->set_remote_description(now, SdpType::Offer, offered));
    const auto reply = bob->create_answer(now);
    REQUIRE(reply);
    REQUIRE(bob->set_local_description(now, SdpType::Answer, *reply));
    REQUIRE(alice->set_remote_description(now, SdpType::Answer, *reply));
    const std::string line =
        "candidate:1 1 udp 2130706431 " + std::string(ip_text(address).view()) + " 6000 typ host";
    REQUIRE(alice->add_remote_candidate(now, "0", 0, line));
    now += 100ms;
    exchange();
  }
  bool has_relayed() const {
    return std::any_of(candidates.begin(), candidates.end(),
                       [](const auto& line) { return line.find("typ relay") != std::string::npos; });
  }

  Time now{1h};
  std::string offered;
  TestEnvironment environment{3}, bob_environment{4};
  TlsServer tls;
  TurnServer relay{kServer};
  turn::StreamFramer framer{environment.env.memory};
  std::optional<Peer> alice;
  std::optional<StreamId> stream;
  std::vector<Peer::IceServerFailed> failures;
  std::vector<std::string> candidates;
  bool is_done = false;
};

}  // namespace

TEST_CASE("an allocation over TLS makes a relayed candidate, and datagrams come through it", "[TURN-34]") {
  Rig rig(identity().pem);
  rig.open();
  CHECK(rig.tls.is_open);
  CHECK(rig.relay.allocations.count(kClient) == 1);
  CHECK(rig.has_relayed());
  CHECK(rig.failures.empty());

  // What a peer sends to the relayed address is a datagram like any other: counted, and looked at.
  const Address relayed = rig.relay.allocations[kClient].relayed.at(0);
  rig.expect(kOther);
  REQUIRE(rig.relay.count(Method::CreatePermission) == 1);
  const PeerStats before = rig.alice->stats();
  rig.answer(rig.relay.handle(kOther, relayed, as_bytes("\xC8 nonsense")));
  rig.exchange();
  const PeerStats after = rig.alice->stats();
  CHECK(after.datagrams_received == before.datagrams_received + 1);
  CHECK(after.bytes_received == before.bytes_received + 10);
  CHECK(after.drops[static_cast<std::size_t>(Drop::UnknownProtocol)] ==
        before.drops[static_cast<std::size_t>(Drop::UnknownProtocol)] + 1);
}

TEST_CASE("a server that nobody trusts hears no word of TURN, and who asked is told why", "[TURN-34]") {
  const bool is_somebody_trusted = GENERATE(true, false);
  TlsIdentity other("other.example.org");
  Rig rig(is_somebody_trusted ? other.pem : std::string());
  rig.open();
  CHECK(rig.relay.requests.empty());
  REQUIRE(rig.failures.size() == 1);
  CHECK(rig.failures[0].code == 701);
  CHECK(rig.failures[0].server == kServer);
  CHECK(rig.failures[0].transport == TurnTransport::Tls);
  CHECK(rig.is_done);
  CHECK_FALSE(rig.has_relayed());
}

TEST_CASE("a server that ends the TLS session ends the allocation with it", "[TURN-34]") {
  Rig rig(identity().pem);
  rig.open();
  REQUIRE(rig.has_relayed());
  const bool is_by_tls = GENERATE(true, false);
  if (is_by_tls) {
    rig.tls.close();
    rig.exchange();
  } else {
    rig.alice->stream_closed(rig.now, *rig.stream, "reset");
    rig.take_events();
  }
  CHECK(rig.is_done);
  REQUIRE(rig.failures.size() == 1);
  CHECK(rig.failures[0].text.find(is_by_tls ? "closed" : "reset") != std::string::npos);
}

TEST_CASE("memory that runs out at any place of a connection by TLS is told, and nothing leaks", "[API-22]") {
  for (std::size_t n = 0;; ++n) {
    INFO("allocation " << n);
    Rig rig(identity().pem);
    rig.environment.fail_allocation(n);
    Status status;
    status = [&]() -> Status {
      if (auto made = rig.alice->create_channel(rig.now, {.label = "x"}); !made)
        return Unexpected{made.error()};
      const auto offer = rig.alice->create_offer(rig.now);
      if (!offer) return Unexpected{offer.error()};
      if (auto set = rig.alice->set_local_description(rig.now, SdpType::Offer, *offer); !set) return set;
      if (auto added = rig.alice->add_local_address(rig.now, kBase); !added) return added;
      const pollrtc::TurnServer server{std::span(&kServer, 1), TurnTransport::Tls, kName, "alice", "secret"};
      if (auto added = rig.alice->add_turn_server(rig.now, server); !added) return added;
      rig.alice->local_addresses_done(rig.now);
      return {};
    }();
    rig.take_events();
    if (status && rig.stream) {
      rig.alice->stream_opened(rig.now, *rig.stream);
      rig.exchange();
    }
    const bool had_all = rig.environment.refused_allocations() == 0;
    const bool is_told =
        !status || !rig.failures.empty() || rig.alice->connection_state() >= ConnectionState::Failed;
    CHECK((rig.has_relayed() || is_told));
    if (had_all) CHECK((rig.has_relayed() && !is_told));
    if (had_all) break;
    REQUIRE(n < 500);
  }
}

}  // namespace pollrtc::test
