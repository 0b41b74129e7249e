// What stands behind the opaque handles of pollrtc/pollrtc.h.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "api/c_platform.h"
#include "pollrtc/multiplayer_peer.h"
#include "pollrtc/pollrtc.h"
#include "pollrtc/udp_mux.h"

namespace pollrtc::detail {

// Where a connection's log and tap go, and what is below it; lives as long as anything that may call them. Silent once the
// handle is gone.
struct Hooks {
  pollrtc_config config{};
  // One is in use; those that initialize() replaced may be by a channel still.
  std::deque<Platform> platforms;
};
// A mux and what is below it: its connections keep it when the handle has gone.
struct HeldMux {
  pollrtc_udp_mux_config config{};  // its log; silent once the handle is gone
  Platform platform;
  std::optional<UdpMux> mux;
};
struct HeldConnection {
  std::shared_ptr<Hooks> hooks;
  PeerConnection connection;
  // Its handle goes, and with it who could pull events.
  static void leave_to_itself(PeerConnection& connection);
};

}  // namespace pollrtc::detail

struct pollrtc_connection {
  std::shared_ptr<pollrtc::detail::Hooks> hooks;
  std::shared_ptr<pollrtc::PeerConnection> connection;  // the one in a HeldConnection
  std::vector<pollrtc_channel*> channels;               // the user's; each knows us
  std::string error;
  pollrtc::PeerConnection::Event event;  // its texts were handed out
  std::string text;
};

struct pollrtc_channel {
  std::shared_ptr<pollrtc::detail::Hooks> hooks;
  std::shared_ptr<pollrtc::DataChannel> channel;
  pollrtc_connection* owner = nullptr;  // null once that handle is gone
  std::string label, protocol;
  void* user_data = nullptr;
};

struct pollrtc_multiplayer {
  pollrtc::MultiplayerPeer peer;
  std::deque<std::pair<pollrtc_multiplayer_event_type, int>> events;
};

struct pollrtc_pacer {
  pollrtc::Pacer pacer;
};

struct pollrtc_udp_mux {
  std::shared_ptr<pollrtc::detail::HeldMux> held;
};

struct pollrtc_certificate {
  pollrtc::CertificatePem pem;
};

namespace pollrtc::detail {

inline pollrtc_result result_of(ErrorCode code) {
  return static_cast<pollrtc_result>(static_cast<int>(code) + 1);
}
static_assert(static_cast<int>(ErrorCode::InvalidArgument) + 1 == POLLRTC_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::Closed) + 1 == POLLRTC_CLOSED);
static_assert(static_cast<int>(ErrorCode::Unauthorized) + 1 == POLLRTC_UNAUTHORIZED);

// Notes the words of a failure where the handle can give them.
inline pollrtc_result note(pollrtc_connection* handle, const Status& status) {
  if (status) return POLLRTC_OK;
  if (handle != nullptr) handle->error = status.error().detail();
  return result_of(status.error().code());
}
template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status() : Status(Unexpected{result.error()});
}

// A structure of the caller, as large as the header that they were compiled with had it. Nothing: it holds something that
// this library does not know.
template <class Struct>
std::optional<Struct> known_part(const Struct* given) {
  Struct known{};
  if (given == nullptr) return known;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (size < sizeof size) return std::nullopt;
  std::memcpy(&known, given, std::min(size, sizeof known));
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof known; i < size; ++i)
    if (bytes[i] != 0) return std::nullopt;
  return known;
}

inline std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }
// Of what a caller gives: there should be some, and there is nothing.
inline bool is_missing(const void* data, std::size_t size) { return data == nullptr && size != 0; }
inline Bytes bytes_of(const void* data, std::size_t size) {
  return data == nullptr ? Bytes() : Bytes(static_cast<const std::uint8_t*>(data), size);
}
// The enumerations are ints, so a caller's may be any number.
template <class Enum>
bool is_known(Enum value, Enum last) {
  return value >= Enum{} && value <= last;
}

// False: there is no array, a name is no limit's, or a value does not fit; some may be set then.
bool apply_limits(const pollrtc_limit* given, std::size_t count, Limits& limits);

// As much as the caller's header had, and the size that they gave. A newer header's further fields are zero.
template <class Stats>
pollrtc_result hand_out(Stats stats, Stats* out) {
  stats.size = out->size;
  std::memset(static_cast<void*>(out), 0, out->size);
  std::memcpy(out, &stats, std::min(stats.size, sizeof stats));
  return POLLRTC_OK;
}

pollrtc_channel* wrap(pollrtc_connection& owner, std::shared_ptr<DataChannel> channel);

}  // namespace pollrtc::detail
