// PeerConnection for C. What each call means stands in pollrtc/peer_connection.h.
#include "api/c_handles.h"
#include "api/connection_core.h"
#include "crypto/digest.h"

using namespace pollrtc;
using namespace pollrtc::detail;

namespace {

void write_log(void* context, LogLevel level, std::string_view room, std::string_view line) {
  const pollrtc_config& config = static_cast<Hooks*>(context)->config;
  if (config.log == nullptr) return;
  const std::string room_text(room), line_text(line);
  config.log(config.log_context, static_cast<pollrtc_log_level>(level), room_text.c_str(), line_text.c_str());
}

void show_packet(void* context, const TappedPacket& packet) {
  const pollrtc_config& config = static_cast<Hooks*>(context)->config;
  if (config.tap == nullptr) return;
  pollrtc_tapped_packet shown{};
  shown.bytes = packet.bytes.data();
  shown.size = packet.bytes.size();
  shown.time_us = packet.time.time_since_epoch().count();
  shown.is_sctp = packet.layer == PacketLayer::Sctp ? 1 : 0;
  shown.is_sent = packet.is_sent ? 1 : 0;
  shown.local = c_address(packet.path.local);
  shown.remote = c_address(packet.path.remote);
  config.tap(config.tap_context, &shown);
}

std::optional<Limits> limits_of(const pollrtc_config& given) {
  Limits limits = given.small_limits != 0 ? Limits::small() : Limits{};
  if (given.max_message_size != 0) limits.sctp_max_message_rx = given.max_message_size;
  if (given.receive_window != 0) limits.sctp_rx_window = given.receive_window;
  if (given.send_buffer_channel != 0) limits.sctp_tx_buffer_channel = given.send_buffer_channel;
  if (given.send_buffer != 0) limits.sctp_tx_buffer = given.send_buffer;
  if (given.receive_window_max != 0) limits.sctp_rx_window_max = given.receive_window_max;
  if (given.max_channels != 0)
    limits.dc_channels = static_cast<std::uint16_t>(std::min<std::uint32_t>(given.max_channels, 65535));
  if (given.max_unread_messages != 0) limits.api_rx_queue = given.max_unread_messages;
  if (!apply_limits(given.limits, given.limit_count, limits)) return std::nullopt;
  return limits;
}

Configuration configuration_of(Hooks& hooks, Platform& platform, const pollrtc_config& given) {
  Configuration configuration;
  configuration.pull_events = true;
  configuration.hold_messages = given.hold_messages != 0;
  for (std::size_t i = 0; i < given.ice_server_count; ++i) {
    const pollrtc_ice_server& server = given.ice_servers[i];
    IceServer copy;
    for (std::size_t k = 0; k < server.url_count; ++k) copy.urls.push_back(text_of(server.urls[k]));
    copy.username = text_of(server.username);
    copy.credential = text_of(server.credential);
    configuration.ice_servers.push_back(std::move(copy));
  }
  configuration.port_range_begin = given.port_range_begin;
  configuration.port_range_end = given.port_range_end;
  configuration.include_loopback = given.include_loopback != 0;
  if (given.relay_only != 0) configuration.ice_transport_policy = IceTransportPolicy::Relay;
  configuration.trusted_certificates = text_of(given.trusted_certificates);
  configuration.certificate = {text_of(given.certificate), text_of(given.private_key)};
  configuration.ice_lite = given.ice_lite != 0;
  configuration.restart_ice_automatically = given.no_automatic_restart == 0;
  configuration.nat_1_1_internal = text_of(given.nat_1_1_internal);
  configuration.nat_1_1_external = text_of(given.nat_1_1_external);
  if (given.set_dscp != 0) configuration.dscp = given.dscp;
  configuration.udp_offload = given.no_udp_offload == 0;
  if (given.max_ip_packet != 0) configuration.max_ip_packet = given.max_ip_packet;
  if (given.no_path_mtu_discovery != 0) configuration.max_ip_packet = 0;
  if (given.transport_goal == POLLRTC_GOAL_LOW_LATENCY)
    configuration.transport_goal = TransportGoal::LowLatency;
  if (given.pacer != nullptr) configuration.pacer = &given.pacer->pacer;
  configuration.hide_addresses = given.hide_addresses != 0;
  if (given.udp_mux != nullptr) configuration.udp_mux = {given.udp_mux->held, &*given.udp_mux->held->mux};
  configuration.ice_transports = static_cast<IceTransports>(given.ice_transports);
  configuration.limits = limits_of(given).value_or(Limits{});
  platform.apply(configuration);
  if (given.log != nullptr) configuration.log = {write_log, &hooks, static_cast<LogLevel>(given.log_level)};
  if (given.tap != nullptr) configuration.tap = {show_packet, &hooks};
  return configuration;
}

// One place for equal ones, so that starting over again and again takes no more memory.
Platform& keep(Hooks& hooks, const Platform& platform) {
  for (Platform& known : hooks.platforms)
    if (known.is_same(platform)) return known;
  return hooks.platforms.emplace_back(platform);
}

bool lacks_servers(const pollrtc_config& given) {
  if (is_missing(given.ice_servers, given.ice_server_count)) return true;
  for (std::size_t i = 0; i < given.ice_server_count; ++i)
    if (is_missing(given.ice_servers[i].urls, given.ice_servers[i].url_count)) return true;
  return false;
}

// What Configuration could not say; null: nothing.
const char* wrong_in(const pollrtc_config& given) {
  if (!is_known(given.ice_transports, POLLRTC_TRANSPORTS_TCP)) return "no such transports";
  if (!is_known(given.transport_goal, POLLRTC_GOAL_LOW_LATENCY)) return "no such transport goal";
  if (!is_known(given.log_level, POLLRTC_LOG_ERROR)) return "no such log level";
  if (lacks_servers(given))
    return "there are said to be ICE servers or urls, and the pointer to them is null";
  if (!limits_of(given)) return "no limit has this name, or its value does not fit, or the limits are null";
  return nullptr;
}

pollrtc_result initialize(pollrtc_connection& handle, const pollrtc_config* config) {
  const auto known = known_part(config);
  Platform platform;
  if (!known || !platform.read(known->memory, known->random, known->network, known->resolver)) {
    handle.error = "a structure lacks its size or a function, or is of a newer header";
    return POLLRTC_INVALID_ARGUMENT;
  }
  if (const char* const wrong = wrong_in(*known); wrong != nullptr) {
    handle.error = wrong;
    return POLLRTC_INVALID_ARGUMENT;
  }
  const pollrtc_config before = handle.hooks->config;
  handle.hooks->config = *known;
  Platform& below = keep(*handle.hooks, platform);
  Configuration configuration = configuration_of(*handle.hooks, below, *known);
  const Status status = handle.connection->initialize(configuration);
  crypto::wipe(configuration.certificate.private_key.data(), configuration.certificate.private_key.size());
  if (!status) handle.hooks->config = before;
  return note(&handle, status);
}

static_assert(static_cast<int>(MessageOutcome::Abandoned) == POLLRTC_OUTCOME_ABANDONED);

bool is_failure(Close reason) {
  return reason != Close::None && reason != Close::Local && reason != Close::Remote;
}

pollrtc_channel* find(const pollrtc_connection& handle, const std::shared_ptr<DataChannel>& channel) {
  for (pollrtc_channel* const known : handle.channels)
    if (known->channel == channel) return known;
  return nullptr;
}

// False: of a channel whose handle the user has destroyed.
bool describe(pollrtc_connection& handle, pollrtc_event& out) {
  const PeerConnection::Event& event = handle.event;
  const auto about = [&](pollrtc_event_type type, const std::shared_ptr<DataChannel>& channel) {
    out.type = type;
    out.channel = find(handle, channel);
    return out.channel != nullptr;
  };
  const auto tell = [&](pollrtc_event_type type, int number, const char* text, const char* text2) {
    out.type = type;
    out.number = number;
    out.text = text;
    out.text2 = text2;
  };
  const auto text = [](const std::string& value) { return value.c_str(); };
  if (const auto* d = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
    tell(POLLRTC_EVENT_DESCRIPTION_CREATED, 0, text(d->type), text(d->sdp));
  } else if (const auto* c = std::get_if<PeerConnection::CandidateCreated>(&event)) {
    tell(POLLRTC_EVENT_CANDIDATE_CREATED, c->index, text(c->media), text(c->name));
  } else if (const auto* s = std::get_if<PeerConnection::ConnectionStateChanged>(&event)) {
    tell(POLLRTC_EVENT_CONNECTION_STATE_CHANGED, static_cast<int>(s->state), "", "");
  } else if (const auto* g = std::get_if<PeerConnection::GatheringStateChanged>(&event)) {
    tell(POLLRTC_EVENT_GATHERING_STATE_CHANGED, static_cast<int>(g->state), "", "");
  } else if (const auto* n = std::get_if<PeerConnection::SignalingStateChanged>(&event)) {
    tell(POLLRTC_EVENT_SIGNALING_STATE_CHANGED, static_cast<int>(n->state), "", "");
  } else if (const auto* f = std::get_if<PeerConnection::IceServerFailed>(&event)) {
    tell(POLLRTC_EVENT_ICE_SERVER_FAILED, f->code, text(f->url), text(f->text));
  } else if (const auto* r = std::get_if<PeerConnection::ChannelReceived>(&event)) {
    out.type = POLLRTC_EVENT_CHANNEL_RECEIVED;
    out.channel = wrap(handle, r->channel);
    return out.channel != nullptr;  // without memory for a handle the channel closes, as nobody holds it
  } else if (const auto* o = std::get_if<PeerConnection::ChannelOpened>(&event)) {
    return about(POLLRTC_EVENT_CHANNEL_OPENED, o->channel);
  } else if (const auto* closing = std::get_if<PeerConnection::ChannelClosing>(&event)) {
    return about(POLLRTC_EVENT_CHANNEL_CLOSING, closing->channel);
  } else if (const auto* closed = std::get_if<PeerConnection::ChannelClosed>(&event)) {
    handle.text = name_of(closed->reason);
    out.text = handle.text.c_str();
    out.number = is_failure(closed->reason) ? 1 : 0;
    return about(POLLRTC_EVENT_CHANNEL_CLOSED, closed->channel);
  } else if (const auto* m = std::get_if<PeerConnection::MessageReceived>(&event)) {
    return about(POLLRTC_EVENT_MESSAGE_RECEIVED, m->channel);
  } else if (const auto* report = std::get_if<PeerConnection::MessageReport>(&event)) {
    out.report = report->report;
    out.number = static_cast<int>(report->outcome);
    return about(POLLRTC_EVENT_MESSAGE_REPORT, report->channel);
  } else if (const auto* low = std::get_if<PeerConnection::BufferedAmountLow>(&event)) {
    return about(POLLRTC_EVENT_BUFFERED_AMOUNT_LOW, low->channel);
  } else {
    return false;
  }
  return true;
}

template <class Call>
pollrtc_result call(pollrtc_connection* handle, Call&& what) {
  return handle == nullptr ? POLLRTC_INVALID_ARGUMENT : note(handle, what(*handle->connection));
}

}  // namespace

