#include "sctp/stream_reset.h"

#include <algorithm>

#include "sctp/stream_set.h"

namespace pollrtc::sctp {

namespace {

// Of ours, which are in ascending order: a peer may have us reset all that it names.
bool contains(const Vec<StreamId>& ascending, StreamId stream) {
  return std::binary_search(ascending.begin(), ascending.end(), stream);
}

}  // namespace

OutgoingReset::OutgoingReset(const Memory& memory, Tsn local_initial_tsn)
    : waiting_(memory), requested_(memory), next_request_(local_initial_tsn.value()) {}

Status OutgoingReset::ask(StreamId stream) {
  if (is_under_way(stream)) return fail(ErrorCode::AlreadyExists, "a reset of this stream is under way");
  const auto* const place = std::lower_bound(waiting_.begin(), waiting_.end(), stream);
  // Room for a few now, so that a request can always start.
  constexpr std::size_t kFew = 4;
  if (!requested_.reserve(kFew) ||
      !waiting_.insert(static_cast<std::size_t>(place - waiting_.begin()), stream)) {
    return fail(ErrorCode::OutOfMemory, "no memory to note the reset");
  }
  return {};
}

bool OutgoingReset::is_under_way(StreamId stream) const {
  return contains(waiting_, stream) || (in_flight_ && contains(requested_, stream));
}

bool OutgoingReset::covers(const StreamList& streams) const {
  if (!in_flight_ || streams.count() == 0) return false;
  for (std::size_t i = 0; i < streams.count(); ++i) {
    if (!contains(requested_, streams[i])) return false;
  }
  return true;
}

void OutgoingReset::write(ByteWriter& out, ReconfigSeq peer_request_expected) const {
  // RFC 6525 §5.1.2 A4: the response number says which request of the peer we saw last.
  write_outgoing_reset(out, next_request_ - 1, peer_request_expected - 1, last_assigned_tsn_, streams());
}

bool OutgoingReset::on_timeout(Tsn cumulative_ack) {
  unsent_ = true;
  const bool was_in_progress = std::exchange(in_progress_, false);
  // DEVIATION RFC 6525 §5.2.7: after "in progress" we ask under a new number once the peer has all that it waited for. usrsctp
  // answers a repeated request as it did at first, also when it has performed it since and only its notice was lost. The
  // streams are paused, so nothing is harmed when it is performed twice.
  if (was_in_progress && last_assigned_tsn_ <= cumulative_ack) {
    ++next_request_;
    was_sent_ = false;
  }
  return !was_in_progress;
}

OutgoingReset::Outcome OutgoingReset::on_response(const ReconfigResponse& response) {
  // RFC 6525 §5.2.7 H1: the timer runs for numbers that were sent. An answer to one that was not is an answer to nothing; taken for
  // one, it would make us leave the number out.
  if (!in_flight_ || !was_sent_ || response.response != next_request_ - 1) return Outcome::Ignored;
  switch (response.result) {
    case ReconfigResult::InProgress:
      in_progress_ = true;
      unsent_ = false;
      return Outcome::InProgress;
    case ReconfigResult::NothingToDo:
    case ReconfigResult::Performed:
      return Outcome::Performed;
    default:
      return Outcome::Refused;
  }
}

void OutgoingReset::finish(bool performed) {
  in_flight_ = unsent_ = false;
  performed_ = performed;
  untold_ = requested_.size();
}

std::optional<OutgoingReset::Done> OutgoingReset::pop_done() {
  if (!has_done()) return std::nullopt;
  return Done{requested_[requested_.size() - untold_--], performed_};
}

IncomingReset::IncomingReset(const Memory& memory, Tsn peer_initial_tsn)
    : expected_(peer_initial_tsn.value()), streams_(memory) {}

// RFC 6525 §5.2.1: a request seen before gets the answer it got before; one out of turn gets "bad sequence
// number".
std::optional<ReconfigResult> IncomingReset::answer_without_work(ReconfigSeq request) {
  if (request == expected_) return std::nullopt;
  for (const ReconfigResponse& answer : answered_) {
    if (answer.response == request) return answer.result;
  }
  return ReconfigResult::BadSequenceNumber;
}

ReconfigResult IncomingReset::remember(ReconfigSeq request, ReconfigResult result) {
  if (answered_.full()) answered_.erase(0);
  static_cast<void>(answered_.push_back({request, result}));
  expected_ = request + 1;
  return result;
}

ReconfigResult IncomingReset::refuse(ReconfigSeq request, ReconfigResult result) {
  if (const auto known = answer_without_work(request)) return *known;
  return remember(request, result);
}

bool IncomingReset::is_same_as_put_off(const OutgoingResetRequest& request) const {
  if (request.last_assigned_tsn != last_tsn_ || request.streams.count() != streams_.size()) return false;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (request.streams[i] != streams_[i]) return false;
  }
  return true;
}

IncomingReset::Verdict IncomingReset::on_request(const OutgoingResetRequest& request, Tsn cumulative_tsn,
                                                 std::uint16_t inbound_streams) {
  if (const auto known = answer_without_work(request.request)) return {*known};
  // Some peers ask again under a new number after "in progress": that is still the same reset, done once.
  if ((put_off_ || completed_) && is_same_as_put_off(request)) {
    put_off_request_ = request.request;
    const bool is_done = std::exchange(completed_, false);
    return {remember(request.request, is_done ? ReconfigResult::Performed : ReconfigResult::InProgress)};
  }
  if (put_off_) return {remember(request.request, ReconfigResult::AlreadyInProgress)};
  const std::size_t count = request.streams.count();
  StreamSet seen(streams_.memory());
  if (!streams_.reserve(count) || !seen.reserve()) return {std::nullopt};
  completed_ = false;
  streams_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const StreamId stream = request.streams[i];
    if (value_of(stream) >= inbound_streams || !seen.insert(stream)) {
      return {remember(request.request, ReconfigResult::WrongSsn)};
    }
    static_cast<void>(streams_.push_back(stream));
  }
  last_tsn_ = request.last_assigned_tsn;
  put_off_request_ = request.request;
  put_off_ = last_tsn_ > cumulative_tsn;
  if (put_off_) return {remember(request.request, ReconfigResult::InProgress)};
  return {remember(request.request, ReconfigResult::Performed), true};
}

bool IncomingReset::names(StreamId stream) const {
  return streams_.empty() || std::find(streams_.begin(), streams_.end(), stream) != streams_.end();
}

ReconfigResponse IncomingReset::complete() {
  put_off_ = false;
  completed_ = true;
  for (ReconfigResponse& answer : answered_) {
    if (answer.response == put_off_request_) answer.result = ReconfigResult::Performed;
  }
  return {put_off_request_, ReconfigResult::Performed};
}

}  // namespace pollrtc::sctp
