// ICE restarts: by either end, under load, rolled back, in the middle of things; and offers that restart nothing.
#include "ice/stun_message.h"
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr OfferOptions kRestart{.ice_restart = true};

std::string ufrag_of(const End& end) { return attribute(end.peer.local_description(), "ice-ufrag"); }
std::string pwd_of(const End& end) { return attribute(end.peer.local_description(), "ice-pwd"); }

// Numbered messages from one end to the other, one every 5 ms; all must come, once and in order.
class Stream {
 public:
  Stream(TwoPeers& t, End& from, ChannelHandle out, End& to, ChannelHandle in)
      : t_(t), from_(from), to_(to), out_(out), in_(in) {
    step();
  }
  ~Stream() { *alive_ = false; }
  int sent() const { return sent_; }
  std::size_t received() const { return to_.channels[in_].messages.size(); }
  void finish() {
    *alive_ = false;
    t_.run_until([&] { return received() == static_cast<std::size_t>(sent_); }, 60s);
    for (int i = 0; i < sent_; ++i)
      REQUIRE(to_.channels[in_].messages[static_cast<std::size_t>(i)].data == std::to_string(i));
  }

 private:
  void step() {
    t_.world.after(5ms, [this, alive = alive_] {
      if (!*alive) return;
      if (from_.send(out_, std::to_string(sent_))) ++sent_;
      step();
    });
  }
  TwoPeers& t_;
  End &from_, &to_;
  ChannelHandle out_, in_;
  int sent_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

bool is_over(const TwoPeers& t, const std::string& alice_before, const std::string& bob_before) {
  return t.alice.peer.signaling_state() == SignalingState::Stable && ufrag_of(t.alice) != alice_before &&
         ufrag_of(t.bob) != bob_before;
}

}  // namespace

TEST_CASE("a restart by either end: new credentials on both, and no message is lost, repeated or late",
          "[ICE-RST-01][ICE-NOM-09]") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    TwoPeers t(seed, {.delay = 20ms, .jitter = 5ms, .loss = 0.02});
    const auto [a, b] = t.connect();
    const std::string before[] = {ufrag_of(t.alice), pwd_of(t.alice), ufrag_of(t.bob), pwd_of(t.bob)};
    End &one = seed % 2 == 0 ? t.alice : t.bob, &other = seed % 2 == 0 ? t.bob : t.alice;
    Stream there(t, t.alice, a, t.bob, b), back(t, t.bob, b, t.alice, a);
    t.world.run_for(1s);
    t.negotiate(one, other, kRestart);
    t.run_until([&] { return is_over(t, before[0], before[2]); }, 5s);
    CHECK(pwd_of(t.alice) != before[1]);
    CHECK(pwd_of(t.bob) != before[3]);
    // Data flows throughout: never half a second without a message.
    for (int i = 0; i < 10; ++i) {
      const std::size_t so_far = there.received();
      t.world.run_for(500ms);
      CHECK(there.received() > so_far);
    }
    there.finish();
    back.finish();
    CHECK(t.both_connected());
    CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
    CHECK(t.alice.channels[a].events == std::vector<std::string>{"open"});
  }
}