namespace pollrtc::detail {

void HeldConnection::leave_to_itself(PeerConnection& connection) { connection.core().stop_pulling(); }

pollrtc_channel* wrap(pollrtc_connection& owner, std::shared_ptr<DataChannel> channel) {
  auto* const handle = new (std::nothrow) pollrtc_channel;
  if (handle == nullptr) return nullptr;
  handle->label = channel->get_label();
  handle->protocol = channel->get_protocol();
  handle->channel = std::move(channel);
  handle->hooks = owner.hooks;
  handle->owner = &owner;
  owner.channels.push_back(handle);
  return handle;
}

}  // namespace pollrtc::detail

const char* pollrtc_result_name(pollrtc_result result) {
  if (result == POLLRTC_OK) return "OK";
  if (result < POLLRTC_OK || result > POLLRTC_UNAUTHORIZED) return "?";
  return name_of(static_cast<ErrorCode>(static_cast<int>(result) - 1))
      .data();  // a literal, so it ends with a NUL
}

pollrtc_result pollrtc_connection_create(const pollrtc_config* config, pollrtc_connection** out) {
  if (out == nullptr) return POLLRTC_INVALID_ARGUMENT;
  *out = nullptr;
  std::unique_ptr<pollrtc_connection> handle(new (std::nothrow) pollrtc_connection);
  if (handle == nullptr) return POLLRTC_OUT_OF_MEMORY;
  handle->hooks = std::make_shared<Hooks>();
  const auto held = std::make_shared<HeldConnection>();
  held->hooks = handle->hooks;
  handle->connection = {held, &held->connection};
  if (const pollrtc_result result = initialize(*handle, config); result != POLLRTC_OK) return result;
  *out = handle.release();
  return POLLRTC_OK;
}

