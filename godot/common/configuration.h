// The dictionaries of initialize() and create_data_channel(), by Godot's key names and ours (docs/godot.md lists them).
// Keys that are none of these are ignored, as Godot does.
#pragma once

#include "common/value.h"
#include "pollrtc/godot.h"

namespace pollrtc::godot_plugin {

struct Settings {
  Settings() = default;
  Settings(Settings&&) = default;
  Settings& operator=(Settings&&) = default;
  ~Settings();  // wipes the private key and the passwords

  Configuration library;
  // Whether the engine is told of an interruption. WebRTCMultiplayerPeer drops a peer that is DISCONNECTED for a moment as if
  // it had left for good; and an end that loads a scene in its main thread is silent for some seconds.
  bool report_disconnected = false;
};

// InvalidArgument: a value of the wrong type or outside its range; the detail names it. `iceServers` that is no array is
// ignored, as by the plugin that everybody's scripts were written with.
Result<Settings> read_settings(const Dictionary& dictionary);

Result<DataChannelOptions> read_channel_options(const Dictionary& dictionary);

}  // namespace pollrtc::godot_plugin
