// Running out of memory in the rest of what a connection does: set-up by ICE-TCP, by TURN over TCP, with names for addresses and a
// STUN server; and, once it is up, a restart of ICE, channels that come and go, messages that are given up on a lossy link,
// messages that interleave, and messages in pieces. Allocation n fails, for each n, alone or as the first of all that follow. No
// crash, no leak; what did not work has been reported; and a call that reported it works when it is made again.
#include "sim/node.h"

#include "base/bytes.h"
#include "ice/turn_stream.h"
#include "pollrtc/peer.h"
#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace std::chrono_literals;

namespace {

constexpr Address kIps[2] = {Address::v4(192, 0, 2, 1, 0), Address::v4(192, 0, 2, 2, 0)};
constexpr std::uint16_t kPort = 5000;
constexpr Address kServer = Address::v4(203, 0, 113, 1, 3478);
constexpr std::string_view kNames[2] = {"a3c1e9f0-5b7d-4c2e-8f10-0123456789ab.local",
                                        "b4d2fa01-6c8e-4d3f-9021-123456789abc.local"};

enum class Tale { IceTcp, TurnTcp, Names, Restart, Channels, GivenUp, Interleaved, Pieces };
constexpr std::string_view kTales[] = {"ICE-TCP",  "TURN over TCP",     "names and STUN", "ICE restart",
                                       "channels", "messages given up", "interleaved",    "pieces"};
// What fails from the beginning; the others are up before anything does.
constexpr bool is_of_setup(Tale tale) { return tale <= Tale::Names; }

enum class Failing { One, AllFrom };

const CertificatePem& certificate() {
  static const CertificatePem kPem = [] {
    test::TestEnvironment environment(2000);
    return *generate_certificate(environment.env, 1767225600);
  }();
  return kPem;
}

class Story final : public sim::Actor {
 public:
  struct End {
    explicit End(std::uint64_t seed) : environment(seed) { environment.env.log.level = LogLevel::Off; }
    test::TestEnvironment environment;
    std::optional<Peer> peer;
    std::optional<sim::Node<Peer>> node;
    bool is_reported = false, is_up = false;
    std::size_t expected = 0, received = 0;  // bytes that cannot be lost
    std::size_t reports_owed = 0, reports = 0;
    std::vector<ChannelHandle> opened, announced;
  };

  Story(Tale tale, Failing failing) : ends{End(2), End(3)}, tale_(tale), failing_(failing), world_(1) {
    world_.add_actor(*this);
    if (tale == Tale::TurnTcp || tale == Tale::Names) serve();
  }
  ~Story() override {
    for (End& end : ends) end.node.reset();
    world_.remove_actor(*this);
  }

  void run(std::size_t victim, std::size_t n) {
    if (is_of_setup(tale_)) arm(victim, n);
    if (!make(0) || !make(1)) return;
    channels_[0] = create(0, {.label = "first"});
    if (!channels_[0] || !negotiate({})) return;
    world_.run_until([this] { return is_over() || (ends[0].is_up && ends[1].is_up); }, 20min);
    if (!is_of_setup(tale_)) arm(victim, n);
    if (!is_over()) tell();
    world_.run_until([this] { return is_over() || is_complete(); }, 20min);
  }
  bool is_complete() const {
    return std::all_of(ends.begin(), ends.end(), [](const End& end) {
      return end.is_up && end.received >= end.expected && end.reports >= end.reports_owed;
    });
  }
  // A state is as good as an event, which needs memory itself.
  bool is_reported(std::size_t i) const {
    return ends[i].is_reported ||
           (ends[i].peer && ends[i].peer->connection_state() >= ConnectionState::Failed);
  }
  void finish() {
    for (End& end : ends) {
      end.node.reset();
      end.peer.reset();
    }
  }

  Time next_timeout() const override { return kNever; }
  void on_timeout(Time) override {}
  void pump(Time now) override {  // what stands in streams
    std::array<std::uint8_t, 4096> out;
    for (std::size_t s = 0; s < streams_.size(); ++s)
      for (std::size_t side = 0; side < 2; ++side) {
        const Half from = streams_[s].halves[side];
        if (!streams_[s].is_open || from.end == nullptr) continue;
        while (const std::size_t size = from.end->peer->poll_stream(now, from.id, out))
          world_.after(5ms, [this, s, side, bytes = test::to_vector(Bytes(out).first(size))] {
            arrive(s, 1 - side, bytes);
          });
      }
  }

