#include "pollrtc/websocket.h"

#include <cstdint>
#include <deque>
#include <websocketpp/client.hpp>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/core.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/random/random_device.hpp>
#include <websocketpp/server.hpp>

namespace pollrtc::tool {
namespace {

struct QuietConfig : websocketpp::config::core {
  using type = QuietConfig;
  using concurrency_type = websocketpp::concurrency::none;
  using elog_type = websocketpp::log::stub;
  using alog_type = websocketpp::log::stub;
  using rng_type = websocketpp::random::random_device::int_generator<std::uint32_t, concurrency_type>;
  struct transport_config : websocketpp::config::core::transport_config {
    using concurrency_type = type::concurrency_type;
    using elog_type = type::elog_type;
    using alog_type = type::alog_type;
  };
  using transport_type = websocketpp::transport::iostream::endpoint<transport_config>;
  static const std::size_t max_message_size = WebSocket::kMaxMessage;
  static const std::size_t max_http_body_size = 4096;
};
using Server = websocketpp::server<QuietConfig>;
using Client = websocketpp::client<QuietConfig>;

// websocketpp's own endpoint, which makes connections and outlives them, has one connection here.
template <class Endpoint>
class End : public WebSocket {
 public:
  ~End() override {
    if (!connection_) return;
    connection_->set_open_handler(nullptr);
    connection_->set_fail_handler(nullptr);
    connection_->set_close_handler(nullptr);
    connection_->set_message_handler(nullptr);
    connection_->set_write_handler([](auto, const char*, std::size_t) { return std::error_code(); });
    connection_->set_shutdown_handler(nullptr);
    connection_->eof();  // a read that waits holds the connection
  }

  void receive(const char* bytes, std::size_t size) override { connection_->read_all(bytes, size); }
  void end_of_stream() override {
    connection_->eof();
    finish("the other end is gone");
  }
  void send(const std::string& text) override {
    if (connection_->get_state() == websocketpp::session::state::open)
      connection_->send(text, websocketpp::frame::opcode::text);
  }
  void close(const std::string& reason) override {
    std::error_code ignored;
    connection_->close(websocketpp::close::status::normal, reason, ignored);
  }
  bool next_event(Event& event) override {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  std::string& output() override { return output_; }
  bool is_over() const override { return is_over_; }

 protected:
  using Handle = websocketpp::connection_hdl;

  void adopt(typename Endpoint::connection_ptr connection) {
    connection_ = std::move(connection);
    connection_->set_write_handler([this](Handle, const char* bytes, std::size_t size) {
      output_.append(bytes, size);
      return std::error_code();
    });
    connection_->set_shutdown_handler([this](Handle) {
      is_over_ = true;
      return std::error_code();
    });
    connection_->set_open_handler([this](Handle) { events_.push_back({Event::Kind::Opened, {}}); });
    connection_->set_message_handler([this](Handle, typename Endpoint::message_ptr message) {
      events_.push_back({Event::Kind::Text, message->get_payload()});
    });
    connection_->set_fail_handler([this](Handle) { finish(connection_->get_ec().message()); });
    connection_->set_close_handler([this](Handle) {
      const std::string reason = connection_->get_remote_close_reason();
      finish(reason.empty() ? connection_->get_ec().message() : reason);
    });
  }

  Endpoint endpoint_;
  typename Endpoint::connection_ptr connection_;

 private:
  void finish(const std::string& reason) {
    is_over_ = true;
    if (!is_finished_) events_.push_back({Event::Kind::Closed, reason});
    is_finished_ = true;
  }

  std::string output_;
  std::deque<Event> events_;
  bool is_over_ = false, is_finished_ = false;
};

class ServerEnd : public End<Server> {
 public:
  explicit ServerEnd(const std::string& page) {
    adopt(endpoint_.get_connection());
    connection_->set_http_handler([this, &page](Handle) {
      const bool is_page =
          connection_->get_resource() == "/" && connection_->get_request().get_method() == "GET";
      connection_->append_header("Content-Type", is_page ? "text/html; charset=utf-8" : "text/plain");
      connection_->append_header("Cache-Control", "no-store");
      connection_->append_header("Connection", "close");
      connection_->set_body(is_page ? page : "no such page");
      connection_->set_status(is_page ? websocketpp::http::status_code::ok
                                      : websocketpp::http::status_code::not_found);
    });
    connection_->start();
  }
};

class ClientEnd : public End<Client> {
 public:
  bool start(const std::string& url) {
    std::error_code fault;
    auto connection = endpoint_.get_connection(url, fault);
    if (fault || !connection) return false;
    adopt(std::move(connection));
    endpoint_.connect(connection_);
    return true;
  }
};

}  // namespace

std::unique_ptr<WebSocket> WebSocket::accept(const std::string& page) {
  return std::make_unique<ServerEnd>(page);
}

std::unique_ptr<WebSocket> WebSocket::open(const std::string& url) {
  auto end = std::make_unique<ClientEnd>();
  if (!end->start(url)) return nullptr;
  return end;
}

bool parse_websocket_url(const std::string& url, WebSocketUrl& out) {
  const websocketpp::uri uri(url);
  if (!uri.get_valid() || uri.get_secure() || uri.get_scheme() != "ws") return false;
  out = {uri.get_host(), uri.get_port_str()};
  return true;
}

}  // namespace pollrtc::tool
