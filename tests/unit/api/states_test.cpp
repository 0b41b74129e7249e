// Every method in every state says what it should, and a refusal changes nothing; every state can be left by destruction.
#include "unit/api/states.h"

#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

struct Method {
  const char* name;
  std::function<std::string(SimPair&)> call;
  // What each state answers, in the order of kStates; one answer: all of them.
  std::vector<std::string> answers;
};

const Method kMethods[] = {
    {"create_data_channel",
     [](SimPair& t) {
       const auto made = t.a.connection->create_data_channel("x");
       return made ? std::string("OK") : std::string(name_of(made.error().code()));
     },
     {"OK", "OK", "OK", "OK", "OK", "OK", "OK", "Closed", "Closed", "Closed", "OK", "OK"}},
    {"prepare", [](SimPair& t) { return said(t.a.connection->prepare()); }, {"OK"}},
    {"create_offer",
     [](SimPair& t) { return said(t.a.connection->create_offer()); },
     {"InvalidState", "OK", "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"}},
    {"create_answer",
     [](SimPair& t) { return said(t.a.connection->create_answer()); },
     {"InvalidState", "InvalidState", "InvalidState", "OK", "InvalidState", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"}},
    {"set_local_description, another text",
     [](SimPair& t) { return said(t.a.connection->set_local_description("offer", "v=0")); },
     {"InvalidState", "InvalidArgument", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidArgument", "InvalidArgument", "InvalidState", "InvalidState", "InvalidState", "InvalidState",
      "InvalidState"}},
    {"set_remote_description, no such type",
     [](SimPair& t) { return said(t.a.connection->set_remote_description("question", "v=0")); },
     {"InvalidArgument"}},
    {"set_remote_description, an answer nobody asked for",
     [](SimPair& t) { return said(t.a.connection->set_remote_description("answer", "v=0\r\n")); },
     {"InvalidState", "InvalidState", "ParseFailed", "InvalidState", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"}},
    {"set_remote_description, an offer of nonsense",
     [](SimPair& t) { return said(t.a.connection->set_remote_description("offer", "nonsense")); },
     {"ParseFailed", "ParseFailed", "InvalidState", "ParseFailed", "ParseFailed", "ParseFailed",
      "ParseFailed", "InvalidState", "InvalidState", "InvalidState", "ParseFailed", "ParseFailed"}},
    {"add_ice_candidate, no candidate",
     [](SimPair& t) { return said(t.a.connection->add_ice_candidate("0", 0, "nonsense")); },
     {"ParseFailed", "ParseFailed", "ParseFailed", "ParseFailed", "ParseFailed", "ParseFailed", "ParseFailed",
      "Closed", "Closed", "Closed", "ParseFailed", "ParseFailed"}},
    {"add_ice_candidate",
     [](SimPair& t) { return said(t.a.connection->add_ice_candidate("0", 0, kCandidate)); },
     {"OK", "OK", "OK", "OK", "OK", "OK", "OK", "Closed", "Closed", "Closed", "OK", "OK"}},
    {"add_ice_candidate, the end of them",
     [](SimPair& t) { return said(t.a.connection->add_ice_candidate("0", 0, "")); },
     {"OK", "OK", "OK", "OK", "OK", "OK", "OK", "Closed", "Closed", "Closed", "OK", "OK"}},
    {"poll", [](SimPair& t) { return said(t.a.connection->poll()); }, {"OK"}},
    {"flush",
     [](SimPair& t) {
       t.a.connection->flush();
       return std::string(name_of(t.a.connection->get_connection_state()));
     },
     {"new", "new", "connecting", "connecting", "connected", "disconnected", "failed", "failed", "closed",
      "closed", "new", "new"}},
    {"wait",
     [](SimPair& t) { return said(t.a.connection->wait(1s)); },
     {"NotSupported", "NotSupported", "NotSupported", "NotSupported", "NotSupported", "NotSupported",
      "NotSupported", "NotSupported", "NotSupported", "NotSupported", "NotSupported",
      "OK"}},  // what was moved from has the system's network
    {"close",
     [](SimPair& t) {
       t.a.connection->close();
       return std::string(name_of(t.a.connection->get_connection_state()));
     },
     {"closed"}},
    {"initialize",
     [](SimPair& t) {
       const std::string answer = said(t.a.connection->initialize(t.a.machine.configuration()));
       CHECK(t.a.connection->get_connection_state() == ConnectionState::New);
       CHECK(t.a.connection->get_gathering_state() == GatheringState::New);
       CHECK(t.a.connection->get_signaling_state() == SignalingState::Stable);
       return answer;
     },
     {"OK"}},
    {"initialize, malformed",
     [](SimPair& t) {
       Configuration malformed = t.a.machine.configuration();
       malformed.ice_servers.push_back({{"stun:"}, {}, {}});
       return said(t.a.connection->initialize(malformed));
     },
     {"InvalidArgument"}},
    {"channel.send",
     [](SimPair& t) { return t.ours ? said(t.ours->send("x")) : "none"; },
     {"none", "InvalidState", "InvalidState", "none", "OK", "OK", "OK", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState"}},
    {"channel.put_packet, empty",
     [](SimPair& t) { return t.ours ? said(t.ours->put_packet({})) : "none"; },
     {"none", "OK", "OK", "none", "OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"}},
    {"channel.get_packet",
     [](SimPair& t) { return t.ours ? take(t.ours) : "none"; },
     {"none", "(Empty)", "(Empty)", "none", "(Empty)", "(Empty)", "(Empty)", "(Empty)", "(Empty)", "(Empty)",
      "(Empty)", "(Empty)"}},
    {"channel.close",
     [](SimPair& t) {
       if (!t.ours) return std::string("none");
       t.ours->close();
       t.ours->close();
       return std::string(name_of(t.ours->get_ready_state()));
     },
     {"none", "closed", "closed", "none", "closing", "closing", "closing", "closed", "closed", "closed",
      "closed", "closed"}},
};

}  // namespace

TEST_CASE("every method in every state: the answer, and a refusal changes nothing",
          "[API-24][API-33][API-41][API-43][API-44][API-47]") {
  constexpr std::size_t kCount = std::size(kStates);
  for (const Method& method : kMethods) {
    REQUIRE((method.answers.size() == 1 || method.answers.size() == kCount));
    for (std::size_t i = 0; i < kCount; ++i) {
      INFO(method.name << ", " << kStates[i].name);
      SimPair t;
      kStates[i].reach(t);
      t.a.connection->get_stats();
      const Snapshot before(t);
      const std::string answer = method.call(t);
      CHECK(answer == method.answers[method.answers.size() == 1 ? 0 : i]);
      const bool is_refusal = answer != "OK" && answer != "closed" && answer != "closing" && answer != "none";
      if (!is_refusal) continue;
      Snapshot after(t);
      if (before.connection == ConnectionState::New)
        after.memory = before.memory;  // the first call makes the key pair
      CHECK(after == before);
    }
  }
}

TEST_CASE("what is never set reads the same in every state", "[API-37]") {
  for (const State& state : kStates) {
    INFO(state.name);
    SimPair t;
    state.reach(t);
    const PeerConnection& c = *t.a.connection;
    CHECK(c.get_max_message_size() >= 65536);
    (void)c.get_stats();
    int sockets[4];
    CHECK(c.get_sockets(sockets) == c.get_sockets({}));
    if (!t.ours) continue;
    CHECK(t.ours->get_label() == "chat");
    CHECK(t.ours->get_protocol().empty());
    CHECK(t.ours->is_ordered());
    CHECK_FALSE(t.ours->is_negotiated());
    CHECK(t.ours->get_max_retransmits() == DataChannel::kUnset);
    CHECK(t.ours->get_max_packet_life_time() == DataChannel::kUnset);
    CHECK(t.ours->get_priority() == 256);
    CHECK(t.ours->get_buffered_amount() == 0);
    CHECK(t.ours->get_max_packet_size() >= 65536);
    CHECK_FALSE(t.ours->was_string_packet());
  }
}

TEST_CASE("destroyed at any moment of its life, in any order: clean, and one goodbye at most",
          "[API-04][API-46][API-50]") {
  // The life: connect, speak, close a channel, be closed by the other end. Each step is a datagram or a deadline.
  const auto live = [](SimPair& t, int steps) {
    t.ours = t.a.create();
    REQUIRE(t.a.connection->create_offer());
    for (int i = 0; i < steps; ++i) {
      if (!t.world.step()) return false;
      if (t.theirs == nullptr && !t.b.channels.empty()) {
        t.theirs = t.b.channels.front();
        REQUIRE(t.theirs->send(std::string(5000, 'x')));
      }
      if (t.a.count("message") == 1 && t.ours->get_ready_state() == ChannelState::Open) t.ours->close();
      if (t.b.count("closed") == 1) t.b.connection->close();
      if (t.a.connection->get_connection_state() == ConnectionState::Closed) return false;
    }
    return true;
  };
  bool is_alive = true;
  int steps = 0;
  for (; is_alive; ++steps) {
    REQUIRE(steps < 1000);
    for (int order = 0; order < 4; ++order) {
      INFO("after " << steps << " steps, order " << order);
      SimPair t;
      is_alive = live(t, steps);
      const bool was_connected = t.a.connection->get_connection_state() == ConnectionState::Connected;
      const auto log = t.a.log;
      const std::size_t sends = t.a.machine.sends;
      const auto drop_channels = [&] {
        t.a.channels.clear();
        t.ours.reset();
      };
      if (order == 0) drop_channels();
      if (order == 2) t.a.connection->close();
      if (order == 3) REQUIRE(t.a.connection->initialize(t.a.machine.configuration()));
      t.a.connection.reset();
      if (t.ours) {
        CHECK(t.ours->get_ready_state() == ChannelState::Closed);
        CHECK_FALSE(t.ours->send("x"));
        t.ours->close();
      }
      drop_channels();
      CHECK(t.a.log == log);
      // A stream reset where the channel goes first; ABORT and close_notify; what was owed before.
      CHECK(t.a.machine.sends - sends <= 6);
      CHECK(t.a.machine.open_sockets == 0);
      CHECK(t.a.machine.environment.bytes_in_use() == 0);
      if (!was_connected) continue;
      t.world.run_for(1s);
      CHECK(t.b.connection->get_connection_state() == ConnectionState::Closed);
      for (const ChannelPtr& channel : t.b.channels)
        CHECK(channel->get_ready_state() == ChannelState::Closed);
    }
  }
  CHECK(steps > 40);
}

TEST_CASE("a key pair made ahead is the one that the answer names") {
  SimPair t;
  REQUIRE(t.a.connection->prepare());
  const Fingerprint made = t.a.connection->get_stats().local_fingerprint;
  CHECK_FALSE(made == Fingerprint{});
  CHECK(t.a.connection->get_connection_state() == ConnectionState::New);
  CHECK(t.a.machine.open_sockets == 0);
  REQUIRE(t.a.connection->prepare());  // a second time changes nothing
  t.connect();
  CHECK(t.a.connection->get_stats().local_fingerprint == made);
  CHECK(t.b.connection->get_stats().remote_fingerprint == made);
}
