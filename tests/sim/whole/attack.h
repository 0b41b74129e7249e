// Running an attack with both profiles of limits, and what attackers are made of.
#pragma once

#include <functional>
#include <string>

#include "sim/whole/arena.h"

namespace pollrtc::sim {

constexpr std::size_t kMemory = 4 << 20, kMemorySmall = 512 << 10;  // lim.mem.peer

struct Bounds {
  double amplification = 1.0;
  // Some hundred times what it takes: an attack that is not linear takes more.
  double nanoseconds_per_byte = 2000;
};

void print(const Figures& figures, bool is_small);

// `begin` sets it up; `then` has a look when it is over.
void run_attack(const std::string& what, Duration length, const std::function<void(Arena&)>& begin,
                const Bounds& bounds = {}, const std::function<void(Arena&, const Figures&)>& then = {});

// A part of a message as I-DATA (RFC 8260 §2.1). Flags: end, begin, unordered.
constexpr std::uint8_t kEnd = 1, kBegin = 2, kUnordered = 4;
test::ByteVector fragment(std::uint32_t tsn, std::uint16_t stream, std::uint32_t mid,
                          std::uint32_t fsn_or_ppid, std::uint8_t flags, Bytes payload);
test::ByteVector fragment(std::uint32_t tsn, std::uint16_t stream, std::uint32_t mid,
                          std::uint32_t fsn_or_ppid, std::uint8_t flags, std::size_t size);
// A whole message, ordered, in as many packets as it takes.
void send_message(SctpAttacker& attacker, std::uint16_t stream, std::uint32_t mid, std::uint32_t ppid,
                  Bytes payload);

constexpr std::uint32_t kDcep = 50, kText = 51;
test::ByteVector open_message(std::size_t label, std::size_t protocol = 0);
test::ByteVector reset_request(std::uint32_t number, std::uint32_t last_tsn,
                               std::initializer_list<std::uint16_t> streams);

}  // namespace pollrtc::sim
