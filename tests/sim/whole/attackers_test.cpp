// Attackers, each against a victim that has an honest connection too, with both profiles of limits. `./run attackers` prints
// what each costs.
#include "base/bytes.h"
#include "ice/stun_message.h"
#include "sim/whole/attack.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;
using test::ByteVector;

namespace {

Path path_to(Side& victim, const Address& from) { return {victim.last_path().local, from}; }

}  // namespace

TEST_CASE(
    "a FORWARD TSN jump by half the number space, again and again, and a list of 300 streams: time for a "
    "packet",
    "[ATK-11]") {
  std::chrono::nanoseconds per_packet[2];
  for (const bool jumps : {false, true}) {
    Bounds bounds;
    bounds.amplification = 2;  // a jump of 16 bytes draws a SACK of 16, and each has a record around it
    std::uint64_t packets = 0;
    run_attack(
        jumps ? "FORWARD TSN: jumps and 300 streams" : "FORWARD TSN: by one and one stream", 10s,
        [&](Arena& arena) {
          arena.attacker().on_tick = [&arena, &packets, jumps] {
            SctpAttacker& a = arena.attacker();
            const std::size_t streams = jumps ? 300 : 1;
            ByteVector value(4 + 8 * streams);
            a.next_tsn += jumps ? 0x7FFFFFFF : 1;
            store_u32(value.data(), a.next_tsn - 1);
            for (std::size_t i = 0; i < streams; ++i) {
              store_u16(value.data() + 4 + 8 * i, static_cast<std::uint16_t>(i * 200));
              store_u32(value.data() + 8 + 8 * i, static_cast<std::uint32_t>(a.random.next()));
            }
            a.send(SctpAttacker::chunk(wire::kIForwardTsn, 0, value));
            ++packets;
          };
        },
        bounds,
        [&](Arena&, const Figures& f) {
          per_packet[jumps] = std::chrono::nanoseconds(static_cast<std::int64_t>(
              f.nanoseconds_per_byte * static_cast<double>(f.bytes_in) / static_cast<double>(packets)));
          packets = 0;
          CHECK(f.lives_on);
        });
  }
  // 300 streams may cost 300 times one of them, and the DTLS record as much as anything; a jump costs what a step costs.
  CHECK(per_packet[1] < 60 * per_packet[0]);
}

TEST_CASE("an authenticated peer that speaks random SCTP for ten minutes", "[ATK-23]") {
  std::uint64_t lived = 0, bytes = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const bool is_small = seed % 2 == 0;
    CAPTURE(seed);
    Arena arena(100 + seed, is_small ? Limits::small() : Limits{});
    arena.connect();
    SctpAttacker& a = arena.attacker();
    a.rudeness = seed % 3 == 0 ? 0.02 : 0;
    a.on_tick = [&a] { a.send_nonsense(); };
    const Figures f = arena.attack("nonsense, seed " + std::to_string(seed), 600s);
    print(f, is_small);
    CHECK(f.heap <= (is_small ? kMemorySmall : kMemory));
    CHECK(f.amplification() <= 2.0);
    CHECK(f.honest_messages > 5000);
    lived += f.lives_on ? 1 : 0;
    bytes += f.bytes_in;
  }
  CHECK(lived >= 4);  // else nothing was attacked for long
  CHECK(bytes > 10'000'000);
}

TEST_CASE("reassembly: fragments that never end, on every stream, and with gaps", "[attackers]") {
  run_attack("never-ending first fragments on all streams", 20s,
             [](Arena& arena) {
               arena.attacker().tick = 2ms;
               arena.attacker().on_tick = [&arena, n = std::uint16_t{0}]() mutable {
                 SctpAttacker& a = arena.attacker();
                 a.send(fragment(a.next_tsn++, n++, 0, 51, kBegin | kUnordered, 1000));
               };
             },
             {});
  run_attack("one byte each, every other TSN", 20s,
             [](Arena& arena) {
               arena.attacker().tick = 2ms;
               arena.attacker().on_tick = [&arena]() {
                 SctpAttacker& a = arena.attacker();
                 ByteVector chunks;
                 for (int i = 0; i < 10; ++i) {
                   a.next_tsn += 2;
                   const ByteVector one = fragment(a.next_tsn, 1, a.next_tsn, 51, kBegin | kUnordered, 1);
                   chunks.insert(chunks.end(), one.begin(), one.end());
                 }
                 a.send(chunks);
               };
             },
             {.amplification = 4});
}

