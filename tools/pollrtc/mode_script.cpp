// script: the driver says what to do, line by line (docs/pollrtc-peer.md). It is how the browser tests make and close
// channels and send single messages from either end.
#include <algorithm>

#include "pollrtc/modes.h"
#include "pollrtc/payload.h"

namespace pollrtc::tool {
namespace {

class Script : public Mode {
 public:
  explicit Script(PeerRun& run) : run_(run) {}

  bool is_failure_fatal() const override { return false; }

  void on_message(Channel& channel) override {
    const Result<Bytes> message = channel.dc->get_packet();
    if (!message) return;
    const bool is_text = channel.dc->was_string_packet();
    Json line = {{"type", "event"}, {"name", "message"},       {"label", channel.dc->get_label()},
                 {"text", is_text}, {"size", message->size()}, {"digest", digest_of(*message)}};
    if (is_text && message->size() <= 200) line["data"] = std::string(message->begin(), message->end());
    run_.put(channel.link, std::move(line));
  }

  void on_line(const Json& line) override {
    if (text_of(line, "type") != "do") return;
    const std::string what = text_of(line, "do");
    const int number = static_cast<int>(number_of(line, "pc"));
    if (what == "channel") return make_channel(number, line);
    Link* const link = run_.find(number);
    if (link == nullptr) return run_.fail("script", "no connection " + std::to_string(number));
    if (what == "offer") return run_.start_offer(*link);
    if (what == "restart-ice") {
      if (const Status status = link->pc.restart_ice(); !status)
        run_.fail("restart-ice", std::string(status.error().detail()));
      return;
    }
    if (what == "stats") return put_stats(*link);
    if (what == "close-connection") return run_.close_link(*link);
    Channel* const channel = find(*link, text_of(line, "label"));
    if (channel == nullptr) return run_.fail("script", "no channel " + text_of(line, "label"));
    if (what == "send") return send(*channel, line);
    if (what == "close") return channel->dc->close();
    run_.fail("script", "do what? " + what);
  }

 private:
  void make_channel(int number, const Json& line) {
    Link* link = run_.find(number);
    if (link == nullptr) link = run_.make_link(number).get();
    if (link == nullptr) return;
    DataChannelOptions options;
    options.ordered = flag_of(line, "ordered", true);
    options.max_retransmits = static_cast<int>(number_of(line, "maxRetransmits", -1));
    options.max_packet_life_time = static_cast<int>(number_of(line, "maxPacketLifeTime", -1));
    options.negotiated = flag_of(line, "negotiated");
    options.id = static_cast<int>(number_of(line, "id", -1));
    options.protocol = text_of(line, "protocol");
    run_.create_channel(*link, text_of(line, "label"), options);
  }

  // Which way data takes now; nulls when there is none.
  void put_stats(Link& link) {
    const PeerStats stats = link.pc.get_stats();
    const auto type = [&](CandidateType of) { return stats.selected_path ? Json(name_of(of)) : Json(); };
    run_.put(link, {{"type", "event"},
                    {"name", "stats"},
                    {"connection", name_of(link.pc.get_connection_state())},
                    {"local", type(stats.local_type)},
                    {"remote", type(stats.remote_type)}});
  }

  // The last of that label: it may be used again after a close.
  static Channel* find(Link& link, const std::string& label) {
    const auto found = std::find_if(link.channels.rbegin(), link.channels.rend(),
                                    [&](const auto& channel) { return channel->dc->get_label() == label; });
    return found == link.channels.rend() ? nullptr : found->get();
  }

  void send(Channel& channel, const Json& line) {
    const bool is_text = flag_of(line, "text") || line.contains("data");
    const std::string data = text_of(line, "data");
    std::vector<std::uint8_t> content(data.begin(), data.end());
    if (!line.contains("data"))
      content = make_content(static_cast<std::size_t>(number_of(line, "size")),
                             static_cast<std::uint32_t>(number_of(line, "seed")), is_text);
    const Status status =
        is_text ? channel.dc->send_text({reinterpret_cast<const char*>(content.data()), content.size()})
                : channel.dc->send(content);
    if (!status)
      run_.put(channel.link, {{"type", "event"},
                              {"name", "send-refused"},
                              {"label", channel.dc->get_label()},
                              {"error", name_of(status.error().code())},
                              {"message", status.error().detail()}});
  }

  PeerRun& run_;
};

}  // namespace

std::unique_ptr<Mode> make_script(PeerRun& run) { return std::make_unique<Script>(run); }

std::unique_ptr<Mode> make_mode(PeerRun& run) {
  const std::string& mode = run.options.mode;
  if (mode == "echo") return make_echo(run);
  if (mode == "ping") return make_ping(run);
  if (mode == "setup") return make_setup(run);
  if (mode == "idle") return make_idle(run);
  if (mode == "script") return make_script(run);
  return make_bulk(run);
}

}  // namespace pollrtc::tool
