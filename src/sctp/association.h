// One SCTP association over DTLS (RFC 9260, 8261, 8831): the engine of this room. Read §4 (states), §5
// (set-up), §8.5 (verification tags) and §9 (shutdown) first; the file of the same name holds each part:
//   association.cpp  dispatch, timers, what goes into a packet      handshake.cpp  INIT to COOKIE ACK, the
//   cookie shutdown.cpp     SHUTDOWN, ABORT                                heartbeat.cpp  HEARTBEAT, the
//   error counter stream_reset     RE-CONFIG (RFC 6525)                           tcb.h          what exists
//   only while associated
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <variant>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "base/fixed_vec.h"
#include "base/memory.h"
#include "base/timers.h"
#include "pollrtc/fixed_string.h"
#include "pollrtc/result.h"
#include "sctp/internal_types.h"
#include "sctp/parameters_config.h"

namespace pollrtc::sctp {

struct AssociationConfig {
  std::uint16_t local_port = 5000, remote_port = 5000;
  std::uint32_t mtu = 1191;  // largest SCTP packet we build; rounded down to a multiple of four
  std::uint32_t max_message_rx = 256 * 1024;  // a larger one is dropped, with the event MessageTooLarge
  bool announce_zero_checksum =
      false;  // RFC 9653: the peer may leave the checksum out; what we send follows it
  std::optional<std::uint32_t> initial_tsn = {};  // random when empty; fixed by tests of wrap-around
  Parameters parameters = {};
};

struct SendOptions {
  std::uint16_t stream = 0;
  std::uint32_t ppid = 0;
  bool unordered = false;
  std::optional<std::uint32_t> max_retransmits = {};  // RFC 7496 §3.1
  std::optional<Duration> lifetime = {};              // from the moment of send() (RFC 3758 §4.1)
};

struct Message {
  explicit Message(const Memory& memory) : payload(memory) {}
  std::uint16_t stream = 0;
  std::uint32_t ppid = 0;
  bool unordered = false;
  Buffer payload;
  std::size_t charge =
      0;  // bytes of the receive window it still holds: release() them when the user has taken it
};

enum class AssociationState : std::uint8_t {
  Closed,
  CookieWait,
  CookieEchoed,
  Established,
  ShutdownPending,
  ShutdownSent,
  ShutdownReceived,
  ShutdownAckSent
};
std::string_view name_of(AssociationState state);

struct AssociationStats {
  std::uint64_t packets_in = 0, packets_out = 0;
  std::uint64_t chunks_in = 0, data_chunks_in = 0, data_chunks_out = 0;
  std::uint64_t retransmissions = 0;
  std::uint32_t cwnd = 0, ssthresh = 0, peer_rwnd = 0;
  std::size_t outstanding_bytes = 0;
  Duration srtt{}, rto{};
};

struct Tcb;  // tcb.h

class Association {
 public:
  struct Connected {
    std::uint16_t outbound_streams, inbound_streams;
  };
  struct Restarted {
  };  // the peer came back anew (RFC 9260 §5.2.4 A): nothing of before survives, streams begin at 0
  struct Ended {  // once, last
    Close reason;
    FixedString<128> detail;
    std::uint16_t cause_code;  // of the ABORT, 0 when there was none
  };
  struct StreamsReset {  // the peer reset its outgoing stream, all it sent before has been received: one
                         // event a stream
    std::uint16_t stream;
    bool all;  // every stream (an empty list, RFC 6525 §4.1); `stream` means nothing then
  };
  struct ResetDone {  // our outgoing reset of that stream has been answered
    std::uint16_t stream;
    bool performed;
  };
  struct BufferLow {  // buffered_amount came down to the threshold
    std::uint16_t stream;
  };
  struct MessageTooLarge {
    std::uint16_t stream;
  };
  using Event =
      std::variant<Connected, Restarted, Ended, StreamsReset, ResetDone, BufferLow, MessageTooLarge>;

  Association(const Environment& env, const AssociationConfig& config);
  ~Association();
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;

  // Both ends of a WebRTC connection call it: a simultaneous open is the normal case (RFC 8841 §9.3).
  Status connect(Time now);

  Drop handle_packet(Time now, Bytes packet);
  std::size_t poll_packet(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  // The message is copied once. Errors: InvalidState (not connected, or shutting down), InvalidArgument
  // (empty, stream out of range), TooLarge, BufferFull, OutOfMemory.
  Status send(Time now, const SendOptions& options, Bytes message);
  // The next complete message, in the order of completion. False: none is waiting.
  bool receive(Message& out);
  void release(std::size_t charge);

  // Queued until the stream is drained; several streams share a request. Errors: InvalidState,
  // InvalidArgument, NotSupported (the peer has no RE-CONFIG), AlreadyExists (a reset of it is under way),
  // OutOfMemory.
  Status reset_stream(Time now, std::uint16_t stream);
  void set_buffer_low_threshold(std::uint16_t stream, std::size_t bytes);
  std::size_t buffered_amount(
      std::uint16_t stream) const;  // payload handed in and not yet sent for the first time
  std::size_t buffered_total() const;
  void set_stream_priority(std::uint16_t stream, std::uint16_t weight);

  void shutdown(Time now);                        // graceful: what is queued is sent first
  void abort(Time now, std::string_view reason);  // the ABORT is what poll_packet() gives next; Ended{Local}

  bool peer_supports_partial_reliability() const;
  bool peer_supports_reset() const;
  AssociationState state() const { return state_; }
  AssociationStats stats() const;
  const DropCounters& drops() const { return drops_; }
  void set_initial_rtt(Duration rtt);  // from ICE, before the first sample: T1 and T3 start with it

 private:
  AssociationState state_ = AssociationState::Closed;
  DropCounters drops_;
};

}  // namespace pollrtc::sctp
