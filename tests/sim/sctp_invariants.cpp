#include "sim/sctp_invariants.h"

#include <algorithm>
#include <array>

namespace pollrtc::sim {
namespace {

using namespace wire;

void demand(bool holds, const std::string& text) {
  if (!holds) throw Violation(text);
}

std::int32_t distance(std::uint32_t to, std::uint32_t from) { return static_cast<std::int32_t>(to - from); }

std::uint64_t hash_of(const Data& data) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3u; };
  mix(data.stream);
  mix(data.number);
  mix(data.ppid);
  mix(data.fsn);
  mix((data.unordered ? 1u : 0u) | (data.begin ? 2u : 0u) | (data.end ? 4u : 0u) |
      (data.interleaved ? 8u : 0u));
  for (const std::uint8_t byte : data.payload) mix(byte);
  return hash;
}

// RFC 9260 §4 and §9. A restart of the peer (§5.2.4 A) is not among them: no run here has one.
struct Edge {
  std::string_view from, to;
};
constexpr std::array kEdges = {
    Edge{"CLOSED", "COOKIE-WAIT"},
    Edge{"CLOSED", "ESTABLISHED"},
    Edge{"COOKIE-WAIT", "COOKIE-ECHOED"},
    Edge{"COOKIE-WAIT", "ESTABLISHED"},
    Edge{"COOKIE-ECHOED", "ESTABLISHED"},
    Edge{"COOKIE-ECHOED", "COOKIE-WAIT"},
    Edge{"ESTABLISHED", "SHUTDOWN-PENDING"},
    Edge{"ESTABLISHED", "SHUTDOWN-RECEIVED"},
    Edge{"SHUTDOWN-PENDING", "SHUTDOWN-SENT"},
    Edge{"SHUTDOWN-PENDING", "SHUTDOWN-RECEIVED"},
    Edge{"SHUTDOWN-SENT", "SHUTDOWN-ACK-SENT"},
    Edge{"SHUTDOWN-RECEIVED", "SHUTDOWN-ACK-SENT"},
};

bool may_send_data(SctpState state) {
  return state == SctpState::Established || state == SctpState::ShutdownPending ||
         state == SctpState::ShutdownReceived;
}
bool takes_sacks(SctpState state) { return may_send_data(state); }

// Whether the packet asks for an answer, so that silence counts as an error (RFC 9260 §8.1, §5.1.6, §9.2; 6525 §5.1.1).
bool asks_for_answer(const Packet& packet) {
  return std::any_of(packet.chunks.begin(), packet.chunks.end(), [](const Chunk& chunk) {
    switch (chunk.type) {
      case kData:
      case kIData:
      case kInit:
      case kCookieEcho:
      case kHeartbeat:
      case kShutdown:
      case kShutdownAck:
      case kForwardTsn:
      case kIForwardTsn:
      case kReConfig:
        return true;
      default:
        return false;
    }
  });
}

bool is_probe(const Packet& packet) {
  return packet.chunks.size() == 2 && packet.chunks[0].type == kHeartbeat && packet.chunks[1].type == kPad;
}

// Whether there may be an answer to the packet that check_replies() counts.
bool may_be_answered(const Packet& packet) {
  constexpr std::array kUnanswered{kData,        kIData,        kSack,      kForwardTsn,
                                   kIForwardTsn, kHeartbeatAck, kCookieAck, kShutdown};
  return std::any_of(packet.chunks.begin(), packet.chunks.end(), [&](const Chunk& chunk) {
    return std::find(kUnanswered.begin(), kUnanswered.end(), chunk.type) == kUnanswered.end();
  });
}

}  // namespace

SctpInvariants::SctpInvariants(const SctpSetup& setup)
    : setup_(setup),
      first_unacked_(setup.local_initial_tsn),
      received_{true},
      largest_answered_(setup.base_size) {}

// --- what goes out ---

