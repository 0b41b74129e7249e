// What the crypto library works in comes from calloc(), not from Environment::memory, and can run out as well. This program puts a
// calloc of its own before the usual one and lets block n fail, for many n: alone, or as the first of all that follow. No crash, no
// leak; what did not work has been reported, and works when there is memory again.
#include <dlfcn.h>

#include <memory>

#include "dtls/certificate_key.h"
#include "dtls/ec_shortcuts.h"
#include "support/catch.h"
#include "support/sanitizer.h"
#include "unit/dtls/ends.h"
#include "unit/dtls/tls_server.h"

namespace {

enum class Failing { None, One, AllFrom };
Failing failing = Failing::None;
std::size_t blocks = 0;      // asked for while something is to fail
std::size_t first_lost = 0;  // the one of them that fails first

bool is_lost() {
  if (failing == Failing::None) return false;
  const std::size_t block = blocks++;
  return failing == Failing::One ? block == first_lost : block >= first_lost;
}

}  // namespace

extern "C" {
#if defined(POLLRTC_TEST_ASAN)
void* __interceptor_calloc(std::size_t count, std::size_t size);  // the sanitizer's, which our name hides
#endif
void* calloc(std::size_t count, std::size_t size) {
  if (is_lost()) return nullptr;
#if defined(POLLRTC_TEST_ASAN)
  return __interceptor_calloc(count, size);
#else
  using Calloc = void*(std::size_t, std::size_t);
  static Calloc* const usual = reinterpret_cast<Calloc*>(dlsym(RTLD_NEXT, "calloc"));
  return usual(count, size);
#endif
}
}

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// Between begin() and end() memory is short.
class Shortage {
 public:
  Shortage(Failing how, std::size_t successes) : how_(how) {
    blocks = 0;
    first_lost = successes;
  }
  ~Shortage() { end(); }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;
  void begin() { failing = how_; }
  void end() { failing = Failing::None; }
  bool was_felt() const { return blocks > first_lost; }

 private:
  Failing how_;
};

// Calls `attempt` with ever more memory, until there was enough. Of long ones one block in sixteen: the arithmetic of a signature
// takes some thousands, all in the same few places.
enum class Blocks { All, Some };
template <class Attempt>
void sweep(Failing how, Attempt attempt, Blocks which = Blocks::Some) {
  bool was_enough = false;
  for (std::size_t n = 0; !was_enough; n += 1 + (which == Blocks::Some ? n / 16 : 0)) {
    INFO("block " << n << (how == Failing::One ? " alone" : " and all that follow"));
    REQUIRE(n < 100'000);
    Shortage shortage(how, n);
    attempt(shortage);
    was_enough = !shortage.was_felt();
  }
}

}  // namespace

TEST_CASE("whichever block the library lacks, a certificate is made whole or not at all", "[DTLS-22]") {
  sweep(GENERATE(Failing::One, Failing::AllFrom), [](Shortage& shortage) {
    TestEnvironment env;
    shortage.begin();
    const auto made = Certificate::generate(env.env, kNow2026);
    shortage.end();
    if (!made) {
      CHECK(shortage.was_felt());
      CHECK(made.error() == ErrorCode::Crypto);
      CHECK(env.bytes_in_use() == 0);
    } else {
      CHECK(made->fingerprint() == *dtls::fingerprint_of(HashAlgorithm::Sha256, made->der()));
    }
  });
}

TEST_CASE("whichever block the library lacks, a pair becomes text and text a pair, or nothing", "[DTLS-22]") {
  const Failing how = GENERATE(Failing::One, Failing::AllFrom);
  TestEnvironment env;
  Buffer certificate(env.env.memory), key(env.env.memory);
  const Certificate& own = client_certificate();  // made while there is memory
  sweep(how, [&](Shortage& shortage) {
    shortage.begin();
    const Status written = own.write_pem(certificate, key);
    shortage.end();
    if (written) return;
    CHECK(shortage.was_felt());
    CHECK(written.error() == ErrorCode::Crypto);
  });
  REQUIRE(own.write_pem(certificate, key));
  sweep(how, [&](Shortage& shortage) {
    shortage.begin();
    const auto read = Certificate::from_pem(env.env, as_text(certificate), as_text(key));
    shortage.end();
    if (read)
      CHECK(read->fingerprint() == own.fingerprint());
    else
      CHECK(shortage.was_felt());
  });
}

