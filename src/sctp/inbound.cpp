// From a packet to the handlers of its chunks: ports, verification tag (RFC 9260 §8.5), packets out of the blue (§8.4),
// unknown chunks (§3.2), and which chunk counts in which state (§4, §6).
#include <utility>

#include "base/log.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

namespace {

bool has_chunk(Bytes chunks, ChunkType type) {
  ChunkWalker walker(chunks);
  ChunkView chunk;
  while (walker.next(chunk) == Walk::Item) {
    if (chunk.type == code_of(type)) return true;
  }
  return false;
}

bool has_stale_cookie_error(Bytes chunks) {
  ChunkWalker walker(chunks);
  ChunkView chunk;
  while (walker.next(chunk) == Walk::Item) {
    if (chunk.type == code_of(ChunkType::Error) && has_cause(chunk.value, CauseCode::StaleCookie))
      return true;
  }
  return false;
}

bool is_alone(Bytes chunks, const ChunkView& first) { return chunks.size() <= padded4(first.whole.size()); }

}  // namespace

Drop Association::handle_packet(Time now, Bytes bytes) {
  ++stats_.packets_in;
  const auto parsed = parse_packet(bytes, config_.announce_zero_checksum);
  if (!parsed) return drops_.count(parsed.error());
  // RFC 8261 §6.1: one association for a DTLS connection, so one pair of ports. Port 0 is nobody's.
  if (parsed->source_port != config_.remote_port || parsed->destination_port != config_.local_port ||
      parsed->source_port == 0 || parsed->destination_port == 0) {
    return drops_.count(Drop::SctpPort);
  }
  // RFC 9260 §3.3.7: a packet with an ABORT is never answered.
  replies_.begin_packet(has_chunk(parsed->chunks, ChunkType::Abort));
  const Drop drop = dispatch(now, *parsed);
  replies_.end_packet();
  return drop;
}

// The tag is checked before any chunk has any effect (SCTP-TAG-05).
Drop Association::dispatch(Time now, const Packet& packet) {
  ChunkView first;
  if (ChunkWalker(packet.chunks).next(first) != Walk::Item) return drops_.count(Drop::SctpTruncated);
  const auto type = static_cast<ChunkType>(first.type);
  if (packet.tag == VerificationTag{}) {
    // RFC 9260 §8.5.1 (A): a tag of 0 is legal only on a packet holding INIT alone.
    if (type != ChunkType::Init) return drops_.count(Drop::SctpTag);
    if (!is_alone(packet.chunks, first)) return drops_.count(Drop::SctpBundling);
    return drops_.count(on_init(now, first));
  }
  if (type == ChunkType::Init) return drops_.count(Drop::SctpTag);
  // RFC 9260 §8.5.1 (D): the tag of a COOKIE ECHO is compared with its cookie's.
  if (type == ChunkType::CookieEcho) return walk(now, packet);
  if (!has_association()) return drops_.count(on_out_of_the_blue(now, packet));
  const bool is_setting_up =
      state_ == AssociationState::CookieWait || state_ == AssociationState::CookieEchoed;
  if (type == ChunkType::ShutdownAck && is_setting_up) return drops_.count(on_out_of_the_blue(now, packet));
  if (packet.tag == local_tag_) return walk(now, packet);
  const bool is_reflectable = type == ChunkType::Abort || type == ChunkType::ShutdownComplete;
  if (is_reflectable && (first.flags & kTagReflected) != 0 && tcb_ && packet.tag == peer_tag())
    return walk(now, packet);
  return drops_.count(Drop::SctpTag);
}

Drop Association::walk(Time now, const Packet& packet) {
  packet_had_data_ = false;
  t2_retransmissions_ = 0;  // RFC 9260 §9.2: any packet from the peer gives it time
  Drop first_drop = Drop::None;
  bool used = false, had_sack = false;
  ChunkWalker walker(packet.chunks);
  ChunkView chunk;
  Walk step;
  while ((step = walker.next(chunk)) == Walk::Item) {
    ++stats_.chunks_in;
    // RFC 9260 §6.2: nobody sends two SACKs in a packet. Many that acknowledge and take back by turns would cost a walk over all
    // that is in flight each.
    const bool is_another_sack =
        static_cast<ChunkType>(chunk.type) == ChunkType::Sack && std::exchange(had_sack, true);
    const Handled handled = is_another_sack ? Handled{Drop::SctpBundling} : on_chunk(now, packet, chunk);
    drops_.count(handled.drop);
    if (handled.drop == Drop::None) used = true;
    if (first_drop == Drop::None) first_drop = handled.drop;
    if (handled.stop || ended_) break;
  }
  // RFC 9260 §6.10: of a chunk cut off nothing counts; what came before it does.
  if (step == Walk::BadLength) {
    drops_.count(Drop::SctpTruncated);
    if (first_drop == Drop::None) first_drop = Drop::SctpTruncated;
  }
  if (!ended_) end_of_packet(now);
  return used ? Drop::None : first_drop;
}

