// MultiplayerPeer for C. What each call means stands in pollrtc/multiplayer_peer.h.
#include "api/c_handles.h"

using namespace pollrtc;
using namespace pollrtc::detail;

namespace {

template <class Call>
pollrtc_result call(pollrtc_multiplayer* handle, Call&& what) {
  return handle == nullptr ? POLLRTC_INVALID_ARGUMENT : note(nullptr, what(handle->peer));
}
template <class Value, class Get>
Value ask(const pollrtc_multiplayer* handle, Value otherwise, Get&& get) {
  return handle == nullptr ? otherwise : static_cast<Value>(get(handle->peer));
}

template <class Create>
pollrtc_result create(pollrtc_multiplayer* handle, const pollrtc_transfer_mode* channels, std::size_t count,
                      Create&& what) {
  if (is_missing(channels, count)) return POLLRTC_INVALID_ARGUMENT;
  std::vector<MultiplayerPeer::TransferMode> modes;
  for (std::size_t i = 0; i < count; ++i) {
    const int mode = channels[i];
    modes.push_back(static_cast<MultiplayerPeer::TransferMode>(mode < 0 || mode > 255 ? 255 : mode));
  }
  return call(handle, [&](MultiplayerPeer& p) { return what(p, modes); });
}

}  // namespace

pollrtc_result pollrtc_multiplayer_create(pollrtc_multiplayer** out) {
  if (out == nullptr) return POLLRTC_INVALID_ARGUMENT;
  auto* const handle = new (std::nothrow) pollrtc_multiplayer;
  *out = handle;
  if (handle == nullptr) return POLLRTC_OUT_OF_MEMORY;
  const auto queue = [handle](pollrtc_multiplayer_event_type type) {
    return [handle, type](int id) { handle->events.emplace_back(type, id); };
  };
  handle->peer.peer_connected = queue(POLLRTC_MULTIPLAYER_PEER_CONNECTED);
  handle->peer.peer_disconnected = queue(POLLRTC_MULTIPLAYER_PEER_DISCONNECTED);
  const auto queue_bare = [handle](pollrtc_multiplayer_event_type type) {
    return [handle, type] { handle->events.emplace_back(type, 0); };
  };
  handle->peer.connection_succeeded = queue_bare(POLLRTC_MULTIPLAYER_CONNECTION_SUCCEEDED);
  handle->peer.connection_failed = queue_bare(POLLRTC_MULTIPLAYER_CONNECTION_FAILED);
  handle->peer.server_disconnected = queue_bare(POLLRTC_MULTIPLAYER_SERVER_DISCONNECTED);
  return POLLRTC_OK;
}
void pollrtc_multiplayer_destroy(pollrtc_multiplayer* peer) { delete peer; }

pollrtc_result pollrtc_multiplayer_create_server(pollrtc_multiplayer* peer,
                                                 const pollrtc_transfer_mode* channels, size_t count) {
  return create(peer, channels, count,
                [](MultiplayerPeer& p, const auto& modes) { return p.create_server(modes); });
}
pollrtc_result pollrtc_multiplayer_create_client(pollrtc_multiplayer* peer, int id,
                                                 const pollrtc_transfer_mode* channels, size_t count) {
  return create(peer, channels, count,
                [&](MultiplayerPeer& p, const auto& modes) { return p.create_client(id, modes); });
}
pollrtc_result pollrtc_multiplayer_create_mesh(pollrtc_multiplayer* peer, int id,
                                               const pollrtc_transfer_mode* channels, size_t count) {
  return create(peer, channels, count,
                [&](MultiplayerPeer& p, const auto& modes) { return p.create_mesh(id, modes); });
}
pollrtc_result pollrtc_multiplayer_initialize(pollrtc_multiplayer* peer, int id, int server_compatibility) {
  return call(peer, [&](MultiplayerPeer& p) { return p.initialize(id, server_compatibility != 0); });
}
int pollrtc_multiplayer_is_server_relay_supported(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.is_server_relay_supported(); });
}
int pollrtc_multiplayer_is_server_relay_enabled(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.is_server_relay_enabled(); });
}
pollrtc_result pollrtc_multiplayer_set_server_relay_enabled(pollrtc_multiplayer* peer, int enabled) {
  return call(peer, [&](MultiplayerPeer& p) { return p.set_server_relay_enabled(enabled != 0); });
}

pollrtc_result pollrtc_multiplayer_add_peer(pollrtc_multiplayer* peer, pollrtc_connection* connection, int id,
                                            int unreliable_lifetime_ms) {
  if (peer == nullptr) return POLLRTC_INVALID_ARGUMENT;
  return note(connection, peer->peer.add_peer(connection == nullptr ? nullptr : connection->connection, id,
                                              unreliable_lifetime_ms));
}
pollrtc_result pollrtc_multiplayer_remove_peer(pollrtc_multiplayer* peer, int id) {
  return call(peer, [&](MultiplayerPeer& p) { return p.remove_peer(id); });
}
pollrtc_result pollrtc_multiplayer_disconnect_peer(pollrtc_multiplayer* peer, int id, int force) {
  return call(peer, [&](MultiplayerPeer& p) { return p.disconnect_peer(id, force != 0); });
}
int pollrtc_multiplayer_has_peer(const pollrtc_multiplayer* peer, int id) {
  return ask(peer, 0, [&](const MultiplayerPeer& p) { return p.has_peer(id); });
}
int pollrtc_multiplayer_is_peer_connected(const pollrtc_multiplayer* peer, int id) {
  if (peer == nullptr) return 0;
  const auto found = peer->peer.get_peer(id);
  return found && found->connected ? 1 : 0;
}
size_t pollrtc_multiplayer_get_peers(const pollrtc_multiplayer* peer, int* out, size_t count) {
  if (peer == nullptr) return 0;
  const auto all = peer->peer.get_peers();
  for (std::size_t i = 0; out != nullptr && i < std::min(count, all.size()); ++i) out[i] = all[i].first;
  return all.size();
}
void pollrtc_multiplayer_close(pollrtc_multiplayer* peer) {
  if (peer != nullptr) peer->peer.close();
}

