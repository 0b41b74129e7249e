// sim_peers: seeded runs of whole peers over bad networks (run.h).
//
//   sim_peers [--seeds N] [--hours H] [--from S] [--fresh] [--log] [--without 1,4,...] [--shrink] [--trace FILE] [--hashes]
//
//   --hours    on, until so many hours of connections have been simulated
//   --fresh    one more seed, drawn anew and printed
//   --without  leaves these faults out, by their place in the list that a failing seed prints
//   --shrink   leaves out, of a failing seed, all faults that it does not take
//   --trace    pcapng: each datagram, and each SCTP packet in the clear
//   --hashes   the hash of each run, to be compared with another build's
//
// Each failing seed is named with the command that runs it again; the exit status says whether there was one.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "capture/pcapng.h"
#include "sim/violation.h"
#include "sim/whole/run.h"

using namespace pollrtc;
using namespace pollrtc::sim;

// The one thing of the world that Mbed TLS asks for: the time, for its hello. A run replays only if it is always the same.
extern "C" std::time_t time(std::time_t* out) noexcept {
  constexpr std::time_t kSomeDay = 1767225600 + 86400;
  if (out != nullptr) *out = kSomeDay;
  return kSomeDay;
}

namespace {

struct Options {
  std::uint64_t seeds = 100, from = 1;
  double hours = 0;
  bool fresh = false, log = false, shrink = false, hashes = false;
  std::set<std::size_t> without;
  std::string trace, program;
};

struct Totals {
  std::uint64_t runs = 0, failed = 0, replayed = 0;
  WholeReport sum;
  std::map<FaultKind, std::uint64_t> faults;