void pollrtc_connection_destroy(pollrtc_connection* connection) {
  if (connection == nullptr) return;
  for (pollrtc_channel* const channel : connection->channels) channel->owner = nullptr;
  const std::shared_ptr<Hooks> hooks = connection->hooks;
  // A MultiplayerPeer may hold the connection still, and a handle its channel.
  HeldConnection::leave_to_itself(*connection->connection);
  delete connection;
  hooks->config = {};
}

pollrtc_result pollrtc_connection_initialize(pollrtc_connection* connection, const pollrtc_config* config) {
  return connection == nullptr ? POLLRTC_INVALID_ARGUMENT : initialize(*connection, config);
}

const char* pollrtc_connection_error(const pollrtc_connection* connection) {
  return connection == nullptr ? "" : connection->error.c_str();
}

pollrtc_result pollrtc_connection_create_channel(pollrtc_connection* connection, const char* label,
                                                 const pollrtc_channel_options* options,
                                                 pollrtc_channel** out) {
  const auto known = known_part(options);
  if (connection == nullptr || label == nullptr || out == nullptr || !known) return POLLRTC_INVALID_ARGUMENT;
  *out = nullptr;
  DataChannelOptions o;
  o.ordered = known->unordered == 0;
  if (known->limit_retransmits != 0) o.max_retransmits = std::max(known->max_retransmits, 0);
  if (known->limit_packet_life_time != 0) o.max_packet_life_time = std::max(known->max_packet_life_time, 0);
  o.negotiated = known->negotiated != 0;
  o.id = known->id;
  o.protocol = text_of(known->protocol);
  if (known->priority != 0) o.priority = known->priority;
  o.discard_when_full = known->discard_when_full != 0;
  auto made = connection->connection->create_data_channel(label, o);
  if (!made) return note(connection, status_of(made));
  *out = wrap(*connection, *std::move(made));
  return *out == nullptr ? POLLRTC_OUT_OF_MEMORY : POLLRTC_OK;
}

