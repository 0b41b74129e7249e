// Channel: what stands behind the engine's WebRTCDataChannel. Each function answers for an orphan too: an object that a
// script made by itself, without a channel of ours.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/description.h"
#include "common/host.h"
#include "pollrtc/godot.h"

namespace pollrtc::godot_plugin {

struct Connection;

// A connection object and its channel objects. Either may be freed first, so they share it.
struct ChannelList {
  Connection* connection = nullptr;  // null: gone
  std::vector<Channel*> channels;
};

struct Channel {
  Channel() = default;  // an orphan
  Channel(std::shared_ptr<DataChannel> of, std::shared_ptr<ChannelList> in);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // PacketPeer
  GodotError get_packet(const std::uint8_t*& data, std::int32_t& size);
  GodotError put_packet(const std::uint8_t* data, std::int64_t size);
  int get_available_packet_count() const;
  std::int32_t get_max_packet_size() const;
  // WebRTCDataChannel
  void close();
  void set_write_mode(std::int64_t mode);
  int get_write_mode() const { return write_mode; }
  bool was_string_packet() const;
  int get_ready_state() const;
  std::string get_label() const;
  std::string get_protocol() const;
  bool is_ordered() const;
  bool is_negotiated() const;
  int get_id() const { return number<&DataChannel::get_id>(); }
  int get_max_packet_life_time() const { return number<&DataChannel::get_max_packet_life_time>(); }
  int get_max_retransmits() const { return number<&DataChannel::get_max_retransmits>(); }
  std::int32_t get_buffered_amount() const;

  EngineObject* object = nullptr;
  std::shared_ptr<DataChannel> channel;                                // null: an orphan
  std::shared_ptr<ChannelList> list;                                   // null likewise
  DataChannel::WriteMode write_mode = DataChannel::WRITE_MODE_BINARY;  // the channel's too
  std::int64_t low_threshold = 0;

 private:
  template <int (DataChannel::*kGetter)() const>
  int number() const {
    return channel == nullptr ? DataChannel::kUnset : ((*channel).*kGetter)();
  }
};

extern const std::span<const Method> channel_methods;
extern const std::span<const Signal> channel_signals;
extern const std::span<const Property> channel_properties;

}  // namespace pollrtc::godot_plugin
