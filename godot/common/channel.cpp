#include "common/channel.h"

#include <algorithm>

#include "common/connection.h"
#include "common/statistics.h"

namespace pollrtc::godot_plugin {

Channel::Channel(std::shared_ptr<DataChannel> of, std::shared_ptr<ChannelList> in)
    : channel(std::move(of)), list(std::move(in)) {
  list->channels.push_back(this);
}

Channel::~Channel() {
  if (list != nullptr) std::erase(list->channels, this);
}

GodotError Channel::get_packet(const std::uint8_t*& data, std::int32_t& size) {
  data = nullptr;
  size = 0;
  if (channel == nullptr) return GodotError::ERR_UNAVAILABLE;
  const Result<Bytes> packet = channel->get_packet();
  if (!packet) return godot_error(packet.error().code());
  data = packet->data();
  size = static_cast<std::int32_t>(packet->size());
  return GodotError::OK;
}

GodotError Channel::put_packet(const std::uint8_t* data, std::int64_t size) {
  if (channel == nullptr || size < 0) return GodotError::FAILED;
  if (!channel->put_packet(Bytes(data, static_cast<std::size_t>(size)))) return GodotError::FAILED;
  if (list->connection != nullptr) list->connection->flush_soon();
  return GodotError::OK;
}

int Channel::get_available_packet_count() const {
  return channel == nullptr ? 0 : channel->get_available_packet_count();
}

std::int32_t Channel::get_max_packet_size() const {
  const std::size_t size = channel == nullptr ? 0 : channel->get_max_packet_size();
  return static_cast<std::int32_t>(std::min<std::size_t>(size, INT32_MAX));
}

void Channel::close() {
  if (channel != nullptr) channel->close();
}

void Channel::set_write_mode(std::int64_t mode) {
  if (mode != DataChannel::WRITE_MODE_TEXT && mode != DataChannel::WRITE_MODE_BINARY)
    return host::print_error("set_write_mode", "the write mode is WRITE_MODE_TEXT or WRITE_MODE_BINARY");
  write_mode = static_cast<DataChannel::WriteMode>(mode);
  if (channel != nullptr) channel->set_write_mode(write_mode);
}

bool Channel::was_string_packet() const { return channel != nullptr && channel->was_string_packet(); }

int Channel::get_ready_state() const {
  return static_cast<int>(channel == nullptr ? ChannelState::Closed : channel->get_ready_state());
}

std::string Channel::get_label() const { return channel == nullptr ? std::string() : channel->get_label(); }

std::string Channel::get_protocol() const {
  return channel == nullptr ? std::string() : channel->get_protocol();
}

bool Channel::is_ordered() const { return channel == nullptr || channel->is_ordered(); }

bool Channel::is_negotiated() const { return channel != nullptr && channel->is_negotiated(); }

std::int32_t Channel::get_buffered_amount() const {
  const std::size_t amount = channel == nullptr ? 0 : channel->get_buffered_amount();
  return static_cast<std::int32_t>(std::min<std::size_t>(amount, INT32_MAX));
}

// --- beyond Godot's

namespace {

Channel& self(void* instance) { return *static_cast<Channel*>(instance); }

Value get_stats(void* instance, std::span<const Value>) {
  const DataChannel* const channel = self(instance).channel.get();
  return channel == nullptr ? Dictionary() : channel_statistics(channel->get_stats());
}

Value get_priority(void* instance, std::span<const Value>) {
  const DataChannel* const channel = self(instance).channel.get();
  return std::int64_t{channel == nullptr ? 0 : channel->get_priority()};
}

Value get_low_threshold(void* instance, std::span<const Value>) { return self(instance).low_threshold; }

Value set_low_threshold(void* instance, std::span<const Value> arguments) {
  const std::int64_t bytes = std::max<std::int64_t>(0, *arguments[0].as<std::int64_t>());
  self(instance).low_threshold = bytes;
  if (DataChannel* const channel = self(instance).channel.get())
    channel->set_buffered_amount_low_threshold(static_cast<std::size_t>(bytes));
  return {};
}

constexpr Method kMethods[] = {
    {"get_stats", Method::Scope::Const, Kind::Dict, {}, get_stats},
    {"get_priority", Method::Scope::Const, Kind::Int, {}, get_priority},
    {"get_buffered_amount_low_threshold", Method::Scope::Const, Kind::Int, {}, get_low_threshold},
    {"set_buffered_amount_low_threshold",
     Method::Scope::Mutable,
     Kind::Nil,
     {{"bytes", Kind::Int}},
     set_low_threshold},
};

constexpr Signal kSignals[] = {
    {"opened", {}},
    {"closing", {}},
    {"closed", {{"reason", Kind::String}}},
    {"message_received", {}},
    {"buffered_amount_low", {}},
};

constexpr Property kProperties[] = {
    {{"buffered_amount_low_threshold", Kind::Int},
     "set_buffered_amount_low_threshold",
     "get_buffered_amount_low_threshold"},
};

}  // namespace

const std::span<const Method> channel_methods = kMethods;
const std::span<const Signal> channel_signals = kSignals;
const std::span<const Property> channel_properties = kProperties;

}  // namespace pollrtc::godot_plugin
