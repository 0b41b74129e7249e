// PollRTCDataChannel. Each function answers for an orphan too: a channel that a script made by new().
#include <algorithm>

#include "common/statistics.h"
#include "gdextension/classes.h"

namespace pollrtc::gdextension {
namespace {

ChannelInstance& self(Instance* instance) { return *static_cast<ChannelInstance*>(instance); }
DataChannel* channel_of(Instance* instance) { return self(instance).channel.get(); }

template <class T>
T argument(const void* const* arguments, int i) {
  return *static_cast<const T*>(arguments[i]);
}
using gdextension::give;  // beside this one
void give(void* result, GodotError error) { give(result, static_cast<std::int64_t>(error)); }
void give_bool(void* result, bool value) { *static_cast<ByteBool*>(result) = value ? 1 : 0; }

// --- PacketPeer

void get_packet(Instance* instance, const void* const* arguments, void* result) {
  const std::uint8_t** const data = argument<const std::uint8_t**>(arguments, 0);
  std::int32_t* const size = argument<std::int32_t*>(arguments, 1);
  *data = nullptr;
  *size = 0;
  DataChannel* const channel = channel_of(instance);
  if (channel == nullptr) return give(result, GodotError::ERR_UNAVAILABLE);
  const Result<Bytes> packet = channel->get_packet();
  if (!packet) return give(result, godot_error(packet.error().code()));
  *data = packet->data();
  *size = static_cast<std::int32_t>(packet->size());
  give(result, GodotError::OK);
}

void put_packet(Instance* instance, const void* const* arguments, void* result) {
  const std::uint8_t* const data = argument<const std::uint8_t*>(arguments, 0);
  const std::int64_t size = argument<std::int64_t>(arguments, 1);
  DataChannel* const channel = channel_of(instance);
  if (channel == nullptr || size < 0) return give(result, GodotError::FAILED);
  const Status status = channel->put_packet(Bytes(data, static_cast<std::size_t>(size)));
  give(result, status ? GodotError::OK : GodotError::FAILED);
}

void get_available_packet_count(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  give(result, channel == nullptr ? 0 : channel->get_available_packet_count());
}

void get_max_packet_size(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  const std::size_t size = channel == nullptr ? 0 : channel->get_max_packet_size();
  give(result, static_cast<std::int64_t>(std::min<std::size_t>(size, INT32_MAX)));
}

// --- WebRTCDataChannel

void poll(Instance*, const void* const*, void* result) { give(result, GodotError::OK); }

void close(Instance* instance, const void* const*, void*) {
  if (DataChannel* const channel = channel_of(instance)) channel->close();
}

void set_write_mode(Instance* instance, const void* const* arguments, void*) {
  const std::int64_t mode = argument<std::int64_t>(arguments, 0);
  if (mode != DataChannel::WRITE_MODE_TEXT && mode != DataChannel::WRITE_MODE_BINARY)
    return print_error("set_write_mode", "the write mode is WRITE_MODE_TEXT or WRITE_MODE_BINARY");
  self(instance).write_mode = static_cast<DataChannel::WriteMode>(mode);
  if (DataChannel* const channel = channel_of(instance)) channel->set_write_mode(self(instance).write_mode);
}

void get_write_mode(Instance* instance, const void* const*, void* result) {
  give(result, static_cast<std::int64_t>(self(instance).write_mode));
}

void was_string_packet(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  give_bool(result, channel != nullptr && channel->was_string_packet());
}

void get_ready_state(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  const ChannelState state = channel == nullptr ? ChannelState::Closed : channel->get_ready_state();
  give(result, static_cast<std::int64_t>(state));
}

void get_label(Instance* instance, const void* const*, void* result) {
  if (const DataChannel* const channel = channel_of(instance)) assign_text(result, channel->get_label());
}

void get_protocol(Instance* instance, const void* const*, void* result) {
  if (const DataChannel* const channel = channel_of(instance)) assign_text(result, channel->get_protocol());
}

void is_ordered(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  give_bool(result, channel == nullptr || channel->is_ordered());
}

void is_negotiated(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  give_bool(result, channel != nullptr && channel->is_negotiated());
}

template <int (DataChannel::*kGetter)() const>
void get_number(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  give(result, channel == nullptr ? DataChannel::kUnset : (channel->*kGetter)());
}

void get_buffered_amount(Instance* instance, const void* const*, void* result) {
  const DataChannel* const channel = channel_of(instance);
  const std::size_t amount = channel == nullptr ? 0 : channel->get_buffered_amount();
  give(result, static_cast<std::int64_t>(std::min<std::size_t>(amount, INT32_MAX)));
}

constexpr Virtual kVirtuals[] = {
    {"_get_packet", 3099858825, get_packet},
    {"_put_packet", 3099858825, put_packet},
    {"_get_available_packet_count", 3905245786, get_available_packet_count},
    {"_get_max_packet_size", 3905245786, get_max_packet_size},
    {"_poll", 166280745, poll},
    {"_close", 3218959716, close},
    {"_set_write_mode", 1999768052, set_write_mode},
    {"_get_write_mode", 2848495172, get_write_mode},
    {"_was_string_packet", 36873697, was_string_packet},
    {"_get_ready_state", 3501143017, get_ready_state},
    {"_get_label", 201670096, get_label},
    {"_is_ordered", 36873697, is_ordered},
    {"_get_id", 3905245786, get_number<&DataChannel::get_id>},
    {"_get_max_packet_life_time", 3905245786, get_number<&DataChannel::get_max_packet_life_time>},
    {"_get_max_retransmits", 3905245786, get_number<&DataChannel::get_max_retransmits>},
    {"_get_protocol", 201670096, get_protocol},
    {"_is_negotiated", 36873697, is_negotiated},
    {"_get_buffered_amount", 3905245786, get_buffered_amount},
};

// --- beyond Godot's

Value get_stats(Instance* instance, std::span<const Value>) {
  const DataChannel* const channel = channel_of(instance);
  return channel == nullptr ? Dictionary() : godot_plugin::channel_statistics(channel->get_stats());
}

Value get_priority(Instance* instance, std::span<const Value>) {
  const DataChannel* const channel = channel_of(instance);
  return std::int64_t{channel == nullptr ? 0 : channel->get_priority()};
}

Value get_low_threshold(Instance* instance, std::span<const Value>) { return self(instance).low_threshold; }

Value set_low_threshold(Instance* instance, std::span<const Value> arguments) {
  const std::int64_t bytes = std::max<std::int64_t>(0, *arguments[0].as<std::int64_t>());
  self(instance).low_threshold = bytes;
  if (DataChannel* const channel = channel_of(instance))
    channel->set_buffered_amount_low_threshold(static_cast<std::size_t>(bytes));
  return {};
}

constexpr Method kMethods[] = {
    {"get_stats", kMethodNormal | kMethodConst, Type::Dictionary, {}, get_stats},
    {"get_priority", kMethodNormal | kMethodConst, Type::Int, {}, get_priority},
    {"get_buffered_amount_low_threshold", kMethodNormal | kMethodConst, Type::Int, {}, get_low_threshold},
    {"set_buffered_amount_low_threshold",
     kMethodNormal,
     Type::Nil,
     {{"bytes", Type::Int}},
     set_low_threshold},
};

constexpr Signal kSignals[] = {
    {"opened", {}},
    {"closing", {}},
    {"closed", {{"reason", Type::String}}},
    {"message_received", {}},
    {"buffered_amount_low", {}},
};

constexpr Property kProperties[] = {
    {{"buffered_amount_low_threshold", Type::Int},
     "set_buffered_amount_low_threshold",
     "get_buffered_amount_low_threshold"},
};

// --- life

EngineObject* make(ChannelInstance* instance, bool is_new) {
  instance->object = make_object(kChannelClass.base, classes->channel.name(), instance, is_new);
  return instance->object;
}

EngineObject* create(bool is_new) {
  return make(new ChannelInstance, is_new);  // NOLINT: the engine owns it until it calls free()
}

void free(Instance* instance) { delete static_cast<ChannelInstance*>(instance); }  // NOLINT

}  // namespace

ChannelInstance::~ChannelInstance() {
  if (list != nullptr) std::erase(*list, this);
}

EngineObject* make_channel_object(std::shared_ptr<DataChannel> channel,
                                  const std::shared_ptr<ChannelList>& list) {
  auto* const instance = new ChannelInstance;  // NOLINT: as in create()
  instance->channel = std::move(channel);
  instance->list = list;
  list->push_back(instance);
  return make(instance, true);
}

const ClassDescription kChannelClass = {
    .name = "PollRTCDataChannel",
    .base = "WebRTCDataChannelExtension",
    .virtuals = kVirtuals,
    .methods = kMethods,
    .signals = kSignals,
    .properties = kProperties,
    .create = create,
    .free = free,
};

}  // namespace pollrtc::gdextension
