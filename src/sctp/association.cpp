#include "sctp/association.h"

#include "base/log.h"
#include "base/random.h"
#include "sctp/chunk_control.h"
#include "sctp/state_table.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

namespace {

constexpr std::uint32_t kLargestMtu = 65528;

AssociationConfig sane(AssociationConfig config) {
  config.mtu = std::clamp(config.mtu, PathMtu::kSmallest, kLargestMtu) & ~std::uint32_t{3};
  return config;
}

template <std::size_t N>
FixedString<N> cut(std::string_view text) {
  return *FixedString<N>::from(text.substr(0, N));
}

}  // namespace

std::string_view name_of(AssociationState state) {
  switch (state) {
    case AssociationState::Closed:
      return "CLOSED";
    case AssociationState::CookieWait:
      return "COOKIE-WAIT";
    case AssociationState::CookieEchoed:
      return "COOKIE-ECHOED";
    case AssociationState::Established:
      return "ESTABLISHED";
    case AssociationState::ShutdownPending:
      return "SHUTDOWN-PENDING";
    case AssociationState::ShutdownSent:
      return "SHUTDOWN-SENT";
    case AssociationState::ShutdownReceived:
      return "SHUTDOWN-RECEIVED";
    case AssociationState::ShutdownAckSent:
      return "SHUTDOWN-ACK-SENT";
  }
  return "?";
}

Association::Association(const Environment& env, const AssociationConfig& config)
    : env_(env),
      config_(sane(config)),
      path_mtu_({config_.mtu, config_.max_ip, config_.below}),
      replies_(env.memory, config_.mtu - kCommonHeader),
      peer_cookie_(env.memory),
      t1_(config_.parameters.t1_initial, config_.parameters.max_back_off),
      reconfig_backoff_(config_.parameters.rto_initial, config_.parameters.max_back_off),
      streams_reset_events_(env.memory) {}

Association::~Association() = default;

void Association::become(AssociationState next, std::string_view reason) {
  if (next == state_) return;
  POLLRTC_ASSERT(is_edge(state_, next));
  POLLRTC_LOG(env_, Info, "sctp", "{} -> {}: {}", name_of(state_), name_of(next), reason);
  state_ = next;
}

// The TCB stays until the object goes: messages that were received whole can still be taken.
void Association::end(Close reason, std::string_view detail, CauseCode cause) {
  if (ended_) return;
  ended_ = true;
  become(AssociationState::Closed, detail);
  timers_.stop_all();
  path_mtu_.stop();
  owed_ = {};
  ended_event_ = Ended{reason, cut<128>(detail), code_of(cause)};
}

VerificationTag Association::peer_tag() const { return tcb_ ? tcb_->peer_tag : VerificationTag{}; }

Duration Association::rto() const { return tcb_ ? tcb_->tx.rto().current() : t1_.current(); }

bool Association::is_transferring() const { return tcb_ && state_ >= AssociationState::Established; }

Status Association::connect(Time now) {
  if (ended_) return fail(ErrorCode::InvalidState, "the association has ended");
  if (has_association()) return {};
  if (!make_identity()) return fail(ErrorCode::NoRandomness, "no random numbers for the verification tag");
  become(AssociationState::CookieWait, "connect");
  owed_.init = true;
  init_sent_ = 0;
  t1_.reset();
  timers_.set(Timer::T1, now + t1_.current());
  return {};
}

void Association::set_initial_rtt(Duration rtt) {
  initial_rtt_ = rtt;
  // RFC 9260 §6.3.1 C2 for a first sample: SRTT + 4 RTTVAR = 3 R.
  t1_.reset(std::clamp(rtt * 3, config_.parameters.rto_min, config_.parameters.rto_max));
  if (tcb_) tcb_->tx.rto().set_initial_rtt(rtt);
}

void Association::on_path_change(Time now, const PathSizes& sizes) {
  path_mtu_.set_path(sizes);
  probe_nonce_ = measurement_nonce_ = 0;
  owed_.measurement = false;
  data_timeouts_ = 0;
  if (!tcb_ || ended_) return;
  if (heartbeats_run()) path_mtu_.start(now);
  use_path_mtu();  // before: the initial window counts in packets of the new path
  tcb_->tx.on_path_change(now);
}

std::size_t Association::largest_message(const Limits& limits) {
  return limits.sctp_tx_buffer - std::min<std::size_t>(limits.sctp_tx_buffer, TxQueue::kMessageOverhead);
}

