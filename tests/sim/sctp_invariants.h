// The invariants of one SCTP association, checked on what goes in and out of it and on what it says of itself. Each is
// named by its number; a broken one throws Violation("INV-nn: ..."). The engine is not asked what it sent or heard: this
// keeps its own books from the bytes (sctp_wire.h).
//
//   INV-2   buffered amount = payloads handed in and not yet sent            INV-11  what we acknowledge never goes back
//   INV-3   bytes outstanding, cwnd                                          INV-12  held + a_rwnd <= window
//   INV-4   deadlines lie in the future                                      INV-13  what every packet must keep
//   INV-5   memory                                                           INV-14  T3 runs while it must
//   INV-6   packet size, DF                                                  INV-15  one RE-CONFIG request in flight
//   INV-8   edges of the state machine                                       INV-16  replies for each packet
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "sim/sctp_wire.h"

namespace pollrtc::sim {

struct SctpSetup {
  std::uint32_t base_size = 0;   // the largest packet before the path is known
  std::uint32_t most_tried = 0;  // the largest probe of the path
  std::uint32_t local_initial_tsn = 0, peer_initial_tsn = 0;
  bool accepts_zero_checksum = false;  // announced by this end
  bool interleaves = false;            // both ends announced I-DATA
  bool carries_dcep =
      false;  // messages with PPID 50 are the channels' own: on_message() does not hear of them
  std::size_t rx_window = 0;
  std::size_t memory = 0;  // what one hostile peer may make us hold
};

enum class SctpState : std::uint8_t {  // RFC 9260 §4, in the order of the engine
  Closed,
  CookieWait,
  CookieEchoed,
  Established,
  ShutdownPending,
  ShutdownSent,
  ShutdownReceived,
  ShutdownAckSent
};

// What the engine says of itself.
struct SctpFacts {
  SctpState state = SctpState::Closed;
  std::size_t outstanding = 0, cwnd = 0, pmdcs = 0;
  std::size_t buffered_total = 0;
  std::size_t heap = 0, own_bytes = 0;  // own_bytes: messages of ours in memory, with what they cost
  std::size_t rx_used = 0;
  std::size_t packet_size = 0;  // the largest that the path is believed to carry
  bool dont_fragment = false;   // of the packet just written
  bool accounts_agree = true;   // outstanding bytes = sum over the chunks in flight
  bool t3_runs = false, t3_must_run = false;
  bool lacked_memory = false;  // ever: gap blocks are passed over then, and what they name stays outstanding
  Time next_timeout = kNever;
};

// Which counters of what was sent have passed their end.
struct SctpWraps {
  bool tsn = false, ssn = false, mid = false, unordered_mid = false, reset_request = false;
  friend SctpWraps operator|(const SctpWraps& a, const SctpWraps& b) {
    return {a.tsn || b.tsn, a.ssn || b.ssn, a.mid || b.mid, a.unordered_mid || b.unordered_mid,
            a.reset_request || b.reset_request};
  }
};

class SctpInvariants {
 public:
  explicit SctpInvariants(const SctpSetup& setup);

  // Of the association, in the order in which things happen.
  // Before the engine has seen it. `own_tag`: that of the association as it is now.
  void on_received(Bytes packet, SctpState before, std::uint32_t own_tag);
  void on_sent(Bytes packet, const SctpFacts& before, const SctpFacts& after);
  void on_message(std::uint16_t stream, std::size_t bytes, bool reliable);  // send() took it
  void on_silence() { packets_in_ = reply_packets_; }  // it has nothing to say: all that came is answered
  void on_user_abort() { ++packets_in_; }              // the ABORT answers the user, not a packet
  void on_edge(std::string_view from, std::string_view to);
  // After every event.
  void check(Time now, const SctpFacts& facts) const;
  void check_buffered(std::uint16_t stream, std::size_t amount) const;
  void check_deadline(Time now, const SctpFacts& facts) const;  // after handle_timeout()
  // `charged`: what the engine takes for used of the window. `held`: what is there, and with the user.
  static void check_window(std::size_t charged, std::size_t held);

