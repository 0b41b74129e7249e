/* pollrtc for C: PeerConnection, DataChannel and MultiplayerPeer (peer_connection.h, data_channel.h and multiplayer_peer.h
 * say what each call means). C99, and C++.
 *
 *   pollrtc_connection* pc;
 *   pollrtc_config config = {0};
 *   config.size = sizeof config;
 *   pollrtc_connection_create(&config, &pc);
 *   each frame:  pollrtc_connection_poll(pc);
 *                pollrtc_event event;
 *                while (pollrtc_connection_next_event(pc, &event)) ...
 *
 * Handles are opaque; whoever is given one through an `out` argument or in a channel_received event destroys it. Nothing
 * happens outside the calls, and nothing calls back but the log and the tap. Structures begin with their size, which the
 * caller sets: a program compiled with an older header goes on working. What is zero in them means the default.
 * In those that a call fills, what a newer header has besides is zero.
 * Texts are UTF-8 and end with a NUL; those given out are good until the next call on the same handle.
 * A null handle, or a null pointer where one is needed, gives POLLRTC_INVALID_ARGUMENT or nothing; so does null for bytes
 * or an array of yours whose size is not 0.
 */
#ifndef POLLRTC_POLLRTC_H
#define POLLRTC_POLLRTC_H

#include "pollrtc/pollrtc_platform.h"

/* What libpollrtc.so shows. */
#if defined(_WIN32)
#define POLLRTC_C_API
#else
#define POLLRTC_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Handles: each is what its functions say, and of one thread at a time: */
typedef struct pollrtc_connection pollrtc_connection;
typedef struct pollrtc_channel pollrtc_channel;
typedef struct pollrtc_multiplayer pollrtc_multiplayer;
typedef struct pollrtc_certificate pollrtc_certificate;
typedef struct pollrtc_pacer pollrtc_pacer;
typedef struct pollrtc_udp_mux pollrtc_udp_mux;

/* The numbers never change; new ones come at the end. */
typedef enum pollrtc_result POLLRTC_ENUM {
  POLLRTC_OK = 0,
  POLLRTC_INVALID_ARGUMENT = 1,
  POLLRTC_INVALID_STATE = 2,
  POLLRTC_PARSE_FAILED = 3,
  POLLRTC_REFUSED = 4,
  POLLRTC_NOT_FOUND = 5,
  POLLRTC_ALREADY_EXISTS = 6,
  POLLRTC_TOO_LARGE = 7,
  POLLRTC_BUFFER_FULL = 8,
  POLLRTC_LIMIT_REACHED = 9,
  POLLRTC_OUT_OF_MEMORY = 10,
  POLLRTC_NO_RANDOMNESS = 11,
  POLLRTC_NOT_SUPPORTED = 12,
  POLLRTC_CRYPTO = 13,
  POLLRTC_NETWORK = 14,
  POLLRTC_CLOSED = 15,
  POLLRTC_EMPTY = 16,
  POLLRTC_UNCONFIGURED = 17,
  POLLRTC_UNAUTHORIZED = 18
} pollrtc_result;

POLLRTC_C_API const char* pollrtc_result_name(pollrtc_result result); /* "InvalidState"; good for ever */

/* pollrtc::ConnectionState */
typedef enum pollrtc_connection_state POLLRTC_ENUM {
  POLLRTC_CONNECTION_NEW = 0,
  POLLRTC_CONNECTION_CONNECTING = 1,
  POLLRTC_CONNECTION_CONNECTED = 2,
  POLLRTC_CONNECTION_DISCONNECTED = 3,
  POLLRTC_CONNECTION_FAILED = 4,
  POLLRTC_CONNECTION_CLOSED = 5
} pollrtc_connection_state;

/* pollrtc::GatheringState */
typedef enum pollrtc_gathering_state POLLRTC_ENUM {
  POLLRTC_GATHERING_NEW = 0,
  POLLRTC_GATHERING_GATHERING = 1,
  POLLRTC_GATHERING_COMPLETE = 2
} pollrtc_gathering_state;

/* pollrtc::SignalingState */
typedef enum pollrtc_signaling_state POLLRTC_ENUM {
  POLLRTC_SIGNALING_STABLE = 0,
  POLLRTC_SIGNALING_HAVE_LOCAL_OFFER = 1,
  POLLRTC_SIGNALING_HAVE_REMOTE_OFFER = 2,
  POLLRTC_SIGNALING_HAVE_LOCAL_PRANSWER = 3,
  POLLRTC_SIGNALING_HAVE_REMOTE_PRANSWER = 4,
  POLLRTC_SIGNALING_CLOSED = 5
} pollrtc_signaling_state;

