// What each packet costs before any cipher or system call: checksums, and reading what the other end sends.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/crc.h"
#include "sdp/description.h"

using namespace pollrtc;

namespace {

std::vector<std::uint8_t> bytes(std::size_t size) {
  std::vector<std::uint8_t> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31);
  return out;
}

void crc32c_of_packet(benchmark::State& state) {
  const auto packet = bytes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(packet));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc32c_of_packet)->Arg(64)->Arg(1188)->Arg(9000);

void crc32_of_check(benchmark::State& state) {
  const auto message = bytes(108);
  for (auto _ : state) benchmark::DoNotOptimize(crc32(message));
  state.SetBytesProcessed(state.iterations() * 108);
}
BENCHMARK(crc32_of_check);

const std::string kOffer =
    "v=0\r\no=- 6917430418426063668 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
    "a=candidate:459757566 1 udp 2113937151 192.0.2.1 54186 typ host generation 0 network-cost 999\r\n"
    "a=ice-ufrag:9FXo\r\na=ice-pwd:fqnYl96uOtYgITd79PHWG3wB\r\na=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 "
    "21:8B:03:3F:87:97:51:84:C6:1E:A2:0F:74:EC:F4:64:81:24:73:AF:BE:C5:D0:3F:89:05:6B:AB:5E:"
    "E5:2C:E2\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

void parse_offer(benchmark::State& state) {
  const Limits limits;
  for (auto _ : state) benchmark::DoNotOptimize(sdp::parse_description(kOffer, limits));
}
BENCHMARK(parse_offer);

}  // namespace
