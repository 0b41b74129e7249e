// Proportional rate reduction (RFC 6937): how a recovery comes from the old flight down to the new window. For what arrives
// a share of it may leave, so that the flight meets ssthresh at the end of the round trip, without a pause before and without
// a burst after. Read §3 and its pseudo code, §3.1.
//
// A plain value. What RFC 6937 calls cwnd is the flight and budget() together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollrtc::sctp {

class Prr {
 public:
  // A recovery begins: `flight` before the loss was taken out of it (RecoverFS), and the window to come down to.
  void enter(std::size_t flight, std::size_t ssthresh);
  // A SACK delivered so many bytes; `flight` is the pipe after it, what it has shown to be lost taken out.
  void on_ack(std::size_t delivered, std::size_t flight, std::size_t packet);
  void on_sent(std::size_t bytes);
  // The one packet that a recovery begins with, whatever this says, counts like any other.
  std::size_t budget() const { return budget_; }

 private:
  std::size_t delivered_ = 0, out_ = 0;  // prr_delivered, prr_out: since the recovery began
  std::size_t flight_at_start_ = 1, ssthresh_ = 0;
  std::size_t budget_ = 0;  // sndcnt
};

}  // namespace pollrtc::sctp