/* pollrtc::ChannelState */
typedef enum pollrtc_channel_state POLLRTC_ENUM {
  POLLRTC_CHANNEL_CONNECTING = 0,
  POLLRTC_CHANNEL_OPEN = 1,
  POLLRTC_CHANNEL_CLOSING = 2,
  POLLRTC_CHANNEL_CLOSED = 3
} pollrtc_channel_state;

/* What put_packet and send_piece send. */
typedef enum pollrtc_write_mode POLLRTC_ENUM {
  POLLRTC_WRITE_TEXT = 0,
  POLLRTC_WRITE_BINARY = 1
} pollrtc_write_mode;

/* How much it matters. */
typedef enum pollrtc_log_level POLLRTC_ENUM {
  POLLRTC_LOG_TRACE = 0,
  POLLRTC_LOG_DEBUG = 1,
  POLLRTC_LOG_INFO = 2,
  POLLRTC_LOG_WARNING = 3,
  POLLRTC_LOG_ERROR = 4
} pollrtc_log_level;

/* STUN or TURN servers with the same credentials: pollrtc::IceServer. */
typedef struct pollrtc_ice_server {
  const char* const* urls; /* "stun:host:port", "turn:host:port?transport=tcp", "turns:host" */
  size_t url_count;        /* how many */
  const char* username;    /* null: none */
  const char* credential;  /* null: none */
} pollrtc_ice_server;

/* A packet that passes: pollrtc::TappedPacket. */
typedef struct pollrtc_tapped_packet {
  const uint8_t* bytes;          /* good for the call */
  size_t size;                   /* in bytes */
  int64_t time_us;               /* by the connection's clock */
  int is_sctp;                   /* an SCTP packet in the clear; else a whole datagram */
  int is_sent;                   /* else received */
  pollrtc_address local, remote; /* from our end, whichever way it goes */
} pollrtc_tapped_packet;

/* How the other end may be reached, TURN servers aside: pollrtc::IceTransports. */
typedef enum pollrtc_transports POLLRTC_ENUM {
  POLLRTC_TRANSPORTS_UDP = 0,
  POLLRTC_TRANSPORTS_UDP_AND_TCP = 1,
  POLLRTC_TRANSPORTS_TCP = 2
} pollrtc_transports;

/* What the sending of data is after: pollrtc::TransportGoal. */
typedef enum pollrtc_transport_goal POLLRTC_ENUM {
  POLLRTC_GOAL_THROUGHPUT = 0, /* fills the path */
  POLLRTC_GOAL_LOW_LATENCY = 1 /* for games: small messages beside a bulk transfer are hardly delayed */
} pollrtc_transport_goal;

/* A limit by its name in docs/limits.md: {"ice_pairs", 24}. Times are in milliseconds. */
typedef struct pollrtc_limit {
  const char* name; /* ends with a NUL */
  uint64_t value;   /* within what its field can hold */
} pollrtc_limit;

