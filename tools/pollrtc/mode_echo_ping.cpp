// echo: every message goes back on the channel it came by. ping: round trips, one at a time, against echo or ping.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "pollrtc/modes.h"

namespace pollrtc::tool {
namespace {

class Echo : public Mode {
 public:
  explicit Echo(PeerRun& run) : run_(run) {}

  void on_open(Channel& channel) override { channel.dc->set_buffered_amount_low_threshold(1 << 20); }
  void on_message(Channel& channel) override { pump(channel); }
  void on_low(Channel& channel) override { pump(channel); }

 private:
  // Messages that find no room wait where they are, unread: that closes the sender's window, and nothing is lost.
  void pump(Channel& channel) {
    if (channel.is_holding) {
      if (!send_back(channel, channel.held, channel.held_is_text)) return;
      channel.is_holding = false;
    }
    while (true) {
      const Result<Bytes> message = channel.dc->get_packet();
      if (!message) return;
      const bool is_text = channel.dc->was_string_packet();
      if (send_back(channel, *message, is_text)) continue;
      channel.held.assign(message->begin(), message->end());
      channel.held_is_text = is_text;
      channel.is_holding = true;
      return;
    }
  }

  // False: no room; on_low() will come.
  bool send_back(Channel& channel, Bytes message, bool is_text) {
    const std::string_view text(reinterpret_cast<const char*>(message.data()), message.size());
    const Status status = is_text ? channel.dc->send_text(text) : channel.dc->send(message);
    if (status || status.error() == ErrorCode::InvalidState)
      return true;  // a closed channel takes no answers
    if (status.error() == ErrorCode::BufferFull) return false;
    run_.fail("send", status.error().detail());
    return true;
  }

  PeerRun& run_;
};

class Ping : public Mode {
 public:
  explicit Ping(PeerRun& run)
      : run_(run),
        warmup_(std::max<std::size_t>(10, (run.options.count + 9) / 10)),
        payload_(run.options.size, run.options.text, run.options.verify) {
    round_trips_.reserve(run.options.count);
  }

  void on_start() override { run_.offer(0); }

  void on_open(Channel& channel) override {
    channels_.push_back(&channel);
    if (channels_.size() == run_.options.channels) send_next();
  }

  void on_message(Channel& channel) override {
    const auto arrival = EventLoop::now();
    while (channel.dc->get_packet()) {
    }
    if (is_done_) return;
    if (sent_++ >= warmup_)
      round_trips_.push_back(std::chrono::duration<double, std::micro>(arrival - sent_at_).count());
    if (round_trips_.size() < run_.options.count) return send_next();
    run_.put({{"type", "mark"}, {"name", "end"}});
    finish();
  }

  void on_stop() override { finish(); }

 private:
  void send_next() {
    if (sent_ == warmup_) run_.put({{"type", "mark"}, {"name", "begin"}});
    Channel& channel = *channels_[sent_ % channels_.size()];
    const Bytes message = payload_.make(channel.next_number++);
    sent_at_ = EventLoop::now();
    const Status status =
        run_.options.text
            ? channel.dc->send_text({reinterpret_cast<const char*>(message.data()), message.size()})
            : channel.dc->send(message);
    if (!status) run_.fail("send", status.error().detail());
  }

  void finish() {
    if (is_done_) return;
    is_done_ = true;
    Json figures = {{"n", round_trips_.size()}};
    if (!round_trips_.empty()) {
      std::sort(round_trips_.begin(), round_trips_.end());
      const double count = static_cast<double>(round_trips_.size());
      const auto rounded = [](double us) { return std::round(us * 10) / 10; };
      const auto at = [&](double part) {
        const auto index = static_cast<std::size_t>(part * count);
        return rounded(round_trips_[std::min(index, round_trips_.size() - 1)]);
      };
      figures["min"] = at(0);
      figures["median"] = at(0.5);
      figures["mean"] = rounded(std::accumulate(round_trips_.begin(), round_trips_.end(), 0.0) / count);
      figures["p90"] = at(0.9);
      figures["p99"] = at(0.99);
      figures["max"] = at(1);
    }
    run_.put(
        {{"type", "result"}, {"mode", "ping"}, {"role", run_.options.role}, {"rtt_us", std::move(figures)}});
  }

  PeerRun& run_;
  const std::size_t warmup_;
  Payload payload_;
  std::vector<Channel*> channels_;
  std::size_t sent_ = 0;  // round trips that are over
  EventLoop::Instant sent_at_{};
  std::vector<double> round_trips_;  // microseconds
  bool is_done_ = false;
};

}  // namespace

std::unique_ptr<Mode> make_echo(PeerRun& run) { return std::make_unique<Echo>(run); }

std::unique_ptr<Mode> make_ping(PeerRun& run) {
  if (!run.options.is_offering()) return make_echo(run);
  return std::make_unique<Ping>(run);
}

}  // namespace pollrtc::tool
