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

// A new generation has found a path, and the former one is let go.
bool has_moved(const End& end) {
  const auto& lines = end.environment.log_lines;
  return std::any_of(lines.begin(), lines.end(),
                     [](const std::string& line) { return line.find("restart over") != std::string::npos; });
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

TEST_CASE("a restart that is refused or rolled back leaves all as it was, and the next one works",
          "[ICE-RST-04][SDP-59][SDP-47]") {
  for (const bool alice_restarts : {true, false}) {
    TwoPeers t(21);
    const auto channels = t.connect();
    End& one = alice_restarts ? t.alice : t.bob;
    End& other = alice_restarts ? t.bob : t.alice;
    const std::string before = one.peer.local_description(), ufrag = ufrag_of(one), theirs = ufrag_of(other);
    const Time now = t.world.now();
    const auto offer = one.peer.create_offer(now, kRestart);
    REQUIRE(offer);
    CHECK(attribute(*offer, "ice-ufrag") != ufrag);
    CHECK(offer->find("a=candidate:") == std::string::npos);
    CHECK(ufrag_of(one) == ufrag);  // making an offer changes nothing
    REQUIRE(one.peer.set_local_description(now, SdpType::Offer, *offer));
    CHECK(one.peer.gathering_state() == GatheringState::Gathering);
    CHECK_FALSE(other.peer.set_remote_description(now, SdpType::Offer, without_lines(*offer, "a=ice-pwd")));
    t.world.run_for(40s);  // refused at the other end: consent goes on as it was
    speak(t, channels);
    REQUIRE(other.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
    t.world.run_for(40s);
    speak(t, channels);
    // An answer that does not restart is refused, and changes nothing.
    CHECK_FALSE(one.peer.set_remote_description(now, SdpType::Answer,
                                                replaced(*offer, "setup:actpass", "setup:active")));
    REQUIRE(one.peer.set_local_description(t.world.now(), SdpType::Rollback, {}));
    REQUIRE(other.peer.set_remote_description(t.world.now(), SdpType::Rollback, {}));
    CHECK(one.peer.local_description() == before);
    CHECK(ufrag_of(other) == theirs);
    CHECK(one.peer.gathering_state() == GatheringState::Complete);
    speak(t, channels);
    t.world.run_for(60s);
    CHECK(t.both_connected());
    t.negotiate(one, other, kRestart);
    t.run_until([&] { return is_over(t, alice_restarts ? ufrag : theirs, alice_restarts ? theirs : ufrag); },
                5s);
    t.world.run_for(60s);
    speak(t, channels);
    CHECK(t.both_connected());
    CHECK(attribute(one.peer.local_description(), "ice-ufrag") != attribute(*offer, "ice-ufrag"));
  }
}

TEST_CASE("a restart answered provisionally, and then for good, has the same credentials in both answers",
          "[ICE-RST-01]") {
  TwoPeers t(22);
  const auto channels = t.connect();
  const std::string before = ufrag_of(t.bob);
  const Time now = t.world.now();
  const auto offer = t.alice.peer.create_offer(now, kRestart);
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Offer, *offer));
  std::string named;
  for (const SdpType type : {SdpType::Pranswer, SdpType::Answer}) {
    const auto answer = t.bob.peer.create_answer(t.world.now());
    REQUIRE(answer);
    if (named.empty()) named = attribute(*answer, "ice-ufrag");
    CHECK(named != before);
    CHECK(attribute(*answer, "ice-ufrag") == named);
    REQUIRE(t.bob.peer.set_local_description(t.world.now(), type, *answer));
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), type, *answer));
    t.world.run_for(1s);
  }
  CHECK(ufrag_of(t.bob) == named);
  t.run_until([&] { return has_moved(t.alice) && has_moved(t.bob); }, 60s);
  speak(t, channels);
  CHECK(t.both_connected());
}

