// A message larger than any buffer, in pieces, from one peer to another over a network that loses, with small messages on another
// channel beside it.
#include <algorithm>

#include "scenario/two_peers.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr std::size_t kSize = 64 * 1024 * 1024;
constexpr std::size_t kPiece = 64 * 1024;

// What stands at a place of the message: nothing that repeats with any packet or piece.
std::uint8_t byte_at(std::size_t place) {
  return static_cast<std::uint8_t>((place * 0x9E3779B97F4A7C15u) >> 56 ^ place >> 16);
}

class LargeMessage {
 public:
  LargeMessage(TwoPeers& t, ChannelHandle from, ChannelHandle to)
      : t_(t), from_(from), to_(to), piece_(kPiece) {}

  // As much as the send buffer takes.
  void send() {
    while (sent_ != kSize) {
      const std::size_t size = std::min(kPiece, kSize - sent_);
      for (std::size_t i = 0; i < size; ++i) piece_[i] = byte_at(sent_ + i);
      const Status status = t_.alice.peer.send_piece(t_.world.now(), from_, Bytes(piece_).first(size), false,
                                                     sent_ + size == kSize);
      if (!status) {
        REQUIRE(status.error() == ErrorCode::BufferFull);
        return;
      }
      sent_ += size;
    }
  }
  void receive() {
    while (const auto view = t_.bob.peer.receive(t_.world.now(), to_)) {
      REQUIRE(view->begins == (received_ == 0));
      REQUIRE_FALSE(view->abandoned);
      for (std::size_t i = 0; i < view->data.size(); ++i) wrong_ += view->data[i] != byte_at(received_ + i);
      received_ += view->data.size();
      if (view->ends) ++ends_;
    }
  }
  std::size_t received() const { return received_; }
  bool is_whole() const { return ends_ == 1 && received_ == kSize && wrong_ == 0; }
  bool has_ended() const { return ends_ != 0; }

 private:
  TwoPeers& t_;
  ChannelHandle from_, to_;
  std::vector<std::uint8_t> piece_;
  std::size_t sent_ = 0, received_ = 0, wrong_ = 0, ends_ = 0;
};

}  // namespace

TEST_CASE("64 MiB in pieces over loss: whole, in bounded memory, and small messages go on beside it",
          "[SCTP-ID-08]") {
  Limits limits;
  limits.sctp_max_message_rx = kSize;
  const sim::LinkConfig link{.delay = 10ms, .bits_per_second = 50'000'000, .loss = 0.002};
  TwoPeers t(21, link, {}, {}, limits);
  const auto [large_a, large_b] = t.connect({.label = "large"});
  REQUIRE(t.bob.peer.receive_in_pieces(large_b, true));
  const ChannelHandle small_a = t.alice.create({.label = "small"});
  t.run_until(
      [&] { return t.bob.announced.size() == 2 && t.alice.channel_state(small_a) == ChannelState::Open; },
      10s);
  const ChannelHandle small_b = t.bob.announced.back();

  LargeMessage large(t, large_a, large_b);
  std::vector<Time> sent_at;
  std::vector<Duration> waits;
  t.bob.node.after_input = [&](Time now) {
    large.receive();
    while (const auto view = t.bob.peer.receive(now, small_b)) {
      REQUIRE(as_text(view->data) == std::to_string(waits.size()));  // none is missing, none out of order
      waits.push_back(now - sent_at[waits.size()]);
    }
  };
  t.bob.read_messages = false;
  const auto send_small = [&] {
    if (!t.alice.send(small_a, std::to_string(sent_at.size()))) return;
    sent_at.push_back(t.world.now());
  };
  REQUIRE(t.alice.peer.set_buffer_low_threshold(large_a, limits.sctp_tx_buffer_channel / 2));
  const Time begin = t.world.now();
  while (!large.has_ended() && t.world.now() - begin < 300s) {
    large.send();
    send_small();
    t.world.run_for(20ms);
  }
  REQUIRE(large.is_whole());
  const Duration took = t.world.now() - begin;
  const std::size_t beside = waits.size();
  t.run_until([&] { return waits.size() == sent_at.size(); }, 10s);

  // Some hundred small ones went while it was under way, and none waited for it: only for what was lost of their own, for
  // the queue of the link, and for their turn.
  CHECK(beside > 300);
  std::sort(waits.begin(), waits.end());
  INFO("it took " << took.count() / 1000 << " ms; small messages waited " << waits[waits.size() / 2].count()
                  << " us in the middle, " << waits.back().count() << " us at most");
  CHECK(waits[waits.size() / 2] < 100ms);
  CHECK(waits[waits.size() * 99 / 100] < 500ms);
  CHECK(waits.back() < 3s);
  CHECK(t.alice.environment.peak_bytes() < 4 * limits.sctp_tx_buffer_channel);  // it grows by doubling
  CHECK(t.bob.environment.peak_bytes() < 4 * limits.sctp_rx_window);
}