void SctpInvariants::on_sent(Bytes bytes, const SctpFacts& before, const SctpFacts& after) {
  ++packets_out_;
  const Packet packet = read_strictly(bytes);
  check_size(bytes.size(), packet, before, after.dont_fragment);
  const bool must_have_checksum = packet.has(kInit) || packet.has(kInitAck) || packet.has(kCookieEcho);
  demand(!packet.zero_checksum || (peer_accepts_zero_ && !must_have_checksum), "INV-13: a checksum of 0");
  check_tag(packet);
  check_states(packet, after.state);
  check_replies(packet);
  if (is_probe(packet))
    probes_[{packet.chunks[0].value.begin(), packet.chunks[0].value.end()}] = bytes.size();
  if (asks_for_answer(packet)) ++unanswered_;
  const std::uint32_t next_tsn = first_unacked_ + static_cast<std::uint32_t>(sent_.size());
  for (const Chunk& chunk : packet.chunks) {
    switch (chunk.type) {
      case kData:
      case kIData:
        demand((chunk.type == kIData) == setup_.interleaves, "INV-13: DATA or I-DATA, the wrong one of them");
        on_data_sent(data_of(chunk), after.lacked_memory);
        break;
      case kSack:
        on_sack_sent(sack_of(chunk), after);
        break;
      case kShutdown:
        check_cumulative(u32(chunk.value, 0));
        break;
      case kForwardTsn:
      case kIForwardTsn:
        on_forward_sent(u32(chunk.value, 0));
        break;
      case kReConfig:
        on_reconfig_sent(chunk);
        break;
      default:
        break;
    }
  }
  const bool has_new_data = next_tsn != first_unacked_ + static_cast<std::uint32_t>(sent_.size());
  demand(!has_new_data || after.outstanding < after.cwnd + after.pmdcs,
         "INV-3: new DATA lifts what is outstanding to " + std::to_string(after.outstanding) +
             " with a cwnd of " + std::to_string(after.cwnd));
}

// RFC 8899: the path is believed to carry what every path does, or what a probe has shown: no more, whatever the engine says.
// No packet is larger, but for a probe, which is a HEARTBEAT and padding alone, and for a chunk that got its TSN while the path was wider, which goes alone and may be cut. What the path was not always
// known to carry must not be cut.
void SctpInvariants::check_size(std::size_t size, const Packet& packet, const SctpFacts& before,
                                bool dont_fragment) const {
  const bool probes = is_probe(packet);
  const bool is_lone_data = packet.chunks.size() == 1 && (packet.has(kData) || packet.has(kIData));
  const bool was_cut_before = is_lone_data && distance(data_of(packet.chunks[0]).tsn, first_unacked_) <
                                                  static_cast<std::int32_t>(sent_.size());
  std::size_t most = before.packet_size;
  demand(most <= largest_answered_, "INV-6: a path for " + std::to_string(most) + " bytes, of which " +
                                        std::to_string(largest_answered_) + " have been answered");
  if (probes || was_cut_before) most = std::max(setup_.most_tried, setup_.base_size);
  if (was_cut_before) most = std::max<std::size_t>(most, largest_cut_);
  // To one that is no peer yet, or not any more.
  if (packet.chunks.size() == 1 && !is_lone_data) most = std::max<std::size_t>(most, setup_.base_size);
  demand(size <= most, "INV-6: a packet of " + std::to_string(size) + " bytes on a path for " +
                           std::to_string(before.packet_size));
  const bool must_pass_whole = probes || (size > setup_.base_size && size <= before.packet_size);
  demand(dont_fragment == must_pass_whole, "INV-6: DF of a packet of " + std::to_string(size) +
                                               " bytes on a path for " + std::to_string(before.packet_size));
}

// RFC 9260 §8.5: the peer's tag; 0 for INIT; with the T bit the tag of the packet that is answered (§8.5.1 B, C).
void SctpInvariants::check_tag(const Packet& packet) {
  if (packet.has(kInit)) return demand(packet.tag == 0, "INV-13: INIT with a tag");
  const Chunk& first = packet.chunks.front();
  const bool reflected = (first.type == kAbort || first.type == kShutdownComplete) && (first.flags & 1) != 0;
  if (reflected)
    return demand(heard_tags_.count(packet.tag) != 0, "INV-13: a reflected tag that nobody sent");
  demand(peer_tags_.count(packet.tag) != 0, "INV-13: a tag that the peer has not announced");
  const bool is_transfer = packet.has(kData) || packet.has(kIData) || packet.has(kSack);
  if (!is_transfer) return;
  demand(transfer_tag_.value_or(packet.tag) == packet.tag,
         "INV-13: the tag changes while the association lives");
  transfer_tag_ = packet.tag;
}

