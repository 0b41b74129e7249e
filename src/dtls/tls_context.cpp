#include "dtls/tls_context.h"

#include <mbedtls/md.h>
#include <mbedtls/ssl_ciphersuites.h>

#include <limits>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "dtls/record.h"

namespace pollrtc::dtls {
namespace {

// RFC 8827 §6.5: forward secrecy and AEAD only; the AES-128-GCM suite with P-256 is the one that everybody
// has. ChaCha20-Poly1305 comes first because Mbed TLS is half as fast again with it, even where the CPU has
// AES.
constexpr std::array<int, 4> kSuites = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    0,
};

// x25519 and P-256 first: both are several times faster than P-384, which 2.28 would pick by itself. Of the two x25519 takes less
// in 2.28 (0.88 ms for both halves, against 1.10), and P-256 in 3.6, which has a table for its generator (0.62 against 0.73); but
// nothing comes near Everest's x25519, which Mbed TLS brings along and has when it was configured so (0.11).
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
#ifdef MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED
constexpr std::uint16_t kFirstGroup = MBEDTLS_SSL_IANA_TLS_GROUP_X25519;
constexpr std::uint16_t kSecondGroup = MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1;
#else
constexpr std::uint16_t kFirstGroup = MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1;
constexpr std::uint16_t kSecondGroup = MBEDTLS_SSL_IANA_TLS_GROUP_X25519;
#endif
constexpr std::array<std::uint16_t, 4> kGroups = {
    kFirstGroup, kSecondGroup, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#else
constexpr std::array<mbedtls_ecp_group_id, 4> kGroups = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                                         MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
constexpr std::array<int, 4> kSignatureHashes = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                                 MBEDTLS_MD_NONE};
#endif

// RFC 6347 §4.2.4.1: the wait may double up to 60 s at least; our own limit on the handshake ends it before. Mbed TLS would give
// up the handshake where its count ends, and a new ClientHello is nothing to a server in the middle of one: it counts on.
constexpr Duration kMaxTimeout = std::chrono::seconds(60);
constexpr std::uint32_t kEndOfCount = std::numeric_limits<std::uint32_t>::max();

// What comes again so soon behind our flight is a copy that the network made, or that somebody keeps at hand: no timer of a
// handshake begins below 50 ms (DTLS-34), and half of that is left for packets that were held up.
constexpr Duration kLeastRepeat = std::chrono::milliseconds(25);

std::uint16_t epoch_of(Bytes record) { return load_u16(record.data() + 3); }

std::uint32_t milliseconds_up(Duration d) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

}  // namespace

std::span<const std::uint16_t> cipher_suites() {
  static constexpr std::array<std::uint16_t, 3> kNumbers = {kSuites[0], kSuites[1], kSuites[2]};
  return kNumbers;
}

TlsContext::TlsContext(Environment& env, DatagramQueue& outbox) : outbox_(outbox), random_{&env.rng} {
  mbedtls_ssl_config_init(&config_);
  mbedtls_ssl_init(&ssl_);
}

TlsContext::~TlsContext() {
  mbedtls_ssl_free(&ssl_);
  mbedtls_ssl_config_free(&config_);
}

void TlsContext::configure(Role role, Duration initial_timeout) {
  // DEVIATION RFC 8261 §5: it still asks for DTLS 1.0, RFC 8827 §6.5 for 1.2 only.
  allow_one_handshake_of_1_2(config_);
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
  mbedtls_ssl_conf_groups(&config_, kGroups.data());
#else
  mbedtls_ssl_conf_curves(&config_, kGroups.data());
  mbedtls_ssl_conf_sig_hashes(&config_, kSignatureHashes.data());
#endif
  mbedtls_ssl_conf_rng(&config_, RandomSource::fill, &random_);
  mbedtls_ssl_conf_ciphersuites(&config_, kSuites.data());
  // The chain proves nothing here, the fingerprint does (RFC 8122 §6.2), and Session compares it. Optional
  // only tells Mbed TLS to leave the verdict to us; a server that asks at all is what makes a client send its
  // certificate.
  mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_OPTIONAL);
  mbedtls_ssl_conf_verify(&config_, on_verify, this);
  mbedtls_ssl_conf_handshake_timeout(&config_, milliseconds_up(std::min(initial_timeout, kMaxTimeout)),
                                     kEndOfCount);
  mbedtls_ssl_conf_dtls_anti_replay(&config_, MBEDTLS_SSL_ANTI_REPLAY_ENABLED);
