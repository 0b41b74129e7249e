#include "ice/turn_stream.h"

#include "base/bytes.h"

namespace pollrtc::turn {

// RFC 7983 §7: 0 to 3 is STUN, 64 to 79 ChannelData; type or channel first, then the length.
std::optional<std::size_t> StreamFramer::frame_size(Bytes head) const {
  if (form_ == Form::Rfc4571) return kLengthSize + load_u16(head.data());
  const std::size_t length = load_u16(head.data() + 2);
  if (head[0] <= 3 && length % 4 == 0) return 20 + length;
  if (head[0] >= 64 && head[0] <= 79) return 4 + padded4(length);
  return std::nullopt;
}

// False when there are not so many bytes yet.
bool StreamFramer::hold(Bytes& chunk, std::size_t until) {
  const std::size_t take = std::min(until - std::min(until, held_size_), chunk.size());
  if (take != 0) std::copy_n(chunk.begin(), take, held_.data() + held_size_);
  held_size_ += take;
  chunk = chunk.subspan(take);
  return held_size_ >= until;
}

std::optional<Bytes> StreamFramer::next(Bytes& chunk) {
  if (was_given_) held_size_ = 0;
  was_given_ = false;
  while (!is_broken_ && !chunk.empty()) {
    if (to_skip_ != 0) {
      const std::size_t skip = std::min(to_skip_, chunk.size());
      chunk = chunk.subspan(skip);
      to_skip_ -= skip;
      continue;
    }
    const bool is_whole_head_there = held_size_ == 0 && chunk.size() >= head_size();
    if (!is_whole_head_there) {
      if (held_.empty() && !held_.resize_discarding(kLargestFrame)) {
        is_broken_ = true;
        break;
      }
      if (!hold(chunk, head_size())) break;
    }
    const Bytes head = is_whole_head_there ? chunk.first(head_size()) : Bytes(held_).first(head_size());
    const auto size = frame_size(head);
    if (!size) {
      is_broken_ = true;
      break;
    }
    if (*size > largest(head)) {
      to_skip_ = *size - held_size_;
      held_size_ = 0;
      ++skipped_;
      continue;
    }
    if (is_whole_head_there && chunk.size() >= *size) {
      const Bytes frame = chunk.first(*size);
      chunk = chunk.subspan(*size);
      return frame;
    }
    if (held_.empty() && !held_.resize_discarding(kLargestFrame)) {
      is_broken_ = true;
      break;
    }
    if (!hold(chunk, *size)) break;
    was_given_ = true;
    return Bytes(held_).first(*size);
  }
  if (is_broken_) chunk = {};
  return std::nullopt;
}

}  // namespace pollrtc::turn
