// Data channels between two peers: kinds, sizes, opening, closing.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

TEST_CASE("both ends show what was asked for", "[DCEP-07][API-39]") {
  TwoPeers t(1);
  ChannelOptions options;
  options.label =
      "l\xc3\xa4"
      "bel";
  options.protocol = "proto\xe2\x82\xac";
  options.ordered = false;
  options.max_retransmits = 3;
  options.priority = 512;
  const auto [a, b] = t.connect(options);
  for (const auto& info : {*t.alice.peer.channel(a), *t.bob.peer.channel(b)}) {
    CHECK(info.label == options.label);
    CHECK(info.protocol == options.protocol);
    CHECK_FALSE(info.ordered);
    CHECK(info.max_retransmits == 3);
    CHECK_FALSE(info.max_lifetime_ms);
    CHECK(info.priority == 512);
    CHECK_FALSE(info.negotiated);
    CHECK(info.id == t.alice.peer.channel(a)->id);
  }
}

TEST_CASE("the DTLS client gives out even ids, the server odd ones", "[DCEP-02][API-37]") {
  TwoPeers t(2);
  const ChannelHandle early = t.alice.create({.label = "early"});
  CHECK_FALSE(t.alice.peer.channel(early)->id);  // none before the role is known
  const auto [a, b] = t.connect();
  CHECK(t.alice.peer.channel(early)->id == 1);  // the answer took the client's part
  CHECK(t.alice.peer.channel(a)->id == 3);
  const ChannelHandle from_bob = t.bob.create({.label = "from bob"});
  CHECK(t.bob.peer.channel(from_bob)->id == 0);
  t.world.run_for(1s);
  REQUIRE(t.alice.announced.size() == 1);
  CHECK(t.alice.peer.channel(t.alice.announced[0])->label == "from bob");
}

TEST_CASE("negotiated channels need no OPEN, and an id is taken once", "[DCEP-14][DCEP-17][API-34]") {
  TwoPeers t(3);
  const auto [a, b] = t.connect({.label = "n", .negotiated = true, .id = 100});
  CHECK(t.bob.announced.empty());
  REQUIRE(t.alice.send(a, "x"));
  REQUIRE(t.bob.send(b, "y"));
  t.world.run_for(1s);
  CHECK(t.bob.channels[b].messages.size() == 1);
  CHECK(t.alice.channels[a].messages.size() == 1);
  CHECK(t.alice.peer.create_channel(t.world.now(), {.negotiated = true, .id = 100}).error() ==
        ErrorCode::AlreadyExists);
  CHECK(t.alice.peer.create_channel(t.world.now(), {.negotiated = true}).error() ==
        ErrorCode::InvalidArgument);
  CHECK(t.alice.peer.create_channel(t.world.now(), {.negotiated = true, .id = 65535}).error() ==
        ErrorCode::InvalidArgument);
  CHECK(t.alice.peer.create_channel(t.world.now(), {.max_retransmits = 1, .max_lifetime_ms = 1}).error() ==
        ErrorCode::InvalidArgument);
}

TEST_CASE("messages of every size arrive whole, empty ones too, and keep their type",
          "[API-10][API-11][API-12][DCEP-10][DCEP-21]") {
  TwoPeers t(4);
  const auto [a, b] = t.connect();
  std::vector<ReceivedMessage> sent;
  for (const auto size : std::initializer_list<std::size_t>{0, 1, 2, 1159, 1160, 1161, 1191, 16384, 65535,
                                                            65536, 262143, 262144}) {
    for (const bool is_text : {true, false}) {
      std::string data(size, '\0');  // a NUL is a character like others
      for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<char>((i * 31 + size) & 0x7f);
      REQUIRE(t.alice.send(a, data, is_text));
      sent.push_back({data, is_text});
      t.world.run_for(500ms);
    }
  }
  t.world.run_for(30s);
  CHECK(t.bob.channels[b].messages == sent);
  const std::string too_large(262145, 'x');
  const auto refused = t.alice.send(a, too_large);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == ErrorCode::TooLarge);
  CHECK(t.alice.channel_state(a) == ChannelState::Open);
}

