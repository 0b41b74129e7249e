// Connection: what stands behind the engine's WebRTCPeerConnection. What happened is pulled after the library's poll() and
// emitted one by one, so a handler may call anything: also poll(), initialize() and close() on the same object, and it may
// let go of it.
#pragma once

#include "common/channel.h"

namespace pollrtc::godot_plugin {

struct Connection {
  Connection();  // scripts use the object at once, with or without initialize()
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  GodotError initialize(Dictionary dictionary);
  // An object that nobody holds yet; null: an error was printed.
  EngineObject* create_data_channel(std::string_view label, const Dictionary& options);
  GodotError create_offer();
  GodotError set_remote_description(std::string_view type, std::string_view sdp);
  GodotError set_local_description(std::string_view type, std::string_view sdp);
  GodotError add_ice_candidate(std::string_view media, std::int64_t index, std::string_view name);
  // Emits; the object may be gone when this returns.
  GodotError poll();
  void close() { library.close(); }
  // The packets of a frame leave together, once its scripts have run; or at the next poll(), or flush().
  void flush_soon();
  void flush();
  // As Settings::report_disconnected says why: CONNECTED until it is known that nobody is there any more.
  int get_connection_state() const;
  int get_gathering_state() const { return static_cast<int>(library.get_gathering_state()); }
  int get_signaling_state() const { return static_cast<int>(library.get_signaling_state()); }

  EngineObject* object = nullptr;
  PeerConnection library;
  bool report_disconnected = false;
  bool is_bundling = true;
  bool is_flush_owed = false;
  std::shared_ptr<ChannelList> channels = std::make_shared<ChannelList>();

 private:
  Status start(const Dictionary& dictionary);
};

extern const std::span<const Method> connection_methods;
extern const std::span<const Signal> connection_signals;

}  // namespace pollrtc::godot_plugin
