// What each binding does for the shared code.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "common/value.h"

namespace pollrtc::godot_plugin {

struct Channel;
using EngineObject = void;  // the engine's

// The engine's signals and ours. Each binding keeps their names in the engine's form, in this order.
enum class SignalName : std::size_t {
  SessionDescriptionCreated,
  IceCandidateCreated,
  DataChannelReceived,
  ConnectionStateChanged,
  GatheringStateChanged,
  SignalingStateChanged,
  IceServerFailed,
  Opened,
  Closing,
  Closed,
  MessageReceived,
  BufferedAmountLow,
};
inline constexpr const char* kSignalNames[] = {
    "session_description_created",
    "ice_candidate_created",
    "data_channel_received",
    "connection_state_changed",
    "gathering_state_changed",
    "signaling_state_changed",
    "ice_server_failed",
    "opened",
    "closing",
    "closed",
    "message_received",
    "buffered_amount_low",
};
inline constexpr std::size_t kSignalCount = std::size(kSignalNames);

namespace host {

// As the engine shows it: "ERROR: pollrtc: ..." with the name of the script's call.
void print_error(const char* function, std::string_view message);

// One more reference to an object whose class counts them; and one less, of which the last one destroys it.
void hold(EngineObject* object);
void let_go(EngineObject* object);

// Handlers may call anything and drop anything.
void emit(EngineObject* object, SignalName signal, std::span<const Value> arguments);
// The same with an object that nobody holds yet: when no handler keeps it, it is gone afterwards.
void emit_with_object(EngineObject* object, SignalName signal, EngineObject* argument);

// Has the engine call this method of ours once the scripts that run now have run, unless the object is gone by then. False: it
// cannot, as we are not in the engine's main thread, where that happens.
bool call_soon(EngineObject* object, const char* method);

// An object of the engine's for the channel, which it owns from now on. Nobody holds it yet.
EngineObject* make_channel_object(std::unique_ptr<Channel> channel);

}  // namespace host

class Held {
 public:
  explicit Held(EngineObject* object) : object_(object) { host::hold(object_); }
  ~Held() { host::let_go(object_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  EngineObject* object_;
};

}  // namespace pollrtc::godot_plugin
