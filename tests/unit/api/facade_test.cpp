// What PeerConnection and DataChannel offer beyond the plain path: pulled events, certificates, statistics, taps, the
// tutorial's names; and the order in which things are told.
#include <map>

#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

TEST_CASE("events can be pulled instead, in the same order", "[API-25]") {
  SimPair pushed;
  pushed.connect();
  sim::World world(1);
  SimEnd a(world, 1), b(world, 2);
  std::vector<std::string> log;
  std::vector<ChannelPtr> channels;
  const auto drain = [&](SimEnd& from, SimEnd& to) {
    return [&] {
      if (!from.connection) return;
      REQUIRE(from.connection->poll());
      PeerConnection::Event event;
      while (from.connection->next_event(event)) {
        if (const auto* d = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
          CHECK(to.connection->set_remote_description(d->type, d->sdp));
          if (&from == &a) log.push_back(d->type);
        } else if (const auto* c = std::get_if<PeerConnection::CandidateCreated>(&event)) {
          CHECK(to.connection->add_ice_candidate(c->media, c->index, c->name));
          if (&from == &a) log.push_back("candidate");
        } else if (const auto* r = std::get_if<PeerConnection::ChannelReceived>(&event)) {
          channels.push_back(r->channel);
        } else if (const auto* o = std::get_if<PeerConnection::ChannelOpened>(&event)) {
          CHECK(o->channel->get_label() == "chat");
          log.push_back("opened");
        } else if (const auto* m = std::get_if<PeerConnection::MessageReceived>(&event)) {
          log.push_back("message " + take(m->channel));
        } else if (const auto* s = std::get_if<PeerConnection::ConnectionStateChanged>(&event)) {
          if (&from == &a) log.push_back(std::string(name_of(s->state)));
        } else if (std::get_if<PeerConnection::ChannelClosing>(&event)) {
          log.push_back("closing");
        } else if (const auto* e = std::get_if<PeerConnection::ChannelClosed>(&event)) {
          log.push_back(std::string("closed ") + std::string(name_of(e->reason)));
        }
      }
    };
  };
  a.machine.poll = drain(a, b);
  b.machine.poll = drain(b, a);
  const auto pull = [](Configuration& c) { c.pull_events = true; };
  a.start(pull);
  b.start(pull);
  a.connection->connection_state_changed = [](ConnectionState) { FAIL("handlers are not called"); };
  PeerConnection::Event none;
  CHECK_FALSE(a.connection->next_event(none));
  const auto channel = a.connection->create_data_channel("chat");
  REQUIRE(a.connection->create_offer());
  CHECK(a.connection->get_time_to_next_deadline() == Duration::zero());  // an event waits
  REQUIRE(world.run_until([&] { return !channels.empty(); }, 30s));
  REQUIRE(channels[0]->send("hello"));
  world.run_for(1s);
  channels[0]->close();
  world.run_for(1s);
  CHECK(log == std::vector<std::string>{"offer", "connecting", "candidate", "connected", "opened",
                                        "message hello", "closing", "closed Local", "closed Remote"});
}

