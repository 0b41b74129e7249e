// Whatever a connection is doing, at either end: it can be destroyed, all is given back, its user hears nothing more, and the
// other end is told as far as there is a way.
#include <set>

#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// What an end is doing, layer by layer, in one word for each: signalling, gathering, connection, path, DTLS, SCTP, channel.
std::string state_of(const SimEnd& end) {
  const PeerConnection& c = *end.connection;
  const PeerStats stats = c.get_stats();
  const auto word = [](bool is_so, const char* text) { return is_so ? std::string(text) : std::string("-"); };
  return std::string(name_of(c.get_signaling_state())) + " " + std::string(name_of(c.get_gathering_state())) +
         " " + std::string(name_of(c.get_connection_state())) + " " +
         word(stats.selected_path.has_value(), "path") + " " + word(!stats.dtls_version.empty(), "dtls") +
         " " + word(stats.sctp_cwnd != 0, "sctp") + " " +
         (end.channels.empty() ? "-" : std::string(name_of(end.channels.front()->get_ready_state())));
}

enum class Life { Orderly, Restart, Lost, Provisional };

// One step is a datagram or a deadline. False: this life has ended.
class Story {
 public:
  explicit Story(Life life) : life_(life) {
    if (life == Life::Provisional)
      t.b.connection->session_description_created = [this](const std::string&, const std::string& sdp) {
        t.world.after(5ms, [this, sdp] { hand_over("pranswer", sdp); });
        t.world.after(50ms, [this, sdp] { hand_over("answer", sdp); });
      };
  }
  bool step() {
    if (!begun_) {
      if (t.a.channels.empty()) {
        t.ours = t.a.create();
        return true;
      }
      begun_ = true;
      return t.a.connection->create_offer().has_value();
    }
    if (!t.world.step()) return false;
    if (t.theirs == nullptr && !t.b.channels.empty()) {
      t.theirs = t.b.channels.front();
      REQUIRE(t.theirs->send(std::string(5000, 'x')));
    }
    if (t.a.count("message") == 0) return true;
    if (life_ == Life::Lost) {
      t.cut(true);
      return t.a.connection->get_connection_state() != ConnectionState::Failed ||
             t.b.connection->get_connection_state() != ConnectionState::Failed;
    }
    if (life_ == Life::Restart && !restarted_) restarted_ = t.a.connection->restart_ice().has_value();
    if (life_ == Life::Restart && t.a.connection->get_signaling_state() != SignalingState::Stable)
      return true;
    if (t.ours->get_ready_state() == ChannelState::Open) t.ours->close();
    if (is_closed_) t.b.connection->close();
    is_closed_ = t.b.count("closed") == 1;  // a step later, so that this state is met as well
    return t.a.connection->get_connection_state() != ConnectionState::Closed;
  }

  SimPair t;

 private:
  void hand_over(std::string_view type, const std::string& sdp) {
    if (t.a.connection) (void)t.a.connection->set_remote_description(type, sdp);
  }
  Life life_;
  bool begun_ = false, restarted_ = false, is_closed_ = false;
};

void destroy(SimPair& t, SimEnd& end, bool channels_first) {
  const auto drop_channels = [&] {
    end.channels.clear();
    (&end == &t.a ? t.ours : t.theirs).reset();
  };
  const auto log = end.log;
  if (channels_first) drop_channels();
  end.connection.reset();
  for (const ChannelPtr& channel : end.channels) CHECK(channel->get_ready_state() == ChannelState::Closed);
  drop_channels();
  CHECK(end.log == log);
  CHECK(end.machine.open_sockets == 0);
  CHECK(end.machine.environment.bytes_in_use() == 0);
}

bool has(const std::set<std::string>& seen, std::string_view signaling, std::string_view rest) {
  return std::any_of(seen.begin(), seen.end(), [&](const std::string& state) {
    return state.starts_with(signaling) && state.ends_with(rest);
  });
}

}  // namespace

TEST_CASE(
    "destroyed in every state that either end passes through: all is given back, and the other end is told",
    "[API-04][API-46][API-50]") {
  std::set<std::string> seen[2];  // by the offering end and the answering one
  for (const Life life :
       std::initializer_list<Life>{Life::Orderly, Life::Restart, Life::Lost, Life::Provisional}) {
    std::set<std::string> met[2];  // in this life; a state met before need not be left again
    bool is_alive = true;
    for (int steps = 0; is_alive; ++steps) {
      REQUIRE(steps < 3000);
      for (const bool answerer : {false, true}) {
        Story story(life);
        SimPair& t = story.t;
        is_alive = true;
        for (int i = 0; i < steps && is_alive; ++i) is_alive = story.step();
        SimEnd& end = answerer ? t.b : t.a;
        SimEnd& other = answerer ? t.a : t.b;
        const std::string state = state_of(end);
        INFO("life " << static_cast<int>(life) << ", after " << steps << " steps, "
                     << (answerer ? "answerer" : "offerer") << ": " << state);
        if (!met[answerer].insert(state).second && steps % 8 != 0) continue;
        seen[answerer].insert(state);
        const bool is_up = end.connection->get_connection_state() == ConnectionState::Connected;
        destroy(t, end, steps % 2 == 0);
        if (life == Life::Lost && end.count("message") + other.count("message") != 0)
          continue;  // nobody to tell
        t.world.run_for(1s);
        if (is_up) CHECK(other.connection->get_connection_state() == ConnectionState::Closed);
        // Whoever was not told finds out by itself, or never began.
        CHECK(other.count("connected") <= 1);
      }
    }
  }
  // Nothing is left out: each state of each layer that a connection made through the facade can be in was met and left.
  for (const auto& [signaling, rest] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"stable new new", "- - - -"},
           {"stable new new", "- - - connecting"},
           {"have-local-offer", "- - - connecting"},
           {"have-remote-pranswer", "connecting"},
           {"stable complete connecting", "- - - connecting"},
           {"stable complete connecting", "path - - connecting"},
           {"stable complete connected", "path dtls - connecting"},
           {"stable complete connected", "path dtls sctp connecting"},
           {"stable complete connected", "path dtls sctp open"},
           {"stable complete connected", "path dtls sctp closing"},
           {"stable complete connected", "path dtls sctp closed"},
           {"have-local-offer", "connected path dtls sctp open"},
           {"stable complete disconnected", "open"},
           {"stable complete failed", "open"},
           {"closed", "closed"}}) {
    INFO("the offerer: " << signaling << " ... " << rest);
    CHECK(has(seen[0], signaling, rest));
  }
  for (const auto& [signaling, rest] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"stable new new", "- - - -"},
           {"stable complete connecting", "- - - -"},
           {"stable complete connecting", "path - - -"},
           {"stable complete connected", "path dtls sctp -"},
           {"stable complete connected", "path dtls sctp open"},
           {"stable complete connected", "path dtls sctp closed"},
           {"stable complete disconnected", "open"},
           {"stable complete failed", "open"},
           {"closed", "closed"}}) {
    INFO("the answerer: " << signaling << " ... " << rest);
    CHECK(has(seen[1], signaling, rest));
  }
  std::string all;
  for (const bool answerer : {false, true})
    for (const std::string& state : seen[answerer])
      all += (answerer ? "answerer: " : "offerer: ") + state + "\n";
  INFO(all);
  CHECK(seen[0].size() + seen[1].size() >= 30);
}
