// A whole peer without a network: what it keeps, refuses and says, to the value.
#include "pollrtc/peer.h"

#include <regex>

#include "base/address.h"
#include "base/bytes.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

namespace {

const Address kLocal = *parse_ip("192.0.2.1", 4000), kRemote = *parse_ip("192.0.2.50", 6000);
constexpr std::string_view kCandidate = "candidate:1 1 udp 2130706431 192.0.2.50 6000 typ host";

// P-256, signed with SHA-384.
constexpr std::string_view kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBbjCCARWgAwIBAgIUDbachHLdc/sByjH08GAqpIocapYwCgYIKoZIzj0EAwMw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjIwNjQ0MTFaGA8yMDUxMDcxNDA2NDQxMVow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB0EQLzZ7dRV
MSYdGnLZdp29XmAnI+R528E4Ks3js2fFFSYgG4E60GpCAA79ORA2fwCKuLYepu0R
3HDwB0eV00mjUzBRMB0GA1UdDgQWBBRx3xek8LW3+2DFkRLY91Pi4DpZnTAfBgNV
HSMEGDAWgBRx3xek8LW3+2DFkRLY91Pi4DpZnTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMDA0cAMEQCIFRQc5oO/YF5m5fscWQEnGWEyhr5hEG9Gqwq9U40KQ15
AiAIidDfzFRaZRxREp8Iyn8F12eoWCTT/smBltZKpwM2Sg==
-----END CERTIFICATE-----
)";
constexpr std::string_view kKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgO5Oag4QYC5a+lHsS
GKGkVq4mlrJEb+znnyyBLO1ace+hRANCAAQdBEC82e3UVTEmHRpy2XadvV5gJyPk
edvBOCrN47NnxRUmIBuBOtBqQgAO/TkQNn8Airi2HqbtEdxw8AdHldNJ
-----END PRIVATE KEY-----
)";

struct Rig {
  explicit Rig(const PeerConfig& config = {}, const PeerConfig& bob_config = {})
      : alice(make(environment, config)), bob(make(bob_environment, bob_config)) {
    REQUIRE(alice.create_channel(now, {.label = "chat"}));
  }
  static Peer make(TestEnvironment& environment, const PeerConfig& config) {
    auto peer = Peer::create(environment.env, config, Time{});
    REQUIRE(peer);
    return *std::move(peer);
  }
  std::string offer(const OfferOptions& options = {}) {
    const auto made = alice.create_offer(now, options);
    REQUIRE(made);
    REQUIRE(alice.set_local_description(now, SdpType::Offer, *made));
    return *made;
  }
  void gather() {
    REQUIRE(alice.add_local_address(now, kLocal));
    alice.local_addresses_done(now);
  }
  std::string answer(const std::string& offer) {
    REQUIRE(bob.set_remote_description(now, SdpType::Offer, offer));
    const auto reply = bob.create_answer(now);
    REQUIRE(reply);
    REQUIRE(bob.set_local_description(now, SdpType::Answer, *reply));
    return *reply;
  }
  void accept(const std::string& answer) {
    REQUIRE(alice.set_remote_description(now, SdpType::Answer, answer));
  }
  void wait(Duration time) {
    const Time end = now + time;
    ByteVector out(2560);
    for (;;) {
      while (alice.poll_transmit(now, out)) continue;
      for (Peer::Event event; alice.poll_event(event);) continue;
      if (alice.next_timeout() > end) break;
      now = std::max(now, alice.next_timeout());
      alice.handle_timeout(now);
    }
    now = end;
  }
  Drop dtls(std::size_t size) {
    return alice.handle_datagram(now, Path{kLocal, kRemote}, ByteVector(size, 22));
  }

  Time now{};
  TestEnvironment environment{3}, bob_environment{4};
  Peer alice, bob;
};

std::string line_of(const std::string& text, const std::string& name) {
  std::smatch match;
  REQUIRE(std::regex_search(text, match, std::regex("a=" + name + ":([^\r\n]*)")));
  return match[1];
}

}  // namespace

TEST_CASE("DTLS that comes before our check is through is kept: so many datagrams, none above 1500 bytes",
          "[lim.dtls.pre_verified]") {
  Rig rig;
  const std::string offer = rig.offer();
  rig.gather();
  rig.accept(rig.answer(offer));
  REQUIRE(rig.alice.add_remote_candidate(rig.now, "0", 0, kCandidate));
  CHECK(rig.dtls(1501) == Drop::DtlsEarly);
  rig.environment.fail_allocations_after(0);
  CHECK(rig.dtls(1500) == Drop::OutOfMemory);
  rig.environment.fail_allocations_after(1'000'000);
  const std::size_t most = rig.environment.env.limits.dtls_pre_verified;
  for (std::size_t i = 0; i < most; ++i) CHECK(rig.dtls(i == 0 ? 1500 : 100) == Drop::None);
  CHECK(rig.dtls(100) == Drop::DtlsEarly);
  CHECK(rig.alice.handle_datagram(rig.now, Path{kLocal, kRemote.with_port(1)}, ByteVector(100, 22)) ==
        Drop::UnknownPath);
}

