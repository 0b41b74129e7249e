#include "unit/ice/solo.h"

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::test {

Solo::Solo(bool controlling, bool credentials, const Limits& limits)
    : Solo(ice::AgentConfig{.controlling = controlling}, credentials, limits) {}
Solo::Solo(const ice::AgentConfig& config, bool credentials, const Limits& limits)
    : side(7, config, limits), agent(*side.agent) {
  REQUIRE(agent.add_local_address(now, kLocal, false));
  agent.local_addresses_done(now);
  poll_events(agent);
  if (credentials) know_peer();
}
Solo::~Solo() = default;

void Solo::know_peer() { REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false)); }

Status Solo::add_candidate(const Address& address, std::uint32_t priority, std::string_view foundation) {
  Candidate c;
  c.address = address;
  c.priority = priority;
  c.foundation = *FixedString<32>::from(foundation);
  return agent.add_remote_candidate(now, c);
}

Drop Solo::receive(const ByteVector& bytes, const Path& path) {
  return agent.handle_datagram(now, path, bytes);
}

std::optional<ByteVector> Solo::answer() {
  for (auto& [path, bytes] : sent())
    if (!is_request(bytes)) return bytes;
  return std::nullopt;
}

void Solo::live(Duration duration, const std::function<void()>& take) {
  const Time end = now + duration;
  take();
  while (agent.next_timeout() <= end) {
    now = std::max(now, agent.next_timeout());
    agent.handle_timeout(now);
    take();
  }
  now = end;
}

std::vector<std::pair<Time, ByteVector>> Solo::requests_for(Duration limit) {
  std::vector<std::pair<Time, ByteVector>> out;
  live(limit, [&] {
    for (auto& [path, bytes] : sent())
      if (is_request(bytes)) out.emplace_back(now, bytes);
  });
  return out;
}

ByteVector Solo::validate() {
  if (agent.stats().pairs == 0) REQUIRE(add_candidate(kRemote));
  const auto requests = requests_for(0ms);
  REQUIRE(requests.size() == 1);
  REQUIRE(receive(peer.success(requests[0].second, kLocal)) == Drop::None);
  return requests[0].second;
}

int error_of(const std::optional<ByteVector>& bytes) {
  if (!bytes) return 0;
  const auto error = stun::Message::parse(*bytes)->error_code();
  return error ? error->code : -1;
}

}  // namespace pollrtc::test
