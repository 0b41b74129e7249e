/* What lies below a connection, for programs in C whose machine has no BSD sockets, no heap or no randomness of the usual
 * kind: pollrtc_config points to these. What a pointer in them leads to must outlive the connection, its channels, and the
 * MultiplayerPeer it was added to; the structures themselves are copied.
 *
 * None of the functions may block or call this library. They are called from inside the library's calls only.
 */
#ifndef POLLRTC_POLLRTC_PLATFORM_H
#define POLLRTC_POLLRTC_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* The enumerations are ints to C++ too, the library included: a number that none of their names has is an invalid argument,
 * not undefined behaviour. */
#ifdef __cplusplus
#define POLLRTC_ENUM : int
#else
#define POLLRTC_ENUM
#endif

/* An IPv4 or IPv6 address with a port. An IPv4 address stands in the first four bytes of `ip`, and the others are zero. */
typedef struct pollrtc_address {
  uint8_t ip[16];    /* in network order */
  uint32_t scope_id; /* the interface index of an IPv6 link-local address, else 0 */
  uint16_t port;     /* in host order */
  uint8_t family;    /* 4 or 6; 0: no address */
} pollrtc_address;

/* Where the connection's memory comes from. Running out is an ordinary result, POLLRTC_OUT_OF_MEMORY or the end of the
 * connection; docs/limits.md says what is allocated otherwise. */
typedef struct pollrtc_memory {
  /* `align` is a power of two. Null: there is none left. */
  void* (*allocate)(void* context, size_t bytes, size_t align);
  /* Takes back what allocate() gave, with the same size and alignment. */
  void (*release)(void* context, void* block, size_t bytes, size_t align);
  void* context; /* handed to both */
} pollrtc_memory;

/* A source of randomness, which must be a cryptographic one: keys and passwords come from it. */
typedef struct pollrtc_random {
  int (*fill)(void* context, uint8_t* out, size_t size); /* all of it; 0: it cannot */
  void* context;                                         /* handed to fill() */
} pollrtc_random;

/* What became of a datagram. */
typedef enum pollrtc_io POLLRTC_ENUM {
  POLLRTC_IO_DONE = 0,        /* sent, or received */
  POLLRTC_IO_WOULD_BLOCK = 1, /* nothing to read; or no room: the same datagram is tried again later */
  POLLRTC_IO_TRUNCATED = 2,   /* received, but larger than the buffer; it is gone */
  POLLRTC_IO_TOO_LARGE = 3,   /* of one to be sent, as all that follow: it is lost, the socket lives on */
  POLLRTC_IO_UNREACHABLE = 4, /* no route, or the network is down */
  POLLRTC_IO_REFUSED = 5,     /* a firewall says no, or an earlier datagram met a closed port */
  POLLRTC_IO_ERROR = 6        /* anything else */
} pollrtc_io;

/* UDP sockets and a clock. All functions are needed but find_addresses, send_whole, open_multicast and receive_error. */
typedef struct pollrtc_network {
  size_t size; /* sizeof(pollrtc_network) */
  /* Microseconds; only differences count. May stand still; should it go back, the connection's time stands still. */
  int64_t (*now)(void* context);
  /* Writes addresses of this machine that may become candidates, loopback ones among them only when asked for, and gives
   * how many (at most `most`, which is 64). Their ports do not matter. */
  size_t (*list_addresses)(void* context, int loopback, pollrtc_address* out, size_t most);
  /* Looks which of `count` addresses this machine still has, and sets is_there[i] to 1 or 0. 0: that is not known now. Null:
   * those are there that list_addresses names. */
  int (*find_addresses)(void* context, const pollrtc_address* addresses, size_t count, uint8_t* is_there);
  /* A socket at that address and a port of first..last (0: any), all of which goes to `bound`. Negative: it cannot be. */
  int (*open)(void* context, const pollrtc_address* local, uint16_t first, uint16_t last,
              pollrtc_address* bound);
  /* Closes a socket that open or open_multicast gave. */
  void (*close)(void* context, int socket);
  /* Sends one datagram, now or never: WOULD_BLOCK when there is no room. */
  pollrtc_io (*send)(void* context, int socket, const pollrtc_address* remote, const uint8_t* data,
                     size_t size);
  /* The same for a datagram that nobody on the way may cut (IPv4: DF set). Null: no path MTU discovery. */
  pollrtc_io (*send_whole)(void* context, int socket, const pollrtc_address* remote, const uint8_t* data,
                           size_t size);
  /* A datagram of at most `capacity` bytes: its size, and who sent it. */
  pollrtc_io (*receive)(void* context, int socket, uint8_t* buffer, size_t capacity, size_t* size,
                        pollrtc_address* source);
  void* context; /* handed to all of them */
  /* A socket for multicast DNS on the link that `local` is on: pollrtc/network.h says what it does. Negative: it cannot be, or
   * the link has one. Null: names of remote candidates are not resolved, and nobody answers for ours. */
  int (*open_multicast)(void* context, const pollrtc_address* local);
  /* The next hard error of ICMP (port or protocol unreachable) that came for a datagram of this socket's: writes the beginning
   * of that datagram, at most `capacity` bytes, how many these are, and where it was sent. 0: there is none. Asked after each
   * reading. Null: nothing is heard of them, and what meets a closed port costs the time until its answer is overdue. */
  int (*receive_error)(void* context, int socket, uint8_t* quoted, size_t capacity, size_t* size,
                       pollrtc_address* remote);
} pollrtc_network;

/* Looks up the names of ICE servers, in place of the library's own resolver. It is not asked about addresses. */
typedef struct pollrtc_resolver {
  size_t size; /* sizeof(pollrtc_resolver) */
  /* Begins to look up `host`, which ends with a NUL; `id` names the question from now on. 0: it cannot be looked up. */
  int (*start)(void* context, uint32_t id, const char* host);
  /* Asks for the outcome of `id`. 0: not known yet. 1: writes at most `most` addresses (their ports do not matter) and how
   * many there are, 0 when the name has none; the id is then forgotten. */
  int (*poll)(void* context, uint32_t id, pollrtc_address* out, size_t most, size_t* count);
  /* The outcome of `id` is not wanted any more. */
  void (*cancel)(void* context, uint32_t id);
  void* context; /* handed to all of them */
} pollrtc_resolver;

#endif