  std::array<End, 2> ends;

 private:
  struct Half {
    End* end = nullptr;  // none: the TURN server
    StreamId id{};
  };
  struct Stream {
    std::array<Half, 2> halves;
    bool is_open = false;
    Address client;
    std::unique_ptr<turn::StreamFramer> framer;  // of the server
  };

  void arm(std::size_t victim, std::size_t n) {
    test::TestEnvironment& environment = ends[victim].environment;
    failing_ == Failing::One ? environment.fail_allocation(n) : environment.fail_allocations_after(n);
  }
  bool is_over() const {
    return std::any_of(ends.begin(), ends.end(), [](const End& end) {
      return !end.peer || end.peer->connection_state() >= ConnectionState::Failed;
    });
  }
  Time now() const { return world_.now(); }
  Peer& peer(std::size_t i) { return *ends[i].peer; }

  // A call that lacked memory has changed nothing: when there is some again it works.
  template <class Call>
  bool attempt(std::size_t i, Call call) {
    const Status status = call();
    if (status) return true;
    INFO(status.error().detail());
    const auto has_ended = [&] { return peer(i).connection_state() >= ConnectionState::Failed; };
    CHECK((status.error().code() == ErrorCode::OutOfMemory || has_ended()));
    ends[i].is_reported = true;
    if (failing_ != Failing::One || has_ended()) return false;
    const Status again = call();
    INFO("again: " << (again ? "" : again.error().detail()));
    CHECK((again || has_ended()));
    return again.has_value();
  }

  bool make(std::size_t i) {
    End& end = ends[i];
    PeerConfig config;
    config.relay_only = tale_ == Tale::TurnTcp;
    config.certificate_pem = certificate().certificate;
    config.private_key_pem = certificate().private_key;
    auto made = Peer::create(end.environment.env, config, now());
    if (!made) {
      end.is_reported = true;
      return false;
    }
    end.peer.emplace(*std::move(made));
    end.node.emplace(world_, world_.add_host({kIps[i]}), *end.peer);
    end.node->listen(kIps[i].with_port(kPort));
    end.node->on_event = [this, i](Time, const Peer::Event& event) { on_event(i, event); };
    return true;
  }

  bool negotiate(const OfferOptions& options) {
    std::string offer, answer;
    const auto text_of = [](Result<std::string> made, std::string& text) -> Status {
      if (!made) return Unexpected{made.error()};
      text = *made;
      return {};
    };
    return attempt(0, [&] { return text_of(peer(0).create_offer(now(), options), offer); }) &&
           attempt(0, [&] { return peer(0).set_local_description(now(), SdpType::Offer, offer); }) &&
           attempt(1, [&] { return peer(1).set_remote_description(now(), SdpType::Offer, offer); }) &&
           attempt(1, [&] { return text_of(peer(1).create_answer(now()), answer); }) &&
           attempt(1, [&] { return peer(1).set_local_description(now(), SdpType::Answer, answer); }) &&
           attempt(0, [&] { return peer(0).set_remote_description(now(), SdpType::Answer, answer); });
  }
  std::optional<ChannelHandle> create(std::size_t i, const ChannelOptions& options) {
    std::optional<ChannelHandle> handle;
    (void)attempt(i, [&]() -> Status {
      const auto made = peer(i).create_channel(now(), options);
      if (!made) return Unexpected{made.error()};
      handle = *made;
      return {};
    });
    return handle;
  }
  // What is not given up counts for the other end.
  void send(std::size_t i, ChannelHandle channel, std::size_t size, bool is_sure = true,
            std::optional<std::uint32_t> report = {}) {
    const auto info = peer(i).channel(channel);
    if (!info || info->state != ChannelState::Open) return;
    std::string message(size, is_sure ? 's' : 'u');
    if (!attempt(i, [&] { return peer(i).send(now(), channel, as_bytes(message), true, report); })) return;
    if (is_sure) ends[1 - i].expected += size;
    if (report) ++ends[i].reports_owed;
  }

