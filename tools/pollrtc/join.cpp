#include "pollrtc/join.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>

#include "pollrtc/line_io.h"
#include "pollrtc/lobbies.h"
#include "pollrtc/multiplayer_peer.h"
#include "pollrtc/payload.h"
#include "pollrtc/peer_command.h"
#include "pollrtc/websocket_stream.h"

namespace pollrtc::tool {
namespace {

constexpr std::size_t kManyWaiting = 1 << 20;  // bytes of lines that nobody has read

constexpr const char* kModes[] = {"unreliable", "ordered", "reliable"};  // by TransferMode

class Member {
 public:
  explicit Member(const JoinOptions& options)
      : options_(options), configuration_(options.peer.configuration()), reader_(STDIN_FILENO) {}
  int run();

 private:
  void put(const Json& line) { writer_.put(line); }
  void fail(std::string_view code, std::string_view message, int status = 1);

  void on_signal(const WebSocket::Event& event);
  void on_message(const Json& message);
  void on_id(int id, bool is_mesh);
  void tell_server(int type, int id, const std::string& data);

  void add_peer(int id);
  void on_description(int from, const char* type, const std::string& sdp);
  void on_candidate(int from, const std::string& data);
  std::shared_ptr<PeerConnection> connection_of(int id) const;
  void forget(int id);
  void forget_the_gone();
  void poll();
  void take_packets();

  void on_stdin();
  void on_line(const Json& line);
  void send(const Json& line);

