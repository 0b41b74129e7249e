// A DTLS session fed with what anyone on the network may send: as a server or a client, before and during a handshake,
// and, for one choice of the first byte, one that stands. Input: a byte that chooses, then datagrams, each a length of
// two bytes and its bytes; the top bit of the length lets a timeout pass first.
#include "base/bytes.h"
#include "dtls/session.h"
#include "support.h"

using namespace pollrtc;
using namespace std::chrono_literals;

namespace {

struct End {
  Environment environment;
  std::uint32_t seed;
  explicit End(std::uint32_t s) : seed(s) { environment.rng = {fill_counting, &seed}; }
};

End& certificate_end() {
  static End end(1);
  return end;
}
const dtls::Certificate& certificate() {
  static const dtls::Certificate made =
      std::move(*dtls::Certificate::generate(certificate_end().environment, 1'790'000'000));
  return made;
}

std::array<std::uint8_t, 20000> buffer;

// Carries datagrams both ways until both are silent, so that a handshake gets as far as it can.
void converse(Time now, dtls::Session& a, dtls::Session& b) {
  for (int round = 0; round < 20; ++round) {
    bool spoke = false;
    while (const std::size_t size = a.poll_packet(now, buffer)) {
      b.handle_packet(now, Bytes(buffer).first(size));
      spoke = true;
    }
    while (const std::size_t size = b.poll_packet(now, buffer)) {
      a.handle_packet(now, Bytes(buffer).first(size));
      spoke = true;
    }
    if (!spoke) return;
  }
  check(false);
}

void drain(Time now, dtls::Session& session, bool verified) {
  while (session.receive(buffer) != 0) check(verified);
  int datagrams = 0;
  while (session.poll_packet(now, buffer) != 0) check(++datagrams <= 64);
  dtls::Session::Event event;
  int events = 0;
  while (session.poll_event(event)) check(++events <= 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  const std::uint8_t choice = in.u8();
  const bool is_server = (choice & 1) != 0, may_talk = (choice & 2) != 0;
  End own(2), other(3);
  dtls::Session session(own.environment, certificate()), peer(other.environment, certificate());
  const Fingerprint fingerprint = certificate().fingerprint();
  check(session.set_remote_fingerprints({}, {&fingerprint, 1}).has_value());
  check(peer.set_remote_fingerprints({}, {&fingerprint, 1}).has_value());
  Time now{1h};
  check(session.start(now, is_server ? dtls::Role::Server : dtls::Role::Client, 100ms).has_value());
  check(peer.start(now, is_server ? dtls::Role::Client : dtls::Role::Server, 100ms).has_value());
  if ((choice & 4) != 0) converse(now, session, peer);
  const bool connected = session.state() == dtls::SessionState::Connected;

  for (int datagrams = 0; !in.rest().empty() && datagrams < 64; ++datagrams) {
    const std::uint16_t word = in.u16();
    if ((word & 0x8000) != 0 && session.next_timeout() != kNever) {
      now = session.next_timeout();
      session.handle_timeout(now);
      check(session.next_timeout() > now);
    }
    session.handle_packet(now, in.take(std::min<std::size_t>(word & 0xfff, in.rest().size())));
    // Without keys nobody ends or enters a session, whatever he sends.
    if (connected) check(session.state() == dtls::SessionState::Connected);
    if (may_talk) converse(now, session, peer);
    drain(now, session, session.state() == dtls::SessionState::Connected);
    check(session.next_timeout() > now || session.state() == dtls::SessionState::Handshaking);
  }
  return 0;
}
