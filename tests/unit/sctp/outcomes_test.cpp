// What the sender of a message is told about it, when it asked.
#include "scripted_peer.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;

namespace {

using Told = std::vector<std::pair<std::uint32_t, MessageOutcome>>;
constexpr auto kSent = MessageOutcome::Sent, kAcknowledged = MessageOutcome::Acknowledged,
               kAbandoned = MessageOutcome::Abandoned;

Told told(Association& association) {
  Told all;
  for (Association::MessageReport report{}; association.poll_report(report);)
    all.emplace_back(report.report, report.outcome);
  return all;
}
SendOptions asked(std::uint32_t report) {
  SendOptions options;
  options.stream = 3;
  options.report = report;
  return options;
}

}  // namespace

TEST_CASE("a message is sent when its last byte is, and acknowledged when the cumulative TSN has passed it") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, asked(7), ByteVector(30000, 1)));
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("nobody asks")));
  REQUIRE(peer.association.send(peer.now, asked(8), as_bytes("small")));
  CHECK(told(peer.association).empty());
  peer.drain();
  CHECK(told(peer.association).empty());  // the window holds only the first part
  std::uint32_t tsn = peer.local_tsn.value();
  Told all;
  for (int i = 0; i < 40 && all.size() < 2; ++i) {
    peer.give(peer.local_tag, ScriptedPeer::sack(tsn++));
    peer.drain();
    const Told now = told(peer.association);
    all.insert(all.end(), now.begin(), now.end());
  }
  CHECK(all == Told{{7, kSent}, {8, kSent}});
  // The last TSN is that of the small one; gap-acked it may still be taken back (RFC 9260 §6.2.1 D iii).
  const std::uint32_t last = peer.local_tsn.value() + 27;
  peer.give(peer.local_tag, ScriptedPeer::sack(last - 2));
  CHECK(told(peer.association) == Told{{7, kAcknowledged}});
  peer.give(peer.local_tag, "03000014" + ScriptedPeer::u32_hex(last - 2) + "00100000 00010000 00020002");
  CHECK(told(peer.association).empty());
  peer.give(peer.local_tag, ScriptedPeer::sack(last));
  CHECK(told(peer.association) == Told{{8, kAcknowledged}});
  CHECK(peer.association.buffered_total() == 0);
}

TEST_CASE("both reports come in order though nobody asked for them in between; with the stream") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, asked(1), as_bytes("a")));
  REQUIRE(peer.association.send(peer.now, asked(1), as_bytes("b")));  // the number is the caller's affair
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 1));
  Association::MessageReport report{};
  REQUIRE(peer.association.poll_report(report));
  CHECK(report.outcome == kSent);
  CHECK(told(peer.association) == Told{{1, kAcknowledged}, {1, kSent}, {1, kAcknowledged}});
}

TEST_CASE("a message that is given up is abandoned, once, and at once") {
  AssociationConfig config;
  config.parameters.congestion = CongestionAlgorithm::NewReno;  // so that it is known what fills the window
  ScriptedPeer peer(config);
  peer.establish_passively();
  SendOptions unsent = asked(1);
  unsent.lifetime = 100ms;
  REQUIRE(peer.association.send(peer.now, asked(9), ByteVector(30000, 1)));  // fills the window
  peer.drain();
  REQUIRE(peer.association.send(peer.now, unsent, as_bytes("too late")));
  SendOptions partly = asked(2);
  partly.max_retransmits = 0;
  peer.now += 200ms;
  std::uint32_t tsn = peer.local_tsn.value() + 9;
  peer.give(peer.local_tag, ScriptedPeer::sack(tsn));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(tsn + 11));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 25));
  peer.drain();
  CHECK(told(peer.association) == Told{{9, kSent}, {9, kAcknowledged}, {1, kAbandoned}});

  REQUIRE(peer.association.send(peer.now, partly, as_bytes("once")));
  peer.drain();
  CHECK(told(peer.association) == Told{{2, kSent}});
  peer.next_timeout();  // no probe of the tail: it would have to be sent again
  CHECK(told(peer.association).empty());
  peer.next_timeout();  // T3: it would have to be sent again
  CHECK(told(peer.association) == Told{{2, kAbandoned}});
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 26));
  CHECK(told(peer.association).empty());
}

