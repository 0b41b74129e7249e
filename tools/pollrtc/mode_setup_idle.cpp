// setup: connections one after another, each timed. idle: many connections, kept.
#include "pollrtc/modes.h"

namespace pollrtc::tool {
namespace {

double milliseconds_since(EventLoop::Instant start) {
  return std::chrono::duration<double, std::milli>(EventLoop::now() - start).count();
}

// The answering end of both: one message as soon as a channel is open. That of setup has the connection for the next offer
// ready, as the offering end has before the time counts.
class Greeter : public Mode {
 public:
  Greeter(PeerRun& run, bool prepares) : run_(run), prepares_(prepares) {}
  void on_start() override {
    if (prepares_) run_.prepare_ahead();
  }
  void on_open(Channel& channel) override {
    if (const Status status = channel.dc->send_text("ping"); !status)
      run_.fail("send", status.error().detail());
  }
  void on_message(Channel& channel) override { static_cast<void>(channel.dc->get_packet()); }

 private:
  PeerRun& run_;
  bool prepares_;
};

class Setup : public Mode {
 public:
  explicit Setup(PeerRun& run) : run_(run) {}

  void on_start() override { next(); }

  void on_open(Channel& channel) override { open_ms_.push_back(milliseconds_since(channel.link.offered_at)); }

  void on_message(Channel& channel) override {
    Link& link = channel.link;
    if (std::exchange(link.has_heard, true)) return;
    setup_ms_.push_back(milliseconds_since(link.offered_at));
    run_.put(link, {{"type", "close"}});
    run_.close_link(link);
    run_.loop.after(std::chrono::milliseconds(20), [this] { next(); });
  }

  void on_stop() override { put_result(); }

 private:
  void next() {
    if (is_done_) return;
    if (setup_ms_.size() == run_.options.count) return put_result();
    run_.offer(static_cast<int>(setup_ms_.size()));
  }

  void put_result() {
    if (std::exchange(is_done_, true)) return;
    run_.put({{"type", "result"},
              {"mode", "setup"},
              {"role", run_.options.role},
              {"setup_ms", setup_ms_},
              {"open_ms", open_ms_}});
  }

  PeerRun& run_;
  std::vector<double> setup_ms_, open_ms_;
  bool is_done_ = false;
};

class Idle : public Mode {
 public:
  explicit Idle(PeerRun& run) : run_(run) {}

  void on_start() override {
    run_.put({{"type", "mark"}, {"name", "begin"}});
    start_more();
  }

  void on_message(Channel& channel) override {
    static_cast<void>(channel.dc->get_packet());
    if (std::exchange(channel.link.has_heard, true)) return;
    if (++ready_ < run_.options.count) return start_more();
    run_.loop.after(std::chrono::seconds(2), [this] {
      run_.put({{"type", "mark"}, {"name", "end"}});
      put_result();
    });
  }

  void on_stop() override { put_result(); }

 private:
  static constexpr std::size_t kAtOnce = 4;

  void start_more() {
    while (started_ < run_.options.count && started_ - ready_ < kAtOnce && !run_.loop.is_stopped())
      run_.offer(static_cast<int>(started_++));
  }

  void put_result() {
    if (std::exchange(is_done_, true)) return;
    run_.put({{"type", "result"}, {"mode", "idle"}, {"role", run_.options.role}, {"connections", ready_}});
  }

  PeerRun& run_;
  std::size_t started_ = 0, ready_ = 0;
  bool is_done_ = false;
};

}  // namespace

std::unique_ptr<Mode> make_setup(PeerRun& run) {
  if (!run.options.is_offering()) return std::make_unique<Greeter>(run, true);
  return std::make_unique<Setup>(run);
}

std::unique_ptr<Mode> make_idle(PeerRun& run) {
  if (!run.options.is_offering()) return std::make_unique<Greeter>(run, false);
  return std::make_unique<Idle>(run);
}

}  // namespace pollrtc::tool
