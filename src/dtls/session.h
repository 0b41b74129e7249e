// dtls::Session: one DTLS 1.2 association with one peer, as an engine (base/engine.h) around Mbed TLS.
//
// What the network can do is decided here, in front of the library: every datagram is cut into records, each
// record is screened, fragments of a ClientHello are put together, and a handshake that an unauthenticated
// record made fail is begun anew. One it can still hold up to the deadline, where the peer sends a message in
// pieces: of two lengths for it Mbed TLS keeps to the one that came first. What the peer proves is decided
// here as well: nothing goes up before the handshake has ended *and* the peer's certificate is one that its
// SDP announced.
//
// Read first: RFC 6347 §4.1, §4.2; RFC 8122 §5, §6.2; RFC 8842 §5; RFC 8827 §6.5.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "base/fixed_vec.h"
#include "base/timers.h"
#include "dtls/certificate.h"
#include "dtls/datagram_queue.h"
#include "dtls/handshake_reassembly.h"
#include "pollrtc/fingerprint.h"
#include "pollrtc/result.h"

namespace pollrtc::dtls {

enum class Role : std::uint8_t { Client, Server };  // a=setup:active, a=setup:passive

// Handshaking includes a handshake that has ended but whose peer is not verified yet.
enum class SessionState : std::uint8_t { New, Handshaking, Connected, Closed, Failed };

struct SessionConfig {
  std::uint16_t handshake_mtu =
      1200;  // the largest handshake datagram; from the third try on they are smaller
};

class TlsContext;  // tls_context.h
enum class TlsResult : std::uint8_t;

class Session {
 public:
  struct Connected {
    std::uint16_t version = 0xfefd;  // DTLS 1.2, always
    std::string_view cipher_suite;   // a literal
  };
  struct Ended {
    Close reason = Close::None;  // nothing goes up any more; an alert may still be owed to the peer
  };
  using Event = std::variant<std::monostate, Connected, Ended>;

  // `env` and `certificate` must outlive the session; one certificate may serve several.
  Session(Environment& env, const Certificate& certificate, const SessionConfig& config = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Begins the handshake, and with it Limits::dtls_handshake_timeout: call it when ICE has a path. Datagrams
  // that came before are used now. `initial_timeout` is the first wait of the retransmission timer (RFC 9147
  // §5.8.2: 1.5 times the round trip that ICE measured, else a second); less than 50 ms counts as 50 ms.
  Status start(Time now, Role role, Duration initial_timeout = std::chrono::seconds(1));
  // The fingerprints that the peer's SDP gives. Of several hashes only the strongest counts (RFC 8122 §5.1).
  // Before this call nothing is Connected, however far the handshake is. Once Connected the set cannot
  // change.
  Status set_remote_fingerprints(Time now, std::span<const Fingerprint> fingerprints);

  Drop handle_packet(Time now, Bytes datagram);
  std::size_t poll_packet(Time now,
                          MutBytes out);  // one datagram a call; `out` of handshake_mtu bytes is enough
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  // The content of the next application record, 0 when there is none: call it until then after each
  // handle_packet(). A record longer than `out` is dropped and counted; 16384 bytes take every one.
  std::size_t receive(MutBytes out);
  // Seals `plaintext` as one record into `out`, which needs overhead() bytes more; gives the record's size. The plaintext may
  // lie in `out` itself.
  Result<std::size_t> send(Time now, Bytes plaintext, MutBytes out);
  // What sealing adds to the plaintext: the record's header, nonce and tag. While the cipher is not known,
  // the most.
  std::size_t overhead() const { return overhead_; }

  // A connection with nothing under way holds on to its keys and counters alone, in less than 2 kB of Environment::memory:
  // the library's context and its two record buffers of 16 KiB go. The next record either way, or close(), brings them back,
  // which costs a key derivation and clearing the buffers: for one that has been silent for a while. False: not now.
  // From the first time on the certificate's key is not needed any more.
  bool rest(Time now);
  bool is_resting() const { return !resting_.empty(); }

  // Owes the peer a close_notify when there is a key to send it under; waits for nothing (RFC 5246 §7.2.1).
  void close(Time now);

  SessionState state() const { return state_; }
  std::string_view cipher_suite() const { return cipher_suite_; }
  // SHA-256 of the peer's certificate, once the handshake has ended; verified or not.
  std::optional<Fingerprint> peer_fingerprint() const;
  using Drops = DropCountersOf<Drop::DtlsMalformed, Drop::DtlsEmpty>;
  const Drops& drops() const { return drops_; }

 private:
  bool has_ended() const { return state_ == SessionState::Closed || state_ == SessionState::Failed; }

  // The handshake: session.cpp.
  TlsResult begin_try(Time now);
  void advance(Time now, Bytes record);
  void restart(Time now);
  void on_handshake_over(Time now);
  void verify(Time now);
  void end(SessionState state, Close reason);
  bool wake();
  void forget_resting();

  // What comes in: session_input.cpp.
  Drop process(Time now, Bytes datagram);
  Drop on_record(Time now, const Record& record);
  Drop on_handshaking_record(Time now, const Record& record);
  Drop on_handshake_messages(Time now, const Record& record);
  Drop on_client_hello(Time now, const Record& record, const HandshakeFragment& fragment);
  Drop on_established_record(Time now, const Record& record);
  void hasten_last_flight(Time now);
  Drop on_early_record(Time now, const Record& record);
  void use_early_records(Time now);

  Environment& env_;
  const Certificate& certificate_;
  SessionConfig config_;
  DatagramQueue outbox_;  // handshake flights and alerts
  DatagramQueue
      early_;  // datagrams before start(), and records of epoch 1 before the handshake has come so far
  DatagramQueue unread_;  // what came behind an application record that receive() has not taken yet
  HandshakeReassembly reassembly_;
  Buffer scratch_;
  Buffer resting_;  // what TlsContext::save() gave, secret; empty: not at rest
  Owned<TlsContext>
      tls_;  // one per try of the handshake; none before start(), while a try waits, at rest, and after the end
  Drops drops_;
  Vec<Fingerprint> remote_fingerprints_;  // none any more at rest
  std::optional<Fingerprint> peer_fingerprint_;
  std::string_view cipher_suite_;

  SessionState state_ = SessionState::New;
  Role role_ = Role::Client;
  std::array<std::uint8_t, 32> hello_random_{};  // server: of the ClientHello in hand
  bool hello_taken_ = false;
  bool handshake_over_ = false;
  bool peer_gave_up_ = false;  // a fatal alert that nobody signed came, and no step of the handshake since
  bool connected_event_ = false;
  std::optional<Ended> ended_event_;

  std::size_t overhead_ = kMaxOverhead;
  std::uint64_t records_sent_ = 0;
  std::uint32_t failed_tries_ = 0;
  bool was_spoilt_ = false;  // one of them by what came, not by silence
  Duration initial_timeout_{};
  Backoff retry_wait_{Duration{}, Duration{}};
  Time deadline_ = kNever;
  Time retry_at_ = kNever;                     // client: when the next try begins
  Time progress_at_{};                         // when the handshake last moved
  Time hastened_at_{};                         // when a flight was last sent beside its timer
  Backoff hint_wait_{Duration{}, Duration{}};  // until that may be again
  Time now_{};                                 // of the last call, for receive()

  static constexpr std::size_t kMaxOverhead = 37;  // AES-GCM: 13 of header, 8 of nonce, 16 of tag
};

static_assert(PacketEngine<Session>);

}  // namespace pollrtc::dtls
