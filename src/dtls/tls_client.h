// TLS over a stream, as a client that wants to know whom it speaks to: what turns: needs. RFC 8489 §6.2.3, RFC 5928 §5,
// RFC 8446 / 5246; RFC 6125 §6.4 (names). Bytes go in and come out; the connection is somebody else's.
//
//   start(name) --> Handshaking --> Open --> Closed
//                        +------------+----> Failed, and failure() says why
#pragma once

#include <mbedtls/ssl.h>

#include "base/byte_queue.h"
#include "dtls/mbedtls_compat.h"
#include "pollrtc/result.h"

namespace pollrtc::dtls {

// The certificates of those whom we believe.
class TrustAnchors {
 public:
  // PEM, any number of certificates; those that cannot be read are passed over. ParseFailed when there is none.
  Status add(const Memory& memory, std::string_view pem);
  bool empty() const { return is_empty_; }
  mbedtls_x509_crt* chain() { return chain_ ? &chain_->first : nullptr; }

 private:
  struct Chain {
    Chain() { mbedtls_x509_crt_init(&first); }
    ~Chain() { mbedtls_x509_crt_free(&first); }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    mbedtls_x509_crt first;
  };
  Owned<Chain> chain_;  // most connections trust nobody
  bool is_empty_ = true;
};

class TlsClient {
 public:
  enum class State : std::uint8_t { Idle, Handshaking, Open, Closed, Failed };

  // `anchors` must outlive it.
  TlsClient(Environment& environment, TrustAnchors& anchors);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // `name` is what the certificate must bear. What is to be sent waits in take().
  Status start(std::string_view name, std::size_t buffer);

  // Takes bytes of the stream from the front of `chunk`, and gives the next plaintext. 0: nothing, and the chunk is used up.
  std::size_t read(Bytes& chunk, MutBytes out);
  // False when it is not open, or `room()` is less.
  bool write(Bytes plaintext);
  std::size_t room() const;  // for plaintext
  std::size_t take(MutBytes out) { return out_.take(out); }

  State state() const { return state_; }
  std::string_view failure() const { return failure_; }

 private:
  static int on_send(void* self, const unsigned char* bytes, std::size_t size);
  static int on_receive(void* self, unsigned char* out, std::size_t capacity);
  void configure();
  void step_handshake();
  void fail_with(int code);

  RandomSource random_;
  TrustAnchors& anchors_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
  ByteQueue out_;
  Bytes input_;
  State state_ = State::Idle;
  std::string_view failure_;
};

}  // namespace pollrtc::dtls
