// Closing: resets of both halves of a stream, and when its id is free again (RFC 8831 §6.7, RFC 6525 §5.2).
#include <algorithm>

#include "support/catch.h"
#include "unit/peer/channels_fixture.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

constexpr std::string_view kOpenL = "03 00 0100 00000000 0001 0000 6c";

std::vector<std::string> lines(std::initializer_list<std::string> list) { return list; }

}  // namespace

TEST_CASE("an OPEN answered by a reset: the channel fails, and its id can be used again", "[DCEP-19]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle bystander = t.open();
  const ChannelHandle ours = t.create({.label = "refused"});
  REQUIRE(t.info(ours).id == 2);
  t.run(1s);
  t.told.clear();
  t.reset(2);
  CHECK(t.create({.label = "meanwhile"}) == ChannelHandle{2});
  CHECK(t.info(ChannelHandle{2}).id == 4);  // 2 is not free yet
  t.run(1s);
  CHECK(t.told == lines({"open 2", "closing 1", "closed 1 Remote"}));
  CHECK(t.resets() == lines({"reset 2", "reset done 2"}));
  CHECK(t.send(ours, "x").error() == ErrorCode::InvalidState);
  CHECK(t.state(bystander) == ChannelState::Open);
  // Once more, and accepted this time: both streams begin at 0.
  t.heard.clear();
  const ChannelHandle again = t.create({.label = "again"});
  CHECK(t.info(again).id == 2);
  REQUIRE(t.send(again, "hello"));
  t.say(2, "02");
  t.say_text(2, "welcome");
  t.run(1s);
  REQUIRE(t.heard.size() == 2);
  CHECK(t.heard[0].bytes[0] == 3);
  CHECK(t.heard[1].bytes == to_vector("hello"));
  CHECK(t.told.back() == "message welcome");
}

TEST_CASE("the reset of a stream without a channel is performed and answered in kind, and that is all",
          "[DCEP-16]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle bystander = t.open();
  t.reset(7);
  t.run(5s);
  CHECK(t.told.empty());
  CHECK(t.heard.empty());
  CHECK(t.resets() == lines({"reset 7", "reset done 7"}));
  CHECK(t.state(bystander) == ChannelState::Open);
  t.say(7, kOpenL);
  t.run(1s);
  CHECK(t.told == lines({"announced 1"}));
  t.say_text(7, "x");
  REQUIRE(t.send(ChannelHandle{1}, "y"));
  t.run(1s);
  CHECK(t.told.back() == "message x");
  CHECK(t.heard.back().bytes == to_vector("y"));
}

TEST_CASE("two ends do not answer each other's resets for ever", "[DCEP-16]") {
  ChannelsFixture t;
  t.connect();
  t.say(10, kOpenL);  // wrong parity: we reset the stream
  t.run(1s);
  REQUIRE(t.resets() == lines({"reset 10"}));
  t.reset(10);  // that is the answer
  t.run(5s);
  CHECK(t.resets() == lines({"reset 10", "reset done 10"}));
  t.reset(10);  // this one is not
  t.run(5s);
  CHECK(t.resets() == lines({"reset 10", "reset done 10", "reset 10", "reset done 10"}));
}

TEST_CASE("a stream that we refused is nobody's until the other end has reset it too", "[DCEP-16][DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  t.say(10, kOpenL);
  t.run(1s);
  t.say_text(10, "sent before our reset came");
  t.run(1s);
  CHECK(t.drops(Drop::ChannelUnknown) == 1);
  CHECK(t.channels.create(t.net.now, {.negotiated = true, .id = 10}, kLargest).error() ==
        ErrorCode::AlreadyExists);
  for (std::uint16_t id = 0; id < 12; id = static_cast<std::uint16_t>(id + 2))
    CHECK(t.info(t.create({})).id == (id < 10 ? id : 12));
  t.reset(10);
  t.run(1s);
  CHECK(t.info(t.create({})).id == 10);
}

TEST_CASE("an id is not used again before both halves of its stream are reset", "[DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  REQUIRE(t.send(ours, "the last one"));
  REQUIRE(t.channels.close(t.net.now, ours));
  CHECK(t.send(ours, "too late").error() == ErrorCode::InvalidState);
  t.run(5s);
  CHECK(t.heard.back().bytes == to_vector("the last one"));  // what was queued goes first
  CHECK(t.resets() == lines({"reset 0"}));
  CHECK(t.state(ours) == ChannelState::Closing);
  CHECK(t.told.empty());
  CHECK(t.info(t.create({})).id == 2);
  t.reset(0);
  t.run(1s);
  CHECK(t.told == lines({"open 1", "closed 0 Local"}));
  CHECK(t.info(t.create({})).id == 0);
}

