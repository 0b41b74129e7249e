// The priority of a channel, end to end: the share of the line that its messages get, and which of them go when the buffer is
// full.
#include <array>
#include <map>

#include "channels_fixture.h"
#include "support/catch.h"

namespace pollrtc::test {

namespace {

constexpr std::array<std::uint16_t, 4> kPriorities = {128, 256, 512, 1024};

// The bytes that the other end has heard on each stream.
std::map<std::uint16_t, std::size_t> bytes_heard(const ChannelsFixture& t) {
  std::map<std::uint16_t, std::size_t> bytes;
  for (const auto& message : t.heard) bytes[message.stream] += message.bytes.size();
  return bytes;
}

// Four channels, one of each priority, opened by us or by the other end.
std::vector<ChannelHandle> open_four(ChannelsFixture& t, bool ours) {
  std::vector<ChannelHandle> channels;
  for (std::size_t i = 0; i < kPriorities.size(); ++i) {
    if (ours) {
      channels.push_back(t.open({.label = "ours", .priority = kPriorities[i]}));
      continue;
    }
    std::array<std::uint8_t, 2> priority;
    store_u16(priority.data(), kPriorities[i]);
    t.say(static_cast<std::uint16_t>(2 * i + 1),
          "03 00 " + sctp::test::to_hex(priority) + " 00000000 0000 0000");
    t.run(1s);
    channels.push_back(ChannelHandle{static_cast<std::uint32_t>(i)});
  }
  t.heard.clear();
  return channels;
}

}  // namespace

TEST_CASE("channels that all have something to send share the line by their priority, whoever opened them",
          "[DCEP-24][SCTP-ID-08]") {
  for (const bool interleaving : {true, false}) {
    for (const bool ours : {true, false}) {
      ChannelsFixture t({}, {}, {.interleaving = interleaving});
      t.connect();
      const std::vector<ChannelHandle> channels = open_four(t, ours);
      // Not the same for all: it is bytes that count, not messages.
      const std::array<std::size_t, 4> sizes = {700, 3000, 1100, 9000};
      for (std::size_t i = 0; i < channels.size(); ++i) {
        const std::string text(sizes[i], 'x');
        for (std::size_t sent = 0; sent < 1'500'000; sent += text.size()) REQUIRE(t.send(channels[i], text));
      }
      std::size_t total = 0;
      REQUIRE(t.run_until(
          [&] {
            total = 0;
            for (const auto& [stream, bytes] : bytes_heard(t)) total += bytes;
            return total > 1'500'000;
          },
          600s));
      const auto bytes = bytes_heard(t);
      for (std::size_t i = 0; i < channels.size(); ++i) {
        const double share =
            static_cast<double>(bytes.at(*t.info(channels[i]).id)) / static_cast<double>(total);
        const double due = kPriorities[i] / 1920.0;
        INFO("priority " << kPriorities[i] << ", I-DATA " << interleaving << ", ours " << ours);
        CHECK(share > 0.95 * due);
        CHECK(share < 1.05 * due);
      }
    }
  }
}

TEST_CASE("a full buffer: channels that may lose what waits lose it to a higher priority") {
  Limits limits;
  limits.sctp_tx_buffer = 100'000;
  ChannelsFixture t({}, limits);
  t.connect();
  const ChannelHandle low = t.open({.label = "low", .priority = 128, .discard_when_full = true});
  const ChannelHandle high = t.open({.label = "high", .priority = 1024, .discard_when_full = true});
  const ChannelHandle sure = t.open({.label = "sure", .priority = 128});
  std::size_t lows = 0, highs = 0;
  const auto text = [](char first) { return std::string(1, first) + std::string(999, '.'); };
  while (t.send(low, text(static_cast<char>('0' + lows)))) ++lows;
  REQUIRE(lows > 50);
  CHECK(t.info(low).buffered_amount == 1000 * lows);
  CHECK(t.send(low, text('x')).error() == ErrorCode::BufferFull);  // not for one of its own priority
  // What is above takes its place, one for one, until none waits.
  while (t.send(high, text('h'))) ++highs;
  CHECK(highs == lows);
  CHECK(t.info(low).buffered_amount == 0);
  CHECK(t.send(low, text('x')).error() == ErrorCode::BufferFull);
  // A channel without the option stands above all that have it, whatever its priority.
  for (std::size_t i = 0; i < 10; ++i) REQUIRE(t.send(sure, text('s')));
  CHECK(t.info(high).buffered_amount == 1000 * (highs - 10));
  REQUIRE(t.run_until([&] { return t.heard.size() == highs; }, 60s));
  for (const auto& message : t.heard) CHECK((message.bytes[0] == 'h' || message.bytes[0] == 's'));
  // The rest goes on, and nothing is missed.
  t.heard.clear();
  REQUIRE(t.send(low, "again"));
  t.run(1s);
  CHECK(t.heard.size() == 1);
  CHECK(
      t.channels.send_piece(t.net.now, low, as_bytes(std::string_view("p")), true, true, kLargest).error() ==
      ErrorCode::NotSupported);
}

}  // namespace pollrtc::test
