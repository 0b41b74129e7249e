// The life of a session: start, tries of the handshake, the verdict on the peer, sending, the end.
#include "dtls/session.h"

#include <cstdlib>

#include "base/log.h"
#include "crypto/digest.h"
#include "dtls/tls_context.h"

namespace pollrtc::dtls {
namespace {

constexpr std::size_t kOutboxDatagrams = 32;
constexpr std::size_t kUnreadDatagrams = 64;
constexpr std::size_t kMaxFingerprints = 16;
constexpr Duration kMinInitialTimeout = std::chrono::milliseconds(50);
constexpr Duration kMaxInitialTimeout = std::chrono::seconds(60);
constexpr Duration kMaxRetryWait = std::chrono::seconds(2);
// RFC 6347 §4.1: the 48-bit record number must not wrap. No association lives that long; this one would end
// before.
constexpr std::uint64_t kMaxRecords = (std::uint64_t{1} << 48) - (std::uint64_t{1} << 20);

std::string_view name_of(SessionState state) {
  switch (state) {
    case SessionState::New:
      return "new";
    case SessionState::Handshaking:
      return "handshaking";
    case SessionState::Connected:
      return "connected";
    case SessionState::Closed:
      return "closed";
    case SessionState::Failed:
      return "failed";
  }
  return "?";
}

}  // namespace

Session::Session(Environment& env, const Certificate& certificate, const SessionConfig& config)
    : env_(env),
      certificate_(certificate),
      config_(config),
      outbox_(env.memory, kOutboxDatagrams, env.limits.dtls_handshake_buffer),
      early_(env.memory, env.limits.dtls_pre_verified, env.limits.dtls_handshake_buffer),
      unread_(env.memory, kUnreadDatagrams, env.limits.dtls_handshake_buffer),
      reassembly_(env.memory, env.limits.dtls_handshake_buffer),
      scratch_(env.memory),
      resting_(env.memory),
      remote_fingerprints_(env.memory) {}

Session::~Session() { forget_resting(); }

// --- the handshake
// ---------------------------------------------------------------------------------------------------

Status Session::start(Time now, Role role, Duration initial_timeout) {
  if (state_ != SessionState::New)
    return fail(ErrorCode::InvalidState, "the session has been started before");
  now_ = now;
  role_ = role;
  initial_timeout_ = std::clamp(initial_timeout, kMinInitialTimeout, kMaxInitialTimeout);
  if (begin_try(now) != TlsResult::Again)  // it draws no random number yet
    return fail(ErrorCode::OutOfMemory, "no DTLS context could be set up");
  state_ = SessionState::Handshaking;
  retry_wait_ = Backoff(initial_timeout_, kMaxRetryWait);
  deadline_ = now + env_.limits.dtls_handshake_timeout;
  POLLRTC_LOG(env_, Debug, "dtls", "handshake begins as {}", role == Role::Client ? "client" : "server");
  if (role == Role::Client) advance(now, {});
  for (std::size_t waiting = early_.size(); waiting != 0 && !early_.empty(); --waiting) {
    const Buffer datagram = early_.take_front();
    process(now, datagram);
  }
  return {};
}

// A fresh context: one whose handshake failed is never used again.
TlsResult Session::begin_try(Time now) {
  tls_.reset();
  hello_taken_ = false;
  peer_gave_up_ = false;
  retry_at_ = kNever;
  progress_at_ = now;
  hint_wait_ = Backoff(initial_timeout_, kMaxInitialTimeout);
  auto tls = Owned<TlsContext>::make(env_.memory, env_, outbox_);
  if (!tls) return TlsResult::Failed;
  const TlsResult result = tls->set_up(role_, certificate_, initial_timeout_, config_.handshake_mtu);
  if (result == TlsResult::Again) tls_ = std::move(tls);
  return result;
}

// Gives the context one record, or with none the chance to send again what its timer says.
void Session::advance(Time now, Bytes record) {
  const int before = tls_->progress();
  const std::size_t owed = outbox_.size();
  const TlsResult result = tls_->handshake(now, record);
  if (tls_->progress() != before) {
    progress_at_ = now;
    peer_gave_up_ = false;
  }
  switch (result) {
    case TlsResult::Done:
      return on_handshake_over(now);
    case TlsResult::Again:
      return;
    case TlsResult::NoRandomness:
      return end(SessionState::Failed, Close::NoRandomness);
    case TlsResult::Failed:
      // RFC 5246 §7.2.2: Mbed TLS tells the peer of the peer's errors. Of its own, a lack of memory, it says nothing, and a
      // client that waits for our Finished would wait until its handshake has taken too long.
      if (!tls_->had_no_answer() && outbox_.size() == owed)
        tls_->send_fatal_alert(MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR);
      return restart(now);
    case TlsResult::PeerClosed:
    case TlsResult::PeerAlert:
      return restart(now);
  }
}

// Until the peer's Finished nothing is authenticated, so no failure before it is the peer's for certain:
// anyone who can send to our port can cause one. It ends this try, not the session; the deadline ends that.
void Session::restart(Time now) {
  ++failed_tries_;
  was_spoilt_ |= !tls_->had_no_answer();
  POLLRTC_LOG(env_, Info, "dtls", "try {} of the handshake failed: Mbed TLS {}{:#x}", failed_tries_,
              tls_->last_error() < 0 ? "-" : "", std::abs(tls_->last_error()));
  tls_.reset();
  early_.clear();
  if (role_ == Role::Client) {
    retry_at_ = now + retry_wait_.current();
    retry_wait_.grow();
    return;
  }
  if (begin_try(now) != TlsResult::Again) end(SessionState::Failed, Close::OutOfMemory);
}

void Session::on_handshake_over(Time now) {
  handshake_over_ = true;
  reassembly_.clear();
  overhead_ = tls_->record_expansion();
  cipher_suite_ = tls_->cipher_suite();
  peer_fingerprint_ = tls_->peer_certificate().sha256;
  POLLRTC_LOG(env_, Debug, "dtls", "handshake over, {}", cipher_suite_);
  verify(now);
}

// RFC 8122 §6.2, RFC 8842 §5.1: the certificate must be one that the SDP announced, and a peer without one is
// nobody. Finished has come by now, so it is the true holder of the key who is judged, and the alert is
// sealed.
void Session::verify(Time now) {
  if (!handshake_over_ || state_ != SessionState::Handshaking || remote_fingerprints_.empty()) return;
  const auto& presented = tls_->peer_certificate().of(remote_fingerprints_[0].hash);
  const Fingerprint* match = remote_fingerprints_.end();
  if (presented) match = std::find(remote_fingerprints_.begin(), remote_fingerprints_.end(), *presented);
  if (match == remote_fingerprints_.end()) {
    POLLRTC_LOG(env_, Warning, "dtls", "the peer's certificate is {}",
                presented ? "not the announced one" : "missing");
    tls_->send_fatal_alert(MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return end(SessionState::Failed, Close::FingerprintMismatch);
  }
  state_ = SessionState::Connected;
  connected_event_ = true;
  deadline_ = kNever;
  POLLRTC_LOG(env_, Info, "dtls", "connected");
  while (!early_.empty()) {
    if (!unread_.push(early_.take_front())) drops_.count(Drop::DtlsLimit);
  }
  now_ = now;
}

Status Session::set_remote_fingerprints(Time now, std::span<const Fingerprint> fingerprints) {
  if (state_ != SessionState::New && state_ != SessionState::Handshaking)
    return fail(ErrorCode::InvalidState, "the peer has been verified, or the session has ended");
  const auto strongest = std::max_element(fingerprints.begin(), fingerprints.end(),
                                          [](const auto& a, const auto& b) { return a.hash < b.hash; });
  if (strongest == fingerprints.end()) return fail(ErrorCode::InvalidArgument, "no fingerprint");
  // RFC 8122 §5.1: only the hash we prefer counts; a match of a weaker one must not help.
  Vec<Fingerprint> kept(env_.memory);
  for (const Fingerprint& fingerprint : fingerprints) {
    if (fingerprint.hash != strongest->hash) continue;
    if (kept.size() == kMaxFingerprints)
      return fail(ErrorCode::LimitReached, "more than 16 fingerprints of one hash");
    if (!kept.push_back(fingerprint)) return fail(ErrorCode::OutOfMemory, "no memory for a fingerprint");
  }
  remote_fingerprints_ = std::move(kept);
  verify(now);
  return {};
}

// --- timers and events
// -----------------------------------------------------------------------------------------------

void Session::handle_timeout(Time now) {
  now_ = now;
  if (state_ != SessionState::Handshaking) return;
  if (now >= deadline_)
    return end(SessionState::Failed, was_spoilt_ ? Close::DtlsFailed : Close::HandshakeTimeout);
  if (now >= retry_at_) {
    if (begin_try(now) != TlsResult::Again) return end(SessionState::Failed, Close::OutOfMemory);
    return advance(now, {});
  }
  if (!tls_ || now < tls_->retransmission_due()) return;
  // The peer gave up and nothing came since: sending to it again is in vain, it needs a new beginning.
  if (peer_gave_up_) return restart(now);
  POLLRTC_LOG(env_, Debug, "dtls", "flight is sent again");
  outbox_.clear();  // whoever has not polled since the last time gets the flight once, not twice
  advance(now, {});
}

Time Session::next_timeout() const {
  if (state_ != SessionState::Handshaking) return kNever;
  const Time retransmission = tls_ ? tls_->retransmission_due() : kNever;
  return std::min({deadline_, retry_at_, retransmission});
}

bool Session::poll_event(Event& event) {
  if (connected_event_) {
    connected_event_ = false;
    event = Connected{.cipher_suite = cipher_suite_};
    return true;
  }
  if (!ended_event_) return false;
  event = *ended_event_;
  ended_event_.reset();
  return true;
}

std::size_t Session::poll_packet(Time now, MutBytes out) {
  now_ = now;
  if (outbox_.empty() || outbox_.front().size() > out.size()) return 0;
  const Buffer datagram = outbox_.take_front();
  std::memcpy(out.data(), datagram.data(), datagram.size());
  return datagram.size();
}

// --- application data
// ------------------------------------------------------------------------------------------------

Result<std::size_t> Session::send(Time now, Bytes plaintext, MutBytes out) {
  if (state_ != SessionState::Connected) return fail(ErrorCode::InvalidState, "not connected");
  if (plaintext.empty()) return fail(ErrorCode::InvalidArgument, "nothing to send");
  if (plaintext.size() > kMaxPlaintext) return fail(ErrorCode::TooLarge, "larger than a record can be");
  if (out.size() < plaintext.size() + overhead_)
    return fail(ErrorCode::InvalidArgument, "no room for the record");
  if (records_sent_ == kMaxRecords) {
    close(now);
    return fail(ErrorCode::Closed, "the record numbers are used up");
  }
  now_ = now;
  if (!wake()) return fail(ErrorCode::OutOfMemory, "no memory for a DTLS context");
  ++records_sent_;
  const std::size_t size = tls_->seal(now, plaintext, out);
  // Until the peer's first record shows that our last flight arrived, Mbed TLS may still keep to the small
  // datagrams of a flight that was lost often.
  if (size == 0) return fail(ErrorCode::TooLarge, "Mbed TLS does not seal a record of this size now");
  return size;
}

void Session::close(Time now) {
  now_ = now;
  if (has_ended()) return;
  if (handshake_over_ && wake()) tls_->send_close_notify();
  end(SessionState::Closed, Close::Local);
}

void Session::end(SessionState state, Close reason) {
  POLLRTC_LOG(env_, Info, "dtls", "{} -> {}: {}", name_of(state_), name_of(state), pollrtc::name_of(reason));
  state_ = state;
  ended_event_ = Ended{reason};
  deadline_ = retry_at_ = kNever;
  tls_.reset();
  forget_resting();
  early_.clear();
  unread_.clear();
  reassembly_.clear();
}

// --- rest

bool Session::rest(Time now) {
  now_ = now;
  if (is_resting()) return true;
  if (state_ != SessionState::Connected || !unread_.empty()) return false;
  switch (tls_->save(resting_)) {
    case TlsResult::Done:
      break;
    case TlsResult::Again:
      return false;
    default:
      end(SessionState::Failed, Close::OutOfMemory);
      return false;
  }
  tls_.reset();
  early_.release();
  unread_.release();
  if (outbox_.empty()) outbox_.release();
  scratch_ = Buffer(env_.memory);
  remote_fingerprints_ = Vec<Fingerprint>(env_.memory);
  return true;
}

// False: there is no memory for it now, and nothing has changed.
bool Session::wake() {
  if (!is_resting()) return true;
  auto tls = Owned<TlsContext>::make(env_.memory, env_, outbox_);
  if (!tls || tls->load(role_, resting_) != TlsResult::Done) return false;
  tls_ = std::move(tls);
  forget_resting();
  return true;
}

void Session::forget_resting() {
  crypto::wipe(resting_.data(), resting_.size());
  resting_ = Buffer(env_.memory);
}

std::optional<Fingerprint> Session::peer_fingerprint() const { return peer_fingerprint_; }

}  // namespace pollrtc::dtls
