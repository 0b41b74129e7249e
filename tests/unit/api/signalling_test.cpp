// Descriptions and candidates of a Peer: what a refused, repeated, crossing or withdrawn one leaves behind.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr std::string_view kCandidate = "candidate:1 1 udp 2130706431 192.0.2.9 9 typ host";

// Alice's offer, set; as text.
std::string offer(TwoPeers& t, End& end) {
  const auto made = end.peer.create_offer(t.world.now());
  REQUIRE(made);
  REQUIRE(end.peer.set_local_description(t.world.now(), SdpType::Offer, *made));
  return *made;
}
std::string answer(TwoPeers& t, End& end, const std::string& offer) {
  REQUIRE(end.peer.set_remote_description(t.world.now(), SdpType::Offer, offer));
  const auto made = end.peer.create_answer(t.world.now());
  REQUIRE(made);
  REQUIRE(end.peer.set_local_description(t.world.now(), SdpType::Answer, *made));
  return *made;
}
bool is_open(const End& end, ChannelHandle channel) {
  return end.channel_state(channel) == ChannelState::Open;
}

// Descriptions that must be refused, made of one that is fine.
std::vector<std::string> refused_versions(const std::string& good) {
  return {"",
          "nonsense",
          without_lines(good, "a=fingerprint"),
          without_lines(good, "a=ice-ufrag"),
          without_lines(good, "a=ice-pwd"),
          replaced(good, attribute(good, "fingerprint"), "sha-256 00:11"),
          good.substr(0, good.size() / 2) + "\r\n=\r\n",
          good + std::string(200'000, 'x')};
}

}  // namespace

TEST_CASE("a refused description leaves everything as it was: in mid exchange, and on a live connection",
          "[SDP-03][SDP-12]") {
  TwoPeers t(1);
  const ChannelHandle channel = t.alice.create({.label = "chat"});
  const std::string first = offer(t, t.alice);
  for (const std::string& bad : refused_versions(first)) {
    CHECK_FALSE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, bad));
    CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
    CHECK(t.bob.peer.connection_state() == ConnectionState::New);
    CHECK(t.bob.peer.create_answer(t.world.now()).error() == ErrorCode::InvalidState);
  }
  const std::string reply = answer(t, t.bob, first);
  for (const std::string& bad : refused_versions(reply)) {
    CHECK_FALSE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, bad));
    CHECK(t.alice.peer.signaling_state() == SignalingState::HaveLocalOffer);
    CHECK(t.alice.peer.local_description().starts_with(first.substr(0, first.find("m="))));
  }
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  t.run_until([&] { return is_open(t.alice, channel) && !t.bob.announced.empty(); }, 60s);
  const auto channels = std::pair(channel, t.bob.announced.back());
  speak(t, channels);

  const auto second = t.alice.peer.create_offer(t.world.now());
  REQUIRE(second);
  const std::string before = t.bob.peer.local_description();
  const auto path = t.bob.peer.stats().selected_path;
  for (const std::string& bad : refused_versions(*second)) {
    CHECK_FALSE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, bad));
    CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
    CHECK(t.bob.peer.local_description() == before);
  }
  t.world.run_for(60s);  // consent goes on with the old credentials
  CHECK(t.bob.peer.stats().selected_path == path);
  CHECK(t.both_connected());
  speak(t, channels);
}

TEST_CASE("a candidate that comes early waits; one that names no section of ours is an error", "[SDP-13]") {
  SECTION("queued before the description, and used after it") {
    TwoPeers t(2);
    t.bob.other = nullptr;  // Alice hears of Bob's candidates by hand
    const ChannelHandle channel = t.alice.create({.label = "chat"});
    REQUIRE(t.alice.peer.add_remote_candidate(t.world.now(), "0", 0,
                                              "candidate:1 1 udp 2130706431 192.0.2.2 5000 typ host"));
    const std::string reply = answer(t, t.bob, offer(t, t.alice));
    t.alice.other = nullptr;  // and Bob of none of hers, so only this one can lead anywhere
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
    t.run_until([&] { return is_open(t.alice, channel); }, 60s);
  }
  SECTION("up to the limit") {
    Limits limits;
    limits.ice_remote_candidates = 5;
    TwoPeers t(3, {}, {}, {}, limits);
    std::size_t taken = 0;
    Status status;
    while (taken < 100 && (status = t.alice.peer.add_remote_candidate(t.world.now(), "0", 0, kCandidate)))
      ++taken;
    CHECK(taken >= 5);
    CHECK(taken <= 6);
    CHECK(status.error() == ErrorCode::LimitReached);
  }
  SECTION("mid and index") {
    TwoPeers t(4);
    t.connect();
    const auto add = [&](std::string_view mid, int index) {
      return t.alice.peer.add_remote_candidate(t.world.now(), mid, index, kCandidate);
    };
    CHECK(add("0", 0));
    CHECK(add("0", 7));  // the mid decides, and the index is not looked at
    CHECK(add("0", -1));
    CHECK(add("", 0));
    CHECK(add("7", 0).error() == ErrorCode::NotFound);
    CHECK(add("", 1).error() == ErrorCode::NotFound);
    CHECK(add("", -1).error() == ErrorCode::InvalidArgument);
    CHECK(t.both_connected());
  }
}