/* What a connection is to be like: pollrtc::Configuration. Copied by the call it is given to. */
typedef struct pollrtc_config {
  size_t size;                               /* sizeof(pollrtc_config) */
  const pollrtc_ice_server* ice_servers;     /* copied */
  size_t ice_server_count;                   /* how many there are */
  uint16_t port_range_begin, port_range_end; /* local ports, both included; both 0: the system's choice */
  int include_loopback;                      /* not only where there is no other address */
  int relay_only;                            /* iceTransportPolicy "relay" */
  const char* trusted_certificates;          /* PEM, for turns: servers; null: the system's */
  const char *certificate, *private_key;     /* PEM; null: fresh ones */
  /* Limits, docs/limits.md; 0: the default. */
  uint32_t max_message_size, receive_window, send_buffer_channel, send_buffer;
  int small_limits; /* the defaults are those for small machines */
  /* Neither may call this library. The texts end with a NUL and are good for the call. */
  void (*log)(void* context, pollrtc_log_level level, const char* room, const char* line);
  void* log_context;           /* handed to log() */
  pollrtc_log_level log_level; /* lines below it are not written */
  /* Sees each packet. */
  void (*tap)(void* context, const pollrtc_tapped_packet* packet);
  void* tap_context;        /* handed to tap() */
  int ice_lite;             /* for servers with a public address */
  int no_automatic_restart; /* of ICE, when the path is lost */
  /* Addresses, of a server behind a one-to-one NAT; null: none. */
  const char *nat_1_1_internal, *nat_1_1_external;
  int set_dscp, dscp;        /* 0..63 of all datagrams; counts when the first is not 0 */
  uint16_t max_ip_packet;    /* the largest that path MTU discovery tries, in bytes; 0: 1500 */
  int no_path_mtu_discovery; /* packets stay at 1200 (IPv4) or 1280 bytes (IPv6) */
  uint32_t receive_window_max, max_channels, max_unread_messages; /* 0: the defaults */
  pollrtc_pacer* pacer; /* one for many connections, which it must outlive; null: each paces itself */
  /* Null: the operating system's (pollrtc_platform.h): */
  const pollrtc_memory* memory;
  const pollrtc_random* random;
  const pollrtc_network* network;
  const pollrtc_resolver* resolver;

  int hide_addresses;                /* behind names of multicast DNS */
  pollrtc_udp_mux* udp_mux;          /* one UDP port for many connections; null: sockets of its own */
  pollrtc_transports ice_transports; /* how the other end may be reached */
  /* Any of the limits; they count more than those above. INVALID_ARGUMENT: no such name, or a value that does not fit. */
  const pollrtc_limit* limits;
  size_t limit_count;                    /* how many there are */
  pollrtc_transport_goal transport_goal; /* of what this end sends */
  int hold_messages;  /* until pollrtc_connection_flush() or poll: small ones share packets */
  int no_udp_offload; /* datagrams one by one: for network drivers that take or bring several wrongly */
} pollrtc_config;

/* What happened, and what is in the event then. */
typedef enum pollrtc_event_type POLLRTC_ENUM {
  POLLRTC_EVENT_NONE = 0,
  POLLRTC_EVENT_DESCRIPTION_CREATED = 1,      /* text: the type, text2: the description */
  POLLRTC_EVENT_CANDIDATE_CREATED = 2,        /* text: media, number: index, text2: name */
  POLLRTC_EVENT_CHANNEL_RECEIVED = 3,         /* channel: yours from now on */
  POLLRTC_EVENT_CONNECTION_STATE_CHANGED = 4, /* number: the state */
  POLLRTC_EVENT_GATHERING_STATE_CHANGED = 5,
  POLLRTC_EVENT_SIGNALING_STATE_CHANGED = 6,
  POLLRTC_EVENT_CHANNEL_OPENED = 7,
  POLLRTC_EVENT_CHANNEL_CLOSING = 8,
  POLLRTC_EVENT_CHANNEL_CLOSED =
      9, /* number: not 0 when it broke; text: why, "Remote", "ConsentExpired" ... */
  POLLRTC_EVENT_MESSAGE_RECEIVED = 10,
  POLLRTC_EVENT_BUFFERED_AMOUNT_LOW = 11,
  POLLRTC_EVENT_ICE_SERVER_FAILED = 12, /* text: url, number: code, text2: reason */
  POLLRTC_EVENT_MESSAGE_REPORT = 13     /* report: which one, number: a pollrtc_outcome */
} pollrtc_event_type;

/* What became of a message whose sender asked to be told. */
typedef enum pollrtc_outcome POLLRTC_ENUM {
  POLLRTC_OUTCOME_SENT = 0,         /* all of it has left for the first time; one of the others follows */
  POLLRTC_OUTCOME_ACKNOWLEDGED = 1, /* the other end has all of it, for good */
  POLLRTC_OUTCOME_ABANDONED = 2     /* given up: its limit of reliability was reached */
} pollrtc_outcome;

/* What pollrtc_connection_next_event() gives; fields that its type does not name are zero or "". */
typedef struct pollrtc_event {
  pollrtc_event_type type;  /* skip those you do not know */
  int number;               /* by the type */
  const char* text;         /* good until the next event of this connection */
  const char* text2;        /* likewise */
  pollrtc_channel* channel; /* null: of no channel */
  uint32_t report;          /* of POLLRTC_EVENT_MESSAGE_REPORT: the number you gave */
  uint32_t reserved[7];     /* zero */
} pollrtc_event;