#if defined(MBEDTLS_SSL_EXTENDED_MASTER_SECRET)
  mbedtls_ssl_conf_extended_master_secret(&config_, MBEDTLS_SSL_EXTENDED_MS_ENABLED);  // RFC 7627
#endif
  if (role == Role::Server) {
    // No cookies: ICE has shown that the peer is where it says (RFC 6347 §4.2.1 allows it).
    mbedtls_ssl_conf_dtls_cookies(&config_, nullptr, nullptr, nullptr);
    mbedtls_ssl_conf_cert_req_ca_list(&config_, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
  }
}

TlsResult TlsContext::set_up(Role role, const Certificate& certificate, Duration initial_timeout,
                             std::uint16_t handshake_mtu) {
  handshake_mtu_ = handshake_mtu;
  return set_up(role, &certificate.key_pair(), initial_timeout);
}

TlsResult TlsContext::set_up(Role role, KeyPair* own, Duration initial_timeout) {
  if (!start_crypto()) return TlsResult::Failed;
  const int endpoint = role == Role::Client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER;
  int code = mbedtls_ssl_config_defaults(&config_, endpoint, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) return result_of(code);
  configure(role, initial_timeout);
  own_ = own;
  if (own != nullptr) code = mbedtls_ssl_conf_own_cert(&config_, &own->certificate, own->signer());
  if (code == 0) code = mbedtls_ssl_setup(&ssl_, &config_);
  // Newer versions refuse a client that never said whether it wants a host name checked.
  if (code == 0 && role == Role::Client) code = mbedtls_ssl_set_hostname(&ssl_, nullptr);
  if (code != 0) return result_of(code);
  mbedtls_ssl_set_timer_cb(&ssl_, this, on_set_timer, on_get_timer);
  mbedtls_ssl_set_bio(&ssl_, this, on_send, on_receive, nullptr);
  mbedtls_ssl_set_mtu(&ssl_, handshake_mtu_);
  return TlsResult::Again;
}

// An Mbed TLS without serialization refuses, and so does every one while the last flight may have to be sent again or a
// record waits to be read.
TlsResult TlsContext::save([[maybe_unused]] Buffer& saved) {
#if defined(MBEDTLS_SSL_CONTEXT_SERIALIZATION)
  std::size_t size = 0;
  if (mbedtls_ssl_context_save(&ssl_, nullptr, 0, &size) != MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL)
    return TlsResult::Again;
  if (!saved.resize_discarding(size)) return TlsResult::Again;
  // The lack of memory is that of clearing the context, which comes after writing and which we shall not use again; 3.6 sets up its
  // hashes there, too.
  const int code = mbedtls_ssl_context_save(&ssl_, saved.data(), saved.size(), &size);
  const bool is_written =
      code == 0 || code == MBEDTLS_ERR_SSL_ALLOC_FAILED || code == MBEDTLS_ERR_MD_ALLOC_FAILED;
  if (is_written) return TlsResult::Done;
  crypto::wipe(saved.data(), saved.size());
  saved.clear();
  return TlsResult::Failed;
#else
  return TlsResult::Again;
#endif
}

TlsResult TlsContext::load([[maybe_unused]] Role role, [[maybe_unused]] Bytes saved) {
#if defined(MBEDTLS_SSL_CONTEXT_SERIALIZATION)
  if (const TlsResult result = set_up(role, nullptr, Duration{}); result != TlsResult::Again) return result;
  return result_of(mbedtls_ssl_context_load(&ssl_, saved.data(), saved.size()));
#else
  return TlsResult::Failed;
#endif
}

TlsResult TlsContext::result_of(int code) {
  if (code == 0) return TlsResult::Done;
  if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) return TlsResult::Again;
  last_error_ = code;
  if (random_.failed) return TlsResult::NoRandomness;
  if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return TlsResult::PeerClosed;
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) return TlsResult::PeerAlert;
  return TlsResult::Failed;
}

bool TlsContext::had_no_answer() const { return last_error_ == MBEDTLS_ERR_SSL_TIMEOUT; }

