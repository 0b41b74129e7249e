// Running out of memory at every place where that can happen: two peers connect and speak, and allocation n fails, for
// each n: alone, or as the first of all that follow. No crash, no leak; and what did not work has been reported.
#include "sim/node.h"

#include "base/bytes.h"
#include "pollrtc/peer.h"
#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace std::chrono_literals;

namespace {

constexpr Address kIps[2] = {Address::v4(192, 0, 2, 1, 0), Address::v4(192, 0, 2, 2, 0)};
constexpr Address kTurn = Address::v4(203, 0, 113, 1, 3478);

struct Sweep {
  // One end, with everything that tells its user that something went wrong.
  struct End {
    explicit End(std::uint64_t seed) : environment(seed) { environment.env.log.level = LogLevel::Off; }
    ~End() {
      node.reset();
      peer.reset();
    }
    void check(const Status& status) {
      if (!status) is_reported = true;
    }
    test::TestEnvironment environment;
    std::optional<Peer> peer;
    std::optional<sim::Node<Peer>> node;
    bool is_reported = false;
    std::size_t received = 0;
  };

  Sweep(std::uint64_t seed, bool relayed_only)
      : is_relayed(relayed_only), world(seed), ends{End(seed * 2), End(seed * 2 + 1)} {
    if (is_relayed) serve();
  }

  // A TURN server with two allocations to give.
  void serve() {
    sim::Host& host = world.add_host({kTurn.with_port(0)});
    turn.relay_v4 = kTurn.with_port(50000);
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{3478, 50000, 50001})
      world.listen(host, kTurn.with_port(port), [this, &host](Time, const Path& path, Bytes datagram) {
        for (const auto& out : turn.handle(path.remote, path.local, datagram))
          world.send(host, {out.from, out.to}, out.bytes);
      });
  }

  void run() {
    for (std::size_t i = 0; i < 2; ++i) {
      End& end = ends[i];
      auto made = Peer::create(end.environment.env, {.relay_only = is_relayed}, world.now());
      if (!made) {
        end.is_reported = true;
        return;
      }
      end.peer.emplace(*std::move(made));
      end.node.emplace(world, world.add_host({kIps[i]}), *end.peer);
      end.node->listen(kIps[i].with_port(5000));
      end.node->on_event = [this, i](Time now, const Peer::Event& event) { on_event(i, now, event); };
    }
    if (negotiate())
      // Longer than the ten retransmissions that SCTP tries before it gives up.
      world.run_until([this] { return is_complete() || is_reported(0) || is_reported(1); }, 20min);
  }

  bool negotiate() {
    const Time now = world.now();
    Peer &a = *ends[0].peer, &b = *ends[1].peer;
    const auto failed = [this](std::size_t i, bool ok) {
      if (!ok) ends[i].is_reported = true;
      return !ok;
    };
    if (failed(0, a.create_channel(now, {.label = "sweep"}).has_value())) return false;
    const auto offer = a.create_offer(now);
    if (failed(0, offer.has_value())) return false;
    if (failed(0, a.set_local_description(now, SdpType::Offer, *offer).has_value())) return false;
    if (failed(1, b.set_remote_description(now, SdpType::Offer, *offer).has_value())) return false;
    const auto answer = b.create_answer(now);
    if (failed(1, answer.has_value())) return false;
    if (failed(1, b.set_local_description(now, SdpType::Answer, *answer).has_value())) return false;
    return !failed(0, a.set_remote_description(now, SdpType::Answer, *answer).has_value());
  }

  void on_event(std::size_t i, Time now, const Peer::Event& event) {
    End& end = ends[i];
    if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
      end.check(end.peer->add_local_address(now, kIps[i].with_port(5000)));
      if (is_relayed)
        end.check(end.peer->add_turn_server(
            now, {std::span(&kTurn, 1), TurnTransport::Udp, "turn.test", "alice", "secret"}));
      end.peer->local_addresses_done(now);
    } else if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) {
      ends[1 - i].check(ends[1 - i].peer->add_remote_candidate(now, c->mid, c->index, c->line));
    } else if (const auto* changed = std::get_if<Peer::ConnectionChanged>(&event)) {
      if (changed->state == ConnectionState::Failed || changed->state == ConnectionState::Closed)
        end.is_reported = true;
    } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
      send(i, now, opened->channel);
    } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
      send(i, now, announced->channel);
    } else if (std::holds_alternative<Peer::ChannelClosed>(event) ||
               std::holds_alternative<Peer::IceServerFailed>(event)) {
      end.is_reported = true;
    } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event)) {
      while (end.peer->receive(now, message->channel)) ++end.received;
    }
  }
  void send(std::size_t i, Time now, ChannelHandle channel) {
    for (std::size_t n = 0; n < kMessages; ++n)
      ends[i].check(ends[i].peer->send(now, channel, as_bytes(std::string(4000 * n + 1, 'x')), true));
  }
  bool is_complete() const { return ends[0].received == kMessages && ends[1].received == kMessages; }
  // A state is as good as an event, which needs memory itself.
  bool is_reported(std::size_t i) const {
    const End& end = ends[i];
    return end.is_reported || (end.peer && end.peer->connection_state() >= ConnectionState::Failed);
  }

  static constexpr std::size_t kMessages = 3;
  const bool is_relayed;
  sim::TurnServer turn{kTurn};
  sim::World world;
  std::array<End, 2> ends;
};

enum class Failing { One, AllFrom };

void sweep(std::size_t victim, Failing failing, bool is_relayed) {
  for (std::size_t n = 0;; ++n) {
    INFO("end " << victim << ", allocation " << n
                << (failing == Failing::One ? " alone" : " and all later ones"));
    auto run = std::make_unique<Sweep>(1, is_relayed);
    test::TestEnvironment& environment = run->ends[victim].environment;
    failing == Failing::One ? environment.fail_allocation(n) : environment.fail_allocations_after(n);
    run->run();
    const bool had_all = environment.refused_allocations() == 0;
    if (!run->is_complete()) CHECK((run->is_reported(0) || run->is_reported(1)));
    if (had_all) CHECK(run->is_complete());
    for (auto& end : run->ends) {
      end.node.reset();
      end.peer.reset();
      CHECK(end.environment.bytes_in_use() == 0);
    }
    if (had_all) break;
  }
}

}  // namespace

TEST_CASE("whichever allocation of a peer fails alone, it ends in success or in a reported failure",
          "[API-22]") {
  const bool is_relayed = GENERATE(false, true);
  for (const std::size_t victim : {0u, 1u}) sweep(victim, Failing::One, is_relayed);
}

TEST_CASE("whenever a peer's memory ends for good, that is reported and nothing leaks", "[API-22]") {
  const bool is_relayed = GENERATE(false, true);
  for (const std::size_t victim : {0u, 1u}) sweep(victim, Failing::AllFrom, is_relayed);
}