TEST_CASE("a channel: open, messages, closing, closed; failed before closed when the connection breaks",
          "[API-05][API-07]") {
  SECTION("the other end closes the channel") {
    SimPair t;
    t.connect();
    REQUIRE(t.theirs->send("one"));
    REQUIRE(t.theirs->send("two"));
    t.b.log.clear();
    t.theirs->close();
    t.theirs->close();
    t.world.run_for(2s);
    CHECK(t.a.log == std::vector<std::string>{"connecting", "connected", "opened", "message", "message",
                                              "closing", "closed"});
    CHECK(t.b.log == std::vector<std::string>{"closed"});  // no closing where it began
    t.a.connection->close();
    t.world.run_for(1s);
    CHECK(t.a.count("closed") == 1);
  }
  SECTION("the other end aborts") {
    SimPair t;
    t.connect();
    t.a.log.clear();
    t.b.connection->close();
    t.world.run_for(1s);
    CHECK(t.a.log ==
          std::vector<std::string>{"failed RemoteAbort", "closed", "closed"});  // the channel, the connection
  }
  SECTION("silence") {
    SimPair t;
    t.connect();
    t.a.log.clear();
    t.cut(true);
    t.world.run_for(60s);
    CHECK(t.a.log == std::vector<std::string>{"disconnected", "failed"});
    t.world.run_for(Limits().ice_restart_window);
    CHECK(t.a.log == std::vector<std::string>{"disconnected", "failed", "failed ConsentExpired", "closed"});
  }
  SECTION("closed before it opened, it never opens") {
    SimPair t;
    const ChannelPtr first = t.a.create("first"), second = t.a.create("second");
    first->close();
    REQUIRE(t.a.connection->create_offer());
    REQUIRE(t.run_until([&] { return second->get_ready_state() == ChannelState::Open; }));
    t.world.run_for(1s);
    CHECK(first->get_ready_state() == ChannelState::Closed);
    CHECK(t.a.count("opened") == 1);
    CHECK(t.a.count("closed") == 1);
    CHECK(t.b.count("channel") == 1);
  }
  SECTION("nothing after the connection's own close") {
    SimPair t;
    t.connect();
    t.ours->close();
    t.a.log.clear();
    t.a.connection->close();
    t.world.run_for(1s);
    CHECK(t.a.log.empty());
  }
}

TEST_CASE("nothing of a channel is told after the connection's own close(), from inside its handlers either",
          "[API-05]") {
  SimPair t;
  t.connect();
  const auto poll = t.a.machine.poll;
  const auto deadline = t.a.machine.time_to_deadline;
  std::vector<std::string> told;
  t.ours->closed = [&] { told.push_back("closed"); };
  SECTION("messages that came together") {
    t.ours->data_received = [&](const std::string&, Bytes packet) {
      told.push_back(std::string(as_text(packet)));
      if (told.size() == 2) t.a.connection->close();
    };
    t.a.machine.poll = [] {};
    t.a.machine.time_to_deadline = [] { return std::optional<Duration>(); };
    for (const char* text : {"one", "two", "three", "four"}) REQUIRE(t.theirs->send(text));
    t.world.run_for(100ms);
    CHECK(told.empty());
    t.a.machine.poll = poll;
    t.a.machine.time_to_deadline = deadline;
    poll();
    t.world.run_for(1s);
    CHECK(told == std::vector<std::string>{"one", "two"});
  }
  SECTION("failed, before closed") {
    t.ours->failed = [&](Close) {
      told.push_back("failed");
      t.a.connection->close();
    };
    t.b.connection->close();
    t.world.run_for(1s);
    CHECK(told == std::vector<std::string>{"failed"});
  }
}

TEST_CASE("an empty message is read without touching what is not there", "[API-11][API-13]") {
  SimPair t;
  t.connect();
  REQUIRE(t.ours->send(Bytes{}));
  REQUIRE(t.ours->send(""));
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == 2; }));
  for (const bool is_text : {false, true}) {
    const auto packet = t.theirs->get_packet();
    REQUIRE(packet);
    CHECK(packet->empty());
    CHECK(std::vector<std::uint8_t>(packet->begin(), packet->end()).empty());
    CHECK(t.theirs->was_string_packet() == is_text);
    CHECK_FALSE(t.theirs->get_packet_error());
  }
  CHECK_FALSE(t.theirs->get_packet());
  CHECK(t.theirs->get_packet_error() == ErrorCode::Empty);
}

