// Our end's key pair and self-signed certificate (RFC 8827 §6.5: P-256), and its fingerprints (RFC 8122 §5).
#pragma once

#include <string_view>

#include "base/fixed_vec.h"
#include "base/memory.h"
#include "pollrtc/fingerprint.h"
#include "pollrtc/result.h"

namespace pollrtc::dtls {

struct KeyPair;  // certificate_key.h: what Mbed TLS knows of it

class Certificate {
 public:
  Certificate(Certificate&&) noexcept;
  Certificate& operator=(Certificate&&) noexcept;
  ~Certificate();

  // A fresh P-256 key and a certificate for it: random serial number, valid from one day before `unix_time`
  // (seconds since 1970) for 30 days more, nothing about the machine in its name.
  static Result<Certificate> generate(Environment& env, std::int64_t unix_time);
  // A pair that the application brings, both as PEM; an EC key, since no other goes with our cipher suites.
  static Result<Certificate> from_pem(Environment& env, std::string_view certificate,
                                      std::string_view private_key);

  // SHA-256 over the DER, the one every peer reads.
  Fingerprint fingerprint() const { return fingerprints_[0]; }
  // Those to print in SDP: SHA-256 and, when it is another, the hash that the certificate is signed with (RFC
  // 8122 §5.1).
  const FixedVec<Fingerprint, 2>& fingerprints() const { return fingerprints_; }
  // The certificate's DER bytes. Not after forget_key(), as the next two.
  Bytes der() const;
  // Both as from_pem() reads them, without a NUL at the end. The key's text is the caller's to wipe, also on failure.
  Status write_pem(Buffer& certificate, Buffer& private_key) const;

  // The key and the certificate itself go, its fingerprints stay. For whoever will not begin a handshake with it any more.
  void forget_key();

  KeyPair& key_pair() const { return *key_pair_; }  // for this room only

 private:
  explicit Certificate(Owned<KeyPair> key_pair);
  Status take_fingerprints();

  Owned<KeyPair> key_pair_;
  FixedVec<Fingerprint, 2> fingerprints_;
};

}  // namespace pollrtc::dtls