TEST_CASE("a candidate of another generation is ignored, whether its line or its field says so", "[SDP-15]") {
  // Alice knows no address of Bob's but what she is told here, and Bob none of hers.
  const std::string line = "candidate:1 1 udp 2130706431 192.0.2.2 5000 typ host";
  struct Case {
    const char* name;
    std::string line, field;  // "=": the right one, "!": another
    bool connects;
  };
  const Case cases[] = {{"no generation", line, "", true},
                        {"the right one in the field", line, "=", true},
                        {"the right one in the line", line + " ufrag =", "", true},
                        {"another in the field", line, "!", false},
                        {"another in the line", line + " ufrag !", "", false},
                        {"the line counts", line + " ufrag =", "!", true},
                        {"the line counts, too", line + " ufrag !", "=", false}};
  for (const Case& c : cases) {
    for (const bool is_early : {false, true}) {
      INFO(c.name << ", early " << is_early);
      TwoPeers t(5);
      t.alice.other = t.bob.other = nullptr;
      const ChannelHandle channel = t.alice.create({.label = "chat"});
      const std::string reply = answer(t, t.bob, offer(t, t.alice));
      const std::string right = attribute(reply, "ice-ufrag");
      const auto filled = [&](std::string text) {
        for (const auto& [mark, value] : {std::pair{'=', right}, std::pair{'!', std::string("otherOne")}})
          if (!text.empty() && text.back() == mark) return text.substr(0, text.size() - 1) + value;
        return text;
      };
      const auto tell = [&] {
        CHECK(t.alice.peer.add_remote_candidate(t.world.now(), "0", 0, filled(c.line), filled(c.field)));
      };
      if (is_early) tell();
      REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
      if (!is_early) tell();
      t.world.run_for(5s);
      CHECK(is_open(t.alice, channel) == c.connects);
    }
  }
}

TEST_CASE("an empty candidate ends them: for its section, or for all", "[SDP-14]") {
  for (const bool names_section : {true, false}) {
    for (const bool is_told : {true, false}) {
      INFO("names its section " << names_section << ", told " << is_told);
      TwoPeers t(5);
      t.alice.other = t.bob.other = nullptr;  // no candidates but what follows
      t.alice.create({.label = "chat"});
      const std::string reply = answer(t, t.bob, offer(t, t.alice));
      REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
      if (is_told)
        REQUIRE(t.alice.peer.add_remote_candidate(t.world.now(), names_section ? "0" : "",
                                                  names_section ? 0 : -1, ""));
      // One that comes afterwards is not looked at (RFC 8838 §14), so nothing leads to the other end.
      REQUIRE(t.alice.peer.add_remote_candidate(t.world.now(), "0", 0,
                                                "candidate:1 1 udp 2130706431 192.0.2.2 5000 typ host"));
      t.world.run_for(20s);
      CHECK((t.alice.peer.connection_state() == ConnectionState::Connected) == !is_told);
    }
  }
  TwoPeers t(6);
  t.connect();
  CHECK(t.alice.peer.add_remote_candidate(t.world.now(), "7", 0, "").error() == ErrorCode::NotFound);
}

