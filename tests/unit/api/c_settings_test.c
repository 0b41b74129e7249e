/* pollrtc from C, its settings: limits by name, ICMP errors through a hook, a mux with all it can be told, and what statistics
 * say of hidden addresses and of TCP. */
#include "c_machine.h"

enum { kMost = 20000 };

/* --- A STUN server behind a closed port: whoever hears of it need not wait for an answer. */
static uint8_t refused[kLargest];
static size_t refused_size;
static int errors_asked;

static pollrtc_io send_to_closed_port(void* context, int number, const pollrtc_address* remote, const uint8_t* data,
                                      size_t size) {
  if (remote->ip[3] != 99) return machine_send(context, number, remote, data, size);
  memcpy(refused, data, size);
  refused_size = size;
  return POLLRTC_IO_DONE;
}
static int next_error(void* context, int number, uint8_t* quoted, size_t capacity, size_t* size,
                      pollrtc_address* remote) {
  (void)context;
  CHECK(number == 7 && capacity >= 1200);
  ++errors_asked;
  if (refused_size == 0) return 0;
  memcpy(quoted, refused, refused_size);
  *size = refused_size;
  *remote = address_of(99, 3478);
  refused_size = 0;
  return 1;
}

/* How many milliseconds gathering takes. */
static int time_to_gather(int hears_errors) {
  const char* urls[1] = {"stun:192.0.2.99:3478"};
  pollrtc_ice_server server = {urls, 1, NULL, NULL};
  pollrtc_network network;
  pollrtc_config config = {0};
  pollrtc_connection* connection = NULL;
  pollrtc_channel* channel = NULL;
  pollrtc_event event;
  int milliseconds = 0;
  set_up_machines();
  network = network_of(&machines[0]);
  network.send = network.send_whole = send_to_closed_port;
  if (hears_errors) network.receive_error = next_error;
  config.size = sizeof config;
  config.ice_servers = &server;
  config.ice_server_count = 1;
  config.network = &network;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(connection) == POLLRTC_OK);
  while (pollrtc_connection_get_gathering_state(connection) != POLLRTC_GATHERING_COMPLETE && milliseconds < 60000) {
    the_time += 10000;
    milliseconds += 10;
    CHECK(pollrtc_connection_poll(connection) == POLLRTC_OK);
    while (pollrtc_connection_next_event(connection, &event)) continue;
  }
  pollrtc_channel_destroy(channel);
  pollrtc_connection_destroy(connection);
  return milliseconds;
}

static void test_icmp_errors(void) {
  CHECK(time_to_gather(0) > 5000);
  CHECK(errors_asked == 0);
  CHECK(time_to_gather(1) < 500);
  CHECK(errors_asked > 0);
}

/* --- Limits by their names. */
static pollrtc_result create_with_limit(const char* name, uint64_t value, pollrtc_connection** out) {
  pollrtc_config config = {0};
  pollrtc_limit limit;
  limit.name = name;
  limit.value = value;
  config.size = sizeof config;
  config.limits = &limit;
  config.limit_count = 1;
  config.max_channels = 7; /* the name counts more */
  return pollrtc_connection_create(&config, out);
}