  void add(const Plan& plan, const WholeReport& r) {
    sum.virtual_time += r.virtual_time;
    sum.connected += r.connected;
    sum.longest_healing = std::max(sum.longest_healing, r.longest_healing);
    sum.connections += r.connections;
    sum.set_up += r.set_up;
    sum.messages += r.messages;
    sum.bytes += r.bytes;
    sum.datagrams += r.datagrams;
    sum.channels += r.channels;
    sum.restarts += r.restarts;
    sum.attacker_datagrams += r.attacker_datagrams;
    sum.refused_sends += r.refused_sends;
    sum.refused_allocations += r.refused_allocations;
    sum.peak_memory = std::max(sum.peak_memory, r.peak_memory);
    for (const auto& [why, count] : r.given_up) sum.given_up[why] += count;
    for (const auto& [kind, count] : r.idle) sum.idle[kind] += count;
    for (const auto& [place, fault] : plan.faults) ++faults[fault.kind];
  }
  double hours() const { return static_cast<double>(sum.connected.count()) / 3.6e9; }
  void print() const {
    std::cout << runs << " seeds, " << failed << " failed, " << replayed << " run twice and alike\n  "
              << hours() << " hours of connections, " << sum.connections << " of them, " << sum.set_up
              << " set up, " << sum.messages << " messages, " << sum.bytes / 1'000'000 << " MB, "
              << sum.datagrams << " datagrams, " << sum.channels << " channels, " << sum.restarts
              << " ICE restarts; " << sum.attacker_datagrams << " datagrams of attackers, "
              << sum.refused_sends << " sends and " << sum.refused_allocations
              << " allocations refused\n  settled and delivered at most "
              << sum.longest_healing.count() / 1000 << " ms after the faults; at most "
              << sum.peak_memory / 1024 << " KiB for one connection\n  faults:";
    for (std::size_t i = 0; i < static_cast<std::size_t>(FaultKind::Count_); ++i) {
      const auto at = faults.find(static_cast<FaultKind>(i));
      std::cout << (i == 0 ? " " : ", ") << (at == faults.end() ? 0 : at->second) << ' '
                << name_of(static_cast<FaultKind>(i));
    }
    std::cout << "\n  of these met nothing:";
    for (const auto& [kind, count] : sum.idle) std::cout << ' ' << count << ' ' << name_of(kind) << ',';
    std::cout << '\n';
    for (const auto& [why, count] : sum.given_up)
      std::cout << "  given up as it must be: " << count << " x " << why << '\n';
    std::cout << std::flush;
  }
};

std::string list_of(const std::set<std::size_t>& places) {
  std::string text;
  for (const std::size_t place : places) text += (text.empty() ? "" : ",") + std::to_string(place);
  return text;
}

std::string replay_command(const Options& options, std::uint64_t seed, const std::set<std::size_t>& without) {
  return options.program + " --seeds 1 --from " + std::to_string(seed) +
         (without.empty() ? "" : " --without " + list_of(without)) + " --log";
}

// What is broken, or nothing.
std::optional<std::string> failure_of(std::uint64_t seed, const std::set<std::size_t>& without) {
  try {
    run_whole(Plan(seed, without));
  } catch (const std::exception& broken) {
    return broken.what();
  }
  return std::nullopt;
}

// Leaves out one fault after the other, and keeps it out when the run fails without it as well.
void shrink(const Options& options, std::uint64_t seed) {
  std::set<std::size_t> without = options.without;
  for (bool smaller = true; smaller;) {
    smaller = false;
    const Plan plan(seed, without);
    for (const auto& [place, fault] : plan.faults) {
      std::set<std::size_t> fewer = without;
      fewer.insert(place);
      if (!failure_of(seed, fewer)) continue;
      without = fewer;
      smaller = true;
    }
  }
  std::cout << "  shrunk: " << failure_of(seed, without).value_or("nothing fails any more") << '\n';
  for (const auto& [place, fault] : Plan(seed, without).faults)
    std::cout << "    fault " << place << ": " << fault.text() << '\n';
  std::cout << "  replay with: " << replay_command(options, seed, without) << std::endl;
}

void run_seed(std::uint64_t seed, const Options& options, Totals& totals) {
  const Plan plan(seed, options.without);
  ++totals.runs;
  std::ofstream file;
  std::optional<capture::PcapngWriter> trace;
  WholeOptions whole{options.log ? &std::cerr : nullptr, {}};
  if (!options.trace.empty()) {
    file.open(options.trace, std::ios::binary);
    trace.emplace(file);
    // What comes in was sent by somebody too: only what is sent is written, so each packet stands there once.
    whole.sink = [&trace](Time now, const TappedPacket& packet) {
      if (packet.is_sent) trace->write(now, packet);
    };
  }
  try {
    const WholeReport report = run_whole(plan, whole);
    totals.add(plan, report);
    if (options.hashes) std::cout << seed << ' ' << std::hex << report.trace_hash << std::dec << '\n';
    if (seed % 16 != 0) return;
    ++totals.replayed;
    if (run_whole(plan).trace_hash != report.trace_hash)
      throw Violation("INV-10: the same seed ran otherwise");
  } catch (const std::exception& broken) {
    ++totals.failed;
    std::cout << "seed " << seed << ": " << broken.what() << '\n';
    for (const auto& [place, fault] : plan.faults)
      std::cout << "    fault " << place << ": " << fault.text() << '\n';
    std::cout << "  replay with: " << replay_command(options, seed, options.without) << std::endl;
    if (options.shrink) shrink(options, seed);
  }
}

bool parse(int argc, char** argv, Options& options) {
  options.program = argv[0];
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (argument == "--seeds") {
      options.seeds = std::strtoull(value().c_str(), nullptr, 0);
    } else if (argument == "--from") {
      options.from = std::strtoull(value().c_str(), nullptr, 0);
    } else if (argument == "--hours") {
      options.hours = std::strtod(value().c_str(), nullptr);
    } else if (argument == "--trace") {
      options.trace = value();
    } else if (argument == "--without") {
      std::istringstream places(value());
      for (std::string place; std::getline(places, place, ',');) options.without.insert(std::stoul(place));
    } else if (argument == "--fresh") {
      options.fresh = true;
    } else if (argument == "--log") {
      options.log = true;
    } else if (argument == "--shrink") {
      options.shrink = true;
    } else if (argument == "--hashes") {
      options.hashes = true;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::cerr
        << "usage: sim_peers [--seeds N] [--hours H] [--from S] [--fresh] [--log] [--without 1,4] [--shrink]"
           " [--trace FILE] [--hashes]\n";
    return 2;
  }
  Totals totals;
  const bool by_hours = options.hours > 0;
  for (std::uint64_t seed = options.from;
       by_hours ? totals.hours() < options.hours : seed - options.from < options.seeds; ++seed)
    run_seed(seed, options, totals);
  if (options.fresh) {
    const std::uint64_t seed = std::random_device{}();
    std::cout << "and a fresh seed: " << seed << std::endl;
    run_seed(seed, options, totals);
  }
  if (!options.hashes) totals.print();
  return totals.failed == 0 ? 0 : 1;
}
