// HostResolver: a hook for who wants host names resolved some other way than by c-ares, or has built without it. It is not asked
// about addresses, nor about the names that stand for this machine ("localhost") or for none ("x.invalid").
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc {

// None of these may block; poll() is called as often as the connection is polled.
// The hooks; each is given `context` first.
struct HostResolver {
  // Begins to look up `host`, which is no literal. False: it cannot be looked up.
  bool (*start)(void* context, std::uint32_t id, std::string_view host) = nullptr;
  // Asks for the outcome of `id`. False: not known yet. True: writes at most out.size() addresses (their
  // ports do not matter) and how many there are; 0 when the name has none. The id is then forgotten.
  bool (*poll)(void* context, std::uint32_t id, std::span<Address> out, std::size_t& count) = nullptr;
  // The outcome of `id` is not wanted any more.
  void (*cancel)(void* context, std::uint32_t id) = nullptr;
  void* context = nullptr;  // handed to all of them
};

}  // namespace pollrtc
