// What an association holds, in bytes of heap: idle, and more for each stream that is in use. 65,535 streams are offered
// in every one of them, and cost nothing until they are used.
#include <benchmark/benchmark.h>

#include <array>
#include <optional>

#include "sctp/association.h"
#include "support/environment.h"

using namespace pollrtc;

namespace {

struct End {
  explicit End(std::uint64_t seed) : environment(seed) {
    environment.env.log = {};  // what is measured makes no lines
    association.emplace(environment.env, sctp::AssociationConfig{});
  }
  std::size_t bytes() const { return sizeof(sctp::Association) + environment.bytes_in_use(); }
  test::TestEnvironment environment;
  std::optional<sctp::Association> association;
};

struct Ends {
  Ends() {
    static_cast<void>(a.association->connect(now));
    static_cast<void>(b.association->connect(now));
    exchange();
  }
  void exchange() {
    std::array<std::uint8_t, 2048> packet;
    const auto carry = [&](End& from, End& to) {
      const std::size_t size = from.association->poll_packet(now, packet);
      if (size != 0) to.association->handle_packet(now, Bytes(packet).first(size));
      return size != 0;
    };
    while (carry(a, b) || carry(b, a)) {
    }
    sctp::Message message(b.environment.env.memory);
    while (b.association->receive(message)) b.association->release(message.charge);
    now += std::chrono::milliseconds(300);
    a.association->handle_timeout(now);
    b.association->handle_timeout(now);
  }

  Time now{};
  End a{1}, b{2};
};

void idle_association(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) bytes = Ends().a.bytes();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(idle_association);

// One message has gone over each stream; nothing is under way. What each stream added, at its sender and its receiver.
void streams_in_use(benchmark::State& state) {
  const auto count = static_cast<std::uint16_t>(state.range(0));
  double sender = 0, receiver = 0;
  for (auto _ : state) {
    Ends ends;
    const std::size_t idle = ends.a.bytes();
    const std::array<std::uint8_t, 4> message = {1, 2, 3, 4};
    for (std::uint16_t stream = 0; stream < count; ++stream) {
      if (!ends.a.association->send(ends.now, {.stream = stream, .ppid = 53}, message))
        return state.SkipWithError("send");
      if (stream % 64 == 63 || stream + 1 == count) ends.exchange();
    }
    ends.exchange();
    sender = static_cast<double>(ends.a.bytes() - idle) / count;
    receiver = static_cast<double>(ends.b.bytes() - idle) / count;
  }
  state.counters["bytes/stream out"] = sender;
  state.counters["bytes/stream in"] = receiver;
}
BENCHMARK(streams_in_use)->Arg(1)->Arg(100)->Arg(65535)->Unit(benchmark::kMillisecond);

}  // namespace
