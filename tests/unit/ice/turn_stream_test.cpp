#include "ice/turn_stream.h"

#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using sim::TurnServer;
using turn::StreamFramer;

namespace {

// All frames of `stream`, which comes in pieces that end at these places.
std::vector<ByteVector> frames(StreamFramer& framer, const ByteVector& stream,
                               const std::vector<std::size_t>& ends) {
  std::vector<ByteVector> found;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    const ByteVector piece(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                           stream.begin() + static_cast<std::ptrdiff_t>(end));
    Bytes chunk = piece;
    while (const auto frame = framer.next(chunk)) found.push_back(to_vector(*frame));
    CHECK(chunk.empty());
    begin = end;
  }
  return found;
}

}  // namespace

TEST_CASE("messages are found however the stream is cut", "[TURN-15]") {
  TestEnvironment environment;
  const std::vector<ByteVector> messages = {
      TurnServer::data_indication(*parse_ip("192.0.2.5", 1), as_bytes("hello")),
      TurnServer::channel_data(0x4000, as_bytes("12345"), 3),
      TurnServer::channel_data(0x4001, {}),
      TurnServer::channel_data(0x4FFF, as_bytes("1234")),
      hex("0101 0000 2112a442 000000000000000000000000"),
  };
  ByteVector stream;
  for (const ByteVector& message : messages) stream.insert(stream.end(), message.begin(), message.end());
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (const std::size_t step : {1u, 3u, 7u, 100u}) {
      StreamFramer framer(environment.env.memory);
      std::vector<std::size_t> ends;
      for (std::size_t end = first; end < stream.size(); end += step) ends.push_back(end);
      ends.push_back(stream.size());
      CHECK(frames(framer, stream, ends) == messages);
      CHECK_FALSE(framer.is_broken());
    }
  }
}

TEST_CASE("what is no message breaks the stream for good", "[TURN-15]") {
  TestEnvironment environment;
  for (const std::string_view garbage :
       {"16030100", "04000000", "3f000000", "50000000", "80000000", "ff000000", "00010001", "00010002"}) {
    StreamFramer framer(environment.env.memory);
    CHECK(frames(framer, hex(garbage), {1, 4}).empty());
    CHECK(framer.is_broken());
    const ByteVector good = hex("0101 0000 2112a442 000000000000000000000000");
    CHECK(frames(framer, good, {good.size()}).empty());
  }
}

TEST_CASE("a long claim costs no memory", "[TURN-15]") {
  TestEnvironment environment;
  StreamFramer framer(environment.env.memory);
  const ByteVector huge = TurnServer::channel_data(0x4000, ByteVector(65535, 7), 1);
  const ByteVector good = TurnServer::channel_data(0x4000, as_bytes("next"));
  ByteVector stream = huge;
  stream.insert(stream.end(), good.begin(), good.end());
  for (const std::vector<std::size_t>& ends :
       {std::vector<std::size_t>{stream.size()}, {2, 3, 70, 9000, stream.size() - 2, stream.size()}}) {
    const auto found = frames(framer, stream, ends);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == good);
  }
  CHECK(framer.skipped() == 2);
  CHECK(environment.peak_bytes() <= StreamFramer::kLargestFrame);
  // At the limit, and one step above.
  const std::size_t most = StreamFramer::kLargestFrame - 4;
  const ByteVector largest = TurnServer::channel_data(0x4000, ByteVector(most, 1));
  CHECK(frames(framer, largest, {5, largest.size()}).size() == 1);
  const ByteVector above = TurnServer::channel_data(0x4000, ByteVector(most + 1, 1), 3);
  CHECK(frames(framer, above, {5, above.size()}).empty());
}

// A Data indication is as long as what some peer sent: it must not end the connection that carries it.
TEST_CASE("a STUN message longer than we read is passed over, and the stream goes on", "[TURN-15]") {
  const ByteVector good = TurnServer::channel_data(0x4000, as_bytes("next"));
  for (const bool is_cut : {false, true}) {
    TestEnvironment environment;
    StreamFramer framer(environment.env.memory);
    const auto read = [&](std::size_t data) {
      ByteVector stream = TurnServer::data_indication(*parse_ip("192.0.2.5", 1), ByteVector(data, 7));
      stream.insert(stream.end(), good.begin(), good.end());
      return frames(framer, stream,
                    is_cut ? std::vector<std::size_t>{2, 3, 70, stream.size() - 2, stream.size()}
                           : std::vector<std::size_t>{stream.size()});
    };
    constexpr std::size_t kAround = 20 + 12 + 4;  // header, XOR-PEER-ADDRESS, the head of DATA
    CHECK(read(stun::kMaxMessage - kAround).size() == 2);
    CHECK(framer.skipped() == 0);
    std::size_t skipped = 0;
    for (const std::size_t data : {stun::kMaxMessage - kAround + 4, std::size_t{5000}, std::size_t{8000}}) {
      const auto found = read(data);
      REQUIRE(found.size() == 1);
      CHECK(found[0] == good);
      CHECK(framer.skipped() == ++skipped);
    }
    CHECK_FALSE(framer.is_broken());
  }
}

}  // namespace pollrtc::test