pollrtc_result pollrtc_connection_prepare(pollrtc_connection* connection) {
  return call(connection, [](PeerConnection& c) { return c.prepare(); });
}
pollrtc_result pollrtc_connection_create_offer(pollrtc_connection* connection) {
  return call(connection, [](PeerConnection& c) { return c.create_offer(); });
}
pollrtc_result pollrtc_connection_create_answer(pollrtc_connection* connection) {
  return call(connection, [](PeerConnection& c) { return c.create_answer(); });
}
pollrtc_result pollrtc_connection_restart_ice(pollrtc_connection* connection) {
  return call(connection, [](PeerConnection& c) { return c.restart_ice(); });
}
pollrtc_result pollrtc_connection_set_local_description(pollrtc_connection* connection, const char* type,
                                                        const char* sdp) {
  return call(connection,
              [&](PeerConnection& c) { return c.set_local_description(text_of(type), text_of(sdp)); });
}
pollrtc_result pollrtc_connection_set_remote_description(pollrtc_connection* connection, const char* type,
                                                         const char* sdp) {
  return call(connection,
              [&](PeerConnection& c) { return c.set_remote_description(text_of(type), text_of(sdp)); });
}
pollrtc_result pollrtc_connection_add_ice_candidate(pollrtc_connection* connection, const char* media,
                                                    int index, const char* name) {
  return call(connection,
              [&](PeerConnection& c) { return c.add_ice_candidate(text_of(media), index, text_of(name)); });
}
pollrtc_result pollrtc_connection_poll(pollrtc_connection* connection) {
  return call(connection, [](PeerConnection& c) { return c.poll(); });
}

