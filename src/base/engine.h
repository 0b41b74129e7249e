// The shape of every engine: bytes and a time go in; bytes, events and a deadline come out. Nothing inside asks for the
// time, randomness or memory, and nothing calls back.
#pragma once

#include <concepts>
#include <optional>

#include "pollrtc/error.h"
#include "pollrtc/types.h"

namespace pollrtc {

template <class E>
concept Timed = requires(E e, const E c, Time now, typename E::Event& event) {
  { e.handle_timeout(now) } -> std::same_as<void>;
  { c.next_timeout() } -> std::same_as<Time>;     // kNever when it waits for nothing
  { e.poll_event(event) } -> std::same_as<bool>;  // false: no event was waiting, `event` is as it was
};

// Speaks to addresses: ice::Agent, Peer.
template <class E>
concept NetworkEngine = Timed<E> && requires(E e, Time now, const Path& path, Bytes in, MutBytes out) {
  { e.handle_datagram(now, path, in) } -> std::same_as<Drop>;  // Drop::None when it was used
  { e.poll_transmit(now, out) } -> std::same_as<std::optional<Transmit>>;
};

// Has one peer below it: dtls::Session, sctp::Association.
template <class E>
concept PacketEngine = Timed<E> && requires(E e, Time now, Bytes in, MutBytes out) {
  { e.handle_packet(now, in) } -> std::same_as<Drop>;
  { e.poll_packet(now, out) } -> std::same_as<std::size_t>;  // 0 when nothing is owed
};

}  // namespace pollrtc
