// One agent with one socket, and a peer made by hand that knows its password.
#pragma once

#include "network.h"

namespace pollrtc::test {

inline const Address kLocal = addr("192.0.2.1", 5000), kRemote = addr("192.0.2.2", 6000);
inline const Path kPath{kLocal, kRemote};

// An agent with one socket; with `credentials` it knows the forger's.
struct Solo {
  explicit Solo(bool controlling = false, bool credentials = true, const Limits& limits = {});
  explicit Solo(const ice::AgentConfig& config, bool credentials = true, const Limits& limits = {});
  ~Solo();
  void know_peer();
  Status add_candidate(const Address& address, std::uint32_t priority = 2130706431,
                       std::string_view foundation = "1");
  Drop receive(const ByteVector& bytes, const Path& path = kPath);
  std::vector<std::pair<Path, ByteVector>> sent() { return poll_all(agent, now); }
  // What came for an ask: the first message that is no request.
  std::optional<ByteVector> answer();
  // Time passes; `take` is called now and after each deadline, and looks at what came out.
  void live(Duration duration, const std::function<void()>& take);
  // The requests that come out as time passes, up to `limit`, in order; answers nothing.
  std::vector<std::pair<Time, ByteVector>> requests_for(Duration limit);
  // Makes kPath valid by answering its first check.
  ByteVector validate();

  Time now{};
  Side side;
  Agent& agent;
  Forger peer;
};

int error_of(const std::optional<ByteVector>& bytes);

}  // namespace pollrtc::test