static void test_limits(void) {
  pollrtc_connection* connection = NULL;
  pollrtc_channel *one = NULL, *two = NULL;
  CHECK(create_with_limit("dc_chanels", 1, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(create_with_limit(NULL, 1, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(create_with_limit("dc_channels", 65536, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(create_with_limit("sdp_size", (uint64_t)1 << 32, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(create_with_limit("dtls_handshake_timeout", (uint64_t)1 << 32, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(connection == NULL);
  CHECK(create_with_limit("dtls_handshake_timeout", 5000, &connection) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);
  CHECK(create_with_limit("dc_channels", 1, &connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(connection, "one", NULL, &one) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(connection, "two", NULL, &two) == POLLRTC_LIMIT_REACHED);
  {
    pollrtc_config config = {0};
    pollrtc_limit limit = {"no_such_limit", 1};
    config.size = sizeof config;
    config.limits = &limit;
    config.limit_count = 1;
    CHECK(pollrtc_connection_initialize(connection, &config) == POLLRTC_INVALID_ARGUMENT);
    CHECK(strstr(pollrtc_connection_error(connection), "limit") != NULL);
    CHECK(pollrtc_channel_get_ready_state(one) == POLLRTC_CHANNEL_CONNECTING); /* nothing has changed */
  }
  pollrtc_channel_destroy(one);
  pollrtc_connection_destroy(connection);
}

/* --- A mux. */
static int mux_lines;
static void on_mux_log(void* context, pollrtc_log_level level, const char* room, const char* line) {
  (void)context;
  CHECK(level >= POLLRTC_LOG_TRACE && strlen(room) > 0 && strlen(line) > 0);
  ++mux_lines;
}

static void test_mux(void) {
  side a = {0}, b = {0};
  pollrtc_udp_mux_config settings = {0};
  pollrtc_limit limit = {"stun_errors_per_second", 3};
  pollrtc_udp_mux_stats counts = {0};
  pollrtc_udp_mux* mux = NULL;
  pollrtc_config config = {0};
  pollrtc_network network;
  pollrtc_channel* channel = NULL;
  int i = 0;
  set_up_machines();
  network = network_of(&machines[1]);
  settings.size = sizeof settings;
  settings.limits = &limit;
  settings.limit_count = 1;
  settings.max_addresses = settings.max_addresses_each = settings.max_waiting = 4;
  settings.set_dscp = 1;
  settings.no_udp_offload = 1;
  settings.log = on_mux_log;
  settings.log_level = POLLRTC_LOG_TRACE;
  settings.network = &network;
  CHECK(pollrtc_udp_mux_create(&settings, NULL) == POLLRTC_INVALID_ARGUMENT);
  network.send = NULL;
  CHECK(pollrtc_udp_mux_create(&settings, &mux) == POLLRTC_INVALID_ARGUMENT);
  network = network_of(&machines[1]);
  limit.name = "no such";
  CHECK(pollrtc_udp_mux_create(&settings, &mux) == POLLRTC_INVALID_ARGUMENT);
  limit.name = "stun_errors_per_second";
  settings.dscp = 64;
  CHECK(pollrtc_udp_mux_create(&settings, &mux) == POLLRTC_INVALID_ARGUMENT);
  settings.dscp = 0;
  CHECK(mux == NULL);
  CHECK(pollrtc_udp_mux_create(&settings, &mux) == POLLRTC_OK);
  CHECK(pollrtc_udp_mux_open(NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_udp_mux_open(mux) == POLLRTC_OK);
  CHECK(machines[1].open_sockets == 1);

  config.size = sizeof config;
  config.udp_mux = mux;
  CHECK(pollrtc_connection_create(&config, &b.connection) == POLLRTC_OK);
  config.udp_mux = NULL;
  network = network_of(&machines[0]);
  config.network = &network;
  CHECK(pollrtc_connection_create(&config, &a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(a.connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_OK);
  for (i = 0; i < 1000 && !(a.opened && b.received); ++i) {
    the_time += 5000;
    CHECK(pollrtc_connection_poll(a.connection) == POLLRTC_OK);
    CHECK(pollrtc_udp_mux_poll(mux, 0) == POLLRTC_OK);
    pass_events(&a, &b);
    pass_events(&b, &a);
  }
  CHECK(a.opened && b.received);
  CHECK(machines[1].open_sockets == 1);
  CHECK(pollrtc_udp_mux_poll(NULL, 0) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send_text(channel, "now", 3) == POLLRTC_OK);
  for (i = 0; i < 100 && !b.messages; ++i) {
    the_time += 5000;
    CHECK(pollrtc_connection_poll(a.connection) == POLLRTC_OK);
    CHECK(pollrtc_udp_mux_poll(mux, -1) == POLLRTC_OK);
    pass_events(&b, &a);
  }
  CHECK(b.messages == 1);
  b.messages = 0;
  CHECK(pollrtc_udp_mux_get_stats(mux, &counts) == POLLRTC_INVALID_ARGUMENT); /* without a size */
  counts.size = sizeof counts;
  CHECK(pollrtc_udp_mux_get_stats(NULL, &counts) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_udp_mux_get_stats(mux, &counts) == POLLRTC_OK);
  CHECK(counts.size == sizeof counts && counts.connections == 1 && counts.addresses == 1);
  CHECK(counts.strangers_refused == 0 && counts.dropped == 0 && counts.overflows == 0);
  pollrtc_udp_mux_destroy(mux);
  CHECK(pollrtc_channel_send_text(channel, "still", 5) == POLLRTC_OK);
  for (i = 0; i < 100 && !b.messages; ++i) {
    the_time += 5000;
    CHECK(pollrtc_connection_poll(a.connection) == POLLRTC_OK);
    CHECK(pollrtc_connection_poll(b.connection) == POLLRTC_OK);
    pass_events(&b, &a);
  }
  CHECK(b.messages == 1);
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(b.received);
  pollrtc_connection_destroy(a.connection);
  pollrtc_connection_destroy(b.connection);
  CHECK(machines[0].open_sockets == 0 && machines[1].open_sockets == 0);
}

/* --- What statistics say. */
static void test_statistics(void) {
  side a = {0}, b = {0};
  pollrtc_config config = loopback();
  pollrtc_channel* channel = NULL;
  pollrtc_stats stats = {0};
  int i = 0;
  config.ice_transports = POLLRTC_TRANSPORTS_TCP;
  CHECK(pollrtc_connection_create(&config, &a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create(&config, &b.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(a.connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_OK);
  for (i = 0; i < kMost && !(a.opened && b.received); ++i) turn(&a, &b);
  stats.size = sizeof stats;
  CHECK(pollrtc_connection_get_stats(a.connection, &stats) == POLLRTC_OK);
  CHECK(stats.is_tcp && stats.local_name[0] == 0 && stats.remote_name[0] == 0);
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(b.received);
  pollrtc_connection_destroy(a.connection);
  pollrtc_connection_destroy(b.connection);
}

/* A link for multicast DNS on which nobody else is. */
static int asked_on_link;
static int open_link(void* context, const pollrtc_address* local) {
  CHECK(context != NULL && local->family == 4);
  return 8;
}
static void close_either(void* context, int number) {
  if (number != 8) machine_close(context, number);
}
static pollrtc_io send_on_either(void* context, int number, const pollrtc_address* remote, const uint8_t* data,
                                 size_t size) {
  if (number != 8) return machine_send(context, number, remote, data, size);
  ++asked_on_link;
  return POLLRTC_IO_DONE;
}
static pollrtc_io receive_on_either(void* context, int number, uint8_t* buffer, size_t capacity, size_t* size,
                                    pollrtc_address* source) {
  return number == 8 ? POLLRTC_IO_WOULD_BLOCK : machine_receive(context, number, buffer, capacity, size, source);
}

static void test_hidden_addresses(void) {
  side ends[2] = {{0}, {0}};
  pollrtc_network network;
  pollrtc_config config = {0};
  pollrtc_channel* channel = NULL;
  pollrtc_stats stats = {0};
  int i = 0;
  set_up_machines();
  config.size = sizeof config;
  for (i = 0; i < 2; ++i) {
    network = network_of(&machines[i]);
    network.open_multicast = open_link;
    network.close = close_either;
    network.send = network.send_whole = send_on_either;
    network.receive = receive_on_either;
    config.network = &network;
    config.hide_addresses = i == 0; /* the other end's is plain, so that there is a way */
    CHECK(pollrtc_connection_create(&config, &ends[i].connection) == POLLRTC_OK);
  }
  CHECK(pollrtc_connection_create_channel(ends[0].connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(ends[0].connection) == POLLRTC_OK);
  for (i = 0; i < 2000 && !(ends[0].opened && ends[1].received); ++i) {
    the_time += 5000;
    CHECK(pollrtc_connection_poll(ends[0].connection) == POLLRTC_OK);
    CHECK(pollrtc_connection_poll(ends[1].connection) == POLLRTC_OK);
    pass_events(&ends[0], &ends[1]);
    pass_events(&ends[1], &ends[0]);
  }
  CHECK(ends[0].opened && ends[1].received);
  stats.size = sizeof stats;
  CHECK(pollrtc_connection_get_stats(ends[0].connection, &stats) == POLLRTC_OK);
  CHECK(strlen(stats.local_name) == 42 && strcmp(stats.local_name + 36, ".local") == 0);
  CHECK(stats.local_address.ip[0] == 0 && stats.remote_address.ip[0] == 192 && !stats.is_tcp);
  CHECK(stats.remote_name[0] == 0);
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(ends[1].received);
  pollrtc_connection_destroy(ends[0].connection);
  pollrtc_connection_destroy(ends[1].connection);
}

/* --- The goal of sending. A round trip is 20 ms here, and for low latency the rate grows in smaller steps: the most datagrams
 * that leave at once. */
static size_t burst_with(pollrtc_transport_goal goal) {
  static const char message[60000];
  side ends[2] = {{0}, {0}};
  pollrtc_network network;
  pollrtc_config config = {0};
  pollrtc_channel* channel = NULL;
  size_t most = 0;
  int i = 0, k = 0;
  set_up_machines();
  config.size = sizeof config;
  for (i = 0; i < 2; ++i) {
    network = network_of(&machines[i]);
    config.network = &network;
    config.transport_goal = goal;
    CHECK(pollrtc_connection_create(&config, &ends[i].connection) == POLLRTC_OK);
  }
  CHECK(pollrtc_connection_create_channel(ends[0].connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(ends[0].connection) == POLLRTC_OK);
  for (i = 0; i < 2000 && ends[1].messages < 3; ++i) {
    the_time += 20000;
    CHECK(pollrtc_connection_poll(ends[0].connection) == POLLRTC_OK);
    if (machines[1].count > most) most = machines[1].count;
    CHECK(pollrtc_connection_poll(ends[1].connection) == POLLRTC_OK);
    pass_events(&ends[0], &ends[1]);
    pass_events(&ends[1], &ends[0]);
    if (!(ends[0].opened && ends[1].received)) continue;
    for (; k < 3; ++k) CHECK(pollrtc_channel_send(channel, message, sizeof message) == POLLRTC_OK);
  }
  CHECK(ends[1].messages == 3);
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(ends[1].received);
  pollrtc_connection_destroy(ends[0].connection);
  pollrtc_connection_destroy(ends[1].connection);
  return most;
}

static void test_transport_goal(void) {
  const size_t fast = burst_with(POLLRTC_GOAL_THROUGHPUT), gentle = burst_with(POLLRTC_GOAL_LOW_LATENCY);
  pollrtc_config config = loopback();
  pollrtc_connection* connection = NULL;
  CHECK(2 * fast > 3 * gentle);
  config.transport_goal = (pollrtc_transport_goal)2;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
}

/* --- Messages that wait for flush(). */
static void test_hold_messages(void) {
  side ends[2] = {{0}, {0}};
  pollrtc_network network;
  pollrtc_config config = {0};
  pollrtc_channel* channel = NULL;
  int i = 0, k = 0;
  set_up_machines();
  config.size = sizeof config;
  config.hold_messages = 1;
  for (i = 0; i < 2; ++i) {
    network = network_of(&machines[i]);
    config.network = &network;
    CHECK(pollrtc_connection_create(&config, &ends[i].connection) == POLLRTC_OK);
  }
  CHECK(pollrtc_connection_create_channel(ends[0].connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(ends[0].connection) == POLLRTC_OK);
  for (i = 0; i < 2000 && ends[1].messages < 20; ++i) {
    the_time += 20000;
    for (k = 0; k < 2; ++k) CHECK(pollrtc_connection_poll(ends[k].connection) == POLLRTC_OK);
    pass_events(&ends[0], &ends[1]);
    pass_events(&ends[1], &ends[0]);
    if (i == 100) {
      CHECK(ends[0].opened && ends[1].received && machines[1].count == 0);
      for (k = 0; k < 20; ++k) CHECK(pollrtc_channel_send_text(channel, "small", 5) == POLLRTC_OK);
      CHECK(machines[1].count == 0);
      pollrtc_connection_flush(ends[0].connection);
      CHECK(machines[1].count == 1);
    }
  }
  CHECK(ends[1].messages == 20);
  pollrtc_connection_flush(NULL);
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(ends[1].received);
  for (k = 0; k < 2; ++k) pollrtc_connection_destroy(ends[k].connection);
}

/* --- MultiplayerPeer. */
static void test_multiplayer(void) {
  pollrtc_multiplayer* peer = NULL;
  CHECK(pollrtc_multiplayer_create(&peer) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_get_max_packet_size(peer) == 1200);
  CHECK(pollrtc_multiplayer_get_max_packet_size(NULL) == 0);
  CHECK(pollrtc_multiplayer_create_client(peer, 5, NULL, 0) == POLLRTC_OK);
  CHECK(!pollrtc_multiplayer_is_server(peer));
  CHECK(pollrtc_multiplayer_create_server(peer, NULL, 0) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_is_server(peer));
  pollrtc_multiplayer_destroy(peer);
}

/* Its connection's handle goes: what happens there is nobody's to pull, and what it does by itself it goes on doing. */
static void test_multiplayer_alone(void) {
  const char* const hidden = "candidate:9 1 udp 1 0a0b0c0d-0102-4304-8506-0708090a0b0c.local 5000 typ host";
  pollrtc_multiplayer* peers[2] = {NULL, NULL};
  side ends[2] = {{0}, {0}};
  pollrtc_network network;
  pollrtc_config config = {0};
  const uint8_t* data = NULL;
  size_t size = 0;
  int i = 0, k = 0, idle = 0;
  set_up_machines();
  config.size = sizeof config;
  for (i = 0; i < 2; ++i) {
    network = network_of(&machines[i]);
    network.open_multicast = open_link;
    network.close = close_either;
    network.send = network.send_whole = send_on_either;
    network.receive = receive_on_either;
    config.network = &network;
    CHECK(pollrtc_connection_create(&config, &ends[i].connection) == POLLRTC_OK);
    CHECK(pollrtc_multiplayer_create(&peers[i]) == POLLRTC_OK);
    CHECK(pollrtc_multiplayer_create_mesh(peers[i], i + 1, NULL, 0) == POLLRTC_OK);
    CHECK(pollrtc_multiplayer_add_peer(peers[i], ends[i].connection, 2 - i, 1) == POLLRTC_OK);
  }
  CHECK(pollrtc_connection_create_offer(ends[0].connection) == POLLRTC_OK);
  for (i = 0; i < 2000 && !(pollrtc_multiplayer_is_peer_connected(peers[0], 2) &&
                            pollrtc_multiplayer_is_peer_connected(peers[1], 1));
       ++i) {
    the_time += 5000;
    for (k = 0; k < 2; ++k) CHECK(pollrtc_multiplayer_poll(peers[k]) == POLLRTC_OK);
    pass_events(&ends[0], &ends[1]);
    pass_events(&ends[1], &ends[0]);
  }
  CHECK(pollrtc_multiplayer_put_packet(peers[1], "hello", 5) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_poll(peers[0]) == POLLRTC_OK); /* an event that is left to pull */
  asked_on_link = 0;
  CHECK(pollrtc_connection_add_ice_candidate(ends[0].connection, "0", 0, hidden) == POLLRTC_OK);
  for (k = 0; k < 2; ++k) pollrtc_connection_destroy(ends[k].connection);
  for (i = 0; i < 100; ++i) {
    for (k = 0; k < 2; ++k) CHECK(pollrtc_multiplayer_poll(peers[k]) == POLLRTC_OK);
    for (k = 0; k < 2; ++k) idle += pollrtc_multiplayer_get_time_to_next_deadline_us(peers[k]) != 0;
    the_time += 5000;
  }
  CHECK(asked_on_link > 0);
  CHECK(idle > 100);
  CHECK(pollrtc_multiplayer_is_peer_connected(peers[0], 2));
  CHECK(pollrtc_multiplayer_get_packet(peers[0], &data, &size) == POLLRTC_OK);
  CHECK(size == 5 && memcmp(data, "hello", 5) == 0);
  for (k = 0; k < 2; ++k) pollrtc_multiplayer_destroy(peers[k]);
  CHECK(machines[0].open_sockets == 0 && machines[1].open_sockets == 0);
}

int main(void) {
  test_icmp_errors();
  test_limits();
  test_mux();
  test_statistics();
  test_hidden_addresses();
  test_transport_goal();
  test_hold_messages();
  test_multiplayer();
  test_multiplayer_alone();
  if (failures == 0) printf("all is well\n");
  return failures == 0 ? 0 : 1;
}
