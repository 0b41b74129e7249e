#include "sim/message_ledger.h"

#include <algorithm>

#include "sim/random.h"

namespace pollrtc::sim {
namespace {

void demand(bool holds, std::uint16_t stream, const char* text) {
  if (!holds) throw Violation("INV-1: stream " + std::to_string(stream) + ": " + text);
}

constexpr std::uint32_t ppid_of(std::size_t index) { return static_cast<std::uint32_t>(50 + index % 7); }

}  // namespace

void MessageLedger::fill(std::uint16_t stream, std::size_t index, std::vector<std::uint8_t>& bytes) const {
  Random random(salt_ ^ std::uint64_t{stream} << 40 ^ index);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = random.next();
    if (at == 0 && bytes.size() >= kSizeOfNumber) word = index;
    // The lowest byte first, whatever the machine: they are part of the trace.
    for (std::size_t i = at; i < std::min(at + 8, bytes.size()); ++i, word >>= 8)
      bytes[i] = static_cast<std::uint8_t>(word);
  }
}

std::vector<std::uint8_t> MessageLedger::next(sctp::SendOptions& options, std::size_t size) const {
  std::vector<std::uint8_t> bytes(size);
  const auto at = streams_.find(options.stream);
  const std::size_t index = at == streams_.end() ? 0 : at->second.entries.size();
  options.ppid = ppid_of(index);
  fill(options.stream, index, bytes);
  return bytes;
}

void MessageLedger::sent(const sctp::SendOptions& options, std::size_t size) {
  Stream& stream = streams_[options.stream];
  const bool reliable = !options.max_retransmits && !options.lifetime;
  stream.entries.push_back(
      {static_cast<std::uint32_t>(size), stream.epoch, options.unordered, reliable, false});
  ++sent_;
  if (reliable) ++missing_;
}

std::size_t MessageLedger::index_of(const Stream& stream, Bytes payload) {
  if (payload.size() >= kSizeOfNumber) {
    std::uint64_t index = 0;
    for (std::size_t i = kSizeOfNumber; i-- != 0;) index = index << 8 | payload[i];
    return static_cast<std::size_t>(index);
  }
  return stream.first_missing;
}

void MessageLedger::received(std::uint16_t number, Bytes payload, std::optional<bool> unordered,
                             std::optional<std::uint32_t> ppid) {
  Stream& stream = streams_[number];
  while (stream.first_missing < stream.entries.size() &&
         !is_missing(stream.entries[stream.first_missing], true))
    ++stream.first_missing;
  while (stream.first_missing_any < stream.entries.size() &&
         !is_missing(stream.entries[stream.first_missing_any], false))
    ++stream.first_missing_any;

  const std::size_t index = index_of(stream, payload);
  demand(index < stream.entries.size(), number, "a message that was never sent");
  Entry& entry = stream.entries[index];
  demand(!entry.received, number, "a message comes twice");
  demand(entry.unordered == unordered.value_or(entry.unordered) &&
             ppid.value_or(ppid_of(index)) == ppid_of(index),
         number, "a message comes as another kind");
  std::vector<std::uint8_t> expected(entry.size);
  fill(number, index, expected);
  demand(std::equal(expected.begin(), expected.end(), payload.begin(), payload.end()), number,
         "a message has changed");
  if (!entry.unordered) {
    demand(index >= stream.next_ordered, number, "an ordered message comes late");
    demand(stream.first_missing >= index, number, "an ordered message overtakes a reliable one");
    stream.next_ordered = index + 1;
  }
  const bool all_before =
      stream.first_missing_any >= index || stream.entries[stream.first_missing_any].epoch == entry.epoch;
  demand(all_before, number, "a message comes through a reset before what was sent earlier");
  entry.received = true;
  ++received_;
  bytes_received_ += entry.size;
  if (entry.reliable) --missing_;
}

std::size_t MessageLedger::missing(std::uint16_t stream) const {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return 0;
  const auto& entries = at->second.entries;
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return is_missing(e, false); }));
}

void MessageLedger::forgive(std::uint16_t stream) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  missing_ -= missing(stream);
  for (Entry& entry : at->second.entries) entry.reliable = false;
}

}  // namespace pollrtc::sim
