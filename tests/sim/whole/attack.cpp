#include "sim/whole/attack.h"

#include <cstdio>

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::sim {

using test::ByteVector;

namespace {
// Consent, its answers and HEARTBEATs go on beside any attack.
constexpr double kOwnBytesPerSecond = 100;
}  // namespace

void print(const Figures& f, bool is_small) {
  static bool has_head = false;
  if (!std::exchange(has_head, true))
    std::printf("%-44s %-8s %10s %10s %6s %9s %8s %s\n", "attack", "limits", "bytes in", "bytes out", "ratio",
                "heap KiB", "ns/byte", "victim's connection");
  std::printf("%-44s %-8s %10llu %10llu %6.3f %9zu %8.1f %s\n", f.what.c_str(),
              is_small ? "small" : "default", static_cast<unsigned long long>(f.bytes_in),
              static_cast<unsigned long long>(f.bytes_out), f.amplification(), f.heap / 1024,
              f.nanoseconds_per_byte, f.lives_on ? "lives" : f.why_ended.c_str());
  std::fflush(stdout);
}

void run_attack(const std::string& what, Duration length, const std::function<void(Arena&)>& begin,
                const Bounds& bounds, const std::function<void(Arena&, const Figures&)>& then) {
  for (const bool is_small : {false, true}) {
    Arena arena(is_small ? 71 : 70, is_small ? Limits::small() : Limits{});
    arena.connect();
    begin(arena);
    const Figures figures = arena.attack(what, length);
    print(figures, is_small);
    CAPTURE(what, is_small);
    CHECK(figures.bytes_in > 1000);
    CHECK(figures.heap <= (is_small ? kMemorySmall : kMemory));
    const double own = kOwnBytesPerSecond * static_cast<double>(length.count()) * 1e-6;
    CHECK(static_cast<double>(figures.bytes_out) <=
          bounds.amplification * static_cast<double>(figures.bytes_in) + own);
    CHECK(figures.nanoseconds_per_byte <= bounds.nanoseconds_per_byte);
    CHECK(figures.honest_messages > 10);
    if (then) then(arena, figures);
  }
}

ByteVector fragment(std::uint32_t tsn, std::uint16_t stream, std::uint32_t mid, std::uint32_t fsn_or_ppid,
                    std::uint8_t flags, Bytes payload) {
  ByteVector value(16 + payload.size());
  store_u32(value.data(), tsn);
  store_u16(value.data() + 4, stream);
  store_u32(value.data() + 8, mid);
  store_u32(value.data() + 12, fsn_or_ppid);
  std::copy(payload.begin(), payload.end(), value.begin() + 16);
  return SctpAttacker::chunk(wire::kIData, flags, value);
}

ByteVector fragment(std::uint32_t tsn, std::uint16_t stream, std::uint32_t mid, std::uint32_t fsn_or_ppid,
                    std::uint8_t flags, std::size_t size) {
  return fragment(tsn, stream, mid, fsn_or_ppid, flags, ByteVector(size));
}

void send_message(SctpAttacker& a, std::uint16_t stream, std::uint32_t mid, std::uint32_t ppid,
                  Bytes payload) {
  constexpr std::size_t kPart = 1000;
  std::uint32_t fsn = 0;
  for (std::size_t at = 0; at < payload.size(); at += kPart, ++fsn) {
    const bool is_last = payload.size() - at <= kPart;
    const auto flags = static_cast<std::uint8_t>((fsn == 0 ? kBegin : 0) | (is_last ? kEnd : 0));
    a.send(fragment(a.next_tsn++, stream, mid, fsn == 0 ? ppid : fsn, flags,
                    payload.subspan(at, std::min(kPart, payload.size() - at))));
  }
}

ByteVector open_message(std::size_t label, std::size_t protocol) {
  ByteVector open(12 + label + protocol, 'x');
  std::fill(open.begin(), open.begin() + 12, std::uint8_t{0});
  open[0] = 3;
  store_u16(open.data() + 8, static_cast<std::uint16_t>(label));
  store_u16(open.data() + 10, static_cast<std::uint16_t>(protocol));
  return open;
}

ByteVector reset_request(std::uint32_t number, std::uint32_t last_tsn,
                         std::initializer_list<std::uint16_t> streams) {
  ByteVector value(16 + 2 * streams.size());
  store_u16(value.data(), 13);
  store_u16(value.data() + 2, static_cast<std::uint16_t>(value.size()));
  store_u32(value.data() + 4, number);
  store_u32(value.data() + 12, last_tsn);
  std::size_t at = 16;
  for (const std::uint16_t stream : streams) store_u16(value.data() + at, stream), at += 2;
  return SctpAttacker::chunk(wire::kReConfig, 0, value);
}

}  // namespace pollrtc::sim