pollrtc_result pollrtc_connection_wait(pollrtc_connection* connection, int timeout_ms) {
  return call(connection, [&](PeerConnection& c) { return c.wait(std::chrono::milliseconds(timeout_ms)); });
}

int pollrtc_connection_next_event(pollrtc_connection* connection, pollrtc_event* event) {
  if (connection == nullptr || event == nullptr) return 0;
  do {
    *event = {POLLRTC_EVENT_NONE, 0, "", "", nullptr, 0, {}};
    connection->event = {};
    if (!connection->connection->next_event(connection->event)) return 0;
  } while (!describe(*connection, *event));
  return 1;
}

void pollrtc_connection_flush(pollrtc_connection* connection) {
  if (connection != nullptr) connection->connection->flush();
}

void pollrtc_connection_close(pollrtc_connection* connection) {
  if (connection != nullptr) connection->connection->close();
}

pollrtc_connection_state pollrtc_connection_get_state(const pollrtc_connection* connection) {
  if (connection == nullptr) return POLLRTC_CONNECTION_CLOSED;
  return static_cast<pollrtc_connection_state>(connection->connection->get_connection_state());
}
pollrtc_gathering_state pollrtc_connection_get_gathering_state(const pollrtc_connection* connection) {
  if (connection == nullptr) return POLLRTC_GATHERING_NEW;
  return static_cast<pollrtc_gathering_state>(connection->connection->get_gathering_state());
}
pollrtc_signaling_state pollrtc_connection_get_signaling_state(const pollrtc_connection* connection) {
  if (connection == nullptr) return POLLRTC_SIGNALING_CLOSED;
  return static_cast<pollrtc_signaling_state>(connection->connection->get_signaling_state());
}
size_t pollrtc_connection_get_max_message_size(const pollrtc_connection* connection) {
  return connection == nullptr ? 0 : connection->connection->get_max_message_size();
}

size_t pollrtc_connection_get_sockets(const pollrtc_connection* connection, int* out, size_t count) {
  if (connection == nullptr) return 0;
  return connection->connection->get_sockets(out == nullptr ? std::span<int>() : std::span(out, count));
}
int64_t pollrtc_connection_get_time_to_next_deadline_us(const pollrtc_connection* connection) {
  if (connection == nullptr) return -1;
  const auto time = connection->connection->get_time_to_next_deadline();
  return time ? time->count() : -1;
}

pollrtc_result pollrtc_poll_all(pollrtc_connection* const* connections, size_t count, int timeout_ms) {
  if (connections == nullptr && count != 0) return POLLRTC_INVALID_ARGUMENT;
  std::vector<PeerConnection*> all;
  for (std::size_t i = 0; i < count; ++i) {
    if (connections[i] == nullptr) return POLLRTC_INVALID_ARGUMENT;
    all.push_back(connections[i]->connection.get());
  }
  return note(nullptr, poll_all(all, std::chrono::milliseconds(timeout_ms)));
}

pollrtc_pacer* pollrtc_pacer_create(void) { return new (std::nothrow) pollrtc_pacer; }
void pollrtc_pacer_destroy(pollrtc_pacer* pacer) { delete pacer; }

pollrtc_result pollrtc_certificate_generate(pollrtc_certificate** out) {
  if (out == nullptr) return POLLRTC_INVALID_ARGUMENT;
  *out = nullptr;
  Result<CertificatePem> made = generate_certificate();
  if (!made) return note(nullptr, status_of(made));
  *out = new (std::nothrow) pollrtc_certificate{*std::move(made)};
  return *out == nullptr ? POLLRTC_OUT_OF_MEMORY : POLLRTC_OK;
}
const char* pollrtc_certificate_get_certificate(const pollrtc_certificate* certificate) {
  return certificate == nullptr ? "" : certificate->pem.certificate.c_str();
}
const char* pollrtc_certificate_get_private_key(const pollrtc_certificate* certificate) {
  return certificate == nullptr ? "" : certificate->pem.private_key.c_str();
}
void pollrtc_certificate_destroy(pollrtc_certificate* certificate) {
  if (certificate == nullptr) return;
  crypto::wipe(certificate->pem.private_key.data(), certificate->pem.private_key.size());
  delete certificate;
}
