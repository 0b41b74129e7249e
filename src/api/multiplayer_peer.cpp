#include "pollrtc/multiplayer_peer.h"

#include <algorithm>

#include "api/multiplayer_core.h"
#include "base/random.h"
#include "net/entropy.h"

namespace pollrtc {

using detail::MultiplayerCore;
using Mode = MultiplayerCore::Mode;

MultiplayerPeer::MultiplayerPeer() : core_(std::make_shared<MultiplayerCore>(this)) {}
MultiplayerPeer::~MultiplayerPeer() {
  core_->owner_ = nullptr;
  core_->close();
}

Status MultiplayerPeer::create_server(std::span<const TransferMode> channels_config) {
  return core_->create(Mode::Server, TARGET_PEER_SERVER, channels_config);
}
Status MultiplayerPeer::create_client(int peer_id, std::span<const TransferMode> channels_config) {
  return core_->create(Mode::Client, peer_id, channels_config);
}
Status MultiplayerPeer::create_mesh(int peer_id, std::span<const TransferMode> channels_config) {
  return core_->create(Mode::Mesh, peer_id, channels_config);
}
Status MultiplayerPeer::initialize(int peer_id, bool server_compatibility) {
  if (const Status status = create_mesh(peer_id); !status) return status;
  core_->wait_for_server = server_compatibility && peer_id != TARGET_PEER_SERVER;
  if (core_->wait_for_server) core_->status = CONNECTION_CONNECTING;
  return {};
}

Status MultiplayerPeer::add_peer(std::shared_ptr<PeerConnection> connection, int peer_id,
                                 int unreliable_lifetime) {
  return core_->add(std::move(connection), peer_id, unreliable_lifetime);
}
// What a signal may destroy lives until the call is over: hence the copies of core_.
Status MultiplayerPeer::remove_peer(int peer_id) {
  const auto core = core_;
  return core->remove(peer_id);
}
Status MultiplayerPeer::disconnect_peer(int peer_id, bool force) {
  const auto core = core_;
  return core->disconnect(peer_id, force);
}
bool MultiplayerPeer::has_peer(int peer_id) const { return core_->find(peer_id) != nullptr; }
Result<MultiplayerPeer::PeerInfo> MultiplayerPeer::get_peer(int peer_id) const {
  const auto* const entry = std::as_const(*core_).find(peer_id);
  if (entry == nullptr) return fail(ErrorCode::NotFound, "no such peer");
  return entry->peer;
}
std::vector<std::pair<int, MultiplayerPeer::PeerInfo>> MultiplayerPeer::get_peers() const {
  std::vector<std::pair<int, PeerInfo>> all;
  all.reserve(core_->peers.size());
  for (const auto& entry : core_->peers) all.emplace_back(entry.id, entry.peer);
  return all;
}
void MultiplayerPeer::close() {
  const auto core = core_;
  core->close();
}

Status MultiplayerPeer::poll() {
  const auto core = core_;
  return core->poll();
}
Status MultiplayerPeer::wait(Duration timeout) {
  const auto core = core_;
  if (core->polling) return fail(ErrorCode::InvalidState, "wait() was called from inside a signal");
  std::vector<std::shared_ptr<PeerConnection>> held;
  std::vector<PeerConnection*> connections;
  for (const auto& entry : core->peers) {
    held.push_back(entry.peer.connection);
    connections.push_back(held.back().get());
  }
  if (core->has_to_tell()) timeout = Duration::zero();
  if (const Status status = poll_all(connections, timeout); !status) return status;
  return core->poll();
}
std::optional<Duration> MultiplayerPeer::get_time_to_next_deadline() const {
  if (core_->has_to_tell()) return Duration::zero();
  std::optional<Duration> soonest;
  for (const auto& entry : core_->peers) {
    const auto deadline = entry.peer.connection->get_time_to_next_deadline();
    if (deadline) soonest = std::min(soonest.value_or(*deadline), *deadline);
  }
  return soonest;
}

void MultiplayerPeer::set_target_peer(int peer_id) { core_->target = peer_id; }
int MultiplayerPeer::get_target_peer() const { return core_->target; }
void MultiplayerPeer::set_transfer_mode(TransferMode mode) {
  if (mode <= TRANSFER_MODE_RELIABLE) core_->transfer_mode = mode;
}
MultiplayerPeer::TransferMode MultiplayerPeer::get_transfer_mode() const { return core_->transfer_mode; }
void MultiplayerPeer::set_transfer_channel(int channel) { core_->transfer_channel = std::max(channel, 0); }
int MultiplayerPeer::get_transfer_channel() const { return core_->transfer_channel; }
Status MultiplayerPeer::put_packet(Bytes packet) { return core_->put(packet); }

Result<Bytes> MultiplayerPeer::get_packet() { return core_->get(); }
int MultiplayerPeer::get_available_packet_count() const { return core_->available_packets(); }
int MultiplayerPeer::get_packet_peer() const {
  core_->find_next();
  return core_->next_peer();
}
int MultiplayerPeer::get_packet_channel() const {
  core_->find_next();
  return core_->next_channel();
}
MultiplayerPeer::TransferMode MultiplayerPeer::get_packet_mode() const {
  core_->find_next();
  return core_->next_peer() == 0 ? TRANSFER_MODE_UNRELIABLE : core_->next_mode();
}
std::optional<ErrorCode> MultiplayerPeer::get_packet_error() const { return core_->packet_error; }

MultiplayerPeer::ConnectionStatus MultiplayerPeer::get_connection_status() const { return core_->status; }
int MultiplayerPeer::get_unique_id() const {
  return core_->status == CONNECTION_DISCONNECTED ? TARGET_PEER_SERVER : core_->own_id;
}
void MultiplayerPeer::set_refuse_new_connections(bool refuse) { core_->refuse = refuse; }
bool MultiplayerPeer::is_refusing_new_connections() const { return core_->refuse; }
int MultiplayerPeer::generate_unique_id() {
  const Rng rng = net::system_rng();
  for (int tries = 0; tries < 100; ++tries) {
    const auto id = static_cast<int>(random_u32(rng).value_or(0) & 0x7fffffff);
    if (id > TARGET_PEER_SERVER) return id;
  }
  return TARGET_PEER_SERVER + 1;  // the system has no randomness: nobody connects anyway
}
bool MultiplayerPeer::is_server_relay_supported() const {
  return core_->mode == Mode::Server || core_->mode == Mode::Client;
}
Status MultiplayerPeer::set_server_relay_enabled(bool enabled) {
  if (!core_->peers.empty())
    return fail(ErrorCode::InvalidState, "relaying is switched on or off before the first peer");
  core_->relay = enabled;
  return {};
}
bool MultiplayerPeer::is_server_relay_enabled() const { return core_->relay; }

}  // namespace pollrtc
