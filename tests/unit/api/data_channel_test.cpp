// DataChannel as a PacketPeer: kinds of packets, buffers, what stays after the end; and event loops of one's own.
#include <poll.h>

#include <algorithm>

#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// Polls both by what get_sockets() and get_time_to_next_deadline() say, and by nothing else.
bool run_own_loop(TwoSides& t, const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::vector<pollfd> watched;
    Duration longest = 5s;
    for (Side* side : {&t.a, &t.b}) {
      int sockets[64];
      const std::size_t count = side->connection->get_sockets(sockets);
      REQUIRE(count <= 64);
      for (std::size_t i = 0; i < count; ++i) watched.push_back({sockets[i], POLLIN, 0});
      if (const auto deadline = side->connection->get_time_to_next_deadline())
        longest = std::min(longest, *deadline);
    }
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(longest);
    ::poll(watched.data(), watched.size(), static_cast<int>(whole.count()));
    CHECK(t.a.connection->poll());
    CHECK(t.b.connection->poll());
  }
  return true;
}

}  // namespace

TEST_CASE("text, binary, empty: what was sent is what comes", "[API-11][API-12][API-52][API-54]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  CHECK(ours->get_write_mode() == DataChannel::WriteMode::Binary);
  CHECK(take(theirs) == "(Empty)");
  CHECK(theirs->get_packet_error() == ErrorCode::Empty);
  REQUIRE(ours->put_packet(as_bytes(std::string_view("binary"))));
  ours->set_write_mode(DataChannel::WriteMode::Text);
  REQUIRE(ours->put_packet(as_bytes(std::string_view("te\0xt", 5))));
  REQUIRE(ours->put_packet({}));  // sends nothing
  REQUIRE(ours->send({}));
  REQUIRE(ours->send_text(""));
  REQUIRE(t.run_until([&, c = theirs] { return c->get_available_packet_count() >= 4; }));
  t.run_for(20ms);
  CHECK(theirs->get_available_packet_count() == 4);
  CHECK(take(theirs) == "binary");
  CHECK_FALSE(theirs->get_packet_error());
  CHECK_FALSE(theirs->was_string_packet());
  CHECK(take(theirs) == std::string("te\0xt", 5));
  CHECK(theirs->was_string_packet());
  CHECK(take(theirs).empty());
  CHECK_FALSE(theirs->was_string_packet());
  CHECK(take(theirs).empty());
  CHECK(theirs->was_string_packet());
  CHECK(take(theirs) == "(Empty)");
  CHECK(theirs->was_string_packet());  // still about the last one taken
}

TEST_CASE("getters say what was asked for, at both ends", "[API-37][API-39]") {
  TwoSides t;
  DataChannelOptions options;
  options.ordered = false;
  options.max_packet_life_time = 250;
  options.protocol = "pr\xc3\xb6tocol";
  const auto [ours, theirs] = t.connect(options);
  for (const auto& channel : {ours, theirs}) {
    CHECK(channel->get_label() == "chat");
    CHECK(channel->get_protocol() == options.protocol);
    CHECK_FALSE(channel->is_ordered());
    CHECK_FALSE(channel->is_negotiated());
    CHECK(channel->get_max_packet_life_time() == 250);
    CHECK(channel->get_max_retransmits() == DataChannel::kUnset);
    CHECK(channel->get_id() == 1);
  }
}

TEST_CASE("packet buffers stay good until the next packet, whatever happens between",
          "[API-14][API-48][API-50]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  for (const char* text : {"first", "second", "third"}) REQUIRE(ours->send_text(text));
  REQUIRE(t.run_until([&, c = theirs] { return c->get_available_packet_count() == 3; }));
  const auto first = theirs->get_packet();
  REQUIRE(first);
  REQUIRE(ours->send_text("fourth"));
  t.run_for(10ms);
  theirs->close();
  t.run_for(10ms);
  CHECK(as_text(*first) == "first");
  CHECK(take(theirs) == "second");  // unread messages outlive the channel
  t.b.connection.reset();
  const auto third = theirs->get_packet();
  REQUIRE(third);
  CHECK(as_text(*third) == "third");
  CHECK(theirs->get_ready_state() == ChannelState::Closed);
  CHECK_FALSE(theirs->send_text("x"));
  CHECK(theirs->get_label() == "chat");
  theirs->close();
}

TEST_CASE("messages before a remote close are readable after it", "[API-06][API-48]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  REQUIRE(ours->send_text("one"));
  REQUIRE(ours->send_text("two"));
  t.run_for(10ms);
  t.a.connection->close();
  REQUIRE(t.b.connection->poll());
  CHECK(theirs->get_ready_state() == ChannelState::Closed);
  CHECK(theirs->get_available_packet_count() == 2);
  CHECK(take(theirs) == "one");
  CHECK(take(theirs) == "two");
  CHECK(take(theirs) == "(Empty)");
}

