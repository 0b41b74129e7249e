// Attackers who want the victim's memory: each way that we know of to make a connection hold more than its limits say, with
// both profiles. What the user of the victim does matters here, so some of them have one.
#include "base/bytes.h"
#include "sim/whole/attack.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;
using test::ByteVector;

namespace {

bool is_small(Arena& arena) { return arena.limits().dc_channels == Limits::small().dc_channels; }

// Takes one message for each that is announced, as Peer's events have it, and releases what is closed.
void read_on_events(Arena& arena) {
  arena.victim().on_foreign = [&arena](const Peer::Event& event) {
    const auto call = [&arena](auto what) {
      arena.victim().checked().call(arena.world().now(), [&](Peer& p, Time now) {
        what(p, now);
        return true;
      });
    };
    if (const auto* came = std::get_if<Peer::MessageReceived>(&event))
      call([came](Peer& p, Time now) { (void)p.receive(now, came->channel); });
    if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event))
      call([closed](Peer& p, Time now) { p.release_channel(now, closed->channel); });
  };
}

void append(ByteVector& to, const ByteVector& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// Answers each request of the victim to reset streams.
void answer_resets(SctpAttacker& a, std::uint32_t result) {
  a.on_packet = [&a, result](const wire::Packet& packet) {
    for (const wire::Chunk& chunk : packet.chunks) {
      if (chunk.type != wire::kReConfig) continue;
      for (const wire::Parameter& parameter : wire::parameters_of(chunk.value)) {
        if (parameter.type != 13) continue;
        ByteVector value(12);
        store_u16(value.data(), 16);
        store_u16(value.data() + 2, 12);
        store_u32(value.data() + 4, wire::u32(parameter.value, 0));
        store_u32(value.data() + 8, result);
        a.send(SctpAttacker::chunk(wire::kReConfig, 0, value));
      }
    }
  };
}

}  // namespace

TEST_CASE("memory: parts of messages of every size, that fill the window and all it may grow to",
          "[attackers]") {
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 40, 150, 400, 1100}) {
    run_attack("parts of " + std::to_string(size) + " bytes", 12s,
               [size](Arena& arena) {
                 arena.attacker().tick = 1ms;
                 arena.attacker().on_tick = [&arena, size, mid = std::uint32_t{0}]() mutable {
                   SctpAttacker& a = arena.attacker();
                   const std::size_t in_packet = std::max<std::size_t>(1, 1100 / (size + 23));
                   for (std::size_t p = 0; p < std::max<std::size_t>(1, 4 / in_packet); ++p) {
                     ByteVector chunks;
                     for (std::size_t i = 0; i < in_packet; ++i, ++mid)
                       append(chunks, fragment(a.next_tsn++, static_cast<std::uint16_t>(mid), mid, kText,
                                               kBegin | kUnordered, size));
                     a.send(chunks);
                   }
                 };
               },
               {.amplification = 4});
  }
}

TEST_CASE("memory: channels with the longest labels", "[attackers]") {
  run_attack("OPENs of 40 kB", 20s, [](Arena& arena) {
    arena.attacker().on_tick = [&arena, stream = std::uint16_t{0}]() mutable {
      if (stream >= 2100) return;
      send_message(arena.attacker(), stream, 0, kDcep, open_message(20'000, 20'000));
      stream = static_cast<std::uint16_t>(stream + 2);
    };
  });
}

