// What instructions.mjs counts under callgrind: two PeerConnections in this process, with real DTLS, over a network that is a
// copy. Everything is seeded, so that every run does the same. Each workload is counted after a while of the same, and its
// counts are dumped under its name; the set-up is not counted.
//
//   instructions            runs them all, with or without callgrind
//   instructions --list     the compiler; then their names, and how many messages each counts
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstring>

#include "support/direct_pair.h"

using namespace pollrtc;

namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "clang";
constexpr int kVersion = __clang_major__;
#else
constexpr const char* kCompiler = "gcc";
constexpr int kVersion = __GNUC__;
#endif
#if defined(__x86_64__)
constexpr const char* kMachine = "x86-64";
#else
constexpr const char* kMachine = "another machine";
#endif

struct Workload {
  const char* name;
  std::size_t size, messages;
  bool reliable = true, is_ping = false;
};

constexpr Workload kWorkloads[] = {
    {"64 B", 64, 20'000},       {"64 B unreliable", 64, 20'000, false}, {"1200 B", 1200, 4'000},
    {"16 KiB", 16 * 1024, 400}, {"64 B ping", 64, 1'000, true, true},
};

std::size_t run(test::DirectPair& pair, const Workload& load, Bytes message, std::size_t times) {
  return load.is_ping ? pair.ping(times, message) : pair.transfer(times, message);
}

bool count(const Workload& load) {
  test::DirectPair pair;
  DataChannelOptions options;
  if (!load.reliable) {
    options.ordered = false;
    options.max_retransmits = 0;
  }
  const std::vector<std::uint8_t> message(load.size, 7);
  if (!pair.connect(options)) return false;
  run(pair, load, message, load.messages);  // all that steady traffic holds at a time
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  const std::size_t came = run(pair, load, message, load.messages);
  CALLGRIND_DUMP_STATS_AT(load.name);
  CALLGRIND_STOP_INSTRUMENTATION;
  return came == load.messages;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_list = argc == 2 && std::strcmp(argv[1], "--list") == 0;
  if (is_list) std::printf("%s %d, %s\n", kCompiler, kVersion, kMachine);
  for (const Workload& load : kWorkloads) {
    if (is_list) {
      std::printf("%s\t%zu\n", load.name, load.messages);
    } else if (!count(load)) {
      std::fprintf(stderr, "%s: not all messages came\n", load.name);
      return 1;
    }
  }
  return 0;
}
