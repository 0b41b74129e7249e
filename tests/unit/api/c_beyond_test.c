/* pollrtc from C, beyond Godot's classes: messages in pieces, reports, counts, rollback, policies, and a connection over
 * memory, randomness, sockets, clock and resolver of the program's own. */
#include "c_machine.h"

enum { kMost = 20000 };

/* Connects two on the loopback interface, with one channel. */
static pollrtc_channel* connect_two(side* a, side* b) {
  pollrtc_config config = loopback();
  pollrtc_channel* channel = NULL;
  int i = 0;
  CHECK(pollrtc_connection_create(&config, &a->connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create(&config, &b->connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(a->connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_answer(a->connection) == POLLRTC_INVALID_STATE);
  CHECK(pollrtc_connection_create_offer(a->connection) == POLLRTC_OK);
  for (i = 0; i < kMost && !(a->opened && b->received); ++i) turn(a, b);
  if (b->received == NULL) exit(1);
  return channel;
}

static void destroy_two(side* a, side* b, pollrtc_channel* channel) {
  pollrtc_channel_destroy(channel);
  pollrtc_channel_destroy(b->received);
  pollrtc_connection_destroy(a->connection);
  pollrtc_connection_destroy(b->connection);
}

static void test_pieces(void) {
  side a = {0}, b = {0};
  pollrtc_channel* channel = connect_two(&a, &b);
  static uint8_t piece[20000];
  const uint8_t* data = NULL;
  size_t size = 0, total = 0;
  int i = 0, pieces = 0, is_complete = 0;

  CHECK(pollrtc_channel_get_max_packet_size(channel) == 262144);
  CHECK(pollrtc_channel_set_receive_in_pieces(b.received, 1) == POLLRTC_OK);
  CHECK(pollrtc_channel_abandon_message(channel) == POLLRTC_INVALID_STATE);
  for (i = 0; i < 3; ++i) {
    memset(piece, 'a' + i, sizeof piece);
    CHECK(pollrtc_channel_send_piece(channel, piece, sizeof piece, i == 2) == POLLRTC_OK);
    if (i == 0) CHECK(pollrtc_channel_send(channel, "x", 1) == POLLRTC_INVALID_STATE);
  }
  for (i = 0; i < kMost && !is_complete; ++i) {
    turn(&a, &b);
    while (pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK) {
      CHECK(data[0] == 'a' + total / sizeof piece);
      total += size;
      ++pieces;
      is_complete = pollrtc_channel_is_message_complete(b.received);
      CHECK(is_complete == (total == 3 * sizeof piece));
      CHECK(!pollrtc_channel_was_abandoned(b.received));
    }
  }
  CHECK(total == 3 * sizeof piece && pieces > 1);

  CHECK(pollrtc_channel_send_piece(channel, piece, sizeof piece, 0) == POLLRTC_OK);
  for (i = 0; i < kMost && pollrtc_channel_get_available_packet_count(b.received) == 0; ++i) turn(&a, &b);
  CHECK(pollrtc_channel_abandon_message(channel) == POLLRTC_OK);
  is_complete = 0;
  for (i = 0; i < kMost && !is_complete; ++i) {
    turn(&a, &b);
    while (!is_complete && pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK)
      is_complete = pollrtc_channel_is_message_complete(b.received);
  }
  CHECK(pollrtc_channel_was_abandoned(b.received) && size == 0);
  CHECK(pollrtc_channel_set_receive_in_pieces(b.received, 0) == POLLRTC_OK);
  destroy_two(&a, &b, channel);
}

static void test_reports_and_counts(void) {
  side a = {0}, b = {0};
  pollrtc_channel* channel = connect_two(&a, &b);
  pollrtc_channel_stats counts = {0};
  pollrtc_stats stats = {0};
  static char text[5000];
  const char* name = NULL;
  uint64_t drops = 0;
  unsigned reason = 0;
  int i = 0;

  memset(text, 'x', sizeof text);
  pollrtc_channel_set_buffered_amount_low_threshold(channel, 10);
  CHECK(pollrtc_channel_send_with_report(channel, 4711, text, sizeof text, 1) == POLLRTC_OK);
  counts.size = sizeof counts;
  CHECK(pollrtc_channel_get_stats(channel, &counts) == POLLRTC_OK);
  CHECK(counts.messages_sent == 1 && counts.bytes_sent == sizeof text);
  CHECK(pollrtc_channel_get_buffered_amount(channel) == sizeof text); /* falls in poll */
  for (i = 0; i < kMost && !(a.reports[POLLRTC_OUTCOME_ACKNOWLEDGED] && a.low && b.messages); ++i) turn(&a, &b);
  CHECK(a.reports[POLLRTC_OUTCOME_SENT] == 1 && a.reports[POLLRTC_OUTCOME_ACKNOWLEDGED] == 1);
  CHECK(a.reports[POLLRTC_OUTCOME_ABANDONED] == 0 && a.last_report == 4711);
  CHECK(a.low == 1);
  CHECK(pollrtc_channel_get_stats(b.received, &counts) == POLLRTC_OK);
  CHECK(counts.messages_received == 1 && counts.bytes_received == sizeof text && counts.waiting_messages == 1);
  CHECK(counts.size == sizeof counts);
  counts.size = 1;
  CHECK(pollrtc_channel_get_stats(b.received, &counts) == POLLRTC_INVALID_ARGUMENT);

  stats.size = sizeof stats;
  CHECK(pollrtc_connection_get_stats(a.connection, &stats) == POLLRTC_OK);
  CHECK(stats.local_address.family == 4 || stats.local_address.family == 6);
  CHECK(stats.remote_address.port != 0);
  CHECK(stats.local_type == POLLRTC_CANDIDATE_HOST);
  CHECK(strcmp(stats.dtls_version, "DTLS 1.2") == 0 && strstr(stats.dtls_cipher_suite, "ECDSA") != NULL);
  CHECK(stats.sctp_mtu > 1000);
  CHECK(strcmp(stats.close_reason, "None") == 0);
  for (reason = 0; pollrtc_connection_get_drops(a.connection, reason, &name), name != NULL; ++reason) {
    CHECK(strlen(name) > 0);
    if (reason > 0) drops += pollrtc_connection_get_drops(a.connection, reason, NULL);
  }
  CHECK(reason > 40 && drops == stats.drops);
  CHECK(pollrtc_connection_get_drops(NULL, 1, &name) == 0 && name != NULL);

  pollrtc_connection_close(b.connection);
  CHECK(pollrtc_connection_wait(a.connection, 1000) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_state(a.connection) == POLLRTC_CONNECTION_CLOSED);
  CHECK(pollrtc_connection_get_stats(a.connection, &stats) == POLLRTC_OK);
  CHECK(strcmp(stats.close_reason, "RemoteAbort") == 0 || strcmp(stats.close_reason, "Remote") == 0);
  destroy_two(&a, &b, channel);
}

static void test_descriptions_and_policies(void) {
  side a = {0};
  pollrtc_config config = loopback();
  pollrtc_channel* channel = NULL;
  pollrtc_pacer* pacer = pollrtc_pacer_create();
  pollrtc_event event;
  int i = 0;

  config.relay_only = 1; /* and no server: so no candidates at all */
  config.set_dscp = 1;
  config.dscp = 46;
  config.no_udp_offload = 1;
  config.no_path_mtu_discovery = 1;
  config.max_channels = 1;
  config.max_unread_messages = 10;
  config.receive_window_max = 2000000;
  config.pacer = pacer;
  CHECK(pollrtc_connection_create(&config, &a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(a.connection, "one", NULL, &channel) == POLLRTC_OK);
  {
    pollrtc_channel* second = NULL;
    CHECK(pollrtc_connection_create_channel(a.connection, "two", NULL, &second) == POLLRTC_LIMIT_REACHED);
    CHECK(second == NULL);
  }
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_OK);
  for (i = 0; i < 50; ++i) {
    CHECK(pollrtc_connection_poll(a.connection) == POLLRTC_OK);
    while (pollrtc_connection_next_event(a.connection, &event)) {
      if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED) ++a.candidates;
      if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED) CHECK(strstr(event.text2, "a=candidate") == NULL);
    }
  }
  CHECK(a.candidates == 0);
  CHECK(pollrtc_connection_get_gathering_state(a.connection) == POLLRTC_GATHERING_COMPLETE);
  CHECK(pollrtc_connection_set_local_description(a.connection, "rollback", "") == POLLRTC_OK);
  CHECK(pollrtc_connection_get_signaling_state(a.connection) == POLLRTC_SIGNALING_STABLE);
  CHECK(pollrtc_connection_set_local_description(a.connection, "rollback", "") == POLLRTC_INVALID_STATE);
  pollrtc_channel_destroy(channel);

  config = loopback();
  config.set_dscp = 1;
  config.dscp = 64;
  CHECK(pollrtc_connection_initialize(a.connection, &config) == POLLRTC_INVALID_ARGUMENT);
  CHECK(strstr(pollrtc_connection_error(a.connection), "DSCP") != NULL ||
        strstr(pollrtc_connection_error(a.connection), "dscp") != NULL);
  pollrtc_connection_destroy(a.connection);
  pollrtc_pacer_destroy(pacer);
}

static int machine_random(void* context, uint8_t* out, size_t size) {
  machine* m = context;
  while (size-- > 0) {
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    *out++ = (uint8_t)(m->random >> 56);
  }
  return 1;
}
static void* machine_allocate(void* context, size_t bytes, size_t align) {
  machine* m = context;
  void* block = NULL;
  if (m->fail_after != 0 && ++m->allocations >= m->fail_after) return NULL;
  if (posix_memalign(&block, align < sizeof(void*) ? sizeof(void*) : align, bytes) != 0) return NULL;
  m->allocated += bytes;
  return block;
}
static void machine_release(void* context, void* block, size_t bytes, size_t align) {
  (void)align;
  ((machine*)context)->allocated -= bytes;
  free(block);
}
static int machine_start(void* context, uint32_t id, const char* host) {
  (void)id;
  CHECK(strcmp(host, "stun.example") == 0);
  ++((machine*)context)->asked_names;
  return 1;
}
static int machine_resolved(void* context, uint32_t id, pollrtc_address* out, size_t most, size_t* count) {
  (void)context;
  (void)id;
  CHECK(most > 0);
  out[0] = address_of(99, 0);
  *count = 1;
  return 1;
}
static void machine_cancel(void* context, uint32_t id) {
  (void)id;
  ++((machine*)context)->cancelled;
}

/* Creates one end on its machine; the structures may go as soon as that is done. */
static pollrtc_result create_on(machine* m, pollrtc_connection** out) {
  const char* urls[1] = {"stun:stun.example"};
  pollrtc_ice_server server = {urls, 1, NULL, NULL};
  pollrtc_network network = network_of(m);
  pollrtc_memory memory = {machine_allocate, machine_release, NULL};
  pollrtc_random random = {machine_random, NULL};
  pollrtc_resolver resolver = {sizeof(pollrtc_resolver), machine_start, machine_resolved, machine_cancel, NULL};
  pollrtc_config config = {0};
  memory.context = random.context = resolver.context = m;
  config.size = sizeof config;
  config.ice_servers = &server;
  config.ice_server_count = 1;
  config.small_limits = 1;
  config.network = &network;
  config.memory = &memory;
  config.random = &random;
  config.resolver = &resolver;
  return pollrtc_connection_create(&config, out);
}

static void step(side* a, side* b) {
  the_time += 5000;
  if (a->connection != NULL) CHECK(pollrtc_connection_poll(a->connection) == POLLRTC_OK);
  if (b->connection != NULL) CHECK(pollrtc_connection_poll(b->connection) == POLLRTC_OK);
  pass_events(a, b);
  pass_events(b, a);
}

static void test_platform(void) {
  side a = {0}, b = {0};
  pollrtc_channel* channel = NULL;
  const uint8_t* data = NULL;
  size_t size = 0;
  int i = 0;
  set_up_machines();
  CHECK(create_on(&machines[0], &a.connection) == POLLRTC_OK);
  CHECK(create_on(&machines[1], &b.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_wait(a.connection, 0) == POLLRTC_NOT_SUPPORTED);
  CHECK(pollrtc_connection_create_channel(a.connection, "chat", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_OK);
  for (i = 0; i < 1000 && !(a.opened && b.received); ++i) step(&a, &b);
  CHECK(a.opened && b.received);
  if (b.received == NULL) exit(1);
  CHECK(machines[0].asked_names == 1 && machines[0].sent_to_server > 0);
  CHECK(machines[0].allocated > 10000 && machines[0].open_sockets == 1);
  CHECK(pollrtc_channel_send_text(channel, "over arrays", 11) == POLLRTC_OK);
  for (i = 0; i < 1000 && !b.messages; ++i) step(&a, &b);
  CHECK(pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK);
  CHECK(size == 11 && memcmp(data, "over arrays", 11) == 0);
  /* Onto the system's network and back: what is closed is closed by whose it was. */
  CHECK(pollrtc_connection_initialize(a.connection, NULL) == POLLRTC_OK);
  CHECK(machines[0].open_sockets == 0);
  pollrtc_channel_destroy(channel);
  CHECK(machines[0].allocated == 0);
  pollrtc_connection_destroy(a.connection);
  pollrtc_connection_destroy(b.connection);
  CHECK(pollrtc_channel_get_ready_state(b.received) == POLLRTC_CHANNEL_CLOSED);
  pollrtc_channel_destroy(b.received);
  CHECK(machines[1].open_sockets == 0 && machines[1].allocated == 0);
}

/* The n-th allocation and all after it fail: whatever comes of it, it is no crash, and everything is given back. */
static void test_no_memory(void) {
  size_t n = 1;
  int connected = 0;
  for (; !connected && n < 5000; n += n < 100 ? 1 : 37) {
    side a = {0}, b = {0};
    pollrtc_channel* channel = NULL;
    int i = 0;
    set_up_machines();
    machines[0].fail_after = n;
    if (create_on(&machines[0], &a.connection) == POLLRTC_OK && create_on(&machines[1], &b.connection) == POLLRTC_OK &&
        pollrtc_connection_create_channel(a.connection, "chat", NULL, &channel) == POLLRTC_OK &&
        pollrtc_connection_create_offer(a.connection) == POLLRTC_OK) {
      pollrtc_event event;
      for (i = 0; i < 400 && !a.opened; ++i) {
        the_time += 5000;
        (void)pollrtc_connection_poll(a.connection);
        (void)pollrtc_connection_poll(b.connection);
        while (pollrtc_connection_next_event(a.connection, &event)) {
          if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED)
            (void)pollrtc_connection_set_remote_description(b.connection, event.text, event.text2);
          if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED)
            (void)pollrtc_connection_add_ice_candidate(b.connection, event.text, event.number, event.text2);
          if (event.type == POLLRTC_EVENT_CHANNEL_OPENED) ++a.opened;
        }
        while (pollrtc_connection_next_event(b.connection, &event)) {
          if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED)
            (void)pollrtc_connection_set_remote_description(a.connection, event.text, event.text2);
          if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED)
            (void)pollrtc_connection_add_ice_candidate(a.connection, event.text, event.number, event.text2);
          if (event.type == POLLRTC_EVENT_CHANNEL_RECEIVED) pollrtc_channel_destroy(event.channel);
        }
      }
      connected = a.opened;
    }
    pollrtc_channel_destroy(channel);
    pollrtc_connection_destroy(a.connection);
    pollrtc_connection_destroy(b.connection);
    CHECK(machines[0].open_sockets == 0 && machines[0].allocated == 0);
  }
  CHECK(connected && n > 20);
}

