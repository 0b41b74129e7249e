// TurnAddresses: to which of the servers that were asked for an address belongs, so that a failure can name it.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "pollrtc/peer.h"

namespace pollrtc::detail {

class TurnAddresses {
 public:
  // Each gathering finds the same ones again, or, of a name that means many machines, others: the oldest make room.
  static constexpr std::size_t kMost = 256;

  void add(const Address& address, TurnTransport transport, std::size_t server) {
    if (find(address, transport)) return;
    if (known_.size() == kMost) known_.erase(known_.begin());
    known_.push_back({address, transport, server});
  }
  std::optional<std::size_t> find(const Address& address, TurnTransport transport) const {
    const auto at = std::find_if(known_.begin(), known_.end(), [&](const Known& k) {
      return k.address == address && k.transport == transport;
    });
    return at == known_.end() ? std::nullopt : std::optional(at->server);
  }
  std::size_t size() const { return known_.size(); }

 private:
  struct Known {
    Address address;
    TurnTransport transport;
    std::size_t server;  // its index among those asked for
  };
  std::vector<Known> known_;
};

}  // namespace pollrtc::detail
