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
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/internal_types.h"
#include "sctp/packet.h"
#include "sctp/parameters_config.h"
#include "sctp/path_mtu.h"
#include "sctp/replies.h"
#include "sctp/state_cookie.h"
#include "sctp/stream_scheduler.h"
#include "sctp/stream_set.h"
#include "sctp/tx_outcomes.h"

namespace pollrtc::sctp {

struct AssociationConfig {
  std::uint16_t local_port = 5000, remote_port = 5000;
  std::uint32_t mtu = 1191;                   // PathSizes::base of the first path
  std::uint32_t max_ip = 0;                   // PathSizes::max_ip: 0 means that packets never get larger
  std::uint32_t below = 0;                    // PathSizes::below
  std::uint32_t max_message_rx = 256 * 1024;  // a larger one is dropped, with the event MessageTooLarge
  bool announce_zero_checksum =
      false;  // RFC 9653: the peer may leave the checksum out; what we send follows it
  std::optional<std::uint32_t> initial_tsn = {};  // random when empty; fixed by tests of wrap-around
  // RFC 8260: offer I-DATA, which lets messages of different streams be sent side by side. Spoken when the peer offers it
  // too.
  bool interleaving = true;
  SchedulerPolicy scheduler = SchedulerPolicy::WeightedFair;  // of our streams (RFC 8260 §3, RFC 8831 §6.4)
  Parameters parameters = {};
};

struct SendOptions {
  std::uint16_t stream = 0;
  std::uint32_t ppid = 0;
  bool unordered = false;
  std::optional<std::uint32_t> max_retransmits = {};  // RFC 7496 §3.1
  std::optional<Duration> lifetime = {};              // from the moment of send() (RFC 3758 §4.1)
  // Ask what becomes of the message: MessageReport events name it by this number, which is the caller's to choose.
  std::optional<std::uint64_t> report = {};
  // RFC 7496 §3.2: while it waits for its first transmission it may be given up for a message of a higher priority when the
  // buffer is full. 0 is the highest; a message without one stands above all that have one.
  std::optional<std::uint16_t> discard_priority = {};
  // Taken however full the buffers are, and not in buffered_amount(): DCEP's few small messages, none of the user's.
  bool beyond_limits = false;
};

struct Message {  // or a piece of one, on a stream that is received in pieces
  explicit Message(const Memory& memory) : payload(memory) {}
  std::uint16_t stream = 0;
  std::uint32_t ppid = 0;
  bool unordered = false;
  bool begins = true, ends = true;  // both, but for a piece
  bool abandoned = false;           // the sender has given up the rest: `ends`, and the payload is empty
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
  std::uint32_t mtu = 0;  // largest SCTP packet now, probes excepted
  Duration srtt{}, rto{};
};

struct Tcb;  // tcb.h
struct DataChunk;
struct Agreement;

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
  struct ResetDone {  // of ours, answered; the next request waits until this is taken
    std::uint16_t stream;
    bool performed;
  };
  struct BufferLow {  // buffered_amount came down to the threshold
    std::uint16_t stream;
  };
  struct MessageTooLarge {
    std::uint16_t stream;
  };
  // Of a message with SendOptions::report: Sent once, unless it was abandoned before; then Acknowledged or Abandoned once,
  // unless the association ended or was restarted before that was known.
  struct MessageReport {
    std::uint64_t report;
    MessageOutcome outcome;
  };
  // The largest packet that the path carries is another one now. In the ERROR state of RFC 8899 §5.2 it does not even carry
  // what every path should: `is_error`, and `mtu` is the smallest there is. Only the latest change is told.
  struct PathMtuChanged {
    std::uint32_t mtu;
    bool is_error;
  };
  using Event = std::variant<Connected, Restarted, Ended, StreamsReset, ResetDone, BufferLow, MessageTooLarge,
                             PathMtuChanged>;

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
  // Whether receive(), poll_report() or poll_event() has something to give.
  bool has_news() const;
  // Not among the events, so that who takes them can leave reports here while it has no room: they are bounded here.
  bool poll_report(MessageReport& report);

