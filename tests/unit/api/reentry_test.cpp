// Every signal, and from inside its handler every method and the end of every object: the full table, in virtual time.
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

namespace pollrtc::test {
namespace {

constexpr std::string_view kCandidate = "candidate:1 1 udp 2130706431 192.0.2.9 9 typ host";

// A pair that is told of every signal of either end, by name, until its action was done once.
struct Stage {
  using Action = std::function<void(Stage&, SimEnd& self, SimEnd& other)>;

  Stage(std::string_view wanted_signal, const Action& wanted_action)
      : pair([](Configuration& c) {
          c.ice_servers = {{{"turn:203.0.113.250"}, "user", "secret"}};
          c.restart_ice_automatically = false;
        }),
        wanted(wanted_signal),
        action(wanted_action) {
    listen(pair.a, pair.b);
    listen(pair.b, pair.a);
  }

  void on(std::string_view signal, SimEnd& self, SimEnd& other) {
    seen.push_back(std::string(signal));
    if (signal != wanted || was_done) return;
    was_done = true;
    action(*this, self, other);
  }

  void listen(SimEnd& self, SimEnd& other) {
    PeerConnection& c = *self.connection;
    const auto wrap = [&](const char* name) {
      return [this, name, &self, &other](auto&&...) { on(name, self, other); };
    };
    // The signalling has the first two: the other end hears of it whatever the action does.
    c.session_description_created = [this, &self, &other, forward = c.session_description_created](
                                        const std::string& type, const std::string& sdp) {
      forward(type, sdp);
      on("session_description_created", self, other);
    };
    c.ice_candidate_created = [this, &self, &other, forward = c.ice_candidate_created](
                                  const std::string& media, int index, const std::string& name) {
      forward(media, index, name);
      on("ice_candidate_created", self, other);
    };
    c.connection_state_changed = wrap("connection_state_changed");
    c.gathering_state_changed = wrap("gathering_state_changed");
    c.signaling_state_changed = wrap("signaling_state_changed");
    c.ice_server_failed = wrap("ice_server_failed");
    c.data_channel_received = [this, &self, &other](const ChannelPtr& channel) {
      keep(channel, self, other);
      on("data_channel_received", self, other);
    };
  }
  void keep(const ChannelPtr& channel, SimEnd& self, SimEnd& other) {
    const auto wrap = [&](const char* name) {
      return [this, name, &self, &other](auto&&...) { on(name, self, other); };
    };
    channel->opened = wrap("opened");
    channel->closing = wrap("closing");
    channel->closed = wrap("closed");
    channel->failed = wrap("failed");
    channel->message_received = wrap("message_received");
    if (wanted == "data_received") channel->data_received = wrap("data_received");
    channel->buffered_amount_low = wrap("buffered_amount_low");
    channel->message_outcome = wrap("message_outcome");
    self.channels.push_back(channel);
  }

  // Connects, speaks, closes one channel of two, and loses the path.
  void live() {
    for (const char* label : {"chat", "other"}) {
      const auto made = pair.a.connection->create_data_channel(label);
      REQUIRE(made);
      keep(*made, pair.a, pair.b);
    }
    REQUIRE(pair.a.connection->create_offer());
    pair.world.run_for(500ms);
    for (SimEnd* end : {&pair.a, &pair.b}) {
      const auto channels = end->channels;
      for (const ChannelPtr& channel : channels) {
        channel->set_buffered_amount_low_threshold(10);
        (void)channel->send_with_report(1, std::vector<std::uint8_t>(5000));
      }
    }
    pair.world.run_for(500ms);
    if (!pair.a.channels.empty()) pair.a.channels[0]->close();
    pair.world.run_for(500ms);
    if (wanted == "ice_server_failed") pair.world.run_for(60s);  // nobody answers, and that is found out
    pair.cut(true);
    pair.world.run_for(60s + Limits().ice_restart_window);
  }
  // Everything that is still held answers.
  void ask() {
    for (SimEnd* end : {&pair.a, &pair.b}) {
      for (const ChannelPtr& channel : end->channels) {
        (void)channel->get_packet();
        (void)channel->get_label();
        (void)channel->get_ready_state();
      }
      if (end->connection) (void)end->connection->get_stats();
    }
  }

