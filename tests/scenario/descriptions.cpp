// What descriptions decide, and what a refused one leaves as it was: roles, fingerprints, sizes, sections, rollback.
#include <regex>

#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

std::string other_fingerprint(const std::string& text) {
  const std::string printed = attribute(text, "fingerprint");
  std::string changed = printed;
  changed.back() = changed.back() == '0' ? '1' : '0';
  return replaced(text, printed, changed);
}

std::string offered_active(std::string text) { return replaced(text, "setup:actpass", "setup:active"); }
std::string without_association(std::string text) {
  return replaced(text, "a=sctp-port:5000", "a=sctp-port:0");
}
std::string with_association(std::string text) { return replaced(text, "a=sctp-port:0", "a=sctp-port:5000"); }

}  // namespace

TEST_CASE("each end can be the DTLS client: the offer's setup decides, the ids follow", "[DCEP-02]") {
  for (const bool offerer_is_client : {false, true}) {
    TwoPeers t(1);
    const auto channels = connect_edited(t, offerer_is_client ? TextEdit(offered_active) : nullptr, nullptr);
    CHECK(t.alice.peer.stats().dtls_is_client == offerer_is_client);
    CHECK(t.bob.peer.stats().dtls_is_client == !offerer_is_client);
    CHECK(t.alice.peer.channel(channels.first)->id == (offerer_is_client ? 0 : 1));
    speak(t, channels);
  }
}

TEST_CASE("inside DTLS ours leave SCTP's checksum out towards each other, and towards nobody else") {
  struct Sent {
    int packets = 0, without = 0;
    static void note(void* context, const TappedPacket& packet) {
      Sent& sent = *static_cast<Sent*>(context);
      if (packet.layer != PacketLayer::Sctp || !packet.is_sent) return;
      ++sent.packets;
      if (load_u32(packet.bytes.data() + 8) == 0) ++sent.without;
    }
    bool has_zero() const { return without != 0; }
  };
  const TextEdit foreign = [](std::string text) { return replaced(text, "a=tool:pollrtc\r\n", ""); };
  for (const bool knows_alice : {false, true}) {
    for (const bool knows_bob : {false, true}) {
      INFO("bob knows alice " << knows_alice << ", alice knows bob " << knows_bob);
      Sent by_alice, by_bob;
      PeerConfig alice, bob;
      alice.tap = {Sent::note, &by_alice};
      bob.tap = {Sent::note, &by_bob};
      TwoPeers t(1, {}, alice, bob);
      const auto channels = connect_edited(t, knows_alice ? nullptr : foreign, knows_bob ? nullptr : foreign);
      speak(t, channels);
      // Who takes packets without one has said so, and says it where it knows who asks.
      CHECK(by_alice.has_zero() == knows_alice);
      CHECK(by_bob.has_zero() == knows_bob);
      // INIT and COOKIE ECHO have one in any case (RFC 9653 §5.2).
      CHECK(by_alice.packets - by_alice.without >= 1);
      CHECK(by_bob.packets - by_bob.without >= 1);
    }
  }
}

TEST_CASE("another certificate than the one announced: failed, and no channel ever opens",
          "[API-32][DTLS-04]") {
  for (const bool offerer_is_client : {false, true}) {
    for (const bool alice_is_deceived : {false, true}) {
      INFO("offerer is client " << offerer_is_client << ", alice is deceived " << alice_is_deceived);
      TwoPeers t(2);
      const ChannelHandle a = t.alice.create({.label = "never"});
      const auto edit_offer = [&](std::string text) {
        if (offerer_is_client) text = offered_active(text);
        return alice_is_deceived ? text : other_fingerprint(text);
      };
      negotiate_edited(t, edit_offer, alice_is_deceived ? TextEdit(other_fingerprint) : nullptr);
      End& deceived = alice_is_deceived ? t.alice : t.bob;
      End& other = alice_is_deceived ? t.bob : t.alice;
      t.run_until([&] { return deceived.peer.connection_state() == ConnectionState::Failed; }, 60s);
      t.world.run_for(60s);
      CHECK(deceived.states == std::vector{ConnectionState::Connecting, ConnectionState::Failed});
      CHECK(deceived.peer.stats().close_reason == Close::FingerprintMismatch);
      CHECK(other.peer.connection_state() >= ConnectionState::Failed);
      CHECK(t.bob.announced.empty());
      for (const auto& event : t.alice.channels[a].events) CHECK(event.substr(0, 6) == "closed");
    }
  }
}

