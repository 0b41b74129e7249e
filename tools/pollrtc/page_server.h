// Serves one page on a loopback port and carries lines to and from whoever has it open: a page of its own, since a demo
// needs no more of HTTP/1.1 than this.
//
//   GET  /             the page
//   GET  /events?id=I  lines to the page, as server-sent events; open as long as the page is
//   POST /line?id=I    one line from the page
//
// A real service would use a web server's WebSockets. Debian's libwebsockets cannot be driven from another loop's poll(2)
// (it is built without external poll), and a thread for it would cost more than these lines.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "pollrtc/event_loop.h"
#include "pollrtc/json.h"

namespace pollrtc::tool {

class PageServer {
 public:
  struct Events {
    std::function<void(const std::string& id)> opened;
    std::function<void(const std::string& id)> gone;
    std::function<void(const std::string& id, const Json& line)> line;
  };

  PageServer(EventLoop& loop, std::string_view page, Events events);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  bool listen(std::uint16_t port);  // 0: any; false: the port is taken
  std::string url() const;
  void send(const std::string& id, const Json& line);

 private:
  struct Client {
    int fd = -1;
    std::string in, out;
    std::string stream_id;  // of a page's event stream; such a client stays
    bool is_ending = false;
  };
  struct Request {
    std::string_view method, path, id, host, body;
  };

  void accept_client();
  void read(int fd);
  void write(Client& client);
  void drop(int fd);
  // False: not all of it is there yet.
  bool answer(Client& client);
  void respond(Client& client, const Request& request);
  void reply(Client& client, std::string_view status, std::string_view type, std::string_view body);

  EventLoop& loop_;
  std::string_view page_;
  Events events_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::map<int, std::unique_ptr<Client>> clients_;
};

}  // namespace pollrtc::tool