Status Association::send(Time now, const SendOptions& options, Bytes message) {
  if (state_ != AssociationState::Established) return fail(ErrorCode::InvalidState, "not connected");
  if (options.stream >= tcb_->outbound_streams) {
    return fail(ErrorCode::InvalidArgument, "the stream is above what was agreed");
  }
  if (message.size() > largest_message(env_.limits)) {
    return fail(ErrorCode::TooLarge, "the message is larger than the send buffer");
  }
  return tcb_->queue.push(now, options, message);
}

Status Association::send_piece(Time now, const SendOptions& options, Bytes piece, bool last) {
  if (state_ != AssociationState::Established) return fail(ErrorCode::InvalidState, "not connected");
  if (options.stream >= tcb_->outbound_streams) {
    return fail(ErrorCode::InvalidArgument, "the stream is above what was agreed");
  }
  if (options.max_retransmits || options.lifetime || options.discard_priority)
    return fail(ErrorCode::InvalidArgument, "a message in pieces is sent reliably");
  // Who begins a message must be able to say that it will not end.
  if (!last && !peer_supports_partial_reliability())
    return fail(ErrorCode::NotSupported, "the peer could not be told that a message was given up");
  if (piece.size() > largest_message(env_.limits))
    return fail(ErrorCode::TooLarge, "the piece is larger than the send buffer");
  return tcb_->queue.push_piece(now, options, piece, last);
}

void Association::abandon_piece(Time now, std::uint16_t stream) {
  if (!is_transferring()) return;
  tcb_->tx.abandon_open(now, StreamId{stream});
}

Status Association::receive_in_pieces(std::uint16_t stream, bool on) {
  if (!tcb_ || ended_) return fail(ErrorCode::InvalidState, "not connected");
  if (stream >= tcb_->inbound_streams) {
    return fail(ErrorCode::InvalidArgument, "the stream is above what was agreed");
  }
  return tcb_->rx.reassembly().receive_in_pieces(StreamId{stream}, on);
}

bool Association::receive(Message& out) { return tcb_ && tcb_->rx.receive(out); }

void Association::release(std::size_t charge) {
  if (tcb_) tcb_->rx.release(charge);
}

void Association::set_buffer_low_threshold(std::uint16_t stream, std::size_t bytes) {
  if (tcb_) tcb_->queue.set_low_threshold(StreamId{stream}, bytes);
}

std::size_t Association::buffered_amount(std::uint16_t stream) const {
  return tcb_ ? tcb_->queue.buffered_amount(StreamId{stream}) : 0;
}

std::size_t Association::buffered_total() const { return tcb_ ? tcb_->queue.buffered_total() : 0; }

void Association::set_stream_priority(std::uint16_t stream, std::uint16_t weight) {
  if (tcb_) tcb_->queue.set_weight(StreamId{stream}, weight);
}

void Association::forget_stream(std::uint16_t stream) {
  if (tcb_) tcb_->queue.forget(StreamId{stream});
}

bool Association::peer_supports_partial_reliability() const {
  return tcb_ && tcb_->peer_capabilities.partial_reliability;
}

bool Association::is_interleaving() const { return tcb_ && tcb_->peer_capabilities.interleaving; }

bool Association::peer_supports_reset() const { return tcb_ && tcb_->peer_capabilities.reconfig; }

AssociationStats Association::stats() const {
  AssociationStats stats = stats_;
  stats.rto = rto();
  stats.mtu = path_mtu_.size();
  if (!tcb_) return stats;
  stats.retransmissions = tcb_->tx.retransmissions();
  stats.data_chunks_out = tcb_->tx.chunks_sent();
  stats.cwnd = static_cast<std::uint32_t>(tcb_->tx.cwnd());
  stats.ssthresh = static_cast<std::uint32_t>(std::min<std::size_t>(tcb_->tx.ssthresh(), 0xFFFFFFFF));
  stats.peer_rwnd = tcb_->tx.peer_rwnd();
  stats.outstanding_bytes = tcb_->tx.flight_bytes();
  stats.srtt = tcb_->tx.rto().srtt();
  return stats;
}

Time Association::next_timeout() const {
  const Time next = timers_.next();
  if (!is_transferring()) return next;
  return std::min({next, tcb_->tx.next_timeout(), tcb_->rx.next_timeout(), path_mtu_.next_timeout()});
}