TEST_CASE("memory: a large message on each channel, to a user who keeps the last of each", "[attackers]") {
  run_attack("a message of 60 kB on each channel", 20s, [](Arena& arena) {
    read_on_events(arena);
    arena.attacker().tick = 20ms;
    arena.attacker().on_tick = [&arena, stream = std::uint16_t{0}]() mutable {
      if (stream >= 400) return;
      send_message(arena.attacker(), stream, 0, kDcep, open_message(4));
      send_message(arena.attacker(), stream, 1, kText, ByteVector(60'000));
      stream = static_cast<std::uint16_t>(stream + 2);
    };
  });
}

TEST_CASE("memory: a burst of small messages on one channel after the other", "[attackers]") {
  run_attack("bursts of small messages", 20s, [](Arena& arena) {
    auto channels = std::make_shared<std::vector<ChannelHandle>>();
    arena.victim().on_foreign = [channels](const Peer::Event& event) {
      if (const auto* a = std::get_if<Peer::ChannelAnnounced>(&event)) channels->push_back(a->channel);
    };
    arena.attacker().tick = 300ms;
    arena.attacker().on_tick = [&arena, channels, stream = std::uint16_t{0}]() mutable {
      SctpAttacker& a = arena.attacker();
      arena.victim().checked().call(arena.world().now(), [&](Peer& p, Time now) {
        for (const ChannelHandle channel : *channels)
          while (p.receive(now, channel)) {
          }
        return true;
      });
      send_message(a, stream, 0, kDcep, open_message(4));
      const std::uint32_t burst = is_small(arena) ? 900 : 7'000;
      for (std::uint32_t mid = 1; mid < burst;) {
        ByteVector chunks;
        for (int i = 0; i < 45; ++i)
          append(chunks, fragment(a.next_tsn++, stream, mid++, kText, kBegin | kEnd, 1));
        a.send(chunks);
      }
      stream = static_cast<std::uint16_t>(stream + 2);
    };
  });
}

TEST_CASE("memory: a channel on one stream after the other, opened and reset", "[attackers]") {
  for (const std::uint32_t result : std::initializer_list<std::uint32_t>{1, 2}) {
    run_attack(
        result == 1 ? "channels on all streams, reset" : "channels on all streams, no reset of ours", 70s,
        [result](Arena& arena) {
          read_on_events(arena);
          SctpAttacker& a = arena.attacker();
          answer_resets(a, result);
          a.tick = 2ms;
          a.on_tick = [&a, stream = std::uint16_t{0}, number = a.next_tsn]() mutable {
            if (stream >= 65'532) return;
            ByteVector chunks = fragment(a.next_tsn++, stream, 0, kDcep, kBegin | kEnd, open_message(4));
            append(chunks, reset_request(number++, a.next_tsn - 1, {stream}));
            a.send(chunks);
            stream = static_cast<std::uint16_t>(stream + 2);
          };
        },
        {.amplification = 4});
  }
}

TEST_CASE("memory: every stream is touched", "[attackers]") {
  run_attack("a message on every stream, and a skip", 20s,
             [](Arena& arena) {
               SctpAttacker& a = arena.attacker();
               answer_resets(a, 1);
               a.tick = 5ms;
               a.on_tick = [&a, stream = std::uint32_t{0}]() mutable {
                 if (stream >= 65'535) return;
                 ByteVector chunks, skips(4 + 8 * 40);
                 for (std::size_t i = 0; i < 40; ++i, ++stream) {
                   append(chunks, fragment(a.next_tsn++, static_cast<std::uint16_t>(stream), 0, kText,
                                           kBegin | kEnd, 1));
                   store_u16(skips.data() + 4 + 8 * i, static_cast<std::uint16_t>(stream));
                   store_u16(skips.data() + 6 + 8 * i, 1);
                   store_u32(skips.data() + 8 + 8 * i, 5);
                 }
                 a.send(chunks);
                 store_u32(skips.data(), a.next_tsn++);
                 a.send(SctpAttacker::chunk(wire::kIForwardTsn, 0, skips));
               };
             },
             {.amplification = 4});
}

TEST_CASE("memory: messages that wait for their turn, and parts of others afterwards", "[attackers]") {
  run_attack("what waits, then parts", 20s,
             [](Arena& arena) {
               SctpAttacker& a = arena.attacker();
               a.tick = 5ms;
               a.on_tick = [&a, step = std::uint32_t{0}]() mutable {
                 ByteVector chunks;
                 for (std::uint32_t i = 0; i < 40; ++i) {
                   const std::uint32_t n = step * 40 + i;
                   if (step < 420)  // ordered, and the first never comes
                     append(chunks,
                            fragment(a.next_tsn++, n % 2 == 0 ? 4 : 6, 1 + n / 2, kText, kBegin | kEnd, 1));
                   else if (step > 425)
                     append(chunks, fragment(a.next_tsn++, 8, n, kText, kBegin | kUnordered, 1));
                 }
                 if (step == 422) {  // nearly all of it becomes free
                   ByteVector skip(4 + 8);
                   store_u32(skip.data(), a.next_tsn++);
                   store_u16(skip.data() + 4, 4);
                   store_u32(skip.data() + 8, 1'000'000);
                   a.send(SctpAttacker::chunk(wire::kIForwardTsn, 0, skip));
                 }
                 if (!chunks.empty()) a.send(chunks);
                 ++step;
               };
             },
             {.amplification = 4});
}

TEST_CASE("memory: all of it together", "[attackers]") {
  run_attack("labels, streams, what waits, and parts", 30s,
             [](Arena& arena) {
               SctpAttacker& a = arena.attacker();
               answer_resets(a, 1);
               a.tick = 5ms;
               a.on_tick = [&a, step = std::uint32_t{0}]() mutable {
                 const auto n = static_cast<std::uint16_t>(step * 40);
                 ByteVector chunks;
                 if (step < 1100) {
                   send_message(a, static_cast<std::uint16_t>(step * 2), 0, kDcep, open_message(128));
                 } else if (step < 2700) {
                   // Skipped, not sent: what nobody takes would keep the window from growing.
                   ByteVector skips(4 + 8 * 80);
                   store_u32(skips.data(), a.next_tsn++);
                   for (std::size_t i = 0; i < 80; ++i) {
                     store_u16(skips.data() + 4 + 8 * i, static_cast<std::uint16_t>(n + i / 2));
                     store_u16(skips.data() + 6 + 8 * i, static_cast<std::uint16_t>(i % 2));
                   }
                   chunks = SctpAttacker::chunk(wire::kIForwardTsn, 0, skips);
                 } else if (step < 2800) {
                   for (std::uint32_t i = 0; i < 30; ++i)
                     append(chunks, fragment(a.next_tsn++, 4, step * 30 + i, kText, kBegin | kEnd, 1));
                 } else {
                   for (std::uint32_t i = 0; i < 5; ++i)
                     append(chunks, fragment(a.next_tsn++, 8, step * 5 + i, kText, kBegin | kUnordered, 150));
                 }
                 a.send(chunks);
                 ++step;
               };
             },
             {.amplification = 4});
}
