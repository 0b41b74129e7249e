// A session lives once: its record numbers do not wrap, and what has ended is not begun again.
#include "support/catch.h"
#include "unit/dtls/ends.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// How many records a session has sealed, which no test can reach by sealing them. An explicit instantiation may name a private
// member, and that is all that it is for.
template <auto kMember>
struct Opened {
  friend std::uint64_t& records_sent(Session& session) { return session.*kMember; }
};
std::uint64_t& records_sent(Session& session);
template struct Opened<&Session::records_sent_>;

constexpr std::uint64_t kWrap = std::uint64_t{1} << 48;

// The first datagram of a client that begins.
ByteVector new_hello() {
  Client stranger;
  const auto flight = poll_all(stranger.session, kStart);
  REQUIRE(flight.size() == 1);
  return flight[0];
}

}  // namespace

TEST_CASE("an association ends before its record numbers wrap", "[DTLS-48]") {
  Pair pair;
  pair.start();
  pair.run();
  REQUIRE(pair.connected());
  (void)events_of(pair.client);
  // One record at a time, as an application's would come: far from the end all is well, and at some point there is an end,
  // which leaves room for what the session itself may still have to say.
  const ByteVector message(100, 1);
  ByteVector out(200);
  std::uint64_t& count = records_sent(pair.client);
  std::uint64_t last_sent = 0;
  for (std::uint64_t next = kWrap - (std::uint64_t{1} << 21); next < kWrap; next += std::uint64_t{1} << 20) {
    count = next - 1;
    REQUIRE(pair.client.send(pair.now, message, out));
    REQUIRE(count == next);  // each one counts
    last_sent = next;
    if (!pair.client.send(pair.now, message, out)) break;
  }
  CHECK(last_sent < kWrap - 1000);
  CHECK(pair.client.state() == SessionState::Closed);
  CHECK(events_of(pair.client).ended == Close::Local);
  CHECK(pair.client.send(pair.now, message, out).error() == ErrorCode::InvalidState);
  CHECK(!poll_all(pair.client, pair.now).empty());  // close_notify
}

TEST_CASE("a session that has ended, however it did, answers no hello and does not start again",
          "[DTLS-14]") {
  enum class How { ByUs, ByThem, Failed, Lives };
  for (const How how : std::initializer_list<How>{How::ByUs, How::ByThem, How::Failed, How::Lives}) {
    INFO("how " << static_cast<int>(how));
    Pair pair;
    pair.start();
    if (how == How::Failed) pair.wire = [](std::size_t, Role, Pair::Flight) { return Pair::Flight{}; };
    pair.run();
    if (how == How::ByUs) pair.server.close(pair.now);
    if (how == How::ByThem) pair.client.close(pair.now);
    pair.exchange();
    if (how != How::Failed)
      REQUIRE(pair.server.state() == (how == How::Lives ? SessionState::Connected : SessionState::Closed));
    if (how == How::Failed) REQUIRE(pair.server.state() == SessionState::Failed);
    (void)poll_all(pair.server, pair.now);
    const SessionState state = pair.server.state();
    CHECK_FALSE(pair.server.start(pair.now, Role::Server));
    CHECK_FALSE(pair.server.start(pair.now, Role::Client));
    for (int i = 0; i < 3; ++i) {
      CHECK(pair.server.handle_packet(pair.now, new_hello()) != Drop::None);
      CHECK(poll_all(pair.server, pair.now).empty());
      pair.now += 1s;
      pair.server.handle_timeout(pair.now);
    }
    CHECK(pair.server.state() == state);
  }
}
