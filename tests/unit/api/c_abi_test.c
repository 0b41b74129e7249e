/* pollrtc from C: two connections and two multiplayer peers on the loopback interface, and every call with nothing. */
#include "c_support.h"

static int log_lines = 0;
static size_t tapped[2];

static void on_log(void* context, pollrtc_log_level level, const char* room, const char* line) {
  CHECK(context == &log_lines);
  CHECK(level >= POLLRTC_LOG_DEBUG && level <= POLLRTC_LOG_ERROR);
  CHECK(strlen(room) > 0 && strlen(line) > 0);
  ++log_lines;
}

static void on_packet(void* context, const pollrtc_tapped_packet* packet) {
  size_t* counts = context;
  CHECK(packet->size > 0 && packet->bytes != NULL);
  if (!packet->is_sctp) ++counts[packet->is_sent];
}

static void test_connection(void) {
  const int most = 20000;
  side a = {0}, b = {0};
  pollrtc_config config = loopback();
  pollrtc_udp_mux* mux = NULL;
  pollrtc_channel_options options = {0};
  pollrtc_channel* channel = NULL;
  pollrtc_stats stats = {0};
  struct {
    pollrtc_stats stats;
    uint8_t more[16];
  } newer;
  const uint8_t* data = NULL;
  size_t size = 0;
  int i = 0;

  config.log = on_log;
  config.log_context = &log_lines;
  config.log_level = POLLRTC_LOG_DEBUG;
  config.tap = on_packet;
  config.tap_context = tapped;
  CHECK(pollrtc_connection_create(&config, &a.connection) == POLLRTC_OK);
  config = loopback();
  config.max_message_size = 5000;
  CHECK(pollrtc_udp_mux_create(NULL, NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_udp_mux_create(NULL, &mux) == POLLRTC_OK);
  config.udp_mux = mux;
  CHECK(pollrtc_connection_create(&config, &b.connection) == POLLRTC_OK);
  pollrtc_udp_mux_destroy(mux);

  CHECK(pollrtc_connection_prepare(a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_INVALID_STATE);
  CHECK(strstr(pollrtc_connection_error(a.connection), "channel") != NULL);
  options.size = sizeof options;
  options.limit_retransmits = options.limit_packet_life_time = 1;
  CHECK(pollrtc_connection_create_channel(a.connection, "both", &options, &channel) == POLLRTC_INVALID_ARGUMENT);
  CHECK(channel == NULL);
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.unordered = 1;
  options.limit_packet_life_time = 1;
  options.max_packet_life_time = 700;
  options.protocol = "proto";
  options.priority = 512;
  CHECK(pollrtc_connection_create_channel(a.connection, "chat", &options, &channel) == POLLRTC_OK);
  pollrtc_channel_set_user_data(channel, &a);
  CHECK(strcmp(pollrtc_channel_get_label(channel), "chat") == 0);
  CHECK(strcmp(pollrtc_channel_get_protocol(channel), "proto") == 0);
  CHECK(!pollrtc_channel_is_ordered(channel));
  CHECK(!pollrtc_channel_is_negotiated(channel));
  CHECK(pollrtc_channel_get_user_data(channel) == &a);
  CHECK(pollrtc_channel_get_max_packet_life_time(channel) == 700);
  CHECK(pollrtc_channel_get_max_retransmits(channel) == 65535);
  CHECK(pollrtc_channel_get_id(channel) == 65535);
  CHECK(pollrtc_channel_get_priority(channel) == 512);
  CHECK(pollrtc_channel_send(channel, "x", 1) == POLLRTC_INVALID_STATE);
  CHECK(pollrtc_connection_create_offer(a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_signaling_state(a.connection) == POLLRTC_SIGNALING_HAVE_LOCAL_OFFER);
  CHECK(pollrtc_connection_get_time_to_next_deadline_us(a.connection) == 0);
  for (i = 0; i < most && !(a.opened && b.received); ++i) turn(&a, &b);
  CHECK(a.opened == 1 && a.connected == 1 && b.connected == 1);
  CHECK(pollrtc_connection_get_state(a.connection) == POLLRTC_CONNECTION_CONNECTED);
  CHECK(pollrtc_connection_get_sockets(a.connection, NULL, 0) > 0);
  CHECK(pollrtc_connection_get_max_message_size(a.connection) == 5000);
  if (b.received == NULL) exit(1);
  CHECK(pollrtc_channel_get_id(b.received) == 1);
  CHECK(strcmp(pollrtc_channel_get_label(b.received), "chat") == 0);

  CHECK(pollrtc_channel_send_text(channel, "te\0xt", 5) == POLLRTC_OK);
  CHECK(pollrtc_channel_put_packet(channel, NULL, 5) == POLLRTC_INVALID_ARGUMENT); /* nor is anything sent */
  CHECK(pollrtc_channel_send(channel, NULL, 5) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send_text(channel, NULL, 5) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send_with_report(channel, 1, NULL, 5, 0) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send_piece(channel, NULL, 5, 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(strstr(pollrtc_connection_error(a.connection), "null") != NULL);
  CHECK(pollrtc_channel_send(channel, NULL, 0) == POLLRTC_OK);
  CHECK(pollrtc_channel_put_packet(channel, NULL, 0) == POLLRTC_OK); /* sends nothing */
  pollrtc_channel_set_write_mode(channel, POLLRTC_WRITE_TEXT);
  CHECK(pollrtc_channel_get_write_mode(channel) == POLLRTC_WRITE_TEXT);
  CHECK(pollrtc_channel_put_packet(channel, "abc", 3) == POLLRTC_OK);
  for (i = 0; i < most && pollrtc_channel_get_available_packet_count(b.received) < 3; ++i) turn(&a, &b);
  CHECK(b.messages == 3);
  CHECK(pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK);
  CHECK(size == 5 && memcmp(data, "te\0xt", 5) == 0);
  CHECK(pollrtc_channel_was_string_packet(b.received));
  CHECK(pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK);
  CHECK(size == 0 && !pollrtc_channel_was_string_packet(b.received));
  CHECK(pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_OK);
  CHECK(size == 3 && memcmp(data, "abc", 3) == 0);
  CHECK(pollrtc_channel_get_packet(b.received, &data, &size) == POLLRTC_EMPTY);

  stats.size = sizeof stats;
  CHECK(pollrtc_connection_get_stats(a.connection, &stats) == POLLRTC_OK);
  CHECK(stats.messages_sent == 3 && stats.datagrams_sent == tapped[1] && stats.datagrams_received == tapped[0]);
  CHECK(stats.sctp_rto_us > 0);
  stats.datagrams_received = 77;
  stats.size = offsetof(pollrtc_stats, datagrams_received); /* an older header */
  CHECK(pollrtc_connection_get_stats(a.connection, &stats) == POLLRTC_OK);
  CHECK(stats.datagrams_received == 77);
  memset(&newer, 0xff, sizeof newer);
  newer.stats.size = sizeof newer;
  CHECK(pollrtc_connection_get_stats(a.connection, &newer.stats) == POLLRTC_OK);
  CHECK(newer.stats.size == sizeof newer && newer.stats.messages_sent == 3);
  for (i = 0; i < (int)sizeof newer.more; ++i) CHECK(newer.more[i] == 0);

  CHECK(pollrtc_connection_restart_ice(a.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_restart_ice(a.connection) == POLLRTC_INVALID_STATE);
  for (i = 0; i < most && pollrtc_connection_get_signaling_state(a.connection) != POLLRTC_SIGNALING_STABLE; ++i)
    turn(&a, &b);
  CHECK(pollrtc_connection_get_signaling_state(a.connection) == POLLRTC_SIGNALING_STABLE);
  CHECK(pollrtc_connection_get_state(a.connection) == POLLRTC_CONNECTION_CONNECTED);

  pollrtc_channel_close(channel);
  CHECK(pollrtc_channel_get_ready_state(channel) == POLLRTC_CHANNEL_CLOSING);
  for (i = 0; i < most && !(a.closed && b.closed); ++i) turn(&a, &b);
  CHECK(b.closing == 1 && b.closed == 1 && b.broken == 0);
  CHECK(a.closing == 0 && a.closed == 1);
  CHECK(log_lines > 5);

  pollrtc_connection_destroy(a.connection);
  log_lines = 0;
  CHECK(pollrtc_channel_get_ready_state(channel) == POLLRTC_CHANNEL_CLOSED); /* outlives its connection */
  CHECK(pollrtc_channel_send(channel, "x", 1) == POLLRTC_INVALID_STATE);
  pollrtc_channel_destroy(channel);
  CHECK(log_lines == 0);
  pollrtc_channel_destroy(b.received);
  CHECK(pollrtc_connection_poll(b.connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_state(b.connection) == POLLRTC_CONNECTION_CLOSED);
  CHECK(pollrtc_connection_initialize(b.connection, NULL) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_state(b.connection) == POLLRTC_CONNECTION_NEW);
  pollrtc_connection_close(b.connection);
  pollrtc_connection_destroy(b.connection);
}

static void test_configuration(void) {
  struct {
    pollrtc_config config;
    char more[16];
  } newer;
  pollrtc_config config = {0};
  pollrtc_udp_mux_config mux_config = {0};
  pollrtc_udp_mux* mux = NULL;
  pollrtc_connection* connection = NULL;
  pollrtc_certificate* certificate = NULL;
  pollrtc_stats ours = {0}, theirs = {0};
  pollrtc_channel* channel = NULL;
  const char* urls[1];
  pollrtc_ice_server server = {0};

  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT); /* no size */
  CHECK(connection == NULL);
  memset(&newer, 0, sizeof newer);
  newer.config.size = sizeof newer;
  CHECK(pollrtc_connection_create(&newer.config, &connection) == POLLRTC_OK); /* a newer header, nothing new asked */
  pollrtc_connection_destroy(connection);
  newer.more[8] = 1;
  CHECK(pollrtc_connection_create(&newer.config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.size = offsetof(pollrtc_config, include_loopback); /* an older one */
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);

  config.size = sizeof config;
  urls[0] = "stun:";
  server.urls = urls;
  server.url_count = 1;
  config.ice_servers = &server;
  config.ice_server_count = 1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  urls[0] = "stun:192.0.2.1";
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);

  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.ice_transports = (pollrtc_transports)3;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.ice_transports = (pollrtc_transports)-1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.ice_transports = POLLRTC_TRANSPORTS_UDP;
  config.transport_goal = (pollrtc_transport_goal)-1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.transport_goal = POLLRTC_GOAL_THROUGHPUT;
  config.log_level = (pollrtc_log_level)-1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.log_level = (pollrtc_log_level)5;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  mux_config.size = sizeof mux_config;
  mux_config.log_level = (pollrtc_log_level)-1;
  CHECK(pollrtc_udp_mux_create(&mux_config, &mux) == POLLRTC_INVALID_ARGUMENT);
  mux_config.log_level = (pollrtc_log_level)5;
  CHECK(pollrtc_udp_mux_create(&mux_config, &mux) == POLLRTC_INVALID_ARGUMENT);

  /* Arrays that are said to be there, and are not. */
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.log_level = POLLRTC_LOG_ERROR;
  config.ice_server_count = 1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  server.urls = NULL;
  config.ice_servers = &server;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.ice_servers = NULL;
  config.ice_server_count = 0;
  config.limit_count = 1;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);
  config.limit_count = 0;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);
  mux_config.log_level = POLLRTC_LOG_ERROR;
  mux_config.limit_count = 1;
  CHECK(pollrtc_udp_mux_create(&mux_config, &mux) == POLLRTC_INVALID_ARGUMENT);
  CHECK(mux == NULL);

  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.port_range_end = 60000; /* no port is from 0 to that */
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_INVALID_ARGUMENT);

  CHECK(pollrtc_certificate_generate(&certificate) == POLLRTC_OK);
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.certificate = pollrtc_certificate_get_certificate(certificate);
  config.private_key = pollrtc_certificate_get_private_key(certificate);
  ours.size = theirs.size = sizeof ours;
  CHECK(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_stats(connection, &ours) == POLLRTC_OK);
  CHECK(pollrtc_connection_initialize(connection, &config) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_stats(connection, &theirs) == POLLRTC_OK);
  CHECK(memcmp(ours.local_fingerprint, theirs.local_fingerprint, 32) == 0);
  CHECK(pollrtc_connection_initialize(connection, NULL) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_channel(connection, "x", NULL, &channel) == POLLRTC_OK);
  CHECK(pollrtc_connection_get_stats(connection, &theirs) == POLLRTC_OK);
  CHECK(memcmp(ours.local_fingerprint, theirs.local_fingerprint, 32) != 0);
  pollrtc_channel_destroy(channel);
  pollrtc_connection_destroy(connection);
  pollrtc_certificate_destroy(certificate);
}

static void test_multiplayer(void) {
  pollrtc_multiplayer *a = NULL, *b = NULL;
  side ends[2] = {{0}, {0}};
  pollrtc_config config = loopback();
  const pollrtc_transfer_mode extra[1] = {POLLRTC_TRANSFER_UNRELIABLE};
  const uint8_t* data = NULL;
  size_t size = 0;
  int i = 0, id = 0, seen = 0, ids[4];

  CHECK(pollrtc_multiplayer_create(&a) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_create(&b) == POLLRTC_OK);
  for (i = 0; i < 2; ++i) CHECK(pollrtc_connection_create(&config, &ends[i].connection) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_add_peer(a, ends[0].connection, 2, 1) == POLLRTC_UNCONFIGURED);
  CHECK(pollrtc_multiplayer_create_server(a, NULL, 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_create_client(a, 2, NULL, 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_create_mesh(a, 2, NULL, 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_create_server(a, extra, 1) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_create_client(b, 2, extra, 1) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_get_connection_status(b) == 1);
  CHECK(pollrtc_multiplayer_add_peer(a, ends[0].connection, 2, 1) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_add_peer(b, ends[1].connection, 1, 1) == POLLRTC_OK);
  CHECK(pollrtc_connection_create_offer(ends[1].connection) == POLLRTC_OK);
  for (i = 0; i < 20000 && seen < 3; ++i) {
    CHECK(pollrtc_multiplayer_wait(a, 1) == POLLRTC_OK);
    CHECK(pollrtc_multiplayer_wait(b, 1) == POLLRTC_OK);
    pass_events(&ends[0], &ends[1]);
    pass_events(&ends[1], &ends[0]);
    switch (pollrtc_multiplayer_next_event(a, &id)) {
      case POLLRTC_MULTIPLAYER_PEER_CONNECTED:
        CHECK(id == 2);
        ++seen;
        break;
      default:
        break;
    }
    for (;;) {
      const pollrtc_multiplayer_event_type type = pollrtc_multiplayer_next_event(b, &id);
      if (type == POLLRTC_MULTIPLAYER_NONE) break;
      CHECK(type == POLLRTC_MULTIPLAYER_PEER_CONNECTED || type == POLLRTC_MULTIPLAYER_CONNECTION_SUCCEEDED);
      ++seen;
    }
  }
  CHECK(seen == 3);
  CHECK(pollrtc_multiplayer_has_peer(a, 2) && !pollrtc_multiplayer_has_peer(a, 3));
  CHECK(pollrtc_multiplayer_get_peers(a, ids, 4) == 1 && ids[0] == 2);
  CHECK(pollrtc_multiplayer_get_unique_id(b) == 2);
  pollrtc_multiplayer_set_target_peer(b, 1);
  pollrtc_multiplayer_set_transfer_mode(b, POLLRTC_TRANSFER_RELIABLE);
  CHECK(pollrtc_multiplayer_put_packet(b, NULL, 5) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_put_packet(b, "hello", 5) == POLLRTC_OK);
  for (i = 0; i < 20000 && pollrtc_multiplayer_get_available_packet_count(a) == 0; ++i) {
    CHECK(pollrtc_multiplayer_poll(b) == POLLRTC_OK);
    CHECK(pollrtc_multiplayer_wait(a, 1) == POLLRTC_OK);
  }
  CHECK(pollrtc_multiplayer_get_packet_peer(a) == 2);
  CHECK(pollrtc_multiplayer_get_packet_channel(a) == 0);
  CHECK(pollrtc_multiplayer_get_packet_mode(a) == POLLRTC_TRANSFER_RELIABLE);
  CHECK(pollrtc_multiplayer_get_packet(a, &data, &size) == POLLRTC_OK);
  CHECK(size == 5 && memcmp(data, "hello", 5) == 0);
  CHECK(pollrtc_multiplayer_get_packet(a, &data, &size) == POLLRTC_EMPTY);
  pollrtc_connection_destroy(ends[0].connection); /* the peer holds it still */
  CHECK(pollrtc_multiplayer_has_peer(a, 2));
  CHECK(pollrtc_multiplayer_disconnect_peer(a, 2, 0) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_poll(a) == POLLRTC_OK);
  CHECK(pollrtc_multiplayer_next_event(a, &id) == POLLRTC_MULTIPLAYER_PEER_DISCONNECTED && id == 2);
  CHECK(pollrtc_multiplayer_remove_peer(a, 2) == POLLRTC_NOT_FOUND);
  pollrtc_multiplayer_close(b);
  pollrtc_connection_destroy(ends[1].connection);
  pollrtc_multiplayer_destroy(a);
  pollrtc_multiplayer_destroy(b);
  CHECK(pollrtc_generate_unique_id() > 1);
}

static void test_nothing(void) {
  pollrtc_event event;
  pollrtc_stats stats = {0};
  const uint8_t* data = NULL;
  size_t size = 0;
  int number = 0;
  pollrtc_channel* channel = NULL;
  CHECK(pollrtc_connection_create(NULL, NULL) == POLLRTC_INVALID_ARGUMENT);
  pollrtc_connection_destroy(NULL);
  CHECK(pollrtc_connection_initialize(NULL, NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(strcmp(pollrtc_connection_error(NULL), "") == 0);
  CHECK(pollrtc_connection_create_channel(NULL, "x", NULL, &channel) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_create_offer(NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_set_local_description(NULL, NULL, NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_set_remote_description(NULL, NULL, NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_add_ice_candidate(NULL, NULL, 0, NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_restart_ice(NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_poll(NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_next_event(NULL, &event) == 0);
  pollrtc_connection_close(NULL);
  CHECK(pollrtc_connection_get_state(NULL) == POLLRTC_CONNECTION_CLOSED);
  CHECK(pollrtc_connection_get_max_message_size(NULL) == 0);
  CHECK(pollrtc_connection_get_stats(NULL, &stats) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_connection_get_sockets(NULL, &number, 1) == 0);
  CHECK(pollrtc_connection_get_time_to_next_deadline_us(NULL) == -1);
  CHECK(pollrtc_poll_all(NULL, 1, 0) == POLLRTC_INVALID_ARGUMENT);
  pollrtc_channel_destroy(NULL);
  CHECK(pollrtc_channel_put_packet(NULL, "x", 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send(NULL, "x", 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_send_text(NULL, "x", 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_get_packet(NULL, &data, &size) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_channel_get_ready_state(NULL) == POLLRTC_CHANNEL_CLOSED);
  CHECK(strcmp(pollrtc_channel_get_label(NULL), "") == 0);
  CHECK(pollrtc_channel_get_id(NULL) == 65535);
  pollrtc_channel_close(NULL);
  pollrtc_channel_set_user_data(NULL, &event);
  CHECK(pollrtc_channel_get_user_data(NULL) == NULL);
  pollrtc_multiplayer_destroy(NULL);
  CHECK(pollrtc_multiplayer_poll(NULL) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_add_peer(NULL, NULL, 1, 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_next_event(NULL, &number) == POLLRTC_MULTIPLAYER_NONE);
  CHECK(pollrtc_multiplayer_put_packet(NULL, "x", 1) == POLLRTC_INVALID_ARGUMENT);
  CHECK(pollrtc_multiplayer_get_packet(NULL, &data, &size) == POLLRTC_INVALID_ARGUMENT);
  pollrtc_certificate_destroy(NULL);
  CHECK(strcmp(pollrtc_result_name(POLLRTC_INVALID_STATE), "InvalidState") == 0);
  CHECK(strcmp(pollrtc_result_name(POLLRTC_OK), "OK") == 0);
  CHECK(strcmp(pollrtc_result_name((pollrtc_result)99), "?") == 0);
}

int main(void) {
  test_nothing();
  test_configuration();
  test_connection();
  test_multiplayer();
  if (failures == 0) printf("all is well\n");
  return failures == 0 ? 0 : 1;
}