  // --- the tales, once both are up ---

  void tell() {
    switch (tale_) {
      case Tale::Restart:
        if (!negotiate({.ice_restart = true})) return;
        world_.run_for(3s);
        break;
      case Tale::Channels:
        return come_and_go();
      case Tale::GivenUp:
        return give_up();
      case Tale::Interleaved:
        return interleave();
      case Tale::Pieces:
        return send_in_pieces();
      default:
        break;
    }
    for (const std::size_t size : std::initializer_list<std::size_t>{1, 4001, 8001}) send_both(size);
  }
  void send_both(std::size_t size) {
    for (std::size_t i = 0; i < 2; ++i)
      if (!is_over() && channels_[i]) send(i, *channels_[i], size);
  }
  void come_and_go() {
    for (int round = 0; round < 3 && !is_over(); ++round) {
      std::vector<std::pair<std::size_t, ChannelHandle>> made;
      for (const std::size_t i : std::initializer_list<std::size_t>{0, 1, 0})
        if (const auto handle = create(i, {.label = "more", .protocol = "of them"}))
          made.emplace_back(i, *handle);
      world_.run_for(1s);
      for (const auto& [i, handle] : made)
        if (!is_over()) send(i, handle, 3000);
      world_.run_for(1s);
      for (const auto& [i, handle] : made) {
        if (is_over()) return;
        const auto info = peer(i).channel(handle);
        if (info && info->state == ChannelState::Open)
          (void)attempt(i, [&, i = i, handle = handle] { return peer(i).close_channel(now(), handle); });
      }
      world_.run_for(2s);
      for (const auto& [i, handle] : made)
        if (!is_over()) peer(i).release_channel(now(), handle);
    }
    if (!is_over()) send_both(5000);
  }
  void lose(double share) {
    sim::LinkConfig link;
    link.loss = share;
    world_.set_link(kIps[0], kIps[1], link);
  }
  void give_up() {
    const auto brief = create(0, {.label = "brief", .ordered = false, .max_retransmits = std::uint16_t{0}});
    const auto timed = create(0, {.label = "timed", .max_lifetime_ms = std::uint16_t{30}});
    world_.run_for(1s);
    lose(0.3);
    for (int i = 0; i < 15 && !is_over(); ++i) {
      for (const auto& channel : {brief, timed})
        if (channel) send(0, *channel, 2500, false, static_cast<std::uint32_t>(i));
      world_.run_for(20ms);
    }
    world_.run_for(3s);
    lose(0);
    if (!is_over()) send_both(3000);
  }
  void interleave() {
    std::vector<ChannelHandle> made;
    for (int i = 0; i < 3; ++i)
      if (const auto handle = create(0, {.label = "beside"})) made.push_back(*handle);
    world_.run_for(1s);
    lose(0.05);
    for (const ChannelHandle handle : made)
      if (!is_over()) send(0, handle, 40'000);
    for (const ChannelHandle handle : std::vector<ChannelHandle>(ends[1].announced))
      if (!is_over()) send(1, handle, 20'000);
    if (!is_over()) send_both(100);
  }
  void send_in_pieces() {
    if (!channels_[1]) return;
    if (!attempt(1, [&] { return peer(1).receive_in_pieces(*channels_[1], true); })) return;
    const std::string piece(6000, 's');
    // Who has no memory for a piece gives the channel up.
    const auto is_open = [&] {
      const auto info = peer(0).channel(*channels_[0]);
      return !is_over() && info && info->state == ChannelState::Open;
    };
    for (int i = 0; i < 5 && is_open(); ++i) {
      const bool is_sent = attempt(
          0, [&] { return peer(0).send_piece(now(), *channels_[0], as_bytes(piece), false, i == 4); });
      if (is_sent) ends[1].expected += piece.size();
      world_.run_for(30ms);
    }
    if (!is_over()) send(0, *channels_[0], 100, true, 7);
  }

  // --- what the peers ask for ---

  void on_event(std::size_t i, const Peer::Event& event) {
    End& end = ends[i];
    if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
      gather(i);
    } else if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) {
      (void)attempt(1 - i, [&] {
        return peer(1 - i).add_remote_candidate(now(), c->mid, c->index, c->line, c->ufrag);
      });
    } else if (const auto* needed = std::get_if<Peer::StreamNeeded>(&event)) {
      connect(i, *needed);
    } else if (const auto* done = std::get_if<Peer::StreamDone>(&event)) {
      hang_up(i, done->stream);
    } else if (const auto* wanted = std::get_if<Peer::NameWanted>(&event)) {
      world_.after(5ms, [this, i, name = wanted->name] { peer(i).name_resolved(now(), name, kIps[1 - i]); });
    } else if (const auto* changed = std::get_if<Peer::ConnectionChanged>(&event)) {
      end.is_reported |= changed->state >= ConnectionState::Failed;
    } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
      end.opened.push_back(opened->channel);
      end.is_up = true;
    } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
      end.announced.push_back(announced->channel);
      if (!channels_[i]) channels_[i] = announced->channel;
      end.is_up = true;
    } else if (const auto* closing = std::get_if<Peer::ChannelClosing>(&event)) {
      end.is_reported |= closing->channel == channels_[i];  // which nobody asked for
    } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event)) {
      const bool is_orderly = closed->reason == Close::Local || closed->reason == Close::Remote;
      end.is_reported |= !is_orderly || closed->channel == channels_[i];
    } else if (std::holds_alternative<Peer::IceServerFailed>(event)) {
      end.is_reported = true;
    } else if (std::holds_alternative<Peer::MessageReport>(event)) {
      ++end.reports;
    } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event)) {
      while (const auto view = peer(i).receive(now(), message->channel))
        if (!view->data.empty() && view->data[0] == 's') end.received += view->data.size();
    }
  }
  void gather(std::size_t i) {
    const Address own = kIps[i].with_port(kPort);
    if (tale_ == Tale::IceTcp) {
      for (const TcpType type : std::initializer_list<TcpType>{TcpType::Active, TcpType::Passive})
        (void)attempt(i, [&] { return peer(i).add_local_tcp_address(now(), own, type); });
    } else {
      const std::string_view name = tale_ == Tale::Names ? kNames[i] : std::string_view();
      (void)attempt(i, [&] { return peer(i).add_local_address(now(), own, {}, name); });
    }
    if (tale_ == Tale::Names) (void)attempt(i, [&] { return peer(i).add_stun_server(now(), kServer); });
    if (tale_ == Tale::TurnTcp)
      (void)attempt(i, [&] {
        return peer(i).add_turn_server(
            now(), {std::span(&kServer, 1), TurnTransport::Tcp, "turn.test", "alice", "secret"});
      });
    peer(i).local_addresses_done(now());
  }

  // --- the network ---

  void serve() {
    sim::Host& host = world_.add_host({kServer.with_port(0)});
    server_host_ = &host;
    turn_.relay_v4 = kServer.with_port(50000);
    for (std::uint16_t port : std::initializer_list<std::uint16_t>{3478, 50000, 50001, 50002, 50003})
      world_.listen(host, kServer.with_port(port), [this](Time, const Path& path, Bytes datagram) {
        deliver(turn_.handle(path.remote, path.local, datagram));
      });
  }
  void deliver(const std::vector<sim::TurnServer::Datagram>& datagrams) {
    for (const auto& out : datagrams) {
      const auto at = std::find_if(streams_.begin(), streams_.end(),
                                   [&](const Stream& s) { return s.is_open && s.client == out.to; });
      if (at == streams_.end()) {
        world_.send(*server_host_, {out.from, out.to}, out.bytes);
        continue;
      }
      test::ByteVector padded = out.bytes;
      padded.resize((padded.size() + 3) / 4 * 4);  // RFC 8656 §12.5
      world_.after(
          5ms, [this, s = static_cast<std::size_t>(at - streams_.begin()), padded] { arrive(s, 0, padded); });
    }
  }
  void connect(std::size_t i, const Peer::StreamNeeded& needed) {
    const std::size_t s = streams_.size();
    Stream& stream = streams_.emplace_back();
    stream.halves[0] = {&ends[i], needed.stream};
    stream.client = kIps[i].with_port(static_cast<std::uint16_t>(40000 + s));
    if (needed.remote == kServer) stream.framer = std::make_unique<turn::StreamFramer>(default_memory());
    world_.after(5ms, [this, s, i, remote = needed.remote] {
      Stream& made = streams_[s];
      if (!made.framer) {
        const auto accepted = ends[1 - i].peer->stream_accepted(now(), remote, made.client);
        if (!accepted) {
          ends[1 - i].is_reported = true;
          return made.halves[0].end->peer->stream_closed(now(), made.halves[0].id, "refused");
        }
        made.halves[1] = {&ends[1 - i], *accepted};
      }
      made.is_open = true;
      made.halves[0].end->peer->stream_opened(now(), made.halves[0].id);
    });
  }
  void hang_up(std::size_t i, StreamId id) {
    for (Stream& stream : streams_)
      for (std::size_t side = 0; side < 2; ++side) {
        if (stream.halves[side].end != &ends[i] || stream.halves[side].id != id) continue;
        stream.is_open = false;
        const Half other = stream.halves[1 - side];
        if (other.end == nullptr) continue;
        world_.after(5ms, [this, other] {
          if (other.end->peer) other.end->peer->stream_closed(now(), other.id, "closed");
        });
      }
  }
  void arrive(std::size_t s, std::size_t side, Bytes bytes) {
    Stream& stream = streams_[s];
    if (!stream.is_open) return;
    if (const Half to = stream.halves[side]; to.end != nullptr)
      return to.end->peer->handle_stream(now(), to.id, bytes);
    while (const auto frame = stream.framer->next(bytes))
      deliver(turn_.handle(stream.client, kServer, *frame));
  }

  const Tale tale_;
  const Failing failing_;
  sim::TurnServer turn_{kServer};
  sim::World world_;
  sim::Host* server_host_ = nullptr;
  std::deque<Stream> streams_;
  std::optional<ChannelHandle> channels_[2];  // the first, at both ends
};