  SimPair pair;
  std::string wanted;
  Action action;
  bool was_done = false;
  std::vector<std::string> seen;
};

constexpr const char* kSignals[] = {"session_description_created",
                                    "ice_candidate_created",
                                    "data_channel_received",
                                    "connection_state_changed",
                                    "gathering_state_changed",
                                    "signaling_state_changed",
                                    "ice_server_failed",
                                    "opened",
                                    "closing",
                                    "closed",
                                    "failed",
                                    "message_received",
                                    "data_received",
                                    "buffered_amount_low",
                                    "message_outcome"};

struct Named {
  const char* name;
  Stage::Action run;
};

// What is called on the connection whose signal it is, and then on the other one.
using OnConnection = void (*)(PeerConnection&, SimEnd&);
struct ConnectionMethod {
  const char* name;
  OnConnection call;
};
const ConnectionMethod kConnectionMethods[] = {
    {"initialize", [](PeerConnection& c, SimEnd& end) { CHECK(c.initialize(end.machine.configuration())); }},
    {"initialize, malformed",
     [](PeerConnection& c, SimEnd& end) {
       Configuration malformed = end.machine.configuration();
       malformed.ice_servers = {{{"stun:"}, {}, {}}};
       CHECK_FALSE(c.initialize(malformed));
     }},
    {"create_data_channel",
     [](PeerConnection& c, SimEnd&) { (void)c.create_data_channel("from a handler"); }},
    {"create_offer", [](PeerConnection& c, SimEnd&) { (void)c.create_offer(); }},
    {"create_answer", [](PeerConnection& c, SimEnd&) { (void)c.create_answer(); }},
    {"restart_ice", [](PeerConnection& c, SimEnd&) { (void)c.restart_ice(); }},
    {"set_local_description",
     [](PeerConnection& c, SimEnd&) { (void)c.set_local_description("offer", "v=0"); }},
    {"rollback", [](PeerConnection& c, SimEnd&) { (void)c.set_local_description("rollback", ""); }},
    {"set_remote_description",
     [](PeerConnection& c, SimEnd&) { (void)c.set_remote_description("offer", "v=0"); }},
    {"remote rollback", [](PeerConnection& c, SimEnd&) { (void)c.set_remote_description("rollback", ""); }},
    {"add_ice_candidate", [](PeerConnection& c, SimEnd&) { (void)c.add_ice_candidate("0", 0, kCandidate); }},
    {"end of candidates", [](PeerConnection& c, SimEnd&) { (void)c.add_ice_candidate("0", 0, ""); }},
    {"next_event",
     [](PeerConnection& c, SimEnd&) {
       PeerConnection::Event event;
       CHECK_FALSE(c.next_event(event));  // what happened is the handlers'
     }},
    {"close", [](PeerConnection& c, SimEnd&) { c.close(); }},
    {"getters",
     [](PeerConnection& c, SimEnd&) {
       (void)c.get_connection_state();
       (void)c.get_gathering_state();
       (void)c.get_signaling_state();
       (void)c.get_max_message_size();
       (void)c.get_stats();
       (void)c.get_time_to_next_deadline();
       int sockets[4];
       (void)c.get_sockets(sockets);
     }},
    {"forget the handlers",
     [](PeerConnection& c, SimEnd&) {
       c.session_description_created = nullptr;
       c.ice_candidate_created = nullptr;
       c.data_channel_received = nullptr;
       c.connection_state_changed = nullptr;
       c.gathering_state_changed = nullptr;
       c.signaling_state_changed = nullptr;
       c.ice_server_failed = nullptr;
     }},
};

struct ChannelMethod {
  const char* name;
  void (*call)(DataChannel&);
};
const ChannelMethod kChannelMethods[] = {
    {"channel: put_packet", [](DataChannel& c) { (void)c.put_packet(std::vector<std::uint8_t>(3000)); }},
    {"channel: get_packet", [](DataChannel& c) { (void)c.get_packet(); }},
    {"channel: send", [](DataChannel& c) { (void)c.send("text"); }},
    {"channel: send_with_report", [](DataChannel& c) { (void)c.send_with_report(7, {}, true); }},
    {"channel: send_piece",
     [](DataChannel& c) { (void)c.send_piece(std::vector<std::uint8_t>(3000), false); }},
    {"channel: send_piece, abandon_message",
     [](DataChannel& c) {
       (void)c.send_piece(std::vector<std::uint8_t>(3000), false);
       (void)c.abandon_message();
     }},
    {"channel: set_receive_in_pieces", [](DataChannel& c) { (void)c.set_receive_in_pieces(true); }},
    {"channel: set_write_mode", [](DataChannel& c) { c.set_write_mode(DataChannel::WRITE_MODE_TEXT); }},
    {"channel: set_buffered_amount_low_threshold",
     [](DataChannel& c) { c.set_buffered_amount_low_threshold(1); }},
    {"channel: poll", [](DataChannel& c) { CHECK(c.poll()); }},
    {"channel: close", [](DataChannel& c) { c.close(); }},
    {"channel: getters",
     [](DataChannel& c) {
       (void)c.get_stats();
       (void)c.get_label();
       (void)c.get_protocol();
       (void)c.get_id();
       (void)c.get_buffered_amount();
       (void)c.get_max_packet_size();
       (void)c.get_available_packet_count();
       (void)c.get_max_retransmits();
       (void)c.get_max_packet_life_time();
       (void)c.get_priority();
       CHECK((c.is_ordered() && !c.is_negotiated()));
     }},
    {"channel: forget the handlers",
     [](DataChannel& c) {
       c.opened = c.closing = c.closed = c.message_received = c.buffered_amount_low = nullptr;
       c.failed = nullptr;
       c.data_received = nullptr;
       c.message_outcome = nullptr;
     }},
};

const Named kEnds[] = {
    {"destroy the connection", [](Stage&, SimEnd& self, SimEnd&) { self.connection.reset(); }},
    {"destroy the other connection", [](Stage&, SimEnd&, SimEnd& other) { other.connection.reset(); }},
    {"destroy the channels", [](Stage&, SimEnd& self, SimEnd&) { self.channels.clear(); }},
    {"destroy the other end's channels", [](Stage&, SimEnd&, SimEnd& other) { other.channels.clear(); }},
    {"destroy the first channel",
     [](Stage&, SimEnd& self, SimEnd&) {
       if (!self.channels.empty()) self.channels.erase(self.channels.begin());
     }},
    {"destroy the last channel",
     [](Stage&, SimEnd& self, SimEnd&) {
       if (!self.channels.empty()) self.channels.pop_back();
     }},
    {"destroy the connection, then the channels",
     [](Stage&, SimEnd& self, SimEnd&) {
       self.connection.reset();
       self.channels.clear();
     }},
    {"destroy the channels, then the connection",
     [](Stage&, SimEnd& self, SimEnd&) {
       self.channels.clear();
       self.connection.reset();
     }},
    {"destroy all of both ends",
     [](Stage&, SimEnd& self, SimEnd& other) {
       for (SimEnd* end : {&other, &self}) {
         end->channels.clear();
         end->connection.reset();
       }
     }},
    {"move the connection to another place",
     [](Stage&, SimEnd& self, SimEnd&) {
       if (self.connection) self.connection = std::make_shared<PeerConnection>(std::move(*self.connection));
     }},
    {"poll and wait",
     [](Stage&, SimEnd& self, SimEnd& other) {
       CHECK(self.connection->poll().error() == ErrorCode::InvalidState);
       CHECK_FALSE(self.connection->wait(0ms));
       PeerConnection* const both[] = {self.connection.get(), other.connection.get()};
       (void)poll_all(both, 0ms);
       CHECK(other.connection->poll());
     }},
};

std::vector<Named> all_actions() {
  std::vector<Named> actions(std::begin(kEnds), std::end(kEnds));
  for (const ConnectionMethod& method : kConnectionMethods)
    actions.push_back({method.name, [&method](Stage&, SimEnd& self, SimEnd& other) {
                         if (self.connection) method.call(*self.connection, self);
                         if (other.connection) method.call(*other.connection, other);
                       }});
  for (const ChannelMethod& method : kChannelMethods)
    actions.push_back({method.name, [&method](Stage&, SimEnd& self, SimEnd& other) {
                         for (SimEnd* end : {&self, &other}) {
                           const auto channels = end->channels;
                           for (const ChannelPtr& channel : channels) method.call(*channel);
                         }
                       }});
  return actions;
}

}  // namespace

TEST_CASE("every signal, and every method and every end from inside its handler",
          "[API-02][API-03][API-28]") {
  for (const Named& action : all_actions()) {
    for (const char* const signal : kSignals) {
      INFO(signal << ": " << action.name);
      Stage stage(signal, action.run);
      stage.live();
      CHECK(stage.was_done);
      stage.ask();
      for (SimEnd* end : {&stage.pair.a, &stage.pair.b}) {
        end->connection.reset();
        end->channels.clear();
        CHECK(end->machine.open_sockets == 0);
        CHECK(end->machine.environment.bytes_in_use() == 0);
      }
    }
  }
}

TEST_CASE("inside a tap or a log sink nothing is received, nothing told, and what is dropped goes afterwards",
          "[API-21]") {
  struct Hook {
    std::function<void()> act;
    void run() {
      if (act) std::exchange(act, nullptr)();
    }
    static void tap(void* context, const TappedPacket&) { static_cast<Hook*>(context)->run(); }
  } hook;
  SimPair t([&](Configuration& c) { c.tap = {Hook::tap, &hook}; });
  t.connect();
  const ChannelPtr second = t.a.create("second");
  REQUIRE(t.theirs->send("waits"));
  t.world.run_for(1s);
  REQUIRE(t.ours->get_available_packet_count() == 1);
  hook.act = [&] { CHECK_FALSE(t.ours->get_packet()); };
  REQUIRE(second->send("y"));
  REQUIRE_FALSE(hook.act);
  CHECK(t.ours->get_available_packet_count() == 1);
  CHECK(take(t.ours) == "waits");

  hook.act = [&] {
    const std::size_t sends = t.a.machine.sends;
    t.a.channels.clear();
    t.ours.reset();
    CHECK(t.a.machine.sends == sends);
  };
  REQUIRE(second->send("z"));
  REQUIRE_FALSE(hook.act);
  t.world.run_for(1s);
  CHECK(t.theirs->get_ready_state() == ChannelState::Closed);

  struct Sink {
    PeerConnection* connection;
    int lines = 0;
    bool was_told = false;
    static void write(void* context, LogLevel, std::string_view, std::string_view) {
      Sink& sink = *static_cast<Sink*>(context);
      PeerConnection::Event event;
      ++sink.lines;
      sink.was_told |= sink.connection->next_event(event);
    }
  };
  SimEnd puller(t.world, 3);
  Sink sink{puller.connection.get()};
  puller.start([&](Configuration& c) {
    c.pull_events = true;
    c.log = {Sink::write, &sink, LogLevel::Trace};
  });
  (void)puller.create();
  REQUIRE(puller.connection->create_offer());
  REQUIRE(puller.connection->poll());
  puller.connection->close();
  CHECK(sink.lines > 2);
  CHECK_FALSE(sink.was_told);
}

}  // namespace pollrtc::test
