// The handshake between two of ours, over good and bad wires.
#include "crypto/digest.h"
#include "support/catch.h"
#include "unit/dtls/pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

TEST_CASE("two sessions connect without a timeout and talk", "[DTLS-09][DTLS-17][DTLS-24][DTLS-40]") {
  Pair pair;
  pair.start();
  pair.run();
  CHECK(pair.timeouts == 0);
  CHECK(pair.flights == 4);  // no HelloVerifyRequest
  const Events client = events_of(pair.client), server = events_of(pair.server);
  CHECK(client.connected);
  CHECK(server.connected);
  CHECK(client.cipher_suite == "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256");
  CHECK(server.cipher_suite == client.cipher_suite);
  CHECK(pair.client.overhead() == 29);
  CHECK(*pair.client.peer_fingerprint() == server_certificate().fingerprint());
  CHECK(*pair.server.peer_fingerprint() == client_certificate().fingerprint());
  CHECK(pair.client.next_timeout() == kNever);
  CHECK(pair.data_flows());
  CHECK(pair.client.drops().total() == 0);
  CHECK(pair.server.drops().total() == 0);
}

TEST_CASE("whatever single flight is lost, the handshake completes", "[DTLS-10][DTLS-38]") {
  for (std::size_t lost = 0; lost < 6; ++lost) {
    INFO("flight " << lost);
    Pair pair;
    pair.wire = [&](std::size_t index, Role, Pair::Flight flight) {
      return index == lost ? Pair::Flight{} : flight;
    };
    pair.start();
    pair.run();
    // The loss of the server's last flight: the client repeats its own, and gets the server's again.
    CHECK(pair.connected());
    CHECK(pair.now <= Time(1h) + 500ms);
    CHECK(pair.data_flows());
  }
}

TEST_CASE("whatever pair of flights is lost, the handshake completes", "[DTLS-10]") {
  for (std::size_t a = 0; a < 6; ++a) {
    for (std::size_t b = a + 1; b < 7; ++b) {
      INFO("flights " << a << " and " << b);
      Pair pair;
      pair.wire = [&](std::size_t i, Role, Pair::Flight flight) {
        return i == a || i == b ? Pair::Flight{} : flight;
      };
      pair.start();
      pair.run();
      CHECK(pair.connected());
      CHECK(pair.data_flows());
    }
  }
}

TEST_CASE("duplicated, reversed and small flights do no harm", "[DTLS-10][DTLS-26][DTLS-30]") {
  for (const auto mtu : {std::uint16_t{200}, std::uint16_t{400}, std::uint16_t{1200}}) {
    for (const bool reversed : {false, true}) {
      for (const bool doubled : {false, true}) {
        INFO("mtu " << mtu << (reversed ? " reversed" : "") << (doubled ? " doubled" : ""));
        Pair pair({mtu});
        pair.wire = [&](std::size_t, Role, Pair::Flight flight) {
          if (reversed) std::reverse(flight.begin(), flight.end());
          const Pair::Flight once = flight;
          if (doubled) flight.insert(flight.end(), once.begin(), once.end());
          return flight;
        };
        pair.start();
        pair.run();
        CHECK(pair.connected());
        CHECK(pair.data_flows());
      }
    }
  }
}

TEST_CASE("records in any order and one to a datagram", "[DTLS-10]") {
  Pair pair;
  pair.wire = [&](std::size_t, Role, Pair::Flight flight) {
    Pair::Flight single;
    for (const auto& datagram : flight) {
      for (const auto& record : records_of(datagram)) single.insert(single.begin(), to_vector(record.whole));
    }
    return single;
  };
  pair.start();
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.timeouts <= 1);  // Mbed TLS keeps four messages ahead, and the server's flight has five
  CHECK(pair.data_flows());
}

TEST_CASE("handshake datagrams fit the path, and are smaller from the third try on", "[DTLS-37]") {
  Pair pair;
  std::size_t largest_first = 0, largest_later = 0, server_flights = 0;
  pair.wire = [&](std::size_t, Role from, Pair::Flight flight) {
    if (from == Role::Client) return flight;
    for (const auto& d : flight) {
      auto& largest = server_flights < 2 ? largest_first : largest_later;
      largest = std::max(largest, d.size());
    }
    ++server_flights;
    return Pair::Flight{};
  };
  pair.start(100ms);
  pair.run(3s);
  CHECK(server_flights >= 3);
  CHECK(largest_first > 508);
  CHECK(largest_first <= 1200);
  CHECK(largest_later <= 508);
}