/* pollrtc::CandidateType */
typedef enum pollrtc_candidate_type POLLRTC_ENUM {
  POLLRTC_CANDIDATE_HOST = 0,
  POLLRTC_CANDIDATE_SERVER_REFLEXIVE = 1,
  POLLRTC_CANDIDATE_PEER_REFLEXIVE = 2,
  POLLRTC_CANDIDATE_RELAYED = 3
} pollrtc_candidate_type;

/* pollrtc::PeerStats, whose fields have the same names */
typedef struct pollrtc_stats {
  size_t size; /* sizeof(pollrtc_stats), set before the call */
  /* Datagrams with discarded ones, UDP payloads in bytes, messages of all channels. */
  uint64_t datagrams_sent, datagrams_received, bytes_sent, bytes_received, messages_sent, messages_received;
  uint64_t drops;                    /* datagrams and chunks discarded, for whatever reason */
  int64_t ice_round_trip_time_us;    /* -1: not known yet, as the next two */
  int64_t sctp_srtt_us, sctp_rto_us; /* RFC 9260 §6.3.1 */
  /* Bytes: congestion window, the other end's window, in flight; and chunks sent again. */
  uint64_t sctp_cwnd, sctp_peer_rwnd, sctp_outstanding, sctp_retransmitted_chunks;
  int dtls_is_client;                                    /* we sent the ClientHello */
  uint8_t local_fingerprint[32], remote_fingerprint[32]; /* SHA-256; zero: not known yet */
  pollrtc_address local_address, remote_address;         /* of the selected pair; family 0: none yet */
  pollrtc_candidate_type local_type, remote_type;        /* of the selected pair */
  char dtls_version[16], dtls_cipher_suite[64];          /* empty before the handshake is over */
  uint32_t sctp_mtu;                                     /* the largest SCTP packet now, in bytes */
  const char* close_reason; /* "None", "Remote", "ConsentExpired" ...; good for ever */
  int is_tcp;               /* the selected pair is a TCP connection (RFC 6544) */
  /* Of the selected pair, when its addresses are hidden behind one; else empty. */
  char local_name[72], remote_name[72];
} pollrtc_stats;

/* --- One UDP port for many connections (pollrtc/udp_mux.h). */

/* What a mux is made with: pollrtc::UdpMux::Config. Zero means the default. */
typedef struct pollrtc_udp_mux_config {
  size_t size;               /* sizeof(pollrtc_udp_mux_config) */
  uint16_t port;             /* of all its sockets; 0: the system's choice */
  int set_dscp, dscp;        /* 0..63 of all datagrams; counts when the first is not 0 */
  size_t max_addresses;      /* remote addresses known at a time */
  size_t max_addresses_each; /* the same, of one connection */
  size_t max_waiting;        /* datagrams that wait for one connection to be polled */
  /* As in pollrtc_config: */
  const pollrtc_limit* limits;
  size_t limit_count;
  void (*log)(void* context, pollrtc_log_level level, const char* room, const char* line);
  void* log_context;
  pollrtc_log_level log_level;
  /* Null: the operating system's. What they lead to must outlive the mux and its connections: */
  const pollrtc_random* random;
  const pollrtc_network* network;
  int no_udp_offload; /* as in pollrtc_config, for its sockets */
} pollrtc_udp_mux_config;

/* pollrtc::UdpMux::Stats. */
typedef struct pollrtc_udp_mux_stats {
  size_t size; /* sizeof(pollrtc_udp_mux_stats), set before the call */
  /* At present: those with a socket here, and remote addresses known to be theirs. */
  size_t connections, addresses;
  uint64_t strangers_refused; /* checks for nobody that were answered with an error */
  uint64_t dropped;           /* datagrams for nobody, or for one who had too many waiting */
  uint64_t overflows;         /* datagrams that the system dropped because a socket's buffer was full */
} pollrtc_udp_mux_stats;

/* `config` may be null. INVALID_ARGUMENT: a structure lacks its size or a function, or names no limit; OUT_OF_MEMORY. */
POLLRTC_C_API pollrtc_result pollrtc_udp_mux_create(const pollrtc_udp_mux_config* config,
                                                    pollrtc_udp_mux** out);
/* It may go before its connections, which keep what they need of it. */
POLLRTC_C_API void pollrtc_udp_mux_destroy(pollrtc_udp_mux* mux);
/* Opens its sockets now, not with the first connection that gathers. NETWORK: it cannot have the port; nothing has changed. */
POLLRTC_C_API pollrtc_result pollrtc_udp_mux_open(pollrtc_udp_mux* mux);
/* Sleeps until something is to be done for one of its connections, `timeout_ms` at most, and polls those and no others; their
 * events are then to be taken. With a network of yours it does not sleep. INVALID_STATE: called from inside a hook. */
