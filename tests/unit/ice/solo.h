// One agent with one socket, and a peer made by hand that knows its password.
#pragma once

#include "network.h"

namespace pollrtc::test {

inline const Address kLocal = addr("192.0.2.1", 5000), kRemote = addr("192.0.2.2", 6000);
inline const Path kPath{kLocal, kRemote};

// An agent with one socket; with `credentials` it knows the forger's.
struct Solo {
  explicit Solo(bool controlling = false, bool credentials = true, const Limits& limits = {})
      : Solo(ice::AgentConfig{.controlling = controlling}, credentials, limits) {}
  explicit Solo(const ice::AgentConfig& config, bool credentials = true, const Limits& limits = {})
      : side(7, config, limits), agent(*side.agent) {
    REQUIRE(agent.add_local_address(now, kLocal, false));
    agent.local_addresses_done(now);
    poll_events(agent);
    if (credentials) know_peer();
  }
  void know_peer() { REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false)); }
  Status add_candidate(const Address& address, std::uint32_t priority = 2130706431,
                       std::string_view foundation = "1") {
    Candidate c;
    c.address = address;
    c.priority = priority;
    c.foundation = *FixedString<32>::from(foundation);
    return agent.add_remote_candidate(now, c);
  }
  Drop receive(const ByteVector& bytes, const Path& path = kPath) {
    return agent.handle_datagram(now, path, bytes);
  }
  std::vector<std::pair<Path, ByteVector>> sent() { return poll_all(agent, now); }
  // What came for an ask: the first message that is no request.
  std::optional<ByteVector> answer() {
    for (auto& [path, bytes] : sent())
      if (!is_request(bytes)) return bytes;
    return std::nullopt;
  }
  // The requests that come out as time passes, up to `limit`, in order; answers nothing.
  std::vector<std::pair<Time, ByteVector>> requests_for(Duration limit) {
    std::vector<std::pair<Time, ByteVector>> out;
    const auto take = [&] {
      for (auto& [path, bytes] : sent())
        if (is_request(bytes)) out.emplace_back(now, bytes);
    };
    const Time end = now + limit;
    take();
    while (agent.next_timeout() <= end) {
      now = std::max(now, agent.next_timeout());
      agent.handle_timeout(now);
      take();
    }
    now = end;
    return out;
  }
  // Makes kPath valid by answering its first check.
  ByteVector validate() {
    if (agent.stats().pairs == 0) REQUIRE(add_candidate(kRemote));
    const auto requests = requests_for(0ms);
    REQUIRE(requests.size() == 1);
    REQUIRE(receive(peer.success(requests[0].second, kLocal)) == Drop::None);
    return requests[0].second;
  }

  Time now{};
  Side side;
  Agent& agent;
  Forger peer;
};

inline int error_of(const std::optional<ByteVector>& bytes) {
  if (!bytes) return 0;
  const auto error = stun::Message::parse(*bytes)->error_code();
  return error ? error->code : -1;
}

}  // namespace pollrtc::test
