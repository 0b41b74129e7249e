#include "sim/link.h"

#include <algorithm>

namespace pollrtc::sim {

std::string_view name_of(Fate fate) {
  static constexpr std::string_view kNames[] = {"sent", "delivered", "lost",     "queue full", "too large",
                                                "cut",  "filtered",  "no route", "no listener"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Fate::Count_));
  return kNames[static_cast<std::size_t>(fate)];
}

bool Link::is_lost() {
  if (in_burst_ ? random_.chance(config.burst_end) : random_.chance(config.burst_begin))
    in_burst_ = !in_burst_;
  if (config.burst_begin <= 0) in_burst_ = false;  // healed in the middle of a burst
  return (in_burst_ && random_.chance(config.burst_loss)) || random_.chance(config.loss);
}

Link::Result Link::send(Time now, Bytes datagram, std::size_t header_bytes, bool dont_fragment) {
  const std::size_t size = datagram.size() + header_bytes;
  if (config.cut) return {Fate::Cut, {}};
  const bool may_be_cut = config.cuts && !dont_fragment;
  if (config.mtu != 0 && size > config.mtu && !may_be_cut) return {Fate::TooLarge, {}};
  Time departure = now;
  if (config.bits_per_second != 0) {
    const auto microseconds = [&](std::uint64_t bytes) {
      return Duration(static_cast<Duration::rep>((bytes * 8 * 1'000'000 + config.bits_per_second - 1) /
                                                 config.bits_per_second));
    };
    const Time begin = std::max(now, free_at_);
    if (begin - now + microseconds(size) > microseconds(config.queue_bytes)) return {Fate::QueueFull, {}};
    departure = free_at_ = begin + microseconds(size);
  }
  // Behind the queue: what is lost on the way has used its share of the rate.
  if (is_lost()) return {Fate::Lost, {}};
  Result result;
  result.copies.push_back(make_copy(departure, datagram));
  if (random_.chance(config.duplicate)) result.copies.push_back(make_copy(departure, datagram));
  return result;
}

Link::Copy Link::make_copy(Time departure, Bytes datagram) {
  Copy copy{departure + config.delay + random_.up_to(config.jitter), {datagram.begin(), datagram.end()}};
  if (!config.jitter_reorders) copy.arrival = std::max(copy.arrival, last_arrival_);
  last_arrival_ = std::max(copy.arrival, last_arrival_);
  if (!copy.bytes.empty() && random_.chance(config.corrupt)) {
    const std::uint64_t flips = 1 + random_.below(3);
    for (std::uint64_t i = 0; i < flips; ++i) {
      const std::uint64_t bit = random_.below(copy.bytes.size() * 8);
      copy.bytes[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    }
  }
  return copy;
}

}  // namespace pollrtc::sim
