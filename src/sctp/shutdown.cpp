// The end of an association: SHUTDOWN and its three-way close (RFC 9260 §9.2), ABORT (§9.1).
#include "base/log.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

void Association::shutdown(Time now) {
  using enum AssociationState;
  switch (state_) {
    case Closed:
    case CookieWait:
      return end(Close::Local, "closed before it was set up");
    case CookieEchoed:
      return abort(now, "closed before it was set up");
    case Established:
      break;
    default:
      return;  // under way already (§9.2: a second one is ignored)
  }
  ended_by_us_ = true;
  become(ShutdownPending, "shutdown");
  tcb_->tx.start_shutdown(now);
  timers_.set(Timer::ShutdownGuard, now + 5 * config_.parameters.rto_max);
  shutdown_progress(now);
}

void Association::abort(Time, std::string_view reason) {
  abort_with(CauseCode::UserInitiatedAbort, as_bytes(reason), Close::Local, reason);
}

// The ABORT is the next packet: nothing else matters any more. `cause` None: an ABORT without one.
void Association::abort_with(CauseCode cause, Bytes value, Close reason, std::string_view detail) {
  if (ended_) return;
  constexpr std::size_t kMostText = 256;
  if (tcb_ && state_ >= AssociationState::CookieEchoed) {
    replies_.clear();
    replies_.add(peer_tag(), true, [&](ByteWriter& out) {
      if (cause == CauseCode::None) return write_chunk(out, ChunkType::Abort);
      write_cause(out, ChunkType::Abort, 0, cause, value.first(std::min(value.size(), kMostText)));
    });
  }
  end(reason, detail, cause);
}

// SHUTDOWN or SHUTDOWN ACK may go once everything we had to send is acknowledged.
void Association::shutdown_progress(Time now) {
  using enum AssociationState;
  if (state_ != ShutdownPending && state_ != ShutdownReceived) return;
  static_cast<void>(tcb_->queue.current(now));  // what has expired there need not be waited for
  if (!tcb_->queue.empty() || !tcb_->tx.all_acknowledged()) return;
  if (state_ == ShutdownPending) {
    become(ShutdownSent, "all data is acknowledged");
    owed_.shutdown = true;
  } else {
    become(ShutdownAckSent, "all data is acknowledged");
    owed_.shutdown_ack = true;
  }
  t2_retransmissions_ = 0;
  timers_.stop(Timer::Heartbeat);  // §8.3: none once SHUTDOWN or SHUTDOWN ACK went out
  timers_.stop(Timer::HeartbeatAck);
  timers_.stop(Timer::Reconfig);
  path_mtu_.stop();
  owed_.heartbeat = owed_.measurement = false;
  start_t2(now);
}

void Association::start_t2(Time now) { timers_.set(Timer::T2, now + rto()); }

void Association::on_t2(Time now) {
  if (++t2_retransmissions_ > config_.parameters.association_max_retrans) {
    end(Close::SctpUnreachable, "the peer does not answer the shutdown");
    return;
  }
  (state_ == AssociationState::ShutdownSent ? owed_.shutdown : owed_.shutdown_ack) = true;
  tcb_->tx.rto().back_off();
  start_t2(now);
}

Association::Handled Association::on_shutdown(Time now, const ChunkView& chunk) {
  using enum AssociationState;
  const auto cumulative = parse_shutdown(chunk);
  if (!cumulative) return {Drop::SctpChunkMalformed};
  switch (state_) {
    case Closed:
    case CookieWait:
    case CookieEchoed:
      return {Drop::SctpState};
    case ShutdownSent:  // both ends began: §9.2
      become(ShutdownAckSent, "SHUTDOWN of both ends");
      owed_.shutdown = false;
      owed_.shutdown_ack = true;
      start_t2(now);
      return {};
    case ShutdownAckSent:
      owed_.shutdown_ack = true;
      return {};
    default:
      break;
  }
  // It acknowledges like a SACK without a window (§3.3.8).
  switch (tcb_->tx.on_shutdown(now, *cumulative)) {
    case SackResult::Violation:
      return violation(CauseCode::ProtocolViolation, as_bytes("SHUTDOWN of a TSN never sent"),
                       "SHUTDOWN acknowledges a TSN never sent");
    case SackResult::Progress:
      on_data_progress(now);
      break;
    case SackResult::Old:
    case SackResult::Nothing:
      break;
  }
  if (state_ != ShutdownReceived) {
    become(ShutdownReceived, "SHUTDOWN");
    tcb_->tx.start_shutdown(now);
    timers_.set(Timer::ShutdownGuard, now + 5 * config_.parameters.rto_max);
  }
  shutdown_progress(now);
  return {};
}

Association::Handled Association::on_shutdown_ack(Time now, const Packet& packet) {
  using enum AssociationState;
  if (state_ == CookieWait || state_ == CookieEchoed) {  // §8.5.1 (E): out of the blue
    return {on_out_of_the_blue(now, packet), true};
  }
  if (state_ != ShutdownSent && state_ != ShutdownAckSent) return {Drop::SctpState};
  replies_.clear();
  replies_.add(peer_tag(), true, [](ByteWriter& out) { write_chunk(out, ChunkType::ShutdownComplete); });
  end(ended_by_us_ ? Close::Local : Close::Remote, "shutdown complete");
  return {Drop::None, true};
}

Association::Handled Association::on_shutdown_complete(const Packet& packet, const ChunkView& chunk) {
  if (packet.chunks.size() > padded4(chunk.whole.size())) return {Drop::SctpBundling, true};
  if (!is_right_tag(packet, chunk)) return {Drop::SctpTag, true};
  if (state_ != AssociationState::ShutdownAckSent) return {Drop::SctpState, true};
  replies_.clear();
  end(ended_by_us_ ? Close::Local : Close::Remote, "shutdown complete");
  return {Drop::None, true};
}

// RFC 9260 §8.5.1 (B), (C): our own tag without the T bit, or the peer's with it.
bool Association::is_right_tag(const Packet& packet, const ChunkView& chunk) const {
  const bool is_reflected = (chunk.flags & kTagReflected) != 0;
  return is_reflected ? tcb_ && packet.tag == peer_tag() : packet.tag == local_tag_;
}

Association::Handled Association::on_abort(const Packet& packet, const ChunkView& chunk) {
  if (!is_right_tag(packet, chunk)) return {Drop::SctpTag, true};
  const auto first = parse_causes(chunk.value);
  if (!first) return {Drop::SctpChunkMalformed, true};
  POLLRTC_LOG(env_, Info, "sctp", "ABORT from the peer: {} {}", name_of(first->cause), first->text.view());
  replies_.clear();
  const std::string_view text = first->text.empty() ? name_of(first->cause) : first->text.view();
  end(Close::RemoteAbort, text, first->cause);
  return {Drop::None, true};
}

}  // namespace pollrtc::sctp
