/* For tests in C of what lies below a connection: sockets and a clock, all in memory. */
#include "c_support.h"

/* A machine in memory: two of them exchange datagrams by two arrays, at a time that only this file moves. */
enum { kDatagrams = 64, kLargest = 1600 };
typedef struct datagram {
  pollrtc_address source;
  size_t size;
  uint8_t bytes[kLargest];
} datagram;

static int64_t the_time = 1000000;

typedef struct machine {
  struct machine* other;
  datagram waiting[kDatagrams];
  size_t count;
  int open_sockets, asked_names, sent_to_server, cancelled;
  uint64_t random;
  size_t allocated, allocations, fail_after; /* fail_after 0: never */
  pollrtc_address address;
} machine;

static pollrtc_address address_of(uint8_t last, uint16_t port) {
  pollrtc_address address = {{0}, 0, 0, 0};
  address.ip[0] = 192;
  address.ip[2] = 2;
  address.ip[3] = last;
  address.port = port;
  address.family = 4;
  return address;
}
static int64_t machine_now(void* context) {
  (void)context;
  return the_time;
}
static size_t machine_list(void* context, int with_loopback, pollrtc_address* out, size_t most) {
  (void)with_loopback;
  CHECK(most > 0);
  out[0] = ((machine*)context)->address;
  return 1;
}
static int machine_find(void* context, const pollrtc_address* addresses, size_t count, uint8_t* is_there) {
  size_t i;
  for (i = 0; i < count; ++i) is_there[i] = addresses[i].ip[3] == ((machine*)context)->address.ip[3];
  return 1;
}
static int machine_open(void* context, const pollrtc_address* local, uint16_t first, uint16_t last,
                        pollrtc_address* bound) {
  machine* m = context;
  CHECK(first == 0 && last == 0);
  *bound = *local;
  bound->port = 5000;
  m->address.port = 5000;
  ++m->open_sockets;
  return 7;
}
static void machine_close(void* context, int number) {
  CHECK(number == 7);
  --((machine*)context)->open_sockets;
}
static pollrtc_io machine_send(void* context, int number, const pollrtc_address* remote, const uint8_t* data,
                               size_t size) {
  machine* m = context;
  CHECK(number == 7);
  if (remote->ip[3] == 99) ++m->sent_to_server;
  if (remote->ip[3] != m->other->address.ip[3]) return POLLRTC_IO_UNREACHABLE;
  if (size > kLargest) return POLLRTC_IO_TOO_LARGE;
  if (m->other->count == kDatagrams) return POLLRTC_IO_WOULD_BLOCK;
  m->other->waiting[m->other->count].source = m->address;
  m->other->waiting[m->other->count].size = size;
  memcpy(m->other->waiting[m->other->count].bytes, data, size);
  ++m->other->count;
  return POLLRTC_IO_DONE;
}
static pollrtc_io machine_receive(void* context, int number, uint8_t* buffer, size_t capacity, size_t* size,
                                  pollrtc_address* source) {
  machine* m = context;
  CHECK(number == 7);
  if (m->count == 0) return POLLRTC_IO_WOULD_BLOCK;
  CHECK(m->waiting[0].size <= capacity);
  *size = m->waiting[0].size;
  *source = m->waiting[0].source;
  memcpy(buffer, m->waiting[0].bytes, *size);
  memmove(&m->waiting[0], &m->waiting[1], --m->count * sizeof m->waiting[0]);
  return POLLRTC_IO_DONE;
}
static pollrtc_network network_of(machine* m) {
  pollrtc_network network = {0};
  network.size = sizeof network;
  network.now = machine_now;
  network.list_addresses = machine_list;
  network.find_addresses = machine_find;
  network.open = machine_open;
  network.close = machine_close;
  network.send = machine_send;
  network.send_whole = machine_send;
  network.receive = machine_receive;
  network.context = m;
  return network;
}

static machine machines[2];

static void set_up_machines(void) {
  memset(machines, 0, sizeof machines);
  machines[0].other = &machines[1];
  machines[1].other = &machines[0];
  machines[0].address = address_of(1, 0);
  machines[1].address = address_of(2, 0);
  machines[0].random = 1;
  machines[1].random = 2;
}
