#include "pollrtc/serve.h"

#include <fmt/core.h>
#include <netdb.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>

#include "mesh_page.h"
#include "pollrtc/line_io.h"
#include "pollrtc/lobbies.h"
#include "pollrtc/peer_command.h"
#include "pollrtc/websocket_stream.h"

namespace pollrtc::tool {
namespace {

constexpr std::size_t kMaxClients = 1024;
constexpr std::size_t kMaxWaiting = 4 << 20;  // bytes that a client does not take
constexpr auto kTimeToJoin =
    std::chrono::seconds(10);  // also for a page, and for one who says nothing at all
constexpr auto kTimeSealed = std::chrono::seconds(10);
constexpr auto kRest = std::chrono::seconds(1);
constexpr auto kTimeToGo = std::chrono::seconds(2);  // for the answer to our close

std::uint32_t system_random() {
  std::uint32_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

class SignallingServer {
 public:
  SignallingServer()
      : lobbies_({[this](int to, const Json& message) { send(to, message); },
                  [this](int client, const char* reason) { drop(client, reason); }, system_random}) {}
  ~SignallingServer() {
    streams_.clear();
    if (listener_ >= 0) ::close(listener_);
  }
  SignallingServer(const SignallingServer&) = delete;
  SignallingServer& operator=(const SignallingServer&) = delete;

  bool listen(const ServeOptions& options);
  int run();

 private:
  void accept_client();
  void on_event(int client, const WebSocket::Event& event);
  void on_text(int client, const std::string& text);
  void send(int to, const Json& message);
  void drop(int client, const std::string& reason);
  void forget(int client);

  EventLoop loop_;
  LineWriter writer_{STDOUT_FILENO};
  Lobbies lobbies_;
  std::map<int, std::unique_ptr<WebSocketStream>> streams_;
  std::set<int> leaving_;  // of those: told to go, and not heard any more
  const std::string page_{kMeshPage};
  int listener_ = -1;
  bool is_resting_ = false;  // the system has no descriptor for another client
  int next_client_ = 1;
};

bool SignallingServer::listen(const ServeOptions& options) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
  if (getaddrinfo(options.bind.c_str(), std::to_string(options.port).c_str(), &hints, &found) != 0)
    return false;
  listener_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool is_listening =
      ::bind(listener_, found->ai_addr, found->ai_addrlen) == 0 && ::listen(listener_, 64) == 0;
  freeaddrinfo(found);
  if (!is_listening) return false;
  loop_.watch(
      listener_,
      [this] { return static_cast<short>(is_resting_ || streams_.size() >= kMaxClients ? 0 : POLLIN); },
      [this] { accept_client(); });
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char host[NI_MAXHOST], port[NI_MAXSERV];
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(listener_, generic, &size) != 0 ||
      getnameinfo(generic, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return false;
  const std::string name = address.ss_family == AF_INET6 ? fmt::format("[{}]", host) : host;
  writer_.put({{"type", "listening"},
               {"page", "http://" + name + ":" + port + "/"},
               {"url", "ws://" + name + ":" + port}});
  return true;
}

int SignallingServer::run() {
  loop_.watch(
      STDOUT_FILENO, [this] { return static_cast<short>(writer_.is_pending() ? POLLOUT : 0); },
      [this] { writer_.write_some(); });
  return loop_.run();
}

void SignallingServer::accept_client() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
    is_resting_ = true;  // it would be ready again at once, and as useless
    loop_.after(kRest, [this] { is_resting_ = false; });
  }
  if (fd < 0) return;
  const int client = next_client_++;
  streams_[client] = std::make_unique<WebSocketStream>(
      loop_, fd, WebSocket::accept(page_), [this, client](const auto& event) { on_event(client, event); });
  loop_.after(kTimeToJoin, [this, client] {
    if (!lobbies_.is_in_lobby(client)) drop(client, "no lobby was joined");
  });
}

void SignallingServer::on_event(int client, const WebSocket::Event& event) {
  if (event.kind == WebSocket::Event::Kind::Text) on_text(client, event.text);
  if (event.kind == WebSocket::Event::Kind::Closed) forget(client);
}

void SignallingServer::on_text(int client, const std::string& text) {
  if (leaving_.contains(client)) return;
  const Json message = parse_json(text);
  const char* fault = nullptr;
  if (!lobbies_.take(client, message, fault)) return drop(client, fault);
  if (const std::string sealed = lobbies_.take_sealed(); !sealed.empty())
    loop_.after(kTimeSealed, [this, sealed] { lobbies_.end_sealed(sealed); });
}

void SignallingServer::send(int to, const Json& message) {
  const auto found = streams_.find(to);
  if (found == streams_.end()) return;
  found->second->send(to_text(message));
  if (found->second->waiting() > kMaxWaiting) loop_.at(EventLoop::now(), [this, to] { forget(to); });
}

// Says goodbye; whoever does not answer is let go of all the same.
void SignallingServer::drop(int client, const std::string& reason) {
  const auto found = streams_.find(client);
  if (found == streams_.end() || !leaving_.insert(client).second) return;
  found->second->close(reason);
  lobbies_.leave(client);
  loop_.after(kTimeToGo, [this, client] { forget(client); });
}

void SignallingServer::forget(int client) {
  lobbies_.leave(client);
  streams_.erase(client);
  leaving_.erase(client);
}

}  // namespace

int run_serve(const ServeOptions& options) {
  allow_many_sockets();
  SignallingServer server;
  if (!server.listen(options)) {
    std::fprintf(stderr, "cannot listen on %s port %u\n", options.bind.c_str(), unsigned{options.port});
    return 1;
  }
  return server.run();
}

}  // namespace pollrtc::tool
