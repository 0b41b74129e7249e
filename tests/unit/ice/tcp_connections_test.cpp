// The connections themselves: frames, who may stay, and what strangers cost.
#include "ice/tcp_connections.h"

#include "base/address.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using ice::TcpConnections;

namespace {

const Address kListener = Address::v4(192, 0, 2, 1, 5000), kActive = Address::v4(192, 0, 2, 1, 9);
const Address kRemote = Address::v4(192, 0, 2, 2, 7000);
const Path kOut{kActive, kRemote, Transport::Tcp}, kIn{kListener, kRemote, Transport::Tcp};
const Time kStart{};

const ByteVector kRequest = hex("0001 0000 2112a442 000000000000000000000001");
const ByteVector kIndication = hex("0011 0000 2112a442 000000000000000000000001");

ByteVector framed(const ByteVector& packet) {
  ByteVector out{static_cast<std::uint8_t>(packet.size() >> 8), static_cast<std::uint8_t>(packet.size())};
  out.insert(out.end(), packet.begin(), packet.end());
  return out;
}

struct Rig {
  explicit Rig(const Limits& limits = {}) : environment(1), tcp(with(environment, limits)) {}
  static Environment& with(TestEnvironment& environment, const Limits& limits) {
    environment.env.limits = limits;
    return environment.env;
  }
  std::vector<ByteVector> receive(StreamId stream, const ByteVector& bytes, Drop verdict = Drop::None) {
    std::vector<ByteVector> out;
    Bytes chunk = bytes;
    while (const auto packet = tcp.next(now, stream, chunk)) {
      out.push_back(to_vector(packet->bytes));
      tcp.on_verdict(*packet, verdict);
    }
    return out;
  }
  ByteVector written(StreamId stream, std::size_t at_once = 4096) {
    ByteVector out, buffer(at_once);
    while (const std::size_t size = tcp.poll_stream(stream, buffer))
      out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    return out;
  }
  std::vector<TcpConnections::Event> events() {
    std::vector<TcpConnections::Event> out;
    TcpConnections::Event event;
    while (tcp.poll_event(event)) out.push_back(event);
    return out;
  }
  template <class E>
  int count() {
    int n = 0;
    for (const auto& event : events()) n += std::holds_alternative<E>(event);
    return n;
  }
  StreamId accept(std::uint16_t port = 7000) {
    const auto stream = tcp.accept(now, kListener, kRemote.with_port(port));
    REQUIRE(stream);
    return *stream;
  }

  Time now = kStart;
  TestEnvironment environment;
  TcpConnections tcp;
};

}  // namespace

TEST_CASE("each packet has its length before it, however the stream is cut", "[ICE-TCP-01]") {
  const ByteVector dtls(1300, 22), one{23}, large(8190, 23);
  std::vector<ByteVector> packets = {kRequest, dtls, one, large, kIndication};
  ByteVector stream;
  for (const ByteVector& packet : packets) {
    const ByteVector frame = framed(packet);
    stream.insert(stream.end(), frame.begin(), frame.end());
    stream.insert(stream.end(), {0, 0});  // a length of 0 is nothing
  }
  for (const std::size_t step : {1u, 2u, 3u, 21u, 1302u, 5000u, 100000u}) {
    Rig rig;
    const StreamId id = rig.accept();
    std::vector<ByteVector> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const std::size_t end = std::min(stream.size(), at + step);
      for (auto& packet : rig.receive(id, ByteVector(stream.begin() + static_cast<std::ptrdiff_t>(at),
                                                     stream.begin() + static_cast<std::ptrdiff_t>(end))))
        found.push_back(std::move(packet));
    }
    CHECK(found == packets);
    CHECK(rig.events().empty());
  }
}

TEST_CASE("what is sent is framed, in order, and taken in any pieces", "[ICE-TCP-01]") {
  for (const std::size_t at_once : {1u, 3u, 4096u}) {
    Rig rig;
    const StreamId id = rig.accept();
    rig.receive(id, framed(kRequest));
    REQUIRE(rig.tcp.send(kIn, kRequest));
    REQUIRE(rig.tcp.send(kIn, ByteVector(1200, 23)));
    ByteVector expected = framed(kRequest), second = framed(ByteVector(1200, 23));
    expected.insert(expected.end(), second.begin(), second.end());
    CHECK(rig.written(id, at_once) == expected);
  }
}

