#include "scenario/two_peers.h"

#include "support/catch.h"

namespace pollrtc::scenario {
namespace {

Peer make_peer(test::TestEnvironment& environment, const PeerConfig& config, const Limits& limits, Time now) {
  environment.env.limits = limits;
  auto peer = Peer::create(environment.env, config, now);
  REQUIRE(peer);
  return *std::move(peer);
}

}  // namespace

End::End(sim::World& world, sim::Host& host, std::uint64_t seed, const PeerConfig& config,
         const Limits& limits)
    : environment(seed),
      peer(make_peer(environment, config, limits, world.now())),
      node(world, host, peer),
      world_(world) {
  move_to(host.addresses());
  node.on_event = [this](Time now, const Peer::Event& event) { on_event(now, event); };
}
End::~End() = default;

ChannelHandle End::create(const ChannelOptions& options) {
  const auto handle = peer.create_channel(world_.now(), options);
  REQUIRE(handle);
  return *handle;
}

Status End::send(ChannelHandle channel, std::string_view data, bool is_text) {
  return peer.send(world_.now(), channel, as_bytes(data), is_text);
}

ChannelState End::channel_state(ChannelHandle channel) const {
  const auto info = peer.channel(channel);
  return info ? info->state : ChannelState::Closed;
}

void End::move_to(const std::vector<Address>& addresses) {
  addresses_ = addresses;
  for (Address& address : addresses_) node.listen(address = address.with_port(5000));
}

std::string End::story() const {
  std::string text;
  const auto& lines = environment.log_lines;
  for (std::size_t i = lines.size() > 60 ? lines.size() - 60 : 0; i < lines.size(); ++i)
    text += lines[i] + "\n";
  const PeerStats s = peer.stats();
  return text + "connection " + std::string(name_of(peer.connection_state())) + ", cwnd " +
         std::to_string(s.sctp_cwnd) + ", peer rwnd " + std::to_string(s.sctp_peer_rwnd) + ", outstanding " +
         std::to_string(s.sctp_outstanding) + ", rto " + std::to_string(s.sctp_rto.count()) + " us\n";
}

void End::on_event(Time now, const Peer::Event& event) {
  told.push_back(std::to_string(now.time_since_epoch().count()) + " " + std::to_string(event.index()));
  if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
    for (const Address& address : addresses_)
      if (udp) CHECK(peer.add_local_address(now, address));
    if (tcp_address.is_valid()) {
      CHECK(peer.add_local_tcp_address(now, tcp_address, TcpType::Active));
      if (tcp_listens) CHECK(peer.add_local_tcp_address(now, tcp_address, TcpType::Passive));
    }
    for (const Address& server : stun_servers) CHECK(peer.add_stun_server(now, server));
    for (const auto& [server, transport] : turn_servers)
      CHECK(peer.add_turn_server(now, {std::span(&server, 1), transport, "", "alice", "secret"}));
    peer.local_addresses_done(now);
  } else if (const auto* candidate = std::get_if<Peer::LocalCandidate>(&event)) {
    candidates.push_back(candidate->line);
    Peer::LocalCandidate signalled = *candidate;
    if (edit_candidate) edit_candidate(signalled);
    if (other != nullptr)
      world_.after(signalling_delay, [this, c = signalled] {
        if (other != nullptr)
          CHECK(other->peer.add_remote_candidate(world_.now(), c.mid, c.index, c.line, c.ufrag));
      });
  } else if (std::holds_alternative<Peer::StreamNeeded>(event) ||
             std::holds_alternative<Peer::StreamDone>(event)) {
    if (on_stream) on_stream(now, event);
  } else if (std::holds_alternative<Peer::RestartNeeded>(event)) {
    if (on_restart_needed) on_restart_needed();
  } else if (const auto* changed = std::get_if<Peer::ConnectionChanged>(&event)) {
    states.push_back(changed->state);
  } else if (const auto* a = std::get_if<Peer::ChannelAnnounced>(&event)) {
    announced.push_back(a->channel);
    note(a->channel, "announced");
  } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
    note(opened->channel, "open");
  } else if (const auto* closing = std::get_if<Peer::ChannelClosing>(&event)) {
    note(closing->channel, "closing");
  } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event)) {
    note(closed->channel, "closed:" + std::string(name_of(closed->reason)));
  } else if (const auto* low = std::get_if<Peer::BufferLow>(&event)) {
    ++channels[low->channel].low_events;
  } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event);
             message != nullptr && read_messages) {
    while (const auto view = peer.receive(now, message->channel))
      channels[message->channel].messages.push_back({std::string(as_text(view->data)), view->is_text});
  }
}

void End::note(ChannelHandle channel, std::string what) {
  channels[channel].events.push_back(std::move(what));
}

TwoPeers::TwoPeers(std::uint64_t seed, const HostMaker& alice_host, const HostMaker& bob_host,
                   const PeerConfig& config)
    : world(seed),
      alice(world, alice_host(world), seed * 2 + 1, config),
      bob(world, bob_host(world), seed * 2 + 2, config) {
  alice.other = &bob;
  bob.other = &alice;
}

TwoPeers::TwoPeers(std::uint64_t seed, const sim::LinkConfig& link, const PeerConfig& alice_config,
                   const PeerConfig& bob_config, const Limits& limits,
                   const std::optional<Limits>& bob_limits)
    : world(seed),
      alice(world, world.add_host({kAlice}), seed * 2 + 1, alice_config, limits),
      bob(world, world.add_host({kBob}), seed * 2 + 2, bob_config, bob_limits.value_or(limits)) {
  world.set_link(kAlice, kBob, link);
  alice.other = &bob;
  bob.other = &alice;
}
TwoPeers::~TwoPeers() = default;

void TwoPeers::negotiate(End& offerer, End& answerer, const OfferOptions& options) {
  const auto offer = offerer.peer.create_offer(world.now(), options);
  REQUIRE(offer);
  REQUIRE(offerer.peer.set_local_description(world.now(), SdpType::Offer, *offer));
  world.after(offerer.signalling_delay, [this, &offerer, &answerer, text = *offer] {
    REQUIRE(answerer.peer.set_remote_description(world.now(), SdpType::Offer, text));
    const auto answer = answerer.peer.create_answer(world.now());
    REQUIRE(answer);
    REQUIRE(answerer.peer.set_local_description(world.now(), SdpType::Answer, *answer));
    world.after(answerer.signalling_delay, [this, &offerer, reply = *answer] {
      REQUIRE(offerer.peer.set_remote_description(world.now(), SdpType::Answer, reply));
    });
  });
}

void TwoPeers::run_until(const std::function<bool()>& condition, Duration limit) {
  if (world.run_until(condition, limit)) return;
  FAIL("not reached in " << limit.count() / 1'000'000 << " s\n--- alice\n"
                         << alice.story() << "--- bob\n"
                         << bob.story());
}

bool TwoPeers::both_connected() const {
  return alice.peer.connection_state() == ConnectionState::Connected &&
         bob.peer.connection_state() == ConnectionState::Connected;
}

std::pair<ChannelHandle, ChannelHandle> TwoPeers::connect(const ChannelOptions& options) {
  const ChannelHandle a = alice.create(options);
  std::optional<ChannelHandle> b;
  if (options.negotiated) b = bob.create(options);
  negotiate();
  const auto both_open = [&] {
    if (!b && !bob.announced.empty()) b = bob.announced.back();
    return b && alice.channel_state(a) == ChannelState::Open && bob.channel_state(*b) == ChannelState::Open;
  };
  run_until(both_open, 60s);
  return {a, *b};
}

}  // namespace pollrtc::scenario
