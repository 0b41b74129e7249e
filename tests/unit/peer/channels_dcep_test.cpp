// Opening by DCEP, and what messages do to channels: RFC 8832 §6, RFC 8831 §6.6.
#include <algorithm>

#include "support/catch.h"
#include "unit/peer/channels_fixture.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// An OPEN of the other end's: reliable and ordered, normal priority, label "l".
constexpr std::string_view kOpenL = "03 00 0100 00000000 0001 0000 6c";
constexpr std::string_view kAck = "02";

const ChannelOptions kUnreliable{.label = "u", .ordered = false, .max_retransmits = 0};

std::vector<std::string> lines(std::initializer_list<std::string> list) { return list; }

}  // namespace

TEST_CASE("an OPEN is answered by an ACK on its own stream, and the channel announced",
          "[DCEP-01][DCEP-02]") {
  ChannelsFixture t;
  t.connect();
  t.say(7, kOpenL);
  t.run(1s);
  CHECK(t.heard == std::vector<ChannelsFixture::Heard>{{7, 50, false, {2}}});
  CHECK(t.told == lines({"announced 0"}));
  CHECK(t.info(ChannelHandle{0}).id == 7);
}

TEST_CASE("the reliability that an OPEN asks for is what is shown; above 65535 it is 65535", "[DCEP-07]") {
  struct Case {
    const char* open;
    bool ordered;
    std::optional<std::uint16_t> retransmits, lifetime;
  };
  const std::vector<Case> cases = {
      {"03 00 0100 00000007 0000 0000", true, {}, {}},
      {"03 80 0100 00000000 0000 0000", false, {}, {}},
      {"03 01 0100 00000000 0000 0000", true, 0, {}},
      {"03 81 0100 0000fffe 0000 0000", false, 65534, {}},
      {"03 01 0100 0000ffff 0000 0000", true, 65535, {}},
      {"03 01 0100 00010000 0000 0000", true, 65535, {}},
      {"03 02 0100 0000012c 0000 0000", true, {}, 300},
      {"03 82 0100 00000000 0000 0000", false, {}, 0},
      {"03 82 0100 ffffffff 0000 0000", false, {}, 65535},
  };
  ChannelsFixture t;
  t.connect();
  for (std::uint16_t i = 0; i < cases.size(); ++i)
    t.say(static_cast<std::uint16_t>(2 * i + 1), cases[i].open);
  t.run(1s);
  for (std::uint16_t i = 0; i < cases.size(); ++i) {
    INFO(cases[i].open);
    const ChannelInfo info = t.info(ChannelHandle{i});
    CHECK(info.ordered == cases[i].ordered);
    CHECK(info.max_retransmits == cases[i].retransmits);
    CHECK(info.max_lifetime_ms == cases[i].lifetime);
  }
}

TEST_CASE("OPEN and ACK are ordered, on the channel's own stream, also when the channel is neither",
          "[DCEP-03][API-40]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.create(kUnreliable);
  t.say(5, "03 81 0100 00000000 0000 0000");  // unordered, no retransmissions
  t.run(1s);
  REQUIRE(t.heard.size() == 2);
  for (const auto& message : t.heard) {
    CHECK_FALSE(message.unordered);
    CHECK(message.ppid == 50);
    CHECK(message.stream == (message.bytes[0] == 3 ? *t.info(ours).id : 5));
  }
}

TEST_CASE("OPEN and ACK are sent again until they arrive, and are never given up", "[DCEP-03]") {
  for (const bool by_count : {true, false}) {
    ChannelsFixture t;
    t.connect();
    ChannelOptions options{.label = "u", .ordered = false};
    if (by_count) options.max_retransmits = 0;
    if (!by_count) options.max_lifetime_ms = 1;
    t.say(5, by_count ? "03 81 0100 00000000 0000 0000" : "03 82 0100 00000001 0000 0000");
    t.run_until([&] { return !t.told.empty(); }, 1s);  // it is here, and the ACK is on its way
    t.create(options);
    t.net.link.loss = 1;
    t.run(5s);
    t.net.link.loss = 0;
    t.run(30s);
    REQUIRE(t.heard.size() == 2);
    CHECK(t.heard[0].bytes[0] + t.heard[1].bytes[0] == 5);
  }
}