POLLRTC_C_API pollrtc_result pollrtc_udp_mux_poll(pollrtc_udp_mux* mux, int timeout_ms);
POLLRTC_C_API pollrtc_result pollrtc_udp_mux_get_stats(const pollrtc_udp_mux* mux,
                                                       pollrtc_udp_mux_stats* stats); /* counts */

/* --- PeerConnection. `config` may be null. */
/* A fresh one, `out` null when it fails. As initialize, which it need not be followed by; also OUT_OF_MEMORY. */
POLLRTC_C_API pollrtc_result pollrtc_connection_create(const pollrtc_config* config,
                                                       pollrtc_connection** out);
/* As close. Channels may be destroyed later. */
POLLRTC_C_API void pollrtc_connection_destroy(pollrtc_connection* connection);
POLLRTC_C_API pollrtc_result pollrtc_connection_initialize(pollrtc_connection* connection,
                                                           const pollrtc_config* config);
/* Makes the key pair now, which the first call that needs it does else: about a millisecond. */
POLLRTC_C_API pollrtc_result pollrtc_connection_prepare(pollrtc_connection* connection);
/* What was wrong in the last call that failed on this connection or one of its channels, in words. */
POLLRTC_C_API const char* pollrtc_connection_error(const pollrtc_connection* connection);

/* How a channel is to be: pollrtc::DataChannelOptions. Zero is a reliable, ordered one. */
typedef struct pollrtc_channel_options {
  size_t size;                                      /* sizeof(pollrtc_channel_options) */
  int unordered;                                    /* messages may overtake each other */
  int limit_retransmits, max_retransmits;           /* the second counts when the first is not 0 */
  int limit_packet_life_time, max_packet_life_time; /* milliseconds; at most one of the two limits */
  int negotiated, id;   /* both ends create it with the same id, 0..65534; nothing is said on the wire */
  const char* protocol; /* null: none */
  uint16_t priority;    /* 0: normal (256) */
  /* With the send buffer full, messages of which nothing has left are given up for one of a channel of a higher priority. */
  int discard_when_full;
} pollrtc_channel_options;

POLLRTC_C_API pollrtc_result pollrtc_connection_create_channel(pollrtc_connection* connection,
                                                               const char* label,
                                                               const pollrtc_channel_options* options,
                                                               pollrtc_channel** out);
POLLRTC_C_API pollrtc_result pollrtc_connection_create_offer(pollrtc_connection* connection);
/* OK when there is an answer, which set_remote_description has made already. */
POLLRTC_C_API pollrtc_result pollrtc_connection_create_answer(pollrtc_connection* connection);
POLLRTC_C_API pollrtc_result pollrtc_connection_restart_ice(pollrtc_connection* connection);
POLLRTC_C_API pollrtc_result pollrtc_connection_set_local_description(pollrtc_connection* connection,
                                                                      const char* type, const char* sdp);
POLLRTC_C_API pollrtc_result pollrtc_connection_set_remote_description(pollrtc_connection* connection,
                                                                       const char* type, const char* sdp);
POLLRTC_C_API pollrtc_result pollrtc_connection_add_ice_candidate(pollrtc_connection* connection,
                                                                  const char* media, int index,
                                                                  const char* name);
POLLRTC_C_API pollrtc_result pollrtc_connection_poll(pollrtc_connection* connection);
/* Sleeps until there is something to do, `timeout_ms` at most, and polls. */
POLLRTC_C_API pollrtc_result pollrtc_connection_wait(pollrtc_connection* connection, int timeout_ms);
/* 1: `event` is the next one. 0: that was all. */
POLLRTC_C_API int pollrtc_connection_next_event(pollrtc_connection* connection, pollrtc_event* event);
/* With hold_messages: sends what waits, as far as the network lets it. */
POLLRTC_C_API void pollrtc_connection_flush(pollrtc_connection* connection);
POLLRTC_C_API void pollrtc_connection_close(pollrtc_connection* connection);
POLLRTC_C_API pollrtc_connection_state pollrtc_connection_get_state(const pollrtc_connection* connection);
POLLRTC_C_API pollrtc_gathering_state
pollrtc_connection_get_gathering_state(const pollrtc_connection* connection);
POLLRTC_C_API pollrtc_signaling_state
pollrtc_connection_get_signaling_state(const pollrtc_connection* connection);
POLLRTC_C_API size_t pollrtc_connection_get_max_message_size(const pollrtc_connection* connection);
POLLRTC_C_API pollrtc_result pollrtc_connection_get_stats(const pollrtc_connection* connection,
                                                          pollrtc_stats* stats);
