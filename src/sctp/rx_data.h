// The receiving half of an association: tracker and reassembly as the engine drives them. For each packet:
// on_data() or on_forward_tsn() for its chunks in their order, then end_of_packet().
#pragma once

#include "sctp/rx_reassembly.h"
#include "sctp/rx_tracker.h"
#include "sctp/rx_window.h"

namespace pollrtc::sctp {

class RxData {
 public:
  enum class Outcome : std::uint8_t {
    Accepted,
    Duplicate,  // Drop::SctpDuplicate
    Refused,  // Drop::SctpWindow: no room, and the SACK that says so is due; or beyond the TSN span, and it soon is
    InvalidStream,  // acknowledged and thrown away: answer ERROR(invalid stream identifier) (RFC 9260 §6.5)
    NoUserData,     // answer ABORT(no user data) (§6.2)
    Violation       // answer ABORT(protocol violation)
  };

  RxData(const Environment& env, const Parameters& parameters, Tsn peer_initial_tsn,
         std::uint16_t inbound_streams, std::size_t max_message, bool interleaving = false);

  Outcome on_data(const DataChunk& chunk);
  // SctpWindow: beyond the TSN span, and taken as far as that reaches. OutOfMemory: it is as if never received.
  Drop on_forward_tsn(const ForwardTsnChunk& forward);
  Drop on_i_forward_tsn(const IForwardTsnChunk& forward);
  // `round_trip`: the shortest measured, which the window grows by.
  void end_of_packet(Time now, Duration round_trip = RxWindow::kUnknownRoundTrip);

  void handle_timeout(Time now);
  Time next_timeout() const { return std::min(tracker_.next_timeout(), window_.next_timeout()); }

  bool has_news() const { return reassembly_.has_news(); }
  bool receive(Message& out) { return reassembly_.receive(out); }
  void release(std::size_t charge);
  std::optional<StreamId> pop_too_large() { return reassembly_.pop_too_large(); }

  bool write_sack(ByteWriter& out) { return tracker_.write_sack(out, reassembly_.a_rwnd()); }

  RxTracker& tracker() { return tracker_; }
  const RxTracker& tracker() const { return tracker_; }
  RxReassembly& reassembly() { return reassembly_; }
  const RxReassembly& reassembly() const { return reassembly_; }

 private:
  bool make_room(const DataChunk& chunk);
  Outcome refuse();
  bool grow_window();

  std::uint16_t inbound_streams_;
  bool packet_gave_up_ = false;
  RxWindow window_;
  RxTracker tracker_;
  RxReassembly reassembly_;
};

}  // namespace pollrtc::sctp
