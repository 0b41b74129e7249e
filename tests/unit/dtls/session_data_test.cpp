// What happens to records once the session stands: application data, replays, forgeries, the end.
#include "support/catch.h"
#include "unit/dtls/ends.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {
struct Connected : Pair {
  explicit Connected() {
    start();
    run();
    if (!connected()) throw std::runtime_error("not connected");
    events_of(client);
    events_of(server);
  }
  ByteVector sealed(Bytes text) { return seal(client, now, text); }
  Drop give(Bytes datagram) { return server.handle_packet(now, datagram); }
};
const ByteVector kText = {'h', 'e', 'l', 'l', 'o'};
}  // namespace

TEST_CASE("a record given twice is delivered once, one left of the window never", "[DTLS-18]") {
  Connected pair;
  std::vector<ByteVector> sent;
  for (std::uint8_t i = 0; i < 100; ++i) sent.push_back(pair.sealed(ByteVector{i}));
  CHECK(pair.give(sent[40]) == Drop::None);
  CHECK(receive_all(pair.server).size() == 1);
  CHECK(pair.give(sent[40]) == Drop::DtlsRejected);
  CHECK(pair.give(sent[39]) == Drop::None);  // late, within the window
  CHECK(receive_all(pair.server).size() == 1);
  auto forged = sent[99];
  forged.back() ^= 1;
  CHECK(pair.give(forged) == Drop::DtlsRejected);
  CHECK(pair.give(sent[9]) ==
        Drop::None);  // the forged one has not moved the window: 31 behind is still inside
  CHECK(receive_all(pair.server).size() == 1);
  CHECK(pair.give(sent[99]) == Drop::None);
  CHECK(receive_all(pair.server).size() == 1);
  CHECK(pair.give(sent[30]) == Drop::DtlsRejected);  // 69 behind
  CHECK(receive_all(pair.server).empty());
  CHECK(pair.server.drops()[Drop::DtlsRejected] == 3);
}

TEST_CASE("invalid records are dropped in silence and counted, and the session lives",
          "[DTLS-13][DTLS-31][DTLS-08][DTLS-20]") {
  Connected pair;
  const ByteVector junk(40, 0xab);
  CHECK(pair.give(make_record(23, 0xfefd, 1, 1000, junk)) == Drop::DtlsRejected);  // bad MAC
  CHECK(pair.give(make_record(22, 0xfefd, 1, 1000, junk)) == Drop::DtlsRejected);
  CHECK(pair.give(make_record(21, 0xfefd, 1, 1000, junk)) == Drop::DtlsRejected);
  CHECK(pair.give(make_record(20, 0xfefd, 1, 1000, junk)) == Drop::DtlsRejected);
  CHECK(pair.give(make_record(23, 0xfefd, 1, 1000, Bytes(junk).first(3))) ==
        Drop::DtlsRejected);  // shorter than a tag
  CHECK(pair.give(make_record(23, 0xfefd, 0, 1000, junk)) ==
        Drop::DtlsUnexpected);  // application data in clear
  CHECK(pair.give(make_record(23, 0xfefd, 2, 1000, junk)) == Drop::DtlsUnexpected);
  CHECK(pair.give(make_record(23, 0x0303, 1, 1000, junk)) == Drop::DtlsMalformed);
  CHECK(pair.give(make_record(23, 0xfefd, 1, 1000, {})) == Drop::DtlsEmpty);
  for (const int type : {24, 25, 26, 19, 200})
    CHECK(pair.give(make_record(static_cast<std::uint8_t>(type), 0xfefd, 1, 1000, junk)) ==
          Drop::DtlsUnexpected);
  for (const int first : {32, 47, 63})
    CHECK(pair.give(ByteVector(50, static_cast<std::uint8_t>(first))) == Drop::DtlsUnexpected);
  auto cut = pair.sealed(kText);
  cut.pop_back();
  CHECK(pair.give(cut) == Drop::DtlsMalformed);
  CHECK(pair.give(ByteVector{23, 0xfe}) == Drop::DtlsMalformed);
  CHECK(pair.give({}) == Drop::Empty);
  CHECK(poll_all(pair.server, pair.now).empty());  // no alert
  CHECK(pair.server.drops().total() == 20);
  for (std::uint64_t i = 0; i < 300; ++i)  // no number of them is too many
    CHECK(pair.give(make_record(23, 0xfefd, 1, 2000 + i, junk)) == Drop::DtlsRejected);
  CHECK(poll_all(pair.server, pair.now).empty());
  CHECK(pair.data_flows());
}

TEST_CASE("several records in a datagram are all read, good ones beside bad ones", "[DTLS-20]") {
  Connected pair;
  ByteVector datagram = pair.sealed(kText);
  const auto append = [&](const ByteVector& more) {
    datagram.insert(datagram.end(), more.begin(), more.end());
  };
  append(make_record(23, 0xfefd, 1, 5000, ByteVector(30, 1)));
  append(pair.sealed(ByteVector{1}));
  append(pair.sealed(ByteVector{2}));
  CHECK(pair.give(datagram) == Drop::None);
  const auto received = receive_all(pair.server);
  REQUIRE(received.size() == 3);
  CHECK(received[0] == kText);
  CHECK(received[2] == ByteVector{2});
  CHECK(pair.server.drops()[Drop::DtlsRejected] == 1);
}