TEST_CASE("memory that runs out as the answer to a restart is set: made and set again, the restart works",
          "[ICE-RST-01][API-22]") {
  std::size_t failures = 0;
  for (std::size_t n = 0;; ++n) {
    TwoPeers t(23);
    const auto channels = t.connect();
    const std::string before[] = {ufrag_of(t.alice), ufrag_of(t.bob)};
    const Time now = t.world.now();
    const auto offer = t.alice.peer.create_offer(now, kRestart);
    REQUIRE(offer);
    REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer));
    REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Offer, *offer));
    auto answer = t.bob.peer.create_answer(now);
    REQUIRE(answer);
    INFO("allocation " << n);
    t.bob.environment.fail_allocation(n);
    const Status first = t.bob.peer.set_local_description(now, SdpType::Answer, *answer);
    t.bob.environment.fail_allocation(SIZE_MAX);
    if (!first) {
      ++failures;
      CHECK(first.error() == ErrorCode::OutOfMemory);
      REQUIRE(t.bob.peer.signaling_state() == SignalingState::HaveRemoteOffer);
      speak(t, channels);
      answer = t.bob.peer.create_answer(t.world.now());
      REQUIRE(answer);
      REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
    }
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
    CHECK(is_over(t, before[0], before[1]));
    // The new generation has found a pair: the former one would carry data for ever.
    t.run_until([&] { return has_moved(t.alice) && has_moved(t.bob); }, 60s);
    speak(t, channels);
    CHECK(t.both_connected());
    if (first) break;
  }
  CHECK(failures > 0);
}

TEST_CASE("an offer without a restart repeats credentials and candidates and disturbs nothing",
          "[ICE-RST-08][SDP-53]") {
  TwoPeers t(31);
  const auto channels = t.connect();
  t.world.run_for(2s);
  const std::string first = t.alice.peer.local_description();
  const auto path = t.alice.peer.stats().selected_path;
  const auto again = t.alice.peer.create_offer(t.world.now());
  REQUIRE(again);
  for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint", "tls-id"})
    CHECK(attribute(*again, name) == attribute(first, name));
  CHECK(attribute(first, "candidate").starts_with(attribute(*again, "candidate")));
  CHECK(again->find("a=end-of-candidates") != std::string::npos);
  CHECK(again->find("remote-candidates") == std::string::npos);
  // A line with remote-candidates is read and means nothing.
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *again));
  REQUIRE(t.bob.peer.set_remote_description(
      t.world.now(), SdpType::Offer,
      replaced(*again, "a=ice-ufrag", "a=remote-candidates:1 192.0.2.99 9\r\na=ice-ufrag")));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  CHECK(attribute(*answer, "ice-ufrag") == ufrag_of(t.bob));
  CHECK(attribute(t.bob.peer.local_description(), "candidate").starts_with(attribute(*answer, "candidate")));
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  const std::uint64_t sent = t.alice.peer.stats().datagrams_sent;
  t.world.run_for(3s);
  CHECK(t.alice.peer.stats().datagrams_sent - sent <= 3);  // no check but consent
  CHECK(t.alice.peer.stats().selected_path == path);
  CHECK(t.alice.peer.gathering_state() == GatheringState::Complete);
  speak(t, channels);
}

TEST_CASE("a section that is taken away takes its transport along", "[ICE-RST-08]") {
  TwoPeers t(32);
  const auto [a, b] = t.connect();
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(t.bob.peer.set_remote_description(
      t.world.now(), SdpType::Offer,
      without_lines(replaced(*offer, "m=application 9", "m=application 0"), "a=group")));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  CHECK(answer->find("m=application 0") != std::string::npos);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  CHECK(t.bob.peer.connection_state() == ConnectionState::Closed);
  t.world.run_for(1s);
  CHECK(t.bob.channels[b].events.back() == "closed:Remote");
  CHECK(t.bob.peer.next_timeout() == kNever);
}