Association::Handled Association::on_chunk(Time now, const Packet& packet, const ChunkView& chunk) {
  switch (static_cast<ChunkType>(chunk.type)) {
    case ChunkType::Init:
      return {Drop::SctpBundling, true};  // RFC 9260 §12.3: not alone, or its tag is not 0
    case ChunkType::InitAck:
      return on_init_ack(now, packet, chunk);
    case ChunkType::CookieEcho:
      return on_cookie_echo(now, packet, chunk);
    case ChunkType::CookieAck:
      return on_cookie_ack(now);
    case ChunkType::Abort:
      return on_abort(packet, chunk);
    case ChunkType::Shutdown:
      return on_shutdown(now, chunk);
    case ChunkType::ShutdownAck:
      return on_shutdown_ack(now, packet);
    case ChunkType::ShutdownComplete:
      return on_shutdown_complete(packet, chunk);
    case ChunkType::Error:
      return on_error_chunk(now, chunk);
    case ChunkType::Pad:
      return {};
    case ChunkType::Heartbeat:
      return on_heartbeat(chunk);
    case ChunkType::HeartbeatAck:
      return on_heartbeat_ack(now, chunk);
    case ChunkType::Data:
    case ChunkType::IData:
    case ChunkType::Sack:
    case ChunkType::ForwardTsn:
    case ChunkType::IForwardTsn:
    case ChunkType::ReConfig:
      return on_transfer_chunk(now, chunk);
  }
  return on_unknown(chunk);
}

// RFC 9260 §6: DATA counts in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-SENT, SACK in ESTABLISHED, SHUTDOWN-PENDING
// and SHUTDOWN-RECEIVED; FORWARD TSN goes with DATA. RE-CONFIG counts wherever either does: messages may wait behind a
// reset, and a shutdown sends them first.
Association::Handled Association::on_transfer_chunk(Time now, const ChunkView& chunk) {
  using enum AssociationState;
  const bool both = state_ == Established || state_ == ShutdownPending;
  const bool may_receive = both || state_ == ShutdownSent, may_be_acked = both || state_ == ShutdownReceived;
  switch (static_cast<ChunkType>(chunk.type)) {
    case ChunkType::Data:
    case ChunkType::IData:
      return may_receive ? on_data(chunk) : Handled{Drop::SctpState};
    case ChunkType::ForwardTsn:
    case ChunkType::IForwardTsn:
      return may_receive ? on_forward_tsn(chunk) : Handled{Drop::SctpState};
    case ChunkType::ReConfig:
      return may_receive || may_be_acked ? on_reconfig(now, chunk) : Handled{Drop::SctpState};
    default:
      return may_be_acked ? on_sack(now, chunk) : Handled{Drop::SctpState};
  }
}

Association::Handled Association::on_unknown(const ChunkView& chunk) {
  const UnknownRule rule = unknown_chunk_rule(chunk.type);
  if (rule.report) reply_error(CauseCode::UnrecognizedChunkType, chunk.whole);
  return {Drop::SctpUnknownChunk, !rule.skip};
}

Association::Handled Association::on_data(const ChunkView& chunk) {
  ++stats_.data_chunks_in;
  // RFC 8260 §2.2.3: an association speaks DATA or I-DATA, never both.
  const bool is_idata = chunk.type == code_of(ChunkType::IData);
  if (is_idata != is_interleaving()) {
    return violation(CauseCode::ProtocolViolation, as_bytes("DATA and I-DATA"),
                     is_idata ? "I-DATA was not agreed on" : "DATA where I-DATA was agreed on");
  }
  const auto data = is_idata ? parse_idata(chunk) : parse_data(chunk);
  if (!data) return {Drop::SctpChunkMalformed};
  return on_user_data(*data);
}

Association::Handled Association::on_user_data(const DataChunk& data) {
  packet_had_data_ = true;
  std::array<std::uint8_t, 4> value{};
  switch (tcb_->rx.on_data(data)) {
    case RxData::Outcome::Accepted:
      return {};
    case RxData::Outcome::Duplicate:
      return {Drop::SctpDuplicate};
    case RxData::Outcome::Refused:
      return {Drop::SctpWindow};
    case RxData::Outcome::InvalidStream:  // RFC 9260 §3.3.10.1: | stream:16 | reserved:16 |
      store_u16(value.data(), value_of(data.stream));
      reply_error(CauseCode::InvalidStreamIdentifier, value);
      return {Drop::SctpStream};
    case RxData::Outcome::NoUserData:
      store_u32(value.data(), data.tsn.value());
      return violation(CauseCode::NoUserData, value, "DATA without user data");
    case RxData::Outcome::Violation:
      break;
  }
  return violation(CauseCode::ProtocolViolation, as_bytes("fragments contradict"),
                   "DATA fragments contradict");
}

