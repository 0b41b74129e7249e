#include "pollrtc/data_channel.h"

#include "api/connection_core.h"
#include "base/bytes.h"

namespace pollrtc {

DataChannel::DataChannel(std::shared_ptr<detail::ConnectionCore> core, ChannelHandle handle)
    : core_(std::move(core)), handle_(handle) {}

DataChannel::~DataChannel() { core_->release_channel(handle_); }

Status DataChannel::send_as(Bytes message, bool is_text) { return core_->send(handle_, message, is_text); }

Status DataChannel::put_packet(Bytes packet) {
  if (packet.empty()) return {};  // PacketPeer: an empty packet is no packet
  return send_as(packet, write_mode_ == WriteMode::Text);
}
Status DataChannel::send(Bytes message) { return send_as(message, false); }
Status DataChannel::send_with_report(std::uint32_t report, Bytes message, bool is_text) {
  return core_->send(handle_, message, is_text, report);
}
Status DataChannel::send_text(std::string_view message) { return send_as(as_bytes(message), true); }

Status DataChannel::send_piece(Bytes piece, bool last) {
  return core_->send_piece(handle_, piece, write_mode_ == WriteMode::Text, last);
}
Status DataChannel::abandon_message() { return core_->abandon_message(handle_); }
Status DataChannel::set_receive_in_pieces(bool on) { return core_->receive_in_pieces(handle_, on); }

Result<Bytes> DataChannel::get_packet() {
  const auto message = core_->receive(handle_);
  packet_error_ = message ? std::nullopt : std::optional(ErrorCode::Empty);
  if (!message) return fail(ErrorCode::Empty, "no packet is waiting");
  was_text_ = message->is_text;
  was_last_ = message->ends;
  was_abandoned_ = message->abandoned;
  return message->data;
}
bool DataChannel::was_string_packet() const { return was_text_; }
int DataChannel::get_available_packet_count() const {
  return static_cast<int>(core_->info(handle_).waiting_messages);
}

std::size_t DataChannel::get_max_packet_size() const { return core_->peer()->max_message_size(); }

void DataChannel::set_write_mode(WriteMode mode) {
  if (mode == WriteMode::Text || mode == WriteMode::Binary) write_mode_ = mode;
}
DataChannel::WriteMode DataChannel::get_write_mode() const { return write_mode_; }
ChannelState DataChannel::get_ready_state() const { return core_->info(handle_).state; }
std::string DataChannel::get_label() const { return std::string(core_->info(handle_).label); }
std::string DataChannel::get_protocol() const { return std::string(core_->info(handle_).protocol); }
int DataChannel::get_id() const { return core_->info(handle_).id.value_or(kUnset); }
bool DataChannel::is_ordered() const { return core_->info(handle_).ordered; }
bool DataChannel::is_negotiated() const { return core_->info(handle_).negotiated; }
int DataChannel::get_max_retransmits() const { return core_->info(handle_).max_retransmits.value_or(kUnset); }
int DataChannel::get_max_packet_life_time() const {
  return core_->info(handle_).max_lifetime_ms.value_or(kUnset);
}
int DataChannel::get_priority() const { return core_->info(handle_).priority; }
ChannelInfo DataChannel::get_stats() const {
  ChannelInfo info = core_->info(handle_);
  info.buffered_amount = get_buffered_amount();
  return info;
}
std::size_t DataChannel::get_buffered_amount() const { return core_->buffered_amount(handle_); }
void DataChannel::set_buffered_amount_low_threshold(std::size_t bytes) {
  core_->set_buffer_low_threshold(handle_, bytes);
}
Status DataChannel::poll() { return {}; }
void DataChannel::close() { core_->close_channel(handle_); }

}  // namespace pollrtc
