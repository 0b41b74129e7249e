// Resetting streams within an association (RFC 6525 §5): what stream_reset.h keeps in mind is done here.
#include "base/log.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

namespace {
constexpr Duration kMemoryRetry = std::chrono::milliseconds(100);
}  // namespace

Status Association::reset_stream(Time now, std::uint16_t stream) {
  if (state_ != AssociationState::Established) return fail(ErrorCode::InvalidState, "not connected");
  if (stream >= tcb_->outbound_streams) {
    return fail(ErrorCode::InvalidArgument, "the stream is above what was agreed");
  }
  if (!tcb_->peer_capabilities.reconfig)
    return fail(ErrorCode::NotSupported, "the peer cannot reset streams");
  const Status asked = tcb_->outgoing_reset.ask(StreamId{stream});
  if (!asked) return asked;
  tcb_->tx.abandon_open(now, StreamId{stream});  // it would never be drained
  tcb_->queue.pause(StreamId{stream});           // §5.1.2 A1: later messages wait for the answer
  return asked;
}

// One request at a time, for the streams whose messages all have TSNs. Its bytes stay the same when it is sent again.
void Association::write_reset_request(Time now, PacketWriter& packet) {
  using enum AssociationState;
  if (state_ != Established && state_ != ShutdownPending && state_ != ShutdownReceived) return;
  OutgoingReset& reset = tcb_->outgoing_reset;
  if (reset.has_waiting()) {
    // So many that the request still fits a packet when the path turns out to be a narrow one.
    const std::size_t most = (PathMtu::kSmallest - kCommonHeader - kOutgoingResetHeader) / 2;
    const bool started = reset.start(tcb_->tx.last_assigned_tsn(), most,
                                     [this](StreamId stream) { return tcb_->queue.is_drained(stream); });
    if (started) {
      tcb_->tx.on_reset_requested(tcb_->tx.last_assigned_tsn());
      reconfig_backoff_.reset(rto());
    }
  }
  if (!reset.owes_request()) return;
  const ReconfigSeq expected = tcb_->incoming_reset.expected();
  if (!packet.try_write([&](ByteWriter& out) { reset.write(out, expected); })) return;
  reset.mark_sent();
  timers_.set(Timer::Reconfig, now + reconfig_backoff_.current());
}

// §5.1.1: each expiry sends the request again and counts as an error, unless the peer said "in progress" (§5.2.7 H2).
void Association::on_reconfig_timer(Time now) {
  if (!is_transferring() || !tcb_->outgoing_reset.is_in_flight()) return;
  const bool is_error = tcb_->outgoing_reset.on_timeout(tcb_->tx.cumulative_ack());
  if (is_error) {
    reconfig_backoff_.grow();
    // DEVIATION RFC 6525 §5.1.1: not counted while T3 runs. Both timers start alike and share their packets, so each
    // lost one would count twice, and a silence of a minute end what is to survive almost five.
    if (!tcb_->tx.is_t3_running()) count_error(now, "RE-CONFIG is not answered");
  }
  if (!ended_) timers_.set(Timer::Reconfig, now + reconfig_backoff_.current());
}

Association::Handled Association::on_reconfig(Time now, const ChunkView& chunk) {
  const auto parsed = parse_reconfig(chunk);
  if (!parsed) {
    if (parsed.error() == ReconfigFault::Combination) {
      reply_error(CauseCode::ProtocolViolation,
                  as_bytes("RE-CONFIG parameters that must not stand together"));
    }
    return {Drop::SctpReconfig};
  }
  FixedVec<ReconfigResponse, 2> answers;
  const auto answer = [&answers](ReconfigSeq request, ReconfigResult result) {
    static_cast<void>(answers.push_back({request, result}));
  };
  for (const ReconfigParameter& parameter : *parsed) {
    if (const auto* outgoing = std::get_if<OutgoingResetRequest>(&parameter)) {
      // Refused for want of memory, a reset would leave the channel open at one end and the stream used up; lost like a packet,
      // it is asked for again.
      const auto result = answer_request(*outgoing);
      if (!result) return {Drop::OutOfMemory};
      answer(outgoing->request, *result);
    } else if (const auto* incoming = std::get_if<IncomingResetRequest>(&parameter)) {
      const bool covered = tcb_->outgoing_reset.covers(incoming->streams);
      const ReconfigResult result = covered ? ReconfigResult::NothingToDo : ReconfigResult::Denied;
      answer(incoming->request, tcb_->incoming_reset.refuse(incoming->request, result));
    } else if (const auto* other = std::get_if<OtherRequest>(&parameter)) {
      answer(other->request, tcb_->incoming_reset.refuse(other->request, ReconfigResult::Denied));
    } else if (const auto* response = std::get_if<ReconfigResponse>(&parameter)) {
      on_reconfig_response(now, *response);
    }
  }
  if (answers.empty()) return {};
  tcb_->rx.tracker().request_sack();  // §5.2.1
  const bool waits = replies_.add(tcb_->peer_tag, false, [&](ByteWriter& out) {
    write_reconfig_responses(out, {answers.begin(), answers.size()});
  });
  return {waits ? Drop::None : Drop::SctpReplyLost};
}

