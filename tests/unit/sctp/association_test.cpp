// The engine as a whole: its calls, the laws of engines, and what happens when memory runs out.
#include "scripted_peer.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

TEST_CASE("wrong calls are refused and change nothing") {
  ScriptedPeer peer;
  const std::array<std::uint8_t, 1> message = {1};
  CHECK(peer.association.send(peer.now, {}, message).error() == ErrorCode::InvalidState);
  CHECK(peer.association.reset_stream(peer.now, 0).error() == ErrorCode::InvalidState);
  Message out(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(out));
  peer.association.release(0);
  peer.association.set_buffer_low_threshold(1, 1);
  peer.association.set_stream_priority(1, 1);
  CHECK(peer.association.buffered_amount(1) == 0);
  CHECK(peer.association.buffered_total() == 0);
  peer.association.handle_timeout(peer.now);
  CHECK(peer.association.next_timeout() == kNever);
  CHECK(peer.is_silent());
  peer.establish_passively();
  CHECK(peer.association.send(peer.now, {}, {}).error() == ErrorCode::InvalidArgument);
  CHECK(peer.association.send(peer.now, {.stream = 65535}, message).error() == ErrorCode::InvalidArgument);
  const ByteVector huge(peer.environment.env.limits.sctp_tx_buffer + 1);
  CHECK(peer.association.send(peer.now, {}, huge).error() == ErrorCode::TooLarge);
  CHECK(peer.association.buffered_total() == 0);
  CHECK(peer.association.connect(peer.now));  // the peer was quicker: nothing left to do
  CHECK(peer.is_silent());
}

TEST_CASE("messages of all sizes echo over a bad link, whole and in order, in packets that fit",
          "[SCTP-DATA-06][SCTP-PKT-18]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    TwoAssociations pair({}, seed);
    pair.connect();
    pair.link = {.delay = 15ms, .loss = 0.1, .reorder = 0.3, .duplicate = 0.1};
    std::vector<ByteVector> sent;
    for (const std::size_t size : {1u, 2u, 1160u, 1161u, 5000u, 30000u, 3u, 70000u}) {
      ByteVector message(size);
      for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::uint8_t>(i * 7 + seed);
      REQUIRE(pair.a.association->send(pair.now, {.stream = 2, .ppid = 53}, message));
      sent.push_back(std::move(message));
    }
    std::size_t echoed = 0;
    REQUIRE(pair.run_until(
        [&] {
          for (; echoed < pair.b.received.size(); ++echoed) {
            REQUIRE(pair.b.association->send(pair.now, {.stream = 9, .ppid = 53},
                                             pair.b.received[echoed].second));
          }
          return pair.a.received.size() == sent.size();
        },
        300s));
    for (std::size_t i = 0; i < sent.size(); ++i) CHECK(pair.a.received[i].second == sent[i]);
    CHECK(pair.largest_packet <= 1188);
  }
}

TEST_CASE("handling the next deadline makes progress, and the one after it is later") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TwoAssociations pair({}, seed);
    pair.connect();
    const ByteVector message(20000, 1);
    REQUIRE(pair.a.association->send(pair.now, {}, message));
    pair.link.loss = 1;
    Association& a = *pair.a.association;
    Time now = pair.now;
    for (int i = 0; i < 200 && a.state() != State::Closed; ++i) {
      std::array<std::uint8_t, 1500> out;
      for (int packets = 0; a.poll_packet(now, out) != 0; ++packets) REQUIRE(packets < 1000);
      const Time due = a.next_timeout();
      REQUIRE(due != kNever);
      now = std::max(now, due);
      a.handle_timeout(now);
      REQUIRE(a.next_timeout() > due);
    }
    CHECK(a.state() == State::Closed);
  }
}

TEST_CASE("the same seed and the same inputs give the same bytes out") {
  const auto run = [] {
    std::string trace;
    ScriptedPeer peer;
    peer.establish_actively();
    const ByteVector message(3000, 1);
    REQUIRE(peer.association.send(peer.now, {}, message));
    for (int i = 0; i < 20; ++i) {
      std::array<std::uint8_t, 1500> out;
      while (const std::size_t size = peer.association.poll_packet(peer.now, out))
        trace += to_hex(Bytes(out).first(size));
      peer.now = peer.association.next_timeout();
      peer.association.handle_timeout(peer.now);
    }
    return trace;
  };
  CHECK(run() == run());
}

TEST_CASE("each allocation may fail: no crash, no leak, and the link heals or ends") {
  for (std::size_t successes = 0; successes < 60; ++successes) {
    INFO(successes);
    TwoAssociations pair({}, 3);
    pair.a.environment.fail_allocations_after(successes);
    static_cast<void>(pair.a.association->connect(pair.now));
    static_cast<void>(pair.b.association->connect(pair.now));
    pair.run_for(5s);
    const ByteVector message(9000, 1);
    for (auto* end : {&pair.a, &pair.b}) {
      static_cast<void>(end->association->send(pair.now, {.stream = 1}, message));
      static_cast<void>(
          end->association->send(pair.now, {.stream = 2, .unordered = true, .max_retransmits = 0}, message));
      static_cast<void>(end->association->reset_stream(pair.now, 1));
    }
    pair.run_for(5s);
    pair.a.association->shutdown(pair.now);
    pair.run_for(20s);
    pair.a.received.clear();
    pair.a.association.reset();
    CHECK(pair.a.environment.bytes_in_use() == 0);
  }
}

TEST_CASE("an end that was destroyed and made again is a restart for the other", "[SCTP-CKI-04]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    TwoAssociations pair({}, seed);
    pair.connect();
    const ByteVector message(3000, 1);
    REQUIRE(pair.b.association->send(pair.now, {.stream = 1}, message));
    pair.link = {.delay = 10ms, .loss = 0.2, .reorder = 0.2, .duplicate = 0.2};
    pair.run_for(15ms);
    pair.a.association.emplace(pair.a.environment.env, AssociationConfig{});
    REQUIRE(pair.a.association->connect(pair.now));
    const auto restarts = [&] {
      int count = 0;
      for (const auto& event : pair.b.events)
        count += std::holds_alternative<Association::Restarted>(event) ? 1 : 0;
      return count;
    };
    REQUIRE(pair.run_until(
        [&] { return pair.a.association->state() == State::Established && restarts() == 1; }, 60s));
    pair.a.received.clear();
    const ByteVector fresh(10, 2);
    REQUIRE(pair.b.association->send(pair.now, {.stream = 1}, fresh));
    REQUIRE(pair.run_until([&] { return !pair.a.received.empty(); }, 60s));
    CHECK(pair.a.received[0].second == fresh);
    pair.run_for(5s);
    CHECK(restarts() == 1);
    CHECK(pair.a.received.size() == 1);
  }
}