TEST_CASE("acknowledgments of what was never sent, windows of nothing, and acknowledgments that go back",
          "[attackers]") {
  run_attack("a_rwnd 0 for ever", 60s, [](Arena& arena) {
    SctpAttacker& a = arena.attacker();
    a.a_rwnd = 0;
    a.on_tick = [&arena] {
      arena.victim().chat();
      SctpAttacker& attacker = arena.attacker();
      ByteVector sack(12);
      store_u32(sack.data(), attacker.victim_tsn);
      attacker.send(SctpAttacker::chunk(wire::kSack, 0, sack));
    };
  });
  run_attack("SACKs of anything", 10s,
             [](Arena& arena) {
               arena.attacker().on_tick = [&arena] {
                 arena.victim().chat();
                 SctpAttacker& a = arena.attacker();
                 ByteVector sack(12 + 4 * a.random.index(200));
                 store_u32(sack.data(), a.victim_tsn - static_cast<std::uint32_t>(a.random.below(3)));
                 store_u32(sack.data() + 4, 0xFFFFFFFF);
                 store_u16(sack.data() + 8, static_cast<std::uint16_t>((sack.size() - 12) / 4));
                 for (std::size_t i = 12; i < sack.size(); ++i)
                   sack[i] = static_cast<std::uint8_t>(a.random.next());
                 a.send(SctpAttacker::chunk(wire::kSack, 0, sack));
               };
             },
             {});
}

TEST_CASE("storms of RE-CONFIG, HEARTBEAT, OPEN, and of channels that open and close", "[attackers]") {
  run_attack("10,000 RE-CONFIG requests", 20s,
             [](Arena& arena) {
               arena.attacker().tick = 2ms;
               arena.attacker().on_tick = [&arena] {
                 SctpAttacker& a = arena.attacker();
                 a.send(reset_request(static_cast<std::uint32_t>(a.random.next()), a.next_tsn - 1,
                                      {static_cast<std::uint16_t>(a.random.next())}));
               };
             },
             {.amplification = 1.2});
  run_attack("HEARTBEATs of 1000 bytes", 10s, [](Arena& arena) {
    arena.attacker().tick = 1ms;
    arena.attacker().on_tick = [&arena] {
      ByteVector value(1000);
      store_u16(value.data(), 1);
      store_u16(value.data() + 2, 1000);
      arena.attacker().send(SctpAttacker::chunk(wire::kHeartbeat, 0, value));
    };
  });
  run_attack("OPEN on every stream", 60s,
             [](Arena& arena) {
               arena.attacker().tick = 5ms;
               arena.attacker().on_tick = [&arena, stream = std::uint16_t{0}]() mutable {
                 SctpAttacker& a = arena.attacker();
                 a.send(a.data(stream++, 50, open_message(20)));
               };
             },
             {});
  run_attack("a channel opens and closes, thousands of times", 60s,
             [](Arena& arena) {
               auto number = std::make_shared<std::uint32_t>(arena.attacker().next_tsn);
               arena.attacker().tick = 30ms;  // a round trip
               arena.attacker().on_tick = [&arena, number] {
                 SctpAttacker& a = arena.attacker();
                 ByteVector chunks = a.data(2, 50, open_message(4));
                 const ByteVector reset = reset_request((*number)++, a.next_tsn - 1, {2});
                 chunks.insert(chunks.end(), reset.begin(), reset.end());
                 a.send(chunks);
               };
             },
             {.amplification = 4});
}

