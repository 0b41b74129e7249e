#include "pollrtc/page_server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

namespace pollrtc::tool {
namespace {

constexpr std::size_t kMaxRequest = 256 * 1024;
constexpr std::size_t kMaxClients = 64;

// The value of the header `name` (given in lower case), or nothing.
std::string_view header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    bool is_same = true;
    for (std::size_t i = 0; i < name.size(); ++i) is_same = is_same && (line[i] | 0x20) == name[i];
    if (!is_same) continue;
    std::string_view value = line.substr(name.size() + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

}  // namespace

PageServer::PageServer(EventLoop& loop, std::string_view page, Events events)
    : loop_(loop), page_(page), events_(std::move(events)) {}

PageServer::~PageServer() {
  for (const auto& [fd, client] : clients_) {
    loop_.unwatch(fd);
    ::close(fd);
  }
  if (listener_ >= 0) {
    loop_.unwatch(listener_);
    ::close(listener_);
  }
}

bool PageServer::listen(std::uint16_t port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0) return false;
  if (::getsockname(listener_, generic, &size) != 0) return false;
  port_ = ntohs(address.sin_port);
  loop_.watch(
      listener_, [] { return short{POLLIN}; }, [this] { accept_client(); });
  return true;
}

std::string PageServer::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

void PageServer::send(const std::string& id, const Json& line) {
  for (const auto& [fd, client] : clients_) {
    if (client->stream_id != id) continue;
    client->out += "data: " + to_text(line) + "\n\n";
    return write(*client);
  }
}

void PageServer::accept_client() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (clients_.size() >= kMaxClients) {
    ::close(fd);
    return;
  }
  auto client = std::make_unique<Client>();
  client->fd = fd;
  Client* const raw = client.get();
  clients_[fd] = std::move(client);
  loop_.watch(
      fd, [raw] { return static_cast<short>(POLLIN | (raw->out.empty() ? 0 : POLLOUT)); },
      [this, fd] { read(fd); });
}

void PageServer::read(int fd) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  if (!client.out.empty()) write(client);
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return drop(fd);
  if (got > 0) client.in.append(buffer.data(), static_cast<std::size_t>(got));
  const bool is_answered = client.stream_id.empty() && !client.is_ending && answer(client);
  if ((!is_answered && client.in.size() > kMaxRequest) || (client.is_ending && client.out.empty())) drop(fd);
}

void PageServer::write(Client& client) {
  const ssize_t sent = ::send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (sent > 0) client.out.erase(0, static_cast<std::size_t>(sent));
}

void PageServer::drop(int fd) {
  const auto found = clients_.find(fd);
  const std::string id = found->second->stream_id;
  loop_.unwatch(fd);
  ::close(fd);
  // The watch's own function, which we may be in, refers to the client.
  loop_.at(EventLoop::now(), [keep = std::shared_ptr<Client>(std::move(found->second))] {});
  clients_.erase(found);
  if (!id.empty()) events_.gone(id);
}

bool PageServer::answer(Client& client) {
  const std::string_view text = client.in;
  const std::size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return false;
  std::string_view head = text.substr(0, head_end);
  std::string_view first = take_until(head, '\n');
  std::size_t length = 0;
  const std::string_view announced = header(head, "content-length");
  std::from_chars(announced.data(), announced.data() + announced.size(), length);
  if (length > kMaxRequest) {
    reply(client, "413 Content Too Large", "text/plain", "too large");
    return true;
  }
  if (text.size() - head_end - 4 < length) return false;
  Request request;
  request.method = take_until(first, ' ');
  std::string_view target = take_until(first, ' ');
  request.path = take_until(target, '?');
  if (target.starts_with("id=")) request.id = target.substr(3);
  request.host = header(head, "host");
  request.body = text.substr(head_end + 4, length);
  respond(client, request);
  return true;
}

void PageServer::respond(Client& client, const Request& request) {
  // A page of somebody else's, whose name was made to lead here, has no business with us.
  const std::string port = fmt::format(":{}", port_);
  if (request.host != "127.0.0.1" + port && request.host != "localhost" + port)
    return reply(client, "403 Forbidden", "text/plain", "not this host");
  if (request.method == "GET" && request.path == "/")
    return reply(client, "200 OK", "text/html; charset=utf-8", page_);
  if (request.method == "GET" && request.path == "/events" && !request.id.empty()) {
    client.stream_id = request.id;
    client.in.clear();
    client.out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n: hello\n\n";
    write(client);
    return events_.opened(client.stream_id);
  }
  if (request.method == "POST" && request.path == "/line") {
    const std::string id(request.id);
    const Json line = parse_json(request.body);
    reply(client, "204 No Content", "text/plain", "");
    if (line.is_object()) events_.line(id, line);
    return;
  }
  reply(client, "404 Not Found", "text/plain", "no such page");
}

void PageServer::reply(Client& client, std::string_view status, std::string_view type,
                       std::string_view body) {
  client.out += "HTTP/1.1 ";
  client.out += status;
  client.out += "\r\nContent-Type: ";
  client.out += type;
  client.out += "\r\nContent-Length: " + std::to_string(body.size());
  client.out += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  client.out += body;
  client.is_ending = true;
  write(client);
}

}  // namespace pollrtc::tool