// RFC 9260 §6: DATA leaves only where it may; until the COOKIE ACK nothing goes but COOKIE ECHO and replies (§5.1 C). `state` is
// that after the call, which moves it, when it does, before it writes: SHUTDOWN goes from SHUTDOWN-SENT (§9.2).
void SctpInvariants::check_states(const Packet& packet, SctpState state) const {
  for (const Chunk& chunk : packet.chunks) {
    if (chunk.type == kData || chunk.type == kIData || chunk.type == kForwardTsn ||
        chunk.type == kIForwardTsn)
      demand(may_send_data(state), "INV-8: DATA or FORWARD TSN in a state that sends none");
    if (chunk.type == kSack)
      demand(state >= SctpState::Established && state != SctpState::ShutdownAckSent,
             "INV-8: SACK in a wrong state");
    if (chunk.type == kCookieEcho)
      demand(state == SctpState::CookieEchoed, "INV-8: COOKIE ECHO in another state than its own");
    if (chunk.type == kShutdown) demand(state == SctpState::ShutdownSent, "INV-8: SHUTDOWN in a wrong state");
    if (chunk.type == kShutdownAck)
      demand(state == SctpState::ShutdownAckSent, "INV-8: SHUTDOWN ACK in a wrong state");
  }
}

// RFC 9260 §12.4: one packet of replies for each packet received.
void SctpInvariants::check_replies(const Packet& packet) {
  bool is_reply = false;
  for (const Chunk& chunk : packet.chunks) {
    is_reply |= chunk.type == kInitAck || chunk.type == kHeartbeatAck || chunk.type == kError ||
                chunk.type == kCookieAck || chunk.type == kShutdownComplete;
    if (chunk.type != kReConfig) continue;
    for (const Parameter& parameter : parameters_of(chunk.value)) is_reply |= parameter.type == 16;
  }
  if (is_reply && ++reply_packets_ > packets_in_ && late_answers_ != 0) --late_answers_, ++packets_in_;
  demand(reply_packets_ <= packets_in_, "INV-16: more packets of replies than packets that came");
}

void SctpInvariants::on_data_sent(const Data& data, bool lacked_memory) {
  const std::int32_t at = distance(data.tsn, first_unacked_);
  demand(at >= 0, "INV-13: DATA sent again that is acknowledged");
  if (static_cast<std::size_t>(at) >= sent_.size()) return on_new_data(data);
  const SentChunk& known = sent_[static_cast<std::size_t>(at)];
  demand(known.sent, "INV-13: DATA under a TSN that was skipped");
  demand(known.content == hash_of(data), "INV-13: DATA that changed when it was sent again");
  demand(!known.gap_acked || lacked_memory, "INV-13: DATA sent again that a gap block acknowledges");
  ++retransmitted_;
}

void SctpInvariants::on_new_data(const Data& data) {
  // RFC 9260 §6: TSNs without gaps; but what is given up unsent takes one (RFC 3758 §3.5 A3).
  for (std::uint32_t tsn = first_unacked_ + static_cast<std::uint32_t>(sent_.size()); tsn != data.tsn;
       ++tsn) {
    demand(partial_ && data.tsn - tsn < 0x10000, "INV-13: a TSN is left out");
    sent_.push_back({});
  }
  sent_.push_back({hash_of(data), data.wire_size, true, false});
  wraps_.tsn |= data.tsn == 0;
  unacked_wire_ += data.wire_size;
  check_fragment_order(data);
  if (data.begin) check_number(data);
  constexpr std::uint32_t kDcep = 50;  // RFC 8832 §8.1; no such message is longer than a packet here
  if (setup_.carries_dcep && data.begin && data.ppid == kDcep) return;
  std::size_t& unsent = unsent_[data.stream];
  demand(unsent >= data.payload.size(), "INV-1: more is sent on a stream than was handed in");
  unsent -= data.payload.size();
  unsent_total_ -= data.payload.size();
}