// A try that fails is followed by another one, and the other end is told (RFC 5246 §7.2.2); only a context that cannot be set up
// at all ends the session.
TEST_CASE("whichever block the library lacks, a handshake is made all the same or has ended", "[DTLS-10]") {
  const Failing how = GENERATE(Failing::One, Failing::AllFrom);
  const Fingerprint of_client = client_certificate().fingerprint(),
                    of_server = server_certificate().fingerprint();
  bool has_connected = false, has_ended = false;
  sweep(how, [&](Shortage& shortage) {
    Pair pair;
    REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&of_server, 1}));
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&of_client, 1}));
    const auto start = [&](Session& session, Role role) {
      const Status started = session.start(pair.now, role, 100ms);
      if (started) return;
      CHECK(started.error() == ErrorCode::OutOfMemory);
      CHECK(session.state() == SessionState::New);
      shortage.end();
      REQUIRE(session.start(pair.now, role, 100ms));
    };
    shortage.begin();
    start(pair.server, Role::Server);
    start(pair.client, Role::Client);
    pair.exchange();
    shortage.end();
    pair.run();
    const Events client = events_of(pair.client), server = events_of(pair.server);
    if (pair.connected()) {
      has_connected = true;
      CHECK(client.connected);
      CHECK(server.connected);
      CHECK(pair.now <= kStart + 2s);
      CHECK(pair.data_flows());
      return;
    }
    has_ended = true;
    CHECK(shortage.was_felt());
    for (const Events& events : {client, server})
      if (!events.connected)
        CHECK((events.ended == Close::OutOfMemory || events.ended == Close::DtlsFailed ||
               events.ended == Close::HandshakeTimeout));
  });
  CHECK(has_connected);
  CHECK(has_ended == (how == Failing::AllFrom));
}

#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS
TEST_CASE("whichever block the library lacks, a peer's key has the whole table or none, and is as good") {
  const mbedtls_pk_context& own = server_certificate().key_pair().key;
  TestEnvironment env;
  dtls::RandomSource random{&env.env.rng};
  mbedtls_pk_context signer = dtls::as_ecdsa_key(client_certificate().key_pair().key);
  const std::array<std::uint8_t, 32> hash{1, 2, 3};
  std::array<std::uint8_t, 200> signature;
  std::size_t size = 0;
  REQUIRE(mbedtls_pk_sign(&signer, MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature.data(), &size,
                          dtls::RandomSource::fill, &random) == 0);
  const Bytes der = client_certificate().der();
  bool is_lent = false;
  sweep(
      GENERATE(Failing::One, Failing::AllFrom),
      [&](Shortage& shortage) {
        mbedtls_x509_crt peer;
        mbedtls_x509_crt_init(&peer);
        REQUIRE(mbedtls_x509_crt_parse_der(&peer, der.data(), der.size()) == 0);
        shortage.begin();
        dtls::lend_table(peer.pk, own);
        shortage.end();
        is_lent = mbedtls_pk_ec(peer.pk)->grp.T != nullptr;
        CHECK(is_lent != shortage.was_felt());
        CHECK(mbedtls_pk_verify(&peer.pk, MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature.data(),
                                size) == 0);
        mbedtls_x509_crt_free(&peer);
      },
      Blocks::All);
  CHECK(is_lent);
}
#endif

TEST_CASE("a try for which there is no memory ends the session, whoever asks for it", "[DTLS-10]") {
  SECTION("another client's hello") {
    Server server;
    REQUIRE(server.session.handle_packet(
                kStart, read_hex_file("vectors/dtls/chromium-client-hello-reassembled.hex")) == Drop::None);
    const auto other = read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex");
    Shortage shortage(Failing::AllFrom, 0);
    shortage.begin();
    CHECK(server.session.handle_packet(kStart + 1s, other) == Drop::OutOfMemory);
    shortage.end();
    CHECK(server.session.drops()[Drop::OutOfMemory] == 1);
    CHECK(events_of(server.session).ended == Close::OutOfMemory);
  }
  SECTION("a client's own, after one that failed") {
    Client client;
    (void)poll_all(client.session, kStart);
    // The server gave up, so the next time that is due brings a new beginning, and the one after it the try.
    client.session.handle_packet(kStart, make_record(21, 0xfefd, 0, 0, ByteVector{2, 40}));
    Time now = client.session.next_timeout();
    client.session.handle_timeout(now);
    REQUIRE(client.session.state() == SessionState::Handshaking);
    REQUIRE(poll_all(client.session, now).empty());
    now = client.session.next_timeout();
    Shortage shortage(Failing::AllFrom, 0);
    shortage.begin();
    client.session.handle_timeout(now);
    shortage.end();
    CHECK(events_of(client.session).ended == Close::OutOfMemory);
    CHECK(client.session.next_timeout() == kNever);
  }
}

