// ATK-21: descriptions made to hurt. The grammar's own cases stand in tests/unit/sdp/torture_test.cpp.
#include <ctime>

#include "pollrtc/peer.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;

namespace {

constexpr Time kNow{};

std::string honest_offer() {
  static const std::string kOffer = [] {
    test::TestEnvironment environment(9);
    Peer peer = *Peer::create(environment.env, {}, kNow);
    REQUIRE(peer.create_channel(kNow, {.label = "x"}));
    return *peer.create_offer(kNow);
  }();
  return kOffer;
}

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string text;
  while (text.size() + part.size() <= bytes) text += part;
  return text;
}

double seconds_of_cpu() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Outcome {
  bool accepted;
  std::size_t heap;
  double seconds;
};
Outcome give(const std::string& text, const Limits& limits) {
  test::TestEnvironment environment(10);
  environment.env.limits = limits;
  Peer peer = *Peer::create(environment.env, {}, kNow);
  const std::size_t heap = environment.bytes_in_use();
  const double begin = seconds_of_cpu();
  const Status status = peer.set_remote_description(kNow, SdpType::Offer, text);
  Outcome outcome{status.has_value(), environment.peak_bytes() - heap, seconds_of_cpu() - begin};
  // Refused, it changes nothing: the next one is taken.
  if (!status) {
    CHECK(peer.signaling_state() == SignalingState::Stable);
    CHECK(peer.set_remote_description(kNow, SdpType::Offer, honest_offer()));
  }
  return outcome;
}

}  // namespace

TEST_CASE(
    "bombs of SDP: as large as is taken, all of one kind, are read or refused in time and memory of their "
    "size",
    "[ATK-21]") {
  const std::string head = honest_offer();
  const std::vector<std::string> parts = {
      "a=candidate:1 1 udp 2130706431 192.0.2.9 9 typ host\r\n",
      "a=candidate:1 1 udp 1 " + std::string(200, '1') + ".local 9 typ host\r\n",
      "a=fingerprint:sha-256 " + repeated("AA:", 93) + "AA\r\n",
      "a=group:BUNDLE " + repeated("x ", 4000) + "\r\n",
      "a=group:BUNDLE 0\r\n",
      "a=ice-ufrag:abcd\r\n",
      "a=ice-options:" + repeated("trickle ", 4000) + "\r\n",
      "a=mid:0\r\n",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
      "m=audio 9 UDP/TLS/RTP/SAVPF " + repeated("111 ", 4000) + "\r\n",
      "a=ssrc-group:FID " + repeated("1 ", 4000) + "\r\n",
      "a=x\r\n",
      "a=" + std::string(4000, 'x') + "\r\n",
      "\r\n",
      "=",
  };
  for (const bool is_small : {false, true}) {
    const Limits limits = is_small ? Limits::small() : Limits{};
    for (const std::string& part : parts) {
      CAPTURE(is_small, part.substr(0, 40));
      const std::size_t room = limits.sdp_size - head.size();
      const Outcome half = give(head + repeated(part, room / 8), limits);
      const Outcome whole = give(head + repeated(part, room), limits);
      CHECK(whole.heap <= 64 * 1024);
      // Eight times the text may take eight times the time; one with the square of it would take 64 times.
      CHECK(whole.seconds < 0.05 + 30 * half.seconds);
      CHECK(whole.seconds < 0.5);
      const Outcome beyond = give(head + repeated(part, room) + std::string(part.size() + 1, 'x'), limits);
      CHECK_FALSE(beyond.accepted);
    }
  }
}

TEST_CASE("the same by candidates that are signalled one by one", "[ATK-21]") {
  test::TestEnvironment environment(11);
  Peer peer = *Peer::create(environment.env, {}, kNow);
  REQUIRE(peer.set_remote_description(kNow, SdpType::Offer, honest_offer()));
  const std::size_t heap = environment.bytes_in_use();
  for (int i = 0; i < 2000; ++i) {
    const std::string line = "candidate:" + std::to_string(i) + " 1 udp 1 192.0." + std::to_string(i / 250) +
                             "." + std::to_string(i % 250 + 1) + " 9 typ host " + repeated("x y ", 3000);
    (void)peer.add_remote_candidate(kNow, "0", 0, line);
  }
  CHECK(environment.peak_bytes() - heap < 64 * 1024);
}