TEST_CASE("datagrams given without a receive between them are kept, up to a bound") {
  Connected pair;
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += pair.give(pair.sealed(kText)) == Drop::None ? 1 : 0;
  CHECK(taken == 65);  // one in Mbed TLS, 64 in the queue
  CHECK(pair.server.drops()[Drop::DtlsLimit] == 35);
  CHECK(receive_all(pair.server).size() == 65);
  CHECK(pair.data_flows());
}

TEST_CASE("records up to the largest are sealed whole; one longer than the caller's buffer is dropped",
          "[DTLS-35]") {
  Connected pair;
  ByteVector large(16384);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * 7);
  const auto record = pair.sealed(large);
  CHECK(record.size() == large.size() + pair.client.overhead());
  CHECK(records_of(record).size() == 1);
  CHECK(pair.give(record) == Drop::None);
  CHECK(receive_all(pair.server) == std::vector<ByteVector>{large});

  CHECK(pair.give(pair.sealed(large)) == Drop::None);
  ByteVector small(1000);
  CHECK(pair.server.receive(small) == 0);
  CHECK(pair.server.drops()[Drop::DtlsLimit] == 1);
  CHECK(pair.data_flows());
}

TEST_CASE("send allocates nothing") {
  Connected pair;
  const std::size_t before = pair.client_env.allocations();
  for (int i = 0; i < 50; ++i) pair.sealed(kText);
  CHECK(pair.client_env.allocations() == before);
}

TEST_CASE("receiving one record at a time allocates nothing") {
  Connected pair;
  const std::size_t before = pair.server_env.allocations();
  for (int i = 0; i < 50; ++i) {
    pair.give(pair.sealed(kText));
    receive_all(pair.server);
  }
  CHECK(pair.server_env.allocations() == before);
}

TEST_CASE("close_notify is sent at once, answered, and ends both", "[DTLS-19][DTLS-47]") {
  Connected pair;
  const auto late = pair.sealed(kText);
  pair.client.close(pair.now);
  CHECK(events_of(pair.client).ended == Close::Local);
  CHECK(pair.client.state() == SessionState::Closed);
  const auto notify = poll_all(pair.client, pair.now);
  REQUIRE(notify.size() == 1);
  CHECK(pair.give(notify[0]) == Drop::None);
  CHECK(events_of(pair.server).ended == Close::Remote);
  const auto answer = poll_all(pair.server, pair.now);
  REQUIRE(answer.size() == 1);
  CHECK(records_of(answer[0])[0].type == 21);
  CHECK(records_of(answer[0])[0].epoch == 1);
  CHECK(pair.client.handle_packet(pair.now, answer[0]) == Drop::Ended);
  CHECK(pair.give(late) == Drop::Ended);
  CHECK(receive_all(pair.server).empty());
  ByteVector out(100);
  CHECK(pair.server.send(pair.now, kText, out).error() == ErrorCode::InvalidState);
  pair.client.close(pair.now);  // again: nothing
  CHECK_FALSE(events_of(pair.client).ended.has_value());
  CHECK(poll_all(pair.client, pair.now).empty());
}

TEST_CASE("alerts without keys are ignored by a live session", "[DTLS-19]") {
  Connected pair;
  CHECK(pair.give(make_record(21, 0xfefd, 0, 77, ByteVector{1, 0})) == Drop::DtlsUnexpected);  // close_notify
  CHECK(pair.give(make_record(21, 0xfefd, 0, 78, ByteVector{2, 40})) == Drop::DtlsUnexpected);
  CHECK(pair.server.state() == SessionState::Connected);
  CHECK(pair.data_flows());
}

TEST_CASE("a ClientHello on a live association is dropped and changes nothing", "[DTLS-41]") {
  Connected pair;
  TestEnvironment other;
  Session client(other.env, client_certificate());
  REQUIRE(client.start(pair.now, Role::Client));
  for (const auto& hello : poll_all(client, pair.now)) CHECK(pair.give(hello) == Drop::DtlsUnexpected);
  CHECK(poll_all(pair.server, pair.now).empty());
  CHECK(pair.data_flows());
}

TEST_CASE("a last flight that was lost is sent again for as long as it takes", "[DTLS-38]") {
  Pair pair;
  pair.start();
  int lost = 0;
  pair.wire = [&](std::size_t, Role from, Pair::Flight flight) {
    const bool is_last = from == Role::Server && records_of(flight[0])[0].type == 20;
    if (is_last && lost < 6) {
      ++lost;
      return Pair::Flight{};
    }
    return flight;
  };
  pair.run();
  CHECK(lost == 6);
  CHECK(pair.connected());
  CHECK(pair.data_flows());
}