TEST_CASE("whichever block the library lacks, a session goes to rest or stays, and wakes when it can") {
  const Failing how = GENERATE(Failing::One, Failing::AllFrom);
  const ByteVector text = {'t', 'e', 'x', 't'};
  const auto talking = [] {
    auto pair = std::make_unique<Pair>();
    pair->start();
    pair->run();
    REQUIRE(pair->data_flows());
    return pair;
  };
  sweep(how, [&](Shortage& shortage) {
    const auto pair = talking();
    shortage.begin();
    (void)pair->client.rest(pair->now);
    shortage.end();
    CHECK(pair->client.state() == SessionState::Connected);
    CHECK(pair->data_flows());
  });
  sweep(how, [&](Shortage& shortage) {
    const auto pair = talking();
    REQUIRE(pair->client.rest(pair->now));
    ByteVector out(100);
    shortage.begin();
    const auto sent = pair->client.send(pair->now, text, out);
    shortage.end();
    if (!sent) {
      CHECK(shortage.was_felt());
      CHECK(sent.error() == ErrorCode::OutOfMemory);
      CHECK(pair->client.is_resting());
    }
    CHECK(pair->client.state() == SessionState::Connected);
    CHECK(pair->data_flows());
  });
  const auto pair = talking();
  REQUIRE(pair->client.rest(pair->now));
  Shortage at_the_end(Failing::AllFrom, 0);
  at_the_end.begin();
  pair->client.close(pair->now);
  at_the_end.end();
  CHECK(events_of(pair->client).ended == Close::Local);
  CHECK(poll_all(pair->client, pair->now).empty());  // no key to say goodbye with
}

TEST_CASE("whichever block the library lacks, TLS to a server opens or says that it failed", "[TURN-34]") {
  using dtls::TlsClient;
  TlsIdentity identity("turn.example.org");
  bool has_opened = false, has_failed = false;
  sweep(GENERATE(Failing::One, Failing::AllFrom), [&](Shortage& shortage) {
    TestEnvironment env;
    TlsServer server(identity);
    dtls::TrustAnchors anchors;
    TlsClient client(env.env, anchors);
    shortage.begin();
    const Status trusted = anchors.add(env.env.memory, identity.pem);
    shortage.end();
    if (!trusted) {
      CHECK(trusted.error() == ErrorCode::ParseFailed);
      REQUIRE(anchors.add(env.env.memory, identity.pem));
    }
    shortage.begin();
    const Status started = client.start("turn.example.org", 65536);
    shortage.end();
    if (!started) {
      CHECK(shortage.was_felt());
      CHECK(started.error() == ErrorCode::Crypto);
      CHECK(client.state() == TlsClient::State::Idle);
      return;
    }
    for (int flight = 0; flight < 4; ++flight) {
      server.in.resize(65536);
      server.in.resize(client.take(server.in));
      server.step();
      const ByteVector back = std::exchange(server.out, {});
      Bytes chunk = back;
      std::array<std::uint8_t, 100> plain;
      shortage.begin();
      CHECK(client.read(chunk, plain) == 0);
      shortage.end();
    }
    if (client.state() == TlsClient::State::Open) {
      has_opened = true;
      CHECK(client.write(as_bytes("hello")));
      return;
    }
    has_failed = true;
    CHECK(shortage.was_felt());
    CHECK(client.state() == TlsClient::State::Failed);
    CHECK_FALSE(client.failure().empty());
    CHECK_FALSE(client.write(as_bytes("secret")));
  });
  CHECK(has_opened);
  CHECK(has_failed);
}
