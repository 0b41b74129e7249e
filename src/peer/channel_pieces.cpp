// Messages too large to be in memory at once: sent in pieces, received in pieces. Part of channels.h.
#include "peer/channels.h"

namespace pollrtc {

Status Channels::send_piece(Time now, ChannelHandle handle, Bytes piece, bool is_text, bool last,
                            std::uint64_t max_message_size) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  if (channel->state != ChannelState::Open) return fail(ErrorCode::InvalidState, "the channel is not open");
  if (channel->max_retransmits || channel->max_lifetime_ms || channel->discard_when_full)
    return fail(ErrorCode::NotSupported, "a channel that may lose messages sends none in pieces");
  if (channel->piece_bytes + piece.size() > max_message_size)
    return fail(ErrorCode::TooLarge, "larger than the agreed maximum message size");
  const Status status = association_->send_piece(now, options_for(*channel, is_text, false), piece, last);
  if (!status) return status;
  channel->piece_bytes = last ? 0 : channel->piece_bytes + piece.size();
  if (last) {
    ++messages_sent_;
    ++channel->messages_sent;
  }
  channel->bytes_sent += piece.size();
  note_buffered(*channel);
  return status;
}

Status Channels::abandon_message(Time now, ChannelHandle handle) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  if (channel->state != ChannelState::Open || channel->piece_bytes == 0)
    return fail(ErrorCode::InvalidState, "no message in pieces is under way");
  channel->piece_bytes = 0;
  association_->abandon_piece(now, *channel->id);
  return {};
}

Status Channels::receive_in_pieces(ChannelHandle handle, bool on) {
  Channel* const channel = find(handle);
  if (channel == nullptr) return fail(ErrorCode::NotFound, "no such channel");
  if (association_ != nullptr && channel->state == ChannelState::Open) {
    if (const Status status = association_->receive_in_pieces(*channel->id, on); !status) return status;
  }
  channel->in_pieces = on;
  return {};
}

}  // namespace pollrtc