TEST_CASE("a description in the wrong state is refused and changes nothing", "[API-43]") {
  TwoPeers t(3);
  const Time now = t.world.now();
  CHECK(t.bob.peer.set_remote_description(now, SdpType::Answer, "v=0").error() == ErrorCode::InvalidState);
  CHECK(t.alice.peer.create_answer(now).error() == ErrorCode::InvalidState);
  CHECK(t.alice.peer.create_offer(now).error() == ErrorCode::InvalidState);  // nothing to offer yet
  CHECK(t.alice.peer.set_local_description(now, SdpType::Offer, "").error() == ErrorCode::InvalidArgument);
  const auto channels = t.connect();
  const std::string local = t.alice.peer.local_description(), remote = t.bob.peer.local_description();
  CHECK(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, remote).error() ==
        ErrorCode::InvalidState);
  CHECK(t.alice.peer.set_local_description(t.world.now(), SdpType::Answer, local).error() ==
        ErrorCode::InvalidState);
  CHECK(t.bob.peer.set_remote_description(t.world.now(), SdpType::Rollback, "").error() ==
        ErrorCode::InvalidState);
  for (const char* text :
       {"", "v=0\r\n", "nonsense", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=x\r\n"})
    CHECK_FALSE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Offer, text));
  CHECK(t.alice.peer.local_description() == local);
  CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
  CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
  speak(t, channels);
}

TEST_CASE("a further exchange that changes nothing leaves the connection alone") {
  TwoPeers t(4);
  const auto channels = t.connect();
  for (const bool alice_offers : {true, false, true}) {
    End& offerer = alice_offers ? t.alice : t.bob;
    End& answerer = alice_offers ? t.bob : t.alice;
    if (!alice_offers) offerer.create({.label = "bob needs one to offer"});
    const Time now = t.world.now();
    const auto offer = offerer.peer.create_offer(now);
    REQUIRE(offer);
    REQUIRE(offerer.peer.set_local_description(now, SdpType::Offer, *offer));
    CHECK(offerer.peer.signaling_state() == SignalingState::HaveLocalOffer);
    REQUIRE(answerer.peer.set_remote_description(now, SdpType::Offer, *offer));
    const auto answer = answerer.peer.create_answer(now);
    REQUIRE(answer);
    REQUIRE(answerer.peer.set_local_description(now, SdpType::Answer, *answer));
    REQUIRE(offerer.peer.set_remote_description(now, SdpType::Answer, *answer));
    CHECK(offerer.peer.signaling_state() == SignalingState::Stable);
    speak(t, channels);
  }
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
}

TEST_CASE("an offer that would restart DTLS is refused, and the connection goes on") {
  TwoPeers t(5);
  const auto channels = t.connect();
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(offer);
  const std::string ufrag = attribute(*offer, "ice-ufrag"), pwd = attribute(*offer, "ice-pwd");
  std::string restarting = replaced(*offer, "a=ice-ufrag:" + ufrag, "a=ice-ufrag:abcdefgh");
  restarting = replaced(restarting, pwd, "0123456789abcdef01234567");
  CHECK(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, other_fingerprint(restarting))
            .error() == ErrorCode::NotSupported);
  CHECK_FALSE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, other_fingerprint(*offer)));
  CHECK(t.bob.peer.signaling_state() == SignalingState::Stable);
  speak(t, channels);
}

