// Re-configuration of streams (RFC 6525): which resets we owe, asked for, answered and put off. Read §5.1.2,
// §5.2.1, §5.2.2 and §5.2.7 first. Bookkeeping only: the association moves the SSNs and sends the chunks.
//
// Outgoing: at most one request is in flight; what is asked for meanwhile waits and shares the next one. A
// stream waits until all its messages have TSNs, so the last assigned TSN covers them. Incoming: at most one
// request is put off, until everything the peer sent before it has come.
#pragma once

#include <optional>
#include <span>

#include "base/memory.h"
#include "sctp/chunk_reconfig.h"

namespace pollrtc::sctp {

class OutgoingReset {
 public:
  // RFC 6525 §4.1: request numbers begin at the initial TSN.
  OutgoingReset(const Memory& memory, Tsn local_initial_tsn);

  // AlreadyExists when a reset of the stream is under way, OutOfMemory.
  Status ask(StreamId stream);
  // From ask() to the answer; meanwhile the stream takes no messages (§5.1.2 A1).
  bool is_under_way(StreamId stream) const;
  // The request in flight names all of these: the peer asks for what is being done already (§5.2.3).
  bool covers(const StreamList& streams) const;
  bool has_waiting() const { return !waiting_.empty(); }
  bool is_in_flight() const { return in_flight_; }
  bool owes_request() const { return in_flight_ && unsent_; }
  std::span<const StreamId> streams() const { return {requested_.data(), requested_.size()}; }

  // Makes one request of those waiting streams for which `is_drained(StreamId)`, at most `most` of them.
  // False: none is, or one is in flight already or not told of.
  template <class IsDrained>
  bool start(Tsn last_assigned_tsn, std::size_t most, IsDrained&& is_drained);
  // The same bytes at each try, since the peer tells requests apart by their number.
  void write(ByteWriter& out, ReconfigSeq peer_request_expected) const;
  void mark_sent() {
    unsent_ = false;
    was_sent_ = true;
  }
  // The timer ran out, with everything up to `cumulative_ack` at the peer. True when that counts as an error of the
  // association: "in progress" was not the last answer.
  bool on_timeout(Tsn cumulative_ack);

  enum class Outcome : std::uint8_t { Ignored, InProgress, Performed, Refused };
  // After Performed or Refused, streams() still names the streams, until pop_done() has told of each.
  Outcome on_response(const ReconfigResponse& response);
  void finish(bool performed);
  // The next of the streams whose reset is answered. No request starts before all are told: that takes no memory.
  struct Done {
    StreamId stream;
    bool performed;
  };
  bool has_done() const { return untold_ != 0; }
  std::optional<Done> pop_done();

 private:
  Vec<StreamId> waiting_;    // ascending
  Vec<StreamId> requested_;  // ascending; of the request in flight, or the one answered last
  std::size_t untold_ = 0;   // so many of them, from the end, when it is answered
  Tsn last_assigned_tsn_;
  ReconfigSeq next_request_;
  bool in_flight_ = false;
  bool unsent_ = false;
  bool was_sent_ = false;  // under next_request_ - 1
  bool in_progress_ = false;
  bool performed_ = false;  // what the last answer was
};

class IncomingReset {
 public:
  IncomingReset(const Memory& memory, Tsn peer_initial_tsn);

  struct Verdict {
    std::optional<ReconfigResult> result;  // none: no memory, and as if the request had not come
    bool perform = false;                  // reset the streams of the request now
  };
  Verdict on_request(const OutgoingResetRequest& request, Tsn cumulative_tsn, std::uint16_t inbound_streams);
  // A request that we do not grant whatever it asks.
  ReconfigResult refuse(ReconfigSeq request, ReconfigResult result);

  // While a request is put off: DATA above its last TSN on its streams belongs to the time after the reset.
  bool is_put_off() const { return put_off_; }
  Tsn last_tsn() const { return last_tsn_; }
  bool names(StreamId stream) const;
  std::span<const StreamId> streams() const { return {streams_.data(), streams_.size()}; }  // empty: all
  // The cumulative TSN has reached last_tsn(): the reset is performed now. The answer that the peer still
  // waits for.
  ReconfigResponse complete();

  ReconfigSeq expected() const { return expected_; }

 private:
  std::optional<ReconfigResult> answer_without_work(ReconfigSeq request);
  ReconfigResult remember(ReconfigSeq request, ReconfigResult result);
  bool is_same_as_put_off(const OutgoingResetRequest& request) const;

  ReconfigSeq expected_;
  FixedVec<ReconfigResponse, 2> answered_;  // what the last chunk with requests was told
  Vec<StreamId> streams_;                   // of the request put off
  Tsn last_tsn_;
  ReconfigSeq put_off_request_;
  bool put_off_ = false;
  bool completed_ = false;  // it was put off, is done, and the peer may not know
};

template <class IsDrained>
bool OutgoingReset::start(Tsn last_assigned_tsn, std::size_t most, IsDrained&& is_drained) {
  if (in_flight_ || has_done()) return false;
  requested_.clear();
  std::size_t kept = 0, i = 0;
  for (; i < waiting_.size() && requested_.size() < most; ++i) {
    if (!is_drained(waiting_[i]))
      waiting_[kept++] = waiting_[i];
    else if (!requested_.push_back(waiting_[i]))
      break;
  }
  waiting_.erase(kept, i - kept);
  if (requested_.empty()) return false;
  last_assigned_tsn_ = last_assigned_tsn;
  ++next_request_;  // the request's own number is the one before
  in_flight_ = unsent_ = true;
  was_sent_ = in_progress_ = false;
  return true;
}

}  // namespace pollrtc::sctp
