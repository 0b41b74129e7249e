#include "pollrtc/peer_command.h"

#include <sys/resource.h>
#include <unistd.h>

#include "pollrtc/modes.h"

namespace pollrtc::tool {

void allow_many_sockets() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int report_unsupported(std::string_view message) {
  LineWriter writer(STDOUT_FILENO);
  writer.put({{"type", "error"}, {"code", "unsupported"}, {"message", message}});
  writer.drain(std::chrono::milliseconds(1000));
  return 2;
}

int run_peer(PeerOptions options) {
  if (const auto fault = complete(options)) return report_unsupported(*fault);
  // A malformed server address is a fault of the options, and is better told before anything has begun.
  PeerConnection probe;
  if (const Status status = probe.initialize(options.configuration()); !status)
    return report_unsupported(status.error().detail());
  allow_many_sockets();
  return PeerRun(options).run(make_mode);
}

}  // namespace pollrtc::tool