// RFC 9260 §6.9: the fragments of a message have TSNs in a row, B first and E last; RFC 8260 §2.1: or FSNs in a row.
void SctpInvariants::check_fragment_order(const Data& data) {
  const OpenMessage now{data.stream, data.number, data.fsn, data.unordered};
  if (data.interleaved) {
    const StreamKey key{data.stream, data.unordered};
    const auto open = open_interleaved_.find(key);
    if (data.begin) {
      demand(open == open_interleaved_.end() || partial_,
             "INV-13: a message begins before the last one's end");
    } else {
      demand(open != open_interleaved_.end() && open->second.number == data.number &&
                 open->second.fsn + 1 == data.fsn,
             "INV-13: a fragment that continues nothing");
    }
    if (data.end) {
      open_interleaved_.erase(key);
    } else {
      open_interleaved_[key] = now;
    }
    return;
  }
  if (data.begin) {
    demand(!open_ || partial_, "INV-13: a message begins before the last one's end");
  } else {
    demand(open_ && open_->stream == data.stream && open_->number == data.number &&
               open_->unordered == data.unordered,
           "INV-13: a fragment that continues nothing");
  }
  open_ = data.end ? std::nullopt : std::optional(now);
}

// RFC 9260 §6.5: SSNs count the ordered messages of a stream from 0; RFC 8260 §2.1: MIDs both kinds.
void SctpInvariants::check_number(const Data& data) {
  if (data.unordered && !data.interleaved) return;
  std::uint32_t& next = numbers_[{data.stream, data.unordered}];
  demand(data.number == next,
         "INV-13: number " + std::to_string(data.number) + " of a message, not " + std::to_string(next));
  next = data.interleaved ? data.number + 1 : (data.number + 1) & 0xFFFF;
  if (next == 0) (!data.interleaved ? wraps_.ssn : data.unordered ? wraps_.unordered_mid : wraps_.mid) = true;
}

void SctpInvariants::on_sack_sent(const Sack& sack, const SctpFacts& facts) {
  check_cumulative(sack.cumulative);
  for (const Sack::Block& gap : sack.gaps)
    for (std::uint32_t offset = gap.first; offset <= gap.last; ++offset)
      demand(is_received(sack.cumulative + offset), "INV-13: a gap block names what never came");
  for (const std::uint32_t tsn : sack.duplicates)
    demand(is_received(tsn), "INV-13: a duplicate is named that never came");
  demand(
      facts.rx_used + sack.a_rwnd <= setup_.rx_window || sack.a_rwnd == 0,
      "INV-12: " + std::to_string(facts.rx_used) + " held and " + std::to_string(sack.a_rwnd) + " offered");
}

void SctpInvariants::check_cumulative(std::uint32_t tsn) {
  demand(!last_cumulative_ || distance(tsn, *last_cumulative_) >= 0, "INV-11: the cumulative TSN goes back");
  demand(static_cast<std::size_t>(tsn - (setup_.peer_initial_tsn - 1)) <= contiguous_,
         "INV-11: a TSN is acknowledged that never came");
  last_cumulative_ = tsn;
}

void SctpInvariants::on_forward_sent(std::uint32_t point) const {
  demand(partial_, "INV-13: FORWARD TSN though all is reliable");
  const std::int32_t beyond = distance(point, first_unacked_ + static_cast<std::uint32_t>(sent_.size()));
  // Above what was sent lie the places of fragments that never were: one, with I-DATA one for each stream.
  const std::int32_t most = setup_.interleaves ? 0xFFFF : 0;
  demand(distance(point, first_unacked_ - 1) > 0 && beyond <= most,
         "INV-13: FORWARD TSN to a point never reached");
}

void SctpInvariants::on_reconfig_sent(const Chunk& chunk) {
  for (const Parameter& parameter : parameters_of(chunk.value)) {
    if (parameter.type != 13) continue;
    const std::uint32_t number = u32(parameter.value, 0);
    if (request_in_flight_ == number) {
      demand(std::equal(request_streams_.begin(), request_streams_.end(), parameter.value.begin() + 8,
                        parameter.value.end()),
             "INV-15: a RE-CONFIG request that changed when it was sent again");
      continue;
    }
    // The one exception: the same request under the next number, after "in progress" (docs/deviations.md).
    const bool asks_anew = in_progress_ && std::equal(request_streams_.begin(), request_streams_.end(),
                                                      parameter.value.begin() + 8, parameter.value.end());
    demand(!request_in_flight_ || asks_anew, "INV-15: two RE-CONFIG requests in flight");
    in_progress_ = false;
    demand(number == (last_request_ ? *last_request_ + 1 : setup_.local_initial_tsn),
           "INV-15: the number of a RE-CONFIG request");
    wraps_.reset_request |= last_request_ && number == 0;
    request_in_flight_ = last_request_ = number;
    request_streams_.assign(parameter.value.begin() + 8, parameter.value.end());
  }
}