TEST_CASE("rollback: an offer taken back makes room for the other end's") {
  TwoPeers t(6);
  t.alice.create({.label = "from alice"});
  const ChannelHandle b = t.bob.create({.label = "from bob"});
  const Time now = t.world.now();
  const auto offer_a = t.alice.peer.create_offer(now), offer_b = t.bob.peer.create_offer(now);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer_a));
  REQUIRE(t.bob.peer.set_local_description(now, SdpType::Offer, *offer_b));
  CHECK(t.alice.peer.set_remote_description(now, SdpType::Offer, *offer_b).error() ==
        ErrorCode::InvalidState);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Rollback, ""));
  CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
  CHECK_FALSE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer_a));  // its text is void
  REQUIRE(t.alice.peer.set_remote_description(now, SdpType::Offer, *offer_b));
  const auto answer = t.alice.peer.create_answer(now);
  REQUIRE(answer);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Answer, *answer));
  REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Answer, *answer));
  t.run_until([&] { return t.bob.channel_state(b) == ChannelState::Open && !t.alice.announced.empty(); },
              30s);
  speak(t, {t.alice.announced[0], b});
}

TEST_CASE("rollback of an offer received: the next one counts") {
  TwoPeers t(7), stranger(8);
  stranger.alice.create({.label = "x"});
  const auto other_offer = stranger.alice.peer.create_offer(stranger.world.now());
  REQUIRE(other_offer);
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *other_offer));
  REQUIRE(t.bob.peer.create_answer(t.world.now()));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Rollback, ""));
  CHECK_FALSE(t.bob.peer.can_trickle());  // nothing of it is left
  speak(t, t.connect());
}

TEST_CASE("an offer with audio and video beside the data: those are rejected, the data connects") {
  TwoPeers t(9);
  const ChannelHandle a = t.alice.create({.label = "third section"});
  const Time now = t.world.now();
  const auto own_offer = t.alice.peer.create_offer(now);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *own_offer));
  // A browser's offer with Alice's credentials in it.
  std::string offer = test::read_test_file("vectors/sdp/offer-derived-audio-video-data.sdp");
  for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint"})
    offer = std::regex_replace(offer, std::regex("a=" + std::string(name) + ":[^\r\n]*"),
                               "a=" + std::string(name) + ":" + attribute(*own_offer, name));
  t.alice.edit_candidate = [](Peer::LocalCandidate& c) { c.mid = "a", c.index = 0; };
  t.bob.edit_candidate = [](Peer::LocalCandidate& c) {
    CHECK(c.mid == "d");
    CHECK(c.index == 2);
    c.mid = "0", c.index = 0;
  };
  REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Offer, offer));
  const auto answer = t.bob.peer.create_answer(now);
  REQUIRE(answer);
  INFO(*answer);
  REQUIRE(t.bob.peer.set_local_description(now, SdpType::Answer, *answer));
  const std::size_t audio = answer->find("m=audio 0 "), video = answer->find("m=video 0 "),
                    data = answer->find("m=application 9 ");
  REQUIRE(audio != std::string::npos);
  REQUIRE(video != std::string::npos);
  REQUIRE(data != std::string::npos);
  CHECK((audio < video && video < data));
  // Alice, who offered the data alone, gets the part that answers it.
  std::string reduced = answer->substr(0, audio) + answer->substr(data);
  reduced = std::regex_replace(reduced, std::regex("a=mid:d"), "a=mid:0");
  reduced = std::regex_replace(reduced, std::regex("a=group:BUNDLE[^\r\n]*"), "a=group:BUNDLE 0");
  REQUIRE(t.alice.peer.set_remote_description(now, SdpType::Answer, reduced));
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              30s);
  speak(t, {a, t.bob.announced[0]});
}