TEST_CASE("rollback: to stable from every state but stable, through either setter", "[SDP-12][SDP-47]") {
  for (const bool through_remote : {false, true}) {
    INFO("through remote " << through_remote);
    const auto roll_back = [&](TwoPeers& t, End& end) {
      return through_remote
                 ? end.peer.set_remote_description(t.world.now(), SdpType::Rollback, "not looked at")
                 : end.peer.set_local_description(t.world.now(), SdpType::Rollback, "not looked at");
    };
    TwoPeers t(7);
    CHECK(roll_back(t, t.alice).error() == ErrorCode::InvalidState);
    // Our offer withdrawn: the other end's is taken instead.
    t.alice.create({.label = "from alice"});
    const ChannelHandle channel = t.bob.create({.label = "from bob"});
    (void)offer(t, t.alice);
    REQUIRE(roll_back(t, t.alice));
    CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
    CHECK(t.alice.peer.local_description().empty());
    // An offer received and withdrawn: nothing is left to answer.
    const std::string theirs = offer(t, t.bob);
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Offer, theirs));
    REQUIRE(roll_back(t, t.alice));
    CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
    CHECK(t.alice.peer.create_answer(t.world.now()).error() == ErrorCode::InvalidState);
    const std::string reply = answer(t, t.alice, theirs);
    REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
    t.run_until([&] { return is_open(t.bob, channel); }, 60s);

    // On a live connection the old credentials, path and data stay.
    const std::string before = t.bob.peer.local_description();
    const std::string ufrag = attribute(before, "ice-ufrag");
    (void)offer(t, t.bob);
    REQUIRE(roll_back(t, t.bob));
    CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
    CHECK(attribute(t.bob.peer.local_description(), "ice-ufrag") == ufrag);
    t.world.run_for(60s);
    CHECK(t.both_connected());
    REQUIRE(t.bob.send(channel, "still here"));
    const auto heard = [&] {
      for (const auto& [handle, log] : t.alice.channels)
        for (const ReceivedMessage& message : log.messages)
          if (message.data == "still here") return true;
      return false;
    };
    t.run_until(heard, 10s);
  }
}

TEST_CASE("rollback of a provisional answer", "[SDP-47]") {
  TwoPeers t(8);
  const ChannelHandle channel = t.alice.create({.label = "chat"});
  const std::string first = offer(t, t.alice);
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, first));
  const auto provisional = t.bob.peer.create_answer(t.world.now());
  REQUIRE(provisional);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Pranswer, *provisional));
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveLocalPranswer);
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Pranswer, *provisional));
  CHECK(t.alice.peer.signaling_state() == SignalingState::HaveRemotePranswer);
  t.run_until([&] { return is_open(t.alice, channel); }, 60s);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Rollback, ""));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Rollback, ""));
  CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
  CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
  CHECK(t.both_connected());
}

TEST_CASE("glare: crossing offers are refused at both ends, until one is withdrawn", "[SDP-12][SDP-48]") {
  TwoPeers t(9);
  const ChannelHandle channel = t.alice.create({.label = "alice"});
  t.bob.create({.label = "bob"});
  const std::string of_alice = offer(t, t.alice), of_bob = offer(t, t.bob);
  CHECK(t.alice.peer.set_remote_description(t.world.now(), SdpType::Offer, of_bob).error() ==
        ErrorCode::InvalidState);
  CHECK(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, of_alice).error() ==
        ErrorCode::InvalidState);
  CHECK(t.alice.peer.signaling_state() == SignalingState::HaveLocalOffer);
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveLocalOffer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Rollback, ""));
  // And with the other end's offer on the table, ours has no place.
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, of_alice));
  CHECK(t.bob.peer.create_offer(t.world.now()).error() == ErrorCode::InvalidState);
  CHECK(t.bob.peer.set_local_description(t.world.now(), SdpType::Offer, of_bob).error() ==
        ErrorCode::InvalidState);
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
  const std::string reply = answer(t, t.bob, of_alice);
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  t.run_until([&] { return is_open(t.alice, channel); }, 60s);
}

TEST_CASE("an offer made again replaces the one on the table, at both ends", "[SDP-50]") {
  TwoPeers t(10), stranger(11);
  CHECK(t.bob.peer.create_answer(t.world.now()).error() == ErrorCode::InvalidState);
  const ChannelHandle channel = t.alice.create({.label = "chat"});
  const std::string first = offer(t, t.alice);
  t.world.run_for(1s);
  const std::string second = offer(t, t.alice);  // with her candidates in it
  CHECK(t.alice.peer.signaling_state() == SignalingState::HaveLocalOffer);
  CHECK(first != second);
  stranger.alice.create({.label = "x"});
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, offer(stranger, stranger.alice)));
  const std::string reply = answer(t, t.bob, second);  // the stranger's is gone
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  t.run_until([&] { return is_open(t.alice, channel); }, 60s);
}