TEST_CASE("the other end opens the stream anew before its answer to our reset has come", "[DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  t.say(5, kOpenL);
  t.run(1s);
  t.heard.clear();
  t.told.clear();
  t.reset_and_lose_the_answer(5);
  REQUIRE(t.state(ChannelHandle{0}) == ChannelState::Closing);
  t.say(5, kOpenL);
  t.say_text(5, "of the second");
  t.run(30ms);
  CHECK(t.told == lines({"closing 0", "closed 0 Remote", "announced 1", "message of the second"}));
  REQUIRE(t.send(ChannelHandle{1}, "to the second"));
  t.run(5s);
  REQUIRE(t.heard.size() == 2);
  CHECK(t.heard[0].bytes == ByteVector{2});
  CHECK(t.heard[1].bytes == to_vector("to the second"));
  // It is closed as any other.
  REQUIRE(t.channels.close(t.net.now, ChannelHandle{1}));
  t.run(1s);
  t.reset(5);
  t.run(1s);
  CHECK(t.told.back() == "closed 1 Local");
}

TEST_CASE("a channel that comes and goes while the one before it closes is answered too", "[DCEP-12]") {
  for (const bool closed_by_us : {true, false}) {
    ChannelsFixture t;
    t.connect();
    t.say(5, kOpenL);
    t.run(1s);
    t.told.clear();
    t.reset_and_lose_the_answer(5);
    t.say(5, kOpenL);
    t.run(30ms);
    REQUIRE(t.told.back() == "announced 1");
    // Our first reset is still in flight, as far as we know.
    if (closed_by_us) REQUIRE(t.channels.close(t.net.now, ChannelHandle{1}));
    t.reset(5);
    t.run(10s);
    CHECK(t.state(ChannelHandle{1}) == ChannelState::Closed);
    const auto resets = t.resets();
    CHECK(std::count(resets.begin(), resets.end(), "reset 5") == 2);
    CHECK(std::count(resets.begin(), resets.end(), "reset done 5") == 2);
    t.say(5, kOpenL);
    t.run(1s);
    CHECK(t.told.back() == "announced 2");
  }
}

TEST_CASE("data of a negotiated channel made anew waits for us to do the same", "[DCEP-05][DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle first = t.open({.negotiated = true, .id = 100});
  t.reset_and_lose_the_answer(100);
  t.say_text(100, "for the second");
  t.run(30ms);
  CHECK(t.state(first) == ChannelState::Closing);
  t.run(5s);
  CHECK(t.told == lines({"closing 0", "closed 0 Remote"}));
  t.create({.negotiated = true, .id = 100});
  t.run(1s);
  CHECK(t.told == lines({"closing 0", "closed 0 Remote", "open 1", "message for the second"}));
}

TEST_CASE("a channel that has no memory for a message closes, and says that this is why") {
  int closed = 0;
  for (std::size_t n = 0; n < 12; ++n) {
    INFO("allocation " << n);
    ChannelsFixture t;
    t.connect();
    const ChannelHandle ours = t.open();
    t.user_reads = false;
    t.net.a.environment.fail_allocation(n);
    t.say_text(0, "a message");
    t.run(1s);
    if (t.state(ours) == ChannelState::Open) continue;
    t.reset(0);
    t.run(1s);
    CHECK(t.told == lines({"closed 0 OutOfMemory"}));
    CHECK(t.drops(Drop::OutOfMemory) == 1);
    ++closed;
  }
  CHECK(closed == 1);
}

TEST_CASE(
    "data without a channel is kept up to the limit, to the byte; whoever goes beyond makes room for the "
    "others",
    "[DCEP-05]") {
  Limits limits;
  limits.dc_pre_open = 600 + 400 + 2 * 128;  // with what each message costs besides
  ChannelsFixture t({}, limits);
  t.connect();
  t.say_text(100, std::string(600, 'a'));
  t.say_text(102, std::string(400, 'b'));
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 0);
  t.say_text(102, "c");
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 1);
  CHECK(t.resets() == lines({"reset 102"}));
  t.say_text(104, std::string(400, 'd'));  // the 400 bytes of stream 102 are gone
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 1);
  t.create({.negotiated = true, .id = 104});
  t.run(1s);
  CHECK(t.told == lines({"open 0", "message " + std::string(400, 'd')}));
  t.say_text(106, std::string(400, 'e'));  // what was delivered is kept no more
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 1);
}

TEST_CASE("data that comes before the OPEN of its channel is delivered behind it", "[DCEP-05]") {
  ChannelsFixture t;
  t.connect();
  t.say_text(7, "another's");
  t.say_text(5, "early");
  t.run(1s);
  CHECK(t.told.empty());
  t.say(5, kOpenL);
  t.run(1s);
  CHECK(t.told == lines({"announced 0", "message early"}));
}