TEST_CASE("candidates of a new generation wait for its description; those of an old one mean nothing",
          "[ICE-RST-06]") {
  TwoPeers t(41);
  const auto channels = t.connect();
  const std::string old_candidate = t.alice.candidates.front();
  const std::string alice_before = ufrag_of(t.alice), bob_before = ufrag_of(t.bob);
  t.alice.signalling_delay = 300ms;  // the offer is slow, but its candidates
  t.alice.other = nullptr;
  std::vector<Peer::LocalCandidate> fresh;
  t.alice.edit_candidate = [&](Peer::LocalCandidate& c) { fresh.push_back(c); };
  t.negotiate(t.alice, t.bob, kRestart);
  t.world.run_for(100ms);
  REQUIRE(fresh.size() == 2);
  CHECK(fresh[0].ufrag != alice_before);
  CHECK(fresh[1].line.empty());
  CHECK(fresh[1].ufrag == fresh[0].ufrag);  // ICE-GATH-14: the end of candidates names its generation
  t.run_until([&] { return is_over(t, alice_before, bob_before); }, 5s);
  const Time now = t.world.now();
  // Of the old generation: a candidate, and the end of them. The new one's still count after that.
  CHECK(t.bob.peer.add_remote_candidate(now, "0", 0, old_candidate));
  CHECK(t.bob.peer.add_remote_candidate(now, "0", 0, "", alice_before));
  for (const auto& c : fresh) CHECK(t.bob.peer.add_remote_candidate(now, c.mid, c.index, c.line, c.ufrag));
  t.world.run_for(5s);
  CHECK(t.both_connected());
  CHECK(t.bob.peer.stats().remote_type == CandidateType::Host);
  speak(t, channels);
}

TEST_CASE("a sealed record is taken from any candidate of the peer, checked or not, and from nobody else",
          "[ICE-NOM-08]") {
  const Address other = Address::v4(192, 0, 2, 77, 5000), ours = TwoPeers::kBob.with_port(5000);
  TwoPeers t(
      1,
      [&](sim::World& world) -> sim::Host& {
        return world.add_host({TwoPeers::kAlice, other});
      },
      [](sim::World& world) -> sim::Host& { return world.add_host({TwoPeers::kBob}); });
  t.world.set_link(other, TwoPeers::kBob, {.cut = true});
  const auto [a, b] = t.connect();
  t.world.run_for(5s);
  const auto sealed = [&, a = a](std::string_view text) {
    REQUIRE(t.alice.peer.send(t.world.now(), a, as_bytes(text), true));
    std::vector<std::uint8_t> out(2560);
    const auto transmit = t.alice.peer.poll_transmit(t.world.now(), out);
    REQUIRE(transmit);
    out.resize(transmit->size);
    return out;
  };
  const auto from_stranger = sealed("from nowhere");
  CHECK(t.bob.peer.handle_datagram(t.world.now(), {ours, other.with_port(6001)}, from_stranger) ==
        Drop::UnknownPath);
  t.bob.node.pump(t.world.now());
  CHECK(t.bob.channels[b].messages.empty());
  CHECK(t.bob.peer.handle_datagram(t.world.now(), {ours, other}, from_stranger) == Drop::None);
  CHECK(t.bob.peer.handle_datagram(t.world.now(), {ours, other}, sealed("hello")) == Drop::None);
  t.bob.node.pump(t.world.now());
  CHECK(t.bob.channels[b].messages == std::vector<ReceivedMessage>{{"from nowhere", true}, {"hello", true}});
}

