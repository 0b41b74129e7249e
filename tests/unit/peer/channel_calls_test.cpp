// Calls about channels that are not there, not open yet, or not any more: refused by name, or without effect.
#include "support/catch.h"
#include "unit/peer/channels_fixture.h"

namespace pollrtc::test {
namespace {

constexpr ChannelHandle kNobody{4711};

}  // namespace

TEST_CASE("whatever is asked of a channel that there is not, it is not found", "[rfc8831-6.7]") {
  ChannelsFixture f;
  f.connect();
  Channels& channels = f.channels;
  CHECK(channels.info(kNobody).error() == ErrorCode::NotFound);
  CHECK(channels.send(f.net.now, kNobody, as_bytes("x"), true, kLargest).error() == ErrorCode::NotFound);
  CHECK(channels.send_piece(f.net.now, kNobody, as_bytes("x"), true, true, kLargest).error() ==
        ErrorCode::NotFound);
  CHECK(channels.abandon_message(f.net.now, kNobody).error() == ErrorCode::NotFound);
  CHECK(channels.receive_in_pieces(kNobody, true).error() == ErrorCode::NotFound);
  CHECK(channels.set_buffer_low_threshold(kNobody, 1).error() == ErrorCode::NotFound);
  CHECK(channels.close(f.net.now, kNobody).error() == ErrorCode::NotFound);
  CHECK_FALSE(channels.receive(kNobody));
  channels.release(f.net.now, kNobody);  // has nothing to say
  const ChannelHandle one = f.open();
  CHECK(f.state(one) == ChannelState::Open);
}

TEST_CASE("what is set before the association is up holds when it is", "[rfc8831-6.6]") {
  ChannelsFixture f;
  const ChannelHandle early = f.create({.label = "early"});
  REQUIRE(f.channels.set_buffer_low_threshold(early, 1000));
  REQUIRE(f.channels.receive_in_pieces(early, true));
  CHECK(f.send(early, "too early").error() == ErrorCode::InvalidState);
  CHECK(f.channels.abandon_message(f.net.now, early).error() == ErrorCode::InvalidState);
  f.connect();
  REQUIRE(f.state(early) == ChannelState::Open);
  f.told.clear();
  const std::string large(5000, 'x');
  REQUIRE(f.send(early, large));
  f.run(1s);
  REQUIRE(f.told.size() == 1);
  CHECK(f.told[0].rfind("low", 0) == 0);  // it fell below the 1000 bytes
}

TEST_CASE("a message in pieces can be abandoned while there is one, and not otherwise", "[rfc8831-6.6]") {
  ChannelsFixture f;
  f.connect();
  const ChannelHandle channel = f.open();
  CHECK(f.channels.abandon_message(f.net.now, channel).error() == ErrorCode::InvalidState);
  REQUIRE(f.channels.send_piece(f.net.now, channel, as_bytes("first"), true, false, kLargest));
  REQUIRE(f.channels.abandon_message(f.net.now, channel));
  CHECK(f.channels.abandon_message(f.net.now, channel).error() == ErrorCode::InvalidState);
  CHECK(f.channels.send_piece(f.net.now, channel, ByteVector(11), true, true, 10).error() ==
        ErrorCode::TooLarge);
  const ChannelHandle lossy = f.open({.label = "lossy", .max_retransmits = std::uint16_t{0}});
  CHECK(f.channels.send_piece(f.net.now, lossy, as_bytes("x"), true, true, kLargest).error() ==
        ErrorCode::NotSupported);
}

TEST_CASE("an id above the streams that both ends have is no channel's", "[rfc8832-6]") {
  Limits limits;
  limits.sctp_streams = 8;
  ChannelsFixture f({}, limits);
  f.connect();
  const auto made =
      f.channels.create(f.net.now, {.label = "far", .negotiated = true, .id = std::uint16_t{8}}, kLargest);
  REQUIRE_FALSE(made);
  CHECK(made.error() == ErrorCode::InvalidArgument);
  CHECK(
      f.channels.create(f.net.now, {.label = "near", .negotiated = true, .id = std::uint16_t{7}}, kLargest));
}

TEST_CASE("which ids are ours is said once", "[rfc8832-6]") {
  ChannelsFixture f;
  f.channels.on_role(true);
  f.channels.on_role(false);
  const ChannelHandle first = f.create({.label = "first"});
  CHECK(f.info(first).id == std::uint16_t{0});  // even: the DTLS client's
}

TEST_CASE("after the end what came before it is read, and the rest is refused", "[rfc8831-6.7]") {
  ChannelsFixture f;
  f.connect();
  f.user_reads = false;
  const ChannelHandle read = f.open(), released = f.open({.label = "released"}),
                      leaving = f.open({.label = "leaving"});
  for (const ChannelHandle channel : {read, released})
    for (const std::string_view text : {"one", "two"}) f.say_text(*f.info(channel).id, text);
  f.run(1s);
  REQUIRE(f.info(read).waiting_messages == 2);
  REQUIRE(f.info(released).waiting_messages == 2);
  f.channels.release(f.net.now, leaving);  // its reset is not answered yet
  REQUIRE(f.channels.info(leaving));

  f.channels.on_ended(Close::Remote);
  f.channels.on_ended(Close::Local);  // it has ended once
  f.run(0s);
  std::size_t told_of_end = 0;
  for (const std::string& line : f.told) told_of_end += line.find("closed") == 0 ? 1 : 0;
  CHECK(told_of_end == 2);  // nobody asked to hear of the one that was released
  CHECK(f.channels.info(leaving).error() == ErrorCode::NotFound);
  CHECK(f.state(read) == ChannelState::Closed);
  const auto first = f.channels.receive(read);
  REQUIRE(first);
  CHECK(as_text(first->data) == "one");
  CHECK(f.channels.receive(read));
  CHECK_FALSE(f.channels.receive(read));
  f.channels.release(f.net.now, released);
  CHECK(f.channels.info(released).error() == ErrorCode::NotFound);
  CHECK(f.send(read, "more").error() == ErrorCode::InvalidState);
  CHECK(f.channels.create(f.net.now, {.label = "late"}, kLargest).error() == ErrorCode::Closed);
  REQUIRE(f.channels.set_buffer_low_threshold(read, 5));
  REQUIRE(f.channels.close(f.net.now, read));
}

}  // namespace pollrtc::test
