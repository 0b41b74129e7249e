// What an engine needs from outside and may not fetch itself: randomness, memory, a log sink, and limits.
//
// Hooks are plain function pointers with a context, not virtual functions: the library is built without RTTI,
// and a class that derives from one of ours could not be linked by code that is built with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc {

// A source of random bytes. Tags, transaction ids, passwords and cookie keys come from it, so in production
// it must be a cryptographic generator; a test gives a seeded one and gets the same packets each run.
struct Rng {
  // Fills the whole span. Returns false when it cannot; the engine then refuses the call or ends, with
  // NoRandomness.
  bool (*fill)(void* context, MutBytes out) = nullptr;
  void* context = nullptr;  // handed to fill()
};

// Where an engine's memory comes from. Running out is an ordinary result (null), not an end.
struct Memory {
  // `align` is a power of two. Null means that there is none.
  void* (*allocate)(void* context, std::size_t bytes, std::size_t align) = nullptr;
  // Takes back what allocate() gave, with the same size and alignment.
  void (*release)(void* context, void* block, std::size_t bytes, std::size_t align) = nullptr;
  void* context = nullptr;  // handed to both
};

// operator new and delete, without exceptions.
POLLRTC_API Memory default_memory();

// How much it matters; Off: nothing is written.
enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warning, Error, Off };

// Where log lines go. With `-Dlogging=false` there are none.
struct LogSink {
  // One line, without its end. `room` is the layer that speaks: "ice", "dtls", "sctp", "sdp", "peer", "net",
  // "api".
  void (*write)(void* context, LogLevel level, std::string_view room, std::string_view line) = nullptr;
  void* context = nullptr;         // handed to write()
  LogLevel level = LogLevel::Off;  // lines below it are not even formatted
};

// Every bound on what a peer or a user can make us hold or do. Names and numbers: docs/limits.md.
struct Limits {
  // ICE and STUN
  std::uint16_t ice_local_candidates = 64;
  std::uint16_t ice_remote_candidates = 64;    // signalled by the other end, and names of such
  std::uint16_t ice_prflx = 16;                // peer-reflexive candidates learned from checks
  std::uint16_t ice_pairs = 100;               // RFC 8445 §6.1.2.5
  std::uint16_t ice_tcp_connections = 32;      // ICE-TCP, both ways
  std::uint16_t ice_tcp_unverified = 8;        // of those, accepted and not yet proved to be the peer's
  std::uint32_t ice_tcp_buffer = 64 * 1024;    // out, per connection
  std::uint16_t stun_pending = 128;            // transactions under way
  std::uint16_t stun_errors_per_second = 100;  // error responses, to all together
  std::uint16_t stun_errors_per_source = 10;   // per second
  // How long a connection whose path has failed waits for an ICE restart, channels and all. 0: it ends at once.
  Duration ice_restart_window = std::chrono::seconds(300);

  // TURN
  std::uint16_t turn_servers = 8;       // servers given, each with all its addresses
  std::uint16_t turn_allocations = 8;   // on all of them together
  std::uint16_t turn_permissions = 64;  // peer addresses, for each allocation
  std::uint16_t turn_channels = 16;     // peers with a channel, for each allocation in its whole life
  std::uint16_t turn_auth_retries = 3;  // challenges in a row for one request
  std::uint16_t turn_redirects = 1;     // redirections (300) followed
  std::uint32_t turn_stream_buffer = 64 * 1024;  // each way, per connection

  // DTLS
  std::uint32_t dtls_handshake_buffer = 32 * 1024;
  std::uint16_t dtls_pre_verified = 4;  // datagrams kept while the role is not known yet
  Duration dtls_handshake_timeout = std::chrono::seconds(30);  // then the connection fails