TEST_CASE("the first packet opens the connection, and leaves when it is open", "[ICE-TCP-05]") {
  Rig rig;
  CHECK(rig.events().empty());
  REQUIRE(rig.tcp.send(kOut, kRequest));
  const auto events = rig.events();
  REQUIRE(events.size() == 1);
  const auto* needed = std::get_if<TcpConnections::Needed>(&events[0]);
  REQUIRE(needed != nullptr);
  CHECK(needed->local == kActive);
  CHECK(needed->remote == kRemote);
  CHECK(rig.tcp.owns(needed->stream));
  CHECK(rig.written(needed->stream).empty());
  CHECK_FALSE(rig.tcp.can_send(kOut));
  rig.tcp.stream_opened(rig.now, needed->stream);
  CHECK(rig.count<TcpConnections::Opened>() == 1);
  CHECK(rig.written(needed->stream) == framed(kRequest));
  REQUIRE(rig.tcp.send(kOut, kRequest));  // the same connection
  CHECK(rig.events().empty());
  // Nobody connects for a passive candidate.
  CHECK_FALSE(rig.tcp.send(kIn, kRequest));
  CHECK(rig.events().empty());
}

TEST_CASE("a connection that is refused, or ends, is told of once", "[ICE-TCP-05]") {
  Rig rig;
  REQUIRE(rig.tcp.send(kOut, kRequest));
  const auto needed = std::get<TcpConnections::Needed>(rig.events()[0]);
  rig.tcp.stream_closed(rig.now, needed.stream);
  rig.tcp.stream_closed(rig.now, needed.stream);
  const auto events = rig.events();
  REQUIRE(events.size() == 2);
  CHECK(std::get<TcpConnections::Closed>(events[0]).path == kOut);
  CHECK_FALSE(std::get<TcpConnections::Closed>(events[0]).is_stranger);
  CHECK(rig.tcp.empty());
  REQUIRE(rig.tcp.send(kOut, kRequest));  // another
  CHECK(std::get<TcpConnections::Needed>(rig.events()[0]).stream != needed.stream);
}

TEST_CASE("a connection that is over before anybody heard of it is not asked for, nor told to be open") {
  Rig rig;
  const auto told = [&rig] {
    return rig.count<TcpConnections::Needed>() + rig.count<TcpConnections::Opened>();
  };
  REQUIRE(rig.tcp.send(kOut, kRequest));
  rig.tcp.keep_if([](const Path&) { return false; });
  CHECK(told() == 0);
  CHECK(rig.tcp.empty());
  REQUIRE(rig.tcp.send(kOut, kRequest));
  const auto needed = std::get<TcpConnections::Needed>(rig.events()[0]);
  rig.tcp.stream_opened(rig.now, needed.stream);
  rig.tcp.stream_closed(rig.now, needed.stream);
  const auto events = rig.events();
  REQUIRE(events.size() == 2);
  CHECK(std::holds_alternative<TcpConnections::Closed>(events[0]));
  CHECK(std::holds_alternative<TcpConnections::Done>(events[1]));
}

TEST_CASE("who begins with something else than STUN is closed", "[ICE-TCP-05][ICE-TCP-06]") {
  for (const bool is_ours : {true, false}) {
    for (const ByteVector& garbage : std::initializer_list<ByteVector>{
             ByteVector(100, 22), hex("0001 0000 00000000 000000000000000000000001"),
             to_vector("GET / HTTP")}) {
      Rig rig;
      StreamId id{};
      if (is_ours) {
        REQUIRE(rig.tcp.send(kOut, kRequest));
        id = std::get<TcpConnections::Needed>(rig.events()[0]).stream;
        rig.tcp.stream_opened(rig.now, id);
        rig.events();
      } else {
        id = rig.accept();
      }
      CHECK(rig.receive(id, framed(garbage)).empty());
      const auto events = rig.events();
      REQUIRE(events.size() == 2);
      CHECK(std::get<TcpConnections::Closed>(events[0]).is_stranger);
      CHECK(std::get<TcpConnections::Done>(events[1]).stream == id);
      CHECK(rig.tcp.drops()[Drop::TcpNotStun] == 1);
      CHECK(rig.receive(id, framed(kRequest)).empty());
    }
  }
}

TEST_CASE(
    "after the peer has shown itself anything goes, but a packet larger than any of ours is passed over",
    "[ICE-TCP-01][ICE-TCP-06]") {
  Rig rig;
  const StreamId id = rig.accept();
  CHECK(rig.receive(id, framed(kRequest)).size() == 1);
  CHECK(rig.receive(id, framed(ByteVector(60000, 23))).empty());
  CHECK(rig.tcp.drops()[Drop::TcpTooLarge] == 1);
  CHECK(rig.receive(id, framed({20, 1})).size() == 1);
  CHECK(rig.events().empty());
}

