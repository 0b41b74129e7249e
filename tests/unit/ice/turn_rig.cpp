#include "unit/ice/turn_rig.h"

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::test {

TurnRig::TurnRig(bool is_stream, bool wants_ipv6, const Limits& limits) : account(environment.env.memory) {
  environment.env.limits = limits;
  REQUIRE(account.username.assign(as_bytes("alice")));
  REQUIRE(account.password.assign(as_bytes("secret")));
  client = std::make_unique<Client>(environment.env, account,
                                    turn::ClientConfig{server.address, is_stream, wants_ipv6});
}
TurnRig::~TurnRig() = default;

void TurnRig::exchange() {
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

void TurnRig::start() {
  client->start(now);
  exchange();
}

void TurnRig::run_to(Time end) {
  while (client->next_timeout() <= end) {
    const Time due = client->next_timeout();
    now = std::max(now, due);
    client->handle_timeout(now);
    REQUIRE(client->next_timeout() > now);
    exchange();
  }
  now = end;
}

bool TurnRig::permit(const Address& peer) {
  if (!client->want_permission(now, peer)) return false;
  while (client->has_waiting()) client->start_waiting(now);
  exchange();
  return client->is_permitted(now, peer);
}

ByteVector TurnRig::send(const Address& peer, std::string_view data) {
  ByteVector out(1500);
  const std::size_t room = client->headroom(peer);
  std::copy(data.begin(), data.end(), out.begin() + static_cast<std::ptrdiff_t>(room));
  out.resize(client->wrap(now, peer, out, data.size()));
  return out;
}

int TurnRig::end_code() const { return last<Client::Ended>() ? last<Client::Ended>()->code : -1; }

std::string TurnRig::end_text() const {
  return std::string(last<Client::Ended>() ? last<Client::Ended>()->text.view() : "");
}

}  // namespace pollrtc::test