  // For runs that begin just before a wrap.
  void set_next_number(std::uint16_t stream, bool unordered, std::uint32_t number) {
    numbers_[{stream, unordered}] = number;
  }
  // For an end that learns it only from the peer's first packet: to be told before that one.
  // Another path, of another family perhaps. What was cut for the old one stays as it is.
  void set_path(std::uint32_t base_size, std::uint32_t most_tried) {
    largest_cut_ = std::max({largest_cut_, setup_.most_tried, setup_.base_size});
    setup_.base_size = base_size;
    setup_.most_tried = most_tried;
    largest_answered_ = std::max<std::size_t>(largest_answered_, base_size);
  }
  void set_peer_initial_tsn(std::uint32_t tsn) { setup_.peer_initial_tsn = tsn; }
  // A message that may be given up has been handed in.
  bool has_partial_reliability() const { return partial_; }
  // Packets that ask for an answer (DATA, HEARTBEAT, RE-CONFIG, FORWARD TSN, INIT, COOKIE ECHO, SHUTDOWN and its ACK)
  // sent since something last acknowledged any of it.
  std::size_t unanswered_requests() const { return unanswered_; }
  std::uint64_t packets_sent() const { return packets_out_; }
  std::uint64_t retransmitted() const { return retransmitted_; }
  const SctpWraps& wraps() const { return wraps_; }

 private:
  struct SentChunk {
    std::uint64_t content = 0;  // of everything that a retransmission must repeat
    std::size_t wire_size = 0;
    bool sent = false;  // false: a TSN that was skipped, since its fragment was given up
    bool gap_acked = false;
  };
  struct OpenMessage {
    std::uint16_t stream = 0;
    std::uint32_t number = 0, fsn = 0;
    bool unordered = false;
  };
  struct StreamKey {
    std::uint16_t stream = 0;
    bool unordered = false;  // counts only with I-DATA
    auto operator<=>(const StreamKey&) const = default;
  };

  void check_size(std::size_t size, const wire::Packet& packet, const SctpFacts& before,
                  bool dont_fragment) const;
  void check_tag(const wire::Packet& packet);
  void check_states(const wire::Packet& packet, SctpState state) const;
  void check_replies(const wire::Packet& packet);
  void on_data_sent(const wire::Data& data, bool lacked_memory);
  void on_new_data(const wire::Data& data);
  void check_fragment_order(const wire::Data& data);
  void check_number(const wire::Data& data);
  void on_sack_sent(const wire::Sack& sack, const SctpFacts& facts);
  void check_cumulative(std::uint32_t tsn);
  void on_forward_sent(std::uint32_t point) const;
  void on_reconfig_sent(const wire::Chunk& chunk);
  void on_sack_received(std::uint32_t cumulative, const wire::Sack* sack);
  void on_reconfig_received(const wire::Chunk& chunk);
  void mark_received(std::uint32_t tsn);
  void on_forward_received(std::uint32_t point);
  bool is_received(std::uint32_t tsn) const;

  SctpSetup setup_;
  // Sending
  std::set<std::uint32_t> peer_tags_, heard_tags_;  // announced by the peer; of packets that came to us
  std::optional<std::uint32_t> transfer_tag_;
  bool peer_accepts_zero_ = false;
  bool partial_ = false;
  std::uint32_t largest_cut_ = 0;  // on the paths before this one
  std::uint32_t first_unacked_;    // TSN of sent_[0]
  std::deque<SentChunk> sent_;
  std::size_t unacked_wire_ = 0;     // of sent_, without what gap blocks acknowledge
  std::optional<OpenMessage> open_;  // DATA: the message whose next fragment must follow
  std::map<StreamKey, OpenMessage> open_interleaved_;
  std::map<StreamKey, std::uint32_t> numbers_;  // the next SSN or MID
  std::map<std::uint16_t, std::size_t> unsent_;
  std::set<std::uint16_t> inexact_;  // streams with messages that may vanish
  std::size_t unsent_total_ = 0;
  std::optional<std::uint32_t> request_in_flight_, last_request_;
  std::vector<std::uint8_t> request_streams_;
  bool in_progress_ = false;  // said the peer of it
  // Receiving
  std::vector<bool> received_;  // by TSN - (peer_initial_tsn - 1); [0] is true
  std::size_t contiguous_ = 0;  // all up to here were received or skipped
  std::optional<std::uint32_t> last_cumulative_;
  // The path
  std::map<std::vector<std::uint8_t>, std::size_t>
      probes_;  // by what their HEARTBEAT says, which its ACK repeats
  std::size_t largest_answered_;
  // Counts
  std::uint64_t packets_in_ = 0;          // those that may be answered by more than a SACK
  std::set<std::uint32_t> resets_asked_;  // by the peer
  std::uint64_t late_answers_ = 0;        // that may yet come without being asked for again
  std::uint64_t packets_out_ = 0, reply_packets_ = 0, retransmitted_ = 0;
  std::size_t unanswered_ = 0;
  SctpWraps wraps_;
};

}  // namespace pollrtc::sim
