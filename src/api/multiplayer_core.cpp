#include "api/multiplayer_core.h"

#include <algorithm>
#include <limits>
#include <string>

namespace pollrtc::detail {
namespace {

constexpr int kFirstExtraId = 4;
constexpr int kExtraLifetime = 1;  // milliseconds, as in Godot
constexpr std::size_t kReliable = 0, kOrdered = 1, kUnreliable = 2, kBaseChannels = 3;

bool is_mode(MultiplayerPeer::TransferMode mode) { return mode <= MultiplayerPeer::TRANSFER_MODE_RELIABLE; }

}  // namespace

Status MultiplayerCore::create(Mode new_mode, int id, std::span<const TransferMode> channels_config) {
  if (id < 1 || (new_mode == Mode::Client && id == MultiplayerPeer::TARGET_PEER_SERVER))
    return fail(ErrorCode::InvalidArgument, "an id is 1 to 2^31-1, and 1 is the server's");
  if (!std::all_of(channels_config.begin(), channels_config.end(), is_mode))
    return fail(ErrorCode::InvalidArgument, "the channels config has an entry that is no transfer mode");
  mode = new_mode;
  own_id = id;
  extra_channels.assign(channels_config.begin(), channels_config.end());
  wait_for_server = false;
  status =
      mode == Mode::Client ? MultiplayerPeer::CONNECTION_CONNECTING : MultiplayerPeer::CONNECTION_CONNECTED;
  return {};
}

const MultiplayerCore::Entry* MultiplayerCore::find(int id) const {
  const auto at = std::find_if(peers.begin(), peers.end(), [&](const Entry& e) { return e.id == id; });
  return at == peers.end() ? nullptr : &*at;
}
MultiplayerCore::Entry* MultiplayerCore::find(int id) {
  return const_cast<Entry*>(std::as_const(*this).find(id));
}

// --- adding and removing

Status MultiplayerCore::make_channels(PeerInfo& peer, int unreliable_lifetime) const {
  const auto make = [&](std::string_view label, int id, TransferMode kind, int lifetime) {
    DataChannelOptions options;
    options.negotiated = true;
    options.id = id;
    options.ordered = kind != MultiplayerPeer::TRANSFER_MODE_UNRELIABLE;
    if (kind != MultiplayerPeer::TRANSFER_MODE_RELIABLE) options.max_packet_life_time = lifetime;
    auto made = peer.connection->create_data_channel(label, options);
    if (!made) return Status(Unexpected{made.error()});
    peer.channels.push_back(*std::move(made));
    return Status();
  };
  using enum MultiplayerPeer::TransferMode;
  Status made = make("reliable", 1, TRANSFER_MODE_RELIABLE, 0);
  if (made) made = make("ordered", 2, TRANSFER_MODE_UNRELIABLE_ORDERED, unreliable_lifetime);
  if (made) made = make("unreliable", 3, TRANSFER_MODE_UNRELIABLE, unreliable_lifetime);
  int id = kFirstExtraId;
  for (const TransferMode kind : extra_channels) {
    if (made) made = make(std::to_string(id), id, kind, kExtraLifetime);
    ++id;
  }
  return made;
}

Status MultiplayerCore::add(std::shared_ptr<PeerConnection> connection, int id, int unreliable_lifetime) {
  if (mode == Mode::None) return fail(ErrorCode::Unconfigured, "create a server, a client or a mesh first");
  const bool is_server = id == MultiplayerPeer::TARGET_PEER_SERVER;
  if ((mode == Mode::Client && !is_server) || (mode == Mode::Server && is_server))
    return fail(ErrorCode::InvalidArgument,
                "a client knows the server (1) alone, and the server is not its own peer");
  if (id < 1) return fail(ErrorCode::InvalidArgument, "an id is 1 to 2^31-1");
  if (unreliable_lifetime < 0) return fail(ErrorCode::InvalidArgument, "a lifetime is not negative");
  if (refuse) return fail(ErrorCode::Unauthorized, "new connections are refused");
  if (connection == nullptr || connection->get_connection_state() != ConnectionState::New)
    return fail(ErrorCode::InvalidArgument, "a peer needs a connection that is New");
  PeerInfo peer;
  peer.connection = std::move(connection);
  if (const Status made = make_channels(peer, unreliable_lifetime); !made) return made;
  if (Entry* const there = find(id)) {
    std::swap(there->peer, peer);  // the old one is let go of as this call ends
    if (is_server) forget_relay();
    std::erase(held_back_, id);
  } else {
    peers.push_back({id, std::move(peer)});
  }
  return {};
}

// The entry leaves before anything is told, and lives until the caller is done with it.
MultiplayerCore::Entry MultiplayerCore::take_out(int id) {
  const auto at = std::find_if(peers.begin(), peers.end(), [&](const Entry& e) { return e.id == id; });
  Entry entry = std::move(*at);
  peers.erase(at);
  if (next_peer_ == id) next_peer_ = 0;
  std::erase(held_back_, id);
  if (id == MultiplayerPeer::TARGET_PEER_SERVER) forget_relay();
  return entry;
}

// What a server has told of others goes with it, and what it would have told.
void MultiplayerCore::forget_relay() {
  held_frame_.reset();
  remote_peers_.clear();
}

Status MultiplayerCore::remove(int id) {
  if (find(id) == nullptr) return fail(ErrorCode::NotFound, "no such peer");
  forget(id);
  return {};
}

void MultiplayerCore::forget(int id) {
  const bool is_held_back = std::find(held_back_.begin(), held_back_.end(), id) != held_back_.end();
  const bool is_server = id == MultiplayerPeer::TARGET_PEER_SERVER;
  const std::vector<int> beyond = is_server ? remote_peers_ : std::vector<int>();
  const Entry entry = take_out(id);
  const bool needs_server = mode == Mode::Client || wait_for_server;
  if (!entry.peer.connected) {
    if (is_server && needs_server) tell(&MultiplayerPeer::connection_failed);
    return;
  }
  const bool has_lost_server = is_server && needs_server;
  if (has_lost_server) status = MultiplayerPeer::CONNECTION_DISCONNECTED;
  if (is_relaying() && mode == Mode::Server) tell_others(id, false);
  for (const int remote : beyond) tell(&MultiplayerPeer::peer_disconnected, remote);
  if (!is_held_back) tell(&MultiplayerPeer::peer_disconnected, id);
  if (has_lost_server) tell(&MultiplayerPeer::server_disconnected);
}

Status MultiplayerCore::disconnect(int id, bool force) {
  Entry* const entry = find(id);
  if (entry == nullptr) return fail(ErrorCode::NotFound, "no such peer");
  if (!force) {
    entry->peer.connection->close();
    return {};
  }
  const Entry gone = take_out(id);
  if (mode == Mode::Client) status = MultiplayerPeer::CONNECTION_DISCONNECTED;
  if (is_relaying() && mode == Mode::Server && gone.peer.connected) tell_others(id, false);
  return {};
}

void MultiplayerCore::close() {
  std::vector<Entry> gone;
  gone.swap(peers);
  next_peer_ = last_peer_ = 0;
  waiting_.reset();
  forget_relay();
  held_back_.clear();
  own_id = target = 0;
  mode = Mode::None;
  wait_for_server = false;
  status = MultiplayerPeer::CONNECTION_DISCONNECTED;
}

// --- poll

MultiplayerCore::Health MultiplayerCore::health_of(const PeerInfo& peer) {
  switch (peer.connection->get_connection_state()) {
    case ConnectionState::New:
    case ConnectionState::Connecting:
    case ConnectionState::
        Disconnected:  // an interruption, which Godot takes for the end: two lost checks make one
      return Health::Waiting;
    case ConnectionState::Connected:
      break;
    default:
      return Health::Gone;
  }
  Health health = Health::Up;
  for (const auto& channel : peer.channels) {
    const ChannelState state = channel->get_ready_state();
    if (state == ChannelState::Closing || state == ChannelState::Closed) return Health::Gone;
    if (state == ChannelState::Connecting) health = Health::Waiting;
  }
  return health;
}

Status MultiplayerCore::poll() {
  if (polling) return fail(ErrorCode::InvalidState, "poll() was called from inside a signal");
  const std::shared_ptr<MultiplayerCore> self = shared_from_this();  // a handler may drop the MultiplayerPeer
  polling = true;
  poll_peers();
  if (is_relaying()) on_held_frame();
  find_next();
  polling = false;
  return {};
}

bool MultiplayerCore::has_to_tell() const {
  if (held_frame_ && is_relaying()) return true;
  return std::any_of(peers.begin(), peers.end(), [](const Entry& entry) {
    const Health health = health_of(entry.peer);
    return health == Health::Gone || (health == Health::Up && !entry.peer.connected);
  });
}

// All are polled first, then those that went are told of, then those that came.
void MultiplayerCore::poll_peers() {
  visiting_.clear();
  for (const Entry& entry : peers) visiting_.emplace_back(entry.id, entry.peer.connection);
  for (const auto& [id, connection] : visiting_) (void)connection->poll();
  const auto visit = [&](Health wanted, auto&& action) {
    for (const auto& [id, connection] : visiting_) {
      const Entry* const entry = find(id);  // it may have left, or be another by now
      if (entry == nullptr || entry->peer.connection != connection) continue;
      if (health_of(entry->peer) == wanted && !(wanted == Health::Up && entry->peer.connected)) action(id);
    }
  };
  visit(Health::Gone, [&](int id) { forget(id); });
  visit(Health::Up, [&](int id) { announce(id); });
  visiting_.clear();
}

void MultiplayerCore::announce(int id) {
  find(id)->peer.connected = true;
  const bool is_server = id == MultiplayerPeer::TARGET_PEER_SERVER;
  const bool was_waiting = status == MultiplayerPeer::CONNECTION_CONNECTING;
  if (was_waiting && !is_server) {  // only with server_compatibility
    held_back_.push_back(id);
    return;
  }
  status = MultiplayerPeer::CONNECTION_CONNECTED;
  if (is_relaying() && mode == Mode::Server) tell_others(id, true);
  tell(&MultiplayerPeer::peer_connected, id);
  if (was_waiting) {
    tell(&MultiplayerPeer::connection_succeeded);
    announce_held_back();
  }
}

void MultiplayerCore::announce_held_back() {
  while (!held_back_.empty()) {
    const int id = held_back_.front();
    held_back_.erase(held_back_.begin());
    tell(&MultiplayerPeer::peer_connected, id);
  }
}

void MultiplayerCore::tell(std::function<void(int)> MultiplayerPeer::*signal, int id) {
  if (owner_ == nullptr) return;
  const auto handler = owner_->*signal;  // a copy: it may destroy its owner
  if (handler) handler(id);
}
void MultiplayerCore::tell(std::function<void()> MultiplayerPeer::*signal) {
  if (owner_ == nullptr) return;
  const auto handler = owner_->*signal;
  if (handler) handler();
}

// --- sending

std::size_t MultiplayerCore::channel_index() const {
  if (transfer_channel > 0) return kBaseChannels + static_cast<std::size_t>(transfer_channel) - 1;
  return transfer_mode == MultiplayerPeer::TRANSFER_MODE_RELIABLE             ? kReliable
         : transfer_mode == MultiplayerPeer::TRANSFER_MODE_UNRELIABLE_ORDERED ? kOrdered
                                                                              : kUnreliable;
}

Status MultiplayerCore::put_on(const PeerInfo& peer, std::size_t channel, Bytes packet) const {
  if (channel >= peer.channels.size()) return fail(ErrorCode::InvalidArgument, "there is no such channel");
  return peer.channels[channel]->put_packet(packet);
}

Status MultiplayerCore::put_to(int to, std::size_t channel, Bytes packet) {
  if (to > 0) {
    const Entry* const entry = find(to);
    if (entry == nullptr) return fail(ErrorCode::InvalidArgument, "there is no such peer");
    return put_on(entry->peer, channel, packet);
  }
  for (const Entry& entry : peers)
    if (entry.id + to != 0) (void)put_on(entry.peer, channel, packet);
  return {};
}

Status MultiplayerCore::put(Bytes packet) {
  if (status == MultiplayerPeer::CONNECTION_DISCONNECTED)
    return fail(ErrorCode::Unconfigured, "there is nobody to send to");
  if (packet.empty()) return {};
  return is_relaying() ? put_relayed(channel_index(), packet) : put_to(target, channel_index(), packet);
}

// --- receiving

void MultiplayerCore::find_next() {
  if (is_relaying()) return find_next_relayed();
  find_next_waiting();
}

// Round robin, beginning after the one last served; within a peer the lowest channel that has something.
void MultiplayerCore::find_next_waiting() {
  const auto has_packet = [&](const Entry& entry, std::size_t channel) {
    return channel < entry.peer.channels.size() &&
           entry.peer.channels[channel]->get_available_packet_count() != 0;
  };
  if (next_peer_ != 0) {
    const Entry* const entry = find(next_peer_);
    if (entry != nullptr && has_packet(*entry, next_channel_)) return;
    next_peer_ = 0;
  }
  const Entry* const last = find(last_peer_);
  const std::size_t begin = last == nullptr ? 0 : static_cast<std::size_t>(last - peers.data()) + 1;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const Entry& entry = peers[(begin + i) % peers.size()];
    if (!entry.peer.connected) continue;
    for (std::size_t channel = 0; channel < entry.peer.channels.size(); ++channel) {
      if (!has_packet(entry, channel)) continue;
      next_peer_ = entry.id;
      next_channel_ = channel;
      return;
    }
  }
}

