// What becomes of a message, from send() to the event: sent, acknowledged, abandoned.
#include "scenario/two_peers.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

struct Report {
  ChannelHandle channel;
  std::uint32_t number;
  MessageOutcome outcome;
  friend bool operator==(const Report&, const Report&) = default;
};

// Two peers, and what Alice is told of her messages.
struct Watched : TwoPeers {
  explicit Watched(std::uint64_t seed, const Limits& limits = {}) : TwoPeers(seed, {}, {}, {}, limits) {
    alice.node.on_event = [this, before = alice.node.on_event](Time now, const Peer::Event& event) {
      if (const auto* report = std::get_if<Peer::MessageReport>(&event))
        reports.push_back({report->channel, report->report, report->outcome});
      before(now, event);
    };
  }
  Status send(ChannelHandle channel, std::string_view text, std::optional<std::uint32_t> report) {
    return alice.peer.send(world.now(), channel, as_bytes(text), true, report);
  }
  ChannelHandle open(const ChannelOptions& options) {
    const ChannelHandle channel = alice.create(options);
    run_until([&] { return alice.channel_state(channel) == ChannelState::Open; }, 10s);
    return channel;
  }
  void cut(bool is_cut) { world.link(kAlice, kBob).config.cut = is_cut; }
  std::size_t messages_of_bob() const {
    std::size_t count = 0;
    for (const auto& [handle, log] : bob.channels) count += log.messages.size();
    return count;
  }

  std::vector<Report> reports;
};

using Reports = std::vector<Report>;
using enum MessageOutcome;

}  // namespace

TEST_CASE("a message is told to be sent when it leaves, and acknowledged when the other end has it") {
  Watched t(1);
  const ChannelHandle first = t.connect().first, second = t.open({.label = "second"});
  t.cut(true);
  REQUIRE(t.send(first, "one", 7));
  CHECK(t.reports.empty());
  t.world.run_for(1s);
  CHECK(t.reports == Reports{{first, 7, Sent}});
  REQUIRE(t.send(first, "nobody asks", {}));
  t.world.run_for(2s);
  CHECK(t.reports.size() == 1);
  t.cut(false);
  t.run_until([&] { return t.messages_of_bob() == 2; }, 30s);
  t.world.run_for(1s);
  CHECK(t.reports == Reports{{first, 7, Sent}, {first, 7, Acknowledged}});
  // The number is the caller's: the channel says whose it is.
  t.reports.clear();
  REQUIRE(t.send(second, "two", 7));
  REQUIRE(t.send(first, "three", 7));
  t.world.run_for(1s);
  CHECK(std::count(t.reports.begin(), t.reports.end(), Report{first, 7, Acknowledged}) == 1);
  CHECK(std::count(t.reports.begin(), t.reports.end(), Report{second, 7, Acknowledged}) == 1);
  CHECK(t.reports.size() == 4);
}

TEST_CASE("a message that reaches its limit is told to be abandoned, whether some of it left or none") {
  Watched t(2);
  const ChannelHandle reliable = t.connect().first;
  const ChannelHandle once = t.open({.label = "once", .max_retransmits = 0});
  const ChannelHandle brief = t.open({.label = "brief", .max_lifetime_ms = 100});
  t.cut(true);
  REQUIRE(t.send(once, "lost", 1));
  t.world.run_for(10s);
  CHECK(t.reports == Reports{{once, 1, Sent}, {once, 1, Abandoned}});
  // Behind more than a congestion window takes, it never leaves.
  t.reports.clear();
  REQUIRE(t.send(reliable, std::string(200'000, 'r'), 2));
  REQUIRE(t.send(brief, "late", 3));
  t.world.run_for(5s);
  CHECK(t.reports.empty());
  t.cut(false);
  t.run_until([&] { return t.messages_of_bob() == 1; }, 60s);
  t.world.run_for(1s);
  CHECK(t.messages_of_bob() == 1);
  REQUIRE(t.reports.size() == 3);
  CHECK(std::count(t.reports.begin(), t.reports.end(), Report{brief, 3, Abandoned}) == 1);
  std::erase(t.reports, Report{brief, 3, Abandoned});
  CHECK(t.reports == Reports{{reliable, 2, Sent}, {reliable, 2, Acknowledged}});
}

TEST_CASE("a message that makes room for one of a higher priority is told to be abandoned") {
  Limits limits;
  limits.sctp_tx_buffer = 40'000;
  Watched t(3, limits);
  // Priority 128 against 1024: what a channel may not lose stands above all that one may.
  const ChannelHandle sure = t.connect({.label = "sure", .priority = 128}).first;
  const ChannelHandle low = t.open({.label = "low", .priority = 1024, .discard_when_full = true});
  t.cut(true);
  REQUIRE(t.send(sure, std::string(20'000, 's'), {}));
  t.world.run_for(1s);  // the congestion window is taken
  const std::string message(10'000, 'l');
  std::uint32_t count = 0;
  while (t.send(low, message, count)) ++count;
  REQUIRE(count >= 2);
  REQUIRE(t.send(sure, message, 100));
  t.world.run_for(1s);
  CHECK(t.reports == Reports{{low, count - 1, Abandoned}});  // the last one that waits
  t.cut(false);
  t.run_until([&] { return t.messages_of_bob() == count + 1; }, 60s);
  t.world.run_for(1s);
  for (std::uint32_t number = 0; number < count - 1; ++number)
    CHECK(std::count(t.reports.begin(), t.reports.end(), Report{low, number, Acknowledged}) == 1);
  CHECK(std::count(t.reports.begin(), t.reports.end(), Report{sure, 100, Acknowledged}) == 1);
}

TEST_CASE("so many reports are owed at a time, and none once the channel is released",
          "[lim.sctp.outcomes]") {
  Limits limits;
  limits.sctp_outcomes = 3;
  Watched t(4, limits);
  const ChannelHandle a = t.connect().first;
  const ChannelHandle other = t.open({.label = "other"});
  t.cut(true);
  for (std::uint32_t i = 0; i < 3; ++i) REQUIRE(t.send(i == 2 ? other : a, "x", i));
  CHECK(t.send(a, "x", 3).error() == ErrorCode::LimitReached);
  REQUIRE(t.send(a, "without a report", {}));
  t.world.run_for(1s);
  CHECK(t.send(a, "x", 3).error() == ErrorCode::LimitReached);  // told once is not all that is owed
  t.alice.peer.release_channel(t.world.now(), other);
  t.reports.clear();
  t.cut(false);
  t.run_until([&] { return t.messages_of_bob() == 4; }, 30s);
  t.world.run_for(1s);
  CHECK(t.reports == Reports{{a, 0, Acknowledged}, {a, 1, Acknowledged}});
  for (std::uint32_t i = 0; i < 3; ++i) REQUIRE(t.send(a, "y", i));
}
