// Answers to requests, waiting for the next poll. They wait in a short queue: when it is full the answer is lost, as on
// any network. Errors to strangers are limited in number and never longer than what provoked them, so that we are no
// reflector (RFC 8489 §9.1.3 asks for the errors; the bounds are ours).
#pragma once

#include "base/memory.h"
#include "ice/stun_auth.h"

namespace pollrtc::ice {

struct Reply {
  Path path;  // back the way the request came
  stun::TransactionId id{};
  int code = 0;  // 0: success
  stun::Integrity integrity = stun::Integrity::None;
  std::size_t longest = 0;  // 0: no bound
  FixedVec<std::uint16_t, 16> unknown;
};

class Replies {
 public:
  static constexpr std::size_t kMaxWaiting = 32;

  explicit Replies(const Memory& memory) : waiting_(memory) {}

  bool push(const Reply& reply) { return waiting_.size() < kMaxWaiting && waiting_.push_back(reply); }
  bool empty() const { return waiting_.empty(); }
  void clear() { waiting_.clear(); }
  void rest() { waiting_.trim_to(1); }  // a check of consent has one answer
  // Writes the oldest and forgets it; size 0 when it may not or cannot be sent. Only when not empty().
  Transmit pop(MutBytes out, std::string_view password);

 private:
  Ring<Reply> waiting_;
};

// At most so many errors in any second of its own, in all and to one IP address.
class ErrorLimiter {
 public:
  ErrorLimiter(const Memory& memory, const Limits& limits)
      : sources_(memory), in_all_(limits.stun_errors_per_second), each_(limits.stun_errors_per_source) {}
  // Without memory for the first source, false.
  bool allow(Time now, const Address& source);

 private:
  struct Source {
    Address ip;
    Time since{};
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kMostSources = 16;
  Vec<Source> sources_;
  Time since_{};
  std::uint32_t count_ = 0;
  bool has_begun_ = false;
  std::uint32_t in_all_, each_;
};

}  // namespace pollrtc::ice
