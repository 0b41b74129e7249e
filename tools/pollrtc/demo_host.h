// The measuring end of the demo. It answers an offer that brings four channels, and then takes its guest (a browser's page,
// demo_page.html, or a Guest in this process) through round trips and throughput both ways:
//
//   chat     text, answered in words
//   control  JSON: {"do":"send","seconds":S,"size":N}, {"do":"count"} to the guest; {"counted":{"bytes":B,"seconds":S}}
//            back; {"show":{...}} gives the guest the figures
//   ping     a message goes back where it came from; the first byte says whose it is: 1 the host's, 2 the guest's
//   bulk     bytes to be counted
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pollrtc/demo_story.h"
#include "pollrtc/event_loop.h"
#include "pollrtc/json.h"
#include "pollrtc/peer_connection.h"

namespace pollrtc::tool {

inline constexpr std::size_t kBulkMessage = 16384;
inline constexpr std::size_t kBulkBuffer = 1 << 20;
inline constexpr std::uint8_t kHostPing = 1, kGuestPing = 2;

// Fills the channel's buffer with messages for a while.
class BulkSender : public std::enable_shared_from_this<BulkSender> {
 public:
  static void run(EventLoop& loop, const std::shared_ptr<DataChannel>& channel, double seconds,
                  std::function<void()> done);

 private:
  void pump();

  std::shared_ptr<DataChannel> channel_;
  std::vector<std::uint8_t> message_ = std::vector<std::uint8_t>(kBulkMessage, 0x5a);
  bool is_over_ = false;
};

// Counts what comes, from the first byte on.
struct BulkCounter {
  EventLoop::Instant first{}, last{};
  std::uint64_t bytes = 0;

  void add(std::size_t size);
  double seconds() const { return std::chrono::duration<double>(last - first).count(); }
  double megabytes_per_second() const {
    return seconds() > 0 ? static_cast<double>(bytes) / seconds() / 1e6 : 0;
  }
};

class Host {
 public:
  // `send` takes signalling lines to the guest; `ended` is called once, with whether everything was measured.
  Host(EventLoop& loop, Story& story, double seconds, std::function<void(const Json&)> send,
       std::function<void(bool worked)> ended);
  ~Host();

  void take(const Json& line);  // of the guest's signalling
  void close();

 private:
  enum Role { Chat, Control, Ping, Bulk, Count };

  void hook_connection();
  void take_channel(std::shared_ptr<DataChannel> channel);
  void on_state(ConnectionState state);
  void tell_path();
  void begin_round_trips();
  void send_ping();
  void on_ping();
  void begin_sending();
  void begin_receiving();
  void on_control();
  void on_bulk();
  void on_chat();
  void finish();
  void end(bool worked);
  DataChannel& at(Role role) { return *channels_[role]; }

  EventLoop& loop_;
  Story& story_;
  const double seconds_;
  std::function<void(const Json&)> send_;
  std::function<void(bool)> ended_;
  std::shared_ptr<PeerConnection> pc_ = std::make_shared<PeerConnection>();
  std::array<std::shared_ptr<DataChannel>, Count> channels_;
  EventLoop::Instant offered_at_{}, pinged_at_{}, pings_end_{};
  std::vector<double> round_trips_;
  BulkCounter received_;
  double connected_at_ms_ = 0, connect_ms_ = 0, open_ms_ = 0, megabytes_out_ = 0, megabytes_in_ = 0;
  RoundTrips trips_;
  bool is_counting_ = false, has_ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for timers that outlive this
};

}  // namespace pollrtc::tool
