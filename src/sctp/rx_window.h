// How large the receive window is (RFC 9260 §6.2): it begins small, grows to twice what the user takes in a round trip, or
// by a step when parts of messages alone fill it, and goes back when the peer falls silent. A plain value: it is told what
// happened, and holds nothing itself.
//
// A sender needs a window of one bandwidth-delay product, and twice that while it still speeds up. What the user took in a
// round trip is that product as far as it is worth anything: a network that is faster than the user cannot widen it. All
// sizes are charged bytes, overhead included, so small messages get the room that they really cost.
#pragma once

#include <algorithm>
#include <cstddef>

#include "pollrtc/environment.h"

namespace pollrtc::sctp {

class RxWindow {
 public:
  // While nothing has measured the path.
  static constexpr Duration kUnknownRoundTrip = std::chrono::milliseconds(100);
  // Silence after which the start size is enough again.
  static constexpr Duration kIdle = std::chrono::seconds(10);

  explicit RxWindow(const Limits& limits)
      : start_(limits.sctp_rx_window),
        most_(std::max(limits.sctp_rx_window, limits.sctp_rx_window_max)),
        size_(start_) {}

  std::size_t size() const { return size_; }

  // The user gave back what it had taken.
  void on_released(std::size_t charge) { taken_ += charge; }
  // A packet with DATA has come. True: the window grew.
  bool on_data(Time now, Duration round_trip) {
    last_data_ = now;
    if (since_ == kNever || now < since_) {
      since_ = now;
      taken_ = 0;
    }
    if (now - since_ < round_trip) return false;
    const std::size_t wanted = std::min(2 * taken_, most_);
    since_ = now;
    taken_ = 0;
    if (wanted <= size_) return false;
    size_ = wanted;
    return true;
  }
  // Only parts of messages fill it, and what would complete them finds no room. True: it grew by a step.
  bool grow() {
    if (size_ >= most_) return false;
    size_ = std::min(2 * size_, most_);
    return true;
  }
  // True: the window went back to its start size, and the peer should hear of it. `is_empty`: nothing is held.
  bool handle_timeout(Time now, bool is_empty) {
    if (now < next_timeout()) return false;
    last_data_ = now;
    if (!is_empty) return false;
    size_ = start_;
    since_ = kNever;
    return true;
  }
  Time next_timeout() const { return size_ > start_ ? last_data_ + kIdle : kNever; }

 private:
  std::size_t start_, most_, size_;
  std::size_t taken_ = 0;  // since `since_`
  Time since_ = kNever;
  Time last_data_{};
};

}  // namespace pollrtc::sctp