int MultiplayerCore::available_packets() {
  find_next();
  if (next_peer_ == 0) return 0;
  if (is_relaying()) return 1;  // what waits behind it may be for others
  int count = 0;
  for (const Entry& entry : peers)
    for (const auto& channel : entry.peer.channels)
      if (entry.peer.connected) count += channel->get_available_packet_count();
  return count;
}

Result<Bytes> MultiplayerCore::get() {
  find_next();
  packet_error.reset();
  if (next_peer_ == 0) {
    packet_error = ErrorCode::Empty;
    return fail(ErrorCode::Empty, "no packet is waiting");
  }
  last_peer_ = next_peer_;
  next_peer_ = 0;
  if (is_relaying()) {
    given_ = std::move(waiting_->bytes);
    waiting_.reset();
    return Bytes(given_);
  }
  return find(last_peer_)->peer.channels[next_channel_]->get_packet();
}

int MultiplayerCore::next_channel() const {
  if (next_peer_ == 0 || next_channel_ < kBaseChannels) return 0;
  return static_cast<int>(next_channel_ - kBaseChannels) + 1;
}

MultiplayerCore::TransferMode MultiplayerCore::next_mode() const {
  using enum MultiplayerPeer::TransferMode;
  if (next_channel_ >= kBaseChannels && next_channel_ - kBaseChannels < extra_channels.size())
    return extra_channels[next_channel_ - kBaseChannels];
  return next_channel_ == kUnreliable ? TRANSFER_MODE_UNRELIABLE
         : next_channel_ == kOrdered  ? TRANSFER_MODE_UNRELIABLE_ORDERED
                                      : TRANSFER_MODE_RELIABLE;
}

}  // namespace pollrtc::detail
