// sim_sctp: seeded runs of two associations over bad networks (sctp_scenario.h).
//
//   sim_sctp [--seeds N] [--from S] [--fresh] [--log] [--hashes] [--traces FILE]
//
//   --fresh    one more seed, drawn anew and printed
//   --hashes   for each seed the hash of its trace: every datagram, its bytes, its time and its fate
//   --traces   the seeds of a list that --hashes printed, each of which must give the same trace here
//
// Each failing seed is named with the command that runs it again; the exit status says whether there was one.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "sim/sctp_scenario.h"
#include "sim/violation.h"

using namespace pollrtc;
using namespace pollrtc::sim;

namespace {

struct Totals {
  std::uint64_t runs = 0, failed = 0, packets = 0, retransmissions = 0, messages = 0, bytes = 0;
  Duration virtual_time{}, longest_healing{};
  std::map<std::string, std::uint64_t> given_up;
  // Runs in which it happened: what the runs are there for must happen in some of them.
  std::map<std::string, std::uint64_t> exercised = {{"TSNs wrapped", 0},
                                                    {"SSNs wrapped", 0},
                                                    {"MIDs wrapped", 0},
                                                    {"MIDs of unordered messages wrapped", 0},
                                                    {"numbers of resets wrapped", 0},
                                                    {"a path was found", 0},
                                                    {"a path became narrower", 0}};

  void add(const SctpRunReport& report) {
    ++runs;
    packets += report.packets;
    retransmissions += report.retransmissions;
    messages += report.messages;
    bytes += report.bytes;
    virtual_time += report.virtual_time;
    longest_healing = std::max(longest_healing, report.healed_after);
    if (!report.failure.empty()) ++given_up[report.failure];
    exercised["TSNs wrapped"] += report.wraps.tsn;
    exercised["SSNs wrapped"] += report.wraps.ssn;
    exercised["MIDs wrapped"] += report.wraps.mid;
    exercised["MIDs of unordered messages wrapped"] += report.wraps.unordered_mid;
    exercised["numbers of resets wrapped"] += report.wraps.reset_request;
    exercised["a path was found"] += report.path_changes != 0;
    exercised["a path became narrower"] += report.paths_narrowed != 0;
  }
  // A few runs prove nothing; so many are a fault of the draw.
  bool lacks_something() const {
    return runs >= 50 && std::any_of(exercised.begin(), exercised.end(),
                                     [](const auto& entry) { return entry.second == 0; });
  }
  void print() const {
    using std::chrono::duration_cast;
    std::cout << runs << " runs, " << failed
              << " failed: " << duration_cast<std::chrono::hours>(virtual_time).count()
              << " h of virtual time, " << packets << " packets, " << retransmissions
              << " chunks sent again, " << messages << " messages, " << bytes / 1'000'000
              << " MB; all delivered at most "
              << duration_cast<std::chrono::milliseconds>(longest_healing).count()
              << " ms after the faults\n";
    std::cout << "  of them";
    const char* separator = " ";
    for (const auto& [what, count] : exercised)
      std::cout << std::exchange(separator, ", ") << count << " in which " << what;
    std::cout << (lacks_something() ? "  <- what never happens is not tested\n" : "\n");
    for (const auto& [why, count] : given_up)
      std::cout << "  given up as it must be: " << count << " x " << why << '\n';
  }
};

void run_seed(std::uint64_t seed, bool log, const char* program, Totals& totals) {
  try {
    const SctpRunReport report = run_sctp_scenario(seed, log ? &std::cerr : nullptr);
    totals.add(report);
    if (seed % 16 == 0 && run_sctp_scenario(seed).trace_hash != report.trace_hash)
      throw Violation("INV-10: the same seed ran otherwise");
  } catch (const std::exception& broken) {
    ++totals.failed;
    std::cout << "seed " << seed << ": " << broken.what() << "\n  replay with: " << program
              << " --seeds 1 --from " << seed << " --log" << std::endl;
  }
}

void print_hashes(std::uint64_t from, std::uint64_t seeds) {
  for (std::uint64_t seed = from; seed - from < seeds; ++seed)
    std::cout << std::dec << seed << ' ' << std::hex << run_sctp_scenario(seed).trace_hash << std::endl;
}

// 0: all the same.
int compare_traces(const char* file) {
  std::ifstream list(file);
  std::uint64_t seed = 0, expected = 0, seeds = 0, others = 0;
  while (list >> std::dec >> seed >> std::hex >> expected) {
    ++seeds;
    const std::uint64_t hash = run_sctp_scenario(seed).trace_hash;
    if (hash == expected) continue;
    ++others;
    std::cout << std::dec << "seed " << seed << std::hex << ": " << hash << ", not " << expected << std::endl;
  }
  std::cout << std::dec << seeds << " traces, " << others << " other than expected\n";
  return seeds != 0 && others == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 100, from = 1;
  bool fresh = false, log = false, hashes = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--seeds" && i + 1 < argc) {
      seeds = std::strtoull(argv[++i], nullptr, 0);
    } else if (argument == "--from" && i + 1 < argc) {
      from = std::strtoull(argv[++i], nullptr, 0);
    } else if (argument == "--traces" && i + 1 < argc) {
      return compare_traces(argv[i + 1]);
    } else if (argument == "--hashes") {
      hashes = true;
    } else if (argument == "--fresh") {
      fresh = true;
    } else if (argument == "--log") {
      log = true;
    } else {
      std::cerr << "usage: sim_sctp [--seeds N] [--from S] [--fresh] [--log] [--hashes] [--traces FILE]\n";
      return 2;
    }
  }
  if (hashes) {
    print_hashes(from, seeds);
    return 0;
  }
  Totals totals;
  for (std::uint64_t seed = from; seed - from < seeds; ++seed) run_seed(seed, log, argv[0], totals);
  if (fresh) {
    const std::uint64_t seed = std::random_device{}();
    std::cout << "and a fresh seed: " << seed << std::endl;
    run_seed(seed, log, argv[0], totals);
  }
  totals.print();
  return totals.failed == 0 && !totals.lacks_something() ? 0 : 1;
}
