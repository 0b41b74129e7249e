// Who stands beside or on the path and sends what is not theirs: datagrams out of nothing, datagrams of before, datagrams of
// another session, errors of ICMP for all that is sent. None of it may change anything.
#pragma once

#include <deque>

#include "sim/whole/side.h"

namespace pollrtc::sim {

class Harasser {
 public:
  // The victims must outlive it.
  Harasser(World& world, const Fault& fault, std::vector<Side*> victims);
  Harasser(const Harasser&) = delete;
  Harasser& operator=(const Harasser&) = delete;

  // Each datagram that one of the sides sends, in order.
  void overhear(Side& from, const Path& path, Bytes datagram);
  void begin();
  std::uint64_t datagrams() const { return datagrams_; }
  std::uint64_t bytes() const { return bytes_; }

  // As RFC 8489, RFC 6347 or nothing at all would have it.
  static test::ByteVector forged_datagram(Random& random);

 private:
  struct Overheard {
    Side* from;
    Path path;
    test::ByteVector bytes;
  };
  void step(Time end);
  void act();
  void give(Side& victim, const Path& path, Bytes datagram);

  World& world_;
  const Fault fault_;
  std::vector<Side*> victims_;
  Random random_;
  std::deque<Overheard> overheard_;
  std::uint64_t datagrams_ = 0, bytes_ = 0;
};

}  // namespace pollrtc::sim
