// Two SCTP associations joined by a function call: what the protocol alone costs, without cipher, socket or waiting.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "sctp/association.h"

using namespace pollrtc;

namespace {

struct Ends {
  Ends() {
    environment.rng.fill = [](void* context, MutBytes out) {
      for (std::uint8_t& byte : out)
        byte = static_cast<std::uint8_t>(++*static_cast<std::uint32_t*>(context) * 151);
      return true;
    };
    environment.rng.context = &counter;
  }
  // Hands packets over until neither end owes any.
  void exchange() {
    std::array<std::uint8_t, 2048> packet;
    for (bool quiet = false; !quiet;) {
      quiet = true;
      while (const std::size_t size = a.poll_packet(now, packet)) {
        quiet = false;
        b.handle_packet(now, Bytes(packet).first(size));
      }
      while (const std::size_t size = b.poll_packet(now, packet)) {
        quiet = false;
        a.handle_packet(now, Bytes(packet).first(size));
      }
    }
    now += std::chrono::microseconds(50);
  }

  std::uint32_t counter = 0;
  Environment environment;
  Time now{};
  sctp::AssociationConfig config;
  sctp::Association a{environment, config}, b{environment, config};
};

void transfer(benchmark::State& state) {
  Ends ends;
  if (!ends.a.connect(ends.now) || !ends.b.connect(ends.now)) return state.SkipWithError("connect");
  ends.exchange();
  const std::vector<std::uint8_t> payload(static_cast<std::size_t>(state.range(0)), 7);
  sctp::SendOptions options;
  options.ppid = 53;
  sctp::Message message(ends.environment.memory);
  std::int64_t received = 0;
  for (auto _ : state) {
    while (ends.a.buffered_amount(0) < 256 * 1024 && ends.a.send(ends.now, options, payload)) {
    }
    ends.exchange();
    while (ends.b.receive(message)) {
      received += static_cast<std::int64_t>(message.payload.size());
      ends.b.release(message.charge);
    }
  }
  if (received == 0) state.SkipWithError("nothing arrived");
  state.SetBytesProcessed(received);
}
BENCHMARK(transfer)->Arg(64)->Arg(1200)->Arg(16384)->Arg(65536);

}  // namespace