TEST_CASE("a server that is added while we gather is asked in this generation, and calls for no other",
          "[SDP-57]") {
  Rig rig;
  const std::string offer = rig.offer();
  const Address server = *parse_ip("203.0.113.1", 3478);
  REQUIRE(rig.alice.add_stun_server(rig.now, server));
  rig.gather();
  rig.accept(rig.answer(offer));
  rig.wait(60s);
  REQUIRE(rig.alice.gathering_state() == GatheringState::Complete);
  const auto again = rig.alice.create_offer(rig.now);
  REQUIRE(again);
  CHECK(line_of(*again, "ice-ufrag") == line_of(offer, "ice-ufrag"));
}

TEST_CASE("a candidate that names neither section nor index is for all of them", "[SDP-14]") {
  Rig rig;
  const std::string offer = rig.offer();
  rig.gather();
  rig.accept(rig.answer(offer));
  REQUIRE(rig.alice.add_remote_candidate(rig.now, "", -1, ""));
  Rig other;
  const std::string second = other.offer();
  other.gather();
  other.accept(other.answer(second));
  REQUIRE(other.alice.add_remote_candidate(other.now, "", 0, kCandidate));
  CHECK_FALSE(other.alice.add_remote_candidate(other.now, "", 1, kCandidate));
}

TEST_CASE("a certificate that was not signed with SHA-256 is described by two fingerprints",
          "[SDP-04][DTLS-36]") {
  PeerConfig config;
  config.certificate_pem = kCertificate;
  config.private_key_pem = kKey;
  Rig rig(config);
  const std::string offer = rig.offer();
  const std::regex print("a=fingerprint:(sha-[0-9]+) ([0-9A-F:]+)\r\n");
  std::vector<std::string> found;
  for (std::sregex_iterator at(offer.begin(), offer.end(), print), end; at != end; ++at)
    found.push_back((*at)[1].str() + " " + std::to_string((*at)[2].str().size()));
  CHECK(found == std::vector<std::string>{"sha-256 95", "sha-384 143"});
}

TEST_CASE("an end that is lite says so in each of its descriptions") {
  PeerConfig lite;
  lite.ice_lite = true;
  Rig rig({}, lite);
  const std::string offer = rig.offer();
  CHECK(offer.find("a=ice-lite") == std::string::npos);
  CHECK(rig.answer(offer).find("\r\na=ice-lite\r\n") != std::string::npos);
  Rig offers(lite);
  CHECK(offers.offer().find("\r\na=ice-lite\r\n") != std::string::npos);
}

TEST_CASE("an answer for which there is no memory leaves everything as it was, and can be given again",
          "[SDP-03]") {
  bool is_taken = false;
  std::size_t refused = 0;
  for (std::size_t allocations = 0; !is_taken && allocations < 500; ++allocations) {
    Rig rig;
    const std::string offer = rig.offer();
    rig.gather();
    // So that our role in force would be seen to change: without an answer it is that of a server.
    const std::string answer =
        std::regex_replace(rig.answer(offer), std::regex("a=setup:active"), "a=setup:passive");
    rig.environment.fail_allocations_after(allocations);
    const Status status = rig.alice.set_remote_description(rig.now, SdpType::Answer, answer);
    rig.environment.fail_allocations_after(1'000'000);
    if (rig.alice.signaling_state() == SignalingState::Closed) {  // there was not even room to tell of it
      CHECK(rig.alice.stats().close_reason == Close::OutOfMemory);
      continue;
    }
    is_taken = status.has_value();
    if (!is_taken) {
      ++refused;
      CHECK(status.error() == ErrorCode::OutOfMemory);
      CHECK(rig.alice.signaling_state() == SignalingState::HaveLocalOffer);
      CHECK_FALSE(rig.alice.stats().dtls_is_client);
      rig.accept(answer);
    }
    CHECK(rig.alice.signaling_state() == SignalingState::Stable);
    CHECK(rig.alice.stats().dtls_is_client);
  }
  CHECK(is_taken);
  CHECK(refused >= 2);
}

TEST_CASE("an answer with other credentials than the provisional one is refused, and the right one is taken",
          "[SDP-49][SDP-03]") {
  Rig rig;
  const std::string offer = rig.offer();
  rig.gather();
  const std::string answer = rig.answer(offer);
  REQUIRE(rig.alice.set_remote_description(rig.now, SdpType::Pranswer, answer));
  const std::regex ufrag("a=ice-ufrag:[^\r]*"), pwd("a=ice-pwd:[^\r]*");
  for (const std::string& other : {std::regex_replace(answer, ufrag, "a=ice-ufrag:another"),
                                   std::regex_replace(answer, pwd, "a=ice-pwd:anotherPasswordOf24Chars")}) {
    const Status status = rig.alice.set_remote_description(rig.now, SdpType::Answer, other);
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::NotSupported);
    CHECK(rig.alice.signaling_state() == SignalingState::HaveRemotePranswer);
  }
  rig.accept(answer);
  CHECK(rig.alice.signaling_state() == SignalingState::Stable);
}

}  // namespace pollrtc::test
