// Our two classes: PollRTCPeerConnection (WebRTCPeerConnectionExtension) and PollRTCDataChannel
// (WebRTCDataChannelExtension). Their instances are the shared code's Connection and Channel.
#pragma once

#include <list>
#include <optional>

#include "common/connection.h"
#include "gdextension/class_binding.h"

namespace pollrtc::gdextension {

using godot_plugin::Channel;
using godot_plugin::Connection;

// What the scene level has registered.
struct Classes {
  Classes();

  ClassBinding channel;
  ClassBinding connection;
  std::list<StringName> signal_names;  // kSignalNames
};
// Null outside the scene level.
extern std::optional<Classes> classes;

extern const ClassDescription kChannelClass;
extern const ClassDescription kConnectionClass;

}  // namespace pollrtc::gdextension
