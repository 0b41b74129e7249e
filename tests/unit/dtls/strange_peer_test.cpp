// Peers that are not ours: what we say to them, what we take from them, and what we refuse.
#include <mbedtls/rsa.h>

#include "dtls/tls_context.h"
#include "support/catch.h"
#include "unit/dtls/ends.h"
#include "unit/dtls/raw_peer.h"

using namespace pollrtc;
using namespace pollrtc::test;

TEST_CASE("the browsers' ClientHello gets our ServerHello flight",
          "[DTLS-28][DTLS-29][DTLS-30][DTLS-32][DTLS-44][DTLS-46]") {
  const std::string name = GENERATE("chromium", "firefox");
  const auto first = read_hex_file("vectors/dtls/" + name + "-client-hello-1.hex");
  const auto second = read_hex_file("vectors/dtls/" + name + "-client-hello-2.hex");
  Server server;
  SECTION("in order") {
    CHECK(server.session.handle_packet(kStart, first) == Drop::None);
    CHECK(poll_all(server.session, kStart).empty());
    CHECK(server.session.handle_packet(kStart, second) == Drop::None);
  }
  SECTION("the other way round, with a repetition") {
    CHECK(server.session.handle_packet(kStart, second) == Drop::None);
    CHECK(server.session.handle_packet(kStart, second) == Drop::None);
    CHECK(server.session.handle_packet(kStart, first) == Drop::None);
  }
  const auto flight = poll_all(server.session, kStart);
  REQUIRE_FALSE(flight.empty());
  const ByteVector hello = message_in(flight, 2);
  REQUIRE(hello.size() > 38);
  CHECK(load_u16(hello.data()) == 0xfefd);
  CHECK(to_hex(Bytes(hello).subspan(26, 7)) != "444f574e475244");  // no downgrade alarm
  const std::size_t suite_at = 35u + hello[34];
  const std::uint16_t suite = load_u16(hello.data() + suite_at);
  CHECK(suite == 0xcca9);
  const auto extensions = extensions_at(hello, suite_at + 3);
  CHECK(has(extensions, 23));        // extended_master_secret
  CHECK_FALSE(has(extensions, 43));  // supported_versions
  CHECK_FALSE(has(extensions, 14));  // use_srtp
  CHECK_FALSE(has(extensions, 16));  // ALPN
  CHECK_FALSE(has(extensions, 35));  // session_ticket
  const ByteVector key_exchange = message_in(flight, 12);
  REQUIRE(key_exchange.size() > 4);
  CHECK(key_exchange[0] == 3);
#if MBEDTLS_VERSION_NUMBER >= 0x03010000 && !defined(MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED)
  CHECK(load_u16(key_exchange.data() + 1) == 23);  // P-256
#else
  CHECK(load_u16(key_exchange.data() + 1) == 29);  // x25519
#endif
  CHECK_FALSE(message_in(flight, 13).empty());  // CertificateRequest
}

TEST_CASE("a repeat of the whole last flight is answered at once, part of it changes nothing", "[DTLS-34]") {
  Server server;
  const auto piece = [](int which, std::uint8_t sequence) {
    auto datagram = read_hex_file("vectors/dtls/chromium-client-hello-" + std::to_string(which) + ".hex");
    datagram[10] = sequence;
    return datagram;
  };
  server.session.handle_packet(kStart, piece(1, 0));
  server.session.handle_packet(kStart, piece(2, 1));
  const auto flight = poll_all(server.session, kStart);
  REQUIRE_FALSE(flight.empty());
  const Time due = server.session.next_timeout();
  CHECK(due == kStart + 100ms);
  CHECK(server.session.handle_packet(kStart + 20ms, piece(1, 2)) == Drop::None);
  CHECK(poll_all(server.session, kStart + 20ms).empty());
  CHECK(server.session.next_timeout() == due);
  CHECK(server.session.handle_packet(kStart + 30ms, piece(2, 3)) == Drop::None);
  const auto again = poll_all(server.session, kStart + 30ms);
  CHECK(again.size() == flight.size());
  CHECK(message_in(again, 2) == message_in(flight, 2));
}