TEST_CASE("a candidate without a generation belongs to the newest description", "[SDP-15]") {
  // It names an address where nobody is: what counts is when Bob's first check goes there.
  static constexpr Address kNobody = Address::v4(192, 0, 2, 77, 7000);
  std::size_t checks = 0;
  PeerConfig config;
  config.tap = {[](void* context, const TappedPacket& packet) {
                  if (packet.is_sent && packet.path.remote == kNobody) ++*static_cast<std::size_t*>(context);
                },
                &checks};
  TwoPeers t(42, sim::LinkConfig{}, PeerConfig{}, config);
  const auto channels = t.connect();
  t.alice.other = t.bob.other = nullptr;  // no other candidate is known at either end
  const auto offer = t.alice.peer.create_offer(t.world.now(), kRestart);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  CHECK(t.bob.peer.add_remote_candidate(t.world.now(), "0", 0,
                                        "candidate:9 1 udp 2130706431 192.0.2.77 7000 typ host"));
  t.world.run_for(3s);
  CHECK(checks == 0);  // the newest description is the one on the table, which is not in force
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  t.world.run_for(3s);
  CHECK(checks > 0);
  speak(t, channels);
}

TEST_CASE("a candidate of a restart that comes before its offer is ignored, and counts when it comes after",
          "[SDP-15]") {
  static constexpr Address kNobody = Address::v4(192, 0, 2, 77, 7000);
  std::size_t checks = 0;
  PeerConfig config;
  config.tap = {[](void* context, const TappedPacket& packet) {
                  if (packet.is_sent && packet.path.remote == kNobody) ++*static_cast<std::size_t*>(context);
                },
                &checks};
  const bool is_early = GENERATE(true, false);
  TwoPeers t(45, sim::LinkConfig{}, PeerConfig{}, config);
  static_cast<void>(t.connect());
  t.alice.other = nullptr;  // Bob hears of no other candidate
  const auto offer = t.alice.peer.create_offer(t.world.now(), kRestart);
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  const auto tell = [&] {
    CHECK(t.bob.peer.add_remote_candidate(t.world.now(), "0", 0,
                                          "candidate:9 1 udp 2130706431 192.0.2.77 7000 typ host",
                                          attribute(*offer, "ice-ufrag")));
  };
  if (is_early) tell();
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  if (!is_early) tell();
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  t.world.run_for(5s);
  CHECK((checks > 0) == !is_early);
  CHECK(t.both_connected());
}

TEST_CASE("servers added after gathering: the next offer restarts ICE without being asked", "[SDP-57]") {
  for (const bool is_turn : {false, true}) {
    INFO("turn " << is_turn);
    TwoPeers t(43);
    const auto channels = t.connect();
    const std::string before = ufrag_of(t.alice);
    REQUIRE(t.alice.peer.gathering_state() == GatheringState::Complete);
    const auto plain = t.alice.peer.create_offer(t.world.now());
    CHECK(attribute(*plain, "ice-ufrag") == before);
    const Address server = Address::v4(203, 0, 113, 99, 3478);
    const Address addresses[] = {server};
    if (is_turn)
      REQUIRE(t.alice.peer.add_turn_server(
          t.world.now(), {.addresses = addresses, .username = "user", .credential = "secret"}));
    else
      REQUIRE(t.alice.peer.add_stun_server(t.world.now(), server));
    CHECK(ufrag_of(t.alice) == before);  // nothing before the offer
    const auto offer = t.alice.peer.create_offer(t.world.now());
    CHECK(attribute(*offer, "ice-ufrag") != before);
    CHECK(attribute(*t.alice.peer.create_offer(t.world.now()), "ice-ufrag") ==
          attribute(*offer, "ice-ufrag"));
    const std::string bob_before = ufrag_of(t.bob);
    t.negotiate(t.alice, t.bob);
    t.run_until([&] { return is_over(t, before, bob_before); }, 5s);
    t.world.run_for(60s);
    const std::string after = ufrag_of(t.alice);
    CHECK(attribute(*t.alice.peer.create_offer(t.world.now()), "ice-ufrag") == after);  // once
    speak(t, channels);
  }
}