TEST_CASE("no handshake datagram is larger than it may be, in either direction", "[DTLS-37]") {
  for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{300, 500}) {
    Pair pair({mtu});
    std::size_t largest = 0;
    pair.wire = [&](std::size_t, Role, Pair::Flight flight) {
      for (const auto& datagram : flight) largest = std::max(largest, datagram.size());
      return flight;
    };
    pair.start();
    pair.run();
    CHECK(pair.connected());
    CHECK(largest <= mtu);
    CHECK(largest > mtu / 2u);
  }
}

TEST_CASE("the retransmission timer starts where it is told and doubles", "[DTLS-34][DTLS-10][DTLS-17]") {
  TestEnvironment env;
  Session client(env.env, client_certificate());
  Time now{1h};
  REQUIRE(client.start(now, Role::Client, 80ms));
  Duration expected = 80ms;
  for (int i = 0; i < 6; ++i) {
    CHECK(poll_all(client, now).size() == 1);
    REQUIRE(client.next_timeout() == now + expected);
    now = client.next_timeout();
    client.handle_timeout(now);
    expected *= 2;
  }
  // RFC 6347 §4.2.4.1: the doubling is not cut off below 60 s, where the limit on the whole leaves it that long.
  TestEnvironment patient;
  patient.env.limits.dtls_handshake_timeout = 10min;
  Session slow(patient.env, client_certificate());
  REQUIRE(slow.start(now, Role::Client, 20s));
  for (const Duration wait : std::initializer_list<Duration>{20s, 40s, 60s}) {
    REQUIRE(slow.next_timeout() == now + wait);
    now = slow.next_timeout();
    slow.handle_timeout(now);
  }
  Session floor(env.env, client_certificate());
  REQUIRE(floor.start(now, Role::Client, 1ms));
  CHECK(floor.next_timeout() == now + 50ms);
}

TEST_CASE("a handshake that takes too long ends", "[DTLS-10][lim.dtls.handshake_timeout]") {
  TestEnvironment env;
  env.env.limits.dtls_handshake_timeout = 5s;
  const Role role = GENERATE(Role::Client, Role::Server);
  Session session(env.env, client_certificate());
  Time now{1h};
  REQUIRE(session.start(now, role, 1s));
  int wakes = 0;
  while (session.next_timeout() != kNever) {
    REQUIRE(session.next_timeout() > now);
    now = session.next_timeout();
    session.handle_timeout(now);
    REQUIRE(++wakes < 20);
  }
  CHECK(now == Time(1h) + 5s);
  CHECK(session.state() == SessionState::Failed);
  CHECK(events_of(session).ended == Close::HandshakeTimeout);
}

TEST_CASE("silence is a timeout, however many tries it ends", "[DTLS-10]") {
  TestEnvironment env;
  const auto initial_timeout = GENERATE(Duration(50ms), Duration(1s));
  const auto handshake_timeout = GENERATE(Duration(30s), Duration(1h));
  env.env.limits.dtls_handshake_timeout = handshake_timeout;
  Session session(env.env, client_certificate());
  Time now{};
  REQUIRE(session.start(now, Role::Client, initial_timeout));
  std::array<std::uint8_t, 1500> out;
  for (int wakes = 0; session.next_timeout() != kNever; ++wakes) {
    while (session.poll_packet(now, out) != 0) continue;
    now = session.next_timeout();
    session.handle_timeout(now);
    REQUIRE(wakes < 1000);
  }
  const auto ended_tries = std::count_if(env.log_lines.begin(), env.log_lines.end(), [](const auto& line) {
    return line.find("of the handshake failed") != std::string::npos;
  });
  if (handshake_timeout == 1h) CHECK(ended_tries > 0);  // which is what this is about
  CHECK(events_of(session).ended == Close::HandshakeTimeout);
}

