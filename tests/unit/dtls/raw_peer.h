// A peer that is Mbed TLS without our Session, so that it can be wrong: no certificate, old version, renegotiation.
#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include <deque>
#include <vector>

#include "dtls/certificate_key.h"
#include "unit/dtls/pair.h"

namespace pollrtc::test {

struct RawOptions {
  const dtls::KeyPair* own = nullptr;  // its certificate and key; none: it presents no certificate
  bool extended_master_secret = true;
  bool renegotiation = false;
  bool cookies = false;  // as a server: HelloVerifyRequest first
  std::vector<int> suites;
};

class RawPeer {
 public:
  RawPeer(Role role, const RawOptions& options);
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer();

  // One exchange of datagrams until nobody speaks; the state of the raw side is `result` (0: handshake over).
  void exchange(Session& session, Time now);
  void step();
  bool over() const { return over_; }
  // The description of the alert that came last.
  int last_alert() const { return ssl_.POLLRTC_MBEDTLS_FIELD(in_msg)[1]; }
  mbedtls_ssl_context* ssl() { return &ssl_; }
  std::deque<ByteVector>& outbox() { return outbox_; }
  std::deque<ByteVector>& inbox() { return inbox_; }

  int result = 0;
  std::vector<ByteVector> received, from_session;

 private:
  static int send(void* self, const unsigned char* bytes, std::size_t size);
  static int receive(void* self, unsigned char* out, std::size_t capacity);
  static void set_timer(void* self, std::uint32_t, std::uint32_t final_ms);
  static int get_timer(void* self) { return static_cast<RawPeer*>(self)->timer_ ? 0 : -1; }

  TestEnvironment env_{77};
  dtls::RandomSource random_;
  std::vector<int> suites_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
  std::deque<ByteVector> inbox_, outbox_;
  bool over_ = false, timer_ = false;
};

}  // namespace pollrtc::test
