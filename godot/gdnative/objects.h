// What we keep of each engine object that is ours: a binding of the engine's, made when first asked for and freed with the
// object. The script of the object is another matter: it adds our methods and signals, and a user may put one of theirs in
// its place, which then has Godot's API alone.
#pragma once

#include <memory>
#include <string>

#include "common/connection.h"
#include "gdnative/engine.h"

namespace pollrtc::gdnative {

using godot_plugin::Channel;
using godot_plugin::Connection;

struct ConnectionObject {
  Connection connection;
  PeerConnectionFunctions functions;
  bool has_our_script = false;
};

struct ChannelObject {
  std::unique_ptr<Channel> channel;
  std::string label, protocol;  // the engine keeps pointing to them
  DataChannelFunctions functions;
  bool has_our_script = false;
};

ConnectionObject& connection_object(EngineObject* object);
ChannelObject& channel_object(EngineObject* object);

// From the engine's first to its last look at this plugin.
void register_objects();
void unregister_objects();

// Makes the engine's object do what ours does.
void bind(EngineObject* object, ConnectionObject& ours);
void bind(EngineObject* object, ChannelObject& ours);

// The scripts of our classes, of the library that the engine names us by; and what they consist of, once the engine asks.
void make_scripts(EngineObject* library);
void drop_scripts();
void register_scripts(void* handle);
void give_connection_script(EngineObject* object);
void give_channel_script(EngineObject* object);

}  // namespace pollrtc::gdnative