TEST_CASE("data in a second exchange, when the first had none: its candidates count") {
  TwoPeers t(10);
  t.bob.other = nullptr;  // Alice learns nothing of Bob but by his checks
  std::string media = test::read_test_file("vectors/sdp/offer-derived-audio-video-data.sdp");
  media.resize(media.find("m=video"));
  media = std::regex_replace(media, std::regex("a=group:BUNDLE[^\r\n]*"), "a=group:BUNDLE a");
  const Time now = t.world.now();
  REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Offer, media));
  const auto rejection = t.bob.peer.create_answer(now);
  REQUIRE(rejection);
  REQUIRE(t.bob.peer.set_local_description(now, SdpType::Answer, *rejection));
  // The next offer comes with all its candidates inside.
  const ChannelHandle a = t.alice.create({.label = "later"});
  t.alice.other = nullptr;
  const auto own_offer = t.alice.peer.create_offer(now);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *own_offer));
  t.run_until([&] { return t.alice.peer.gathering_state() == GatheringState::Complete; }, 5s);
  std::string offer = t.alice.peer.local_description();
  const std::size_t section = offer.find("m=application");
  std::string candidate = "a=" + t.alice.candidates[0] + "\r\n";
  offer = offer.substr(0, section) + media.substr(media.find("m=audio")) +
          std::regex_replace(without_lines(offer.substr(section), "a=candidate:"), std::regex("a=sctp-port"),
                             candidate + "a=sctp-port");
  offer = std::regex_replace(offer, std::regex("a=group:BUNDLE[^\r\n]*"), "a=group:BUNDLE 0");
  offer = replaced(offer, "o=" + offer.substr(offer.find("o=") + 2, offer.find("s=-") - offer.find("o=") - 4),
                   media.substr(media.find("o="), media.find("s=-") - media.find("o=") - 2));
  offer = replaced(offer, "6370798 4", "6370798 5");
  INFO(offer);
  const Status accepted = t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, offer);
  if (!accepted) FAIL(accepted.error().detail());
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  std::string reduced =
      answer->substr(0, answer->find("m=audio")) + answer->substr(answer->find("m=application"));
  reduced = without_lines(reduced, "a=candidate:");
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, reduced));
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              30s);
  speak(t, {a, t.bob.announced[0]});
}

// RFC 8841 §9.3, §10.3, §10.4: DTLS stands, without an association. Our answer to an offer of 0 has 0 as well.
TEST_CASE("sctp-port 0, of the offer or the answer: connected, and every channel closes", "[SDP-44]") {
  const bool is_offered = GENERATE(true, false);
  TwoPeers t(20);
  const ChannelHandle a = t.alice.create({.label = "a"});
  const ChannelHandle b = t.bob.create({.label = "b"});
  const TextEdit edit = without_association;
  negotiate_edited(t, is_offered ? edit : nullptr, is_offered ? nullptr : edit);
  t.world.run_for(3s);  // time for INITs of an end that was not told
  const std::vector<std::string> closed{"closed:" + std::string(name_of(Close::Remote))};
  CHECK(t.both_connected());
  CHECK(t.alice.channels[a].events == closed);
  CHECK(t.alice.channel_state(a) == ChannelState::Closed);
  const auto late = t.alice.peer.create_channel(t.world.now(), {.label = "late"});
  REQUIRE_FALSE(late);
  CHECK(late.error() == ErrorCode::Closed);
  CHECK(late.error().detail().find("a=sctp-port:0") != std::string_view::npos);
  CHECK(t.bob.announced.empty());
  const std::uint64_t unread = t.alice.peer.stats().drops[static_cast<std::size_t>(Drop::NoSession)];
  if (is_offered) {
    CHECK(t.bob.channels[b].events == closed);
    CHECK(unread == 0);
  } else {
    CHECK(unread != 0);
  }

  // Its records do not hide that the other end is gone.
  t.bob.peer.close(t.world.now());
  t.world.run_for(1s);
  CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
  CHECK(t.alice.peer.stats().close_reason == Close::Remote);
}

// RFC 8841 §10.3, §10.4: what lives is closed, by both; ICE and DTLS stay.
TEST_CASE("sctp-port 0 in a later exchange: what was sent arrives, every channel closes, connected",
          "[SDP-44]") {
  TwoPeers t(21);
  const auto [a, b] = t.connect();
  const std::string large(100'000, 'x');
  REQUIRE(t.alice.send(a, large));
  REQUIRE(t.bob.send(b, large));
  negotiate_edited(t, without_association, nullptr);
  for (End* end : {&t.alice, &t.bob}) {
    const auto late = end->peer.create_channel(t.world.now(), {.label = "late"});
    REQUIRE_FALSE(late);
    CHECK(late.error() == ErrorCode::Closed);
  }
  t.world.run_for(3s);
  for (const auto& [end, channel] : {std::pair(&t.alice, a), std::pair(&t.bob, b)}) {
    const ChannelLog& seen = end->channels[channel];
    CHECK(seen.messages == std::vector<ReceivedMessage>{{large, true}});
    CHECK(seen.events.back() == "closed:" + std::string(name_of(Close::Remote)));
    CHECK(end->channel_state(channel) == ChannelState::Closed);
  }

  // The path is watched as before, and an association in the place of the old one is refused.
  const auto offer = t.alice.peer.create_offer(t.world.now(), {.ice_restart = true});
  REQUIRE(offer);
  CHECK(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, with_association(*offer)).error() ==
        ErrorCode::NotSupported);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  CHECK(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, with_association(*answer))
            .error() == ErrorCode::NotSupported);
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  t.world.run_for(60s);
  CHECK(t.both_connected());
  t.bob.peer.close(t.world.now());
  t.world.run_for(1s);
  CHECK(t.alice.peer.stats().close_reason == Close::Remote);
}