TEST_CASE("dropping the last reference closes the channel, and only it", "[API-49]") {
  TwoSides t;
  auto [ours, theirs] = t.connect();
  const ChannelPtr second = t.a.create("second");
  REQUIRE(t.run_until([&] { return t.b.channels.size() == 2; }));
  t.a.channels.clear();
  ours.reset();
  REQUIRE(t.run_until([&, c = theirs] { return c->get_ready_state() == ChannelState::Closed; }));
  CHECK(second->get_ready_state() == ChannelState::Open);
  REQUIRE(second->send_text("lives"));
  REQUIRE(t.run_until([&] { return t.b.channels[1]->get_available_packet_count() == 1; }));
  CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
}

TEST_CASE("sending before open, after close, too much: errors, and nothing is kept", "[API-09][API-53]") {
  TwoSides t;
  const ChannelPtr ours = t.a.create();
  CHECK(ours->send_text("early").error() == ErrorCode::InvalidState);
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(
      t.run_until([&] { return ours->get_ready_state() == ChannelState::Open && !t.b.channels.empty(); }));
  const ChannelPtr theirs = t.b.channels[0];
  CHECK(t.a.connection->get_max_message_size() == 262144);
  CHECK(ours->send(std::vector<std::uint8_t>(262145)).error() == ErrorCode::TooLarge);
  CHECK(ours->get_buffered_amount() == 0);
  REQUIRE(ours->send(std::vector<std::uint8_t>(262144)));
  REQUIRE(t.run_until([&] { return theirs->get_available_packet_count() == 1; }));
  CHECK(take(theirs).size() == 262144);
  ours->close();
  CHECK(ours->get_ready_state() == ChannelState::Closing);
  CHECK(ours->send_text("late").error() == ErrorCode::InvalidState);
  t.run_for(20ms);
  CHECK(theirs->get_available_packet_count() == 0);
}

TEST_CASE("put_packet reaches the network by itself", "[API-53]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  t.run_for(50ms);
  REQUIRE(ours->send_text("at once"));
  REQUIRE(t.b.connection->poll());  // a is not polled
  CHECK(take(theirs) == "at once");
}

TEST_CASE("the buffered amount grows in send and falls in poll", "[API-08]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  t.run_for(50ms);
  ours->set_buffered_amount_low_threshold(100);
  REQUIRE(ours->send(std::vector<std::uint8_t>(300)));
  REQUIRE(ours->send(std::vector<std::uint8_t>(500)));
  CHECK(ours->get_buffered_amount() == 800);  // though it is on its way already
  CHECK(std::count(t.a.log.begin(), t.a.log.end(), "low") == 0);
  REQUIRE(t.run_until([&, c = ours] { return c->get_buffered_amount() == 0; }));
  t.run_for(10ms);
  CHECK(std::count(t.a.log.begin(), t.a.log.end(), "low") == 1);
  REQUIRE(ours->send(std::vector<std::uint8_t>(100)));  // not above the threshold
  t.run_for(10ms);
  CHECK(std::count(t.a.log.begin(), t.a.log.end(), "low") == 1);
}

TEST_CASE("a full send buffer is an error that passes", "[API-09]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  const std::vector<std::uint8_t> block(200'000);
  int accepted = 0;
  Status status;
  while (accepted < 1000 && (status = ours->send(block))) ++accepted;
  REQUIRE_FALSE(status);
  CHECK(status.error() == ErrorCode::BufferFull);
  CHECK(ours->get_ready_state() == ChannelState::Open);
  int received = 0;
  REQUIRE(t.run_until(
      [&, c = theirs] {
        while (c->get_packet()) ++received;
        return received == accepted;
      },
      60s));
  CHECK(ours->send(block));
}

TEST_CASE("a loop of one's own needs the sockets and the deadline, nothing more", "[API-18]") {
  TwoSides t;
  const ChannelPtr ours = t.a.create();
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(run_own_loop(
      t, [&] { return ours->get_ready_state() == ChannelState::Open && !t.b.channels.empty(); }, 10s));
  const ChannelPtr theirs = t.b.channels[0];
  const std::vector<std::uint8_t> block(100'000);
  int sent = 0, received = 0;
  // More than all buffers hold, sent as they take it, read as it comes.
  REQUIRE(run_own_loop(
      t,
      [&] {
        while (sent < 200 && ours->send(block)) ++sent;
        while (theirs->get_packet()) ++received;
        return received == 200;
      },
      60s));
}

TEST_CASE("a reader who stopped and goes on gets the rest without delay", "[API-15][API-18]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  const std::vector<std::uint8_t> block(100'000);
  int sent = 0, received = 0;
  const auto send = [&, c = ours] {
    while (sent < 40 && c->send(block)) ++sent;
    return false;
  };
  run_own_loop(t, send, 300ms);  // the window is closed by now
  CHECK(theirs->get_available_packet_count() < sent);
  REQUIRE(run_own_loop(
      t,
      [&, c = theirs] {
        send();
        while (c->get_packet()) ++received;
        return received == 40;
      },
      2s));
}
