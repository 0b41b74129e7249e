#include "sim/turn_server.h"

#include <algorithm>

namespace pollrtc::sim {
namespace {

std::string_view text_of(const stun::Message& m, stun::Attribute type) { return m.text(type).value_or(""); }
bool uses_sha256(const stun::Message& m) { return m.u32(stun::Attribute::PasswordAlgorithm) == 0x00020000u; }

}  // namespace

TurnServer::TurnServer(const Address& own) : address(own) {}
TurnServer::~TurnServer() = default;

std::size_t TurnServer::count(Method method) const {
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [&](const auto& r) { return r.first == method; }));
}

stun::Message TurnServer::last(Method method) const {
  for (auto at = requests.rbegin(); at != requests.rend(); ++at)
    if (at->first == method) return *stun::Message::parse(at->second, stun::Usage::Turn);
  return {};
}

std::vector<TurnServer::Datagram> TurnServer::handle(const Address& from, const Address& to, Bytes bytes) {
  if (is_silent) return {};
  if (to != address) return from_peer(from, to, bytes);
  if (!bytes.empty() && bytes[0] >= 0x40) return from_channel(from, bytes);
  const auto message = stun::Message::parse(bytes, stun::Usage::Turn);
  if (!message) return {};
  if (message->method() == Method::Send) return from_send(from, *message);
  if (message->message_class() != stun::Class::Request) return {};
  requests.emplace_back(message->method(), test::to_vector(bytes));
  test::ByteVector answer =
      message->method() == Method::Binding ? bind(from, *message) : answer_to(from, *message);
  if (answer.empty()) return {};
  return {{address, from, std::move(answer)}};
}

test::ByteVector TurnServer::data_indication(const Address& peer, Bytes data) {
  test::ByteVector out(data.size() + 64);
  stun::Writer w(out, stun::Class::Indication, {1, 2, 3}, Method::Data);
  w.xor_address(Attribute::XorPeerAddress, peer);
  w.value(Attribute::Data, data);
  out.resize(w.finish());
  return out;
}

test::ByteVector TurnServer::channel_data(std::uint16_t number, Bytes data, std::size_t padding) {
  test::ByteVector out(4 + data.size() + padding);
  store_u16(out.data(), number);
  store_u16(out.data() + 2, static_cast<std::uint16_t>(data.size()));
  std::copy(data.begin(), data.end(), out.begin() + 4);
  return out;
}

void TurnServer::sign(stun::Writer& w, const stun::Message& request) const {
  if (request.has(Attribute::PasswordAlgorithm)) {
    if (uses_sha256(request)) return w.integrity_sha256(*stun::long_term_key_sha256(user, realm, password));
    return w.integrity_sha256(*stun::long_term_key(user, realm, password));
  }
  w.integrity(*stun::long_term_key(user, realm, password));
}

bool TurnServer::is_from_user(const stun::Message& m) const {
  const auto hash = m.value_of(Attribute::Userhash);
  const bool is_known =
      hash ? equal(*hash, *stun::userhash(user, realm)) : text_of(m, Attribute::Username) == user;
  if (!is_known || text_of(m, Attribute::Realm) != realm) return false;
  if (uses_sha256(m))
    return stun::verify_integrity(m, stun::Integrity::Sha256,
                                  *stun::long_term_key_sha256(user, realm, password));
  const auto kind = m.has(Attribute::PasswordAlgorithm) ? stun::Integrity::Sha256 : stun::Integrity::Sha1;
  return stun::verify_integrity(m, kind, *stun::long_term_key(user, realm, password));
}

test::ByteVector TurnServer::error(const stun::Message& request, const Refusal& refusal) const {
  test::ByteVector out(2560);
  stun::Writer w(out, stun::Class::Error, request.id(), request.method());
  if (refusal.code != 0) w.error(refusal.code, "refused");
  if (refusal.code == 401 || refusal.code == 438) challenge(w);
  if (refusal.extra) refusal.extra(w);
  if (refusal.is_signed) sign(w, request);
  out.resize(w.finish());
  return out;
}

void TurnServer::challenge(stun::Writer& w) const {
  w.text(Attribute::Realm, realm);
  w.text(Attribute::Nonce, nonce);
  if (algorithms.empty()) return;
  test::ByteVector list;
  for (const std::uint16_t algorithm : algorithms) {
    list.push_back(static_cast<std::uint8_t>(algorithm >> 8));
    list.push_back(static_cast<std::uint8_t>(algorithm));
    list.resize(list.size() + 2);
  }
  w.value(Attribute::PasswordAlgorithms, list);
}

test::ByteVector TurnServer::bind(const Address& from, const stun::Message& request) const {
  test::ByteVector out(200);
  stun::Writer w(out, stun::Class::Success, request.id());
  w.xor_address(Attribute::XorMappedAddress, from);
  w.fingerprint();
  out.resize(w.finish());
  return out;
}

