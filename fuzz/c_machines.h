// Machines in memory for connections made through the C interface: datagrams are handed over at once, and time passes only
// when the input says so.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "pollrtc/pollrtc.h"
#include "support.h"

namespace pollrtc {

class CMachines {
 public:
  static constexpr std::size_t kCount = 3;

  CMachines() {
    for (std::size_t i = 0; i < kCount; ++i)
      machines_[i] = {this, i, static_cast<std::uint32_t>(i) * 7919 + 1, {}, 0};
  }
  CMachines(const CMachines&) = delete;
  CMachines& operator=(const CMachines&) = delete;

  // A connection on machine `index`. All have one key pair: making one takes longer than the rest of a run.
  pollrtc_connection* connect(std::size_t index) {
    static pollrtc_certificate* const certificate = [] {
      pollrtc_certificate* made = nullptr;
      check(pollrtc_certificate_generate(&made) == POLLRTC_OK);
      return made;
    }();
    Machine& machine = machines_[index % kCount];
    pollrtc_network network{};
    network.size = sizeof network;
    network.now = [](void* context) { return static_cast<Machine*>(context)->all->now_; };
    network.list_addresses = [](void* context, int, pollrtc_address* out, std::size_t) {
      out[0] = static_cast<Machine*>(context)->address();
      return std::size_t{1};
    };
    network.open = open;
    network.close = [](void*, int) {};
    network.send = send;
    network.receive = receive;
    network.context = &machine;
    const pollrtc_random random{
        [](void* context, std::uint8_t* out, std::size_t size) {
          return fill_counting(&static_cast<Machine*>(context)->random, {out, size}) ? 1 : 0;
        },
        &machine};
    pollrtc_config config{};
    config.size = sizeof config;
    config.small_limits = 1;
    config.network = &network;
    config.random = &random;
    config.certificate = pollrtc_certificate_get_certificate(certificate);
    config.private_key = pollrtc_certificate_get_private_key(certificate);
    pollrtc_connection* made = nullptr;
    check(pollrtc_connection_create(&config, &made) == POLLRTC_OK);
    return made;
  }
  void pass(std::int64_t microseconds) { now_ += microseconds; }

 private:
  struct Datagram {
    pollrtc_address source;
    std::vector<std::uint8_t> bytes;
  };
  struct Machine {
    CMachines* all;
    std::size_t index;
    std::uint32_t random;
    std::deque<Datagram> waiting;
    std::uint16_t ports;
    pollrtc_address address() const {
      return {
          {192, 0, 2, static_cast<std::uint8_t>(index + 1)}, 0, static_cast<std::uint16_t>(5000 + index), 4};
    }
  };

  // One port for each machine, whoever opens it: connections of one machine steal each other's datagrams, as is only fair.
  static int open(void* context, const pollrtc_address*, std::uint16_t, std::uint16_t,
                  pollrtc_address* bound) {
    *bound = static_cast<Machine*>(context)->address();
    return 1;
  }
  static pollrtc_io send(void* context, int, const pollrtc_address* remote, const std::uint8_t* data,
                         std::size_t size) {
    const Machine& from = *static_cast<Machine*>(context);
    const std::size_t to = remote->ip[3] - std::size_t{1};
    if (to >= kCount) return POLLRTC_IO_UNREACHABLE;
    std::deque<Datagram>& queue = from.all->machines_[to].waiting;
    if (queue.size() < 64) queue.push_back({from.address(), {data, data + size}});
    return POLLRTC_IO_DONE;
  }
  static pollrtc_io receive(void* context, int, std::uint8_t* buffer, std::size_t capacity, std::size_t* size,
                            pollrtc_address* source) {
    Machine& machine = *static_cast<Machine*>(context);
    if (machine.waiting.empty()) return POLLRTC_IO_WOULD_BLOCK;
    const Datagram datagram = std::move(machine.waiting.front());
    machine.waiting.pop_front();
    if (datagram.bytes.size() > capacity) return POLLRTC_IO_TRUNCATED;
    std::copy(datagram.bytes.begin(), datagram.bytes.end(), buffer);
    *size = datagram.bytes.size();
    *source = datagram.source;
    return POLLRTC_IO_DONE;
  }

  std::array<Machine, kCount> machines_{};
  std::int64_t now_ = 1'000'000;
};

}  // namespace pollrtc
