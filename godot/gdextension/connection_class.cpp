// PollRTCPeerConnection.
#include "gdextension/classes.h"

namespace pollrtc::gdextension {
namespace {

Connection& self(Instance* instance) { return *static_cast<Connection*>(instance); }

template <auto kGetter>
void get_state(Instance* instance, const void* const*, void* result) {
  give(result, std::int64_t{(self(instance).*kGetter)()});
}

void initialize(Instance* instance, const void* const* arguments, void* result) {
  give(result, self(instance).initialize(dictionary_of(arguments[0])));
}

void create_data_channel(Instance* instance, const void* const* arguments, void* result) {
  EngineObject* const channel =
      self(instance).create_data_channel(text_of(arguments[0]), dictionary_of(arguments[1]));
  if (channel != nullptr) engine().ref_set_object(result, channel);
}

void create_offer(Instance* instance, const void* const*, void* result) {
  give(result, self(instance).create_offer());
}

void set_remote_description(Instance* instance, const void* const* arguments, void* result) {
  give(result, self(instance).set_remote_description(text_of(arguments[0]), text_of(arguments[1])));
}

void set_local_description(Instance* instance, const void* const* arguments, void* result) {
  give(result, self(instance).set_local_description(text_of(arguments[0]), text_of(arguments[1])));
}

void add_ice_candidate(Instance* instance, const void* const* arguments, void* result) {
  const std::int64_t index = *static_cast<const std::int64_t*>(arguments[1]);
  give(result, self(instance).add_ice_candidate(text_of(arguments[0]), index, text_of(arguments[2])));
}

void poll(Instance* instance, const void* const*, void* result) { give(result, self(instance).poll()); }

void close(Instance* instance, const void* const*, void*) { self(instance).close(); }

constexpr Virtual kVirtuals[] = {
    {"_get_connection_state", 2275710506, get_state<&Connection::get_connection_state>},
    {"_get_gathering_state", 4262591401, get_state<&Connection::get_gathering_state>},
    {"_get_signaling_state", 3342956226, get_state<&Connection::get_signaling_state>},
    {"_initialize", 1494659981, initialize},
    {"_create_data_channel", 4111292546, create_data_channel},
    {"_create_offer", 166280745, create_offer},
    {"_set_remote_description", 852856452, set_remote_description},
    {"_set_local_description", 852856452, set_local_description},
    {"_add_ice_candidate", 3958950400, add_ice_candidate},
    {"_poll", 166280745, poll},
    {"_close", 3218959716, close},
};

EngineObject* create(bool is_new) {
  auto* const instance = new Connection;  // NOLINT: the engine owns it until it calls free()
  instance->object = make_object(kConnectionClass.base, classes->connection.name(), instance, is_new);
  return instance->object;
}

void free(Instance* instance) { delete static_cast<Connection*>(instance); }  // NOLINT

}  // namespace

const ClassDescription kConnectionClass = {
    .name = "PollRTCPeerConnection",
    .base = "WebRTCPeerConnectionExtension",
    .virtuals = kVirtuals,
    .methods = godot_plugin::connection_methods,
    .signals = godot_plugin::connection_signals,
    .properties = {},
    .create = create,
    .free = free,
};

}  // namespace pollrtc::gdextension
