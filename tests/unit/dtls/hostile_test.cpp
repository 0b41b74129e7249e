// Peers that are strange, wrong or hostile, and strangers who can send to our port.
#include <mbedtls/rsa.h>

#include "dtls/tls_context.h"
#include "support/catch.h"
#include "unit/dtls/pair.h"
#include "unit/dtls/raw_peer.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const Time kStart{1h};

struct Server {
  explicit Server(const Fingerprint& expected = client_certificate().fingerprint(), Duration timeout = 100ms)
      : session(env.env, server_certificate()) {
    REQUIRE(session.set_remote_fingerprints(kStart, {&expected, 1}));
    REQUIRE(session.start(kStart, Role::Server, timeout));
  }
  TestEnvironment env{5};
  Session session;
};

struct Client {
  Client() : session(env.env, client_certificate()) {
    const Fingerprint expected = server_certificate().fingerprint();
    REQUIRE(session.set_remote_fingerprints(kStart, {&expected, 1}));
    REQUIRE(session.start(kStart, Role::Client, 100ms));
  }
  TestEnvironment env{6};
  Session session;
};

// The body of the first message of this type in a flight of unfragmented messages.
ByteVector message_in(const std::vector<ByteVector>& flight, std::uint8_t msg_type) {
  for (const auto& datagram : flight) {
    for (const auto& record : records_of(datagram)) {
      if (record.type != 22 || record.epoch != 0) continue;
      dtls::HandshakeFragment fragment;
      for (Bytes rest = record.fragment; !rest.empty() && dtls::take_fragment(rest, fragment);) {
        if (fragment.msg_type == msg_type) return to_vector(fragment.body);
      }
    }
  }
  return {};
}

// Types of the extensions of a ServerHello or ClientHello body, from where they begin.
std::vector<std::uint16_t> extensions_at(Bytes body, std::size_t at) {
  std::vector<std::uint16_t> types;
  ByteReader reader(body.subspan(at));
  ByteReader list(reader.take(reader.u16()));
  while (!list.rest().empty() && list.ok()) {
    types.push_back(list.u16());
    list.skip(list.u16());
  }
  return types;
}

// Our ClientHello: random, session id, cookie, suites, extensions.
struct ClientHello {
  ByteVector random, session_id, cookie, suites, compression;
  std::vector<std::uint16_t> extensions;
};
ClientHello parse_client_hello(Bytes body) {
  ByteReader r(body);
  ClientHello hello;
  CHECK(r.u16() == 0xfefd);
  hello.random = to_vector(r.take(32));
  hello.session_id = to_vector(r.take(r.u8()));
  hello.cookie = to_vector(r.take(r.u8()));
  hello.suites = to_vector(r.take(r.u16()));
  hello.compression = to_vector(r.take(r.u8()));
  REQUIRE(r.ok());
  hello.extensions = extensions_at(body, body.size() - r.rest().size());
  return hello;
}

bool has(const std::vector<std::uint16_t>& list, std::uint16_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

ByteVector hello_datagram(std::uint64_t sequence, Bytes body, std::uint16_t message_seq = 0) {
  return make_record(22, 0xfeff, 0, sequence,
                     make_fragment(1, static_cast<std::uint32_t>(body.size()), message_seq, 0, body));
}

}  // namespace

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
  CHECK(load_u16(key_exchange.data() + 1) == 29);  // x25519
  CHECK_FALSE(message_in(flight, 13).empty());     // CertificateRequest
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