TEST_CASE(
    "an association that ends before the answer comes: sctp-port 0 explains it, else the connection ends",
    "[SDP-44]") {
  TwoPeers t(22);
  const auto [a, b] = t.connect();
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, without_association(*offer)));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  t.world.run_for(500ms);
  CHECK(t.both_connected());
  CHECK(t.alice.channel_state(a) == ChannelState::Closed);
  CHECK(t.bob.channel_state(b) == ChannelState::Closed);
  SECTION("explained") {
    CHECK(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
    t.world.run_for(3s);
    CHECK(t.both_connected());
  }
  SECTION("not explained") {
    CHECK(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, with_association(*answer)));
    CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
    CHECK(t.alice.peer.stats().close_reason == Close::Remote);
  }
  SECTION("taken back") {
    CHECK(t.alice.peer.set_local_description(t.world.now(), SdpType::Rollback, {}));
    CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
  }
}

TEST_CASE("who is gone is gone, also while an offer has no answer", "[API-30]") {
  TwoPeers t(23);
  t.connect();
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  t.bob.peer.close(t.world.now());
  t.run_until([&] { return t.alice.peer.connection_state() == ConnectionState::Closed; }, 1s);
  CHECK(t.alice.peer.stats().close_reason == Close::RemoteAbort);
}

TEST_CASE("the other end's largest message is obeyed: stated, without bound, unsaid", "[API-09]") {
  const auto with_size = [](const std::string& line) {
    return [line](const std::string& text) { return replaced(text, "a=max-message-size:262144\r\n", line); };
  };
  {
    TwoPeers t(11);
    const auto [a, b] = connect_edited(t, nullptr, with_size("a=max-message-size:100\r\n"));
    CHECK(t.alice.peer.max_message_size() == 100);
    const auto before = t.alice.peer.stats().datagrams_sent;
    CHECK(t.alice.send(a, std::string(101, 'x')).error() == ErrorCode::TooLarge);
    CHECK(t.alice.peer.channel(a)->buffered_amount == 0);
    CHECK(t.alice.peer.stats().datagrams_sent == before);
    REQUIRE(t.alice.send(a, std::string(100, 'x')));
    t.world.run_for(1s);
    CHECK(t.bob.channels[b].messages == std::vector<ReceivedMessage>{{std::string(100, 'x'), true}});
  }
  {
    TwoPeers t(12);
    connect_edited(t, nullptr, with_size(""));
    CHECK(t.alice.peer.max_message_size() == 65536);
    CHECK(t.bob.peer.max_message_size() == 262144);
  }
  {
    Limits limits;
    limits.sctp_max_message_rx = 3u << 20;
    limits.sctp_rx_window = 4u << 20;
    TwoPeers t(13, {}, {}, {}, limits);
    const auto [a, b] = connect_edited(t, nullptr, [](const std::string& text) {
      return std::regex_replace(text, std::regex("max-message-size:[0-9]+"), "max-message-size:0");
    });
    CHECK(t.alice.peer.max_message_size() == limits.sctp_tx_buffer_channel);
    REQUIRE(t.alice.send(a, std::string(1'500'000, 'y')));
    t.run_until([&, b = b] { return !t.bob.channels[b].messages.empty(); }, 30s);
    CHECK(t.bob.channels[b].messages[0].data.size() == 1'500'000);
  }
}
