// Memory is short for a while: what the other end waits for comes when there is some again.
#include <algorithm>
#include <functional>

#include "support/catch.h"
#include "unit/peer/channels_fixture.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

constexpr std::string_view kOpenL = "03 00 0100 00000000 0001 0000 6c";
constexpr std::size_t kPlenty = 1'000'000;

bool has(const std::vector<std::string>& list, std::string_view beginning) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& line) { return line.starts_with(beginning); });
}

// `story` with memory for n allocations more, for each n until it is enough; then a while with memory.
void with_short_memory(const std::function<void(ChannelsFixture&)>& before,
                       const std::function<void(ChannelsFixture&)>& story,
                       const std::function<void(ChannelsFixture&)>& after) {
  std::size_t runs = 0;
  for (bool is_short = true; is_short; ++runs) {
    INFO("allocations: " << runs);
    ChannelsFixture t;
    t.connect();
    before(t);
    t.net.a.environment.fail_allocations_after(runs);
    story(t);
    t.run(100ms);
    is_short = t.net.a.environment.refused_allocations() != 0;
    t.net.a.environment.fail_allocations_after(kPlenty);
    t.run(10s);
    CHECK_FALSE(t.channels.has_lost_reset());
    CHECK_FALSE(t.channels.owes_resets());
    REQUIRE(runs < 100);
    if (!t.has_lost_event()) after(t);  // of that the connection ends
  }
  CHECK(runs > 2);
}

}  // namespace

TEST_CASE("an OPEN that there is no memory for is refused in the end", "[DCEP-16]") {
  std::size_t refused = 0;
  with_short_memory([](ChannelsFixture&) {}, [](ChannelsFixture& t) { t.say(5, kOpenL); },
                    [&](ChannelsFixture& t) {
                      const bool is_refused = has(t.resets(), "reset 5");
                      CHECK(is_refused != has(t.told, "announced"));
                      if (!is_refused) return;
                      ++refused;
                      t.say_text(5, "sent before the reset came");
                      t.run(1s);
                      CHECK(t.drops(Drop::ChannelUnknown) == 1);
                      t.reset(5);
                      t.run(1s);
                      CHECK_FALSE(has(t.told, "announced"));
                      t.say(5, kOpenL);  // now both halves are reset
                      t.run(1s);
                      CHECK(has(t.told, "announced"));
                    });
  CHECK(refused > 1);
}

TEST_CASE("a stream that we owe a reset is nobody's, and its end by the other end is enough", "[DCEP-16]") {
  ChannelsFixture t;
  t.connect();
  t.net.a.environment.fail_allocations_after(0);
  sctp::Message open(t.net.b.environment.env.memory);
  open.stream = 10;
  open.ppid = 50;
  REQUIRE(open.payload.assign(sctp::test::hex(kOpenL)));
  CHECK(t.channels.on_message(t.net.now, std::move(open)) == Drop::DcepUnexpected);
  CHECK(t.channels.owes_resets());
  CHECK(t.channels.create(t.net.now, {.negotiated = true, .id = 10}, kLargest).error() ==
        ErrorCode::AlreadyExists);
  t.channels.on_stream_reset(t.net.now, {.stream = 10});
  CHECK(t.channels.owes_resets());
  t.net.a.environment.fail_allocations_after(kPlenty);
  t.run(1s);
  CHECK(t.resets() == std::vector<std::string>{"reset 10"});
  t.create({.negotiated = true, .id = 10});
}

TEST_CASE("a channel closed while memory is short is closed at both ends", "[DCEP-12]") {
  ChannelHandle ours{};
  with_short_memory([&](ChannelsFixture& t) { ours = t.open(); },
                    [&](ChannelsFixture& t) { REQUIRE(t.channels.close(t.net.now, ours)); },
                    [&](ChannelsFixture& t) {
                      CHECK(has(t.resets(), "reset 0"));
                      CHECK(t.state(ours) == ChannelState::Closing);
                      t.reset(0);
                      t.run(1s);
                      CHECK(t.told == std::vector<std::string>{"closed 0 Local"});
                    });
}

TEST_CASE("a channel that the other end closes while memory is short closes", "[DCEP-12]") {
  ChannelHandle ours{};
  with_short_memory([&](ChannelsFixture& t) { ours = t.open(); }, [&](ChannelsFixture& t) { t.reset(0); },
                    [&](ChannelsFixture& t) {
                      CHECK(has(t.resets(), "reset 0"));
                      CHECK(has(t.resets(), "reset done 0"));
                      CHECK(t.state(ours) == ChannelState::Closed);
                    });
}

TEST_CASE("more owed resets than are kept in mind are a loss that is told") {
  ChannelsFixture t;
  t.connect();
  std::vector<ChannelHandle> channels;
  for (int i = 0; i < 9; ++i) channels.push_back(t.open());
  t.net.a.environment.fail_allocations_after(0);
  for (const ChannelHandle channel : channels) {
    CHECK_FALSE(t.channels.has_lost_reset());
    REQUIRE(t.channels.close(t.net.now, channel));
  }
  CHECK(t.channels.has_lost_reset());
}

TEST_CASE("a reset that is owed for too long is a loss that is told, one that can be asked for is none") {
  for (const bool comes_back : {false, true}) {
    CAPTURE(comes_back);
    ChannelsFixture t;
    t.connect();
    const ChannelHandle ours = t.open();
    t.net.a.environment.fail_allocations_after(0);
    REQUIRE(t.channels.close(t.net.now, ours));
    REQUIRE(t.channels.owes_resets());
    const Time closed_at = t.net.now;
    t.channels.ask_owed_resets(closed_at + 29s);
    CHECK(t.channels.owes_resets());
    CHECK_FALSE(t.channels.has_lost_reset());
    if (comes_back) t.net.a.environment.fail_allocations_after(kPlenty);
    t.channels.ask_owed_resets(closed_at + 30s);
    CHECK(t.channels.owes_resets() != comes_back);
    CHECK(t.channels.has_lost_reset() != comes_back);
  }
}