TEST_CASE("our ClientHello offers what it should and nothing else", "[DTLS-15][DTLS-24][DTLS-32][DTLS-44]") {
  Client client;
  const auto flight = poll_all(client.session, kStart);
  REQUIRE(flight.size() == 1);
  const ClientHello hello = parse_client_hello(message_in(flight, 1));
  CHECK(to_hex(hello.suites) ==
        "cca9c02bc02c00ff");  // ChaCha20, AES-128-GCM, AES-256-GCM, renegotiation_info as SCSV
  CHECK(to_hex(hello.compression) == "00");
  CHECK(hello.session_id.empty());
  CHECK(has(hello.extensions, 23));        // extended_master_secret
  CHECK_FALSE(has(hello.extensions, 14));  // use_srtp
  CHECK_FALSE(has(hello.extensions, 35));  // session_ticket
  CHECK_FALSE(has(hello.extensions, 0));   // server_name
}

TEST_CASE("a HelloVerifyRequest is answered with the same hello and the cookie", "[DTLS-39]") {
  Client client;
  RawPeer server(Role::Server, {.own = &server_certificate().key_pair(), .cookies = true});
  server.exchange(client.session, kStart);
  CHECK(server.over());
  CHECK(events_of(client.session).connected);
  std::vector<ClientHello> hellos;
  for (const auto& datagram : server.from_session) {
    const auto body = message_in({datagram}, 1);
    if (!body.empty()) hellos.push_back(parse_client_hello(body));
  }
  REQUIRE(hellos.size() == 2);
  CHECK(hellos[0].cookie.empty());
  CHECK(hellos[1].cookie.size() == 200);
  CHECK(hellos[0].random == hellos[1].random);
  CHECK(hellos[0].suites == hellos[1].suites);
  CHECK(hellos[0].session_id == hellos[1].session_id);
}