TEST_CASE("messages behind the OPEN keep its order until the other end is heard, and are free from then on",
          "[DCEP-04]") {
  for (const bool by_ack : {true, false}) {
    ChannelsFixture t;
    t.connect();
    const ChannelHandle ours = t.create({.label = "u", .ordered = false});
    const std::uint16_t id = *t.info(ours).id;
    REQUIRE(t.send(ours, "at once"));
    t.run(5s);
    REQUIRE(t.send(ours, "later"));
    t.run(1s);
    if (by_ack) t.say(id, kAck);
    if (!by_ack) t.say_text(id, "no ACK, but a message");
    t.run(1s);
    REQUIRE(t.send(ours, "free"));
    t.run(1s);
    REQUIRE(t.heard.size() == 4);
    CHECK(t.heard[0].bytes[0] == 3);
    CHECK_FALSE(t.heard[1].unordered);
    CHECK_FALSE(t.heard[2].unordered);
    CHECK(t.heard[3].unordered);
  }
}

TEST_CASE("on an ordered channel messages stay ordered; the end that was opened may leave order at once",
          "[DCEP-04]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  REQUIRE(t.send(ours, "x"));
  t.say(5, "03 80 0100 00000000 0000 0000");
  t.run(1s);
  REQUIRE(t.send(ChannelHandle{1}, "y"));
  t.run(1s);
  REQUIRE(t.heard.size() == 3);
  CHECK_FALSE(t.heard[0].unordered);
  CHECK(t.heard[1].bytes == ByteVector{2});
  CHECK(t.heard[2].unordered);
}

TEST_CASE("a negotiated channel has no OPEN that a message could overtake: it leaves order at once") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle agreed = t.open({.ordered = false, .negotiated = true, .id = 100});
  REQUIRE(t.send(agreed, "z"));
  t.run(1s);
  REQUIRE(t.heard.size() == 1);
  CHECK(t.heard[0].unordered);
}

TEST_CASE("an OPEN of the wrong parity is refused by a reset, without an ACK; the others live", "[DCEP-02]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  t.say(10, kOpenL);
  t.run(1s);
  CHECK(t.heard.empty());
  CHECK(t.told.empty());
  CHECK(t.resets() == lines({"reset 10"}));
  CHECK(t.drops(Drop::DcepUnexpected) == 1);
  CHECK(t.state(ours) == ChannelState::Open);
  t.say(11, kOpenL);
  t.run(1s);
  CHECK(t.told == lines({"announced 1"}));
}

TEST_CASE("an OPEN on a stream that was refused, and that the other end has not reset yet, opens nothing",
          "[DCEP-02]") {
  Limits limits;
  limits.dc_channels = 1;
  ChannelsFixture t({}, limits);
  t.connect();
  const ChannelHandle ours = t.open();
  t.say(5, kOpenL);
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 1);
  t.channels.release(t.net.now, ours);  // there is room for one again
  t.reset(0);
  t.run(1s);
  t.told.clear();
  t.say(5, kOpenL);
  t.run(1s);
  CHECK(t.heard.empty());
  CHECK(t.told.empty());
  CHECK(t.drops(Drop::DcepUnexpected) == 1);
  t.reset(5);
  t.run(1s);
  t.say(5, kOpenL);
  t.run(1s);
  CHECK(t.heard == std::vector<ChannelsFixture::Heard>{{5, 50, false, {2}}});
  CHECK(t.told == lines({"announced 1"}));
}