TEST_CASE("so many messages can be asked about at a time: one below the limit, at it, above it",
          "[lim.sctp.outcomes]") {
  CHECK(Limits{}.sctp_outcomes == 4096);
  TestEnvironment environment(7);
  ScriptedPeer peer;
  peer.environment.env.limits.sctp_outcomes = 3;
  peer.establish_passively();
  for (std::uint32_t i = 1; i <= 3; ++i) REQUIRE(peer.association.send(peer.now, asked(i), as_bytes("x")));
  const Status refused = peer.association.send(peer.now, asked(4), as_bytes("x"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == ErrorCode::LimitReached);
  CHECK(peer.association.buffered_total() == 3);  // the call changed nothing
  CHECK(peer.association.send(peer.now, {}, as_bytes("x")));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 3));
  CHECK_FALSE(peer.association.send(peer.now, asked(4), as_bytes("x")));  // until the last report is taken
  Association::MessageReport report{};
  REQUIRE(peer.association.poll_report(report));
  CHECK_FALSE(peer.association.send(peer.now, asked(4), as_bytes("x")));
  REQUIRE(peer.association.poll_report(report));
  CHECK(peer.association.send(peer.now, asked(4), as_bytes("x")));
}

TEST_CASE("a thousand rounds of reports need no more memory than one, and those who do not ask need none") {
  ScriptedPeer peer;
  peer.establish_passively();
  std::uint32_t tsn = peer.local_tsn.value();
  const auto round = [&](std::optional<std::uint32_t> report) {
    SendOptions options;
    options.report = report;
    REQUIRE(peer.association.send(peer.now, options, as_bytes("x")));
    peer.drain();
    peer.give(peer.local_tag, ScriptedPeer::sack(tsn++));
  };
  round(std::nullopt);
  const std::size_t without = peer.environment.bytes_in_use();
  for (int i = 0; i < 100; ++i) round(std::nullopt);
  CHECK(peer.environment.bytes_in_use() == without);
  round(1);
  told(peer.association);
  const std::size_t with = peer.environment.bytes_in_use();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    round(i);
    CHECK(told(peer.association) == Told{{i, kSent}, {i, kAcknowledged}});
  }
  CHECK(peer.environment.bytes_in_use() == with);
}

TEST_CASE("over a bad path each message is reported on exactly once, and rightly") {
  TwoAssociations pair({.delay = 20ms, .loss = 0.2, .reorder = 0.1, .duplicate = 0.1}, 11);
  pair.connect();
  std::map<std::uint64_t, std::vector<MessageOutcome>> seen;
  for (std::uint32_t i = 0; i < 200; ++i) {
    SendOptions options = asked(i);
    options.unordered = true;
    if (i % 2 == 0) options.max_retransmits = 0;
    REQUIRE(
        pair.a.association->send(pair.now, options, ByteVector(1 + i * 13, static_cast<std::uint8_t>(i))));
  }
  const auto all_told = [&] {
    for (Association::MessageReport report{}; pair.a.association->poll_report(report);)
      seen[report.report].push_back(report.outcome);
    if (seen.size() != 200) return false;
    return std::all_of(seen.begin(), seen.end(), [](const auto& s) { return s.second.back() != kSent; });
  };
  REQUIRE(pair.run_until(all_told, 120s));
  std::size_t acknowledged = 0, abandoned = 0;
  for (const auto& [report, outcomes] : seen) {
    CHECK(std::count(outcomes.begin(), outcomes.end(), kSent) <= 1);
    CHECK(outcomes.size() == (outcomes[0] == kSent ? 2 : 1));
    if (report % 2 == 1) CHECK(outcomes == std::vector<MessageOutcome>{kSent, kAcknowledged});
    (outcomes.back() == kAcknowledged ? acknowledged : abandoned) += 1;
  }
  CHECK(abandoned > 5);
  CHECK(pair.b.received.size() >= acknowledged);  // an abandoned one may have arrived all the same
}