  // Larger ones do not even fit an empty send buffer, which holds what it keeps of each message too.
  static std::size_t largest_message(const Limits& limits);
  // The message is copied once. Errors: InvalidState (not connected, or shutting down), InvalidArgument
  // (empty, stream out of range), TooLarge, BufferFull, LimitReached (too many reports are owed), OutOfMemory.
  Status send(Time now, const SendOptions& options, Bytes message);
  // A message whose whole need not be in memory at once, of any size. The first call on a stream begins it, `last` ends it
  // and must bring at least one byte; no other message goes on the stream in between. Without I-DATA the other streams wait
  // until it is finished. It is sent reliably. Errors as send(), and InvalidState when the options ask for limits.
  Status send_piece(Time now, const SendOptions& options, Bytes piece, bool last);
  // Gives up the message in pieces that is open on the stream: the peer learns that it will not be completed.
  void abandon_piece(Time now, std::uint16_t stream);
  // The next complete message, in the order of completion. False: none is waiting.
  bool receive(Message& out);
  // From now on the messages of the stream are given out as they come, so that one may be larger than the receive window;
  // pieces of one message only follow each other, and its last one says so. Without it a message is given out whole. A
  // message of which a piece was given out stays in pieces. Errors: InvalidState, InvalidArgument, OutOfMemory.
  Status receive_in_pieces(std::uint16_t stream, bool on);
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
  // Nothing will be sent on it any more, though it could not be reset.
  void forget_stream(std::uint16_t stream);

  // A connection that has been silent for a while: tables of what is under way go when nothing is.
  void rest();

  void shutdown(Time now);                        // graceful: what is queued is sent first
  void abort(Time now, std::string_view reason);  // the ABORT is what poll_packet() gives next; Ended{Local}

  bool peer_supports_partial_reliability() const;
  bool peer_supports_reset() const;
  bool is_interleaving() const;  // both ends speak I-DATA
  AssociationState state() const { return state_; }
  AssociationStats stats() const;
  using Drops = DropCountersOf<Drop::SctpChecksum, Drop::SctpReplyLost>;
  const Drops& drops() const { return drops_; }
  // Another selected pair: congestion control begins anew (RFC 9260 §7.2.5), and so does the search for its MTU.
  void on_path_change(Time now, const PathSizes& sizes);
  // Of the packet that poll_packet() gave last: no router may cut it, and the system neither (DF). So go probes, and what is
  // larger than the base size. Not so a chunk that was cut for a larger path: it cannot be cut again (RFC 9260 §6.9).
  bool dont_fragment() const { return dont_fragment_; }
  void set_initial_rtt(Duration rtt);  // from ICE, before the first sample: T1 and T3 start with it

 private:
  friend struct Inspector;  // of tests, which look at the accounts
  enum class Timer : std::uint8_t {
    T1,
    T2,
    ShutdownGuard,
    Heartbeat,
    HeartbeatAck,
    Reconfig,
    Release,
    Count_
  };
  // What one chunk came to.
  struct Handled {
    Drop drop = Drop::None;
    bool stop = false;  // the rest of the packet is not looked at
  };

  // association.cpp
  void become(AssociationState next, std::string_view reason);
  bool has_association() const { return state_ != AssociationState::Closed; }
  void end(Close reason, std::string_view detail, CauseCode cause = CauseCode::None);
  bool is_transferring() const;  // there is a TCB, and DATA and SACK flow or are being finished
  VerificationTag peer_tag() const;
  Duration rto() const;
  void on_timer(Time now, Timer timer);
  void reply_error(CauseCode cause, Bytes value);
  Handled violation(CauseCode cause, Bytes value, std::string_view detail);
  bool may_answer_stranger(Time now);

  // inbound.cpp
  Drop dispatch(Time now, const Packet& packet);
  Drop walk(Time now, const Packet& packet);
  Handled on_chunk(Time now, const Packet& packet, const ChunkView& chunk);
  Handled on_transfer_chunk(Time now, const ChunkView& chunk);
  Handled on_unknown(const ChunkView& chunk);
  Handled on_data(const ChunkView& chunk);
  Handled on_user_data(const DataChunk& data);
  Handled on_sack(Time now, const ChunkView& chunk);
  Handled on_forward_tsn(const ChunkView& chunk);
  Handled on_error_chunk(Time now, const ChunkView& chunk);
  Drop on_out_of_the_blue(Time now, const Packet& packet);
  void end_of_packet(Time now);

  // outbound.cpp
  std::size_t write_reply_alone(MutBytes out);
  std::size_t write_init(MutBytes out);
  std::size_t write_probe(Time now, MutBytes out);
  std::size_t write_oversized(Time now, MutBytes out);
  std::size_t write_packet(Time now, MutBytes out);
  bool may_send_data() const;
  void write_control(Time now, PacketWriter& packet);
  void write_transfer(Time now, PacketWriter& packet);

  // handshake.cpp
  std::uint32_t a_rwnd_to_announce() const;
  bool make_identity();
  bool make_secret();
  Drop on_init(Time now, const ChunkView& chunk);
  Drop answer_init(Time now, const InitChunk& init, const InitParameters& parameters);
  Handled on_init_ack(Time now, const Packet& packet, const ChunkView& chunk);
  Handled refuse_init_ack(const InitChunk& init, CauseCode cause, Bytes value, std::string_view detail);
  Handled on_cookie_echo(Time now, const Packet& packet, const ChunkView& chunk);
  Handled on_cookie_with_tcb(Time now, const StateCookie& cookie);
  Handled on_cookie_ack(Time now);
  void on_stale_cookie(Time now);
  bool adopt(Time now, const StateCookie& cookie);
  bool make_tcb(Agreement agreed);
  Handled on_restart(Time now, const StateCookie& cookie);
  void establish(Time now, std::string_view reason);
  void announce_connected();
  bool fits_packet(Bytes cookie) const;
  void on_t1(Time now);