TEST_CASE("a datagram in time of a due timer is not lost") {
  Pair pair;
  pair.start();
  const auto hello = poll_all(pair.client, pair.now);
  pair.server.handle_packet(pair.now, hello[0]);
  const auto flight = poll_all(pair.server, pair.now);
  pair.now = pair.client.next_timeout();
  for (const auto& d : flight)
    pair.client.handle_packet(pair.now, d);  // and handle_timeout has not been called
  pair.exchange();
  CHECK(pair.connected());
}

TEST_CASE("a ClientHello before start is kept, up to the limit", "[DTLS-33]") {
  Pair pair;
  REQUIRE(pair.client.start(pair.now, Role::Client, 100ms));
  const auto hello = poll_all(pair.client, pair.now);
  REQUIRE(hello.size() == 1);
  for (int i = 0; i < 4; ++i) CHECK(pair.server.handle_packet(pair.now, hello[0]) == Drop::None);
  CHECK(pair.server.handle_packet(pair.now, hello[0]) == Drop::DtlsEarly);
  REQUIRE(pair.server.start(pair.now, Role::Server, 100ms));
  CHECK_FALSE(poll_all(pair.server, pair.now).empty());
}

TEST_CASE("a handshake that ends before the fingerprint is known stays unverified",
          "[DTLS-33][DTLS-04][DTLS-16]") {
  Pair pair;
  pair.start(100ms, false);
  const Fingerprint of_server = server_certificate().fingerprint(),
                    of_client = client_certificate().fingerprint();
  REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&of_server, 1}));
  pair.exchange();
  CHECK(pair.client.state() == SessionState::Connected);
  CHECK(pair.server.state() == SessionState::Handshaking);
  CHECK_FALSE(events_of(pair.server).connected);
  const ByteVector text = {'h', 'i'};
  ByteVector out(100);
  for (int i = 0; i < 3; ++i)
    CHECK(pair.server.handle_packet(pair.now, seal(pair.client, pair.now, text)) == Drop::None);
  CHECK(pair.server.receive(out) == 0);
  REQUIRE_FALSE(pair.server.send(pair.now, text, out));
  CHECK(pair.server.send(pair.now, text, out).error() == ErrorCode::InvalidState);

  SECTION("the right one comes: what waited goes up") {
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&of_client, 1}));
    CHECK(events_of(pair.server).connected);
    const auto received = receive_all(pair.server);
    CHECK(received == std::vector<ByteVector>(3, text));
    CHECK(pair.data_flows());
  }
  SECTION("a wrong one comes: nothing goes up, and the peer is told") {
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&of_server, 1}));
    CHECK(events_of(pair.server).ended == Close::FingerprintMismatch);
    CHECK(pair.server.receive(out) == 0);
    pair.exchange();
    CHECK(events_of(pair.client).ended == Close::RemoteAbort);
  }
  SECTION("none ever comes: the deadline holds") {
    pair.run();
    CHECK(events_of(pair.server).ended == Close::HandshakeTimeout);
  }
}

TEST_CASE("a certificate that was not announced ends the session with an alert, in both roles", "[DTLS-04]") {
  const bool client_judges = GENERATE(true, false);
  Pair pair;
  pair.start(100ms, false);
  const Fingerprint of_server = server_certificate().fingerprint(),
                    of_client = client_certificate().fingerprint();
  REQUIRE(pair.client.set_remote_fingerprints(pair.now, {client_judges ? &of_client : &of_server, 1}));
  REQUIRE(pair.server.set_remote_fingerprints(pair.now, {client_judges ? &of_client : &of_server, 1}));
  pair.run();
  Session& judge = client_judges ? pair.client : pair.server;
  Session& other = client_judges ? pair.server : pair.client;
  const Events of_judge = events_of(judge), of_other = events_of(other);
  CHECK_FALSE(of_judge.connected);
  CHECK(of_judge.ended == Close::FingerprintMismatch);
  CHECK(judge.state() == SessionState::Failed);
  CHECK(of_other.ended == Close::RemoteAbort);  // so a fatal alert came, under the session's keys
  CHECK(pair.timeouts == 0);
  ByteVector out(100);
  CHECK(judge.receive(out) == 0);
  CHECK_FALSE(judge.send(pair.now, out, out));
  CHECK(judge.next_timeout() == kNever);
}