TEST_CASE("a second OPEN closes the channel it comes on, without an ACK", "[DCEP-06][DCEP-02][DCEP-14]") {
  enum class Kind { Theirs, Ours, Negotiated };
  for (const Kind kind : {Kind::Theirs, Kind::Ours, Kind::Negotiated}) {
    ChannelsFixture t;
    t.connect();
    const ChannelHandle bystander = t.open();
    ChannelHandle channel{1};
    if (kind == Kind::Ours) channel = t.open({.label = "x"});
    if (kind == Kind::Negotiated) channel = t.open({.negotiated = true, .id = 101});
    if (kind == Kind::Theirs) t.say(5, kOpenL);
    t.run(1s);
    const std::uint16_t id = *t.info(channel).id;
    t.heard.clear();
    t.told.clear();
    t.say(id, kOpenL);
    t.run(1s);
    CHECK(t.heard.empty());
    CHECK(t.state(channel) == ChannelState::Closing);
    CHECK(t.resets() == lines({"reset " + std::to_string(id)}));
    CHECK(t.drops(Drop::DcepUnexpected) == 1);
    t.reset(id);
    t.run(1s);
    CHECK(t.told == lines({"closed 1 Local"}));
    CHECK(t.state(bystander) == ChannelState::Open);
  }
}

TEST_CASE("ACKs too many, or never asked for, change nothing and are told to nobody", "[DCEP-06]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  const ChannelHandle agreed = t.open({.negotiated = true, .id = 100});
  t.say(5, kOpenL);
  t.run(1s);
  t.told.clear();
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{0, 0, 100, 5, 44}) t.say(id, kAck);
  t.say(0, "02000000");  // as long as some stacks write it
  t.run(1s);
  CHECK(t.told.empty());
  CHECK(t.resets().empty());
  for (const ChannelHandle channel : {ours, agreed, ChannelHandle{2}})
    CHECK(t.state(channel) == ChannelState::Open);
}

TEST_CASE("an OPEN that breaks its format is refused by a reset, never by an ACK", "[DCEP-18]") {
  for (const std::string_view bad : {"03 7f 0000 00000000 0000 0000", "03 00 0000 00000000 0003 0000 6162",
                                     "03 00 0000 00000000 0001 0000 6162", "03 00 0000"}) {
    ChannelsFixture t;
    t.connect();
    t.say(3, bad);
    t.run(1s);
    CHECK(t.heard.empty());
    CHECK(t.told.empty());
    CHECK(t.resets() == lines({"reset 3"}));
    CHECK(t.drops(Drop::DcepMalformed) == 1);
  }
}

TEST_CASE("unknown DCEP messages are counted, and nothing else: on open channels and on unused streams",
          "[DCEP-20]") {
  ChannelsFixture t;
  t.connect();
  const ChannelHandle ours = t.open();
  std::uint64_t count = 0;
  for (const std::string_view type : {"00", "01", "04", "05", "7f", "ff"}) {
    for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{0, 9}) {
      t.say(stream, std::string(type) + "0100 00000000 0000 0000");
      t.run(1s);
      CHECK(t.drops(Drop::DcepUnexpected) == ++count);
    }
  }
  CHECK(t.told.empty());
  CHECK(t.heard.empty());
  CHECK(t.resets().empty());
  CHECK(t.state(ours) == ChannelState::Open);
  // No DCEP message is a message of the user's, whatever it says.
  t.say(0, "02 68656c6c6f");
  t.run(1s);
  CHECK(t.told.empty());
  t.say_text(0, "hello");
  t.run(1s);
  CHECK(t.told == lines({"message hello"}));
}

TEST_CASE("a message of unknown payload protocol is dropped and counted, and closes its channel",
          "[DCEP-11]") {
  for (const std::uint32_t ppid : {0u, 1u, 49u, 52u, 54u, 55u, 58u, 0x33000000u}) {
    ChannelsFixture t;
    t.connect();
    const ChannelHandle ours = t.open(), bystander = t.open({.label = "bystander"});
    t.say({.stream = 0, .ppid = ppid}, {'x'});
    t.say_text(2, "still here");
    t.run(1s);
    CHECK(t.told == lines({"message still here"}));
    CHECK(t.drops(Drop::ChannelUnknownPpid) == 1);
    CHECK(t.state(ours) == ChannelState::Closing);
    CHECK(t.resets() == lines({"reset 0"}));
    t.reset(0);
    t.run(1s);
    CHECK(t.state(ours) == ChannelState::Closed);
    CHECK(t.state(bystander) == ChannelState::Open);
  }
}

