#include "unit/dtls/raw_peer.h"

#include <algorithm>

namespace pollrtc::test {
namespace {

// A 200-byte cookie of one value.
int write_cookie(void*, unsigned char** p, unsigned char* end, const unsigned char*, std::size_t) {
  if (end - *p < 200) return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
  std::fill_n(*p, 200, static_cast<unsigned char>(0x5a));
  *p += 200;
  return 0;
}

int check_cookie(void*, const unsigned char* cookie, std::size_t size, const unsigned char*, std::size_t) {
  return size == 200 && std::all_of(cookie, cookie + size, [](unsigned char c) { return c == 0x5a; }) ? 0
                                                                                                      : -1;
}

}  // namespace

RawPeer::RawPeer(Role role, const RawOptions& options) : suites_(options.suites) {
  suites_.push_back(0);
  mbedtls_ssl_config_init(&config_);
  mbedtls_ssl_init(&ssl_);
  mbedtls_ssl_config_defaults(&config_, role == Role::Client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                              MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
  random_.rng = &env_.env.rng;
  mbedtls_ssl_conf_rng(&config_, dtls::RandomSource::fill, &random_);
  mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_NONE);
  if (options.own != nullptr)
    mbedtls_ssl_conf_own_cert(&config_, const_cast<mbedtls_x509_crt*>(&options.own->certificate),
                              const_cast<mbedtls_pk_context*>(&options.own->key));
  if (suites_.size() > 1) mbedtls_ssl_conf_ciphersuites(&config_, suites_.data());
  mbedtls_ssl_conf_extended_master_secret(&config_, options.extended_master_secret
                                                        ? MBEDTLS_SSL_EXTENDED_MS_ENABLED
                                                        : MBEDTLS_SSL_EXTENDED_MS_DISABLED);
  if (options.renegotiation) mbedtls_ssl_conf_renegotiation(&config_, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
  if (role == Role::Server) {
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_OPTIONAL);
    if (options.cookies)
      mbedtls_ssl_conf_dtls_cookies(&config_, write_cookie, check_cookie, nullptr);
    else
      mbedtls_ssl_conf_dtls_cookies(&config_, nullptr, nullptr, nullptr);
  }
  mbedtls_ssl_setup(&ssl_, &config_);
  mbedtls_ssl_set_hostname(&ssl_, nullptr);
  mbedtls_ssl_set_timer_cb(&ssl_, this, set_timer, get_timer);
  mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
  const unsigned char id[] = "peer";
  if (options.cookies) mbedtls_ssl_set_client_transport_id(&ssl_, id, sizeof id);
}

RawPeer::~RawPeer() {
  mbedtls_ssl_free(&ssl_);
  mbedtls_ssl_config_free(&config_);
}

void RawPeer::exchange(Session& session, Time now) {
  for (int round = 0; round < 40; ++round) {
    for (auto& datagram : poll_all(session, now)) {
      from_session.push_back(datagram);
      inbox_.push_back(std::move(datagram));
    }
    step();
    if (outbox_.empty() && inbox_.empty()) return;
    for (; !outbox_.empty(); outbox_.pop_front()) session.handle_packet(now, outbox_.front());
  }
}

void RawPeer::step() {
  unsigned char buffer[2000];
  do {
    result = over_ ? mbedtls_ssl_read(&ssl_, buffer, sizeof buffer) : mbedtls_ssl_handshake(&ssl_);
    if (result == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
      mbedtls_ssl_session_reset(&ssl_);
      const unsigned char id[] = "peer";
      mbedtls_ssl_set_client_transport_id(&ssl_, id, sizeof id);
      result = MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (result == 0 && !over_) over_ = true;
    if (over_ && result > 0) received.emplace_back(buffer, buffer + result);
  } while (result == MBEDTLS_ERR_SSL_WANT_READ && !inbox_.empty());
}

int RawPeer::send(void* self, const unsigned char* bytes, std::size_t size) {
  static_cast<RawPeer*>(self)->outbox_.emplace_back(bytes, bytes + size);
  return static_cast<int>(size);
}

int RawPeer::receive(void* self, unsigned char* out, std::size_t capacity) {
  auto& inbox = static_cast<RawPeer*>(self)->inbox_;
  if (inbox.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  const ByteVector datagram = inbox.front();
  inbox.pop_front();
  std::copy_n(datagram.begin(), std::min(capacity, datagram.size()), out);
  return static_cast<int>(std::min(capacity, datagram.size()));
}

void RawPeer::set_timer(void* self, std::uint32_t, std::uint32_t final_ms) {
  static_cast<RawPeer*>(self)->timer_ = final_ms != 0;
}

}  // namespace pollrtc::test