TEST_CASE("channels may be created at any time, and need no second offer", "[API-36]") {
  SimPair t;
  const ChannelPtr before = t.a.create("before");
  REQUIRE(t.a.connection->create_offer());
  const ChannelPtr between = t.a.create("between");
  const ChannelPtr at_answerer = t.b.create("at the answerer");
  int descriptions = 0;
  REQUIRE(t.run_until([&] { return before->get_ready_state() == ChannelState::Open; }));
  t.world.run_for(1s);
  const auto count = [&](const std::string&, const std::string&) { ++descriptions; };
  t.a.connection->session_description_created = t.b.connection->session_description_created = count;
  const ChannelPtr later = t.a.create("later");
  CHECK(later->get_ready_state() == ChannelState::Open);  // RFC 8832 §6: it may send at once
  REQUIRE(later->send("early bird"));
  t.world.run_for(1s);
  CHECK(descriptions == 0);
  for (const ChannelPtr& c : {before, between, at_answerer, later})
    CHECK(c->get_ready_state() == ChannelState::Open);
  std::vector<std::string> labels;
  for (const ChannelPtr& c : t.b.channels) labels.push_back(c->get_label());
  std::sort(labels.begin(), labels.end());
  CHECK(labels == std::vector<std::string>{"at the answerer", "before", "between", "later"});
  CHECK(take(t.b.channels.back()) == "early bird");
}

TEST_CASE("an id beyond the streams agreed on: refused when they are known, else that channel alone fails",
          "[API-35]") {
  SimPair t([](Configuration& c) { c.limits.sctp_streams = 10; });
  const auto negotiated = [](int id) {
    DataChannelOptions options;
    options.negotiated = true;
    options.id = id;
    return options;
  };
  const ChannelPtr low = t.a.create("low", negotiated(9)), high = t.a.create("high", negotiated(10));
  const ChannelPtr their_low = t.b.create("low", negotiated(9));
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.run_until([&] { return low->get_ready_state() == ChannelState::Open; }));
  t.world.run_for(1s);
  CHECK(high->get_ready_state() == ChannelState::Closed);
  CHECK(t.a.log.size() >= 2);
  CHECK(std::count_if(t.a.log.begin(), t.a.log.end(),
                      [](const auto& l) { return l.starts_with("failed "); }) == 1);
  CHECK(t.a.count("closed") == 1);
  REQUIRE(low->send("x"));
  t.world.run_for(1s);
  CHECK(take(their_low) == "x");
  CHECK(t.a.connection->create_data_channel("x", negotiated(10)).error() == ErrorCode::InvalidArgument);
  CHECK(t.a.connection->create_data_channel("x", negotiated(8)));
}

TEST_CASE("channels made before the role is known, more than there are ids for: the others fail",
          "[API-35]") {
  SimPair t([](Configuration& c) { c.limits.sctp_streams = 4; });
  std::vector<ChannelPtr> made;
  for (const char* label : {"one", "two", "three"}) made.push_back(t.a.create(label));
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.run_until([&] { return t.b.channels.size() == 2; }));
  t.world.run_for(1s);
  CHECK(made[0]->get_ready_state() == ChannelState::Open);
  CHECK(made[1]->get_ready_state() == ChannelState::Open);
  CHECK(made[2]->get_ready_state() == ChannelState::Closed);
  CHECK(t.a.count("failed ProtocolViolation") == 1);
  CHECK(t.a.count("closed") == 1);
}

