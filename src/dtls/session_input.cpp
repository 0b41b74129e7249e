// What comes in: every datagram is cut into records, and every record has to show that it has a place in the
// state we are in before Mbed TLS sees it. Read first: RFC 6347 §4.1.2.7 (invalid records), §4.2.8 (a new
// association on an old one).
#include "base/log.h"
#include "dtls/session.h"
#include "dtls/tls_context.h"

namespace pollrtc::dtls {
namespace {

constexpr std::uint8_t kFatal = 2;  // RFC 5246 §7.2

// RFC 9147 §4.1: a first byte of 001xxxxx is the short header of DTLS 1.3, whose length we cannot know.
bool is_dtls13_header(std::uint8_t first_byte) { return first_byte >> 5 == 1; }

// RFC 5246 §7.4: the handshake messages that a peer in the other role may send in clear. One that it may not
// would only make the context fail.
bool may_receive(Role role, std::uint8_t msg_type) {
  constexpr std::uint32_t kToServer = 1u << 1 | 1u << 11 | 1u << 15 | 1u << 16;
  constexpr std::uint32_t kToClient = 1u << 2 | 1u << 3 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14;
  return msg_type < 32 && ((role == Role::Server ? kToServer : kToClient) >> msg_type & 1) != 0;
}

// What can be told of a record without its state. RFC 6347 §4.1.2.7: what is invalid is dropped, and nothing
// else happens.
Drop screen(const Record& record) {
  if (record.type < 20 || record.type > 23)
    return Drop::DtlsUnexpected;  // 24 heartbeat, 25 connection id, 26 ACK
  // A ClientHello comes with DTLS 1.0's number (RFC 6347 §4.2.1), all else with 1.2's.
  if (record.version != 0xfefd && record.version != 0xfeff) return Drop::DtlsMalformed;
  if (record.fragment.empty()) return Drop::DtlsEmpty;
  if (record.whole.size() > kMaxRecord) return Drop::DtlsMalformed;
  if (record.epoch > 1) return Drop::DtlsUnexpected;  // there is no renegotiation
  if (record.epoch == 0 && record.is(ContentType::ApplicationData)) return Drop::DtlsUnexpected;
  return Drop::None;
}

}  // namespace

Drop Session::handle_packet(Time now, Bytes datagram) {
  now_ = now;
  if (has_ended()) return drops_.count(Drop::Ended);
  if (datagram.empty()) return drops_.count(Drop::Empty);
  if (state_ == SessionState::New) return early_.push(datagram) ? Drop::None : drops_.count(Drop::DtlsEarly);
  const bool must_wait =
      state_ == SessionState::Connected && !is_resting() && (tls_->readable() != 0 || !unread_.empty());
  if (must_wait) return unread_.push(datagram) ? Drop::None : drops_.count(Drop::DtlsLimit);
  return process(now, datagram);
}

// Drop::None when at least one record was used. Every other one is counted.
Drop Session::process(Time now, Bytes datagram) {
  Drop first_drop = Drop::None;
  bool used = false;
  const auto note = [&](Drop drop) {
    if (drop == Drop::None) used = true;
    if (first_drop == Drop::None) first_drop = drop;
    drops_.count(drop);
  };
  for (Bytes rest = datagram; !rest.empty() && !has_ended();) {
    // RFC 6347 §4.1.1: several records may share a datagram. Mbed TLS holds the content of one at a time.
    if (handshake_over_ && !is_resting() && tls_->readable() != 0) {
      note(unread_.push(rest) ? Drop::None : Drop::DtlsLimit);
      break;
    }
    Record record;
    if (is_dtls13_header(rest[0])) {
      note(Drop::DtlsUnexpected);
      break;
    }
    if (!take_record(rest, record)) {
      note(Drop::DtlsMalformed);
      break;
    }
    note(on_record(now, record));
  }
  return used ? Drop::None : first_drop;
}

Drop Session::on_record(Time now, const Record& record) {
  if (const Drop drop = screen(record); drop != Drop::None) return drop;
  if (handshake_over_) return on_established_record(now, record);
  if (!tls_) return Drop::DtlsUnexpected;  // a client between two tries
  const Drop drop = on_handshaking_record(now, record);
  if (tls_ && !handshake_over_) use_early_records(now);
  return drop;
}

Drop Session::on_handshaking_record(Time now, const Record& record) {
  const bool awaits_hello = role_ == Role::Server && !hello_taken_;
  if (record.epoch == 1) return awaits_hello ? Drop::DtlsUnexpected : on_early_record(now, record);
  if (record.is(ContentType::Alert)) {
    // DEVIATION RFC 5246 §7.2: a fatal alert would end the session. Nobody has signed this one, so it is a hint at most:
    // see handle_timeout().
    if (record.fragment.size() == 2 && record.fragment[0] == kFatal) {
      POLLRTC_LOG(env_, Debug, "dtls", "unauthenticated fatal alert {}", record.fragment[1]);
      peer_gave_up_ = true;
    }
    return Drop::DtlsUnexpected;
  }
  if (record.is(ContentType::Handshake)) return on_handshake_messages(now, record);
  if (awaits_hello) return Drop::DtlsUnexpected;
  if (record.fragment.size() != 1 || record.fragment[0] != 1) return Drop::DtlsMalformed;
  advance(now, record.whole);  // ChangeCipherSpec
  return Drop::None;
}

Drop Session::on_handshake_messages(Time now, const Record& record) {
  HandshakeFragment fragment, first;
  for (Bytes rest = record.fragment; !rest.empty();) {
    if (!take_fragment(rest, fragment)) return Drop::DtlsFragment;
    if (fragment.length > env_.limits.dtls_handshake_buffer) return Drop::DtlsLimit;
    if (!may_receive(role_, fragment.msg_type)) return Drop::DtlsUnexpected;
    // A ClientHello is a flight of its own.
    const bool is_alone = first.msg_type == 0 && rest.empty();
    if (fragment.msg_type == kClientHello && !is_alone) return Drop::DtlsUnexpected;
    if (first.msg_type == 0) first = fragment;
  }
  if (first.msg_type == kClientHello) return on_client_hello(now, record, first);
  if (role_ == Role::Server && !hello_taken_) return Drop::DtlsUnexpected;
  advance(now, record.whole);
  return Drop::None;
}

Drop Session::on_client_hello(Time now, const Record& record, const HandshakeFragment& fragment) {
  constexpr std::size_t kRandomAt = kRecordHeaderSize + kHandshakeHeaderSize + 2;  // behind client_version
  Bytes message;
  if (const Drop drop = reassembly_.add(record, fragment, message); message.empty()) return drop;
  if (message.size() < kRandomAt + hello_random_.size()) return Drop::DtlsMalformed;
  const Bytes random = message.subspan(kRandomAt, hello_random_.size());
  if (hello_taken_ && !equal(random, hello_random_)) {
    // Another client's, or the same one's new try. It may not disturb a handshake that moves; one that has
    // not moved for as long as a retransmission takes was likely begun by a forged ClientHello.
    if (now < progress_at_ + initial_timeout_) return Drop::DtlsUnexpected;
    if (begin_try(now) != TlsResult::Again) {
      end(SessionState::Failed, Close::OutOfMemory);
      return Drop::OutOfMemory;
    }
  }
  std::copy(random.begin(), random.end(), hello_random_.begin());
  hello_taken_ = true;
  advance(now, message);
  return Drop::None;
}

// A record of epoch 1 waits until the handshake has come to that epoch and can tell whether it is forged: Mbed TLS would
// take a bad MAC in the place of a Finished as the end of the handshake. Application data waits for the verdict as well.
Drop Session::on_early_record(Time now, const Record& record) {
  const TlsResult result = tls_->check(record.whole, scratch_);
  if (result == TlsResult::Failed) return Drop::DtlsRejected;
  if (result == TlsResult::Done && !record.is(ContentType::ApplicationData)) {
    advance(now, record.whole);
    return Drop::None;
  }
  if (record.is(ContentType::ApplicationData)) hasten_last_flight(now);
  return early_.push(record.whole) ? Drop::None : Drop::DtlsEarly;
}

// Data under the new keys while a client waits for the server's last flight: the server has ended the handshake, and it is that
// flight that was lost. Only our repeating ours brings it again (RFC 6347 §4.2.4), and after a few losses our timer may leave
// that for many seconds. But the record may be forged: such hints may come twice as far apart each time, and what the timer
// does without them it does with them.
void Session::hasten_last_flight(Time now) {
  if (role_ != Role::Client || !tls_->awaits_last_flight()) return;
  if (peer_gave_up_ || now >= tls_->retransmission_due()) return;
  if (now < tls_->flight_at() + initial_timeout_ || now < hastened_at_ + hint_wait_.current()) return;
  hastened_at_ = now;
  hint_wait_.grow();
  tls_->send_flight_once_more(now);
}

void Session::use_early_records(Time now) {
  for (std::size_t waiting = early_.size(); waiting != 0 && !early_.empty(); --waiting) {
    const Buffer held = early_.take_front();
    Bytes rest = held;
    Record record;
    if (take_record(rest, record)) drops_.count(on_early_record(now, record));
    if (handshake_over_ || has_ended() || !tls_)
      return;  // verify() has moved the others on, or they are void
  }
}

Drop Session::on_established_record(Time now, const Record& record) {
  // DEVIATION RFC 6347 §4.2.8: it would let a ClientHello begin a new association here; ours begin with an offer and an
  // answer only (RFC 8842 §3.1). Of a repeated last flight the Finished, in epoch 1, is what makes us repeat
  // ours.
  if (record.epoch == 0) return Drop::DtlsUnexpected;
  if (!wake()) return Drop::OutOfMemory;
  const bool is_data = record.is(ContentType::ApplicationData);
  if (is_data && state_ != SessionState::Connected)
    return early_.push(record.whole) ? Drop::None : Drop::DtlsEarly;
  if (!is_data && tls_->check(record.whole, scratch_) != TlsResult::Done) return Drop::DtlsRejected;
  switch (tls_->open(now, record.whole)) {
    case TlsResult::Done:
      return Drop::None;
    case TlsResult::Again:
      if (!is_data) return Drop::None;
      return record.whole.size() == overhead_ ? Drop::DtlsEmpty : Drop::DtlsRejected;
    case TlsResult::PeerClosed:
      tls_->send_close_notify();
      end(SessionState::Closed, Close::Remote);
      return Drop::None;
    case TlsResult::PeerAlert:
      end(SessionState::Failed, Close::RemoteAbort);
      return Drop::None;
    case TlsResult::NoRandomness:
    case TlsResult::Failed:
      end(SessionState::Failed, Close::ProtocolViolation);
      return Drop::None;
  }
  return Drop::None;
}

std::size_t Session::receive(MutBytes out) {
  while (state_ == SessionState::Connected && !is_resting()) {
    if (const std::size_t size = tls_->readable(); size != 0) {
      if (size <= out.size()) return tls_->read(out);
      drops_.count(Drop::DtlsLimit);
      std::array<std::uint8_t, 256> discarded;
      while (tls_->readable() != 0 && tls_->read(discarded) != 0) {
      }
      continue;
    }
    if (unread_.empty()) return 0;
    const Buffer datagram = unread_.take_front();
    process(now_, datagram);
  }
  return 0;
}

}  // namespace pollrtc::dtls