Association::Handled Association::on_sack(Time now, const ChunkView& chunk) {
  const auto sack = parse_sack(chunk);
  if (!sack) return {Drop::SctpChunkMalformed};
  switch (tcb_->tx.on_sack(now, *sack)) {
    case SackResult::Old:
      return {Drop::SctpOldSack};
    case SackResult::Nothing:
      break;
    case SackResult::Progress:
      on_data_progress(now);
      break;
    case SackResult::Violation:
      return violation(CauseCode::ProtocolViolation, as_bytes("SACK of a TSN never sent"),
                       "SACK acknowledges a TSN never sent");
  }
  shutdown_progress(now);
  return {};
}

Association::Handled Association::on_forward_tsn(const ChunkView& chunk) {
  // RFC 8260 §2.3.1: each has its own kind of DATA, and I-FORWARD-TSN must have been agreed on.
  const bool is_i_forward = chunk.type == code_of(ChunkType::IForwardTsn);
  const bool is_agreed = tcb_->peer_capabilities.partial_reliability;
  if (is_i_forward != is_interleaving() || (is_i_forward && !is_agreed)) {
    return violation(CauseCode::ProtocolViolation, as_bytes("FORWARD TSN and I-FORWARD-TSN"),
                     is_i_forward ? "I-FORWARD-TSN was not agreed on" : "FORWARD TSN with I-DATA");
  }
  // RFC 3758 §3.3.1: not negotiated is not supported.
  if (!is_agreed) return on_unknown(chunk);
  Drop drop = Drop::None;
  if (is_i_forward) {
    const auto forward = parse_i_forward_tsn(chunk);
    if (!forward) return {Drop::SctpChunkMalformed};
    drop = tcb_->rx.on_i_forward_tsn(*forward);
  } else {
    const auto forward = parse_forward_tsn(chunk);
    if (!forward) return {Drop::SctpChunkMalformed};
    drop = tcb_->rx.on_forward_tsn(*forward);
  }
  packet_had_data_ = true;
  return {drop};
}

// RFC 9260 §3.3.10: an ERROR ends nothing by itself. Two causes have an effect.
Association::Handled Association::on_error_chunk(Time now, const ChunkView& chunk) {
  const auto first = parse_causes(chunk.value);
  if (!first) return {Drop::SctpChunkMalformed};
  POLLRTC_LOG(env_, Info, "sctp", "the peer reports an error: {} ({})", name_of(first->cause),
              code_of(first->cause));
  if (state_ == AssociationState::CookieEchoed && has_cause(chunk.value, CauseCode::StaleCookie))
    on_stale_cookie(now);
  TlvWalker causes(chunk.value);
  TlvView cause;
  while (tcb_ && causes.next(cause) == Walk::Item) {
    if (cause.type != code_of(CauseCode::UnrecognizedParameters)) continue;
    // RFC 3758 §3.3.2: the peer does not know Forward-TSN-Supported, so it gets no FORWARD TSN.
    const auto refused = parse_init_parameters(cause.value);
    if (!refused || !refused->capabilities.partial_reliability || is_interleaving()) continue;
    tcb_->peer_capabilities.partial_reliability = false;
    tcb_->queue.set_partial_reliability(false);
  }
  return {};
}

// RFC 9260 §8.4, in its order: the first rule that fits decides. INIT and a leading COOKIE ECHO are not here.
Drop Association::on_out_of_the_blue(Time now, const Packet& packet) {
  if (has_chunk(packet.chunks, ChunkType::Abort)) return Drop::SctpOutOfTheBlue;
  const bool is_shutdown_ack = has_chunk(packet.chunks, ChunkType::ShutdownAck);
  if (!is_shutdown_ack &&
      (has_chunk(packet.chunks, ChunkType::ShutdownComplete) ||
       has_chunk(packet.chunks, ChunkType::CookieAck) || has_stale_cookie_error(packet.chunks))) {
    return Drop::SctpOutOfTheBlue;
  }
  if (!may_answer_stranger(now)) return Drop::SctpOutOfTheBlue;
  const ChunkType answer = is_shutdown_ack ? ChunkType::ShutdownComplete : ChunkType::Abort;
  replies_.add(packet.tag, true, [&](ByteWriter& out) { write_chunk(out, answer, kTagReflected); });
  return Drop::SctpOutOfTheBlue;
}

void Association::end_of_packet(Time now) {
  if (!is_transferring()) return;
  if (packet_had_data_)
    tcb_->rx.end_of_packet(now, tcb_->tx.rto().shortest().value_or(RxWindow::kUnknownRoundTrip));
  finish_deferred_reset(now);
  tcb_->rx.reassembly().drop_before_reset();  // once, however many resets the packet held
  // RFC 9260 §9.2: each packet with DATA is answered by SHUTDOWN at once, and by a SACK if there are gaps; duplicates draw one anyway.
  if (state_ == AssociationState::ShutdownSent && packet_had_data_) {
    owed_.shutdown = true;
    if (tcb_->rx.tracker().has_gaps()) tcb_->rx.tracker().request_sack();
    start_t2(now);
  }
}

}  // namespace pollrtc::sctp