TlsResult TlsContext::handshake(Time now, Bytes record) {
  now_ = now;
  input_ = record;
  mbedtls_ssl_set_mtu(&ssl_, handshake_mtu_);
  // RFC 6347 §4.1.2.6: only a record whose MAC is right moves the replay window. Those of epoch 0 have none, but Mbed TLS moves it
  // for them too, and after a single forged one of a high number no true one would be new. The window of epoch 1 begins empty.
  const bool is_in_clear = !record.empty() && epoch_of(record) == 0;
  if (is_in_clear) mbedtls_ssl_conf_dtls_anti_replay(&config_, MBEDTLS_SSL_ANTI_REPLAY_DISABLED);
  may_repeat_ = now >= flight_at_ + kLeastRepeat;
  TlsResult result;
  // A timer that is due goes first, and leaves the record for the second round; further rounds follow no rule
  // of Mbed TLS, and the count keeps them from becoming a loop.
  int rounds = 4;
  do result = result_of(mbedtls_ssl_handshake(&ssl_));
  while (result == TlsResult::Again && !input_.empty() && --rounds != 0);
  input_ = {};
  mbedtls_ssl_conf_dtls_anti_replay(&config_, MBEDTLS_SSL_ANTI_REPLAY_ENABLED);
  return result;
}

TlsResult TlsContext::open(Time now, Bytes record) {
  now_ = now;
  input_ = record;
  may_repeat_ = true;  // it takes a Finished, and that is sealed
  mbedtls_ssl_set_mtu(
      &ssl_, handshake_mtu_);  // a repeat of the peer's last flight makes us send ours again from here
  std::uint8_t nothing = 0;
  const int code =
      mbedtls_ssl_read(&ssl_, &nothing, 0);  // decrypts in its own buffer, and leaves the content there
  input_ = {};
  if (code < 0) return result_of(code);
  return readable() != 0 ? TlsResult::Done : TlsResult::Again;
}

TlsResult TlsContext::check([[maybe_unused]] Bytes record, [[maybe_unused]] Buffer& scratch) const {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 || defined(MBEDTLS_SSL_RECORD_CHECKING)
  if (!scratch.assign(record)) return TlsResult::Again;
  const int code = mbedtls_ssl_check_record(&ssl_, scratch.data(), scratch.size());
  if (code == 0) return TlsResult::Done;
  // So much is said of a record of another epoch, and of one that came before.
  const bool is_of_this_epoch = epoch_of(record) == ssl_.POLLRTC_MBEDTLS_FIELD(in_epoch);
  return code == MBEDTLS_ERR_SSL_UNEXPECTED_RECORD && !is_of_this_epoch ? TlsResult::Again
                                                                        : TlsResult::Failed;
#else
  return TlsResult::Done;
#endif
}

std::size_t TlsContext::read(MutBytes out) {
  const int size = mbedtls_ssl_read(&ssl_, out.data(), out.size());
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

std::size_t TlsContext::seal(Time now, Bytes plaintext, MutBytes out) {
  now_ = now;
  // RFC 8261 §5: a record larger than the path's MTU can be sent; what fits is for SCTP to know.
  mbedtls_ssl_set_mtu(&ssl_, 0);
  sealed_ = out;
  sealed_size_ = 0;
  const int written = mbedtls_ssl_write(&ssl_, plaintext.data(), plaintext.size());
  sealed_ = {};
  if (written < 0) result_of(written);
  return written == static_cast<int>(plaintext.size()) ? sealed_size_ : 0;
}

void TlsContext::send_close_notify() { result_of(mbedtls_ssl_close_notify(&ssl_)); }

void TlsContext::send_fatal_alert(std::uint8_t description) {
  result_of(mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, description));
}

bool TlsContext::awaits_last_flight() const { return progress() >= MBEDTLS_SSL_SERVER_CHANGE_CIPHER_SPEC; }

void TlsContext::send_flight_once_more(Time now) {
  spared_due_ = timer_final_;
  timer_intermediate_ = timer_final_ = now;
  ++hints_;
}

int TlsContext::progress() const { return static_cast<int>(ssl_.POLLRTC_MBEDTLS_FIELD(state)); }

