#include "sctp/prr.h"

#include <algorithm>

namespace pollrtc::sctp {

void Prr::enter(std::size_t flight, std::size_t ssthresh) {
  delivered_ = out_ = budget_ = 0;
  flight_at_start_ = std::max<std::size_t>(flight, 1);
  ssthresh_ = ssthresh;
}

void Prr::on_ack(std::size_t delivered, std::size_t flight, std::size_t packet) {
  delivered_ += delivered;
  if (flight > ssthresh_) {
    // The proportional part: ssthresh / RecoverFS of what arrives, rounded up.
    const std::uint64_t share =
        (std::uint64_t{delivered_} * ssthresh_ + flight_at_start_ - 1) / flight_at_start_;
    budget_ = share > out_ ? static_cast<std::size_t>(share - out_) : 0;
  } else {
    // Slow start reduction bound: losses have taken the flight below the window, and it grows back to it as in slow start.
    const std::size_t limit = std::max(delivered_ > out_ ? delivered_ - out_ : 0, delivered) + packet;
    budget_ = std::min(ssthresh_ - flight, limit);
  }
}

void Prr::on_sent(std::size_t bytes) {
  out_ += bytes;
  budget_ -= std::min(budget_, bytes);
}

}  // namespace pollrtc::sctp
