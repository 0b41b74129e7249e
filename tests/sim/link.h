// Link: one direction between two addresses, with the faults a network has.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/random.h"

namespace pollrtc::sim {

struct LinkConfig {
  // Properties
  Duration delay = std::chrono::milliseconds(10);
  Duration jitter = Duration::zero();   // each datagram takes up to so much longer
  bool jitter_reorders = true;          // else a late datagram holds up those behind it
  std::uint64_t bits_per_second = 0;    // 0: no limit
  std::size_t queue_bytes = 64 * 1024;  // what waits for the rate; the rest is dropped at the tail
  std::size_t mtu = 0;  // largest IP packet, headers included; larger ones vanish. 0: no limit
  bool cuts = false;    // ... unless they may be cut, as in IPv4: then they pass

  // Faults, as probabilities
  double loss = 0;
  // Gilbert-Elliott: from the good state to the bad one and back, drawn for each datagram; loss in the bad state.
  double burst_begin = 0;
  double burst_end = 0.3;
  double burst_loss = 1;
  double duplicate = 0;
  double corrupt = 0;  // one to three bits are flipped
  bool cut = false;    // nothing passes

  // The same road on a good day: the delay stays, all that loses, changes, holds up or reorders is gone.
  LinkConfig healed() const {
    LinkConfig config;
    config.delay = delay;
    return config;
  }
};

// What becomes of datagrams; the trace and the counters use the same words.
enum class Fate : std::uint8_t {
  Sent,
  Delivered,
  Lost,
  QueueFull,
  TooLarge,
  Cut,
  Filtered,
  NoRoute,
  NoListener,
  Count_
};
std::string_view name_of(Fate fate);

class Link {
 public:
  struct Copy {
    Time arrival;
    std::vector<std::uint8_t> bytes;
  };
  struct Result {
    Fate fate = Fate::Sent;    // or why it was dropped
    std::vector<Copy> copies;  // one or two
  };

  Link(const LinkConfig& initial, Random random) : config(initial), random_(random) {}

  // `header_bytes` of IP and UDP count for the rate and the MTU.
  Result send(Time now, Bytes datagram, std::size_t header_bytes, bool dont_fragment = true);

  LinkConfig config;  // may be changed while it runs

 private:
  bool is_lost();
  Copy make_copy(Time departure, Bytes datagram);

  Random random_;
  bool in_burst_ = false;
  Time free_at_{};  // when the last bit queued so far has left
  Time last_arrival_{};
};

}  // namespace pollrtc::sim