  const JoinOptions& options_;
  const Configuration configuration_;
  EventLoop loop_;
  LineWriter writer_{STDOUT_FILENO};
  LineReader reader_;
  std::unique_ptr<WebSocketStream> signalling_;
  MultiplayerPeer peer_;
  std::map<int, std::shared_ptr<PeerConnection>> connections_;  // those that the loop polls
};

int Member::run() {
  put({{"type", "hello"}, {"peer", "pollrtc"}, {"version", POLLRTC_VERSION}});
  loop_.watch(
      STDIN_FILENO, [] { return short{POLLIN}; }, [this] { on_stdin(); });
  loop_.watch(
      STDOUT_FILENO, [this] { return static_cast<short>(writer_.is_pending() ? POLLOUT : 0); },
      [this] {
        writer_.write_some();
        take_packets();
      });
  if (options_.peer.timeout > 0)
    loop_.after(std::chrono::duration<double>(options_.peer.timeout),
                [this] { fail("timeout", "the time is over", 3); });
  std::string fault;
  signalling_ = WebSocketStream::connect(
      loop_, options_.url, [this](const auto& event) { on_signal(event); }, fault);
  if (signalling_ == nullptr) fail("signalling", fault);
  peer_.peer_connected = [this](int id) { put({{"type", "event"}, {"name", "peer"}, {"id", id}}); };
  peer_.peer_disconnected = [this](int id) { put({{"type", "event"}, {"name", "peer-gone"}, {"id", id}}); };
  const int status = loop_.run();
  for (const auto& [id, connection] : connections_) {
    loop_.remove(connection.get());
    connection->close();
  }
  peer_.close();
  if (signalling_ != nullptr) signalling_->close("bye");
  writer_.drain(std::chrono::milliseconds(1000));
  return status;
}

void Member::fail(std::string_view code, std::string_view message, int status) {
  if (loop_.is_stopped()) return;
  put({{"type", "error"}, {"code", code}, {"message", message}});
  loop_.stop(status);
}

// ---- the signalling server

void Member::on_signal(const WebSocket::Event& event) {
  switch (event.kind) {
    case WebSocket::Event::Kind::Opened:
      return tell_server(Lobbies::Join, options_.client_server ? 1 : 0, options_.lobby);
    case WebSocket::Event::Kind::Text: {
      const Json message = parse_json(event.text);
      if (message.is_object()) on_message(message);
      return;
    }
    case WebSocket::Event::Kind::Closed:
      signalling_.reset();
      // What is connected stays so.
      put({{"type", "event"}, {"name", "signalling-closed"}, {"message", event.text}});
      if (peer_.get_connection_status() == MultiplayerPeer::CONNECTION_DISCONNECTED)
        fail("signalling", event.text);
  }
}

void Member::tell_server(int type, int id, const std::string& data) {
  if (signalling_ != nullptr) signalling_->send(to_text(Json{{"type", type}, {"id", id}, {"data", data}}));
}

void Member::on_message(const Json& message) {
  const std::int64_t number = number_of(message, "id");
  const int id = number > 0 && number <= std::numeric_limits<int>::max() ? static_cast<int>(number) : 0;
  const std::string data = text_of(message, "data");
  switch (number_of(message, "type", -1)) {
    case Lobbies::Id:
      return on_id(id, data == "true");
    case Lobbies::Join:
      return put({{"type", "event"}, {"name", "joined"}, {"id", peer_.get_unique_id()}, {"lobby", data}});
    case Lobbies::PeerConnect:
      return add_peer(id);
    case Lobbies::PeerLeave:
      return forget(id);
    case Lobbies::Offer:
      return on_description(id, "offer", data);
    case Lobbies::Answer:
      return on_description(id, "answer", data);
    case Lobbies::Candidate:
      return on_candidate(id, data);
    case Lobbies::Seal:
      return put({{"type", "event"}, {"name", "sealed"}});
    default:
      return;
  }
}

void Member::on_id(int id, bool is_mesh) {
  Status status;
  const bool is_server = id == MultiplayerPeer::TARGET_PEER_SERVER;
  if (is_mesh) {
    status = peer_.create_mesh(id);
  } else {
    status = is_server ? peer_.create_server() : peer_.create_client(id);
    if (status) status = peer_.set_server_relay_enabled(true);
  }
  if (!status) fail("lobby", status.error().detail());
}

// ---- peers

void Member::add_peer(int id) {
  if (connections_.contains(id)) return;  // the server repeats itself
  const auto connection = std::make_shared<PeerConnection>();
  Status status = connection->initialize(configuration_);
  if (status) status = peer_.add_peer(connection, id);
  if (!status) return fail("peer", status.error().detail());
  PeerConnection* const raw = connection.get();
  connection->session_description_created = [this, id, raw](const std::string& type, const std::string& sdp) {
    (void)raw->set_local_description(type, sdp);
    tell_server(type == "offer" ? Lobbies::Offer : Lobbies::Answer, id, sdp);
  };
  connection->ice_candidate_created = [this, id](const std::string& media, int index,
                                                 const std::string& name) {
    tell_server(Lobbies::Candidate, id, "\n" + media + "\n" + std::to_string(index) + "\n" + name);
  };
  connections_[id] = connection;
  loop_.add(connection, [this] { poll(); });
  // As in Godot's demo: the larger number offers, so the host of a lobby never does.
  if (id < peer_.get_unique_id()) status = connection->create_offer();
  if (!status) fail("offer", status.error().detail());
}

std::shared_ptr<PeerConnection> Member::connection_of(int id) const {
  const auto found = connections_.find(id);
  return found != connections_.end() ? found->second : nullptr;
}

void Member::forget(int id) {
  const auto connection = connection_of(id);
  if (connection == nullptr) return;
  connections_.erase(id);
  loop_.remove(connection.get());
  if (peer_.has_peer(id)) (void)peer_.remove_peer(id);
  connection->close();
}

// Whom the multiplayer peer has let go of, with or without a word.
void Member::forget_the_gone() {
  std::vector<int> gone;
  for (const auto& [id, connection] : connections_)
    if (!peer_.has_peer(id)) gone.push_back(id);
  for (const int id : gone) forget(id);
}

void Member::on_description(int from, const char* type, const std::string& sdp) {
  const auto connection = connection_of(from);
  if (connection == nullptr) return;
  if (const Status status = connection->set_remote_description(type, sdp); !status)
    put({{"type", "event"},
         {"name", "refused"},
         {"id", from},
         {"what", type},
         {"message", status.error().detail()}});
}

void Member::on_candidate(int from, const std::string& data) {
  const auto connection = connection_of(from);
  // "\nmid\nindex\ncandidate"
  const std::size_t mid_end = data.find('\n', 1), index_end = data.find('\n', mid_end + 1);
  if (connection == nullptr || !data.starts_with('\n') || mid_end == std::string::npos ||
      index_end == std::string::npos)
    return;
  const int index = std::atoi(data.c_str() + mid_end + 1);
  (void)connection->add_ice_candidate(data.substr(1, mid_end - 1), index, data.substr(index_end + 1));
}

void Member::poll() {
  if (const Status status = peer_.poll(); !status) return;  // from inside itself
  take_packets();
  forget_the_gone();
}

void Member::take_packets() {
  // What is left where it is closes the window of who sent it.
  while (peer_.get_available_packet_count() != 0 && writer_.waiting() < kManyWaiting) {
    const int from = peer_.get_packet_peer(), channel = peer_.get_packet_channel();
    const char* const mode = kModes[peer_.get_packet_mode()];
    const Result<Bytes> packet = peer_.get_packet();
    if (!packet) continue;
    Json line = {{"type", "event"},
                 {"name", "message"},
                 {"from", from},
                 {"channel", channel},
                 {"mode", mode},
                 {"size", packet->size()},
                 {"digest", digest_of(*packet)}};
    const bool is_plain =
        std::all_of(packet->begin(), packet->end(), [](std::uint8_t c) { return c >= 32 && c < 127; });
    if (is_plain && packet->size() <= 200) line["data"] = std::string(packet->begin(), packet->end());
    put(line);
  }
}

// ---- lines of the driver

void Member::on_stdin() {
  const LineReader::Status status = reader_.read([this](std::string_view text) {
    const Json line = parse_json(text);
    if (line.is_object() && !loop_.is_stopped()) on_line(line);
  });
  if (status == LineReader::Status::End) loop_.stop(0);
  if (status == LineReader::Status::TooLong) fail("line", "a line of more than 1 MiB");
}

void Member::on_line(const Json& line) {
  if (text_of(line, "type") == "quit") return loop_.stop(0);
  if (text_of(line, "type") != "do") return;
  const std::string what = text_of(line, "do");
  if (what == "send") return send(line);
  if (what == "seal") return tell_server(Lobbies::Seal, 0, "");
  if (what == "disconnect") {
    (void)peer_.disconnect_peer(static_cast<int>(number_of(line, "id")));
    return poll();
  }
  fail("line", "do what? " + what);
}

void Member::send(const Json& line) {
  const std::string data = text_of(line, "data"), mode = text_of(line, "mode", "reliable");
  std::vector<std::uint8_t> content(data.begin(), data.end());
  if (!line.contains("data"))
    content = make_content(static_cast<std::size_t>(number_of(line, "size")),
                           static_cast<std::uint32_t>(number_of(line, "seed")), false);
  for (std::size_t i = 0; i < std::size(kModes); ++i)
    if (mode == kModes[i]) peer_.set_transfer_mode(static_cast<MultiplayerPeer::TransferMode>(i));
  peer_.set_target_peer(static_cast<int>(number_of(line, "to")));
  if (const Status status = peer_.put_packet(content); !status)
    put({{"type", "event"},
         {"name", "send-refused"},
         {"error", name_of(status.error().code())},
         {"message", status.error().detail()}});
}

}  // namespace

int run_join(JoinOptions options) {
  options.peer.role = "offer";  // what complete() insists on; a member does both
  options.peer.mode = "script";
  if (const auto fault = complete(options.peer)) return report_unsupported(*fault);
  PeerConnection probe;
  if (const Status status = probe.initialize(options.peer.configuration()); !status)
    return report_unsupported(status.error().detail());
  return Member(options).run();
}

}  // namespace pollrtc::tool
