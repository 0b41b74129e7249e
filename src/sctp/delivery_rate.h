// How fast the path delivers, measured on each acknowledgement (draft-cheng-iccrg-delivery-rate-estimation; also
// draft-ietf-ccwg-bbr §4.1): the bytes delivered between the sending of a packet and its acknowledgement, over the time
// that took. A packet is remembered with what had been delivered when it left; the rest is subtraction.
//
// A plain value. Bytes are those of DATA chunks with header and padding, as in congestion.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/serial.h"
#include "pollrtc/types.h"

namespace pollrtc::sctp {

// Packets with DATA, in the order in which they were sent. A chunk that is sent again belongs to another packet.
using PacketNumber = Serial<struct PacketNumberKind, std::uint32_t>;

// What is remembered of one packet until nothing of it is in flight.
struct SentPacket {
  Time sent_at{};
  Time first_sent_at{};            // of the packet whose acknowledgement was the newest when this one left
  Time delivered_at{};             // when that acknowledgement came
  std::uint64_t delivered = 0;     // bytes, until then
  std::uint64_t lost = 0;          // bytes, until it left
  std::size_t in_flight = 0;       // bytes, itself included
  bool is_app_limited = false;     // there was nothing else to send
  bool is_retransmission = false;  // something in it had been sent before
  bool is_large = false;           // the path may be too small for it (black_hole.h)
};

// Of the newest packet that an acknowledgement covers.
struct RateSample {
  std::size_t delivered = 0;          // bytes, since that packet was sent
  Duration interval{};                // zero: no sample
  std::uint64_t prior_delivered = 0;  // in all, when it was sent: tells one round trip from the next
  std::size_t lost = 0;               // bytes, since it was sent, and since the sample before
  std::size_t in_flight = 0;          // when it was sent, itself included
  bool is_app_limited = false;

  bool is_valid() const { return interval > Duration::zero(); }
  // Bytes a second.
  std::uint64_t rate() const {
    return is_valid() ? delivered * std::uint64_t{1'000'000} / static_cast<std::uint64_t>(interval.count())
                      : 0;
  }
};

class DeliveryRate {
 public:
  // A packet leaves. `is_first`: nothing was in flight, so the clock of deliveries starts now.
  SentPacket on_sent(Time now, bool is_first);
  // There is room in the window and nothing to fill it: what is in flight now says little about the path.
  void on_app_limited(std::size_t in_flight) {
    app_limited_until_ = delivered_ + (in_flight == 0 ? 1 : in_flight);
  }
  void on_delivered(Time now, std::size_t bytes);
  void on_lost(std::size_t bytes) { lost_ += bytes; }
  // What had been taken for lost was there.
  void on_found(std::size_t bytes) { lost_ -= std::min<std::uint64_t>(lost_, bytes); }
  // After the bytes of an acknowledgement were counted; `newest` is the newest packet among them. Samples over less than
  // the shortest round trip come of acknowledgements that were bundled on the way, and are none.
  RateSample sample(Time now, const SentPacket& newest, Duration shortest_rtt);

  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t lost() const { return lost_; }
  bool is_app_limited() const { return app_limited_until_ != 0; }

 private:
  std::uint64_t delivered_ = 0, lost_ = 0;
  std::uint64_t lost_at_sample_ = 0;  // the last one
  Time delivered_at_{};               // the last of them
  Time first_sent_at_{};              // the packet of the last sample
  std::uint64_t app_limited_until_ = 0;
};

}  // namespace pollrtc::sctp