TEST_CASE("data that waits for one channel is not given to another", "[DCEP-05]") {
  ChannelsFixture t;
  t.connect();
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{100, 102, 100})
    t.say_text(id, "for " + std::to_string(id));
  t.run(1s);
  t.create({.negotiated = true, .id = 102});
  t.run(1s);
  CHECK(t.told == lines({"open 0", "message for 102"}));
  t.told.clear();
  t.create({.negotiated = true, .id = 100});
  t.run(1s);
  CHECK(t.told == lines({"open 1", "message for 100", "message for 100"}));
}

TEST_CASE("a threshold of one channel is not that of the next on its stream", "[DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  t.say(5, kOpenL);
  t.run(1s);
  REQUIRE(t.channels.set_buffer_low_threshold(ChannelHandle{0}, 50'000));
  t.reset(5);
  t.run(1s);
  t.say(5, kOpenL);
  t.run(1s);
  t.told.clear();
  REQUIRE(t.send(ChannelHandle{1}, std::string(100'000, 'x')));
  REQUIRE(t.run_until([&] { return !t.told.empty(); }, 5s));
  CHECK(t.told == lines({"low 1"}));
  CHECK(t.info(ChannelHandle{1}).buffered_amount == 0);
}

TEST_CASE(
    "a threshold that comes down below what is buffered is told of when that falls to it; one that goes up "
    "is not",
    "[API-08]") {
  ChannelsFixture t;
  t.connect();
  t.say(5, kOpenL);
  t.run(1s);
  const ChannelHandle channel{0};
  REQUIRE(t.channels.set_buffer_low_threshold(channel, 1'000'000));
  t.told.clear();
  REQUIRE(t.send(channel, std::string(200'000, 'x')));
  REQUIRE(t.info(channel).buffered_amount > 50'000);
  REQUIRE(t.channels.set_buffer_low_threshold(channel, 50'000));
  CHECK(t.told.empty());
  t.run(5s);
  CHECK(t.told == lines({"low 0"}));

  t.told.clear();
  REQUIRE(t.send(channel, std::string(200'000, 'x')));
  REQUIRE(t.info(channel).buffered_amount > 50'000);
  REQUIRE(t.channels.set_buffer_low_threshold(channel, 1'000'000));
  t.run(5s);
  CHECK(t.info(channel).buffered_amount == 0);
  CHECK(t.told.empty());
}

TEST_CASE("all streams reset at once: every channel closes, each once", "[DCEP-12]") {
  ChannelsFixture t;
  t.connect();
  t.open();
  t.open({.negotiated = true, .id = 100});
  t.say(5, kOpenL);
  t.say_text(7, "kept");
  t.run(1s);
  t.told.clear();
  t.channels.on_stream_reset(t.net.now, {0, true});
  t.run(5s);
  std::sort(t.told.begin(), t.told.end());
  CHECK(t.told == lines({"closed 0 Remote", "closed 1 Remote", "closed 2 Remote", "closing 0", "closing 1",
                         "closing 2"}));
  t.create({.negotiated = true, .id = 7});
  t.run(1s);
  CHECK(t.told.back() == "open 3");  // nothing was kept for it
}

TEST_CASE("a stream that the other end refuses to reset is closed, and nobody else gets it") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle channel = t.open({.negotiated = true, .id = 100});
  t.told.clear();
  REQUIRE(t.channels.close(t.net.now, channel));
  t.channels.on_reset_done(t.net.now, 100, false);
  t.run(1s);
  CHECK(t.told == lines({"closed 0 Local"}));
  CHECK(t.state(channel) == ChannelState::Closed);
  t.channels.release(t.net.now, channel);
  CHECK(t.channels.create(t.net.now, {.negotiated = true, .id = 100}, kLargest).error() ==
        ErrorCode::AlreadyExists);
}

TEST_CASE("a graceful end closes every channel, any other does so with its reason", "[DCEP-25]") {
  enum class End { Shutdown, Abort, Silence };
  for (const End end : {End::Shutdown, End::Abort, End::Silence}) {
    ChannelsFixture t;
    t.connect();
    const ChannelHandle ours = t.open();
    t.open({.negotiated = true, .id = 100});
    t.say(5, kOpenL);
    t.run(1s);
    t.told.clear();
    t.say_text(5, "the last words");
    if (end == End::Shutdown) t.net.b.association->shutdown(t.net.now);
    if (end == End::Abort) {
      t.run(1s);
      t.net.b.association->abort(t.net.now, "enough");
    }
    if (end == End::Silence) {
      t.run(1s);
      t.net.link.loss = 1;
      REQUIRE(t.send(ours, "anybody there?"));
    }
    t.run(20min);
    t.told.erase(std::remove(t.told.begin(), t.told.end(), "low 0"), t.told.end());
    const std::string why = end == End::Shutdown ? " Remote"
                            : end == End::Abort  ? " RemoteAbort"
                                                 : " SctpUnreachable";
    CHECK(t.told == lines({"message the last words", "closed 0" + why, "closed 1" + why, "closed 2" + why}));
    CHECK(t.channels.create(t.net.now, {}, kLargest).error() == ErrorCode::Closed);
    CHECK(t.send(ours, "x").error() == ErrorCode::InvalidState);
  }
}

TEST_CASE("a message above our maximum closes its channel; memory is bounded, the others live", "[DCEP-26]") {
  for (const bool is_open : {true, false}) {
    ChannelsFixture t({}, {}, {.max_message_rx = 100'000});
    t.connect();
    t.open();
    t.say(5, kOpenL);
    t.run(1s);
    t.told.clear();
    const std::uint16_t stream = is_open ? 5 : 7;  // 7: an OPEN that is too long itself
    const std::size_t before = t.net.a.environment.bytes_in_use();
    for (int i = 0; i < 2; ++i)
      t.say({.stream = stream, .ppid = is_open ? 51u : 50u}, ByteVector(1'000'000, 3));
    std::size_t peak = 0;
    for (int i = 0; i < 20'000; ++i) {
      t.run(1ms);
      peak = std::max(peak, t.net.a.environment.bytes_in_use());
    }
    CHECK(peak - before < 2u << 20);
    CHECK(t.told.empty());
    CHECK(t.resets() == lines({"reset " + std::to_string(stream)}));
    CHECK(t.state(ChannelHandle{1}) == (is_open ? ChannelState::Closing : ChannelState::Open));
    t.reset(stream);
    t.run(1s);
    CHECK(t.told == (is_open ? lines({"closed 1 Local"}) : lines({})));
    t.say_text(0, "still here");
    t.run(1s);
    CHECK(t.told.back() == "message still here");
    CHECK(t.net.a.association->state() == sctp::AssociationState::Established);
  }
}

TEST_CASE(
    "a large message goes out whole, and another channel waits for it alone; with I-DATA not even for that",
    "[DCEP-27]") {
  const bool interleaving = GENERATE(false, true);
  sctp::test::LinkOptions slow;
  slow.delay = 50ms;
  sctp::AssociationConfig config;
  config.interleaving = interleaving;
  ChannelsFixture t(slow, {}, config);
  t.connect();
  const ChannelHandle large = t.open(), small = t.open({.label = "small"});
  for (int i = 0; i < 8; ++i) REQUIRE(t.send(large, std::string(200'000, static_cast<char>('0' + i))));
  t.run(1ms);  // the first is on its way
  REQUIRE(t.send(small, "x"));
  t.run(30s);
  REQUIRE(t.heard.size() == 9);
  std::size_t ahead = 0;
  while (t.heard[ahead].stream == 0) ++ahead;
  CHECK(ahead == (interleaving ? 0 : 1));
  for (const auto& message : t.heard) CHECK(message.bytes.size() == (message.stream == 0 ? 200'000 : 1));
}

TEST_CASE("what comes after our close is not for the user any more", "[DCEP-20]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  const std::uint16_t id = *t.info(ours).id;
  REQUIRE(t.channels.close(t.net.now, ours));
  REQUIRE(t.state(ours) == ChannelState::Closing);
  t.say_text(id, "late");
  t.run(1s);
  CHECK(std::find(t.told.begin(), t.told.end(), "message late") == t.told.end());
}

TEST_CASE("what was not read of a channel that is let go is in the window no longer") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open(), other = t.open({.label = "other"});
  const std::uint16_t id = *t.info(ours).id, other_id = *t.info(other).id;
  t.user_reads = false;
  std::size_t said = 0;  // more than any window takes
  while (t.net.b.association->send(t.net.now, {.stream = id, .ppid = 51}, ByteVector(10'000, 'x')) &&
         said < 5'000'000)
    said += 10'000, t.run(10ms);
  t.run(2s);
  t.channels.release(t.net.now, ours);
  t.user_reads = true;
  t.run(2s);
  t.told.clear();
  t.say_text(other_id, std::string(1000, 'y'));
  t.run(5s);
  CHECK(t.told.size() == 1);
}

TEST_CASE("a report names the channel that the message was sent on, though its stream is another's by then") {
  ChannelsFixture t;
  t.connect();
  t.say(5, kOpenL);
  t.run(1s);
  t.told.clear();
  REQUIRE(t.channels.send(t.net.now, ChannelHandle{0}, as_bytes("of the first"), true, kLargest, 7));
  t.reset_and_lose_the_answer(5);
  t.say(5, kOpenL);
  t.run(5s);
  CHECK(t.told ==
        lines({"sent 0", "low 0", "closing 0", "closed 0 Remote", "announced 1", "acknowledged 0"}));
}
