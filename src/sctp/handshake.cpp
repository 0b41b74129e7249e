// Setting up an association: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK (RFC 9260 §5). Both ends of a WebRTC connection send
// INIT, so the cases of §5.2 are the normal ones here: read §5.2.1, §5.2.2 and §5.2.4 first.
#include "base/log.h"
#include "base/random.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

namespace {

// RFC 9260 §5.3.1: any number but 0.
std::optional<std::uint32_t> random_tag(const Rng& rng) {
  for (int tries = 0; tries < 8; ++tries) {
    const auto number = random_u32(rng);
    if (!number || *number != 0) return number;
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t Association::a_rwnd_to_announce() const {
  return std::max(env_.limits.sctp_rx_window, InitChunk::kSmallestWindow);
}

bool Association::make_identity() {
  const auto tag = random_tag(env_.rng), tsn = random_u32(env_.rng);
  if (!tag || !tsn) return false;
  local_tag_ = VerificationTag{*tag};
  local_initial_tsn_ = Tsn(config_.initial_tsn.value_or(*tsn));
  ties_ = {};
  return true;
}

bool Association::make_secret() {
  if (secret_) return true;
  CookieSecret secret;
  if (!fill_random(env_.rng, secret)) return false;
  secret_ = secret;
  return true;
}

Drop Association::on_init(Time now, const ChunkView& chunk) {
  const auto init = parse_init(chunk);
  if (!init || init->initiate_tag == VerificationTag{}) return Drop::SctpChunkMalformed;
  if (ended_) return Drop::Ended;
  if (state_ == AssociationState::ShutdownAckSent) {  // RFC 9260 §9.2
    owed_.shutdown_ack = true;
    return Drop::SctpState;
  }
  const auto refuse = [&](CauseCode cause) {
    replies_.add(init->initiate_tag, true,
                 [&](ByteWriter& out) { write_cause(out, ChunkType::Abort, 0, cause, {}); });
    return Drop::SctpChunkMalformed;
  };
  if (!init->has_valid_values()) return refuse(CauseCode::InvalidMandatoryParameter);
  const auto parameters = parse_init_parameters(init->parameters);
  if (!parameters) return Drop::SctpChunkMalformed;
  if (parameters->host_name) return refuse(CauseCode::UnresolvableAddress);
  return answer_init(now, *init, *parameters);
}

// Nothing is remembered: all of it goes into the cookie (RFC 9260 §5.1.3).
Drop Association::answer_init(Time now, const InitChunk& init, const InitParameters& parameters) {
  if (!make_secret()) return Drop::NoRandomness;
  InitChunk answer;
  answer.initiate_tag = local_tag_;
  answer.initial_tsn = local_initial_tsn_;
  const bool is_setting_up =
      state_ == AssociationState::CookieWait || state_ == AssociationState::CookieEchoed;
  if (!is_setting_up) {  // §5.2.1 wants our own INIT's numbers while we set up; else §5.2.2 new ones
    const auto tag = random_tag(env_.rng), tsn = random_u32(env_.rng);
    if (!tag || !tsn) return Drop::NoRandomness;
    answer.initiate_tag = VerificationTag{*tag};
    answer.initial_tsn = Tsn(config_.initial_tsn.value_or(*tsn));
  }
  const std::uint16_t streams = env_.limits.sctp_streams;
  answer.a_rwnd = a_rwnd_to_announce();
  answer.outbound_streams = std::min(streams, init.inbound_streams);
  answer.inbound_streams = streams;

  StateCookie cookie;
  cookie.created = now;
  cookie.local_tag = answer.initiate_tag;
  cookie.peer_tag = init.initiate_tag;
  cookie.ties = ties_;  // zero until COOKIE-ECHOED
  cookie.local_initial_tsn = answer.initial_tsn;
  cookie.peer_initial_tsn = init.initial_tsn;
  cookie.peer_a_rwnd = init.a_rwnd;
  cookie.outbound_streams = answer.outbound_streams;
  cookie.inbound_streams = std::min(streams, init.outbound_streams);
  cookie.local_port = config_.local_port;
  cookie.remote_port = config_.remote_port;
  cookie.peer_capabilities = parameters.capabilities;
  const auto sealed = seal_cookie(cookie, *secret_);
  if (!sealed) return Drop::OutOfMemory;

  const std::size_t room = config_.mtu - kCommonHeader;
  const bool waits = replies_.add(init.initiate_tag, true, [&](ByteWriter& out) {
    ChunkWriter chunk = begin_init(out, ChunkType::InitAck, answer);
    write_tlv(out, code_of(ParameterType::StateCookie), *sealed);
    write_capabilities(out, config_.announce_zero_checksum, config_.interleaving);
    for (const Bytes& unknown : parameters.unrecognized) {
      // §12.4: what does not fit is left out.
      if (padded4(out.size()) + kTlvHeader + unknown.size() > room) break;
      out.pad_to_4();
      write_tlv_unpadded(out, code_of(ParameterType::UnrecognizedParameter), unknown);
    }
    chunk.finish();
  });
  return waits ? Drop::None : Drop::SctpReplyLost;
}

Association::Handled Association::on_init_ack(Time now, const Packet& packet, const ChunkView& chunk) {
  if (packet.chunks.size() > padded4(chunk.whole.size())) return {Drop::SctpBundling, true};
  if (state_ != AssociationState::CookieWait) return {Drop::SctpState, true};
  const auto init = parse_init(chunk);
  if (!init) return {Drop::SctpChunkMalformed, true};
  // RFC 9260 §3.3.3: an INIT ACK with values nobody may send ends the attempt.
  if (init->initiate_tag == VerificationTag{} || !init->has_valid_values()) {
    return refuse_init_ack(*init, CauseCode::InvalidMandatoryParameter, {}, "INIT ACK with invalid values");
  }
  const auto parameters = parse_init_parameters(init->parameters);
  if (!parameters) return {Drop::SctpChunkMalformed, true};
  if (parameters->host_name) {
    return refuse_init_ack(*init, CauseCode::UnresolvableAddress, {}, "INIT ACK with a host name");
  }
  if (!parameters->cookie || parameters->cookie->empty()) {
    // §3.3.10.2: | number of missing parameters:32 | type:16 |
    std::array<std::uint8_t, 6> missing{0, 0, 0, 1, 0, 0};
    store_u16(missing.data() + 4, code_of(ParameterType::StateCookie));
    return refuse_init_ack(*init, CauseCode::MissingMandatoryParameter, missing, "INIT ACK without a cookie");
  }
  if (!fits_packet(*parameters->cookie)) {
    return refuse_init_ack(*init, CauseCode::OutOfResource, {}, "the peer's cookie does not fit a packet");
  }
  const auto local_tie = random_tag(env_.rng), peer_tie = random_tag(env_.rng);
  if (!local_tie || !peer_tie) return {Drop::NoRandomness, true};
  const std::uint16_t streams = env_.limits.sctp_streams;
  Agreement agreed{.peer_tag = init->initiate_tag,
                   .local_initial_tsn = local_initial_tsn_,
                   .peer_initial_tsn = init->initial_tsn,
                   .peer_a_rwnd = init->a_rwnd,
                   .outbound_streams = std::min(streams, init->inbound_streams),
                   .inbound_streams = std::min(streams, init->outbound_streams),
                   .peer_capabilities = parameters->capabilities};
  if (parameters->peer_refused_forward_tsn) agreed.peer_capabilities.partial_reliability = false;
  if (!peer_cookie_.assign(*parameters->cookie) || !make_tcb(agreed)) return {Drop::OutOfMemory, true};
  ties_ = {*local_tie, *peer_tie};
  become(AssociationState::CookieEchoed, "INIT ACK");
  owed_.init = false;
  owed_.cookie_echo = true;
  init_sent_ = 0;
  t1_.reset();
  timers_.set(Timer::T1, now + t1_.current());
  for (const Bytes& unknown : parameters->unrecognized)
    reply_error(CauseCode::UnrecognizedParameters, unknown);
  return {Drop::None, true};
}

Association::Handled Association::refuse_init_ack(const InitChunk& init, CauseCode cause, Bytes value,
                                                  std::string_view detail) {
  // Without a tag of the peer's, the tag of its packet, which is ours, goes back with the T bit (SCTP-INIT-09).
  const bool reflect = init.initiate_tag == VerificationTag{};
  replies_.add(reflect ? local_tag_ : init.initiate_tag, true, [&](ByteWriter& out) {
    write_cause(out, ChunkType::Abort, reflect ? kTagReflected : std::uint8_t{0}, cause, value);
  });
  end(Close::SctpSetupFailed, detail, cause);
  return {Drop::SctpChunkMalformed, true};
}

bool Association::make_tcb(Agreement agreed) {
  agreed.peer_capabilities = agreed.peer_capabilities.agreed(config_.interleaving);
  Owned<Tcb> fresh = Owned<Tcb>::make(env_.memory, env_, config_, agreed);
  if (!fresh) return false;
  if (initial_rtt_) fresh->tx.rto().set_initial_rtt(*initial_rtt_);
  fresh->tx.set_mtu(path_mtu_.size());  // a restart does not change the path
  fresh->tx.cut_for(path_mtu_.size_to_cut_for());
  tcb_ = std::move(fresh);
  return true;
}

// Takes over what the cookie says. Capabilities and streams are what both offer, whatever it says (SCTP-CKI-02).
bool Association::adopt(Time now, const StateCookie& cookie) {
  const std::uint16_t streams = env_.limits.sctp_streams;
  const Agreement agreed{.peer_tag = cookie.peer_tag,
                         .local_initial_tsn = cookie.local_initial_tsn,
                         .peer_initial_tsn = cookie.peer_initial_tsn,
                         .peer_a_rwnd = cookie.peer_a_rwnd,
                         .outbound_streams = std::min(streams, cookie.outbound_streams),
                         .inbound_streams = std::min(streams, cookie.inbound_streams),
                         .peer_capabilities = cookie.peer_capabilities};
  const auto local_tie = random_tag(env_.rng), peer_tie = random_tag(env_.rng);
  if (!local_tie || !peer_tie || !make_tcb(agreed)) return false;
  ties_ = {*local_tie, *peer_tie};
  local_tag_ = cookie.local_tag;
  local_initial_tsn_ = cookie.local_initial_tsn;
  establish(now, "COOKIE ECHO");
  return true;
}

void Association::establish(Time now, std::string_view reason) {
  become(AssociationState::Established, reason);
  timers_.stop(Timer::T1);
  owed_.init = owed_.cookie_echo = false;
  peer_cookie_.clear();
  clear_errors();
  heartbeat_nonce_ = 0;
  timers_.stop(Timer::HeartbeatAck);
  schedule_heartbeat(now);
  path_mtu_.start(now);
  use_path_mtu();
}

void Association::announce_connected() {
  connected_event_ = Connected{tcb_->outbound_streams, tcb_->inbound_streams};
}

Association::Handled Association::on_cookie_echo(Time now, const Packet& packet, const ChunkView& chunk) {
  const auto cookie = secret_ ? open_cookie(chunk.value, *secret_) : std::nullopt;
  // RFC 9260 §5.1.5 steps 1 to 3.
  if (!cookie || cookie->local_tag != packet.tag || cookie->local_port != packet.destination_port ||
      cookie->remote_port != packet.source_port) {
    return {Drop::SctpCookie, true};
  }
  if (ended_) return {Drop::Ended, true};
  const bool is_this_one =
      has_association() && cookie->local_tag == local_tag_ && tcb_ && cookie->peer_tag == peer_tag();
  // §5.2.4 step 3: one that speaks of the association we have is valid however old. A clock that stepped back makes
  // a cookie young, not stale.
  const Duration age = now > cookie->created ? now - cookie->created : Duration::zero();
  if (age > config_.parameters.valid_cookie_life && !is_this_one) {
    const auto staleness = (age - config_.parameters.valid_cookie_life).count();
    std::array<std::uint8_t, 4> value;
    store_u32(value.data(), static_cast<std::uint32_t>(std::min<Duration::rep>(staleness, 0xFFFFFFFF)));
    replies_.add(cookie->peer_tag, false, [&](ByteWriter& out) {
      write_cause(out, ChunkType::Error, 0, CauseCode::StaleCookie, value);
    });
    return {Drop::SctpCookie, true};
  }
  if (has_association()) return on_cookie_with_tcb(now, *cookie);
  if (!adopt(now, *cookie)) return {Drop::OutOfMemory, true};
  owed_.cookie_ack = true;
  announce_connected();
  return {};
}

// RFC 9260 §5.2.4 table 12.
Association::Handled Association::on_cookie_with_tcb(Time now, const StateCookie& cookie) {
  const bool is_setting_up =
      state_ == AssociationState::CookieWait || state_ == AssociationState::CookieEchoed;
  const VerificationTag known_peer = state_ == AssociationState::CookieWait ? VerificationTag{} : peer_tag();
  switch (cookie_case(cookie, {local_tag_, known_peer, ties_})) {
    case CookieCase::Late:
    case CookieCase::Unlisted:
      return {Drop::SctpCookie, true};
    case CookieCase::Restart:
      return on_restart(now, cookie);
    case CookieCase::Collision:
      if (is_setting_up) {
        if (!adopt(now, cookie)) return {Drop::OutOfMemory, true};
        announce_connected();
      } else {
        tcb_->peer_tag = cookie.peer_tag;
      }
      break;
    case CookieCase::Duplicate:
      if (!is_setting_up) break;
      establish(now, "COOKIE ECHO of both ends");
      announce_connected();
      break;
  }
  owed_.cookie_ack = true;
  return {};
}

// Case A: the peer lost its state. All of ours goes too, queued messages included (SCTP-CKI-05).
Association::Handled Association::on_restart(Time now, const StateCookie& cookie) {
  if (state_ == AssociationState::ShutdownAckSent) {
    owed_.shutdown_ack = true;
    reply_error(CauseCode::CookieReceivedWhileShuttingDown, {});
    return {Drop::SctpState, true};
  }
  if (!may_answer_stranger(now)) return {Drop::SctpCookie, true};  // a storm of restarts (ATK-13)
  if (!adopt(now, cookie)) return {Drop::OutOfMemory, true};
  POLLRTC_LOG(env_, Info, "sctp", "the peer restarted");
  timers_.stop(Timer::T2);
  timers_.stop(Timer::ShutdownGuard);
  timers_.stop(Timer::Reconfig);
  timers_.stop(Timer::Release);
  replies_.clear();
  owed_ = {};
  owed_.cookie_ack = true;
  ended_by_us_ = false;
  all_streams_reset_event_ = false;
  streams_reset_events_.clear();
  probe_nonce_ = measurement_nonce_ = 0;
  data_timeouts_ = 0;
  restarted_event_ = true;
  return {};
}

Association::Handled Association::on_cookie_ack(Time now) {
  if (state_ != AssociationState::CookieEchoed) return {Drop::SctpState};
  establish(now, "COOKIE ACK");
  announce_connected();
  return {};
}

// RFC 9260 §5.2.6: one more try with a new cookie (SCTP-CKI-13).
void Association::on_stale_cookie(Time now) {
  if (std::exchange(stale_cookie_retried_, true)) {
    end(Close::SctpSetupFailed, "the cookie was stale twice", CauseCode::StaleCookie);
    return;
  }
  become(AssociationState::CookieWait, "stale cookie");
  ties_ = {};
  tcb_.reset();
  owed_ = {};
  owed_.init = true;
  init_sent_ = 0;
  t1_.reset();
  timers_.set(Timer::T1, now + t1_.current());
}

bool Association::fits_packet(Bytes cookie) const {
  return kCommonHeader + kTlvHeader + padded4(cookie.size()) <= path_mtu_.size();
}

// RFC 9260 §5.1.6, §6.3.3: the same INIT or COOKIE ECHO again, and the double wait. What is still owed has not left since: as with
// count_error(), nobody can have answered it. Unless it never will, on a path that came since and takes less.
void Association::on_t1(Time now) {
  bool& owed = state_ == AssociationState::CookieWait ? owed_.init : owed_.cookie_echo;
  const bool is_waiting = owed && (state_ == AssociationState::CookieWait || fits_packet(peer_cookie_));
  if (!is_waiting && ++init_sent_ > config_.parameters.max_init_retransmits) {
    end(Close::SctpSetupFailed, "the peer does not answer");
    return;
  }
  owed = true;
  t1_.grow();
  timers_.set(Timer::T1, now + t1_.current());
}

}  // namespace pollrtc::sctp