namespace {
// A client that has sent its last flight to a server whose own last flight is lost for a while.
struct AwaitsLastFlight : Pair {
  explicit AwaitsLastFlight(Duration initial_timeout, Duration lost_for = 1h) {
    start(initial_timeout);
    wire = [this, until = now + lost_for](std::size_t, Role from, Flight flight) {
      const bool is_last = from == Role::Server && records_of(flight[0])[0].type == 20;
      return is_last && now < until ? Flight{} : flight;
    };
    exchange();
  }
  // Everything that is due until `end`, and a datagram for the client at each multiple of `every`. When the client sent.
  template <class Source>
  std::vector<Duration> run_with(Duration length, Duration every, const Source& datagram) {
    const Time begin = now;
    std::vector<Duration> sent;
    for (Time next = begin + every; now <= begin + length && client.state() == SessionState::Handshaking;) {
      const Time due = client.next_timeout();
      now = std::min(due, next);
      client.handle_timeout(now);
      if (now == next) {
        client.handle_packet(now, datagram());
        next += every;
        if (client.next_timeout() <= now) client.handle_timeout(now);
      }
      const std::size_t before = flights;
      exchange();
      if (flights != before) sent.push_back(now - begin);
    }
    return sent;
  }
};
}  // namespace

// RFC 6347 §4.2.4: only our own repeat brings the server's last flight again, and data says that it was lost.
TEST_CASE("data under the new keys asks for the last flight sooner than the timer would", "[DTLS-38]") {
  AwaitsLastFlight pair(1s, 8s);
  REQUIRE(pair.server.state() == SessionState::Connected);
  const Time begin = pair.now;
  pair.run_with(20s, 1s, [&] { return seal(pair.server, pair.now, kText); });
  CHECK(pair.connected());
  CHECK(pair.now == begin + 8s);  // the timer would do it after 15
}

TEST_CASE("however long the last flight is lost and data comes, it is the same handshake", "[DTLS-38]") {
  AwaitsLastFlight pair(300ms, 8s);
  const Time begin = pair.now;
  pair.run_with(29s, 1s, [&] { return seal(pair.server, pair.now, kText); });
  CHECK(pair.connected());
  CHECK(pair.now <= begin + 9300ms);  // as without any data
  CHECK_FALSE(receive_all(pair.client).empty());
}

TEST_CASE("forged data under keys that nobody has yet repeats a flight a few times at most",
          "[DTLS-03][DTLS-34]") {
  const ByteVector forged = make_record(23, 0xfefd, 1, 5, ByteVector(40));
  const auto times = [](std::initializer_list<int> ms) {
    std::vector<Duration> list;
    for (const int each : ms) list.push_back(std::chrono::milliseconds(each));
    return list;
  };
  SECTION("none before the server's first") {
    Client client;
    poll_all(client.session, kStart);
    std::vector<Duration> sent;
    for (Time now = kStart; now < kStart + 10s; now += 10ms) {
      client.session.handle_packet(now, forged);
      if (client.session.next_timeout() <= now) client.session.handle_timeout(now);
      if (!poll_all(client.session, now).empty()) sent.push_back(now - kStart);
    }
    CHECK(sent == times({100, 300, 700, 1500, 3100, 6300}));
  }
  SECTION("few before the server's last, which take nothing from the timer") {
    AwaitsLastFlight pair(1s);
    const auto sent = pair.run_with(29s, 10ms, [&forged] { return forged; });
    CHECK(pair.client.state() == SessionState::Handshaking);
    for (const Duration timer : times({1000, 3000, 7000, 15000})) {
      INFO(timer.count());
      CHECK(std::count(sent.begin(), sent.end(), timer) == 1);
    }
    CHECK(sent.size() <= 10);
  }
}

TEST_CASE("data that overtakes the last flight is kept and delivered after it", "[DTLS-16]") {
  Pair pair;
  pair.start();
  pair.wire = [&](std::size_t, Role from, Pair::Flight flight) {
    const bool is_last = from == Role::Server && records_of(flight[0])[0].type == 20;
    if (is_last) flight.insert(flight.begin(), seal(pair.server, pair.now, kText));
    return flight;
  };
  pair.run();
  CHECK(pair.connected());
  CHECK(pair.timeouts == 0);
  CHECK(receive_all(pair.client) == std::vector<ByteVector>{kText});
}

TEST_CASE("close before the handshake is over says nothing on the wire") {
  TestEnvironment env;
  Session session(env.env, client_certificate());
  const bool started = GENERATE(false, true);
  Time now{1h};
  if (started) {
    REQUIRE(session.start(now, Role::Client));
    poll_all(session, now);
  }
  session.close(now);
  CHECK(events_of(session).ended == Close::Local);
  CHECK(poll_all(session, now).empty());
  CHECK(session.next_timeout() == kNever);
}