/* How many datagrams and chunks were discarded for reason number `reason`, and its name, good for ever. Reasons are numbered
 * from 0 without gaps; beyond the last the name is null. */
POLLRTC_C_API uint64_t pollrtc_connection_get_drops(const pollrtc_connection* connection, unsigned reason,
                                                    const char** name);
/* For a loop of your own: how many sockets there are, of which `out` gets as many as fit; and the microseconds it may sleep,
 * -1 for as long as it likes. */
POLLRTC_C_API size_t pollrtc_connection_get_sockets(const pollrtc_connection* connection, int* out,
                                                    size_t count);
POLLRTC_C_API int64_t pollrtc_connection_get_time_to_next_deadline_us(const pollrtc_connection* connection);
/* Sleeps until something is to be done for one of them, or so many milliseconds have passed, and polls them. */
POLLRTC_C_API pollrtc_result pollrtc_poll_all(pollrtc_connection* const* connections, size_t count,
                                              int timeout_ms);

/* --- DataChannel. Destroying the handle closes the channel. */
/* Closes the channel and frees the handle. */
POLLRTC_C_API void pollrtc_channel_destroy(pollrtc_channel* channel);
POLLRTC_C_API pollrtc_result pollrtc_channel_put_packet(pollrtc_channel* channel, const void* data,
                                                        size_t size);
POLLRTC_C_API pollrtc_result pollrtc_channel_send(pollrtc_channel* channel, const void* data, size_t size);
POLLRTC_C_API pollrtc_result pollrtc_channel_send_text(pollrtc_channel* channel, const char* text,
                                                       size_t size);
/* The same, and POLLRTC_EVENT_MESSAGE_REPORT says what becomes of the message, under a number of yours. */
POLLRTC_C_API pollrtc_result pollrtc_channel_send_with_report(pollrtc_channel* channel, uint32_t report,
                                                              const void* data, size_t size, int is_text);
/* A message bit by bit, text or binary by the write mode; the last piece has at least one byte. */
POLLRTC_C_API pollrtc_result pollrtc_channel_send_piece(pollrtc_channel* channel, const void* data,
                                                        size_t size, int last);