TEST_CASE(
    "an offer without data is answered and starts nothing; data may be offered afterwards, by either end",
    "[SDP-21]") {
  const std::string empty = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  TwoPeers t(13);
  REQUIRE(answer(t, t.bob, empty).find("m=") == std::string::npos);
  t.world.run_for(1s);
  CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
  CHECK(t.bob.peer.connection_state() == ConnectionState::New);
  CHECK(t.bob.peer.gathering_state() == GatheringState::New);
  const bool bob_offers = GENERATE(true, false);
  End &one = bob_offers ? t.bob : t.alice, &other = bob_offers ? t.alice : t.bob;
  const ChannelHandle channel = one.create({.label = "chat"});
  REQUIRE(one.peer.set_remote_description(t.world.now(), SdpType::Answer, answer(t, other, offer(t, one))));
  t.run_until([&] { return is_open(one, channel); }, 60s);
}

TEST_CASE("making a description does nothing; setting takes the one made last, to the letter", "[SDP-51]") {
  TwoPeers t(12);
  t.alice.create({.label = "chat"});
  const auto first = t.alice.peer.create_offer(t.world.now());
  REQUIRE(first);
  t.world.run_for(5s);
  CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
  CHECK(t.alice.peer.gathering_state() == GatheringState::New);
  CHECK(t.alice.peer.connection_state() == ConnectionState::New);
  CHECK(t.alice.candidates.empty());
  CHECK(t.alice.node.datagrams_out() == 0);
  const auto last = t.alice.peer.create_offer(t.world.now());
  REQUIRE(last);
  const auto set = [&](const std::string& text) {
    return t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, text);
  };
  for (const std::string& other : {*first, *last + "a=x\r\n", last->substr(1), std::string()}) {
    if (other == *last) continue;
    CHECK(set(other).error() == ErrorCode::InvalidArgument);
    CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
    CHECK(t.alice.peer.gathering_state() == GatheringState::New);
    CHECK(t.alice.peer.local_description().empty());
  }
  REQUIRE(set(*last));
  CHECK(t.alice.peer.signaling_state() == SignalingState::HaveLocalOffer);
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *last));
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
  const auto reply = t.bob.peer.create_answer(t.world.now());
  REQUIRE(reply);
  CHECK(t.bob.peer.gathering_state() == GatheringState::New);
  CHECK(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *reply + "a=x\r\n").error() ==
        ErrorCode::InvalidArgument);
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
}

TEST_CASE("what was created before an exchange and not set is void after it, at both ends", "[SDP-51]") {
  TwoPeers t(14);
  const ChannelHandle channel = t.alice.create({.label = "alice"});
  t.bob.create({.label = "bob"});
  const auto stale_offer = t.bob.peer.create_offer(t.world.now());
  REQUIRE(stale_offer);
  const std::string first = offer(t, t.alice);
  const auto stale_too = t.alice.peer.create_offer(t.world.now(), {.ice_restart = true});
  REQUIRE(stale_too);
  const std::string reply = answer(t, t.bob, first);
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  for (End* end : {&t.alice, &t.bob}) {
    const std::string before = end->peer.local_description();
    const Status status = end->peer.set_local_description(t.world.now(), SdpType::Offer,
                                                          end == &t.bob ? *stale_offer : *stale_too);
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::InvalidArgument);
    CHECK(end->peer.signaling_state() == SignalingState::Stable);
    CHECK(end->peer.local_description() == before);
  }
  t.run_until([&] { return is_open(t.alice, channel); }, 60s);
  // The other way round: an answer, when the exchange that it was for is over, and the next one has begun.
  const std::string last = answer(t, t.bob, offer(t, t.alice));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, last));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, offer(t, t.alice)));
  const Status status = t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, last);
  REQUIRE_FALSE(status);
  CHECK(status.error() == ErrorCode::InvalidArgument);
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
}

TEST_CASE("the answer to an offer that another one has replaced is void, also when that one restarts ICE",
          "[SDP-50][SDP-51]") {
  TwoPeers t(15);
  const auto channels = t.connect();
  const auto plain = t.alice.peer.create_offer(t.world.now());
  REQUIRE(plain);
  const std::string before = t.bob.peer.local_description();
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *plain));
  const auto stale = t.bob.peer.create_answer(t.world.now());
  REQUIRE(stale);
  const auto restart = t.alice.peer.create_offer(t.world.now(), {.ice_restart = true});
  REQUIRE(restart);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *restart));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *restart));
  for (const SdpType type : {SdpType::Pranswer, SdpType::Answer}) {
    const Status status = t.bob.peer.set_local_description(t.world.now(), type, *stale);
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::InvalidArgument);
  }
  CHECK(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
  CHECK(t.bob.peer.local_description() == before);
  speak(t, channels);
  const auto reply = t.bob.peer.create_answer(t.world.now());
  REQUIRE(reply);
  CHECK(attribute(*reply, "ice-ufrag") != attribute(before, "ice-ufrag"));
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *reply));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *reply));
  t.world.run_for(5s);
  speak(t, channels);
}