TEST_CASE("slow: half a message for ever, and never more", "[attackers]") {
  run_attack("half a message, and a byte each second", 300s,
             [](Arena& arena) {
               SctpAttacker& a = arena.attacker();
               a.send(fragment(a.next_tsn++, 0, 0, 51, kBegin, 600));
               a.tick = 1s;
               a.on_tick = [&a, fsn = std::uint32_t{1}]() mutable {
                 a.send(fragment(a.next_tsn++, 0, 0, fsn++, 0, 1));
               };
             },
             {.amplification = 2, .nanoseconds_per_byte = 20000});
}

TEST_CASE("off the path: whatever is sprayed is dropped, and draws at most as many bytes as it brings",
          "[attackers]") {
  run_attack("forged STUN, DTLS, ChannelData, noise", 20s, [](Arena& arena) {
    auto step = std::make_shared<std::function<void()>>();
    auto random = std::make_shared<Random>(5);
    const Time end = arena.world().now() + 20s;
    *step = [&arena, random, step = step.get(), end] {
      for (int i = 0; i < 20; ++i) {
        const ByteVector datagram = Harasser::forged_datagram(*random);
        arena.note_attack(datagram.size());
        const Address from =
            Address::v4(203, 0, 113, 66, static_cast<std::uint16_t>(random->below(1000) + 1));
        (void)arena.victim().checked().handle_datagram(arena.world().now(), path_to(arena.victim(), from),
                                                       datagram);
      }
      if (arena.world().now() < end) arena.world().after(10ms, *step);
    };
    arena.world().after(1ms, [step] { (*step)(); });
    arena.world().at(end + 1s, [step] {});  // keeps it
  });
}

TEST_CASE("packets of one session put into another of the same process and the same socket are dropped",
          "[ATK-22]") {
  std::map<Drop, std::uint64_t> drops;
  std::uint64_t given = 0;
  run_attack(
      "packets of another session", 20s,
      [&](Arena& arena) {
        // All that goes to the victim in the honest session comes into the other too, as from that one's peer; and the other way.
        const auto mix = [&arena, &drops, &given](Side& into, Bytes datagram) {
          arena.note_attack(datagram.size());
          arena.world().after(1us, [&arena, &into, &drops, &given, copy = test::to_vector(datagram)] {
            ++given;
            ++drops[into.checked().handle_datagram(arena.world().now(), into.last_path(), copy)];
          });
        };
        arena.honest().on_send = [&arena, mix](Side&, const Path&, Bytes datagram) {
          mix(arena.victim(), datagram);
        };
        arena.attacker().on_tick = [&arena] {
          SctpAttacker& a = arena.attacker();
          a.send(SctpAttacker::chunk(wire::kHeartbeat, 0, ByteVector{0, 1, 0, 4}));
        };
      },
      {.amplification = 3},
      [&](Arena&, const Figures& f) {
        CHECK(f.lives_on);
        CHECK(given > 100);
        CHECK(drops.count(Drop::None) == 0);
      });
}

TEST_CASE("a port that another connection had: what its old peer still sends is dropped", "[ATK-24]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    // The old peer's session is recorded; the new connection has the same two addresses and ports.
    std::vector<ByteVector> old;
    {
      Arena before(300 + seed, Limits{});
      before.honest().on_send = [&old](Side&, const Path&, Bytes datagram) {
        old.push_back(test::to_vector(datagram));
      };
      before.connect();
      (void)before.attack("the connection before", 10s);
    }
    REQUIRE(old.size() > 60);
    Arena arena(400 + seed, Limits{});
    std::map<Drop, std::uint64_t> drops;
    const auto play = [&](const Address& from) {
      for (const ByteVector& datagram : old) {
        Side& side = arena.victim_to_honest();
        ++drops[side.checked().handle_datagram(arena.world().now(), {Address::v4(192, 0, 2, 1, 5000), from},
                                               datagram)];
      }
    };
    const Address home = Address::v4(192, 0, 2, 2, 5000);
    play(home);  // before anything is known of the new peer
    arena.connect();
    play(home);
    play(home.with_port(7));
    const Figures f = arena.attack("port reuse", 10s);
    CHECK(arena.victim_to_honest().is_up());
    CHECK(f.honest_messages > 50);
    CHECK(drops.count(Drop::None) == 0);
    CHECK(drops.size() >= 3);
  }
}
