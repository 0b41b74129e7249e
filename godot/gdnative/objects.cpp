#include "gdnative/objects.h"

namespace pollrtc::gdnative {
namespace {

int connections = -1, channels = -1;  // the engine's numbers for our two bindings

template <class Object>
void release(void*, void* ours) {
  delete static_cast<Object*>(ours);  // NOLINT: the engine owned it
}

void* allocate_connection(void*, const void*, EngineObject* object) {
  auto* const ours = new ConnectionObject{};  // NOLINT: the engine owns it until it calls release()
  ours->connection.object = object;
  return ours;
}

void* allocate_channel(void*, const void*, EngineObject* object) {
  auto* const ours = new ChannelObject{};  // NOLINT: as above
  ours->channel = std::make_unique<Channel>();
  ours->channel->object = object;
  return ours;
}

// --- WebRTCPeerConnection

Connection& connection(void* data) { return static_cast<ConnectionObject*>(data)->connection; }
const Connection& connection(const void* data) {
  return static_cast<const ConnectionObject*>(data)->connection;
}
int number(GodotError error) { return static_cast<int>(error); }

constexpr PeerConnectionFunctions kConnectionFunctions = {
    .version = {3, 2},
    .data = nullptr,
    .get_connection_state = [](const void* data) { return connection(data).get_connection_state(); },
    .initialize =
        [](void* data, const RawValue* dictionary) {
          return number(connection(data).initialize(dictionary_of(dictionary)));
        },
    .create_data_channel =
        [](void* data, const char* label, const RawValue* dictionary) {
          return connection(data).create_data_channel(label, dictionary_of(dictionary));
        },
    .create_offer = [](void* data) { return number(connection(data).create_offer()); },
    .create_answer = [](void*) { return number(GodotError::FAILED); },
    .set_remote_description =
        [](void* data, const char* type, const char* sdp) {
          return number(connection(data).set_remote_description(type, sdp));
        },
    .set_local_description =
        [](void* data, const char* type, const char* sdp) {
          return number(connection(data).set_local_description(type, sdp));
        },
    .add_ice_candidate =
        [](void* data, const char* media, int index, const char* name) {
          return number(connection(data).add_ice_candidate(media, index, name));
        },
    .poll = [](void* data) { return number(connection(data).poll()); },
    .close = [](void* data) { connection(data).close(); },
    .next = nullptr,
};

// --- WebRTCDataChannel

Channel& channel(void* data) { return *static_cast<ChannelObject*>(data)->channel; }
const Channel& channel(const void* data) { return *static_cast<const ChannelObject*>(data)->channel; }

constexpr DataChannelFunctions34 kChannelFunctions34 = {
    .get_buffered_amount = [](const void* data) { return channel(data).get_buffered_amount(); },
    .next = nullptr,
};

constexpr DataChannelFunctions kChannelFunctions = {
    .version = {3, 2},
    .data = nullptr,
    .get_packet = [](void* data, const std::uint8_t** packet,
                     int* size) { return number(channel(data).get_packet(*packet, *size)); },
    .put_packet = [](void* data, const std::uint8_t* packet,
                     int size) { return number(channel(data).put_packet(packet, size)); },
    .get_available_packet_count = [](const void* data) { return channel(data).get_available_packet_count(); },
    .get_max_packet_size = [](const void* data) { return channel(data).get_max_packet_size(); },
    .set_write_mode = [](void* data, int mode) { channel(data).set_write_mode(mode); },
    .get_write_mode = [](const void* data) { return channel(data).get_write_mode(); },
    .was_string_packet = [](const void* data) { return channel(data).was_string_packet(); },
    .get_ready_state = [](const void* data) { return channel(data).get_ready_state(); },
    .get_label = [](const void* data) { return static_cast<const ChannelObject*>(data)->label.c_str(); },
    .is_ordered = [](const void* data) { return channel(data).is_ordered(); },
    .get_id = [](const void* data) { return channel(data).get_id(); },
    .get_max_packet_life_time = [](const void* data) { return channel(data).get_max_packet_life_time(); },
    .get_max_retransmits = [](const void* data) { return channel(data).get_max_retransmits(); },
    .get_protocol =
        [](const void* data) { return static_cast<const ChannelObject*>(data)->protocol.c_str(); },
    .is_negotiated = [](const void* data) { return channel(data).is_negotiated(); },
    .poll = [](void*) { return number(GodotError::OK); },
    .close = [](void* data) { channel(data).close(); },
    .next = &kChannelFunctions34,
};

}  // namespace

ConnectionObject& connection_object(EngineObject* object) {
  return *static_cast<ConnectionObject*>(nativescript11().get_instance_binding(connections, object));
}
ChannelObject& channel_object(EngineObject* object) {
  return *static_cast<ChannelObject*>(nativescript11().get_instance_binding(channels, object));
}

void register_objects() {
  connections = nativescript11().register_instance_binding(
      {allocate_connection, release<ConnectionObject>, nullptr, nullptr, nullptr, nullptr});
  channels = nativescript11().register_instance_binding(
      {allocate_channel, release<ChannelObject>, nullptr, nullptr, nullptr, nullptr});
}

void unregister_objects() {
  nativescript11().unregister_instance_binding(channels);
  nativescript11().unregister_instance_binding(connections);
}

void bind(EngineObject* object, ConnectionObject& ours) {
  ours.functions = kConnectionFunctions;
  ours.functions.data = &ours;
  net().bind_peer_connection(object, &ours.functions);
}

void bind(EngineObject* object, ChannelObject& ours) {
  ours.functions = kChannelFunctions;
  ours.functions.data = &ours;
  net().bind_data_channel(object, &ours.functions);
}

}  // namespace pollrtc::gdnative
