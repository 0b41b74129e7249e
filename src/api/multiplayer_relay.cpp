// Packets that pass through the server, in the framing of Godot's SceneMultiplayer, so that a Godot game that uses
// send_bytes() can be at the other end. Numbers are little-endian:
//   | 3 | bytes |                           from one peer to the next
//   | 7 | 1 | id:32 |   | 7 | 2 | id:32 |   server to client: another client has come, has gone
//   | 7 | 3 | id:32 | inner frame |         client to server: for `id` (0: all, -id: all but one); server to client: from `id`
#include <algorithm>
#include <limits>

#include "api/multiplayer_core.h"

namespace pollrtc::detail {
namespace {

constexpr std::uint8_t kRaw = 3, kSystem = 7;
constexpr std::uint8_t kAddPeer = 1, kRemovePeer = 2, kRelay = 3;
constexpr std::size_t kSystemSize = 6;
constexpr std::size_t kReliable = 0;
// A server is believed no more clients than this.
constexpr std::size_t kMostRemotePeers = 65536;
constexpr int kServer = MultiplayerPeer::TARGET_PEER_SERVER;

std::vector<std::uint8_t> system_frame(std::uint8_t command, int id, Bytes inner = {}) {
  std::vector<std::uint8_t> frame{kSystem, command};
  const auto number = static_cast<std::uint32_t>(id);
  for (int shift = 0; shift < 32; shift += 8) frame.push_back(static_cast<std::uint8_t>(number >> shift));
  frame.insert(frame.end(), inner.begin(), inner.end());
  return frame;
}

int id_of(Bytes system_frame) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number |= std::uint32_t{system_frame[2 + i]} << (8 * i);
  return static_cast<int>(number);
}

}  // namespace

Status MultiplayerCore::put_relayed(std::size_t channel, Bytes packet) {
  std::vector<std::uint8_t> frame{kRaw};
  frame.insert(frame.end(), packet.begin(), packet.end());
  if (mode == Mode::Server || target == kServer) return put_to(target, channel, frame);
  if (target > 0 && std::find(remote_peers_.begin(), remote_peers_.end(), target) == remote_peers_.end())
    return fail(ErrorCode::InvalidArgument, "there is no such peer");
  return put_to(kServer, channel, system_frame(kRelay, target, frame));
}

// Takes frames until one is a packet for this end, or has to be told of, which only poll() may.
void MultiplayerCore::find_next_relayed() {
  if (waiting_) next_peer_ = waiting_->peer;  // it may have left since
  while (!waiting_) {
    if (held_frame_) {
      if (!polling) return;
      on_held_frame();
      continue;
    }
    next_peer_ = 0;
    find_next_waiting();
    if (next_peer_ == 0) return;
    last_peer_ = next_peer_;
    const Entry& entry = *find(next_peer_);
    const Result<Bytes> frame = entry.peer.channels[next_channel_]->get_packet();
    next_peer_ = 0;
    if (frame) take_frame(entry.id, next_channel_, *frame);
  }
}

void MultiplayerCore::take_frame(int from, std::size_t channel, Bytes frame) {
  if (frame.size() >= kSystemSize && frame[0] == kSystem) return on_system_frame(from, channel, frame);
  deliver(from, frame);
}

void MultiplayerCore::deliver(int from, Bytes inner) {
  if (inner.size() < 2 || inner[0] != kRaw) return;  // SceneMultiplayer's own traffic, or nonsense
  waiting_ = Relayed{from, {inner.begin() + 1, inner.end()}};
  next_peer_ = from;
}

void MultiplayerCore::on_system_frame(int from, std::size_t channel, Bytes frame) {
  const int id = id_of(frame);
  if (id == std::numeric_limits<int>::min())
    return;  // has no opposite, so it is neither an id nor all but one
  const Bytes inner = frame.subspan(kSystemSize);
  if (mode == Mode::Server) {  // clients may ask for one thing only, and speak for themselves alone
    if (frame[1] == kRelay) pass_on(from, channel, id, inner);
    return;
  }
  if (frame[1] == kRelay) {
    if (std::find(remote_peers_.begin(), remote_peers_.end(), id) != remote_peers_.end()) deliver(id, inner);
  } else if (frame[1] == kAddPeer || frame[1] == kRemovePeer) {
    held_frame_ = HeldFrame{frame[1], id};
  }
}

void MultiplayerCore::pass_on(int from, std::size_t channel, int to, Bytes inner) {
  const std::vector<std::uint8_t> frame = system_frame(kRelay, from, inner);
  for (const Entry& entry : peers) {
    const bool is_meant = to > 0 ? entry.id == to : entry.id != from && entry.id != -to;
    if (is_meant && entry.peer.connected) (void)put_on(entry.peer, channel, frame);
  }
  if (to == kServer || (to <= 0 && to != -kServer)) deliver(from, inner);
}

// The server: everybody hears of the one that came or went, and the one that came of everybody.
void MultiplayerCore::tell_others(int id, bool is_there) {
  const Entry* const subject = find(id);
  for (const Entry& entry : peers) {
    if (entry.id == id || !entry.peer.connected) continue;
    (void)put_on(entry.peer, kReliable, system_frame(is_there ? kAddPeer : kRemovePeer, id));
    if (is_there) (void)put_on(subject->peer, kReliable, system_frame(kAddPeer, entry.id));
  }
}

void MultiplayerCore::on_held_frame() {
  if (!held_frame_) return;
  const HeldFrame frame = *std::exchange(held_frame_, std::nullopt);
  const auto at = std::find(remote_peers_.begin(), remote_peers_.end(), frame.id);
  const bool is_known = at != remote_peers_.end();
  if (frame.command == kAddPeer) {
    if (is_known || frame.id <= kServer || frame.id == own_id || remote_peers_.size() >= kMostRemotePeers)
      return;
    remote_peers_.push_back(frame.id);
    tell(&MultiplayerPeer::peer_connected, frame.id);
  } else if (is_known) {
    remote_peers_.erase(at);
    tell(&MultiplayerPeer::peer_disconnected, frame.id);
  }
}

}  // namespace pollrtc::detail
