// What a TURN client sends: its requests (RFC 8656 §7.1, §8.1, §10.1, §12.1), Send indications (§11.1) and ChannelData
// (§12.4).
#include "base/random.h"
#include "ice/turn_client.h"

namespace pollrtc::turn {

using stun::Attribute;
using stun::Method;

namespace {

constexpr std::uint32_t kUdp = 17u << 24;  // RFC 8656 §18.8: the protocol's number, then 24 zero bits
constexpr std::uint32_t kFamilyIpv6 = 0x02u << 24;  // §18.6

std::size_t padding(std::size_t size) { return padded4(size) - size; }

}  // namespace

std::size_t Client::write(const Target& target, MutBytes out) {
  Method method = Method::Refresh;
  if (target.kind == Kind::Allocate) method = Method::Allocate;
  if (target.kind == Kind::Permission) method = Method::CreatePermission;
  if (target.kind == Kind::Channel) method = Method::ChannelBind;
  stun::Writer w(out, stun::Class::Request, target.request->id, method);
  switch (target.kind) {
    case Kind::Allocate:
      write_allocate(w);
      break;
    case Kind::Refresh:
      if (state_ == ClientState::Closing) w.u32(Attribute::Lifetime, 0);
      break;
    case Kind::Permission:
      w.xor_address(Attribute::XorPeerAddress, permissions_[target.index].peer);
      break;
    case Kind::Channel:
      w.u32(Attribute::ChannelNumber, static_cast<std::uint32_t>(kFirstChannel + target.index) << 16);
      w.xor_address(Attribute::XorPeerAddress, channels_[target.index].peer);
      break;
  }
  if (target.request->is_signed) auth_.sign(w);
  return w.finish();
}

// No EVEN-PORT, no RESERVATION-TOKEN and no DONT-FRAGMENT: we need none of them. The two family attributes never stand
// together (§7.1).
void Client::write_allocate(stun::Writer& w) const {
  w.u32(Attribute::RequestedTransport, kUdp);
  if (only_ipv6_) {
    w.u32(Attribute::RequestedAddressFamily, kFamilyIpv6);
  } else if (asks_ipv6_) {
    w.u32(Attribute::AdditionalAddressFamily, kFamilyIpv6);
  }
}

std::size_t Client::headroom(const Address& peer) const {
  const Channel* const channel = find_channel(peer);
  // §12: not before the answer to ChannelBind, since the server knows nothing of the channel until it got it.
  if (channel != nullptr && channel->is_bound) return kChannelHeader;
  return peer.family == Address::Family::IPv6 ? 20 + 24 + 4 : 20 + 12 + 4;
}

std::size_t Client::wrap(Time now, const Address& peer, MutBytes out, std::size_t size) {
  if (!is_permitted(now, peer)) return 0;
  const std::size_t room = headroom(peer);
  const bool is_channel = room == kChannelHeader;
  const std::size_t end = room + size;
  // Padded in a stream always (§12.5), in a datagram only as an attribute is.
  const std::size_t pad = is_channel && !config_.is_stream ? 0 : padding(size);
  if (size > 0xFFFF || end + pad > out.size()) return 0;
  if (is_channel) {
    const auto number = static_cast<std::size_t>(find_channel(peer) - channels_.begin());
    store_u16(out.data(), static_cast<std::uint16_t>(kFirstChannel + number));
    store_u16(out.data() + 2, static_cast<std::uint16_t>(size));
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(end), pad, std::uint8_t{0});
  } else {
    stun::TransactionId id;
    if (!fill_random(environment_.rng, id)) return 0;
    stun::Writer w(out, stun::Class::Indication, id, Method::Send);
    w.xor_address(Attribute::XorPeerAddress, peer);
    w.value_in_place(Attribute::Data, size);
    if (w.finish() == 0) return 0;
  }
  keepalive_ = now + kKeepalive;
  return end + pad;
}

}  // namespace pollrtc::turn