TEST_CASE("a client without a certificate is refused with an alert", "[DTLS-05][DTLS-04]") {
  Server server;
  RawPeer client(Role::Client, {});
  client.exchange(server.session, kStart);
  const Events events = events_of(server.session);
  CHECK_FALSE(events.connected);
  CHECK(events.ended == Close::FingerprintMismatch);
  CHECK(client.over());
  CHECK(client.result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
  CHECK(client.last_alert() == MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
}

TEST_CASE("a certificate that was not announced is answered with bad_certificate", "[DTLS-04]") {
  Server server(server_certificate().fingerprint());  // which is not what the client presents
  RawPeer client(Role::Client, {.own = &client_certificate().key_pair()});
  client.exchange(server.session, kStart);
  CHECK(events_of(server.session).ended == Close::FingerprintMismatch);
  CHECK(client.result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
  CHECK(client.last_alert() == MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
}

TEST_CASE("the right certificate with another key proves nothing", "[DTLS-05]") {
  // The announced certificate, signed for with the server's key.
  dtls::KeyPair thief;
  const Bytes der = client_certificate().der();
  REQUIRE(mbedtls_x509_crt_parse_der(&thief.certificate, der.data(), der.size()) == 0);
  TestEnvironment env;
  dtls::RandomSource random{&env.env.rng};
  REQUIRE(mbedtls_pk_setup(&thief.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
  REQUIRE(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(thief.key), dtls::RandomSource::fill,
                              &random) == 0);
  Server server;
  RawPeer client(Role::Client, {.own = &thief});
  client.exchange(server.session, kStart);
  CHECK_FALSE(events_of(server.session).connected);
  CHECK_FALSE(client.over());
  Time now = kStart;
  while (server.session.next_timeout() != kNever)
    server.session.handle_timeout(now = server.session.next_timeout());
  CHECK(events_of(server.session).ended == Close::DtlsFailed);
}

namespace {
// A certificate and key for a raw peer: an RSA key, and an extension of `extra` bytes that nobody knows.
void make_odd(dtls::KeyPair& pair, bool rsa, std::size_t extra) {
  static TestEnvironment env(31);
  dtls::RandomSource random{&env.env.rng};
  REQUIRE(mbedtls_pk_setup(&pair.key, mbedtls_pk_info_from_type(rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY)) ==
          0);
  const int made =
      rsa ? mbedtls_rsa_gen_key(mbedtls_pk_rsa(pair.key), dtls::RandomSource::fill, &random, 1024, 65537)
          : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pair.key), dtls::RandomSource::fill,
                                &random);
  REQUIRE(made == 0);
  mbedtls_x509write_cert writer;
  mbedtls_x509write_crt_init(&writer);
  mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&writer, &pair.key);
  mbedtls_x509write_crt_set_issuer_key(&writer, &pair.key);
  REQUIRE(mbedtls_x509write_crt_set_subject_name(&writer, "CN=x") == 0);
  REQUIRE(mbedtls_x509write_crt_set_issuer_name(&writer, "CN=x") == 0);
  REQUIRE(dtls::set_serial(writer, ByteVector{1}) == 0);
  REQUIRE(mbedtls_x509write_crt_set_validity(&writer, "20400101000000", "20410101000000") ==
          0);  // not yet valid
  const ByteVector value(extra, 4);
  if (extra != 0)
    REQUIRE(mbedtls_x509write_crt_set_extension(&writer, "\x2a\x03\x04", 3, 0, value.data(), value.size()) ==
            0);
  ByteVector der(extra + 2000);
  const int size =
      mbedtls_x509write_crt_der(&writer, der.data(), der.size(), dtls::RandomSource::fill, &random);
  mbedtls_x509write_crt_free(&writer);
  REQUIRE(size > 0);
  const Bytes written = Bytes(der).last(static_cast<std::size_t>(size));
  REQUIRE(mbedtls_x509_crt_parse_der(&pair.certificate, written.data(), written.size()) == 0);
}
}  // namespace

TEST_CASE("RSA, not yet valid and large certificates of a client are taken by their fingerprint",
          "[DTLS-45][DTLS-06]") {
  const bool rsa = GENERATE(true, false);
  dtls::KeyPair odd;
  make_odd(odd, rsa, rsa ? 0 : 6000);
  const Bytes der(odd.certificate.raw.p, odd.certificate.raw.len);
  Server server(*dtls::fingerprint_of(HashAlgorithm::Sha256, der));
  RawPeer client(Role::Client, {.own = &odd});
  client.exchange(server.session, kStart);
  CHECK(client.over());
  CHECK(events_of(server.session).connected);
}

TEST_CASE("only the first certificate of the list is compared", "[DTLS-45][DTLS-04]") {
  dtls::KeyPair own;
  make_odd(own, false, 0);
  const Fingerprint first =
      *dtls::fingerprint_of(HashAlgorithm::Sha256, {own.certificate.raw.p, own.certificate.raw.len});
  const Bytes other = client_certificate().der();
  REQUIRE(mbedtls_x509_crt_parse_der(&own.certificate, other.data(), other.size()) == 0);
  const bool expects_first = GENERATE(true, false);
  Server server(expects_first ? first : client_certificate().fingerprint());
  RawPeer client(Role::Client, {.own = &own});
  client.exchange(server.session, kStart);
  const Events events = events_of(server.session);
  CHECK(events.connected == expects_first);
  CHECK(events.ended.has_value() != expects_first);
}

TEST_CASE("a peer without extended_master_secret is taken", "[DTLS-44]") {
  Server server;
  RawPeer client(Role::Client, {.own = &client_certificate().key_pair(), .extended_master_secret = false});
  client.exchange(server.session, kStart);
  CHECK(client.over());
  CHECK(events_of(server.session).connected);
}

TEST_CASE("each of our suites works with a plain Mbed TLS, in both roles; others do not",
          "[DTLS-15][DTLS-09]") {
  for (const std::uint16_t suite : dtls::cipher_suites()) {
    Server server;
    RawPeer client(Role::Client, {.own = &client_certificate().key_pair(), .suites = {suite}});
    client.exchange(server.session, kStart);
    CHECK(client.over());
    CHECK(server.session.cipher_suite() == mbedtls_ssl_get_ciphersuite_name(suite));
    CHECK(server.session.overhead() == (suite == 0xcca9 ? 29u : 37u));
    Client ours;
    RawPeer theirs(Role::Server, {.own = &server_certificate().key_pair(), .suites = {suite}});
    theirs.exchange(ours.session, kStart);
    CHECK(theirs.over());
    CHECK(events_of(ours.session).connected);
  }
  const std::vector<std::uint16_t> ours(dtls::cipher_suites().begin(), dtls::cipher_suites().end());
  CHECK(ours == std::vector<std::uint16_t>{0xcca9, 0xc02b, 0xc02c});
  Server server;
  RawPeer client(Role::Client, {.own = &client_certificate().key_pair(),
                                .suites = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}});
  client.exchange(server.session, kStart);
  CHECK_FALSE(client.over());
  CHECK(client.result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
}

TEST_CASE("a sealed record with nothing in it is counted as that, and the session goes on", "[DTLS-20]") {
  Server server;
  RawPeer client(Role::Client, {.own = &client_certificate().key_pair()});
  client.exchange(server.session, kStart);
  REQUIRE(client.over());
  const unsigned char text[] = {1, 2, 3};
  REQUIRE(mbedtls_ssl_write(client.ssl(), text, 0) == 0);
  REQUIRE_FALSE(client.outbox().empty());
  client.exchange(server.session, kStart);
  CHECK(server.session.drops()[Drop::DtlsEmpty] == 1);
  CHECK(server.session.drops()[Drop::DtlsRejected] == 0);
  CHECK(receive_all(server.session).empty());
  REQUIRE(mbedtls_ssl_write(client.ssl(), text, 3) == 3);
  client.exchange(server.session, kStart);
  CHECK(receive_all(server.session) == std::vector<ByteVector>{{1, 2, 3}});
}

TEST_CASE("a record repeated under the new keys takes no place of those that wait for the Finished",
          "[DTLS-16]") {
  Client client;
  RawPeer server(Role::Server, {.own = &server_certificate().key_pair()});
  for (int i = 0; i < 4 && !server.over(); ++i) {
    for (; !server.outbox().empty(); server.outbox().pop_front())
      client.session.handle_packet(kStart, server.outbox().front());
    for (auto& datagram : poll_all(client.session, kStart)) server.inbox().push_back(std::move(datagram));
    server.step();
  }
  REQUIRE(server.over());
  std::vector<ByteVector> flight;
  for (const auto& datagram : std::exchange(server.outbox(), {}))
    for (const auto& record : records_of(datagram)) flight.push_back(to_vector(record.whole));
  REQUIRE(flight.size() == 2);
  mbedtls_ssl_send_alert_message(server.ssl(), MBEDTLS_SSL_ALERT_LEVEL_WARNING,
                                 MBEDTLS_SSL_ALERT_MSG_USER_CANCELED);
  const std::size_t limit = client.env.env.limits.dtls_pre_verified;
  for (std::uint8_t i = 0; i < limit; ++i) REQUIRE(mbedtls_ssl_write(server.ssl(), &i, 1) == 1);
  const auto sealed = std::exchange(server.outbox(), {});
  REQUIRE(sealed.size() == 1 + limit);

  CHECK(client.session.handle_packet(kStart, flight[0]) == Drop::None);  // ChangeCipherSpec
  CHECK(client.session.handle_packet(kStart, sealed[0]) == Drop::None);
  CHECK(client.session.handle_packet(kStart, sealed[0]) == Drop::DtlsRejected);
  for (std::size_t i = 1; i < sealed.size(); ++i)
    CHECK(client.session.handle_packet(kStart, sealed[i]) == Drop::None);
  CHECK(client.session.handle_packet(kStart, flight[1]) == Drop::None);  // Finished
  CHECK(events_of(client.session).connected);
  CHECK(receive_all(client.session).size() == limit);
}

#if defined(MBEDTLS_SSL_RENEGOTIATION)
TEST_CASE("renegotiation is refused and the session lives", "[DTLS-27]") {
  SECTION("a client asks") {
    Server server;
    RawPeer client(Role::Client, {.own = &client_certificate().key_pair(), .renegotiation = true});
    client.exchange(server.session, kStart);
    REQUIRE(client.over());
    mbedtls_ssl_renegotiate(client.ssl());
    client.exchange(server.session, kStart);
    CHECK(server.session.state() == SessionState::Connected);
  }
  SECTION("a server asks") {
    Client client;
    RawPeer server(Role::Server, {.own = &server_certificate().key_pair(), .renegotiation = true});
    server.exchange(client.session, kStart);
    REQUIRE(server.over());
    const std::size_t said = server.from_session.size();
    mbedtls_ssl_renegotiate(server.ssl());  // HelloRequest
    server.exchange(client.session, kStart);
    CHECK(client.session.state() == SessionState::Connected);
    REQUIRE(server.from_session.size() == said + 1);
    CHECK(records_of(server.from_session.back())[0].type == 21);  // the no_renegotiation warning
  }
}
#endif

TEST_CASE("a hello of an older version is answered with protocol_version, and fails in the end",
          "[DTLS-23]") {
  Server server;
  const auto whole = read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex");
  ByteVector old = to_vector(Bytes(whole).subspan(25));
  old[1] = 0xff;  // client_version fe.ff: DTLS 1.0
  CHECK(server.session.handle_packet(kStart, hello_datagram(0, old)) == Drop::None);
  const auto flight = poll_all(server.session, kStart);
  REQUIRE(flight.size() == 1);
  const auto record = records_of(flight[0])[0];
  CHECK(record.type == 21);
  CHECK(to_hex(record.fragment) == "0246");
  Time now = kStart;
  while (server.session.next_timeout() != kNever)
    server.session.handle_timeout(now = server.session.next_timeout());
  CHECK(events_of(server.session).ended == Close::DtlsFailed);
}