TEST_CASE("a channel closed by one end: its messages first, then closing and closed at the other",
          "[DCEP-12][API-05][API-06]") {
  for (const bool by_alice : {true, false}) {
    TwoPeers t(5);
    const auto [a, b] = t.connect();
    End& closer = by_alice ? t.alice : t.bob;
    End& other = by_alice ? t.bob : t.alice;
    const ChannelHandle closers = by_alice ? a : b, others = by_alice ? b : a;
    const std::string big(100'000, 'x');
    REQUIRE(closer.send(closers, big));
    REQUIRE(closer.send(closers, "last"));
    REQUIRE(closer.peer.close_channel(t.world.now(), closers));
    CHECK(closer.channel_state(closers) == ChannelState::Closing);
    CHECK(closer.send(closers, "too late").error() == ErrorCode::InvalidState);
    t.world.run_for(10s);
    CHECK(other.channels[others].messages == std::vector<ReceivedMessage>{{big, true}, {"last", true}});
    const auto& events = other.channels[others].events;
    REQUIRE(events.size() == 3);
    CHECK(events[1] == "closing");
    CHECK(events[2] == "closed:Remote");
    CHECK(closer.channels[closers].events.back() == "closed:Local");
    CHECK(t.both_connected());
  }
}

TEST_CASE("an id is free again once both streams are reset", "[DCEP-12][ATK-16]") {
  TwoPeers t(6);
  ChannelHandle a = t.connect().first;
  const auto id = t.alice.peer.channel(a)->id;
  for (int round = 0; round < 20; ++round) {
    REQUIRE(t.alice.peer.close_channel(t.world.now(), a));
    t.world.run_for(1s);
    CHECK(t.alice.channel_state(a) == ChannelState::Closed);
    CHECK(t.bob.channel_state(t.bob.announced.back()) == ChannelState::Closed);
    t.alice.peer.release_channel(t.world.now(), a);
    a = t.alice.create({.label = "again"});
    CHECK(t.alice.peer.channel(a)->id == id);
    REQUIRE(t.alice.send(a, "round " + std::to_string(round)));
    t.world.run_for(1s);
    REQUIRE(t.bob.announced.size() == static_cast<std::size_t>(round) + 2);
    CHECK(t.bob.channels[t.bob.announced.back()].messages.size() == 1);
  }
}

TEST_CASE("closing both ends at once gives one closed event each") {
  TwoPeers t(7);
  const auto [a, b] = t.connect();
  REQUIRE(t.alice.peer.close_channel(t.world.now(), a));
  REQUIRE(t.bob.peer.close_channel(t.world.now(), b));
  t.world.run_for(5s);
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open", "closed:Local"});
  CHECK(t.bob.channels[b].events == std::vector<std::string>{"announced", "closed:Local"});
}

TEST_CASE("a channel closed before it opens never opens", "[API-07]") {
  TwoPeers t(8);
  const ChannelHandle closed = t.alice.create({.label = "never"});
  REQUIRE(t.alice.peer.close_channel(t.world.now(), closed));
  REQUIRE(t.alice.peer.close_channel(t.world.now(), closed));
  t.connect();
  t.world.run_for(2s);
  CHECK(t.alice.channels[closed].events == std::vector<std::string>{"closed:Local"});
  CHECK(t.bob.announced.size() == 1);
}

TEST_CASE("a reader who does not read closes the window, and nothing is lost", "[API-15]") {
  TwoPeers t(9);
  const auto [a, b] = t.connect();
  CHECK(t.alice.peer.stats().sctp_peer_rwnd > 2 * 50'000);
  t.bob.read_messages = false;
  const std::string message(50'000, 'm');
  int accepted = 0;
  for (int i = 0; i < 200; ++i) {
    if (t.alice.send(a, message)) ++accepted;
    t.world.run_for(50ms);
  }
  CHECK(accepted < 200);  // the sender's buffer is bounded too
  CHECK(t.alice.peer.stats().sctp_peer_rwnd < message.size());
  CHECK(t.bob.environment.peak_bytes() < 4u << 20);
  t.bob.read_messages = true;
  int read = 0;
  for (int i = 0; i < 600 && read < accepted; ++i) {
    while (t.bob.peer.receive(t.world.now(), b)) ++read;
    t.world.run_for(100ms);
    read += static_cast<int>(t.bob.channels[b].messages.size());
    t.bob.channels[b].messages.clear();
  }
  CHECK(read == accepted);
}

TEST_CASE("a reader who comes back after a long pause gets the rest at once", "[API-15]") {
  for (const Duration pause : {Duration(5s), Duration(60s), Duration(20min)}) {
    INFO("after " << pause.count() / 1'000'000 << " s");
    TwoPeers t(9);
    const auto [a, b] = t.connect();
    t.bob.read_messages = false;
    int sent = 0;
    for (const std::string message(100'000, 'm'); t.alice.send(a, message);) ++sent;
    t.world.run_for(pause);
    REQUIRE(t.both_connected());
    t.bob.read_messages = true;
    int read = 0;
    t.world.after(0ms, [&, b = b] {
      while (t.bob.peer.receive(t.world.now(), b)) ++read;
    });
    t.run_until([&, b = b] { return read + static_cast<int>(t.bob.channels[b].messages.size()) == sent; },
                3s);
  }
}

TEST_CASE("buffered amount rises at send, falls to 0, and the low event comes once", "[API-08]") {
  sim::LinkConfig link;
  link.bits_per_second = 2'000'000;
  TwoPeers t(10, link);
  const ChannelHandle a = t.connect().first;
  CHECK(t.alice.channels[a].low_events == 0);  // the OPEN that went out is nothing of the user's
  REQUIRE(t.alice.peer.set_buffer_low_threshold(a, 10'000));
  const std::string message(100'000, 'm');
  REQUIRE(t.alice.send(a, message));
  CHECK(t.alice.peer.channel(a)->buffered_amount == 100'000);
  t.world.run_for(20s);
  CHECK(t.alice.peer.channel(a)->buffered_amount == 0);
  CHECK(t.alice.channels[a].low_events == 1);
  REQUIRE(t.alice.send(a, "small"));  // never above the threshold
  t.world.run_for(1s);
  CHECK(t.alice.channels[a].low_events == 1);
}

TEST_CASE("the buffered amount is of the user's messages: OPEN and ACK, however they wait, are not in it",
          "[API-08]") {
  sim::LinkConfig link;
  link.bits_per_second = 100'000;
  TwoPeers t(14, link);
  const auto [a, b] = t.connect();
  t.world.run_for(2s);
  REQUIRE(t.alice.send(a, std::string(100'000, 'm')));  // fills the line, so that what follows waits
  REQUIRE(t.bob.send(b, std::string(100'000, 'm')));
  const ChannelHandle fresh = t.alice.create({.label = std::string_view("a label of some length")});
  CHECK(t.alice.channel_state(fresh) == ChannelState::Open);
  CHECK(t.alice.peer.channel(fresh)->buffered_amount == 0);
  REQUIRE(t.alice.peer.set_buffer_low_threshold(fresh, 10));
  REQUIRE(t.alice.send(fresh, "hello"));
  CHECK(t.alice.peer.channel(fresh)->buffered_amount == 5);
  t.run_until([&] { return t.bob.announced.size() == 2; }, 60s);
  CHECK(t.bob.peer.channel(t.bob.announced[1])->buffered_amount == 0);
  t.run_until([&, b = b] { return t.bob.channels[b].messages.size() == 1; }, 60s);
  t.world.run_for(60s);
  CHECK(t.alice.peer.channel(fresh)->buffered_amount == 0);
  CHECK(t.alice.channels[fresh].low_events == 0);  // it was never above the threshold
}

TEST_CASE("limits on channels are kept at both ends", "[ATK-15]") {
  Limits limits;
  limits.dc_channels = 4;
  TwoPeers t(11, {}, {}, {}, limits);
  t.connect();
  for (int i = 0; i < 3; ++i) t.alice.create({.label = "more"});
  CHECK(t.alice.peer.create_channel(t.world.now(), {}).error() == ErrorCode::LimitReached);
  t.world.run_for(2s);
  CHECK(t.bob.announced.size() == 4);
}

TEST_CASE("channels end with their connection, and say whether it was meant", "[DCEP-25]") {
  for (const bool meant : {true, false}) {
    TwoPeers t(12);
    const auto [a, b] = t.connect();
    t.world.run_for(1s);
    if (meant) {
      t.alice.peer.close(t.world.now());
    } else {
      t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = true;
    }
    t.world.run_for(500s);
    const std::string why = meant ? "closed:RemoteAbort" : "closed:ConsentExpired";
    CHECK(t.bob.channels[b].events == std::vector<std::string>{"announced", why});
  }
}

TEST_CASE("a message above what an end takes closes that channel there, and nothing else", "[DCEP-26]") {
  Limits careful;
  careful.sctp_max_message_rx = 64 * 1024;
  TwoPeers t(13, {}, {}, {}, Limits{}, careful);
  const auto deceived = [](std::string answer) {
    return replaced(answer, "a=max-message-size:65536", "a=max-message-size:262144");
  };
  const auto first = connect_edited(t, nullptr, deceived);
  const ChannelHandle a = t.alice.create({.label = "large"});
  t.world.run_for(1s);
  const ChannelHandle b = t.bob.announced.back();
  REQUIRE(t.alice.send(a, std::string(65536, 'x')));
  REQUIRE(t.alice.send(a, std::string(65537, 'x')));
  t.world.run_for(10s);
  CHECK(t.bob.channels[b].messages.size() == 1);
  CHECK(t.bob.channels[b].events == std::vector<std::string>{"announced", "closed:Local"});
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open", "closing", "closed:Remote"});
  CHECK(t.bob.peer.stats().drops[static_cast<std::size_t>(Drop::MessageTooLarge)] == 1);
  speak(t, first);
}

TEST_CASE("an OPEN may not be larger than what the other end takes", "[DCEP-09]") {
  Limits careful;
  careful.sctp_max_message_rx = 64 * 1024;
  TwoPeers t(14, {}, {}, {}, Limits{}, careful);
  const std::string label(65535, 'x');
  const ChannelHandle early = t.alice.create({.label = label});
  const auto first = t.connect();
  CHECK(t.alice.channels[early].events == std::vector<std::string>{"closed:ProtocolViolation"});
  CHECK(t.alice.peer.create_channel(t.world.now(), {.label = label}).error() == ErrorCode::TooLarge);
  CHECK(t.bob.peer.create_channel(t.world.now(), {.label = label}));
  speak(t, first);
}

TEST_CASE("a negotiated channel that the other end never made closes", "[DCEP-16]") {
  TwoPeers t(15);
  const auto first = t.connect();
  const ChannelHandle a = t.alice.create({.negotiated = true, .id = 100});
  REQUIRE(t.alice.send(a, "to nobody"));
  t.world.run_for(1s);
  REQUIRE(t.alice.peer.close_channel(t.world.now(), a));
  t.world.run_for(2s);
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open", "closed:Local"});
  speak(t, first);
}

TEST_CASE("channels opened and closed all the time, over a bad network, all come and go",
          "[DCEP-12][ATK-16]") {
  sim::LinkConfig bad;
  bad.loss = 0.15;
  bad.jitter = 30ms;
  TwoPeers t(16, bad);
  const auto first = t.connect();
  std::size_t opened = 0;
  for (int round = 0; round < 150; ++round) {
    End& end = round % 2 == 0 ? t.alice : t.bob;
    const ChannelHandle c = end.create({.label = "n", .ordered = round % 3 != 0});
    REQUIRE(end.send(c, std::to_string(round)));
    ++opened;
    REQUIRE(end.peer.close_channel(t.world.now(), c));
    t.world.run_for(Duration((round * 37) % 100 * 1000));
    for (End* e : {&t.alice, &t.bob})  // a closed one is of no more use: its id, and its place, are free
      for (auto& [handle, log] : e->channels)
        if (!log.events.empty() && log.events.back().starts_with("closed"))
          e->peer.release_channel(t.world.now(), handle);
  }
  t.world.run_for(120s);
  std::size_t messages = 0, closed = 0;
  for (End* e : {&t.alice, &t.bob})
    for (auto& [handle, log] : e->channels) {
      if (log.events.empty() || log.events.front() != "announced" || handle == first.second) continue;
      messages += log.messages.size();
      closed += log.events.back() == "closed:Remote";
    }
  CHECK(messages == opened);
  CHECK(closed == opened);
  speak(t, first);
}
