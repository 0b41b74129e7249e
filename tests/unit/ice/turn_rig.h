// A TURN client and a server, with nothing between them but time.
#pragma once

#include "ice/turn_client.h"
#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using sim::TurnServer;
using stun::Attribute;
using stun::Method;
using turn::Client;
using turn::ClientState;

inline Address at(std::string_view ip, std::uint16_t port = 0) { return *parse_ip(ip, port); }

struct TurnRig {
  explicit TurnRig(bool is_stream = false, bool wants_ipv6 = true, const Limits& limits = {})
      : account(environment.env.memory) {
    environment.env.limits = limits;
    REQUIRE(account.username.assign(as_bytes("alice")));
    REQUIRE(account.password.assign(as_bytes("secret")));
    client = std::make_unique<Client>(environment.env, account,
                                      turn::ClientConfig{server.address, is_stream, wants_ipv6});
  }

  // Everything owed goes out and is answered, until both are silent.
  void exchange() {
    for (int i = 0; i < 100; ++i) {
      ByteVector out(2560);
      out.resize(client->poll_packet(now, out));
      if (out.empty()) break;
      sent.push_back(out);
      for (const auto& reply : server.handle(own, server.address, out))
        drop = client->handle_packet(now, reply.bytes);
    }
    for (Client::Event event; client->poll_event(event);) events.push_back(event);
  }
  void start() {
    client->start(now);
    exchange();
  }
  void wait(Duration time) { run_to(now + time); }
  void run_to(Time end) {
    while (client->next_timeout() <= end) {
      const Time due = client->next_timeout();
      now = std::max(now, due);
      client->handle_timeout(now);
      REQUIRE(client->next_timeout() > now);
      exchange();
    }
    now = end;
  }
  bool permit(const Address& peer) {
    if (!client->want_permission(now, peer)) return false;
    while (client->has_waiting()) client->start_waiting(now);
    exchange();
    return client->is_permitted(now, peer);
  }
  // What the server gets for data to `peer`.
  ByteVector send(const Address& peer, std::string_view data) {
    ByteVector out(1500);
    const std::size_t room = client->headroom(peer);
    std::copy(data.begin(), data.end(), out.begin() + static_cast<std::ptrdiff_t>(room));
    out.resize(client->wrap(now, peer, out, data.size()));
    return out;
  }
  template <class E>
  std::optional<E> last() const {
    for (auto e = events.rbegin(); e != events.rend(); ++e)
      if (const auto* found = std::get_if<E>(&*e)) return *found;
    return std::nullopt;
  }
  int end_code() const { return last<Client::Ended>() ? last<Client::Ended>()->code : -1; }
  std::string end_text() const {
    return std::string(last<Client::Ended>() ? last<Client::Ended>()->text.view() : "");
  }

  Time now{};
  Address own = at("192.0.2.1", 4000);
  TestEnvironment environment{7};
  turn::Account account;
  TurnServer server{at("203.0.113.9", 3478)};
  std::unique_ptr<Client> client;
  std::vector<Client::Event> events;
  std::vector<ByteVector> sent;
  std::deque<ByteVector> received;  // what views point into
  Drop drop = Drop::None;
};

}  // namespace pollrtc::test