void Association::handle_timeout(Time now) {
  while (const auto timer = timers_.pop_expired(now)) on_timer(now, *timer);
  if (!is_transferring()) return;
  if (tcb_->tx.handle_timeout(now) == T3Result::Expired) {
    on_data_timeout(now);
    count_error(now, "T3-rtx expired");
  }
  if (!is_transferring()) return;
  if (now >= path_mtu_.next_timeout()) {
    probe_nonce_ = 0;  // the answer would come too late
    path_mtu_.handle_timeout(now);
    use_path_mtu();
  }
  tcb_->rx.handle_timeout(now);
  shutdown_progress(now);  // giving up a message can leave nothing outstanding
}

void Association::on_timer(Time now, Timer timer) {
  switch (timer) {
    case Timer::T1:
      return on_t1(now);
    case Timer::T2:
      return on_t2(now);
    case Timer::ShutdownGuard:
      return abort_with(CauseCode::None, {}, Close::SctpUnreachable, "the shutdown took too long");
    case Timer::Heartbeat:
    case Timer::HeartbeatAck:
      return on_heartbeat_timer(now, timer);
    case Timer::Reconfig:
      return on_reconfig_timer(now);
    case Timer::Release:
      return release_deferred(now);
    case Timer::Count_:
      return;
  }
}

bool Association::has_news() const {
  if (connected_event_ || restarted_event_ || all_streams_reset_event_ || !streams_reset_events_.empty() ||
      path_mtu_event_ || ended_event_)
    return true;
  return tcb_ && (tcb_->rx.has_news() || tcb_->queue.has_low() || tcb_->outgoing_reset.has_done() ||
                  tcb_->queue.messages().outcomes().has_told());
}

bool Association::poll_event(Event& event) {
  if (connected_event_) {
    event = *std::exchange(connected_event_, std::nullopt);
  } else if (std::exchange(restarted_event_, false)) {
    event = Restarted{};
  } else if (std::exchange(all_streams_reset_event_, false)) {
    event = StreamsReset{0, true};
  } else if (const auto reset = streams_reset_events_.pop()) {
    event = StreamsReset{value_of(*reset), false};
  } else if (const auto done = tcb_ ? tcb_->outgoing_reset.pop_done() : std::nullopt) {
    event = ResetDone{value_of(done->stream), done->performed};
  } else if (const auto stream = tcb_ ? tcb_->rx.pop_too_large() : std::nullopt) {
    event = MessageTooLarge{value_of(*stream)};
  } else if (const auto low = tcb_ ? tcb_->queue.pop_low() : std::nullopt) {
    event = BufferLow{value_of(*low)};
  } else if (path_mtu_event_) {
    event = *std::exchange(path_mtu_event_, std::nullopt);
  } else if (ended_event_) {
    event = *std::exchange(ended_event_, std::nullopt);
  } else {
    return false;
  }
  return true;
}

bool Association::poll_report(MessageReport& report) {
  const auto told = tcb_ ? tcb_->queue.messages().outcomes().pop() : std::nullopt;
  if (told) report = {told->id, told->outcome};
  return told.has_value();
}

void Association::rest() {
  replies_.rest();
  if (!tcb_) return;
  tcb_->rx.reassembly().rest();
  tcb_->queue.messages().rest();
  tcb_->tx.rest();
}

bool Association::may_answer_stranger(Time now) {
  if (now - strangers_since_ >= std::chrono::seconds(1) || now < strangers_since_) {
    strangers_since_ = now;
    strangers_answered_ = 0;
  }
  if (strangers_answered_ >= env_.limits.sctp_ootb_replies_per_second) return false;
  ++strangers_answered_;
  return true;
}

void Association::reply_error(CauseCode cause, Bytes value) {
  if (!tcb_) return;
  // SCTP-PKT-08: what is echoed is cut to what fits the packet.
  const std::size_t room = replies_.room();
  constexpr std::size_t kHeaders = 2 * kTlvHeader;
  if (room <= kHeaders) return;
  const Bytes fitting = value.first(std::min(value.size(), (room - kHeaders) & ~std::size_t{3}));
  replies_.add(tcb_->peer_tag, false,
               [&](ByteWriter& out) { write_cause(out, ChunkType::Error, 0, cause, fitting); });
}

// The peer broke the protocol in a way that RFC 9260 answers with an ABORT.
Association::Handled Association::violation(CauseCode cause, Bytes value, std::string_view detail) {
  abort_with(cause, value, Close::ProtocolViolation, detail);
  return {Drop::SctpChunkMalformed, true};
}

}  // namespace pollrtc::sctp
