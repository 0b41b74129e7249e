// TlsContext: one mbedtls_ssl_context and its configuration, without sockets, clocks or callbacks towards us.
// It gets one record at a time and appends datagrams to a queue; it never lives longer than one try of one
// handshake (a context that failed is thrown away, never reset).
//
// The only file, with its .cpp, that knows how Mbed TLS does DTLS.
#pragma once

#include <mbedtls/ssl.h>

#include "base/fixed_vec.h"
#include "dtls/certificate_key.h"
#include "dtls/datagram_queue.h"
#include "dtls/session.h"

namespace pollrtc::dtls {

enum class TlsResult : std::uint8_t {
  Done,          // the handshake is over; or a record's content is ready to be read
  Again,         // it waits for records or for its timer
  PeerClosed,    // close_notify
  PeerAlert,     // fatal alert
  NoRandomness,  // our source failed
  Failed,        // anything else; the context is of no more use
};

// The peer's certificate, as far as it matters: hashes of its DER.
struct PeerCertificate {
  std::optional<Fingerprint> sha256, sha384, sha512;
  const std::optional<Fingerprint>& of(HashAlgorithm hash) const {
    return hash == HashAlgorithm::Sha256 ? sha256 : hash == HashAlgorithm::Sha384 ? sha384 : sha512;
  }
};

class TlsContext {
 public:
  TlsContext(Environment& env, DatagramQueue& outbox);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  TlsResult set_up(Role role, const Certificate& certificate, Duration initial_timeout,
                   std::uint16_t handshake_mtu);

  // After the handshake: all that goes on into `saved`, which whoever has it must keep secret and wipe; the context is of no
  // more use then. Again: not now, and it is as it was. Failed: the connection is lost.
  TlsResult save(Buffer& saved);
  // Done: a fresh context that goes on where the saved one was. `saved` must not be loaded a second time then: the same
  // nonces would be used again.
  TlsResult load(Role role, Bytes saved);

  // Goes on with the handshake as far as `record` (may be empty) and the time carry it.
  TlsResult handshake(Time now, Bytes record);
  // After the handshake: decrypts `record`. Done: read() has its content. Again: it was refused, or was no
  // content.
  TlsResult open(Time now, Bytes record);
  // Whether `record` would pass its MAC and the replay window as things stand. A handshake that has not come
  // to the record's epoch says Again, as does a lack of memory; Failed means that it is forged or repeated.
  TlsResult check(Bytes record, Buffer& scratch) const;

  std::size_t readable() const { return mbedtls_ssl_get_bytes_avail(&ssl_); }
  std::size_t read(MutBytes out);
  // One record into `out`; 0 when it cannot be made.
  std::size_t seal(Time now, Bytes plaintext, MutBytes out);
  void send_close_notify();
  void send_fatal_alert(std::uint8_t description);

  int progress() const;                           // a number that grows from step to step of the handshake
  int last_error() const { return last_error_; }  // of Mbed TLS, for logs
  bool had_no_answer() const;  // that was the last error: it has sent its flight for the last time
  std::size_t record_expansion() const;
  std::string_view cipher_suite() const;
  const PeerCertificate& peer_certificate() const { return peer_; }

  Time flight_at() const { return flight_at_; }  // when our flight last left
  Time retransmission_due() const { return timer_final_; }
  // A client has sent all that it says in a handshake.
  bool awaits_last_flight() const;
  // The next handshake() sends the flight that waits for an answer, beside what its timer does: no wait is longer for it. A
  // client's last flight only.
  void send_flight_once_more(Time now);

 private:
  // What Mbed TLS calls. None of these reaches outside of the object.
  static int on_send(void* self, const unsigned char* bytes, std::size_t size);
  static int on_receive(void* self, unsigned char* out, std::size_t capacity);
  static void on_set_timer(void* self, std::uint32_t intermediate_ms, std::uint32_t final_ms);
  static int on_get_timer(void* self);
  static int on_verify(void* self, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags);

  TlsResult set_up(Role role, KeyPair* own, Duration initial_timeout);
  void configure(Role role, Duration initial_timeout);
  TlsResult result_of(int code);
  bool may_leave();

  DatagramQueue& outbox_;
  RandomSource random_;
  KeyPair* own_ = nullptr;  // none in a context that was loaded: its handshake is over
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
  Bytes input_;      // the record that Mbed TLS may fetch next
  MutBytes sealed_;  // where seal() wants the next record; empty at other times
  std::size_t sealed_size_ = 0;
  Time now_{};
  Time timer_intermediate_ = kNever, timer_final_ = kNever;
  Time spared_due_ = kNever;  // of the timer, while it is due for a flight once more
  std::uint8_t hints_ = 0;    // how often that was: Mbed TLS doubles its wait at each
  Time flight_at_{};
  bool owes_flight_ = false;      // the next one is new, or its timer's
  bool flight_leaves_ = false;    // in part
  bool may_repeat_ = false;       // a repeat of the peer's flight is answered with ours
  bool has_kept_repeat_ = false;  // one was not
  PeerCertificate peer_;
  std::uint16_t handshake_mtu_ = 0;
  int last_error_ = 0;
};

// The cipher suites we offer and take, best first, as their IANA numbers.
std::span<const std::uint16_t> cipher_suites();

}  // namespace pollrtc::dtls
