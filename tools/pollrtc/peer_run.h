// One run of `pollrtc peer`: its connections, the lines that come in and go out, and the mode that gives them a purpose.
#pragma once

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "capture/pcapng.h"
#include "pollrtc/event_loop.h"
#include "pollrtc/json.h"
#include "pollrtc/line_io.h"
#include "pollrtc/payload.h"
#include "pollrtc/peer_connection.h"
#include "pollrtc/peer_options.h"

namespace pollrtc::tool {

struct Link;

// A data channel and what the modes remember of it.
struct Channel {
  Channel(Link& owner, std::shared_ptr<DataChannel> data_channel)
      : link(owner), dc(std::move(data_channel)) {}
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  Link& link;
  std::shared_ptr<DataChannel> dc;
  bool is_open = false;
  std::uint64_t next_number = 0;     // of the next message that we send
  std::size_t buffered_at_most = 0;  // an upper bound that saves asking after every message
  Sequence received;
  std::vector<std::uint8_t> held;  // echo: the message that the send buffer had no room for
  bool is_holding = false, held_is_text = false;
};

// One connection of the run.
struct Link {
  explicit Link(int k) : number(k) {}

  struct EarlyCandidate {
    std::string mid, line;
    int index;
  };
  const int number;
  PeerConnection pc;
  std::vector<std::unique_ptr<Channel>> channels;
  bool has_remote_description = false, is_answering = false, has_told_all = false, is_closed = false;
  std::vector<EarlyCandidate> early;  // candidates that came before the description they belong to
  EventLoop::Instant offered_at{};    // setup
  bool has_heard = false;             // setup, idle: the first message is there
};

// What the traffic of a run is. All calls come from the event loop; the connection is being polled in most of them.
class Mode {
 public:
  virtual ~Mode() = default;
  virtual void on_start() {}
  virtual void on_open(Channel&) {}
  virtual void on_message(Channel&) {}  // once for each; dc->get_packet() has it
  virtual void on_low(Channel&) {}      // the buffered amount has fallen to the threshold
  virtual void on_closed(Channel&) {}
  virtual void on_stop() {}
  virtual void on_line(const Json&) {}  // a line of another type than signalling, stop, quit
  virtual bool is_failure_fatal() const { return true; }
};

class PeerRun {
 public:
  explicit PeerRun(const PeerOptions& run_options);
  ~PeerRun();

  // From the first line to the last; returns the exit status.
  int run(std::unique_ptr<Mode> (*make_mode)(PeerRun&));

  const PeerOptions& options;
  EventLoop loop;

  void put(const Json& line) { writer_.put(line); }
  void put(const Link& link, Json line);  // with "pc" when it is not 0
  // The run is lost: an `error` line, and the end.
  void fail(std::string_view code, std::string_view message, int status = 1);

  // A connection with the run's options and signals; null when it failed, which ends the run.
  std::shared_ptr<Link> make_link(int number);
  Link* find(int number);
  // Everything that `pollrtc peer --role offer` does for one connection: the channels, then the offer.
  Link* offer(int number);
  void create_test_channels(Link& link);
  Channel* create_channel(Link& link, const std::string& label, const DataChannelOptions& channel_options);
  void start_offer(Link& link);
  void close_link(Link& link);  // and forgets it
  // From now on the connection for the next offer is made, key pair and all, before the offer comes: now, and when one closes.
  void prepare_ahead();

 private:
  void on_stdin();
  void on_line(std::string_view text);
  void on_description(int number, const Json& line, bool is_offer);
  void on_candidate(int number, const Json& line);
  void add_candidate(Link& link, const Link::EarlyCandidate& candidate);
  void hook_connection(Link& link);
  void tell_end_of_candidates(Link& link);
  Channel* hook_channel(Link& link, std::shared_ptr<DataChannel> dc);
  void opened(Channel& channel);

  bool open_trace();

  LineWriter writer_;
  LineReader reader_;
  std::ofstream trace_file_;
  std::optional<capture::PcapngWriter> trace_;
  Configuration configuration_;
  std::unique_ptr<Mode> mode_;
  std::optional<PeerConnection> spare_;  // for the next offer
  bool is_preparing_ahead_ = false;
  std::unordered_map<int, std::shared_ptr<Link>> links_;
  std::unordered_set<int> closed_;  // late lines for these are not for a new connection
};

}  // namespace pollrtc::tool