TEST_CASE("a provisional answer is set again as the answer, to the letter") {
  TwoPeers t(16);
  const ChannelHandle channel = t.alice.create({.label = "chat"});
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, offer(t, t.alice)));
  const auto reply = t.bob.peer.create_answer(t.world.now());
  REQUIRE(reply);
  for (const SdpType type : {SdpType::Pranswer, SdpType::Pranswer, SdpType::Answer}) {
    REQUIRE(t.bob.peer.set_local_description(t.world.now(), type, *reply));
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), type, *reply));
  }
  t.run_until([&] { return is_open(t.alice, channel); }, 60s);
}

TEST_CASE("an end that used no mid at first is restarted all the same, with the mid of our offer",
          "[SDP-71]") {
  TwoPeers t(17);
  const ChannelHandle channel = t.alice.create({.label = "chat"});
  const std::string first = without_lines(without_lines(offer(t, t.alice), "a=mid"), "a=group");
  const std::string reply = answer(t, t.bob, first);
  CHECK(reply.find("a=mid") == std::string::npos);
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  t.run_until([&] { return is_open(t.alice, channel) && !t.bob.announced.empty(); }, 60s);
  for (End* one : {&t.bob, &t.alice}) {
    End& other = one == &t.bob ? t.alice : t.bob;
    const std::string before = attribute(other.peer.local_description(), "ice-ufrag");
    t.negotiate(*one, other, {.ice_restart = true});
    t.run_until([&] { return one->peer.signaling_state() == SignalingState::Stable; }, 5s);
    CHECK(attribute(other.peer.local_description(), "ice-ufrag") != before);
    CHECK(attribute(other.peer.local_description(), "mid") == "0");
    t.world.run_for(5s);
    speak(t, {channel, t.bob.announced.back()});
  }
}

TEST_CASE("data in the place of a section that was rejected has a mid of its own, and the others keep theirs",
          "[SDP-53]") {
  const auto media = [](const char* kind, const char* mid) {
    return "m=" + std::string(kind) + " 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:" + mid + "\r\n";
  };
  const std::string begin = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  const bool answers_mid = GENERATE(true, false);
  TwoPeers t(18);
  std::vector<Peer::LocalCandidate> told;
  t.bob.edit_candidate = [&](Peer::LocalCandidate& candidate) { told.push_back(candidate); };
  (void)answer(t, t.bob, begin + media("audio", "0") + media("video", "1"));
  const ChannelHandle channel = t.bob.create({.label = "chat"});
  const std::string made = offer(t, t.bob);
  const std::size_t video = made.find("m=video 0 ");
  REQUIRE(video != std::string::npos);
  CHECK(attribute(made, "mid") == "2");
  CHECK(attribute(made.substr(video), "mid") == "1");
  CHECK(attribute(made, "group") == "BUNDLE 2");
  std::string reply = answer(t, t.alice, made);
  if (!answers_mid) reply = without_lines(without_lines(reply, "a=mid:2"), "a=group");
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Answer, reply));
  t.run_until([&] { return is_open(t.bob, channel); }, 60s);
  t.world.run_for(1s);
  REQUIRE(told.size() == 2);
  for (const Peer::LocalCandidate& candidate : told) CHECK(candidate.mid == "2");
  // What was agreed on stays.
  CHECK(attribute(offer(t, t.bob), "mid") == "2");
}

TEST_CASE("each candidate event names its line, its section and its generation, the last one too",
          "[SDP-66]") {
  TwoPeers t(13);
  std::vector<Peer::LocalCandidate> told;
  t.alice.edit_candidate = [&](Peer::LocalCandidate& candidate) { told.push_back(candidate); };
  t.connect();
  REQUIRE(told.size() >= 2);
  const std::string ufrag = attribute(t.alice.peer.local_description(), "ice-ufrag");
  for (std::size_t i = 0; i < told.size(); ++i) {
    INFO(i);
    CHECK(told[i].mid == "0");
    CHECK(told[i].index == 0);
    CHECK(told[i].ufrag == ufrag);
    CHECK(told[i].line.starts_with("candidate:") == (i + 1 < told.size()));
  }
  CHECK(told.back().line.empty());
}
