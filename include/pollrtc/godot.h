// Godot's vocabulary where C++ has another: class names (also Godot 3's), Error numbers, option dictionaries, and the names
// of the tutorial. For ports of GDScript, and for bindings to engines.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <variant>

#include "pollrtc/multiplayer_peer.h"

namespace pollrtc {

// Godot's name for it.
using WebRTCPeerConnection = PeerConnection;
// Godot's name for it.
using WebRTCDataChannel = DataChannel;
// Godot's name for it.
using WebRTCMultiplayerPeer = MultiplayerPeer;
using WebRTCMultiplayer = MultiplayerPeer;  // Godot 3, whose initialize() it has too

// The tutorial's enum; no Godot has it.
struct WebRTCConnectionState {
  // The tutorial's names:
  static constexpr ConnectionState CONNECTION_STATE_NEW = ConnectionState::New;
  static constexpr ConnectionState CONNECTION_STATE_CONNECTING = ConnectionState::Connecting;
  static constexpr ConnectionState CONNECTION_STATE_CONNECTED = ConnectionState::Connected;
  static constexpr ConnectionState CONNECTION_STATE_DISCONNECTED = ConnectionState::Disconnected;
  static constexpr ConnectionState CONNECTION_STATE_FAILED = ConnectionState::Failed;
  static constexpr ConnectionState CONNECTION_STATE_CLOSED = ConnectionState::Closed;
};

// Godot's Error: those of its numbers that occur here.
enum class GodotError : int {
  OK = 0,
  FAILED = 1,
  ERR_UNAVAILABLE = 2,
  ERR_UNCONFIGURED = 3,
  ERR_UNAUTHORIZED = 4,
  ERR_OUT_OF_MEMORY = 6,
  ERR_INVALID_PARAMETER = 31,
};
// The nearest of Godot's numbers; FAILED where there is none.
POLLRTC_API GodotError godot_error(ErrorCode code);
// The same; OK when it succeeded.
inline GodotError godot_error(const Status& status) {
  return status ? GodotError::OK : godot_error(status.error().code());
}

// A dictionary: {{"ordered", false}, {"maxPacketLifeTime", 100}, {"protocol", "chat"}}. Numbers are std::int64_t or int.
struct Option {
  std::string_view key;                                                   // as Godot spells it
  std::variant<bool, int, std::int64_t, double, std::string_view> value;  // whatever the script gave
};

// The options of create_data_channel by their names: negotiated, id, maxRetransmits, maxPacketLifeTime, ordered, protocol;
// priority (128 to 1024), discardWhenFull; and the tutorial's `reliable`, which counts only where none of the limits and `ordered` is given:
// false is unordered without retransmission. `maxPacketLifetime`, as Godot's own multiplayer code spells it, counts
// where the documented name is not given. Keys that are none of these are ignored. Values are converted as Godot does: a
// number or "1" for a truth, a numeric text for a number; a negative limit is none. InvalidArgument: a value that is
// nothing of the kind.
POLLRTC_API Result<DataChannelOptions> data_channel_options(std::span<const Option> dictionary);
// The same for a list in braces.
inline Result<DataChannelOptions> data_channel_options(std::initializer_list<Option> dictionary) {
  return data_channel_options(std::span(dictionary.begin(), dictionary.size()));
}

}  // namespace pollrtc
