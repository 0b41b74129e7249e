// Messages in pieces over a data channel: what the user says and hears. The sending of pieces is checked at the other end,
// the receiving with an association as the other end.
#include "channels_fixture.h"
#include "support/catch.h"

namespace pollrtc::test {

namespace {

using Lines = std::vector<std::string>;

std::string text_of(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

Status piece(ChannelsFixture& t, ChannelHandle channel, std::string_view text, bool last) {
  return t.channels.send_piece(t.net.now, channel, as_bytes(text), true, last, kLargest);
}

// All that waits: "[" and "]" where a message begins and ends, "!" where it was given up.
std::string read(ChannelsFixture& t, ChannelHandle channel, std::size_t& bytes) {
  std::string marks;
  while (const auto view = t.channels.receive(channel)) {
    bytes += view->data.size();
    marks += view->begins ? "[" : "";
    marks += view->abandoned ? "!" : ".";
    marks += view->ends ? "]" : "";
  }
  return marks;
}

}  // namespace

TEST_CASE("a message sent in pieces arrives as one") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle channel = t.open();
  const std::string text = text_of(10'000);
  REQUIRE(piece(t, channel, std::string_view(text).substr(0, 4'000), false));
  t.run(1s);
  CHECK(t.heard.empty());
  CHECK(t.info(channel).messages_sent == 0);
  CHECK(t.send(channel, "in between").error() == ErrorCode::InvalidState);
  REQUIRE(piece(t, channel, std::string_view(text).substr(4'000, 5'999), false));
  REQUIRE(piece(t, channel, std::string_view(text).substr(9'999), true));
  REQUIRE(t.send(channel, "after"));
  t.run(1s);
  REQUIRE(t.heard.size() == 2);
  CHECK(t.heard[0].bytes == to_vector(as_bytes(text)));
  CHECK(t.heard[0].ppid == 51);
  CHECK(t.heard[1].bytes.size() == 5);
  CHECK(t.info(channel).messages_sent == 2);
  CHECK(t.info(channel).bytes_sent == 10'005);
}

TEST_CASE("the pieces of a message together keep to the agreed size, and a refused one changes nothing",
          "[API-09]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle channel = t.open();
  REQUIRE(piece(t, channel, text_of(kLargest - 1), false));
  CHECK(piece(t, channel, "ab", true).error() == ErrorCode::TooLarge);
  CHECK(piece(t, channel, "", true).error() == ErrorCode::InvalidArgument);
  REQUIRE(piece(t, channel, "a", true));
  REQUIRE(piece(t, channel, text_of(kLargest), true));  // the next one has the whole size again
  t.run(10s);
  REQUIRE(t.heard.size() == 2);
  CHECK(t.heard[0].bytes.size() == kLargest);
}

TEST_CASE("a channel that may lose messages sends none in pieces, one that is not open neither", "[API-09]") {
  ChannelsFixture t;
  const ChannelHandle early = t.create({.label = "early"});
  CHECK(piece(t, early, "x", false).error() == ErrorCode::InvalidState);
  t.connect();
  CHECK(piece(t, t.open({.label = "a", .max_retransmits = 0}), "x", false).error() ==
        ErrorCode::NotSupported);
  CHECK(piece(t, t.open({.label = "b", .max_lifetime_ms = 10}), "x", false).error() ==
        ErrorCode::NotSupported);
  CHECK(piece(t, ChannelHandle{99}, "x", false).error() == ErrorCode::NotFound);
  CHECK(t.channels.abandon_message(t.net.now, early).error() == ErrorCode::InvalidState);
}

TEST_CASE("BufferLow tells when there is room for more pieces") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 50'000;
  ChannelsFixture t({}, limits);
  t.connect();
  const ChannelHandle channel = t.open();
  REQUIRE(t.channels.set_buffer_low_threshold(channel, 10'000));
  REQUIRE(piece(t, channel, text_of(40'000), false));
  CHECK(piece(t, channel, text_of(20'000), false).error() == ErrorCode::BufferFull);
  t.run(1s);
  CHECK(t.told == Lines{"low 0"});
  REQUIRE(piece(t, channel, text_of(20'000), true));
}

TEST_CASE("closing a channel, or giving its message up, leaves nothing half sent") {
  for (const bool close : {false, true}) {
    ChannelsFixture t;
    t.connect();
    const ChannelHandle channel = t.open(), other = t.open({.label = "other"});
    REQUIRE(piece(t, channel, text_of(5'000), false));
    t.run(1s);
    if (close) {
      REQUIRE(t.channels.close(t.net.now, channel));
    } else {
      REQUIRE(t.channels.abandon_message(t.net.now, channel));
      REQUIRE(t.send(channel, "next"));
    }
    REQUIRE(t.send(other, "still"));
    t.run(5s);
    REQUIRE(t.heard.size() == (close ? 1 : 2));
    for (const auto& message : t.heard) CHECK(message.bytes.size() < 10);
    if (close) CHECK(t.resets().size() == 1);
  }
}

TEST_CASE("a channel gives its messages in pieces when asked to, before it opens or later") {
  for (const bool early : {false, true}) {
    ChannelsFixture t;
    t.user_reads = false;
    const ChannelHandle channel = t.create({.label = "ours", .negotiated = true, .id = 4});
    if (early) REQUIRE(t.channels.receive_in_pieces(channel, true));
    t.connect();
    if (!early) REQUIRE(t.channels.receive_in_pieces(channel, true));
    t.say({.stream = 4, .ppid = 53}, ByteVector(100'000, 7));
    t.run(5s);
    CHECK(t.info(channel).waiting_messages > 10);
    CHECK(t.info(channel).messages_received == 1);
    CHECK(t.info(channel).bytes_received == 100'000);
    std::size_t bytes = 0;
    const std::string marks = read(t, channel, bytes);
    CHECK(bytes == 100'000);
    CHECK(marks.substr(0, 2) == "[.");
    CHECK(marks.substr(marks.size() - 2) == ".]");
    CHECK(std::count(marks.begin(), marks.end(), '[') == 1);
    CHECK(std::count(marks.begin(), marks.end(), ']') == 1);
  }
}

TEST_CASE("the user learns that the rest of a message will not come") {
  ChannelsFixture t;
  t.user_reads = false;
  const ChannelHandle channel = t.create({.label = "ours", .negotiated = true, .id = 4});
  REQUIRE(t.channels.receive_in_pieces(channel, true));
  t.connect();
  REQUIRE(t.net.b.association->send_piece(t.net.now, {.stream = 4, .ppid = 53}, ByteVector(3'000, 7), false));
  t.run(1s);
  t.net.b.association->abandon_piece(t.net.now, 4);
  t.run(1s);
  std::size_t bytes = 0;
  const std::string marks = read(t, channel, bytes);
  CHECK(bytes == 3'000);
  CHECK(marks.substr(marks.size() - 2) == "!]");
  CHECK(t.info(channel).messages_received == 0);
}

TEST_CASE("the next channel on the stream of one in pieces gets whole messages") {
  ChannelsFixture t;
  t.user_reads = false;
  t.connect();
  const ChannelHandle channel = t.open();
  const std::uint16_t id = *t.info(channel).id;
  REQUIRE(t.channels.receive_in_pieces(channel, true));
  REQUIRE(t.channels.close(t.net.now, channel));
  t.run(1s);
  t.reset(id);
  t.run(1s);
  REQUIRE(t.state(channel) == ChannelState::Closed);
  const ChannelHandle next = t.open({.label = "next"});
  REQUIRE(t.info(next).id == id);
  t.say({.stream = id, .ppid = 53}, ByteVector(50'000, 7));
  t.run(2s);
  CHECK(t.info(next).waiting_messages == 1);
}

}  // namespace pollrtc::test
