// The JSEP signalling state machine (RFC 9429 §3.2) as one pure function.
#pragma once

#include <optional>

#include "pollrtc/peer.h"

namespace pollrtc {

enum class Side : std::uint8_t { Local, Remote };

// The state after a description of this type is set on this side; nothing when that is not allowed.
// Rollback is possible in every state but stable (RFC 9429 §5.7), and closed allows nothing.
constexpr std::optional<SignalingState> next_signaling_state(SignalingState state, Side side, SdpType type) {
  using enum SignalingState;
  if (state == Closed) return std::nullopt;
  if (type == SdpType::Rollback) return state == Stable ? std::nullopt : std::optional(Stable);

  const SignalingState own_offer = side == Side::Local ? HaveLocalOffer : HaveRemoteOffer;
  const SignalingState other_offer = side == Side::Local ? HaveRemoteOffer : HaveLocalOffer;
  const SignalingState own_pranswer = side == Side::Local ? HaveLocalPranswer : HaveRemotePranswer;
  if (type == SdpType::Offer)
    return state == Stable || state == own_offer ? std::optional(own_offer) : std::nullopt;
  if (state != other_offer && state != own_pranswer) return std::nullopt;
  return type == SdpType::Answer ? Stable : own_pranswer;
}

}  // namespace pollrtc