TEST_CASE("labels and protocols have 0 to 65535 bytes, and arrive byte for byte", "[DCEP-09]") {
  Limits limits;
  limits.dc_labels *= 2;  // several of the longest
  ChannelsFixture t({.delay = 1ms}, limits);
  t.connect();
  std::string longest;
  while (longest.size() + 3 < 65535) longest += "\xe2\x82\xac";
  longest.resize(65535, 'x');
  const std::string odd("a\0\xc3\xa4\xff", 5);  // not even UTF-8: it is kept as it is
  for (const std::string& text : {std::string(), odd, longest}) {
    for (const bool as_label : {true, false}) {
      const auto count = t.heard.size();
      const ChannelHandle ours = t.create({.label = as_label ? text : "", .protocol = as_label ? "" : text});
      CHECK((as_label ? t.info(ours).label : t.info(ours).protocol) == text);
      t.run(5s);
      REQUIRE(t.heard.size() == count + 1);
      ByteVector open = t.heard.back().bytes;
      CHECK(to_vector(Bytes(open).subspan(12)) == to_vector(text));
      // And the other way: the same OPEN, from the other end.
      const auto announced = static_cast<std::uint32_t>(ours) + 1;
      t.say({.stream = static_cast<std::uint16_t>(*t.info(ours).id + 1), .ppid = 50}, open);
      t.run(5s);
      REQUIRE(t.told.back() == "announced " + std::to_string(announced));
      CHECK((as_label ? t.info(ChannelHandle{announced}).label : t.info(ChannelHandle{announced}).protocol) ==
            text);
      t.run(1s);
    }
  }
  CHECK(t.channels.create(t.net.now, {.label = longest + "x"}, kLargest).error() ==
        ErrorCode::InvalidArgument);
  CHECK(t.channels.create(t.net.now, {.protocol = longest + "x"}, kLargest).error() ==
        ErrorCode::InvalidArgument);
}

TEST_CASE("an OPEN of the largest label and protocol arrives under loss, whole", "[DCEP-15][DCEP-09]") {
  ChannelsFixture t({.loss = 0.2, .reorder = 0.2, .duplicate = 0.1}, {}, {}, 77);
  t.connect_without_loss();
  const std::string label(65535, 'l'), protocol(65535, 'p');
  t.create({.label = label, .protocol = protocol});
  t.run_until([&] { return !t.heard.empty(); }, 120s);
  REQUIRE(t.heard.size() == 1);
  REQUIRE(t.heard[0].bytes.size() == 12 + 2 * 65535);
  const Bytes open = t.heard[0].bytes;
  CHECK(as_text(open.subspan(12, 65535)) == label);
  CHECK(as_text(open.subspan(12 + 65535)) == protocol);
  t.say({.stream = 1, .ppid = 50}, t.heard[0].bytes);
  REQUIRE(t.run_until([&] { return t.told.size() == 2; }, 120s));
  CHECK(t.told == lines({"open 0", "announced 1"}));
  CHECK(t.info(ChannelHandle{1}).label == label);
  CHECK(t.info(ChannelHandle{1}).protocol == protocol);
}

TEST_CASE("an OPEN that is more than the other end takes is not sent", "[DCEP-09]") {
  ChannelsFixture t;
  const std::string label(2000, 'l');
  const auto early = t.channels.create(t.net.now, {.label = label}, 0);  // what it takes is not known yet
  REQUIRE(early);
  t.connect();
  CHECK(t.channels.create(t.net.now, {.label = label}, 2011).error() == ErrorCode::TooLarge);
  CHECK(t.channels.create(t.net.now, {.label = label}, 2012));
  CHECK(t.channels.create(t.net.now, {.label = label, .negotiated = true, .id = 100}, 10));
}