TEST_CASE(
    "servers added after gathering: a restart that is rolled back is still owed, and one that was not is not",
    "[SDP-57][SDP-59]") {
  TwoPeers t(44);
  const auto channels = t.connect();
  const std::string before = ufrag_of(t.alice);
  const Address server = Address::v4(203, 0, 113, 99, 3478);
  // A restart for another reason owes nothing when it is withdrawn.
  const auto offer_and_roll_back = [&](const OfferOptions& options) {
    const auto offer = t.alice.peer.create_offer(t.world.now(), options);
    REQUIRE(offer);
    CHECK(attribute(*offer, "ice-ufrag") != before);
    REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
    t.world.run_for(1s);
    REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Rollback, {}));
  };
  offer_and_roll_back(kRestart);
  CHECK(attribute(*t.alice.peer.create_offer(t.world.now()), "ice-ufrag") == before);
  REQUIRE(t.alice.peer.add_stun_server(t.world.now(), server));
  t.alice.stun_servers = {server};
  offer_and_roll_back({});
  offer_and_roll_back({});
  // The other end's restart takes the new generation along: then nothing is owed.
  const std::string bob_before = ufrag_of(t.bob);
  t.negotiate(t.bob, t.alice, kRestart);
  t.run_until([&] { return is_over(t, before, bob_before); }, 5s);
  t.world.run_for(60s);
  CHECK(attribute(*t.alice.peer.create_offer(t.world.now()), "ice-ufrag") == ufrag_of(t.alice));
  speak(t, channels);
}

namespace {

// The machine of one end gets another address while it sends, and the program notices `delay` later.
void move_house(TwoPeers& t, sim::Host& host, End& end, const Address& to, Duration delay) {
  const Address from = host.addresses()[0].with_port(5000);
  t.world.change_addresses(host, {to});
  t.world.after(delay, [&t, &end, from, to] {
    end.move_to({to});
    CHECK(end.peer.remove_local_address(t.world.now(), from));
  });
}

}  // namespace

TEST_CASE("an interface changes its address in mid-transfer: on within 35 s, nothing lost or repeated",
          "[ICE-NAT-04][ICE-RST-01]") {
  for (std::uint64_t seed = 51; seed < 59; ++seed) {
    sim::Host* hosts[2] = {nullptr, nullptr};
    const auto maker = [&](int side) {
      return [&hosts, side](sim::World& world) -> sim::Host& {
        hosts[side] = &world.add_host({Address::v4(192, 0, 2, static_cast<std::uint8_t>(1 + side), 0)});
        return *hosts[side];
      };
    };
    TwoPeers t(seed, maker(0), maker(1));
    const auto [a, b] = t.connect();
    Stream there(t, t.alice, a, t.bob, b), back(t, t.bob, b, t.alice, a);
    t.world.run_for(1s);
    const bool alice_moves = seed % 2 == 0;
    End &mover = alice_moves ? t.alice : t.bob, &other = alice_moves ? t.bob : t.alice;
    const bool notices = seed % 4 < 2;  // else only the silence tells, at the end that offered first
    const auto restart = [&](End& one, End& two) {
      if (two.peer.signaling_state() == SignalingState::Stable) t.negotiate(one, two, kRestart);
    };
    mover.on_restart_needed = [&] { restart(mover, other); };
    other.on_restart_needed = [&] { restart(other, mover); };
    const std::size_t before = there.received(), before_back = back.received();
    const Time then = t.world.now();
    move_house(t, *hosts[alice_moves ? 0 : 1], mover, Address::v4(198, 51, 100, 77, 0),
               notices ? Duration(1s) : Duration(14s));
    t.run_until([&] { return there.received() > before + 300 && back.received() > before_back + 300; }, 35s);
    CHECK(t.world.now() - then < 35s);
    CHECK(mover.peer.stats().selected_path->local == Address::v4(198, 51, 100, 77, 5000));
    t.world.run_for(20s);
    there.finish();
    back.finish();
    CHECK(t.both_connected());
    CHECK(t.alice.states.back() == ConnectionState::Connected);
  }
}

