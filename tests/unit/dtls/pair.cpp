#include "unit/dtls/pair.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "base/bytes.h"

namespace pollrtc::test {
namespace {

bool is_busy(const Session& session) {
  return session.state() == SessionState::New || session.state() == SessionState::Handshaking;
}

}  // namespace

Certificate make_certificate(std::uint64_t seed) {
  static std::vector<std::unique_ptr<TestEnvironment>> environments;  // certificates live in their memory
  environments.push_back(std::make_unique<TestEnvironment>(seed));
  return std::move(*Certificate::generate(environments.back()->env, kNow2026));
}

const Certificate& client_certificate() {
  static const Certificate certificate = make_certificate(101);
  return certificate;
}

const Certificate& server_certificate() {
  static const Certificate certificate = make_certificate(202);
  return certificate;
}

std::vector<dtls::Record> records_of(Bytes datagram) {
  std::vector<dtls::Record> records;
  dtls::Record record;
  while (!datagram.empty() && dtls::take_record(datagram, record)) records.push_back(record);
  return records;
}

ByteVector make_record(std::uint8_t type, std::uint16_t version, std::uint16_t epoch, std::uint64_t sequence,
                       Bytes fragment) {
  ByteVector bytes(dtls::kRecordHeaderSize + fragment.size());
  ByteWriter w(bytes);
  w.u8(type);
  w.u16(version);
  w.u16(epoch);
  w.u16(static_cast<std::uint16_t>(sequence >> 32));
  w.u32(static_cast<std::uint32_t>(sequence));
  w.u16(static_cast<std::uint16_t>(fragment.size()));
  w.bytes(fragment);
  return bytes;
}

ByteVector make_fragment(std::uint8_t msg_type, std::uint32_t length, std::uint16_t message_seq,
                         std::uint32_t offset, Bytes body) {
  ByteVector bytes(dtls::kHandshakeHeaderSize + body.size());
  ByteWriter w(bytes);
  const auto u24 = [&](std::size_t v) {
    w.u8(static_cast<std::uint8_t>(v >> 16));
    w.u16(static_cast<std::uint16_t>(v));
  };
  w.u8(msg_type);
  u24(length);
  w.u16(message_seq);
  u24(offset);
  u24(body.size());
  w.bytes(body);
  return bytes;
}

std::vector<ByteVector> poll_all(Session& session, Time now) {
  std::vector<ByteVector> datagrams;
  ByteVector out(20000);
  while (const std::size_t size = session.poll_packet(now, out))
    datagrams.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  return datagrams;
}

std::vector<ByteVector> receive_all(Session& session) {
  std::vector<ByteVector> records;
  ByteVector out(20000);
  while (const std::size_t size = session.receive(out))
    records.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  return records;
}

Events events_of(Session& session) {
  Events events;
  Session::Event event;
  while (session.poll_event(event)) {
    if (const auto* c = std::get_if<Session::Connected>(&event)) {
      events.connected = true;
      events.cipher_suite = std::string(c->cipher_suite);
    }
    if (const auto* e = std::get_if<Session::Ended>(&event)) events.ended = e->reason;
  }
  return events;
}

ByteVector seal(Session& session, Time now, Bytes plaintext) {
  ByteVector out(plaintext.size() + session.overhead());
  const auto size = session.send(now, plaintext, out);
  if (!size) throw std::runtime_error("send: " + std::string(size.error().detail()));
  out.resize(*size);
  return out;
}

Pair::Pair(dtls::SessionConfig config, const Certificate& client_own, const Certificate& server_own)
    : client(client_env.env, client_own, config), server(server_env.env, server_own, config) {}
Pair::~Pair() = default;

void Pair::start(Duration initial_timeout, bool with_fingerprints) {
  if (with_fingerprints) {
    const Fingerprint of_client = client_certificate().fingerprint(),
                      of_server = server_certificate().fingerprint();
    if (!client.set_remote_fingerprints(now, {&of_server, 1})) throw std::runtime_error("fingerprints");
    if (!server.set_remote_fingerprints(now, {&of_client, 1})) throw std::runtime_error("fingerprints");
  }
  if (!server.start(now, Role::Server, initial_timeout)) throw std::runtime_error("server does not start");
  if (!client.start(now, Role::Client, initial_timeout)) throw std::runtime_error("client does not start");
}

void Pair::exchange() {
  for (int round = 0; round < 100; ++round) {
    if (!carry(client, Role::Client, server) && !carry(server, Role::Server, client)) return;
  }
  throw std::runtime_error("the two never fall silent");
}

void Pair::run(Duration limit) {
  const Time end = now + limit;
  for (exchange(); is_busy(client) || is_busy(server); exchange()) {
    const Time next = std::min(client.next_timeout(), server.next_timeout());
    if (next > end) break;
    if (next < now) throw std::runtime_error("a deadline in the past");
    now = next;
    ++timeouts;
    client.handle_timeout(now);
    server.handle_timeout(now);
    if (std::min(client.next_timeout(), server.next_timeout()) <= now)
      throw std::runtime_error("a deadline not kept");
  }
}

bool Pair::connected() const {
  return client.state() == SessionState::Connected && server.state() == SessionState::Connected;
}

bool Pair::data_flows() {
  const ByteVector question = {1, 2, 3}, reply(1100, 7);
  server.handle_packet(now, seal(client, now, question));
  client.handle_packet(now, seal(server, now, reply));
  const auto at_server = receive_all(server), at_client = receive_all(client);
  return at_server.size() == 1 && at_server[0] == question && at_client.size() == 1 && at_client[0] == reply;
}

bool Pair::carry(Session& from, Role role, Session& to) {
  Flight flight = poll_all(from, now);
  if (flight.empty()) return false;
  const std::size_t index = flights++;
  if (wire) flight = wire(index, role, std::move(flight));
  for (const ByteVector& datagram : flight) to.handle_packet(now, datagram);
  return true;
}

}  // namespace pollrtc::test