std::size_t TlsContext::record_expansion() const {
  const int size = mbedtls_ssl_get_record_expansion(&ssl_);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

std::string_view TlsContext::cipher_suite() const {
  const char* name = mbedtls_ssl_get_ciphersuite(&ssl_);
  return name == nullptr ? std::string_view() : name;
}

// Whether a datagram of a flight may leave. Before a new flight, and one that the timer repeats, Mbed TLS stops the timer. When
// it sends without that, the peer's last flight came again and draws ours (RFC 6347 §4.2.4), and whoever can send to our port
// can say so in a tenth of the bytes.
bool TlsContext::may_leave() {
  if (!owes_flight_ && !may_repeat_) {
    has_kept_repeat_ = true;
    return false;
  }
  flight_leaves_ = true;
  flight_at_ = now_;
  return true;
}

int TlsContext::on_send(void* context, const unsigned char* bytes, std::size_t size) {
  auto& self = *static_cast<TlsContext*>(context);
  const Bytes datagram(bytes, size);
  if (!self.sealed_.empty()) {
    if (size > self.sealed_.size() || self.sealed_size_ != 0) return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    std::copy(datagram.begin(), datagram.end(), self.sealed_.begin());
    self.sealed_size_ = size;
  } else if (datagram[0] == static_cast<std::uint8_t>(ContentType::Alert) || self.may_leave()) {
    // One that does not fit is lost, as on any network; the flight will be sent again.
    static_cast<void>(self.outbox_.push(datagram));
  }
  return static_cast<int>(size);
}

int TlsContext::on_receive(void* context, unsigned char* out, std::size_t capacity) {
  auto& self = *static_cast<TlsContext*>(context);
  if (self.input_.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  const Bytes record = std::exchange(self.input_, Bytes{});
  if (record.size() > capacity) return MBEDTLS_ERR_SSL_WANT_READ;
  std::copy(record.begin(), record.end(), out);
  return static_cast<int>(record.size());
}

void TlsContext::on_set_timer(void* context, std::uint32_t intermediate_ms, std::uint32_t final_ms) {
  auto& self = *static_cast<TlsContext*>(context);
  const bool stop = final_ms == 0;
  if (!stop && std::exchange(self.has_kept_repeat_, false))
    return;  // the timer of a flight that has not left
  if (stop) {
    self.owes_flight_ = true;
    self.flight_leaves_ = self.has_kept_repeat_ = false;
  } else if (self.flight_leaves_) {  // it is out; Mbed TLS starts the timer before it as well
    self.owes_flight_ = self.flight_leaves_ = self.may_repeat_ = false;
  }
  const auto due_in = [&](std::uint32_t ms) {
    if (stop) return kNever;
    const Duration wait = std::chrono::milliseconds(ms >> self.hints_);
    return std::min(self.spared_due_, self.now_ + std::min(wait, kMaxTimeout));
  };
  self.timer_intermediate_ = due_in(intermediate_ms);
  self.timer_final_ = due_in(final_ms);
  if (!stop) self.spared_due_ = kNever;
}

// Mbed TLS wants -1 when no timer runs, else how many of the two times have passed.
int TlsContext::on_get_timer(void* context) {
  const auto& self = *static_cast<TlsContext*>(context);
  if (self.timer_final_ == kNever) return -1;
  return self.now_ >= self.timer_final_ ? 2 : self.now_ >= self.timer_intermediate_ ? 1 : 0;
}

// RFC 8122 §5: the hash is over the DER of the first certificate, depth 0; the others of the list prove
// nothing. Clearing the flags accepts whatever its dates, names and signer are.
int TlsContext::on_verify(void* context, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
  auto& self = *static_cast<TlsContext*>(context);
  *flags = 0;
  if (depth != 0) return 0;
  const Bytes der(certificate->raw.p, certificate->raw.len);
  self.peer_.sha256 = fingerprint_of(HashAlgorithm::Sha256, der);
  self.peer_.sha384 = fingerprint_of(HashAlgorithm::Sha384, der);
  self.peer_.sha512 = fingerprint_of(HashAlgorithm::Sha512, der);
#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS
  if (self.own_ != nullptr) lend_table(certificate->pk, self.own_->key);
#endif
  return 0;
}

}  // namespace pollrtc::dtls