TEST_CASE("an accepted connection has ten seconds to show that it is the peer's", "[ICE-TCP-06][ATK-29]") {
  Rig rig;
  const StreamId good = rig.accept(1), silent = rig.accept(2), stranger = rig.accept(3), sly = rig.accept(4);
  rig.receive(good, framed(kRequest));
  rig.receive(stranger, framed(kRequest), Drop::StunIntegrity);
  rig.receive(sly, framed(kIndication));  // which nobody signs
  rig.now = kStart + 5s;
  rig.receive(silent, {0});
  rig.tcp.handle_timeout(kStart + 9'999ms);
  CHECK(rig.events().empty());
  CHECK(rig.tcp.next_timeout() == kStart + 10s);
  rig.tcp.handle_timeout(kStart + 10s);
  std::vector<StreamId> done;
  for (const auto& event : rig.events())
    if (const auto* d = std::get_if<TcpConnections::Done>(&event)) done.push_back(d->stream);
  CHECK(done == std::vector<StreamId>{silent, stranger, sly});
  CHECK(rig.tcp.next_timeout() == kNever);
  CHECK(rig.tcp.drops()[Drop::TcpLimit] == 3);
}

TEST_CASE("strangers are few: the oldest goes, and the peer still gets in", "[ICE-TCP-06][ATK-29]") {
  Rig rig;
  std::size_t most = 0;
  const std::size_t before = rig.environment.bytes_in_use();
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const StreamId id = rig.accept(static_cast<std::uint16_t>(1000 + i));
    rig.receive(id, {0});
    rig.receive(id, {100, 0, 1});  // and one byte a second from here on
    most = std::max(most, rig.environment.bytes_in_use() - before);
    rig.events();
  }
  CHECK(rig.tcp.drops()[Drop::TcpLimit] == 992);
  WARN("ATK-29: 1000 connections of strangers with 4 bytes each; heap +"
       << most << " at most, " << rig.tcp.drops()[Drop::TcpLimit] << " closed");
  CHECK(most < 120 * 1024);
  const StreamId good = rig.accept(7000);
  CHECK(rig.receive(good, framed(kRequest)).size() == 1);
  // Those that have shown themselves are not pushed out.
  for (std::uint16_t i = 0; i < 50; ++i) rig.accept(static_cast<std::uint16_t>(3000 + i));
  CHECK(rig.receive(good, framed(kRequest)).size() == 1);
}

TEST_CASE("a frame of 65,535 bytes before any valid check closes the connection unread", "[ATK-29]") {
  Rig rig;
  const StreamId id = rig.accept();
  rig.receive(id, {0xff, 0xff});
  CHECK(rig.count<TcpConnections::Done>() == 1);
  CHECK(rig.tcp.drops()[Drop::TcpTooLarge] == 1);
  CHECK(rig.environment.peak_bytes() < 32 * 1024);
}

TEST_CASE("the connections in all are bounded, those we open too", "[ATK-29]") {
  Limits limits;
  limits.ice_tcp_connections = 3;
  Rig rig(limits);
  for (std::uint16_t port = 1; port <= 3; ++port)
    REQUIRE(rig.tcp.send({kActive, kRemote.with_port(port), Transport::Tcp}, kRequest));
  CHECK_FALSE(rig.tcp.send(kOut, kRequest));
  CHECK(rig.tcp.accept(rig.now, kListener, kRemote).error() == ErrorCode::LimitReached);
  CHECK(rig.count<TcpConnections::Needed>() == 3);
}

TEST_CASE("what waits to be written is bounded, and no packet goes in half",
          "[ICE-TCP-01][lim.ice.tcp_buffer]") {
  Limits limits;
  limits.ice_tcp_buffer = 10000;
  Rig rig(limits);
  const StreamId id = rig.accept();
  // Little, as long as nobody has shown anything.
  CHECK(rig.tcp.send(kIn, ByteVector(1200, 1)));
  CHECK_FALSE(rig.tcp.send(kIn, ByteVector(1200, 1)));
  rig.receive(id, framed(kRequest));
  CHECK(rig.tcp.can_send(kIn));
  int sent = 1;
  while (rig.tcp.send(kIn, ByteVector(1200, 1))) ++sent;
  CHECK(sent == 8);
  CHECK_FALSE(rig.tcp.can_send(kIn));
  CHECK(rig.written(id).size() == static_cast<std::size_t>(sent) * 1202);
  CHECK(rig.tcp.can_send(kIn));
}

TEST_CASE("those that nobody wants any more are closed; at the end, when all is written", "[ICE-TCP-07]") {
  Rig rig;
  const StreamId wanted = rig.accept(1), unwanted = rig.accept(2), unproved = rig.accept(3);
  rig.receive(wanted, framed(kRequest));
  rig.receive(unwanted, framed(kRequest));
  rig.tcp.keep_if([](const Path& path) { return path.remote.port == 1; });
  auto events = rig.events();
  REQUIRE(events.size() == 1);
  CHECK(std::get<TcpConnections::Done>(events[0]).stream == unwanted);
  REQUIRE(rig.tcp.send({kListener, kRemote.with_port(1), Transport::Tcp}, kRequest));
  rig.tcp.close();
  events = rig.events();
  REQUIRE(events.size() == 1);
  CHECK(std::get<TcpConnections::Done>(events[0]).stream == unproved);
  CHECK(rig.written(wanted) == framed(kRequest));
  CHECK(rig.count<TcpConnections::Done>() == 1);
  CHECK(rig.tcp.empty());
}

}  // namespace pollrtc::test
