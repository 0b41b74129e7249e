// PollRTCDataChannel.
#include "gdextension/classes.h"

namespace pollrtc::gdextension {
namespace {

Channel& self(Instance* instance) { return *static_cast<Channel*>(instance); }

template <class T>
T argument(const void* const* arguments, int i) {
  return *static_cast<const T*>(arguments[i]);
}

void get_packet(Instance* instance, const void* const* arguments, void* result) {
  const std::uint8_t** const data = argument<const std::uint8_t**>(arguments, 0);
  std::int32_t* const size = argument<std::int32_t*>(arguments, 1);
  give(result, self(instance).get_packet(*data, *size));
}

void put_packet(Instance* instance, const void* const* arguments, void* result) {
  give(result, self(instance).put_packet(argument<const std::uint8_t*>(arguments, 0),
                                         argument<std::int64_t>(arguments, 1)));
}

void poll(Instance*, const void* const*, void* result) { give(result, GodotError::OK); }

void close(Instance* instance, const void* const*, void*) { self(instance).close(); }

void set_write_mode(Instance* instance, const void* const* arguments, void*) {
  self(instance).set_write_mode(argument<std::int64_t>(arguments, 0));
}

template <auto kGetter>
void get_number(Instance* instance, const void* const*, void* result) {
  give(result, std::int64_t{(self(instance).*kGetter)()});
}

template <auto kGetter>
void get_bool(Instance* instance, const void* const*, void* result) {
  *static_cast<ByteBool*>(result) = (self(instance).*kGetter)() ? 1 : 0;
}

template <auto kGetter>
void get_text(Instance* instance, const void* const*, void* result) {
  assign_text(result, (self(instance).*kGetter)());
}

constexpr Virtual kVirtuals[] = {
    {"_get_packet", 3099858825, get_packet},
    {"_put_packet", 3099858825, put_packet},
    {"_get_available_packet_count", 3905245786, get_number<&Channel::get_available_packet_count>},
    {"_get_max_packet_size", 3905245786, get_number<&Channel::get_max_packet_size>},
    {"_poll", 166280745, poll},
    {"_close", 3218959716, close},
    {"_set_write_mode", 1999768052, set_write_mode},
    {"_get_write_mode", 2848495172, get_number<&Channel::get_write_mode>},
    {"_was_string_packet", 36873697, get_bool<&Channel::was_string_packet>},
    {"_get_ready_state", 3501143017, get_number<&Channel::get_ready_state>},
    {"_get_label", 201670096, get_text<&Channel::get_label>},
    {"_is_ordered", 36873697, get_bool<&Channel::is_ordered>},
    {"_get_id", 3905245786, get_number<&Channel::get_id>},
    {"_get_max_packet_life_time", 3905245786, get_number<&Channel::get_max_packet_life_time>},
    {"_get_max_retransmits", 3905245786, get_number<&Channel::get_max_retransmits>},
    {"_get_protocol", 201670096, get_text<&Channel::get_protocol>},
    {"_is_negotiated", 36873697, get_bool<&Channel::is_negotiated>},
    {"_get_buffered_amount", 3905245786, get_number<&Channel::get_buffered_amount>},
};

EngineObject* create(bool is_new) {
  auto* const instance = new Channel;  // NOLINT: the engine owns it until it calls free()
  instance->object = make_object(kChannelClass.base, classes->channel.name(), instance, is_new);
  return instance->object;
}

void free(Instance* instance) { delete static_cast<Channel*>(instance); }  // NOLINT

}  // namespace

const ClassDescription kChannelClass = {
    .name = "PollRTCDataChannel",
    .base = "WebRTCDataChannelExtension",
    .virtuals = kVirtuals,
    .methods = godot_plugin::channel_methods,
    .signals = godot_plugin::channel_signals,
    .properties = godot_plugin::channel_properties,
    .create = create,
    .free = free,
};

}  // namespace pollrtc::gdextension