  // shutdown.cpp
  void abort_with(CauseCode cause, Bytes value, Close reason, std::string_view detail);
  void shutdown_progress(Time now);
  void start_t2(Time now);
  Handled on_shutdown(Time now, const ChunkView& chunk);
  Handled on_shutdown_ack(Time now, const Packet& packet);
  Handled on_shutdown_complete(const Packet& packet, const ChunkView& chunk);
  Handled on_abort(const Packet& packet, const ChunkView& chunk);
  bool is_right_tag(const Packet& packet, const ChunkView& chunk) const;
  void on_t2(Time now);

  // heartbeat.cpp
  void schedule_heartbeat(Time now);
  bool heartbeats_run() const;
  bool is_heartbeat_wanted() const;
  Handled on_heartbeat(const ChunkView& chunk);
  Handled on_heartbeat_ack(Time now, const ChunkView& chunk);
  void on_heartbeat_timer(Time now, Timer timer);
  void measure_round_trip(Time now);
  bool on_probe_ack(Time now, std::uint64_t nonce);
  bool on_measurement(Time now, std::uint64_t nonce);
  void on_data_timeout(Time now);
  void on_data_progress(Time now);
  void on_black_hole(Time now);
  void use_path_mtu();
  void count_error(Time now, std::string_view what);
  void clear_errors();

  // reconfiguration.cpp
  Handled on_reconfig(Time now, const ChunkView& chunk);
  std::optional<ReconfigResult> answer_request(const OutgoingResetRequest& request);
  void perform_incoming_reset();
  void finish_deferred_reset(Time now);
  void release_deferred(Time now);
  void on_reconfig_response(Time now, const ReconfigResponse& response);
  void write_reset_request(Time now, PacketWriter& packet);
  void on_reconfig_timer(Time now);

  const Environment& env_;
  const AssociationConfig config_;
  AssociationState state_ = AssociationState::Closed;
  bool ended_ = false;
  Drops drops_;
  AssociationStats stats_;
  TimerTable<Timer> timers_;
  PathMtu path_mtu_;
  Replies replies_;
  Owned<Tcb> tcb_;

  // Set-up (RFC 9260 §5)
  std::optional<CookieSecret> secret_;
  VerificationTag local_tag_{};
  Tsn local_initial_tsn_;
  TieTags ties_;
  Buffer peer_cookie_;
  Backoff t1_;
  std::optional<Duration> initial_rtt_;
  std::uint16_t init_sent_ = 0;  // INITs or COOKIE ECHOs beyond the first
  bool stale_cookie_retried_ = false;

  // What poll_packet() has to write beside replies and data.
  struct Owed {
    bool init = false, cookie_echo = false, cookie_ack = false;
    bool shutdown = false, shutdown_ack = false;
    bool heartbeat = false, measurement = false;
  };
  Owed owed_;

  // Failure detection (§8) and the end (§9)
  std::uint16_t errors_ = 0;
  bool sent_since_error_ = false;
  std::uint16_t t2_retransmissions_ = 0;
  std::uint64_t heartbeat_nonce_ = 0;  // of the one under way; 0: none is
  Time heartbeat_sent_{};
  std::uint64_t measurement_nonce_ =
      0;  // of a HEARTBEAT that asks for the round trip alone; 0: none is under way
  Time measurement_sent_{};
  std::uint64_t probe_nonce_ = 0;  // of the probe under way; 0: none is
  Time probe_sent_{};
  std::uint8_t data_timeouts_ = 0;  // T3 expirations in a row
  bool dont_fragment_ = false;
  bool ended_by_us_ = false;  // shutdown() was called here
  Backoff reconfig_backoff_;
  Time strangers_since_{};  // answers to packets out of the blue, in this second
  std::uint16_t strangers_answered_ = 0;

  // What one packet leaves to its end
  bool packet_had_data_ = false;

  // Events, kept as what happened rather than as a queue
  std::optional<Connected> connected_event_;
  bool restarted_event_ = false;
  bool all_streams_reset_event_ = false;
  StreamSet streams_reset_events_;
  std::optional<PathMtuChanged> path_mtu_event_;
  std::optional<Ended> ended_event_;
};

static_assert(PacketEngine<Association>);

}  // namespace pollrtc::sctp