// --- what comes in ---

void SctpInvariants::on_received(Bytes bytes, SctpState before, std::uint32_t own_tag) {
  if (!has_good_checksum(bytes, setup_.accepts_zero_checksum)) return;
  const Packet packet = read_strictly(bytes);  // it was when it was sent, and nothing has changed it
  if (may_be_answered(packet)) ++packets_in_;
  heard_tags_.insert(packet.tag);
  // RFC 9260 §8.5: it is not for this association. A cookie brings the tag with it.
  if (packet.tag != own_tag && !packet.has(kInit) && !packet.has(kCookieEcho)) return;
  for (const Chunk& chunk : packet.chunks) {
    switch (chunk.type) {
      case kInit:
      case kInitAck:
        peer_tags_.insert(u32(chunk.value, 0));
        for (const Parameter& parameter : parameters_of(chunk.value.subspan(16)))
          peer_accepts_zero_ |= parameter.type == 0x8001;
        break;
      case kData:
      case kIData:
        mark_received(u32(chunk.value, 0));
        break;
      case kForwardTsn:
      case kIForwardTsn:
        on_forward_received(u32(chunk.value, 0));
        break;
      case kSack:
        if (takes_sacks(before)) {
          const Sack sack = sack_of(chunk);
          on_sack_received(sack.cumulative, &sack);
        }
        break;
      case kShutdown:
        if (before >= SctpState::Established) on_sack_received(u32(chunk.value, 0), nullptr);
        break;
      case kReConfig:
        on_reconfig_received(chunk);
        break;
      case kHeartbeatAck:
        if (const auto probe = probes_.find({chunk.value.begin(), chunk.value.end()}); probe != probes_.end())
          largest_answered_ = std::max(largest_answered_, probe->second);
        unanswered_ = 0;
        break;
      case kCookieAck:
      case kShutdownAck:
        unanswered_ = 0;
        break;
      default:
        break;
    }
  }
}

void SctpInvariants::on_sack_received(std::uint32_t cumulative, const Sack* sack) {
  const std::int32_t moved = distance(cumulative, first_unacked_ - 1);
  if (moved < 0 || static_cast<std::size_t>(moved) > sent_.size() + 0xFFFF) return;
  bool progress = moved > 0;
  for (std::int32_t i = 0; i < moved && !sent_.empty(); ++i) {
    if (!sent_.front().gap_acked) unacked_wire_ -= sent_.front().wire_size;
    sent_.pop_front();
  }
  first_unacked_ = cumulative + 1;
  if (sack != nullptr) {
    std::vector<bool> named(sent_.size());
    for (const Sack::Block& gap : sack->gaps)
      for (std::size_t offset = gap.first; offset <= gap.last && offset <= sent_.size(); ++offset)
        named[offset - 1] = true;
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      SentChunk& chunk = sent_[i];
      if (chunk.gap_acked == named[i]) continue;
      progress |= named[i];
      chunk.gap_acked = named[i];
      unacked_wire_ = named[i] ? unacked_wire_ - chunk.wire_size : unacked_wire_ + chunk.wire_size;
    }
  }
  if (progress) unanswered_ = 0;
}

