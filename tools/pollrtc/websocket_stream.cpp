#include "pollrtc/websocket_stream.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace pollrtc::tool {

WebSocketStream::WebSocketStream(EventLoop& loop, int fd, std::unique_ptr<WebSocket> end, Handler handler)
    : loop_(loop), fd_(fd), end_(std::move(end)), handler_(std::move(handler)) {
  loop_.watch(
      fd_,
      [this] {
        return static_cast<short>((waiting() < kManyWaiting ? POLLIN : 0) | (waiting() != 0 ? POLLOUT : 0));
      },
      [this] { ready(); });
}

WebSocketStream::~WebSocketStream() {
  loop_.unwatch(fd_);
  ::close(fd_);
}

std::unique_ptr<WebSocketStream> WebSocketStream::connect(EventLoop& loop, const std::string& url,
                                                          Handler handler, std::string& fault) {
  WebSocketUrl parts;
  std::unique_ptr<WebSocket> end;
  if (!parse_websocket_url(url, parts) || (end = WebSocket::open(url)) == nullptr) {
    fault = "not a url of the form ws://host:port: " + url;
    return nullptr;
  }
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int code = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found); code != 0) {
    fault = parts.host + ": " + gai_strerror(code);
    return nullptr;
  }
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool is_on_its_way =
      fd >= 0 && (::connect(fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS);
  freeaddrinfo(found);
  if (is_on_its_way) return std::make_unique<WebSocketStream>(loop, fd, std::move(end), std::move(handler));
  if (fd >= 0) ::close(fd);
  fault = "no connection to " + url;
  return nullptr;
}

void WebSocketStream::send(const std::string& text) {
  end_->send(text);
  write();
}

void WebSocketStream::close(const std::string& reason) {
  end_->close(reason);
  write();
}

void WebSocketStream::write() {
  if (waiting() == 0) return;
  std::string& output = end_->output();
  const ssize_t sent = ::send(fd_, output.data() + sent_, waiting(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) return end();
  if (sent > 0) sent_ += static_cast<std::size_t>(sent);
  if (waiting() != 0 && sent_ < kManyWaiting) return;
  output.erase(0, sent_);
  sent_ = 0;
}

void WebSocketStream::read() {
  if (waiting() >= kManyWaiting) return;
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (got > 0) end_->receive(buffer.data(), static_cast<std::size_t>(got));
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) end();
}

void WebSocketStream::end() {
  end_->end_of_stream();
  end_->output().clear();  // nobody reads it
  sent_ = 0;
}

void WebSocketStream::ready() {
  write();
  read();
  write();
  tell();
}

void WebSocketStream::tell() {
  WebSocket::Event event;
  while (end_->next_event(event)) {
    if (event.kind == WebSocket::Event::Kind::Closed)
      closing_ = std::move(event);  // the last one
    else
      handler_(event);
  }
  // websocketpp does not say that a page has been given out.
  if (!closing_ && end_->is_over())
    closing_ = WebSocket::Event{WebSocket::Event::Kind::Closed, "the page was asked for"};
  // What is still to be written, a page or a farewell, goes first.
  if (!handler_ || !closing_ || waiting() != 0) return;
  const WebSocket::Event last = *std::exchange(closing_, std::nullopt);
  const Handler handler = std::exchange(handler_, nullptr);  // it may be the end of us
  handler(last);
}

}  // namespace pollrtc::tool
