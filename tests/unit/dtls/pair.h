// Two sessions, a wire between them that a test can cut, bend and repeat, and a clock that jumps to the next timeout.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dtls/certificate.h"
#include "dtls/record.h"
#include "dtls/session.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using dtls::Certificate;
using dtls::Role;
using dtls::Session;
using dtls::SessionState;

inline constexpr std::int64_t kNow2026 = 1'790'000'000;

Certificate make_certificate(std::uint64_t seed);
const Certificate& client_certificate();
const Certificate& server_certificate();

std::vector<dtls::Record> records_of(Bytes datagram);

ByteVector make_record(std::uint8_t type, std::uint16_t version, std::uint16_t epoch, std::uint64_t sequence,
                       Bytes fragment);

ByteVector make_fragment(std::uint8_t msg_type, std::uint32_t length, std::uint16_t message_seq,
                         std::uint32_t offset, Bytes body);

// Every datagram that `session` owes now.
std::vector<ByteVector> poll_all(Session& session, Time now);

std::vector<ByteVector> receive_all(Session& session);

struct Events {
  bool connected = false;
  std::optional<Close> ended;
  std::string cipher_suite;
};
Events events_of(Session& session);

ByteVector seal(Session& session, Time now, Bytes plaintext);

class Pair {
 public:
  using Flight = std::vector<ByteVector>;
  // What arrives of a flight: everything that one side had to say at one moment. Flights of both sides share one count.
  using Wire = std::function<Flight(std::size_t index, Role from, Flight)>;

  explicit Pair(dtls::SessionConfig config = {}, const Certificate& client_own = client_certificate(),
                const Certificate& server_own = server_certificate());
  ~Pair();

  void start(Duration initial_timeout = 100ms, bool with_fingerprints = true);
  // Until nobody has anything to say at this moment.
  void exchange();
  // Runs until both have left the handshake, or the time is over.
  void run(Duration limit = 60s);
  bool connected() const;
  // One record each way; what arrives is what was sent.
  bool data_flows();

  TestEnvironment client_env{11}, server_env{22};
  Session client, server;
  Time now{1h};
  Wire wire;
  std::size_t flights = 0;
  int timeouts = 0;

 private:
  bool carry(Session& from, Role role, Session& to);
};

}  // namespace pollrtc::test