pollrtc_result pollrtc_multiplayer_poll(pollrtc_multiplayer* peer) {
  return call(peer, [](MultiplayerPeer& p) { return p.poll(); });
}
pollrtc_result pollrtc_multiplayer_wait(pollrtc_multiplayer* peer, int timeout_ms) {
  return call(peer, [&](MultiplayerPeer& p) { return p.wait(std::chrono::milliseconds(timeout_ms)); });
}
int64_t pollrtc_multiplayer_get_time_to_next_deadline_us(const pollrtc_multiplayer* peer) {
  if (peer == nullptr) return -1;
  const auto time = peer->peer.get_time_to_next_deadline();
  return time ? time->count() : -1;
}
pollrtc_multiplayer_event_type pollrtc_multiplayer_next_event(pollrtc_multiplayer* peer, int* id) {
  if (peer == nullptr || peer->events.empty()) return POLLRTC_MULTIPLAYER_NONE;
  const auto [type, about] = peer->events.front();
  peer->events.pop_front();
  if (id != nullptr) *id = about;
  return type;
}

void pollrtc_multiplayer_set_target_peer(pollrtc_multiplayer* peer, int id) {
  if (peer != nullptr) peer->peer.set_target_peer(id);
}
int pollrtc_multiplayer_get_target_peer(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_target_peer(); });
}
void pollrtc_multiplayer_set_transfer_mode(pollrtc_multiplayer* peer, pollrtc_transfer_mode mode) {
  if (peer != nullptr && mode >= POLLRTC_TRANSFER_UNRELIABLE && mode <= POLLRTC_TRANSFER_RELIABLE)
    peer->peer.set_transfer_mode(static_cast<MultiplayerPeer::TransferMode>(mode));
}
pollrtc_transfer_mode pollrtc_multiplayer_get_transfer_mode(const pollrtc_multiplayer* peer) {
  return ask(peer, POLLRTC_TRANSFER_RELIABLE, [](const MultiplayerPeer& p) { return p.get_transfer_mode(); });
}
void pollrtc_multiplayer_set_transfer_channel(pollrtc_multiplayer* peer, int channel) {
  if (peer != nullptr) peer->peer.set_transfer_channel(channel);
}
int pollrtc_multiplayer_get_transfer_channel(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_transfer_channel(); });
}
pollrtc_result pollrtc_multiplayer_put_packet(pollrtc_multiplayer* peer, const void* data, size_t size) {
  if (is_missing(data, size)) return POLLRTC_INVALID_ARGUMENT;
  return call(peer, [&](MultiplayerPeer& p) { return p.put_packet(bytes_of(data, size)); });
}
pollrtc_result pollrtc_multiplayer_get_packet(pollrtc_multiplayer* peer, const uint8_t** data, size_t* size) {
  if (peer == nullptr || data == nullptr || size == nullptr) return POLLRTC_INVALID_ARGUMENT;
  const Result<Bytes> packet = peer->peer.get_packet();
  *data = packet ? packet->data() : nullptr;
  *size = packet ? packet->size() : 0;
  return packet ? POLLRTC_OK : POLLRTC_EMPTY;
}
int pollrtc_multiplayer_get_available_packet_count(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_available_packet_count(); });
}
int pollrtc_multiplayer_get_packet_peer(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_packet_peer(); });
}
int pollrtc_multiplayer_get_packet_channel(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_packet_channel(); });
}
pollrtc_transfer_mode pollrtc_multiplayer_get_packet_mode(const pollrtc_multiplayer* peer) {
  return ask(peer, POLLRTC_TRANSFER_UNRELIABLE, [](const MultiplayerPeer& p) { return p.get_packet_mode(); });
}
size_t pollrtc_multiplayer_get_max_packet_size(const pollrtc_multiplayer* peer) {
  return ask(peer, std::size_t{0}, [](const MultiplayerPeer& p) { return p.get_max_packet_size(); });
}
int pollrtc_multiplayer_is_server(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.is_server(); });
}
int pollrtc_multiplayer_get_connection_status(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_connection_status(); });
}
int pollrtc_multiplayer_get_unique_id(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.get_unique_id(); });
}
void pollrtc_multiplayer_set_refuse_new_connections(pollrtc_multiplayer* peer, int refuse) {
  if (peer != nullptr) peer->peer.set_refuse_new_connections(refuse != 0);
}
int pollrtc_multiplayer_is_refusing_new_connections(const pollrtc_multiplayer* peer) {
  return ask(peer, 0, [](const MultiplayerPeer& p) { return p.is_refusing_new_connections(); });
}
int pollrtc_generate_unique_id(void) { return MultiplayerPeer::generate_unique_id(); }