// How many allocations were looked at.
std::size_t sweep(Tale tale, Failing failing, std::size_t victim) {
  for (std::size_t n = 0;; ++n) {
    INFO(kTales[static_cast<std::size_t>(tale)]
         << ", end " << victim << ", allocation " << n
         << (failing == Failing::One ? " alone" : " and all later ones"));
    auto story = std::make_unique<Story>(tale, failing);
    story->run(victim, n);
    const bool had_all = story->ends[victim].environment.refused_allocations() == 0;
    if (!story->is_complete()) CHECK((story->is_reported(0) || story->is_reported(1)));
    if (had_all) CHECK(story->is_complete());
    const auto& end = story->ends[victim];
    if (failing == Failing::One && end.peer && end.peer->connection_state() == ConnectionState::Failed) {
      const Close reason = end.peer->stats().close_reason;
      INFO(name_of(reason));
      CHECK((reason == Close::OutOfMemory || reason == Close::IceFailed));  // that for want of candidates
    }
    story->finish();
    for (const auto& each : story->ends) CHECK(each.environment.bytes_in_use() == 0);
    if (had_all) return n;
    REQUIRE(n < 1000);
  }
}

}  // namespace

TEST_CASE(
    "whichever allocation of a connection's life fails alone, that is reported, and tried again it works",
    "[API-22]") {
  const auto tale = GENERATE(Tale::IceTcp, Tale::TurnTcp, Tale::Names, Tale::Restart, Tale::Channels,
                             Tale::GivenUp, Tale::Interleaved, Tale::Pieces);
  for (const std::size_t victim : {0u, 1u}) CHECK(sweep(tale, Failing::One, victim) > 3);
}

TEST_CASE("at whatever point of a connection's life memory ends for good, that is reported and nothing leaks",
          "[API-22]") {
  const auto tale = GENERATE(Tale::IceTcp, Tale::TurnTcp, Tale::Names, Tale::Restart, Tale::Channels,
                             Tale::GivenUp, Tale::Interleaved, Tale::Pieces);
  for (const std::size_t victim : {0u, 1u}) CHECK(sweep(tale, Failing::AllFrom, victim) > 3);
}