TEST_CASE("only the strongest hash that the peer offers counts", "[DTLS-07]") {
  const auto hash_of = [](HashAlgorithm hash, Bytes der) {
    Fingerprint f;
    f.hash = hash;
    const auto copy = [&f](const auto& digest) {
      std::copy(digest->begin(), digest->end(), f.bytes.begin());
    };
    if (hash == HashAlgorithm::Sha256) copy(crypto::sha256(der));
    if (hash == HashAlgorithm::Sha384) copy(crypto::sha384(der));
    if (hash == HashAlgorithm::Sha512) copy(crypto::sha512(der));
    return f;
  };
  const Bytes right = server_certificate().der(), wrong = client_certificate().der();
  const auto outcome = [&](std::vector<Fingerprint> set) {
    Pair pair;
    const Fingerprint of_client = client_certificate().fingerprint();
    REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&of_client, 1}));
    REQUIRE(pair.client.set_remote_fingerprints(pair.now, set));
    pair.start(100ms, false);
    pair.run();
    return pair.client.state();
  };
  using enum HashAlgorithm;
  CHECK(outcome({hash_of(Sha384, right)}) == SessionState::Connected);
  CHECK(outcome({hash_of(Sha512, right)}) == SessionState::Connected);
  CHECK(outcome({hash_of(Sha256, wrong), hash_of(Sha256, right)}) == SessionState::Connected);
  CHECK(outcome({hash_of(Sha256, wrong), hash_of(Sha512, right)}) == SessionState::Connected);
  CHECK(outcome({hash_of(Sha256, right), hash_of(Sha512, wrong)}) == SessionState::Failed);
  CHECK(outcome({hash_of(Sha384, right), hash_of(Sha512, wrong), hash_of(Sha256, right)}) ==
        SessionState::Failed);
}

TEST_CASE("wrong calls are refused and change nothing") {
  Pair pair;
  const Fingerprint of_client = client_certificate().fingerprint();
  CHECK(pair.server.set_remote_fingerprints(pair.now, {}).error() == ErrorCode::InvalidArgument);
  const std::vector<Fingerprint> many(17, of_client);
  CHECK(pair.server.set_remote_fingerprints(pair.now, many).error() == ErrorCode::LimitReached);
  CHECK(pair.server.next_timeout() == kNever);
  pair.start();
  CHECK(pair.client.start(pair.now, Role::Client).error() == ErrorCode::InvalidState);
  pair.run();
  REQUIRE(pair.connected());
  CHECK(pair.client.set_remote_fingerprints(pair.now, {&of_client, 1}).error() == ErrorCode::InvalidState);
  ByteVector out(60), large(16385);
  CHECK(pair.client.send(pair.now, {}, out).error() == ErrorCode::InvalidArgument);
  CHECK(pair.client.send(pair.now, out, out).error() == ErrorCode::InvalidArgument);
  CHECK(pair.client.send(pair.now, large, large).error() == ErrorCode::TooLarge);
  CHECK(pair.data_flows());
}

TEST_CASE("a flight that comes when our timer is due is read all the same", "[DTLS-10]") {
  Pair pair;
  pair.start();
  for (const ByteVector& hello : poll_all(pair.client, pair.now)) pair.server.handle_packet(pair.now, hello);
  const auto flight = poll_all(pair.server, pair.now);
  REQUIRE_FALSE(flight.empty());
  pair.now = pair.client.next_timeout() + 1ms;  // nobody has told it of the time yet
  for (const ByteVector& datagram : flight) pair.client.handle_packet(pair.now, datagram);
  bool answers = false;  // a ChangeCipherSpec is in no flight before its last one
  for (const ByteVector& datagram : poll_all(pair.client, pair.now))
    for (Bytes rest = datagram; !rest.empty();) {
      dtls::Record record;
      REQUIRE(dtls::take_record(rest, record));
      answers = answers || record.whole[0] == 20;
    }
  CHECK(answers);
}

TEST_CASE("the deadline of a handshake is nothing to a session that stands", "[DTLS-10]") {
  Pair pair;
  pair.start();
  pair.run();
  REQUIRE(pair.connected());
  for (Session* session : {&pair.client, &pair.server}) {
    session->handle_timeout(pair.now + 1h);
    CHECK(session->state() == SessionState::Connected);
    CHECK_FALSE(events_of(*session).ended);
  }
}
