// A WebSocket on a TCP socket in the event loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pollrtc/event_loop.h"
#include "pollrtc/websocket.h"

namespace pollrtc::tool {

class WebSocketStream {
 public:
  // Closed comes once and last; the stream may be destroyed in it.
  using Handler = std::function<void(const WebSocket::Event& event)>;

  // Takes the descriptor over; it does not block.
  WebSocketStream(EventLoop& loop, int fd, std::unique_ptr<WebSocket> end, Handler handler);
  ~WebSocketStream();
  WebSocketStream(const WebSocketStream&) = delete;
  WebSocketStream& operator=(const WebSocketStream&) = delete;

  // The client's end; the connection is made in the background. Null, and why in `fault`: the url or the name of its host
  // is of no use.
  static std::unique_ptr<WebSocketStream> connect(EventLoop& loop, const std::string& url, Handler handler,
                                                  std::string& fault);

  void send(const std::string& text);
  void close(const std::string& reason);
  // Bytes that the other end has not taken yet. While they are many nothing is read, so what the protocol answers by
  // itself, as a PONG to each PING, is bounded too.
  std::size_t waiting() const { return end_->output().size() - sent_; }

 private:
  static constexpr std::size_t kManyWaiting = 64 * 1024;

  void ready();
  void read();
  void write();
  void end();
  void tell();

  EventLoop& loop_;
  int fd_;
  std::unique_ptr<WebSocket> end_;
  Handler handler_;                          // none: Closed has been told
  std::size_t sent_ = 0;                     // of the output
  std::optional<WebSocket::Event> closing_;  // Closed, which is told last
};

}  // namespace pollrtc::tool
