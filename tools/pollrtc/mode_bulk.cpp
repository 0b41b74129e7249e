// bulk, rate: as many messages as the buffer takes, counted at the receiving end for a given time.
#include "pollrtc/modes.h"

namespace pollrtc::tool {
namespace {

using Seconds = std::chrono::duration<double>;

class Sender {
 public:
  explicit Sender(PeerRun& run)
      : run_(run), payload_(run.options.size, run.options.text, run.options.verify) {}

  void on_open(Channel& channel) {
    channel.dc->set_buffered_amount_low_threshold(run_.options.buffer / 2);
    channels_.push_back(&channel);
    if (channels_.size() == run_.options.channels) pump();
  }

  // Round robin: the channel whose turn it is sets the pace. Once round the loop at most so many messages, so that a
  // channel whose buffer never seems to fill (empty messages) cannot keep us from everything else.
  void pump() {
    constexpr int kBatch = 65536;
    if (is_stopped_ || channels_.size() < run_.options.channels) return;
    for (int i = 0; i < kBatch; ++i) {
      Channel& channel = *channels_[next_];
      if (is_above_buffer(channel)) return;
      if (!begun_) begin();
      const Status status = send(*channel.dc, payload_.make(channel.next_number));
      if (!status && status.error() == ErrorCode::BufferFull) return pump_later(std::chrono::milliseconds(1));
      if (!status && status.error() == ErrorCode::InvalidState) return halt();  // closed by the other end
      if (!status) return run_.fail("send", status.error().detail());
      ++channel.next_number;
      ++messages_;
      channel.buffered_at_most += run_.options.size;
      next_ = next_ + 1 == channels_.size() ? 0 : next_ + 1;
    }
    pump_later(std::chrono::milliseconds(0));
  }

  void halt() {
    if (is_stopped_) return;
    is_stopped_ = true;
    if (begun_) seconds_ = Seconds(EventLoop::now() - *begun_).count();
  }

  Json figures() const {
    double seconds = seconds_;
    if (!is_stopped_ && begun_) seconds = Seconds(EventLoop::now() - *begun_).count();
    return {{"messages", messages_}, {"bytes", messages_ * run_.options.size}, {"seconds", seconds}};
  }

 private:
  bool is_above_buffer(Channel& channel) {
    if (channel.buffered_at_most <= run_.options.buffer) return false;
    channel.buffered_at_most = channel.dc->get_buffered_amount();
    return channel.buffered_at_most > run_.options.buffer;
  }

  Status send(DataChannel& dc, Bytes message) {
    if (!run_.options.text) return dc.send(message);
    return dc.send_text({reinterpret_cast<const char*>(message.data()), message.size()});
  }

  void begin() {
    begun_ = EventLoop::now();
    run_.loop.after(Seconds(run_.options.warmup + run_.options.duration + 10), [this] { halt(); });
  }

  void pump_later(std::chrono::milliseconds delay) {
    if (std::exchange(is_pump_due_, true)) return;
    run_.loop.after(delay, [this] {
      is_pump_due_ = false;
      pump();
    });
  }

  PeerRun& run_;
  Payload payload_;
  std::vector<Channel*> channels_;
  std::size_t next_ = 0;
  std::uint64_t messages_ = 0;
  std::optional<EventLoop::Instant> begun_;
  double seconds_ = 0;
  bool is_stopped_ = false, is_pump_due_ = false;
};

class Receiver {
 public:
  Receiver(PeerRun& run, std::function<void()> on_result)
      : run_(run),
        on_result_(std::move(on_result)),
        payload_(run.options.size, run.options.text, run.options.verify) {}

  void on_message(Channel& channel) {
    const auto arrival = EventLoop::now();
    const Result<Bytes> message = channel.dc->get_packet();
    if (!message) return;
    if (!begun_) begin(arrival);
    ++total_messages_;
    total_bytes_ += message->size();
    if (arrival >= *begun_ + warmup_ && arrival < *begun_ + warmup_ + duration_) {
      ++messages_;
      bytes_ += message->size();
    }
    if (run_.options.verify) verify(channel, *message);
  }

  Json figures(const std::vector<Channel*>& channels) {
    Json result = {{"messages", messages_},
                   {"bytes", bytes_},
                   {"seconds", run_.options.duration},
                   {"total_messages", total_messages_},
                   {"total_bytes", total_bytes_}};
    if (!run_.options.verify) return result;
    for (const Channel* channel : channels) verdict_.missing += channel->received.missing();
    result["bad"] = verdict_.bad;
    result["duplicate"] = verdict_.duplicate;
    result["missing"] = verdict_.missing;
    result["out_of_order"] = verdict_.out_of_order;
    return result;
  }

 private:
  void begin(EventLoop::Instant arrival) {
    begun_ = arrival;
    warmup_ = std::chrono::duration_cast<EventLoop::Instant::duration>(Seconds(run_.options.warmup));
    duration_ = std::chrono::duration_cast<EventLoop::Instant::duration>(Seconds(run_.options.duration));
    run_.loop.at(arrival + warmup_, [this] { run_.put({{"type", "mark"}, {"name", "begin"}}); });
    run_.loop.at(arrival + warmup_ + duration_, [this] {
      run_.put({{"type", "mark"}, {"name", "end"}});
      on_result_();
    });
  }

  void verify(Channel& channel, Bytes message) {
    const Payload::Reading reading = payload_.read(message, channel.dc->was_string_packet());
    if (!reading.is_right)
      ++verdict_.bad;
    else if (payload_.has_number())
      channel.received.note(reading.number, verdict_);
  }

  PeerRun& run_;
  std::function<void()> on_result_;
  Payload payload_;
  std::optional<EventLoop::Instant> begun_;
  EventLoop::Instant::duration warmup_{}, duration_{};
  std::uint64_t messages_ = 0, bytes_ = 0, total_messages_ = 0, total_bytes_ = 0;
  Verdict verdict_;
};

class Bulk : public Mode {
 public:
  explicit Bulk(PeerRun& run) : run_(run) {
    const bool is_up = run.options.direction == "up", is_both = run.options.direction == "both";
    const bool is_sending = is_both || run.options.is_offering() == is_up;
    if (is_sending) sender_.emplace(run);
    if (is_both || !is_sending) receiver_.emplace(run, [this] { put_result(); });
  }

  void on_start() override {
    if (run_.options.is_offering()) run_.offer(0);
  }
  void on_open(Channel& channel) override {
    channels_.push_back(&channel);
    if (sender_) sender_->on_open(channel);
  }
  void on_message(Channel& channel) override {
    if (receiver_)
      receiver_->on_message(channel);
    else
      static_cast<void>(channel.dc->get_packet());
  }
  void on_low(Channel&) override {
    if (sender_) sender_->pump();
  }
  void on_stop() override {
    if (sender_) sender_->halt();
    put_result();
  }

 private:
  void put_result() {
    if (std::exchange(is_done_, true)) return;
    Json line = {{"type", "result"}, {"mode", run_.options.mode}, {"role", run_.options.role}};
    if (receiver_) line["rx"] = receiver_->figures(channels_);
    if (sender_) line["tx"] = sender_->figures();
    run_.put(line);
  }

  PeerRun& run_;
  std::vector<Channel*> channels_;
  std::optional<Sender> sender_;
  std::optional<Receiver> receiver_;
  bool is_done_ = false;
};

}  // namespace

std::unique_ptr<Mode> make_bulk(PeerRun& run) { return std::make_unique<Bulk>(run); }

}  // namespace pollrtc::tool
