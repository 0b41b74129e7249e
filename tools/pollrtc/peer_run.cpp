#include "pollrtc/peer_run.h"

#include <unistd.h>

namespace pollrtc::tool {

Channel::~Channel() {
  // The library may hold the channel a little longer; its signals must not reach us then.
  dc->opened = nullptr;
  dc->closed = nullptr;
  dc->message_received = nullptr;
  dc->buffered_amount_low = nullptr;
}

PeerRun::PeerRun(const PeerOptions& run_options)
    : options(run_options),
      writer_(STDOUT_FILENO),
      reader_(STDIN_FILENO),
      configuration_(run_options.configuration()) {}

PeerRun::~PeerRun() = default;

bool PeerRun::open_trace() {
  if (options.trace.empty()) return true;
  trace_file_.open(options.trace, std::ios::binary);
  if (!trace_file_) return false;
  configuration_.tap.context = &trace_.emplace(trace_file_);
  configuration_.tap.packet = [](void* trace, const TappedPacket& packet) {
    static_cast<capture::PcapngWriter*>(trace)->write(packet.time, packet);
  };
  return true;
}

int PeerRun::run(std::unique_ptr<Mode> (*make_mode)(PeerRun&)) {
  put({{"type", "hello"}, {"peer", "pollrtc"}, {"version", POLLRTC_VERSION}});
  loop.watch(
      STDIN_FILENO, [] { return short{POLLIN}; }, [this] { on_stdin(); });
  loop.watch(
      STDOUT_FILENO, [this] { return static_cast<short>(writer_.is_pending() ? POLLOUT : 0); },
      [this] { writer_.write_some(); });
  loop.after(std::chrono::duration<double>(options.timeout),
             [this] { fail("timeout", "not done after " + to_text(options.timeout) + " s", 3); });
  mode_ = make_mode(*this);
  if (open_trace())
    mode_->on_start();
  else
    fail("trace", "cannot write " + options.trace);
  const int status = loop.run();
  // Closing tells the other end within the call; then what is still to be written gets its chance.
  for (const auto& [number, link] : links_) link->pc.close();
  writer_.drain(std::chrono::milliseconds(1000));
  links_.clear();
  return status;
}

void PeerRun::put(const Link& link, Json line) {
  if (link.number != 0) line["pc"] = link.number;
  writer_.put(line);
}

void PeerRun::fail(std::string_view code, std::string_view message, int status) {
  if (loop.is_stopped()) return;
  put({{"type", "error"}, {"code", code}, {"message", message}});
  loop.stop(status);
}

// ---- connections

Link* PeerRun::find(int number) {
  const auto found = links_.find(number);
  return found == links_.end() ? nullptr : found->second.get();
}

std::shared_ptr<Link> PeerRun::make_link(int number) {
  auto link = std::make_shared<Link>(number);
  const Status status = spare_ ? Status() : link->pc.initialize(configuration_);
  if (spare_) link->pc = *std::exchange(spare_, std::nullopt);
  if (!status) {
    fail("start", status.error().detail());
    return nullptr;
  }
  hook_connection(*link);
  links_[number] = link;
  loop.add(std::shared_ptr<PeerConnection>(link, &link->pc),
           [this, raw = link.get()] { tell_end_of_candidates(*raw); });
  return link;
}

void PeerRun::hook_connection(Link& link) {
  PeerConnection& pc = link.pc;
  pc.session_description_created = [this, &link](const std::string& type, const std::string& sdp) {
    if (const Status status = link.pc.set_local_description(type, sdp); !status)
      fail(type, status.error().detail());
    put(link, {{"type", type}, {"sdp", sdp}});
  };
  pc.ice_candidate_created = [this, &link](const std::string& media, int index, const std::string& name) {
    put(link, {{"type", "candidate"}, {"mid", media}, {"index", index}, {"candidate", name}});
  };
  pc.connection_state_changed = [this, &link](ConnectionState state) {
    put(link, {{"type", "event"}, {"name", "connection"}, {"connection", name_of(state)}});
    if (state == ConnectionState::Failed && mode_->is_failure_fatal())
      fail("connection",
           "the connection has failed: " + std::string(meaning_of(link.pc.get_stats().close_reason)));
  };
  pc.data_channel_received = [this, &link](std::shared_ptr<DataChannel> dc) {
    Channel* const channel = hook_channel(link, std::move(dc));
    if (channel->dc->get_ready_state() == ChannelState::Open) opened(*channel);
  };
}

// There is no signal for it: the state says so once the last candidate has been signalled.
void PeerRun::tell_end_of_candidates(Link& link) {
  if (link.has_told_all || link.is_closed || link.pc.get_gathering_state() != GatheringState::Complete)
    return;
  link.has_told_all = true;
  put(link, {{"type", "candidate"}, {"mid", "0"}, {"index", 0}, {"candidate", ""}});
}

Channel* PeerRun::hook_channel(Link& link, std::shared_ptr<DataChannel> dc) {
  link.channels.push_back(std::make_unique<Channel>(link, std::move(dc)));
  Channel* const channel = link.channels.back().get();
  channel->dc->opened = [this, channel] { opened(*channel); };
  channel->dc->message_received = [this, channel] {
    opened(*channel);
    mode_->on_message(*channel);
  };
  channel->dc->buffered_amount_low = [this, channel] { mode_->on_low(*channel); };
  channel->dc->closed = [this, channel] {
    put(channel->link, {{"type", "event"}, {"name", "channel-close"}, {"label", channel->dc->get_label()}});
    mode_->on_closed(*channel);
  };
  return channel;
}

void PeerRun::opened(Channel& channel) {
  if (channel.is_open) return;
  channel.is_open = true;
  const DataChannel& dc = *channel.dc;
  Json line = {{"type", "event"}, {"name", "open"}, {"label", dc.get_label()}, {"id", dc.get_id()}};
  if (options.mode == "script") {
    line["protocol"] = dc.get_protocol();
    line["ordered"] = dc.is_ordered();
    line["negotiated"] = dc.is_negotiated();
    const auto limit = [](int value) { return value == DataChannel::kUnset ? Json() : Json(value); };
    line["maxRetransmits"] = limit(dc.get_max_retransmits());
    line["maxPacketLifeTime"] = limit(dc.get_max_packet_life_time());
  }
  put(channel.link, std::move(line));
  mode_->on_open(channel);
}

Link* PeerRun::offer(int number) {
  const std::shared_ptr<Link> link = make_link(number);
  if (link == nullptr) return nullptr;
  create_test_channels(*link);
  start_offer(*link);
  return link.get();
}

void PeerRun::create_test_channels(Link& link) {
  for (std::size_t i = 0; i < options.channels && !loop.is_stopped(); ++i)
    create_channel(link, options.channel_label(i), options.channel_options(i));
}

Channel* PeerRun::create_channel(Link& link, const std::string& label,
                                 const DataChannelOptions& channel_options) {
  auto channel = link.pc.create_data_channel(label, channel_options);
  if (!channel) {
    fail("channel", channel.error().detail());
    return nullptr;
  }
  return hook_channel(link, *channel);
}

void PeerRun::start_offer(Link& link) {
  link.offered_at = EventLoop::now();
  if (const Status status = link.pc.create_offer(); !status) fail("offer", status.error().detail());
}

void PeerRun::close_link(Link& link) {
  link.is_closed = true;
  link.pc.close();
  loop.remove(&link.pc);
  closed_.insert(link.number);
  // Not at once: it may be this connection's signal that we are in.
  const auto found = links_.find(link.number);
  loop.at(EventLoop::now(), [keep = found->second] {});
  links_.erase(found);
  if (is_preparing_ahead_) loop.at(EventLoop::now(), [this] { prepare_ahead(); });
}

void PeerRun::prepare_ahead() {
  is_preparing_ahead_ = true;
  if (spare_) return;
  spare_.emplace();
  Status status = spare_->initialize(configuration_);
  if (status) status = spare_->prepare();
  if (!status) fail("start", status.error().detail());
}

// ---- lines

void PeerRun::on_stdin() {
  const LineReader::Status status = reader_.read([this](std::string_view line) {
    if (!loop.is_stopped()) on_line(line);
  });
  if (status == LineReader::Status::End) loop.stop(0);
  if (status == LineReader::Status::TooLong) fail("line", "a line of more than 1 MiB");
}

void PeerRun::on_line(std::string_view text) {
  const Json line = parse_json(text);
  if (!line.is_object()) return;  // blank lines, and what is no line of ours
  const std::string type = text_of(line, "type");
  const int number = static_cast<int>(number_of(line, "pc"));
  if (type == "offer" || type == "answer")
    on_description(number, line, type == "offer");
  else if (type == "candidate")
    on_candidate(number, line);
  else if (type == "close") {
    if (Link* const link = find(number)) close_link(*link);
  } else if (type == "stop")
    mode_->on_stop();
  else if (type == "quit")
    loop.stop(0);
  else
    mode_->on_line(line);
}

void PeerRun::on_description(int number, const Json& line, bool is_offer) {
  Link* link = find(number);
  if (link == nullptr) {
    if (!is_offer || options.is_offering() || closed_.contains(number)) return;
    link = make_link(number).get();
    if (link == nullptr) return;
  }
  // Negotiated channels are the answering end's to create as well; once, and before it answers.
  if (is_offer && !link->is_answering && options.negotiated_id && options.mode != "script")
    create_test_channels(*link);
  if (is_offer) link->is_answering = true;
  const char* const type = is_offer ? "offer" : "answer";
  if (const Status status = link->pc.set_remote_description(type, text_of(line, "sdp")); !status)
    return fail(type, status.error().detail());
  link->has_remote_description = true;
  // The other end waits for the answer; the lines behind this one, candidates with their checks, can wait.
  if (is_offer) static_cast<void>(link->pc.poll());
  for (const Link::EarlyCandidate& candidate : std::exchange(link->early, {}))
    add_candidate(*link, candidate);
}

void PeerRun::on_candidate(int number, const Json& line) {
  Link* link = find(number);
  if (link == nullptr) {
    // A candidate may overtake its offer.
    if (options.is_offering() || closed_.contains(number)) return;
    link = make_link(number).get();
    if (link == nullptr) return;
  }
  Link::EarlyCandidate candidate{text_of(line, "mid"), text_of(line, "candidate"),
                                 static_cast<int>(number_of(line, "index"))};
  if (link->has_remote_description)
    add_candidate(*link, candidate);
  else if (link->early.size() < 1000)
    link->early.push_back(std::move(candidate));
}

void PeerRun::add_candidate(Link& link, const Link::EarlyCandidate& candidate) {
  // One candidate that is of no use to us (TCP, a name that we do not resolve) is not the end of a connection.
  if (const Status status = link.pc.add_ice_candidate(candidate.mid, candidate.index, candidate.line);
      !status)
    put(link, {{"type", "event"},
               {"name", "candidate-refused"},
               {"candidate", candidate.line},
               {"message", status.error().detail()}});
}

}  // namespace pollrtc::tool