// §5.2.2: the peer resets streams that it sends on. Nothing: there is no memory for it.
std::optional<ReconfigResult> Association::answer_request(const OutgoingResetRequest& request) {
  IncomingReset& reset = tcb_->incoming_reset;
  // What came behind the one before is not told from what comes behind this one.
  if (tcb_->rx.reassembly().owes_release()) return std::nullopt;
  // Once performed, a reset must not be lost for want of memory to tell of it.
  if (!streams_reset_events_.reserve() || !tcb_->rx.reassembly().reserve_reset()) return std::nullopt;
  const bool was_put_off = reset.is_put_off();
  const auto verdict = reset.on_request(request, tcb_->rx.tracker().cumulative(), tcb_->inbound_streams);
  if (verdict.perform) {
    perform_incoming_reset();
  } else if (reset.is_put_off() && !was_put_off) {
    tcb_->rx.reassembly().defer_above(reset.last_tsn());
  }
  return verdict.result;
}

void Association::perform_incoming_reset() {
  const auto streams = tcb_->incoming_reset.streams();
  POLLRTC_LOG(env_, Debug, "sctp", "the peer reset {} streams (0: all)", streams.size());
  if (streams.empty()) {
    tcb_->rx.reassembly().reset_all_streams();
    streams_reset_events_.clear();
    all_streams_reset_event_ = true;
  }
  for (const StreamId stream : streams) {
    tcb_->rx.reassembly().reset_stream(stream);
    streams_reset_events_.insert(stream);
  }
}

// §5.2.2 E3 to E6: what the peer sent before the reset has come.
void Association::finish_deferred_reset(Time now) {
  IncomingReset& reset = tcb_->incoming_reset;
  if (!reset.is_put_off() || reset.last_tsn() > tcb_->rx.tracker().cumulative()) return;
  perform_incoming_reset();
  tcb_->rx.reassembly().drop_before_reset();
  release_deferred(now);
  const std::array<ReconfigResponse, 1> answer = {reset.complete()};
  replies_.add(tcb_->peer_tag, false, [&](ByteWriter& out) { write_reconfig_responses(out, answer); });
}

void Association::release_deferred(Time now) {
  if (!tcb_->rx.reassembly().release_deferred()) timers_.set(Timer::Release, now + kMemoryRetry);
}

void Association::on_reconfig_response(Time now, const ReconfigResponse& response) {
  OutgoingReset& reset = tcb_->outgoing_reset;
  const OutgoingReset::Outcome outcome = reset.on_response(response);
  if (outcome == OutgoingReset::Outcome::Ignored) {
    drops_.count(Drop::SctpReconfig);
    return;
  }
  clear_errors();
  if (outcome == OutgoingReset::Outcome::InProgress) {
    if (state_ == AssociationState::ShutdownSent) return;  // nothing waits for it, so it is not asked again
    reconfig_backoff_.reset(rto());
    timers_.set(Timer::Reconfig, now + reconfig_backoff_.current());
    return;
  }
  const bool performed = outcome == OutgoingReset::Outcome::Performed;
  POLLRTC_LOG(env_, Debug, "sctp", "our reset of {} streams: result {}", reset.streams().size(),
              static_cast<std::uint32_t>(response.result));
  tcb_->tx.on_reset_answered(performed, reset.streams());
  for (const StreamId stream : reset.streams()) tcb_->queue.resume(stream, performed);
  reset.finish(performed);
  timers_.stop(Timer::Reconfig);
}

}  // namespace pollrtc::sctp
