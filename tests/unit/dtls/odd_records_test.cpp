// Records that are well formed and have no place: too long, too short, two messages in one, at a time when nobody waits for them.
#include "support/catch.h"
#include "unit/dtls/ends.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const ByteVector kText = {'t', 'e', 'x', 't'};

ByteVector joined(std::initializer_list<Bytes> parts) {
  ByteVector all;
  for (const Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

ByteVector firefox_hello() {
  return to_vector(Bytes(read_hex_file("vectors/dtls/firefox-client-hello-reassembled.hex")).subspan(25));
}

}  // namespace

TEST_CASE("a record longer than any may be is malformed, and one longer than Mbed TLS takes is refused",
          "[DTLS-13]") {
  Pair pair;
  pair.start();
  pair.run();
  REQUIRE(pair.connected());
  const auto give = [&](std::uint8_t type, std::size_t size) {
    return pair.server.handle_packet(pair.now, make_record(type, 0xfefd, 1, 1000, ByteVector(size, 0xab)));
  };
  CHECK(give(23, 16384 + 2048 + 1) == Drop::DtlsMalformed);
  CHECK(give(23, 16384 + 2048) == Drop::DtlsRejected);
  CHECK(give(21, 16384 + 2048) == Drop::DtlsRejected);
  CHECK(pair.data_flows());
}

TEST_CASE("a ClientHello too short to bear a random is malformed, and keeps nobody out", "[DTLS-13]") {
  Server server;
  const ByteVector whole = firefox_hello();
  for (const std::size_t size : {1u, 33u})
    CHECK(server.session.handle_packet(kStart, hello_datagram(0, Bytes(whole).first(size))) ==
          Drop::DtlsMalformed);
  CHECK(poll_all(server.session, kStart).empty());
  CHECK(server.session.handle_packet(kStart, hello_datagram(1, whole)) == Drop::None);
  CHECK_FALSE(poll_all(server.session, kStart).empty());
}

// RFC 6347 §4.2.3 and RFC 5246 §6.2.1: several messages may share a record. A ClientHello is a flight of its own.
TEST_CASE("a ClientHello beside another message is refused; other messages share a record", "[DTLS-02]") {
  Server server;
  const ByteVector body = firefox_hello();
  const ByteVector hello = make_fragment(1, static_cast<std::uint32_t>(body.size()), 0, 0, body);
  const ByteVector other = make_fragment(16, 2, 1, 0, ByteVector{1, 2});
  for (const ByteVector& fragments : {joined({hello, other}), joined({other, hello}), joined({hello, hello})})
    CHECK(server.session.handle_packet(kStart, make_record(22, 0xfefd, 0, 0, fragments)) ==
          Drop::DtlsUnexpected);
  CHECK(poll_all(server.session, kStart).empty());

  Pair pair;
  std::size_t merged = 0;
  pair.wire = [&](std::size_t, Role from, Pair::Flight flight) {
    if (from == Role::Client) return flight;
    for (ByteVector& datagram : flight) {
      const auto records = records_of(datagram);
      const bool are_messages =
          records.size() > 1 && records[0].type == 22 && records[1].type == 22 && records[1].epoch == 0;
      if (!are_messages) continue;
      ++merged;
      ByteVector changed = make_record(22, 0xfefd, 0, records[0].sequence_number,
                                       joined({records[0].fragment, records[1].fragment}));
      for (std::size_t i = 2; i < records.size(); ++i) changed = joined({changed, records[i].whole});
      datagram = changed;
    }
    return flight;
  };
  pair.start();
  pair.run();
  CHECK(merged != 0);
  CHECK(pair.connected());
  CHECK(pair.data_flows());
}

TEST_CASE("a warning without a key is no hint that the peer gave up", "[DTLS-03]") {
  Client client;
  REQUIRE(poll_all(client.session, kStart).size() == 1);
  for (const ByteVector& alert : {ByteVector{1, 0}, ByteVector{1, 90}, ByteVector{2}, ByteVector{2, 40, 0}})
    CHECK(client.session.handle_packet(kStart, make_record(21, 0xfefd, 0, 0, alert)) == Drop::DtlsUnexpected);
  const Time due = client.session.next_timeout();
  client.session.handle_timeout(due);
  const auto flight = poll_all(client.session, due);
  REQUIRE(flight.size() == 1);  // the hello once more, and no new beginning
  CHECK(parse_client_hello(message_in(flight, 1)).random.size() == 32);
}

TEST_CASE("a ChangeCipherSpec is one byte of 1", "[DTLS-13]") {
  Server server;
  REQUIRE(server.session.handle_packet(kStart, hello_datagram(0, firefox_hello())) == Drop::None);
  REQUIRE_FALSE(poll_all(server.session, kStart).empty());
  for (const ByteVector& content : {ByteVector{2}, ByteVector{1, 1}})
    CHECK(server.session.handle_packet(kStart, make_record(20, 0xfefd, 0, 1, content)) ==
          Drop::DtlsMalformed);
  CHECK(server.session.state() == SessionState::Handshaking);
}

TEST_CASE("data that awaits the verdict on the peer is kept up to the limit", "[DTLS-16]") {
  Pair pair;
  const Fingerprint of_server = server_certificate().fingerprint(),
                    of_client = client_certificate().fingerprint();
  REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&of_server, 1}));
  pair.start(100ms, false);
  pair.exchange();
  REQUIRE(pair.client.state() == SessionState::Connected);
  const std::size_t limit = pair.server_env.env.limits.dtls_pre_verified;
  for (std::size_t i = 0; i < limit + 2; ++i)
    CHECK(pair.server.handle_packet(pair.now, seal(pair.client, pair.now, kText)) ==
          (i < limit ? Drop::None : Drop::DtlsEarly));
  REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&of_client, 1}));
  CHECK(receive_all(pair.server).size() == limit);
}

TEST_CASE("a datagram that does not fit the caller's buffer is still there for a larger one") {
  Client client;
  ByteVector small(20), large(1500);
  CHECK(client.session.poll_packet(kStart, small) == 0);
  CHECK(client.session.poll_packet(kStart, small) == 0);
  CHECK(client.session.poll_packet(kStart, large) > small.size());
  CHECK(client.session.poll_packet(kStart, large) == 0);
}

TEST_CASE("a session with datagrams that wait to be read does not rest") {
  Pair pair;
  pair.start();
  pair.run();
  REQUIRE(pair.data_flows());
  for (int i = 0; i < 2; ++i)
    CHECK(pair.server.handle_packet(pair.now, seal(pair.client, pair.now, kText)) == Drop::None);
  ByteVector out(100);
  CHECK_FALSE(pair.server.rest(pair.now));
  CHECK(pair.server.receive(out) == kText.size());
  CHECK_FALSE(pair.server.rest(pair.now));  // the second one waits
  CHECK(pair.server.receive(out) == kText.size());
  CHECK(pair.server.rest(pair.now));
  CHECK(pair.data_flows());
}
