// One end of a WebSocket (RFC 6455) over a byte stream that somebody else moves. Like the library's engines it calls nobody
// back: bytes and texts go in, bytes and events come out.
//
// The protocol is websocketpp's, with its transport for those who do their own input and output: no thread, no Asio, no
// timer. It is C++17 only (its headers break in C++20), so this header is what both sides understand, and websocket.cpp is
// compiled by itself.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace pollrtc::tool {

class WebSocket {
 public:
  struct Event {
    enum class Kind { Opened, Text, Closed };
    Kind kind = Kind::Closed;
    std::string text;  // the message; of Closed: the reason
  };
  static constexpr std::size_t kMaxMessage = 256 * 1024;

  // The server's end. A request that is no WebSocket's gets `page` (for "/") or 404; it must live as long as this.
  static std::unique_ptr<WebSocket> accept(const std::string& page);
  // The client's end of "ws://host:port/..."; null: the url is malformed.
  static std::unique_ptr<WebSocket> open(const std::string& url);
  virtual ~WebSocket() = default;

  virtual void receive(const char* bytes, std::size_t size) = 0;
  virtual void end_of_stream() = 0;
  virtual void send(const std::string& text) = 0;  // nothing unless it is open
  virtual void close(const std::string& reason) = 0;
  // The oldest event that was not taken yet; false: there is none.
  virtual bool next_event(Event& event) = 0;
  // What is to be written; whoever writes some of it takes it away.
  virtual std::string& output() = 0;
  // Nothing more will be said: once `output` is written, close the stream.
  virtual bool is_over() const = 0;
};

// "ws://host:port/path" in parts; false: it is none, or a secure one.
struct WebSocketUrl {
  std::string host, port;
};
bool parse_websocket_url(const std::string& url, WebSocketUrl& out);

}  // namespace pollrtc::tool
