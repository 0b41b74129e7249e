#include "pollrtc/demo_host.h"

#include <algorithm>

namespace pollrtc::tool {
namespace {

constexpr std::array<std::string_view, 4> kRoleNames = {"chat", "control", "ping", "bulk"};
constexpr std::size_t kPings = 1000, kPingSize = 64;
constexpr auto kPingTime = std::chrono::seconds(5);

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

// ---- throughput

void BulkSender::run(EventLoop& loop, const std::shared_ptr<DataChannel>& channel, double seconds,
                     std::function<void()> done) {
  auto sender = std::make_shared<BulkSender>();
  sender->channel_ = channel;
  channel->set_buffered_amount_low_threshold(kBulkBuffer / 2);
  channel->buffered_amount_low = [sender] { sender->pump(); };
  loop.after(std::chrono::duration<double>(seconds), [sender, done = std::move(done)] {
    sender->is_over_ = true;
    sender->channel_->buffered_amount_low = nullptr;
    done();
  });
  sender->pump();
}

void BulkSender::pump() {
  while (!is_over_ && channel_->get_buffered_amount() <= kBulkBuffer)
    if (!channel_->send(message_)) return;
}

void BulkCounter::add(std::size_t size) {
  last = EventLoop::now();
  if (bytes == 0) first = last;
  bytes += size;
}

// ---- the connection

Host::Host(EventLoop& loop, Story& story, double seconds, std::function<void(const Json&)> send,
           std::function<void(bool)> ended)
    : loop_(loop), story_(story), seconds_(seconds), send_(std::move(send)), ended_(std::move(ended)) {
  hook_connection();
  loop_.add(pc_);
}

Host::~Host() {
  *alive_ = false;
  close();
}

void Host::close() {
  if (pc_ == nullptr) return;
  pc_->connection_state_changed = nullptr;
  pc_->data_channel_received = nullptr;
  for (const auto& channel : channels_)
    if (channel)
      channel->opened = channel->closed = channel->message_received = channel->buffered_amount_low = nullptr;
  pc_->close();
  loop_.remove(pc_.get());
  loop_.at(EventLoop::now(), [keep = std::move(pc_)] {});  // it may be its own signal that we are in
}

void Host::hook_connection() {
  pc_->session_description_created = [this](const std::string& type, const std::string& sdp) {
    static_cast<void>(pc_->set_local_description(type, sdp));
    story_.tell("{} sent", type);
    send_({{"type", type}, {"sdp", sdp}});
  };
  pc_->ice_candidate_created = [this](const std::string& media, int index, const std::string& name) {
    if (!name.empty()) story_.tell("our candidate    {}", brief_candidate(name));
    send_({{"type", "candidate"}, {"mid", media}, {"index", index}, {"candidate", name}});
  };
  pc_->connection_state_changed = [this](ConnectionState state) { on_state(state); };
  pc_->data_channel_received = [this](std::shared_ptr<DataChannel> channel) {
    take_channel(std::move(channel));
  };
}

void Host::take(const Json& line) {
  if (pc_ == nullptr) return;
  const std::string type = tool::text_of(line, "type");
  if (type == "offer") {
    offered_at_ = EventLoop::now();
    story_.tell("offer received");
    const Status status = pc_->set_remote_description(type, tool::text_of(line, "sdp"));
    if (status) return;
    story_.tell("the offer is refused: {}", status.error().detail());
    end(false);
  } else if (type == "candidate") {
    const std::string text = tool::text_of(line, "candidate");
    if (!text.empty()) story_.tell("their candidate  {}", brief_candidate(text));
    const Status status =
        pc_->add_ice_candidate(tool::text_of(line, "mid"), static_cast<int>(number_of(line, "index")), text);
    if (!status) story_.tell("                 not of use to us: {}", status.error().detail());
  }
}

void Host::on_state(ConnectionState state) {
  story_.tell("connection is {}", name_of(state));
  if (state == ConnectionState::Connected) {
    connect_ms_ = std::chrono::duration<double, std::milli>(EventLoop::now() - offered_at_).count();
    connected_at_ms_ = story_.elapsed_ms();
    tell_path();
  }
  if (state == ConnectionState::Failed || state == ConnectionState::Closed) {
    story_.tell("because: {}", meaning_of(pc_->get_stats().close_reason));
    end(false);
  }
}

void Host::tell_path() {
  const PeerStats stats = pc_->get_stats();
  if (stats.selected_path)
    story_.tell("selected pair    {} {} <-> {} {}", tool::text_of(stats.local_type),
                tool::text_of(stats.selected_path->local), tool::text_of(stats.remote_type),
                tool::text_of(stats.selected_path->remote));
  story_.tell("secured by       {}, {}; we are the {}", stats.dtls_version, stats.dtls_cipher_suite,
              stats.dtls_is_client ? "client" : "server");
}

void Host::take_channel(std::shared_ptr<DataChannel> channel) {
  const std::string label = channel->get_label();
  const auto found = std::find(kRoleNames.begin(), kRoleNames.end(), label);
  if (found == kRoleNames.end()) return;
  story_.tell("channel open     {} (id {})", label, channel->get_id());
  const auto role = static_cast<Role>(found - kRoleNames.begin());
  channel->message_received = [this, role] {
    if (role == Chat) on_chat();
    if (role == Control) on_control();
    if (role == Ping) on_ping();
    if (role == Bulk) on_bulk();
  };
  channel->closed = [this] {
    if (has_ended_) return;
    story_.tell("the other end has closed a channel");
    end(false);
  };
  channels_[role] = std::move(channel);
  if (!std::all_of(channels_.begin(), channels_.end(), [](const auto& held) { return held != nullptr; }))
    return;
  open_ms_ = std::chrono::duration<double, std::milli>(EventLoop::now() - offered_at_).count();
  begin_round_trips();
}

// ---- what is measured, one thing after the other

void Host::begin_round_trips() {
  story_.tell("round trips      {} messages of {} bytes", kPings, kPingSize);
  pings_end_ = EventLoop::now() + kPingTime;
  send_ping();
}

void Host::send_ping() {
  std::array<std::uint8_t, kPingSize> message{kHostPing};
  pinged_at_ = EventLoop::now();
  static_cast<void>(at(Ping).send(message));
}

void Host::on_ping() {
  while (const Result<Bytes> message = at(Ping).get_packet()) {
    if (message->empty()) continue;
    if ((*message)[0] == kGuestPing) {
      static_cast<void>(at(Ping).send(*message));
      continue;
    }
    const auto now = EventLoop::now();
    if (trips_.count > 0) continue;
    round_trips_.push_back(std::chrono::duration<double, std::micro>(now - pinged_at_).count());
    if (round_trips_.size() < kPings && now < pings_end_) {
      send_ping();
      continue;
    }
    trips_ = RoundTrips::of(round_trips_);
    story_.tell("                 min {:.0f} us, median {:.0f} us, p99 {:.0f} us", trips_.min, trips_.median,
                trips_.p99);
    begin_sending();
  }
}

void Host::begin_sending() {
  story_.tell("throughput       we send for {} s", seconds_);
  BulkSender::run(loop_, channels_[Bulk], seconds_, [this, alive = alive_] {
    // Ordered channels do not wait for one another: give what is still in the buffer a moment.
    if (*alive && !has_ended_)
      loop_.after(std::chrono::milliseconds(200), [this, alive] {
        if (*alive && !has_ended_) static_cast<void>(at(Control).send_text(R"({"do":"count"})"));
      });
  });
}

void Host::on_control() {
  while (const Result<Bytes> message = at(Control).get_packet()) {
    const Json line = parse_json(*message);
    if (!line.is_object() || !line.contains("counted") || megabytes_out_ > 0) continue;
    const Json& counted = line["counted"];
    if (!counted.is_object()) continue;
    const double bytes = static_cast<double>(number_of(counted, "bytes"));
    const double seconds = counted.value("seconds", 0.0);
    megabytes_out_ = seconds > 0 ? bytes / seconds / 1e6 : 0;
    story_.tell("                 {:.1f} MB in {:.1f} s, {:.1f} MB/s", bytes / 1e6, seconds, megabytes_out_);
    begin_receiving();
  }
}

void Host::begin_receiving() {
  story_.tell("throughput       they send for {} s", seconds_);
  is_counting_ = true;
  const Json order = {{"do", "send"}, {"seconds", seconds_}, {"size", kBulkMessage}};
  static_cast<void>(at(Control).send_text(to_text(order)));
  loop_.after(std::chrono::duration<double>(seconds_ + 0.5), [this, alive = alive_] {
    if (*alive && !has_ended_) finish();
  });
}

void Host::on_bulk() {
  while (const Result<Bytes> message = at(Bulk).get_packet())
    if (is_counting_) received_.add(message->size());
}

void Host::on_chat() {
  while (const Result<Bytes> message = at(Chat).get_packet()) {
    if (!at(Chat).was_string_packet()) continue;
    const std::string text = text_of(*message);
    story_.tell("chat             they say: {}", text);
    static_cast<void>(at(Chat).send_text("You said: " + text));
  }
}

void Host::finish() {
  is_counting_ = false;
  megabytes_in_ = received_.megabytes_per_second();
  story_.tell("                 {:.1f} MB in {:.1f} s, {:.1f} MB/s",
              static_cast<double>(received_.bytes) / 1e6, received_.seconds(), megabytes_in_);
  const PeerStats stats = pc_->get_stats();
  story_.title("Summary");
  fmt::print(
      "  connected {:.1f} ms after the start, {:.1f} ms after the offer; channels open after {:.1f} ms\n",
      connected_at_ms_, connect_ms_, open_ms_);
  fmt::print("  {}, {}\n", stats.dtls_version, stats.dtls_cipher_suite);
  fmt::print("  round trip: min {:.0f} us, median {:.0f} us, p99 {:.0f} us ({} of them)\n", trips_.min,
             trips_.median, trips_.p99, trips_.count);
  fmt::print("  throughput: {:.1f} MB/s out, {:.1f} MB/s in\n", megabytes_out_, megabytes_in_);
  fmt::print("  {} datagrams sent, {} received, {} chunks sent again\n", stats.datagrams_sent,
             stats.datagrams_received, stats.sctp_retransmitted_chunks);
  std::fflush(stdout);
  const Json figures = {{"connect_ms", connect_ms_},        {"open_ms", open_ms_},
                        {"rtt_us", trips_.median},          {"out_mb_s", megabytes_out_},
                        {"in_mb_s", megabytes_in_},         {"dtls", stats.dtls_version},
                        {"cipher", stats.dtls_cipher_suite}};
  static_cast<void>(at(Control).send_text(to_text(Json{{"show", figures}})));
  end(megabytes_out_ > 0 && megabytes_in_ > 0 && trips_.count > 0);
}

void Host::end(bool worked) {
  if (!std::exchange(has_ended_, true)) ended_(worked);
}

}  // namespace pollrtc::tool