TEST_CASE("our ClientHello offers what it should and nothing else", "[DTLS-15][DTLS-32][DTLS-44]") {
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

TEST_CASE("a client without a certificate is refused with an alert", "[DTLS-05]") {
  Server server;
  RawPeer client(Role::Client, {});
  client.exchange(server.session, kStart);
  const Events events = events_of(server.session);
  CHECK_FALSE(events.connected);
  CHECK(events.ended == Close::FingerprintMismatch);
  CHECK(client.over());
  CHECK(client.result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
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

TEST_CASE("a thousand forged hellos a second do not keep the true one out", "[DTLS-02][DTLS-03]") {
  const auto whole = read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex");
  const ByteVector body = to_vector(Bytes(whole).subspan(25));
  std::vector<ByteVector> forged(3, body);
  forged[0][1] = 0xff;                                     // an old version
  forged[1][35] = 0xff;                                    // a cookie longer than the message
  for (std::size_t i = 38; i < 58; ++i) forged[2][i] = 0;  // the NULL suite only
  Pair pair;
  std::uint64_t count = 0;
  const auto flood = [&] {
    for (int i = 0; i < 50; ++i, ++count) {
      pair.server.handle_packet(pair.now, hello_datagram(count, forged[count % 3]));
      poll_all(pair.server, pair.now);  // the alerts go to the client's address, and are lost here
    }
  };
  pair.start();
  pair.wire = [&](std::size_t, Role, Pair::Flight flight) {
    flood();
    return flight;
  };
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.now <= kStart + 5s);
  CHECK(pair.data_flows());
}

TEST_CASE("a well-formed forged hello delays the true one by one timeout", "[DTLS-02]") {
  Pair pair;
  pair.start();
  const auto whole = read_hex_file("vectors/dtls/chromium-client-hello-reassembled.hex");
  CHECK(pair.server.handle_packet(pair.now, whole) == Drop::None);
  poll_all(pair.server, pair.now);
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.now <= kStart + 1s);
  CHECK(pair.data_flows());
}

TEST_CASE("another hello waits until the one in hand has not moved for a timeout", "[DTLS-02]") {
  Server server;
  const auto chromium = read_hex_file("vectors/dtls/chromium-client-hello-reassembled.hex");
  const auto firefox = read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex");
  CHECK(server.session.handle_packet(kStart, chromium) == Drop::None);
  const auto first = poll_all(server.session, kStart);
  CHECK(server.session.handle_packet(kStart + 99ms, firefox) == Drop::DtlsUnexpected);
  CHECK(poll_all(server.session, kStart + 99ms).empty());
  CHECK(server.session.handle_packet(kStart + 100ms, firefox) == Drop::None);
  const auto second = poll_all(server.session, kStart + 100ms);
  REQUIRE_FALSE(second.empty());
  CHECK(message_in(second, 2) != message_in(first, 2));
}

TEST_CASE("application data in clear has no place in a handshake", "[DTLS-08]") {
  Server server;
  const auto data = make_record(23, 0xfefd, 0, 500, ByteVector{1});
  CHECK(server.session.handle_packet(kStart, data) == Drop::DtlsUnexpected);
  CHECK(server.session.handle_packet(
            kStart, read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex")) == Drop::None);
  CHECK(server.session.handle_packet(kStart, data) == Drop::DtlsUnexpected);
  CHECK(server.session.drops()[Drop::DtlsUnexpected] == 2);
}

TEST_CASE("a forged alert during the handshake does not end it", "[DTLS-03]") {
  Pair pair;
  pair.start();
  pair.wire = [&](std::size_t index, Role from, Pair::Flight flight) {
    Session& to = from == Role::Client ? pair.server : pair.client;
    to.handle_packet(pair.now, make_record(21, 0xfefd, 0, 9000 + index, ByteVector{2, 40}));
    return flight;
  };
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.timeouts == 0);
}

TEST_CASE("a peer that gave up is met with a new beginning", "[DTLS-03]") {
  Client client;
  RawPeer silent(Role::Server,
                 {.own = &server_certificate().key_pair(), .suites = {MBEDTLS_TLS_RSA_WITH_AES_128_CBC_SHA}});
  silent.exchange(client.session, kStart);  // handshake_failure
  CHECK(client.session.state() == SessionState::Handshaking);
  Time now = kStart;
  RawPeer server(Role::Server, {.own = &server_certificate().key_pair()});
  for (int i = 0; i < 10 && !server.over(); ++i) {
    now = client.session.next_timeout();
    client.session.handle_timeout(now);
    server.exchange(client.session, now);
  }
  CHECK(server.over());
  CHECK(events_of(client.session).connected);
}

TEST_CASE("forged records between the true ones do not stop a handshake", "[DTLS-03][DTLS-13][DTLS-16]") {
  const ByteVector junk(60, 0x5c);
  std::vector<ByteVector> forged;
  for (const int type : {20, 21, 23}) {
    for (const std::uint16_t epoch : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2}})
      forged.push_back(make_record(static_cast<std::uint8_t>(type), 0xfefd, epoch, 100'000, junk));
  }
  forged.push_back(make_record(22, 0xfefd, 1, 100'000, junk));  // in the place of a Finished
  forged.push_back(make_record(22, 0xfefd, 0, 100'001, junk));
  forged.push_back(make_record(22, 0xfefd, 0, 100'002, make_fragment(11, 100, 1, 90, ByteVector(20))));
  forged.push_back(make_record(22, 0xfefd, 0, 100'003, make_fragment(0, 0, 0, 0, {})));  // HelloRequest
  forged.push_back(make_record(22, 0xfefd, 0, 100'004, make_fragment(99, 0, 0, 0, {})));
  forged.push_back(make_record(22, 0xfefd, 0, 100'005, make_fragment(11, 0x800000, 1, 0, ByteVector(20))));
  const bool before = GENERATE(true, false);
  for (std::size_t which = 0; which < forged.size(); ++which) {
    INFO("record " << which << (before ? " before" : " behind"));
    Pair pair;
    pair.start();
    pair.wire = [&](std::size_t, Role, Pair::Flight flight) {
      flight.insert(before ? flight.begin() : flight.end(), forged[which]);
      return flight;
    };
    pair.run();
    CHECK(pair.connected());
    CHECK(pair.timeouts == 0);
    CHECK(pair.data_flows());
  }
}

TEST_CASE("a heap of forged sealed records does not push the true ones out", "[DTLS-03][DTLS-16]") {
  Pair pair;
  pair.start();
  pair.wire = [&](std::size_t index, Role, Pair::Flight flight) {
    for (std::uint64_t i = 0; i < 20; ++i)
      flight.insert(flight.begin(),
                    make_record(i % 2 == 0 ? 23 : 22, 0xfefd, 1, 1000 * index + i, ByteVector(60, 0x77)));
    return flight;
  };
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.timeouts == 0);
  CHECK(receive_all(pair.client).empty());
  CHECK(receive_all(pair.server).empty());
  CHECK(pair.data_flows());
}

TEST_CASE("a message that a stranger spoils costs a try, not the session", "[DTLS-03]") {
  // A forged message in clear that comes first: of the client's flight to the server, or the server's to the client.
  const bool to_server = GENERATE(true, false);
  Pair pair;
  pair.start();
  bool done = false;
  pair.wire = [&](std::size_t index, Role, Pair::Flight flight) {
    const bool now_it = index == (to_server ? 2u : 1u) && !done;
    if (now_it) {
      done = true;
      const ByteVector body(50, 0xee);
      flight.insert(flight.begin(),
                    make_record(22, 0xfefd, 0, 50'000,
                                make_fragment(to_server ? 11 : 2, 50, to_server ? 1 : 0, 0, body)));
    }
    return flight;
  };
  pair.run();
  CHECK(done);
  CHECK(pair.connected());
  CHECK(pair.data_flows());
}

TEST_CASE("whichever call to the random source fails, the session ends cleanly", "[DTLS-22]") {
  const bool client_fails = GENERATE(true, false);
  bool connected = false;
  std::size_t successes = 0;
  for (; !connected && successes < 400; ++successes) {
    Pair pair;
    (client_fails ? pair.client_env : pair.server_env).fail_randomness_after(successes);
    pair.start();
    pair.run(5s);
    connected = pair.connected();
    Session& failing = client_fails ? pair.client : pair.server;
    if (!connected) {
      CHECK(events_of(failing).ended == Close::NoRandomness);
      CHECK(failing.state() == SessionState::Failed);
      CHECK(failing.next_timeout() == kNever);
    }
  }
  CHECK(connected);
  CHECK(successes > 2);
}

TEST_CASE("whichever allocation fails, nothing breaks", "[DTLS-22]") {
  const bool client_fails = GENERATE(true, false);
  for (std::size_t successes = 0; successes < 40; ++successes) {
    Pair pair;
    TestEnvironment& env = client_fails ? pair.client_env : pair.server_env;
    const Fingerprint c = client_certificate().fingerprint(), s = server_certificate().fingerprint();
    REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&s, 1}));
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&c, 1}));
    env.fail_allocations_after(successes);
    const Status server = pair.server.start(pair.now, Role::Server, 100ms);
    const Status client = pair.client.start(pair.now, Role::Client, 100ms);
    Session& failing = client_fails ? pair.client : pair.server;
    const Status& started = client_fails ? client : server;
    if (!started) {
      CHECK(started.error() == ErrorCode::OutOfMemory);
      CHECK(failing.state() == SessionState::New);
      continue;
    }
    pair.run(40s);
    if (failing.state() != SessionState::Connected) CHECK(events_of(failing).ended.has_value());
    pair.client.close(pair.now);
    pair.server.close(pair.now);
  }
}