void SctpInvariants::on_reconfig_received(const Chunk& chunk) {
  for (const Parameter& parameter : parameters_of(chunk.value)) {
    // It may be put off, and is then answered a second time, by itself (RFC 6525 §5.2.2 E2): whether the first answer, "in progress", went
    // out or found no room.
    if (parameter.type == 13 && resets_asked_.insert(u32(parameter.value, 0)).second) ++late_answers_;
    if (parameter.type != 16 || request_in_flight_ != u32(parameter.value, 0)) continue;
    unanswered_ = 0;
    const std::uint32_t result = u32(parameter.value, 4);
    constexpr std::uint32_t kInProgress = 6, kPerformed = 1;
    in_progress_ = result == kInProgress;
    if (in_progress_) continue;
    demand(result <= kPerformed, "INV-15: a reset is refused: result " + std::to_string(result));
    for (std::size_t at = 4; at + 2 <= request_streams_.size(); at += 2)  // behind the last TSN assigned
      for (const bool unordered : std::initializer_list<bool>{false, true})
        numbers_[{u16(request_streams_, at), unordered}] = 0;
    request_in_flight_.reset();
  }
}

void SctpInvariants::mark_received(std::uint32_t tsn) {
  const std::uint32_t offset = tsn - (setup_.peer_initial_tsn - 1);
  if (offset > 0x7FFFFFFF) return;
  if (received_.size() <= offset) received_.resize(offset + 1);
  received_[offset] = true;
  while (contiguous_ + 1 < received_.size() && received_[contiguous_ + 1]) ++contiguous_;
}

void SctpInvariants::on_forward_received(std::uint32_t point) {
  const std::uint32_t offset = point - (setup_.peer_initial_tsn - 1);
  if (offset > 0x7FFFFFFF) return;
  if (received_.size() <= offset) received_.resize(offset + 1);
  for (std::size_t i = contiguous_; i <= offset; ++i) received_[i] = true;
  mark_received(point);
}

bool SctpInvariants::is_received(std::uint32_t tsn) const {
  const std::uint32_t offset = tsn - (setup_.peer_initial_tsn - 1);
  return offset < received_.size() && received_[offset];
}

// --- what it says of itself ---

void SctpInvariants::on_message(std::uint16_t stream, std::size_t bytes, bool reliable) {
  unsent_[stream] += bytes;
  unsent_total_ += bytes;
  if (reliable) return;
  partial_ = true;
  inexact_.insert(stream);
}

void SctpInvariants::on_edge(std::string_view from, std::string_view to) {
  const bool known = to == "CLOSED" || std::any_of(kEdges.begin(), kEdges.end(), [&](const Edge& edge) {
                       return edge.from == from && edge.to == to;
                     });
  demand(known, "INV-8: from " + std::string(from) + " to " + std::string(to));
}

void SctpInvariants::check_buffered(std::uint16_t stream, std::size_t amount) const {
  const auto at = unsent_.find(stream);
  const std::size_t unsent = at == unsent_.end() ? 0 : at->second;
  const bool right =
      amount <= unsent && (amount == unsent || inexact_.count(stream) != 0);  // DCEP is not in it
  demand(right,
         "INV-2: buffered amount " + std::to_string(amount) + " with " + std::to_string(unsent) + " unsent");
}

void SctpInvariants::check(Time now, const SctpFacts& facts) const {
  demand(facts.accounts_agree, "INV-3: the bytes outstanding are not the sum of the chunks in flight");
  demand(facts.state != SctpState::Established || facts.lacked_memory || facts.outstanding <= unacked_wire_,
         "INV-3: " + std::to_string(facts.outstanding) + " outstanding, " + std::to_string(unacked_wire_) +
             " not acknowledged");
  demand(facts.cwnd >= facts.pmdcs, "INV-3: cwnd below a packet");
  demand(facts.buffered_total <= unsent_total_, "INV-2: more buffered than was handed in");
  demand(facts.heap <= setup_.memory + 2 * facts.own_bytes,
         "INV-5: " + std::to_string(facts.heap) + " bytes of memory, " + std::to_string(facts.own_bytes) +
             " of them for our own messages");
  demand(!facts.t3_must_run || facts.t3_runs, "INV-14: T3 does not run");
  demand(facts.next_timeout >= Time{}, "INV-4: a deadline before time began");
  static_cast<void>(now);
}

void SctpInvariants::check_window(std::size_t charged, std::size_t held) {
  demand(charged == held, "INV-12: " + std::to_string(charged) + " bytes charged to the window, " +
                              std::to_string(held) + " held");
}

void SctpInvariants::check_deadline(Time now, const SctpFacts& facts) const {
  demand(facts.next_timeout > now, "INV-4: a timer is due in the past");
}

}  // namespace pollrtc::sim
