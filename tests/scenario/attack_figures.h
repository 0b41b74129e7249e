// What an attack costs its victim: bytes in, bytes out, the most heap, and the processor's time, which is told and not judged.
#pragma once

#include <ctime>

#include "scenario/two_peers.h"
#include "support/catch.h"

namespace pollrtc::scenario {

class AttackFigures {
 public:
  AttackFigures(TwoPeers& t, End& victim)
      : t_(t), victim_(victim), before_(victim.peer.stats()), heap_(victim.environment.bytes_in_use()) {
    victim_.node.on_send = [this](Time, const Path& path, Bytes datagram) {
      if (path.remote == honest_) return;
      bytes_out_ += datagram.size();
      ++datagrams_out_;
    };
  }
  ~AttackFigures() { victim_.node.on_send = nullptr; }
  AttackFigures(const AttackFigures&) = delete;
  AttackFigures& operator=(const AttackFigures&) = delete;

  // What goes there is no answer to the attack.
  void expect(const Address& honest) { honest_ = honest; }
  Drop hit(const Path& path, Bytes datagram) {
    const std::clock_t began = std::clock();
    const Drop drop = victim_.peer.handle_datagram(t_.world.now(), path, datagram);
    clocks_ += std::clock() - began;
    bytes_in_ += datagram.size();
    ++datagrams_in_;
    heap_most_ = std::max(heap_most_, victim_.environment.bytes_in_use());
    // A thousand at a time, ten milliseconds each: 100,000 a second, and the victim has its turns.
    if (datagrams_in_ % 1000 == 0) t_.world.run_for(10ms);
    return drop;
  }
  std::uint64_t dropped(Drop drop) const {
    const auto index = static_cast<std::size_t>(drop);
    return victim_.peer.stats().drops[index] - before_.drops[index];
  }
  std::uint64_t datagrams_in() const { return datagrams_in_; }
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }
  std::uint64_t datagrams_out() const { return datagrams_out_; }
  std::size_t heap_grown() const { return heap_most_ - std::min(heap_most_, heap_); }

  void tell(std::string_view rule) const {
    const double in = static_cast<double>(std::max<std::uint64_t>(bytes_in_, 1));
    const double cpu = 1e9 * static_cast<double>(clocks_) / CLOCKS_PER_SEC;
    WARN(rule << ": " << datagrams_in_ << " datagrams, " << bytes_in_ << " bytes in; " << datagrams_out_
              << " out, " << static_cast<double>(bytes_out_) / in << " bytes for each in; heap +"
              << heap_grown() << " at most; " << cpu / in << " ns a byte");
  }

 private:
  TwoPeers& t_;
  End& victim_;
  PeerStats before_;
  std::size_t heap_, heap_most_ = 0;
  Address honest_ = TwoPeers::kBob.with_port(5000);
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0, datagrams_in_ = 0, datagrams_out_ = 0;
  std::clock_t clocks_ = 0;
};

}  // namespace pollrtc::scenario