  // SCTP
  std::uint32_t sctp_rx_window =
      1024 * 1024;  // bytes held for the user and for reassembly, overhead included; at the start
  std::uint32_t sctp_rx_window_max = 2560 * 1024;          // what it may grow to
  std::uint32_t sctp_tx_buffer_channel = 2 * 1024 * 1024;  // bytes waiting to be sent, for each channel
  std::uint32_t sctp_tx_buffer = 8 * 1024 * 1024;          // the same, for all channels together
  std::uint32_t sctp_max_message_rx = 256 * 1024;          // announced as a=max-message-size
  std::uint32_t sctp_tsn_span = 16384;              // how far above the cumulative TSN a chunk is taken
  std::uint32_t sctp_chunks_queued = 16384;         // fragments held for reassembly
  std::uint16_t sctp_dup_tsns = 20;                 // duplicates named in one SACK
  std::uint32_t sctp_outcomes = 4096;               // messages whose reports are asked for and not all taken
  std::uint16_t sctp_streams = 65535;               // RFC 8831 §6.2; state is made on first use
  std::uint16_t sctp_ootb_replies_per_second = 10;  // to packets of no association

  // Data channels
  std::uint16_t dc_channels = 1024;
  std::uint32_t dc_pre_open = 64 * 1024;  // bytes kept for streams whose OPEN has not come, overhead included
  std::uint32_t dc_labels =
      128 * 1024;  // labels and protocols of the channels that the other end opened, together
  std::uint32_t api_rx_queue = 16384;  // messages announced, and that not yet heard; all channels together

  // Name resolution
  std::uint16_t dns_answers = 8;               // addresses taken from one name; 16 at the most
  std::uint16_t ice_mdns_names = 16;           // names of remote candidates, being resolved at once
  std::uint16_t mdns_replies_per_second = 50;  // answers by unicast about our own names

  // SDP
  std::uint32_t sdp_size = 128 * 1024;
  std::uint32_t sdp_line = 8 * 1024;  // bytes of one line
  std::uint16_t sdp_sections = 16;    // media sections

  // The profile for small machines.
  static constexpr Limits small() {
    Limits limits;
    limits.ice_local_candidates = 16;
    limits.ice_remote_candidates = 16;
    limits.ice_prflx = 4;
    limits.ice_pairs = 24;
    limits.ice_tcp_connections = 8;
    limits.ice_tcp_unverified = 4;
    limits.ice_tcp_buffer = 16 * 1024;
    limits.stun_pending = 32;
    limits.turn_allocations = 4;
    limits.turn_permissions = 16;
    limits.turn_channels = 4;
    limits.turn_stream_buffer = 16 * 1024;
    limits.dtls_handshake_buffer = 16 * 1024;
    limits.sctp_rx_window = 128 * 1024;
    limits.sctp_rx_window_max = 128 * 1024;
    limits.sctp_tx_buffer_channel = 256 * 1024;
    limits.sctp_tx_buffer = 256 * 1024;
    limits.sctp_max_message_rx = 64 * 1024;
    limits.sctp_tsn_span = 2048;
    limits.sctp_chunks_queued = 2048;
    limits.sctp_outcomes = 256;
    limits.dc_channels = 64;
    limits.dc_pre_open = 8 * 1024;
    limits.dc_labels = 16 * 1024;
    limits.api_rx_queue = 1024;
    limits.dns_answers = 4;
    limits.ice_mdns_names = 4;
    limits.mdns_replies_per_second = 10;
    limits.sdp_size = 32 * 1024;
    limits.sdp_line = 4 * 1024;
    limits.sdp_sections = 4;
    return limits;
  }
};

// The pace of a whole process: RFC 8445 §14.2 lets all its ICE agents together begin one transaction every 5 ms. Give one
// object to the Environment of every connection, and keep it for as long as they live. First come, first served.
class Pacer {
 public:
  static constexpr Duration kGap = std::chrono::milliseconds(5);  // between two transactions
  Time next() const { return next_; }                             // nobody begins before
  void on_begin(Time now) { next_ = now + kGap; }                 // somebody begins one

 private:
  Time next_ = Time::min();
};

// All of it for one connection; copied, but what the hooks point to must outlive it.
struct Environment {
  Rng rng;                           // none: NoRandomness
  Memory memory = default_memory();  // for connections, channels and messages
  LogSink log;                       // none: nothing is logged
  Limits limits;                     // see docs/limits.md
  Pacer* pacer = nullptr;            // null: each connection keeps its own pace only
};

}  // namespace pollrtc
