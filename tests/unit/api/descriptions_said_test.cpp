// What a whole Peer says in its descriptions: that the lines are those of its own configuration, key and limits, and what
// becomes of them from one description to the next.
#include <regex>

#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

std::string offer_of(TwoPeers& t, End& end) {
  const auto made = end.peer.create_offer(t.world.now());
  REQUIRE(made);
  return *made;
}

struct Version {
  std::string user, id, address;
  std::uint64_t version;
};
// The o= line.
Version version_of(const std::string& text) {
  std::smatch m;
  REQUIRE(std::regex_search(text, m, std::regex("o=([^ ]*) ([0-9]+) ([0-9]+) ([^\r\n]*)\r\n")));
  return {m[1], m[2], m[4], std::stoull(m[3])};
}

bool has(const std::string& text, const std::string& line) {
  return text.find("\r\n" + line + "\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a peer's offer has all the lines, with its own port, size, key and tls-id", "[SDP-04]") {
  PeerConfig config;
  config.sctp_port = 6001;
  Limits limits;
  limits.sctp_max_message_rx = 100'000;
  TwoPeers t(1, {}, config, {}, limits, Limits{});
  t.alice.create({.label = "chat"});
  const std::string text = offer_of(t, t.alice);
  INFO(text);
  CHECK(text.find("\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n") != std::string::npos);
  for (const char* line : {"a=mid:0", "a=group:BUNDLE 0", "a=sctp-port:6001", "a=max-message-size:100000",
                           "a=setup:actpass", "a=ice-options:trickle ice2"})
    CHECK(has(text, line));
  const Fingerprint own = t.alice.peer.stats().local_fingerprint;
  CHECK(attribute(text, "fingerprint").size() == std::string("sha-256 ").size() + 32 * 3 - 1);
  CHECK(attribute(text, "ice-ufrag").size() >= 4);
  CHECK(attribute(text, "ice-pwd").size() >= 22);
  CHECK(attribute(text, "tls-id").size() >= 20);
  std::string printed;
  for (const std::uint8_t byte : own.view()) {
    constexpr char kHex[] = "0123456789ABCDEF";
    printed += printed.empty() ? "" : ":";
    printed += {kHex[byte >> 4], kHex[byte & 15]};
  }
  CHECK(attribute(text, "fingerprint") == "sha-256 " + printed);
}

TEST_CASE("each peer has a tls-id of its own, and keeps it while its association lives", "[SDP-72][SDP-55]") {
  TwoPeers t(2);
  const auto channels = t.connect();
  const std::string alice = attribute(t.alice.peer.local_description(), "tls-id"),
                    bob = attribute(t.bob.peer.local_description(), "tls-id");
  CHECK(alice != bob);
  for (const bool restarts : {false, true}) {
    const auto again = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = restarts});
    REQUIRE(again);
    CHECK(attribute(*again, "tls-id") == alice);
  }
  speak(t, channels);
}

TEST_CASE("the origin stays, its version counts every description that differs, also one taken back",
          "[SDP-08]") {
  TwoPeers t(3);
  const auto channels = t.connect();
  const Version first = version_of(t.alice.peer.local_description());
  CHECK(first.user == "-");
  CHECK(first.address == "IN IP4 0.0.0.0");
  CHECK(first.id.size() > 9);  // 63 random bits; as few digits come once in 18 thousand million
  CHECK(first.id != version_of(t.bob.peer.local_description()).id);
  CHECK(first.version < (std::uint64_t{1} << 62));

  // With the candidates in it that were found since, the offer differs; made once more, it does not.
  const Version second = version_of(offer_of(t, t.alice));
  CHECK(second.id == first.id);
  CHECK(second.version == first.version + 1);
  CHECK(version_of(offer_of(t, t.alice)).version == second.version);

  const auto restart = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = true});
  REQUIRE(restart);
  const Version third = version_of(*restart);
  CHECK(third.version == second.version + 1);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *restart));
  t.world.run_for(1s);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Rollback, ""));
  CHECK(version_of(offer_of(t, t.alice)).version ==
        third.version + 1);  // what was rolled back is not used again

  // An answer that differs from the one before counts as well.
  const Version answered = version_of(t.bob.peer.local_description());
  const auto offer = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = true});
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(answer);
  CHECK(version_of(*answer).id == answered.id);
  CHECK(version_of(*answer).version == answered.version + 1);
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  speak(t, channels);
}

TEST_CASE("an answer that restarts ICE unasked, or does not when asked, is refused, and the path goes on",
          "[SDP-52]") {
  TwoPeers t(4);
  const auto channels = t.connect();
  const std::string former = t.bob.peer.local_description();
  for (const bool asks : {false, true}) {
    const auto offer = t.alice.peer.create_offer(t.world.now(), OfferOptions{.ice_restart = asks});
    REQUIRE(offer);
    REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
    REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
    const auto answer = t.bob.peer.create_answer(t.world.now());
    REQUIRE(answer);
    const std::string ufrag = attribute(*answer, "ice-ufrag"), pwd = attribute(*answer, "ice-pwd");
    std::vector<std::string> wrong;
    if (asks) {
      wrong.push_back(replaced(replaced(*answer, ufrag, attribute(former, "ice-ufrag")), pwd,
                               attribute(former, "ice-pwd")));
    } else {
      wrong.push_back(replaced(*answer, ufrag, "another"));
      wrong.push_back(replaced(*answer, pwd, "anotherPasswordOf24Chars"));
    }
    for (const std::string& text : wrong) {
      INFO("asks " << asks << "\n" << text);
      const Status status = t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, text);
      REQUIRE_FALSE(status);
      CHECK(status.error() == ErrorCode::Refused);
      CHECK(t.alice.peer.signaling_state() == SignalingState::HaveLocalOffer);
    }
    REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
    REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
    t.world.run_for(5s);
    speak(t, channels);
  }
}
