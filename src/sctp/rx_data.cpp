#include "sctp/rx_data.h"

namespace pollrtc::sctp {

namespace {

// Of DATA and of I-DATA. `skip(before, taken)`: the cumulative TSN has gone from one to the other.
template <class Chunk, class Skip>
Drop take_forward(RxTracker& tracker, RxReassembly& reassembly, const Chunk& forward, Skip skip) {
  const Tsn before = tracker.cumulative();
  if (forward.new_cumulative_tsn > before && !reassembly.reserve(forward)) return Drop::OutOfMemory;
  const Tsn taken = tracker.on_forward_tsn(forward.new_cumulative_tsn);
  if (taken > before) skip(before, taken);
  return taken == forward.new_cumulative_tsn ? Drop::None : Drop::SctpWindow;
}

}  // namespace

RxData::RxData(const Environment& env, const Parameters& parameters, Tsn peer_initial_tsn,
               std::uint16_t inbound_streams, std::size_t max_message, bool interleaving)
    : inbound_streams_(inbound_streams),
      window_(env.limits),
      tracker_(env, parameters, peer_initial_tsn),
      reassembly_(env, max_message, interleaving) {}

RxData::Outcome RxData::on_data(const DataChunk& chunk) {
  if (chunk.payload.empty()) return Outcome::NoUserData;
  const RxTracker::Arrival arrival = tracker_.look_up(chunk.tsn);
  if (arrival == RxTracker::Arrival::Duplicate) {
    tracker_.on_duplicate(chunk.tsn);
    return Outcome::Duplicate;
  }
  if (arrival == RxTracker::Arrival::OutOfRange) {
    tracker_.on_out_of_range();
    return Outcome::Refused;
  }
  const bool is_in_order = chunk.tsn == tracker_.cumulative() + 1 && !tracker_.has_gaps();
  if (!is_in_order && !tracker_.reserve()) return refuse();
  if (value_of(chunk.stream) >= inbound_streams_) {  // RFC 9260 §6.5: acknowledged like any other
    tracker_.accept(chunk.tsn, chunk.immediate);
    return Outcome::InvalidStream;
  }
  RxReassembly::Added added = RxReassembly::Added::NoRoom;
  if (make_room(chunk)) added = reassembly_.add(chunk, chunk.tsn == tracker_.cumulative() + 1);
  switch (added) {
    case RxReassembly::Added::Accepted:
      tracker_.accept(chunk.tsn, chunk.immediate);
      return Outcome::Accepted;
    case RxReassembly::Added::Violation:
      return Outcome::Violation;
    case RxReassembly::Added::NoRoom:
      break;
  }
  return refuse();
}

RxData::Outcome RxData::refuse() {
  tracker_.on_refused();
  return Outcome::Refused;
}

// RFC 9260 §6.2: with the window closed nothing above the highest TSN is taken, and below it the highest held makes
// room for the lower.
bool RxData::make_room(const DataChunk& chunk) {
  const bool is_next = chunk.tsn == tracker_.cumulative() + 1;
  const bool is_above = chunk.tsn > tracker_.highest();
  // DEVIATION RFC 9260 §6.2: when only parts of messages fill the buffer, the next TSN is taken even then: the window
  // grows by a step, or lends from a reserve of one largest message. Unless the user takes pieces there is no partial
  // delivery (§6.9), so nothing else could ever free the window.
  const bool is_last_hope = is_next && reassembly_.user_owes_nothing();
  if (is_above && reassembly_.a_rwnd() == 0 && !is_last_hope) return false;
  while (!reassembly_.has_room(chunk)) {
    if (!is_above && reassembly_.evict_highest(chunk.tsn, tracker_)) continue;
    if (!is_last_hope || !reassembly_.user_owes_nothing()) return false;
    if (reassembly_.give_before(chunk)) continue;
    if (!reassembly_.fits_window(chunk) && grow_window()) continue;
    if (reassembly_.has_reserve(chunk)) return true;
    // Once a packet: to find the message takes a walk over all fragments, and a packet holds many chunks.
    if (packet_gave_up_ || !reassembly_.give_up_for(chunk)) return false;
    packet_gave_up_ = true;
  }
  return true;
}

bool RxData::grow_window() {
  if (!window_.grow()) return false;
  reassembly_.set_window(window_.size());
  tracker_.on_window(reassembly_.a_rwnd(), reassembly_.window());
  return true;
}

Drop RxData::on_forward_tsn(const ForwardTsnChunk& forward) {
  return take_forward(tracker_, reassembly_, forward, [&](Tsn before, Tsn taken) {
    ForwardTsnChunk as_far = forward;
    as_far.new_cumulative_tsn = taken;
    reassembly_.on_forward_tsn(before, as_far);
  });
}

Drop RxData::on_i_forward_tsn(const IForwardTsnChunk& forward) {
  return take_forward(tracker_, reassembly_, forward,
                      [&](Tsn, Tsn) { reassembly_.on_i_forward_tsn(forward); });
}

void RxData::end_of_packet(Time now, Duration round_trip) {
  packet_gave_up_ = false;
  reassembly_.end_of_packet();
  if (window_.on_data(now, round_trip)) {
    reassembly_.set_window(window_.size());
    tracker_.on_window(reassembly_.a_rwnd(), reassembly_.window());
  }
  // No TSN is missing and the user owes nothing, so parts of messages fill the window: it grows before the sender stops.
  if (reassembly_.a_rwnd() == 0 && !tracker_.has_gaps() && reassembly_.user_owes_nothing())
    static_cast<void>(grow_window());
  tracker_.end_of_packet(now);
}

void RxData::handle_timeout(Time now) {
  tracker_.handle_timeout(now);
  if (!window_.handle_timeout(now, reassembly_.used() == 0)) return;
  reassembly_.set_window(window_.size());
  tracker_.request_sack();
}

void RxData::release(std::size_t charge) {
  window_.on_released(reassembly_.release(charge));
  tracker_.on_window(reassembly_.a_rwnd(), reassembly_.window());
}

}  // namespace pollrtc::sctp