TEST_CASE("a connection's close does not wait for what a closing channel still has to send", "[API-51]") {
  SimPair t;
  t.world.set_link(SimPair::kA, SimPair::kB, {.delay = 10ms, .bits_per_second = 1'000'000});
  t.connect();
  for (int i = 0; i < 5; ++i) REQUIRE(t.ours->send(std::string(200'000, 'x')));
  t.ours->close();
  CHECK(t.ours->get_ready_state() == ChannelState::Closing);
  t.a.connection->close();
  CHECK(t.ours->get_ready_state() == ChannelState::Closed);
  CHECK(t.a.machine.open_sockets == 0);
  t.world.run_for(1s);
  CHECK(t.b.connection->get_connection_state() == ConnectionState::Closed);
  CHECK(t.theirs->get_ready_state() == ChannelState::Closed);
}

TEST_CASE("a key pair is fresh for each connection, unless the application brings one", "[API-58][API-59]") {
  const auto fingerprint = [](const PeerConnection& c) { return c.get_stats().local_fingerprint; };
  SimPair fresh;
  fresh.connect();
  CHECK_FALSE(fingerprint(*fresh.a.connection) == fingerprint(*fresh.b.connection));
  // Two users can compare what their ends say.
  const PeerStats a = fresh.a.connection->get_stats(), b = fresh.b.connection->get_stats();
  CHECK(a.remote_fingerprint == b.local_fingerprint);
  CHECK(b.remote_fingerprint == a.local_fingerprint);
  CHECK(a.dtls_version == "DTLS 1.2");
  CHECK_FALSE(a.dtls_cipher_suite.empty());
  CHECK(a.dtls_cipher_suite == b.dtls_cipher_suite);
  CHECK(a.dtls_is_client != b.dtls_is_client);

  const auto certificate = generate_certificate(), other = generate_certificate();
  REQUIRE(certificate);
  REQUIRE(other);
  CHECK(certificate->certificate.starts_with("-----BEGIN CERTIFICATE-----"));
  CHECK(certificate->private_key.find("PRIVATE KEY-----") != std::string::npos);
  SimPair given([&](Configuration& c) { c.certificate = *certificate; });
  given.connect();
  SimPair again([&](Configuration& c) { c.certificate = *certificate; });
  again.connect();
  const Fingerprint same = fingerprint(*given.a.connection);
  for (const auto* c : {given.b.connection.get(), again.a.connection.get(), again.b.connection.get()})
    CHECK(fingerprint(*c) == same);
  CHECK_FALSE(same == fingerprint(*fresh.a.connection));

  Configuration bad;
  bad.certificate = {certificate->certificate, other->private_key};
  CHECK(given.a.connection->initialize(bad).error() == ErrorCode::InvalidArgument);
  bad.certificate = {"nonsense", certificate->private_key};
  CHECK(given.a.connection->initialize(bad).error() == ErrorCode::ParseFailed);
  bad.certificate = {certificate->certificate, ""};
  CHECK_FALSE(given.a.connection->initialize(bad));
  CHECK(given.a.connection->get_connection_state() == ConnectionState::Connected);
}

TEST_CASE("counts of each channel, and a tap on what passes") {
  struct Tap {
    static void look(void* context, const TappedPacket& packet) {
      auto& tap = *static_cast<Tap*>(context);
      ++tap.seen[packet.layer == PacketLayer::Sctp][packet.is_sent];
      tap.bytes[packet.is_sent] += packet.layer == PacketLayer::Udp ? packet.bytes.size() : 0;
    }
    std::size_t seen[2][2] = {}, bytes[2] = {};
  } tap;
  SimPair t;
  Configuration tapped = t.a.machine.configuration();
  tapped.tap = {Tap::look, &tap};
  REQUIRE(t.a.connection->initialize(tapped));
  t.connect();
  REQUIRE(t.ours->send("12345"));
  REQUIRE(t.ours->send("678"));
  REQUIRE(t.theirs->send("abcd"));
  t.world.run_for(1s);
  CHECK(t.ours->get_stats().messages_sent == 2);
  CHECK(t.ours->get_stats().bytes_sent == 8);
  CHECK(t.ours->get_stats().messages_received == 1);
  CHECK(t.ours->get_stats().bytes_received == 4);
  CHECK(t.theirs->get_stats().messages_received == 2);
  CHECK(t.theirs->get_stats().bytes_received == 8);
  CHECK(t.theirs->get_stats().waiting_messages == 2);
  const PeerStats stats = t.a.connection->get_stats();
  CHECK(tap.seen[0][0] == stats.datagrams_received);
  CHECK(tap.seen[0][1] == stats.datagrams_sent);
  CHECK(tap.bytes[0] == stats.bytes_received);
  CHECK(tap.bytes[1] == stats.bytes_sent);
  CHECK(tap.seen[1][0] > 3);
  CHECK(tap.seen[1][1] > 3);
}

TEST_CASE("a log sink or a tap that calls back is refused; it may drop what it watches", "[API-21]") {
  for (const bool is_tap : {false, true}) {
    for (const int action : {0, 1, 2, 3}) {
      INFO((is_tap ? "tap" : "log") << ", action " << action);
      sim::World world(1);
      struct Hook {
        SimEnd* a = nullptr;
        int action = 0, calls = 0, wait = 0;
        bool refused_all = true;
        void run() {
          if (++calls < wait || a == nullptr) return;
          if (action == 0) {
            if (!a->connection) return;
            PeerConnection& c = *a->connection;
            refused_all &= c.poll().error() == ErrorCode::InvalidState;
            refused_all &= c.create_offer().error() == ErrorCode::InvalidState;
            refused_all &= c.set_remote_description("offer", "v=0").error() == ErrorCode::InvalidState;
            refused_all &= c.add_ice_candidate("0", 0, "").error() == ErrorCode::InvalidState;
            refused_all &= c.create_data_channel("x").error() == ErrorCode::InvalidState;
            refused_all &= c.initialize().error() == ErrorCode::InvalidState;
            c.close();
            (void)c.get_stats();
            (void)c.get_connection_state();
            for (const ChannelPtr& channel : a->channels) {
              channel->close();
              refused_all &= !channel->send("x");
              refused_all &= !channel->get_packet();
            }
          }
          if (action == 1) a->connection.reset();
          if (action == 2) a->channels.clear();
          if (action == 3) {
            a->channels.clear();
            a->connection.reset();
          }
        }
        static void log(void* context, LogLevel, std::string_view, std::string_view) {
          static_cast<Hook*>(context)->run();
        }
        static void tap(void* context, const TappedPacket&) { static_cast<Hook*>(context)->run(); }
      } hook;
      SimEnd a(world, 1), b(world, 2);
      hook.action = action;
      hook.wait = is_tap ? 12 : 8;
      hook.a = &a;
      a.start([&](Configuration& c) {
        if (is_tap) c.tap = {Hook::tap, &hook};
        if (!is_tap) c.log = {Hook::log, &hook, LogLevel::Trace};
      });
      b.start();
      signal_between(world, a.connection, b.connection, 5ms);
      (void)a.create();
      (void)a.connection->create_offer();
      world.run_for(2s);
      CHECK(hook.calls >= hook.wait);
      CHECK(hook.refused_all);
      if (action == 0) {
        CHECK(a.connection->get_connection_state() == ConnectionState::Connected);
        REQUIRE(a.channels[0]->get_ready_state() == ChannelState::Open);
        CHECK(a.channels[0]->send("still here"));
        world.run_for(1s);
        CHECK(b.count("message") == 1);
      }
      hook.a = nullptr;
      world.run_for(60s);
      if (action == 1 || action == 3) {
        CHECK(a.machine.open_sockets == 0);
        a.channels.clear();
        CHECK(a.machine.environment.bytes_in_use() == 0);
      }
    }
  }
}

TEST_CASE(
    "a channel made while those of the other end are being announced: each is told all that happens to it",
    "[API-02][API-05][API-26]") {
  const bool pulls = GENERATE(false, true);
  SimPair t([&](Configuration& c) { c.pull_events = pulls; });
  std::map<std::string, std::vector<std::string>> told;  // by label, of b's channels
  std::vector<ChannelPtr> theirs, replies;
  const auto reply_to = [&](const ChannelPtr& channel) {
    const auto made = t.b.connection->create_data_channel("reply to " + channel->get_label());
    REQUIRE(made);
    replies.push_back(*made);
    theirs.push_back(channel);
  };
  const auto watch = [&](const ChannelPtr& channel) {
    const auto tell = [&, label = channel->get_label()](const char* what) {
      return [&, label, what] { told[label].push_back(what); };
    };
    channel->opened = tell("opened");
    channel->message_received = tell("message");
    channel->closing = tell("closing");
    channel->closed = tell("closed");
  };
  const auto pull = [&](PeerConnection& connection, PeerConnection& other) {
    for (PeerConnection::Event event; connection.next_event(event); event = {}) {
      const auto tell = [&](const ChannelPtr& channel, const char* what) {
        if (&connection == t.b.connection.get()) told[channel->get_label()].push_back(what);
      };
      if (const auto* e = std::get_if<PeerConnection::DescriptionCreated>(&event))
        CHECK(other.set_remote_description(e->type, e->sdp));
      if (const auto* e = std::get_if<PeerConnection::CandidateCreated>(&event))
        CHECK(other.add_ice_candidate(e->media, e->index, e->name));
      if (const auto* e = std::get_if<PeerConnection::ChannelReceived>(&event)) {
        if (&connection == t.b.connection.get()) {
          reply_to(e->channel);
        } else {
          t.a.channels.push_back(e->channel);
        }
      }
      if (const auto* e = std::get_if<PeerConnection::ChannelOpened>(&event)) tell(e->channel, "opened");
      if (const auto* e = std::get_if<PeerConnection::MessageReceived>(&event)) tell(e->channel, "message");
      if (const auto* e = std::get_if<PeerConnection::ChannelClosing>(&event)) tell(e->channel, "closing");
      if (const auto* e = std::get_if<PeerConnection::ChannelClosed>(&event)) tell(e->channel, "closed");
    }
  };
  if (pulls) {
    for (auto [one, other] : {std::pair(&t.a, &t.b), std::pair(&t.b, &t.a)}) {
      one->machine.poll = [&, one = one, other = other] {
        CHECK(one->connection->poll());
        pull(*one->connection, *other->connection);
      };
    }
  } else {
    t.b.connection->data_channel_received = [&](const ChannelPtr& channel) {
      watch(channel);
      reply_to(channel);
      watch(replies.back());
    };
  }
  std::vector<ChannelPtr> ours;
  for (const char* label : {"one", "two", "three"}) {
    const auto made = t.a.connection->create_data_channel(label);
    REQUIRE(made);
    ours.push_back(*made);
  }
  REQUIRE(t.a.connection->create_offer());  // so that all three OPENs come at once
  REQUIRE(t.run_until([&] { return theirs.size() == 3 && t.a.channels.size() == 3; }));
  t.world.run_for(1s);
  for (const ChannelPtr& channel : ours) REQUIRE(channel->send("to them"));
  for (const ChannelPtr& channel : t.a.channels) REQUIRE(channel->send("to the replies"));
  for (const ChannelPtr& channel : replies) REQUIRE(channel->send("a reply"));
  for (const ChannelPtr& channel : replies) CHECK(channel->get_buffered_amount() == 7);
  t.world.run_for(1s);
  for (const ChannelPtr& channel : replies) CHECK(channel->get_buffered_amount() == 0);
  ours.clear();
  t.a.channels.clear();
  t.world.run_for(1s);
  REQUIRE(told.size() == 6);
  for (const auto& [label, what] : told) {
    INFO(label);
    const bool is_reply = label.starts_with("reply");
    CHECK(what == (is_reply ? std::vector<std::string>{"opened", "message", "closing", "closed"}
                            : std::vector<std::string>{"message", "closing", "closed"}));
  }
}

TEST_CASE("the tutorial's names") {
  SimPair t;
  CHECK(t.b.connection->create_answer().error() == ErrorCode::InvalidState);
  // The first channel comes only after create_offer() was refused.
  CHECK_FALSE(t.a.connection->create_offer());
  t.a.connection->session_description_created = [&](const std::string& type, const std::string& sdp) {
    const SessionDescription description{type, sdp};
    CHECK(t.a.connection->set_local_description(description));
    CHECK(t.b.connection->set_remote_description(description));
    CHECK(t.b.connection->create_answer());
  };
  t.a.connection->ice_candidate_created = [&](const std::string& media, int index, const std::string& name) {
    CHECK(t.b.connection->add_ice_candidate(IceCandidate{name, media, index}));
  };
  t.connect();
  std::vector<std::string> heard;
  t.theirs->data_received = [&](const std::string& label, Bytes bytes) {
    heard.push_back(label + std::string("/") + std::string(as_text(bytes)));
    if (heard.size() == 2) t.theirs->data_received = nullptr;  // while it runs
  };
  for (const char* text : {"one", "two", "three"}) REQUIRE(t.ours->send(text));
  t.world.run_for(1s);
  CHECK(heard == std::vector<std::string>{"chat/one", "chat/two"});
  CHECK(t.theirs->get_available_packet_count() == 1);
  CHECK(take(t.theirs) == "three");
}

TEST_CASE("offers that crossed: one is taken back, and the other one answered", "[SDP-48][API-43]") {
  for (const bool through_remote : {false, true}) {
    SimPair t;
    std::map<PeerConnection*, SessionDescription> offers;
    for (SimEnd* end : {&t.a, &t.b}) {
      end->create(end == &t.a ? "from a" : "from b");
      const auto hand_on = end->connection->session_description_created;
      end->connection->session_description_created = [&, end, hand_on](const std::string& type,
                                                                       const std::string& sdp) {
        if (type == "offer") {
          offers[end->connection.get()] = {type, sdp};
        } else {
          hand_on(type, sdp);
        }
      };
      REQUIRE(end->connection->create_offer());
    }
    t.world.run_for(1s);
    REQUIRE(offers.size() == 2);
    PeerConnection &a = *t.a.connection, &b = *t.b.connection;
    CHECK(a.set_remote_description(offers[&b]).error() == ErrorCode::InvalidState);
    const Status rolled_back =
        through_remote ? a.set_remote_description("rollback", "") : a.set_local_description("rollback", "");
    REQUIRE(rolled_back);
    CHECK(a.get_signaling_state() == SignalingState::Stable);
    CHECK(a.set_local_description("rollback", "").error() == ErrorCode::InvalidState);
    CHECK(a.set_local_description(offers[&a]).error() == ErrorCode::InvalidArgument);
    REQUIRE(a.set_remote_description(offers[&b]));
    REQUIRE(t.run_until([&] { return t.a.channels.size() == 2 && t.b.channels.size() == 2; }));
    for (const SimEnd* end : {&t.a, &t.b})
      for (const ChannelPtr& channel : end->channels) CHECK(channel->get_ready_state() == ChannelState::Open);
  }
}

TEST_CASE("a log sink may drop the connection while its events are looked for", "[API-21]") {
  const bool pulls = GENERATE(true, false);
  const bool drops_channels = GENERATE(true, false);
  sim::World world(1);
  struct Sink {
    SimEnd* a;
    bool drops_channels;
    int dropped = 0;
    static void write(void* context, LogLevel, std::string_view, std::string_view line) {
      Sink& sink = *static_cast<Sink*>(context);
      if (line.find("turn ") != 0) return;
      ++sink.dropped;
      if (sink.drops_channels) sink.a->channels.clear();
      sink.a->connection.reset();
    }
  };
  {
    SimEnd a(world, 1);
    Sink sink{&a, drops_channels};
    a.start([&](Configuration& c) {
      c.pull_events = pulls;
      c.log = {Sink::write, &sink, LogLevel::Trace};
      // The network that is given has no TCP, which is found out when the event that asks for a stream is.
      c.ice_servers = {{{"turn:192.0.2.9?transport=tcp"}, "user", "secret"}};
    });
    (void)a.create();
    REQUIRE(a.connection->create_offer());
    for (int i = 0; i < 100 && a.connection; ++i) {
      PeerConnection::Event event;
      while (pulls && a.connection && a.connection->next_event(event)) {
      }
      world.run_for(10ms);
    }
    CHECK(sink.dropped == 1);
    CHECK(a.machine.open_sockets == 0);
    for (const ChannelPtr& channel : a.channels) CHECK(channel->get_ready_state() == ChannelState::Closed);
    a.channels.clear();
    CHECK(a.machine.environment.bytes_in_use() == 0);
  }
}

TEST_CASE("a log sink may drop the connection that is initialized", "[API-21]") {
  struct Sink {
    PeerConnection* connection = nullptr;
    unsigned char* room = nullptr;
    static void write(void* context, LogLevel, std::string_view, std::string_view) {
      Sink& sink = *static_cast<Sink*>(context);
      if (sink.connection == nullptr) return;
      std::exchange(sink.connection, nullptr)->~PeerConnection();
      std::fill_n(sink.room, sizeof(PeerConnection), std::uint8_t{0});  // whoever touches it now is found out
    }
  };
  alignas(PeerConnection) unsigned char room[sizeof(PeerConnection)];
  Sink sink;
  auto* const connection = new (room) PeerConnection();
  Configuration c;
  c.log = {Sink::write, &sink, LogLevel::Trace};
  SECTION("as the connection that it was ends") {
    REQUIRE(connection->initialize(c));
    REQUIRE(connection->create_data_channel("x"));
    sink = {connection, room};
    CHECK(connection->initialize({}).error() == ErrorCode::InvalidState);
  }
  SECTION("as the connection that it is to be reads its certificate") {
    const auto pem = generate_certificate();
    REQUIRE(pem);
    c.certificate = *pem;
    c.ice_servers = {{{"turns:192.0.2.1"}, "user", "secret"}};
    c.trusted_certificates = "none of them";
    sink = {connection, room};
    CHECK(connection->initialize(c).error() == ErrorCode::InvalidState);
  }
  CHECK(sink.connection == nullptr);
  CHECK(std::count(std::begin(room), std::end(room), 0) == std::ptrdiff_t{sizeof room});
}

TEST_CASE("who has handlers cannot pull: nothing is taken from them", "[API-26]") {
  SimPair t;
  t.ours = t.a.create();
  REQUIRE(t.a.connection->create_offer());
  PeerConnection::Event event = PeerConnection::GatheringStateChanged{GatheringState::Complete};
  // At every moment of a connection's life: what waits, waits for poll().
  t.a.machine.poll = [&] {
    if (t.a.connection == nullptr) return;
    CHECK_FALSE(t.a.connection->next_event(event));
    CHECK(t.a.connection->poll());
    CHECK_FALSE(t.a.connection->next_event(event));
  };
  CHECK_FALSE(t.a.connection->next_event(event));
  CHECK(t.a.connection->get_time_to_next_deadline() == Duration::zero());  // the description is still owed
  REQUIRE(t.run_until([&] { return t.a.count("opened") == 1 && !t.b.channels.empty(); }));
  REQUIRE(t.b.channels.front()->send("x"));
  REQUIRE(t.run_until([&] { return t.a.count("message") == 1; }));
  t.b.connection->close();
  REQUIRE(t.run_until([&] { return t.a.count("closed") != 0; }));
  CHECK(t.a.log == std::vector<std::string>{"connecting", "connected", "opened", "message",
                                            "failed RemoteAbort", "closed", "closed"});
  CHECK(std::holds_alternative<PeerConnection::GatheringStateChanged>(event));  // nor was it touched
}