static void test_wrong_platform(void) {
  pollrtc_network network;
  pollrtc_memory memory = {machine_allocate, NULL, NULL};
  pollrtc_random random = {NULL, NULL};
  pollrtc_resolver resolver = {sizeof(pollrtc_resolver), machine_start, machine_resolved, NULL, NULL};
  pollrtc_config config = {0};
  pollrtc_connection* connection = NULL;
  set_up_machines();
  network = network_of(&machines[0]);
  config.size = sizeof config;
  config.network = &network;
  network.size = 0;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  network.size = sizeof network;
  network.receive = NULL;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.network = NULL;
  config.memory = &memory;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.memory = NULL;
  config.random = &random;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.random = NULL;
  config.resolver = &resolver;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  CHECK(connection == NULL);
  config.resolver = NULL;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  config.random = &random;
  CHECK(pollrtc_connection_initialize(connection, &config) == POLLRTC_INVALID_ARGUMENT);
  CHECK(strstr(pollrtc_connection_error(connection), "function") != NULL);
  pollrtc_connection_destroy(connection);
}

static void test_multiplayer_settings(void) {
  pollrtc_multiplayer* peer = NULL;
  pollrtc_config config = loopback();
  pollrtc_connection* connection = NULL;
  CHECK(pollrtc_multiplayer_create(&peer) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_initialize(peer, 5, 1) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_get_connection_status(peer) == 1); /* until the server is there */
  CHECK(!pollrtc_multiplayer_is_server_relay_supported(peer));
  CHECK(pollrtc_multiplayer_create_mesh(peer, 5, NULL, 0) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_create_client(peer, 5, NULL, 0) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_is_server_relay_supported(peer));
  CHECK(!pollrtc_multiplayer_is_server_relay_enabled(peer));
  CHECK(pollrtc_multiplayer_set_server_relay_enabled(peer, 1) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_is_server_relay_enabled(peer));
  pollrtc_multiplayer_set_target_peer(peer, -3);
  CHECK(pollrtc_multiplayer_get_target_peer(peer) == -3);
  CHECK(pollrtc_multiplayer_get_transfer_mode(peer) == POLLRTC_TRANSFER_RELIABLE);
  pollrtc_multiplayer_set_transfer_mode(peer, POLLRTC_TRANSFER_UNRELIABLE);
  CHECK(pollrtc_multiplayer_get_transfer_mode(peer) == POLLRTC_TRANSFER_UNRELIABLE);
  pollrtc_multiplayer_set_transfer_mode(peer, (pollrtc_transfer_mode)9); /* is none */
  CHECK(pollrtc_multiplayer_get_transfer_mode(peer) == POLLRTC_TRANSFER_UNRELIABLE);
  pollrtc_multiplayer_set_transfer_channel(peer, 2);
  CHECK(pollrtc_multiplayer_get_transfer_channel(peer) == 2);
  CHECK(pollrtc_multiplayer_get_time_to_next_deadline_us(peer) == -1);
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  pollrtc_multiplayer_set_refuse_new_connections(peer, 1);
  CHECK(pollrtc_multiplayer_is_refusing_new_connections(peer));
  CHECK(pollrtc_multiplayer_add_peer(peer, connection, 1, 1) == POLLRTC_UNAUTHORIZED);
  pollrtc_multiplayer_set_refuse_new_connections(peer, 0);
  CHECK(pollrtc_multiplayer_add_peer(peer, connection, 1, 1) == POLLRTC_OK);
  CHECK(!pollrtc_multiplayer_is_peer_connected(peer, 1));
  CHECK(pollrtc_connection_create_offer(connection) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_get_time_to_next_deadline_us(peer) == 0);
  CHECK(pollrtc_multiplayer_remove_peer(peer, 1) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);
  pollrtc_multiplayer_destroy(peer);
}

int main(void) {
  test_pieces();
  test_reports_and_counts();
  test_descriptions_and_policies();
  test_platform();
  test_no_memory();
  test_wrong_platform();
  test_multiplayer_settings();
  if (failures == 0) printf("all is well\n");
  return failures == 0 ? 0 : 1;
}