POLLRTC_C_API pollrtc_result pollrtc_channel_abandon_message(pollrtc_channel* channel);
/* From now on get_packet gives messages of more than one network packet in pieces, as they come. */
POLLRTC_C_API pollrtc_result pollrtc_channel_set_receive_in_pieces(pollrtc_channel* channel, int on);
/* Of the packet last taken: it was a whole message or the last piece of one; the other end gave up the rest of it. */
POLLRTC_C_API int pollrtc_channel_is_message_complete(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_was_abandoned(const pollrtc_channel* channel);
/* The largest packet that can be sent now, in bytes. */
POLLRTC_C_API size_t pollrtc_channel_get_max_packet_size(const pollrtc_channel* channel);
/* POLLRTC_EMPTY: none waits. The bytes are good until the next call of this function on the channel, or the next poll. */
POLLRTC_C_API pollrtc_result pollrtc_channel_get_packet(pollrtc_channel* channel, const uint8_t** data,
                                                        size_t* size);
POLLRTC_C_API int pollrtc_channel_get_available_packet_count(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_was_string_packet(const pollrtc_channel* channel);
POLLRTC_C_API void pollrtc_channel_set_write_mode(pollrtc_channel* channel, pollrtc_write_mode mode);
POLLRTC_C_API pollrtc_write_mode pollrtc_channel_get_write_mode(const pollrtc_channel* channel);
POLLRTC_C_API pollrtc_channel_state pollrtc_channel_get_ready_state(const pollrtc_channel* channel);
POLLRTC_C_API const char* pollrtc_channel_get_label(
    pollrtc_channel* channel); /* good for the handle's life */
POLLRTC_C_API const char* pollrtc_channel_get_protocol(pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_get_id(const pollrtc_channel* channel); /* 65535: none, as the two limits */
POLLRTC_C_API int pollrtc_channel_get_max_retransmits(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_get_max_packet_life_time(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_get_priority(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_is_ordered(const pollrtc_channel* channel);
POLLRTC_C_API int pollrtc_channel_is_negotiated(const pollrtc_channel* channel);
POLLRTC_C_API size_t pollrtc_channel_get_buffered_amount(const pollrtc_channel* channel);
POLLRTC_C_API void pollrtc_channel_set_buffered_amount_low_threshold(pollrtc_channel* channel, size_t bytes);
POLLRTC_C_API void pollrtc_channel_close(pollrtc_channel* channel);

/* Counts of one channel, and what waits. */
typedef struct pollrtc_channel_stats {
  size_t size;                               /* sizeof(pollrtc_channel_stats), set before the call */
  uint64_t messages_sent, messages_received; /* handed in; and complete here, whether read or not */
  uint64_t bytes_sent, bytes_received;       /* their payload */
  size_t buffered_amount;                    /* bytes of payload not yet handed to the network */
  size_t waiting_messages;                   /* messages, or pieces, that get_packet would give */
} pollrtc_channel_stats;

POLLRTC_C_API pollrtc_result pollrtc_channel_get_stats(const pollrtc_channel* channel,
                                                       pollrtc_channel_stats* stats);
/* A pointer of yours, null at first. */
POLLRTC_C_API void pollrtc_channel_set_user_data(pollrtc_channel* channel, void* user_data);
/* What was set. */
POLLRTC_C_API void* pollrtc_channel_get_user_data(const pollrtc_channel* channel);

/* --- MultiplayerPeer. */
/* What a packet is worth. The values are Godot's. */
typedef enum pollrtc_transfer_mode POLLRTC_ENUM {
  POLLRTC_TRANSFER_UNRELIABLE = 0,
  POLLRTC_TRANSFER_UNRELIABLE_ORDERED = 1,
  POLLRTC_TRANSFER_RELIABLE = 2
} pollrtc_transfer_mode;

/* pollrtc::MultiplayerPeer's signals. */
typedef enum pollrtc_multiplayer_event_type POLLRTC_ENUM {
  POLLRTC_MULTIPLAYER_NONE = 0,
  POLLRTC_MULTIPLAYER_PEER_CONNECTED = 1,
  POLLRTC_MULTIPLAYER_PEER_DISCONNECTED = 2,
  POLLRTC_MULTIPLAYER_CONNECTION_SUCCEEDED = 3,
  POLLRTC_MULTIPLAYER_CONNECTION_FAILED = 4,
  POLLRTC_MULTIPLAYER_SERVER_DISCONNECTED = 5
} pollrtc_multiplayer_event_type;

/* A fresh one. OUT_OF_MEMORY. */
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_create(pollrtc_multiplayer** out);
/* As close. */
POLLRTC_C_API void pollrtc_multiplayer_destroy(pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_create_server(pollrtc_multiplayer* peer,
                                                               const pollrtc_transfer_mode* channels,
                                                               size_t count);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_create_client(pollrtc_multiplayer* peer, int id,
                                                               const pollrtc_transfer_mode* channels,
                                                               size_t count);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_create_mesh(pollrtc_multiplayer* peer, int id,
                                                             const pollrtc_transfer_mode* channels,
                                                             size_t count);
/* Godot 3.x: a mesh, by choice one that waits for the server. */
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_initialize(pollrtc_multiplayer* peer, int id,
                                                            int server_compatibility);
POLLRTC_C_API int pollrtc_multiplayer_is_server_relay_supported(const pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_set_server_relay_enabled(pollrtc_multiplayer* peer,
                                                                          int enabled);
POLLRTC_C_API int pollrtc_multiplayer_is_server_relay_enabled(const pollrtc_multiplayer* peer);
/* The peer keeps the connection too. Your handle stays yours, and its events are to be pulled for as long as you have it. Once you
 * have destroyed it they are told to nobody: candidates and descriptions of later restarts among them. */
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_add_peer(pollrtc_multiplayer* peer,
                                                          pollrtc_connection* connection, int id,
                                                          int unreliable_lifetime_ms);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_remove_peer(pollrtc_multiplayer* peer, int id);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_disconnect_peer(pollrtc_multiplayer* peer, int id,
                                                                 int force);
POLLRTC_C_API int pollrtc_multiplayer_has_peer(const pollrtc_multiplayer* peer, int id);
/* All channels are open, and PEER_CONNECTED has said so. */
POLLRTC_C_API int pollrtc_multiplayer_is_peer_connected(const pollrtc_multiplayer* peer, int id);
/* How many there are, of whose ids `out` gets as many as fit. */
POLLRTC_C_API size_t pollrtc_multiplayer_get_peers(const pollrtc_multiplayer* peer, int* out, size_t count);
POLLRTC_C_API void pollrtc_multiplayer_close(pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_poll(pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_wait(pollrtc_multiplayer* peer, int timeout_ms);
/* As of pollrtc_connection, for all of them. */
POLLRTC_C_API int64_t pollrtc_multiplayer_get_time_to_next_deadline_us(const pollrtc_multiplayer* peer);
/* What happened, oldest first, and to whom; NONE: that was all. */
POLLRTC_C_API pollrtc_multiplayer_event_type pollrtc_multiplayer_next_event(pollrtc_multiplayer* peer,
                                                                            int* id);
POLLRTC_C_API void pollrtc_multiplayer_set_target_peer(pollrtc_multiplayer* peer, int id);
POLLRTC_C_API int pollrtc_multiplayer_get_target_peer(const pollrtc_multiplayer* peer);
POLLRTC_C_API void pollrtc_multiplayer_set_transfer_mode(pollrtc_multiplayer* peer,
                                                         pollrtc_transfer_mode mode);
POLLRTC_C_API pollrtc_transfer_mode pollrtc_multiplayer_get_transfer_mode(const pollrtc_multiplayer* peer);
POLLRTC_C_API void pollrtc_multiplayer_set_transfer_channel(pollrtc_multiplayer* peer, int channel);
POLLRTC_C_API int pollrtc_multiplayer_get_transfer_channel(const pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_put_packet(pollrtc_multiplayer* peer, const void* data,
                                                            size_t size);
/* As of a channel; and good no longer than its peer is there. */
POLLRTC_C_API pollrtc_result pollrtc_multiplayer_get_packet(pollrtc_multiplayer* peer, const uint8_t** data,
                                                            size_t* size);
POLLRTC_C_API int pollrtc_multiplayer_get_available_packet_count(const pollrtc_multiplayer* peer);
POLLRTC_C_API int pollrtc_multiplayer_get_packet_peer(const pollrtc_multiplayer* peer);
POLLRTC_C_API int pollrtc_multiplayer_get_packet_channel(const pollrtc_multiplayer* peer);
POLLRTC_C_API pollrtc_transfer_mode pollrtc_multiplayer_get_packet_mode(const pollrtc_multiplayer* peer);
POLLRTC_C_API size_t pollrtc_multiplayer_get_max_packet_size(const pollrtc_multiplayer* peer);
POLLRTC_C_API int pollrtc_multiplayer_is_server(const pollrtc_multiplayer* peer);
POLLRTC_C_API int pollrtc_multiplayer_get_connection_status(const pollrtc_multiplayer* peer); /* 0, 1, 2 */
POLLRTC_C_API int pollrtc_multiplayer_get_unique_id(const pollrtc_multiplayer* peer);
POLLRTC_C_API void pollrtc_multiplayer_set_refuse_new_connections(pollrtc_multiplayer* peer, int refuse);
POLLRTC_C_API int pollrtc_multiplayer_is_refusing_new_connections(const pollrtc_multiplayer* peer);
/* Random, 2 .. 2^31-1. */
POLLRTC_C_API int pollrtc_generate_unique_id(void);

/* --- The pace of all connections of a process together: RFC 8445 wants 5 ms between two of their checks. */
POLLRTC_C_API pollrtc_pacer* pollrtc_pacer_create(void); /* null: no memory */
/* Not before its connections. */
POLLRTC_C_API void pollrtc_pacer_destroy(pollrtc_pacer* pacer);

/* --- A certificate to use again, for 30 days. */
/* CRYPTO, NO_RANDOMNESS, OUT_OF_MEMORY. */
POLLRTC_C_API pollrtc_result pollrtc_certificate_generate(pollrtc_certificate** out);
/* PEM; good until it is destroyed. */
POLLRTC_C_API const char* pollrtc_certificate_get_certificate(const pollrtc_certificate* certificate);
/* PEM, and a secret; good until it is destroyed. */
POLLRTC_C_API const char* pollrtc_certificate_get_private_key(const pollrtc_certificate* certificate);
/* The key is wiped. */
POLLRTC_C_API void pollrtc_certificate_destroy(pollrtc_certificate* certificate);

#ifdef __cplusplus
}
#endif

#endif
