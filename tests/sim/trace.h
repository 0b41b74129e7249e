// Trace: what happened in a world, as a hash that two equal runs share, as counters, and on demand as a hex dump.
#pragma once

#include <array>
#include <iosfwd>

#include "sim/link.h"

namespace pollrtc::sim {

class Trace {
 public:
  void record(Time now, Fate fate, const Address& from, const Address& to, Bytes datagram);

  std::uint64_t hash() const { return hash_; }
  std::uint64_t count(Fate fate) const { return counts_[static_cast<std::size_t>(fate)]; }

  // Leaves the bytes out of the hash: for runs with DTLS, whose bytes are not ours to repeat. Sizes and times stay in.
  void hash_without_bytes() { with_bytes_ = false; }

  // Every datagram as its sender sent it, with made-up IP and UDP headers, and comments for the dropped ones.
  // Read it with: text2pcap -l 101 -t "%H:%M:%S.%f" dump.txt dump.pcap
  // POLLRTC_TRACE=<file> does this for every world of a run.
  void dump_to(std::ostream* out) { dump_ = out; }

 private:
  void mix(std::uint64_t value);
  void dump(Time now, Fate fate, const Address& from, const Address& to, Bytes datagram);

  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::array<std::uint64_t, static_cast<std::size_t>(Fate::Count_)> counts_{};
  bool with_bytes_ = true;
  std::ostream* dump_ = nullptr;
};

}  // namespace pollrtc::sim