test::ByteVector TurnServer::answer_to(const Address& from, const stun::Message& request) {
  if (stun::integrity_of(request) == stun::Integrity::None) return first_answer(request);
  if (text_of(request, Attribute::Nonce) != nonce) return error(request, {438, false});
  if (!is_from_user(request)) return error(request, {401, false});
  auto& queue = refusals[request.method()];
  if (!queue.empty()) {
    const Refusal refusal = queue.front();
    queue.pop_front();
    return error(request, refusal);
  }
  return success(from, request);
}

test::ByteVector TurnServer::first_answer(const stun::Message& request) {
  auto& queue = bare_refusals;
  if (queue.empty()) return error(request, {401, false});
  const Refusal refusal = queue.front();
  queue.pop_front();
  return error(request, refusal);
}

test::ByteVector TurnServer::success(const Address& from, const stun::Message& request) {
  const auto peer = request.xor_address(Attribute::XorPeerAddress);
  const auto known = allocations.find(from);
  if (request.method() != Method::Allocate && known == allocations.end()) return error(request, {437});
  // RFC 8656 §7.2: one for a 5-tuple. The same request once more gets the same answer.
  if (request.method() == Method::Allocate && !is_lax && known != allocations.end() &&
      known->second.id != request.id())
    return error(request, {437});
  test::ByteVector out(600);
  stun::Writer w(out, stun::Class::Success, request.id(), request.method());
  switch (request.method()) {
    case Method::Allocate:
      allocate(from, request, w);
      break;
    case Method::Refresh:
      if (request.u32(Attribute::Lifetime) == 0u) {
        allocations.erase(from);
        w.u32(Attribute::Lifetime, 0);
      } else if (lifetime) {
        w.u32(Attribute::Lifetime, *lifetime);
      }
      break;
    case Method::CreatePermission:
      allocations[from].permissions.insert(peer->with_port(0));
      break;
    case Method::ChannelBind:
      allocations[from].channels[static_cast<std::uint16_t>(*request.u32(Attribute::ChannelNumber) >> 16)] =
          *peer;
      break;
    default:
      break;
  }
  if (add_to_success) add_to_success(request.method(), w);
  if (signs) sign(w, request);
  out.resize(w.finish());
  return out;
}

void TurnServer::allocate(const Address& from, const stun::Message& request, stun::Writer& w) {
  Allocation& made = allocations[from];
  if (made.id != request.id()) make(made, request);
  for (const Address& relayed : made.relayed) w.xor_address(Attribute::XorRelayedAddress, relayed);
  w.xor_address(Attribute::XorMappedAddress, from);
  if (lifetime) w.u32(Attribute::Lifetime, *lifetime);
}

void TurnServer::make(Allocation& made, const stun::Message& request) {
  made.id = request.id();
  const bool only_v6 = request.has(Attribute::RequestedAddressFamily);
  const auto step = static_cast<std::uint16_t>(allocations_made_++);
  if (relay_v4.is_valid() && !only_v6)
    made.relayed.push_back(relay_v4.with_port(static_cast<std::uint16_t>(relay_v4.port + step)));
  if (relay_v6.is_valid() && (only_v6 || request.has(Attribute::AdditionalAddressFamily)))
    made.relayed.push_back(relay_v6.with_port(static_cast<std::uint16_t>(relay_v6.port + step)));
}

std::vector<TurnServer::Datagram> TurnServer::to_peer(const Address& client, const Address& peer,
                                                      Bytes data) {
  const auto at = allocations.find(client);
  if (at == allocations.end() || at->second.permissions.count(peer.with_port(0)) == 0) return {};
  for (const Address& relayed : at->second.relayed)
    if (relayed.family == peer.family) return {{relayed, peer, test::to_vector(data)}};
  return {};
}

std::vector<TurnServer::Datagram> TurnServer::from_channel(const Address& client, Bytes bytes) {
  const auto at = allocations.find(client);
  if (at == allocations.end() || bytes.size() < 4) return {};
  const auto channel = at->second.channels.find(load_u16(bytes.data()));
  const std::size_t size = load_u16(bytes.data() + 2);
  if (channel == at->second.channels.end() || size > bytes.size() - 4) return {};
  ++channel_data_received;
  return to_peer(client, channel->second, bytes.subspan(4, size));
}

std::vector<TurnServer::Datagram> TurnServer::from_send(const Address& client, const stun::Message& message) {
  const auto peer = message.xor_address(Attribute::XorPeerAddress);
  const auto data = message.value_of(Attribute::Data);
  if (!peer || !data) return {};
  ++sends_received;
  return to_peer(client, *peer, *data);
}

std::vector<TurnServer::Datagram> TurnServer::from_peer(const Address& peer, const Address& relayed,
                                                        Bytes bytes) {
  for (const auto& [client, allocation] : allocations) {
    if (std::find(allocation.relayed.begin(), allocation.relayed.end(), relayed) == allocation.relayed.end())
      continue;
    if (allocation.permissions.count(peer.with_port(0)) == 0) continue;
    for (const auto& [number, bound] : allocation.channels)
      if (bound == peer) return {{address, client, channel_data(number, bytes)}};
    return {{address, client, data_indication(peer, bytes)}};
  }
  return {};
}

}  // namespace pollrtc::sim
