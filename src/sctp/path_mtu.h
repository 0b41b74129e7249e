// The largest packet that the path carries, found by trying, with no help from ICMP: datagram packetization layer path MTU
// discovery, RFC 8899, as §6.2 has it for SCTP. Read §5.2 (the state machine) first; the states have its names.
//
// A plain value: it says when a probe of what size is due and is told what became of it. A probe is a HEARTBEAT with a PAD
// behind it (RFC 4820), which carries no data, so its loss costs nothing: path_discovery.cpp builds it and reads the answer.
//
// Sizes are SCTP packets, from the common header to the last padding byte. What lies below (IP, UDP, a TURN channel, a DTLS
// record) is given as one number, so that the sizes tried are those that networks have.
#pragma once

#include <cstdint>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc::sctp {

// What the owner knows of a path before anything was tried.
struct PathSizes {
  std::uint32_t base =
      1191;  // largest SCTP packet before any probe (BASE_PLPMTU); counted down to a multiple of 4
  std::uint32_t max_ip = 0;  // largest IP packet worth trying; 0: no probes, since nobody can set DF
  std::uint32_t below = 0;   // bytes of an IP packet that are not SCTP's
  friend constexpr bool operator==(const PathSizes&, const PathSizes&) = default;
};

class PathMtu {
 public:
  enum class State : std::uint8_t { Disabled, Base, Searching, SearchComplete, Error };

  static constexpr std::uint32_t kSmallest = 508;  // MIN_PLPMTU: RFC 9260 knows no smaller packet
  static constexpr std::uint32_t kLargest = 16384 - 16384 % 4;  // a DTLS record holds no more
  static constexpr std::uint8_t kMaxProbes = 3;
  static constexpr Duration kShortestProbeTimer = std::chrono::seconds(1);
  static constexpr Duration kLongestProbeTimer = std::chrono::seconds(15);
  static constexpr Duration kRaiseTimer = std::chrono::seconds(600);
  // How long ERROR waits before it tries the base size again.
  static constexpr Duration kErrorPause = std::chrono::seconds(60);

  explicit PathMtu(const PathSizes& sizes) { set_path(sizes); }

  // Another path: nothing is known about it. Disabled until start().
  void set_path(const PathSizes& sizes);
  // The peer answers on this path. Nothing happens when probing is impossible, or has begun.
  void start(Time now);
  void stop();  // Disabled: no more probes; the size stays

  State state() const { return state_; }
  // The packets we send, probes excepted, are no larger.
  std::uint32_t size() const { return size_; }
  std::uint32_t base() const { return base_; }
  // Messages are cut into chunks that fit packets of this size. A chunk that has its TSN cannot be cut again, so until somebody
  // has seen the base size arrive they are cut for the smallest, and packets filled with several of them.
  std::uint32_t size_to_cut_for() const { return state_ == State::Base ? kSmallest : size_; }

  // The probe that is owed; 0: none is.
  std::uint32_t probe_due() const { return probe_due_ ? probed_ : 0; }
  // `rto`: of the association. The next probe waits for this one's answer or its timer, so they are a round trip apart.
  void on_probe_sent(Time now, Duration rto);
  void on_probe_acked(Time now);
  // Data sent on this path was acknowledged.
  void on_data_progress(Time now);
  // Full packets vanish where small ones do not (§4.3).
  void on_black_hole(Time now);
  void handle_timeout(Time now);
  Time next_timeout() const { return deadline_; }

 private:
  std::uint32_t to_packet(std::uint32_t ip_size) const;
  std::uint32_t next_larger() const;
  void enter(Time now, State state);
  void probe(std::uint32_t size);
  void search(Time now);

  State state_ = State::Disabled;
  std::uint32_t base_ = 0, most_ = 0, below_ = 0;
  std::uint32_t size_ = 0;      // PLPMTU
  std::uint32_t probed_ = 0;    // PROBED_SIZE
  std::uint8_t lost_ = 0;       // PROBE_COUNT
  bool is_confirmed_ = false;   // the base size, by a probe, since the last doubt
  bool has_progress_ = false;   // data was acknowledged since BASE or ERROR began
  bool is_used_ = false;        // and since the last search was over
  bool is_raise_owed_ = false;  // the raise timer ran out, and nobody has needed the path since
  bool probe_due_ = false;
  bool probe_out_ = false;  // and not answered yet
  Time deadline_ = kNever;
};

std::string_view name_of(PathMtu::State state);

}  // namespace pollrtc::sctp
