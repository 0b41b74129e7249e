// Our two classes: PollRTCPeerConnection (WebRTCPeerConnectionExtension) and PollRTCDataChannel
// (WebRTCDataChannelExtension), and how their instances find each other.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gdextension/class_binding.h"
#include "pollrtc/godot.h"

namespace pollrtc::gdextension {

struct ChannelInstance;
// The channel objects of one connection object. Either may be freed first, so they share it.
using ChannelList = std::vector<ChannelInstance*>;

struct ChannelInstance {
  ChannelInstance() = default;
  ~ChannelInstance();
  ChannelInstance(const ChannelInstance&) = delete;
  ChannelInstance& operator=(const ChannelInstance&) = delete;

  EngineObject* object = nullptr;
  std::shared_ptr<DataChannel> channel;  // null: a script made the object by itself
  std::shared_ptr<ChannelList> list;     // null likewise
  DataChannel::WriteMode write_mode = DataChannel::WRITE_MODE_BINARY;  // of such an orphan
  std::int64_t low_threshold = 0;
};

// What the scene level has registered.
struct Classes {
  Classes();

  ClassBinding channel;
  ClassBinding connection;
  StringName opened{"opened"}, closing{"closing"}, closed{"closed"}, message_received{"message_received"},
      buffered_amount_low{"buffered_amount_low"};
  StringName session_description_created{"session_description_created"},
      ice_candidate_created{"ice_candidate_created"}, data_channel_received{"data_channel_received"},
      connection_state_changed{"connection_state_changed"},
      gathering_state_changed{"gathering_state_changed"}, signaling_state_changed{"signaling_state_changed"},
      ice_server_failed{"ice_server_failed"};
};
// Null outside the scene level.
extern std::optional<Classes> classes;

extern const ClassDescription kChannelClass;
extern const ClassDescription kConnectionClass;

// A channel object for a channel of the library. Nobody holds it yet.
EngineObject* make_channel_object(std::shared_ptr<DataChannel> channel,
                                  const std::shared_ptr<ChannelList>& list);

}  // namespace pollrtc::gdextension
