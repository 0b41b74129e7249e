// A TURN client and a server, with nothing between them but time.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ice/turn_client.h"
#include "sim/turn_server.h"
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
  explicit TurnRig(bool is_stream = false, bool wants_ipv6 = true, const Limits& limits = {});
  ~TurnRig();

  // Everything owed goes out and is answered, until both are silent.
  void exchange();
  void start();
  void wait(Duration time) { run_to(now + time); }
  void run_to(Time end);
  bool permit(const Address& peer);
  // What the server gets for data to `peer`.
  ByteVector send(const Address& peer, std::string_view data);
  template <class E>
  std::optional<E> last() const {
    for (auto e = events.rbegin(); e != events.rend(); ++e)
      if (const auto* found = std::get_if<E>(&*e)) return *found;
    return std::nullopt;
  }
  int end_code() const;
  std::string end_text() const;

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
