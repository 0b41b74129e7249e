// DataChannel for C. What each call means stands in pollrtc/data_channel.h.
#include "api/c_handles.h"

using namespace pollrtc;
using namespace pollrtc::detail;

namespace {

template <class Call>
pollrtc_result call(pollrtc_channel* handle, Call&& what) {
  return handle == nullptr ? POLLRTC_INVALID_ARGUMENT : note(handle->owner, what(*handle->channel));
}
// The same with bytes of the caller's.
template <class Call>
pollrtc_result call(pollrtc_channel* handle, const void* data, std::size_t size, Call&& what) {
  return call(handle, [&](DataChannel& c) {
    return is_missing(data, size)
               ? fail(ErrorCode::InvalidArgument, "there are bytes, and the pointer to them is null")
               : what(c, bytes_of(data, size));
  });
}
// What a getter gives, or something for a null handle.
template <class Value, class Get>
Value ask(const pollrtc_channel* handle, Value otherwise, Get&& get) {
  return handle == nullptr ? otherwise : static_cast<Value>(get(*handle->channel));
}

}  // namespace

void pollrtc_channel_destroy(pollrtc_channel* channel) {
  if (channel == nullptr) return;
  if (channel->owner != nullptr) std::erase(channel->owner->channels, channel);
  delete channel;
}

pollrtc_result pollrtc_channel_put_packet(pollrtc_channel* channel, const void* data, size_t size) {
  return call(channel, data, size, [](DataChannel& c, Bytes bytes) { return c.put_packet(bytes); });
}
pollrtc_result pollrtc_channel_send(pollrtc_channel* channel, const void* data, size_t size) {
  return call(channel, data, size, [](DataChannel& c, Bytes bytes) { return c.send(bytes); });
}
pollrtc_result pollrtc_channel_send_text(pollrtc_channel* channel, const char* text, size_t size) {
  return call(channel, text, size, [&](DataChannel& c, Bytes) {
    return c.send_text(text == nullptr ? std::string_view() : std::string_view(text, size));
  });
}

pollrtc_result pollrtc_channel_send_with_report(pollrtc_channel* channel, uint32_t report, const void* data,
                                                size_t size, int is_text) {
  return call(channel, data, size,
              [&](DataChannel& c, Bytes bytes) { return c.send_with_report(report, bytes, is_text != 0); });
}
pollrtc_result pollrtc_channel_send_piece(pollrtc_channel* channel, const void* data, size_t size, int last) {
  return call(channel, data, size,
              [&](DataChannel& c, Bytes bytes) { return c.send_piece(bytes, last != 0); });
}
pollrtc_result pollrtc_channel_abandon_message(pollrtc_channel* channel) {
  return call(channel, [](DataChannel& c) { return c.abandon_message(); });
}
pollrtc_result pollrtc_channel_set_receive_in_pieces(pollrtc_channel* channel, int on) {
  return call(channel, [&](DataChannel& c) { return c.set_receive_in_pieces(on != 0); });
}
int pollrtc_channel_is_message_complete(const pollrtc_channel* channel) {
  return ask(channel, 1, [](const DataChannel& c) { return c.is_message_complete(); });
}
int pollrtc_channel_was_abandoned(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.was_abandoned(); });
}
size_t pollrtc_channel_get_max_packet_size(const pollrtc_channel* channel) {
  return ask(channel, std::size_t{0}, [](const DataChannel& c) { return c.get_max_packet_size(); });
}

pollrtc_result pollrtc_channel_get_packet(pollrtc_channel* channel, const uint8_t** data, size_t* size) {
  if (channel == nullptr || data == nullptr || size == nullptr) return POLLRTC_INVALID_ARGUMENT;
  const Result<Bytes> packet = channel->channel->get_packet();
  *data = packet ? packet->data() : nullptr;
  *size = packet ? packet->size() : 0;
  return packet ? POLLRTC_OK : POLLRTC_EMPTY;
}
int pollrtc_channel_get_available_packet_count(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.get_available_packet_count(); });
}
int pollrtc_channel_was_string_packet(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.was_string_packet(); });
}

void pollrtc_channel_set_write_mode(pollrtc_channel* channel, pollrtc_write_mode mode) {
  if (channel != nullptr && (mode == POLLRTC_WRITE_TEXT || mode == POLLRTC_WRITE_BINARY))
    channel->channel->set_write_mode(static_cast<DataChannel::WriteMode>(mode));
}
pollrtc_write_mode pollrtc_channel_get_write_mode(const pollrtc_channel* channel) {
  return ask(channel, POLLRTC_WRITE_BINARY, [](const DataChannel& c) { return c.get_write_mode(); });
}
pollrtc_channel_state pollrtc_channel_get_ready_state(const pollrtc_channel* channel) {
  return ask(channel, POLLRTC_CHANNEL_CLOSED, [](const DataChannel& c) { return c.get_ready_state(); });
}
const char* pollrtc_channel_get_label(pollrtc_channel* channel) {
  return channel == nullptr ? "" : channel->label.c_str();
}
const char* pollrtc_channel_get_protocol(pollrtc_channel* channel) {
  return channel == nullptr ? "" : channel->protocol.c_str();
}
int pollrtc_channel_get_id(const pollrtc_channel* channel) {
  return ask(channel, DataChannel::kUnset, [](const DataChannel& c) { return c.get_id(); });
}
int pollrtc_channel_get_max_retransmits(const pollrtc_channel* channel) {
  return ask(channel, DataChannel::kUnset, [](const DataChannel& c) { return c.get_max_retransmits(); });
}
int pollrtc_channel_get_max_packet_life_time(const pollrtc_channel* channel) {
  return ask(channel, DataChannel::kUnset, [](const DataChannel& c) { return c.get_max_packet_life_time(); });
}
int pollrtc_channel_get_priority(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.get_priority(); });
}
int pollrtc_channel_is_ordered(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.is_ordered(); });
}
int pollrtc_channel_is_negotiated(const pollrtc_channel* channel) {
  return ask(channel, 0, [](const DataChannel& c) { return c.is_negotiated(); });
}
size_t pollrtc_channel_get_buffered_amount(const pollrtc_channel* channel) {
  return ask(channel, std::size_t{0}, [](const DataChannel& c) { return c.get_buffered_amount(); });
}
void pollrtc_channel_set_buffered_amount_low_threshold(pollrtc_channel* channel, size_t bytes) {
  if (channel != nullptr) channel->channel->set_buffered_amount_low_threshold(bytes);
}
void pollrtc_channel_close(pollrtc_channel* channel) {
  if (channel != nullptr) channel->channel->close();
}
void pollrtc_channel_set_user_data(pollrtc_channel* channel, void* user_data) {
  if (channel != nullptr) channel->user_data = user_data;
}
void* pollrtc_channel_get_user_data(const pollrtc_channel* channel) {
  return channel == nullptr ? nullptr : channel->user_data;
}