TEST_CASE("a process that stood still for longer than consent lasts asks for a restart, if it offered first",
          "[ICE-NAT-05][ICE-CONS-02]") {
  TwoPeers t(63);
  static_cast<void>(t.connect());
  for (End* const end : {&t.alice, &t.bob}) {
    Peer::Event event;
    while (end->peer.poll_event(event)) continue;
    end->peer.handle_timeout(t.world.now() + 40s);
    CHECK(end->peer.connection_state() == ConnectionState::Failed);
    int asked = 0;
    while (end->peer.poll_event(event)) asked += std::holds_alternative<Peer::RestartNeeded>(event);
    CHECK(asked == (end == &t.alice ? 1 : 0));
  }
}

TEST_CASE("ICE-lite: the server end answers, is told, and carries data; its description says so",
          "[ICE-NOM-10]") {
  for (const bool lite_offers : {true, false}) {
    PeerConfig lite;
    lite.ice_lite = true;
    TwoPeers t(61, {}, lite_offers ? lite : PeerConfig{}, lite_offers ? PeerConfig{} : lite);
    const auto channels = t.connect();
    speak(t, channels);
    End& server = lite_offers ? t.alice : t.bob;
    CHECK(server.peer.local_description().find("a=ice-lite\r\n") != std::string::npos);
    CHECK(server.peer.local_description().find("ice-pacing") == std::string::npos);
    t.world.run_for(300s);
    CHECK(t.both_connected());
    speak(t, channels);
  }
}

TEST_CASE(
    "a restart that would make the second of two ends lite is refused, in offer and answer, and changes "
    "nothing",
    "[ICE-RST-04][SDP-03][SDP-59]") {
  const auto lite = [](const std::string& text) { return replaced(text, "m=", "a=ice-lite\r\nm="); };
  PeerConfig config;
  config.ice_lite = true;
  const bool lite_offers = GENERATE(true, false);
  TwoPeers t(64, {}, config);
  const auto channels = t.connect();
  const std::string before = t.alice.peer.local_description();
  End &one = lite_offers ? t.alice : t.bob, &other = lite_offers ? t.bob : t.alice;
  const auto offer = one.peer.create_offer(t.world.now(), kRestart);
  REQUIRE(offer);
  REQUIRE(one.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  t.world.run_for(1s);
  if (lite_offers) {
    REQUIRE(other.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
    const auto answer = other.peer.create_answer(t.world.now());
    REQUIRE(answer);
    for (int i = 0; i < 2; ++i)
      CHECK(one.peer.set_remote_description(t.world.now(), SdpType::Answer, lite(*answer)).error() ==
            ErrorCode::NotSupported);
    REQUIRE(one.peer.set_local_description(t.world.now(), SdpType::Rollback, {}));
  } else {
    const Status status = other.peer.set_remote_description(t.world.now(), SdpType::Offer, lite(*offer));
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::NotSupported);
    CHECK(other.peer.signaling_state() == SignalingState::Stable);
  }
  CHECK(t.alice.peer.local_description() == before);
  t.world.run_for(40s);
  CHECK(t.both_connected());
  speak(t, channels);
}

TEST_CASE("a pace of one's own is announced, and the default is not", "[ICE-CHK-18]") {
  PeerConfig slow;
  slow.ice_pacing = 120ms;
  TwoPeers t(62, {}, slow);
  speak(t, t.connect());
  CHECK(t.alice.peer.local_description().find("a=ice-pacing:120\r\n") != std::string::npos);
  CHECK(t.bob.peer.local_description().find("ice-pacing") == std::string::npos);
  PeerConfig wrong;
  wrong.ice_pacing = 1ms;
  test::TestEnvironment environment(1);
  CHECK(Peer::create(environment.env, wrong, Time{}).error() == ErrorCode::InvalidArgument);
}
