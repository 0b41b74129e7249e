// Strangers who can send to our port, and calls that fail.
#include "support/catch.h"
#include "unit/dtls/ends.h"
#include "unit/dtls/raw_peer.h"

using namespace pollrtc;
using namespace pollrtc::test;

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
      pair.server.handle_packet(pair.now, hello_datagram(count, forged[static_cast<std::size_t>(count % 3)]));
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

TEST_CASE("another hello waits until the one in hand has not moved for a timeout", "[DTLS-02][DTLS-14]") {
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

TEST_CASE("forged records between the true ones do not stop a handshake",
          "[DTLS-03][DTLS-12][DTLS-13][DTLS-16]") {
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

// RFC 6347 §4.1.2.6: the replay window moves for a MAC that is right. There is none in clear, so no number there says anything.
TEST_CASE("a forged record in clear of the highest number makes no true one old", "[DTLS-18][DTLS-03]") {
  constexpr std::uint64_t kHighest = (std::uint64_t{1} << 48) - 1;
  const std::vector<ByteVector> forged{
      make_record(20, 0xfefd, 0, kHighest, ByteVector{1}),
      make_record(22, 0xfefd, 0, kHighest, make_fragment(11, 100, 7, 0, ByteVector(20))),  // too far ahead
      make_record(22, 0xfefd, 0, kHighest, make_fragment(11, 100, 0, 0, ByteVector(20)))};
  for (const std::size_t before : {1u, 2u}) {
    for (std::size_t which = 0; which < forged.size(); ++which) {
      INFO("record " << which << " before flight " << before);
      Pair pair;
      pair.start();
      pair.wire = [&](std::size_t index, Role, Pair::Flight flight) {
        if (index == before) flight.insert(flight.begin(), forged[which]);
        return flight;
      };
      pair.run();
      CHECK(pair.connected());
      CHECK(pair.timeouts == 0);
      CHECK(pair.data_flows());
    }
  }
}

TEST_CASE("the replay window holds from the first record of the new keys, forged numbers in clear or not",
          "[DTLS-18]") {
  Pair pair;
  pair.start();
  std::vector<ByteVector> finished;
  pair.wire = [&](std::size_t, Role from, Pair::Flight flight) {
    flight.insert(flight.begin(), make_record(20, 0xfefd, 0, 77'777, ByteVector{1}));
    for (const ByteVector& datagram : flight)
      for (const auto& record : records_of(datagram))
        if (from == Role::Client && record.epoch == 1) finished.push_back(to_vector(record.whole));
    return flight;
  };
  pair.run();
  REQUIRE(pair.connected());
  REQUIRE(finished.size() == 1);
  CHECK(pair.server.handle_packet(pair.now, finished[0]) == Drop::DtlsRejected);
  CHECK(poll_all(pair.server, pair.now).empty());
  CHECK(pair.data_flows());
}

// Each repeat of the peer's last flight draws ours, which is many times as long, and anyone can send one.
TEST_CASE("repeats of a flight draw ours once in 25 ms, and leave its timer alone", "[DTLS-34]") {
  Server server;
  const auto hello = read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex");
  REQUIRE(server.session.handle_packet(kStart, hello) == Drop::None);
  const auto flight = poll_all(server.session, kStart);
  REQUIRE_FALSE(flight.empty());
  const Time due = server.session.next_timeout();
  for (Time now = kStart; now < kStart + 25ms; now += 1ms) server.session.handle_packet(now, hello);
  CHECK(poll_all(server.session, kStart + 24ms).empty());
  CHECK(server.session.next_timeout() == due);

  // Several in one record are one.
  ByteVector repeats;
  for (int i = 0; i < 50; ++i) {
    const ByteVector one = make_fragment(16, 2, 0, 0, ByteVector{1, 2});
    repeats.insert(repeats.end(), one.begin(), one.end());
  }
  const auto record = make_record(22, 0xfefd, 0, 5, repeats);
  CHECK(server.session.handle_packet(kStart + 25ms, record) == Drop::None);
  CHECK(poll_all(server.session, kStart + 25ms).size() == flight.size());
  CHECK(server.session.next_timeout() == kStart + 25ms + 100ms);

  // Nor is a timer that is due put off by them, or used up twice.
  const Time later = kStart + 125ms;
  server.session.handle_packet(later, hello);
  CHECK(poll_all(server.session, later).size() >= flight.size());
  CHECK(server.session.next_timeout() == later + 200ms);
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
