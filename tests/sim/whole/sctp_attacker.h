// An authenticated peer that speaks SCTP by hand: ICE and DTLS are those of a Side whose Peer was told that no association
// is wanted (sctp-port 0), so every SCTP packet is the attacker's own, sealed by the real session, CRC right unless meant.
#pragma once

#include "sim/sctp_wire.h"
#include "sim/whole/side.h"

namespace pollrtc::sim {

class SctpAttacker final : public Actor {
 public:
  SctpAttacker(World& world, Side& vehicle, std::uint64_t seed);
  ~SctpAttacker() override { world_.remove_actor(*this); }
  SctpAttacker(const SctpAttacker&) = delete;
  SctpAttacker& operator=(const SctpAttacker&) = delete;

  bool is_established() const { return established_; }
  // Each packet of the victim, after the attacker has done its part of the set-up.
  std::function<void(const wire::Packet& packet)> on_packet;
  // While it is established, in these steps: the attack itself.
  std::function<void()> on_tick;
  Duration tick = std::chrono::milliseconds(10);
  bool acknowledges = true;  // DATA of the victim
  std::uint32_t a_rwnd = 1024 * 1024;

  // Whole chunks, each padded; with the victim's tag and a right checksum.
  void send(Bytes chunks);
  // The same with any tag.
  void send_with_tag(std::uint32_t tag, Bytes chunks);
  static test::ByteVector chunk(std::uint8_t type, std::uint8_t flags, Bytes value);
  // A whole message in one chunk. Takes the next TSN.
  test::ByteVector data(std::uint16_t stream, std::uint32_t ppid, Bytes payload);
  // Something like SCTP: any chunks, any fields, some of them right.
  void send_nonsense();
  double rudeness = 0.03;  // how much of it no parser should take; that often ends the association

  Random random;
  std::uint32_t victim_tag = 0, own_tag = 0, next_tsn = 0,
                victim_tsn = 0;  // victim_tsn: the highest in a row
  std::uint64_t bytes_sent = 0, packets_sent = 0, bytes_heard = 0;

  Time next_timeout() const override { return due_; }
  void on_timeout(Time now) override;
  void pump(Time now) override;

 private:
  static void set_port(std::string& description, std::uint16_t port);
  void heard(Bytes packet);
  void on_chunk(const wire::Chunk& chunk);
  test::ByteVector init_value() const;
  test::ByteVector nonsense_chunk();
  void polish(std::uint8_t type, test::ByteVector& value);

  World& world_;
  Side& vehicle_;
  std::vector<test::ByteVector> unread_;
  bool established_ = false, began_ = false;
  std::uint32_t messages_ = 0;
  Time due_ = kNever;
};

}  // namespace pollrtc::sim
