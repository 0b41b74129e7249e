// A victim with two connections, one to an honest peer and one to an attacker, and what the attack costs: heap, processor
// time and bytes sent for each byte of the attacker's, and whether the honest connection beside it goes on.
#pragma once

#include <string>
#include <vector>

#include "sim/whole/harasser.h"
#include "sim/whole/sctp_attacker.h"

namespace pollrtc::sim {

struct Figures {
  std::string what;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of the attacker, and to it (or to whom it names)
  std::size_t heap = 0;                       // high-water mark of the connection under attack
  double nanoseconds_per_byte = 0;
  bool lives_on = false;  // the connection under attack
  std::size_t honest_messages = 0;
  std::string why_ended;

  double amplification() const {
    return bytes_in == 0 ? 0 : static_cast<double>(bytes_out) / static_cast<double>(bytes_in);
  }
};

class Arena {
 public:
  Arena(std::uint64_t seed, const Limits& limits);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Both connections are up, the attacker's association too. Throws Violation otherwise.
  void connect();
  // The attack goes on for so long, and five messages a second go to the honest peer and back; all of them must come, else
  // Violation.
  Figures attack(const std::string& what, Duration length);

  World& world() { return world_; }
  const Limits& limits() const { return limits_; }
  Side& victim() { return *to_attacker_.a; }   // its end of the connection to the attacker
  Side& vehicle() { return *to_attacker_.b; }  // the attacker's
  Side& honest() { return *to_honest_.b; }
  Side& victim_to_honest() { return *to_honest_.a; }
  SctpAttacker& attacker() { return *attacker_; }
  // For attackers that need no session: what they gave the victim.
  void note_attack(std::size_t bytes) { other_bytes_ += bytes; }

 private:
  struct Connection {
    explicit Connection(std::uint64_t seed) : books(seed) {}
    ConnectionBooks books;
    std::unique_ptr<Side> a, b;
  };
  void add_machine(const char* name, const Address& ip);
  void make(Connection& connection, std::size_t peer, std::uint16_t port, const Limits& limits,
            bool is_hostile);

  const Limits limits_;
  World world_;
  Random random_;
  std::deque<Participant> machines_;
  Connection to_honest_, to_attacker_;
  std::unique_ptr<SctpAttacker> attacker_;
  std::uint64_t other_bytes_ = 0, bytes_out_ = 0;
};

}  // namespace pollrtc::sim