TEST_CASE("as many channels open as there are streams of our parity, and none beyond them") {
  for (const std::uint16_t streams : std::initializer_list<std::uint16_t>{4, 5}) {
    Limits limits;
    limits.sctp_streams = streams;
    ChannelsFixture f({}, limits);
    f.connect();
    std::vector<std::uint16_t> ids;
    for (Result<ChannelHandle> made = f.channels.create(f.net.now, {}, kLargest);;
         made = f.channels.create(f.net.now, {}, kLargest)) {
      if (made) ids.push_back(*f.info(*made).id);
      if (made && ids.size() < 10) continue;
      REQUIRE_FALSE(made);
      CHECK(made.error() == ErrorCode::LimitReached);
      break;
    }
    CHECK(ids == (streams == 4 ? std::vector<std::uint16_t>{0, 2} : std::vector<std::uint16_t>{0, 2, 4}));
  }
}

TEST_CASE("room for many messages stays with the channel that needed it last") {
  ChannelsFixture f;
  f.connect();
  const ChannelHandle first = f.open({.label = "first"}), second = f.open({.label = "second"});
  f.user_reads = false;
  const auto get = [&f](ChannelHandle channel, int count) {
    for (int i = 0; i < count; ++i) f.say_text(*f.info(channel).id, "x");
    f.run(5s);
    const std::size_t before = f.net.a.environment.bytes_in_use();
    int got = 0;
    while (f.channels.receive(channel)) ++got;
    CHECK(got == count);
    return static_cast<std::ptrdiff_t>(f.net.a.environment.bytes_in_use()) -
           static_cast<std::ptrdiff_t>(before);
  };
  const std::ptrdiff_t little = 1000;
  std::ptrdiff_t of_messages = get(first, 1000);
  CHECK(std::abs(get(second, 1)) < little);
  CHECK(std::abs(get(second, 3)) < little);
  CHECK(get(second, 1000) < of_messages - 1000 * 16);  // now the room of the first one goes
}

TEST_CASE("two channels may have the same label and protocol, and each is told of", "[DCEP-28]") {
  ChannelsFixture t;
  t.connect();
  t.say(1, kOpenL);
  t.say(3, kOpenL);
  const ChannelHandle a = t.create({.label = "l"}), b = t.create({.label = "l"});
  CHECK(t.info(a).id != t.info(b).id);
  t.run(1s);
  CHECK(t.told == lines({"open 0", "open 1", "announced 2", "announced 3"}));
  t.say_text(3, "for the second");
  t.run(1s);
  CHECK(t.told.back() == "message for the second");
  CHECK(std::count_if(t.heard.begin(), t.heard.end(), [](const auto& m) { return m.bytes[0] == 3; }) == 2);
}

TEST_CASE("channels open beside others that keep every buffer full", "[DCEP-03]") {
  Limits limits;
  limits.sctp_tx_buffer = limits.sctp_tx_buffer_channel = 100'000;
  ChannelsFixture t({}, limits);
  t.connect();
  const ChannelHandle busy = t.open();
  t.say(5, kOpenL);
  while (t.send(busy, std::string(1000, 'x'))) {
  }
  while (t.send(busy, "x")) {
  }
  t.create({.label = "mine"});
  t.run(2s);
  CHECK(t.told == lines({"open 1", "announced 2", "low 0"}));
  const auto dcep = std::count_if(t.heard.begin(), t.heard.end(), [](const auto& m) { return m.ppid == 50; });
  CHECK(dcep == 2);
}

TEST_CASE("every priority an OPEN can have is kept", "[DCEP-24]") {
  ChannelsFixture t;
  t.connect();
  std::uint16_t stream = 1;
  for (const std::string_view priority : {"0000", "0001", "0080", "0100", "0200", "0400", "ffff"}) {
    t.say(stream, "03 00 " + std::string(priority) + " 00000000 0000 0000");
    t.run(1s);
    const ChannelInfo info = t.info(ChannelHandle{(stream - 1u) / 2});
    const ByteVector bytes = hex(priority);
    CHECK(info.priority == (bytes[0] << 8 | bytes[1]));
    stream = static_cast<std::uint16_t>(stream + 2);
  }
  t.heard.clear();
  t.create({.label = "o", .priority = 0x1234});
  t.run(1s);
  REQUIRE(t.heard.size() == 1);
  CHECK(to_hex(Bytes(t.heard[0].bytes).subspan(2, 2)) == "1234");
}
