#include "dtls/tls_client.h"

#include <mbedtls/ssl_ciphersuites.h>

#include "pollrtc/fixed_string.h"

namespace pollrtc::dtls {
namespace {

// Forward secrecy and AEAD only (RFC 9325 §4.2), whatever key the server has.
constexpr std::array<int, 7> kSuites = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

constexpr std::size_t kRecordOverhead = 64;  // of one record: header, nonce, tag, with room to spare

std::string_view verify_failure(std::uint32_t flags) {
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) return "the server's certificate bears another name";
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) return "the server's certificate has expired";
  if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) return "the server's certificate is not valid yet";
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    return "the server's certificate comes from nobody whom we trust";
  return "the server's certificate is not good";
}

}  // namespace

Status TrustAnchors::add(const Memory& memory, std::string_view pem) {
  if (!chain_) chain_ = Owned<Chain>::make(memory);
  Buffer text(memory);
  if (!chain_ || !text.resize_discarding(pem.size() + 1))
    return fail(ErrorCode::OutOfMemory, "trusted certificates");
  std::copy(pem.begin(), pem.end(), text.data());
  text.data()[pem.size()] = 0;  // Mbed TLS tells PEM from DER by that
  const int before = chain_->first.version;
  const int result = mbedtls_x509_crt_parse(&chain_->first, text.data(), text.size());
  if (result < 0 || (before == 0 && chain_->first.version == 0))
    return fail(ErrorCode::ParseFailed, "no certificate in PEM among those to be trusted");
  is_empty_ = false;
  return {};
}

TlsClient::TlsClient(Environment& environment, TrustAnchors& anchors)
    : random_{&environment.rng}, anchors_(anchors), out_(environment.memory) {
  mbedtls_ssl_config_init(&config_);
  mbedtls_ssl_init(&ssl_);
}

TlsClient::~TlsClient() {
  mbedtls_ssl_free(&ssl_);
  mbedtls_ssl_config_free(&config_);
}

void TlsClient::configure() {
  allow_one_handshake_of_1_2(config_);
  mbedtls_ssl_conf_rng(&config_, RandomSource::fill, &random_);
  mbedtls_ssl_conf_ciphersuites(&config_, kSuites.data());
  mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&config_, anchors_.chain(), nullptr);
}

Status TlsClient::start(std::string_view name, std::size_t buffer) {
  if (state_ != State::Idle) return pollrtc::fail(ErrorCode::InvalidState, "started before");
  std::array<char, 254> text{};
  if (name.empty() || name.size() >= text.size() || name.find('\0') != std::string_view::npos)
    return pollrtc::fail(ErrorCode::InvalidArgument,
                         "a name of 1 to 253 bytes is needed to know the server by");
  if (anchors_.empty())
    return pollrtc::fail(ErrorCode::InvalidState, "nobody is trusted: no certificates were given");
  std::copy(name.begin(), name.end(), text.begin());
  if (!start_crypto()) return pollrtc::fail(ErrorCode::Crypto, "the library does not start");
  if (!out_.reserve(buffer)) return pollrtc::fail(ErrorCode::OutOfMemory, "TLS buffer");
  int code = mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
  if (code == 0) {
    configure();
    code = mbedtls_ssl_setup(&ssl_, &config_);
  }
  if (code == 0) code = mbedtls_ssl_set_hostname(&ssl_, text.data());
  if (code != 0) return pollrtc::fail(ErrorCode::Crypto, "TLS cannot be set up");
  mbedtls_ssl_set_bio(&ssl_, this, on_send, on_receive, nullptr);
  state_ = State::Handshaking;
  step_handshake();
  return {};
}

void TlsClient::step_handshake() {
  const int code = mbedtls_ssl_handshake(&ssl_);
  if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) return;
  if (code != 0) return fail_with(code);
  state_ = State::Open;
}

void TlsClient::fail_with(int code) {
  state_ = State::Failed;
  const std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    failure_ = verify_failure(flags);
  } else if (random_.failed) {
    failure_ = "the random source failed";
  } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    failure_ = "the server refuses TLS with us";
  } else {
    failure_ = "TLS failed";
  }
}

std::size_t TlsClient::read(Bytes& chunk, MutBytes out) {
  input_ = chunk;
  std::size_t size = 0;
  if (state_ == State::Handshaking) step_handshake();
  if (state_ == State::Open) {
    const int code = mbedtls_ssl_read(&ssl_, out.data(), out.size());
    if (code > 0) {
      size = static_cast<std::size_t>(code);
    } else if (code == 0 || code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      state_ = State::Closed;
    } else if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
      fail_with(code);
    }
  }
  chunk = size != 0 ? input_ : Bytes{};
  input_ = {};
  return size;
}

std::size_t TlsClient::room() const {
  return out_.room() > kRecordOverhead ? out_.room() - kRecordOverhead : 0;
}

bool TlsClient::write(Bytes plaintext) {
  if (state_ != State::Open || plaintext.size() > room()) return false;
  while (!plaintext.empty()) {
    const int code = mbedtls_ssl_write(&ssl_, plaintext.data(), plaintext.size());
    if (code <= 0) {
      fail_with(code);
      return false;
    }
    plaintext = plaintext.subspan(static_cast<std::size_t>(code));
  }
  return true;
}

int TlsClient::on_send(void* context, const unsigned char* bytes, std::size_t size) {
  auto& self = *static_cast<TlsClient*>(context);
  return self.out_.append(Bytes(bytes, size)) ? static_cast<int>(size) : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

int TlsClient::on_receive(void* context, unsigned char* out, std::size_t capacity) {
  auto& self = *static_cast<TlsClient*>(context);
  if (self.input_.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  const std::size_t count = std::min(capacity, self.input_.size());
  std::copy_n(self.input_.begin(), count, out);
  self.input_ = self.input_.subspan(count);
  return static_cast<int>(count);
}

}  // namespace pollrtc::dtls
