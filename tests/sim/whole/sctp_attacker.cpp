#include "sim/whole/sctp_attacker.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "sim/whole/peer_window.h"

namespace pollrtc::sim {
namespace {

using test::ByteVector;
using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 5000;
constexpr std::size_t kCommonHeader = 12;

void append(ByteVector& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

}  // namespace

SctpAttacker::SctpAttacker(World& world, Side& vehicle, std::uint64_t seed)
    : random(seed), world_(world), vehicle_(vehicle) {
  own_tag = static_cast<std::uint32_t>(random.next()) | 1;
  next_tsn = static_cast<std::uint32_t>(random.next());
  vehicle.edit_offer = [](std::string& offer) { set_port(offer, 0); };
  vehicle.checked().takes_sctp = [this](Bytes packet) { unread_.push_back(test::to_vector(packet)); };
  vehicle.edit_answer = [](std::string& answer) { set_port(answer, kPort); };
  world_.add_actor(*this);
}

void SctpAttacker::set_port(std::string& description, std::uint16_t port) {
  const std::string line = "a=sctp-port:";
  const std::size_t at = description.find(line);
  if (at == std::string::npos) throw Violation("a description without a port for SCTP");
  description.replace(at, description.find('\r', at) - at, line + std::to_string(port));
}

ByteVector SctpAttacker::chunk(std::uint8_t type, std::uint8_t flags, Bytes value) {
  ByteVector out(4 + (value.size() + 3) / 4 * 4);
  out[0] = type;
  out[1] = flags;
  store_u16(out.data() + 2, static_cast<std::uint16_t>(4 + value.size()));
  std::copy(value.begin(), value.end(), out.begin() + 4);
  return out;
}

ByteVector SctpAttacker::data(std::uint16_t stream, std::uint32_t ppid, Bytes payload) {
  ByteVector value(16 + payload.size());  // I-DATA: what both ends announced
  store_u32(value.data(), next_tsn++);
  store_u16(value.data() + 4, stream);
  store_u32(value.data() + 12, ppid);
  std::copy(payload.begin(), payload.end(), value.begin() + 16);
  return chunk(wire::kIData, 7, value);  // unordered, all of it
}

void SctpAttacker::send(Bytes chunks) { send_with_tag(victim_tag, chunks); }

void SctpAttacker::send_with_tag(std::uint32_t tag, Bytes chunks) {
  auto& impl = inside(vehicle_.checked().unchecked());
  if (!impl.dtls || !impl.path || impl.has_ended()) return;
  ByteVector packet(kCommonHeader);
  store_u16(packet.data(), kPort);
  store_u16(packet.data() + 2, kPort);
  store_u32(packet.data() + 4, tag);
  append(packet, chunks);
  const std::uint32_t crc = crc32c(packet);
  for (std::size_t i = 0; i < 4; ++i)  // RFC 9260 Appendix A: the lowest byte first
    packet[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  ByteVector out(packet.size() + 64);
  const auto size = impl.dtls->send(vehicle_.checked().local(), packet, out);
  if (!size) return;
  bytes_sent += *size;
  ++packets_sent;
  world_.send(*vehicle_.participant().host, *impl.path, Bytes(out).first(*size), false);
}

ByteVector SctpAttacker::init_value() const {
  ByteVector value(16);
  store_u32(value.data(), own_tag);
  store_u32(value.data() + 4, a_rwnd);
  store_u32(value.data() + 8, 0xFFFFFFFF);
  store_u32(value.data() + 12, next_tsn);
  // FORWARD TSN supported; RE-CONFIG, I-DATA and their kin as supported extensions.
  const std::uint8_t extensions[] = {0xC0, 0, 0, 4, 0x80, 8, 0, 8, 0x82, 0xC0, 0x40, 0xC2};
  append(value, extensions);
  return value;
}

void SctpAttacker::pump(Time) {
  auto& impl = inside(vehicle_.checked().unchecked());
  if (!impl.dtls || impl.dtls->state() != dtls::SessionState::Connected || impl.has_ended()) return;
  if (!began_) {
    began_ = true;
    send_with_tag(0, chunk(wire::kInit, 0, init_value()));
  }
  for (const ByteVector& packet : std::exchange(unread_, {})) heard(packet);
}

void SctpAttacker::heard(Bytes bytes) {
  bytes_heard += bytes.size();
  const wire::Packet packet = wire::read_strictly(bytes);
  for (const wire::Chunk& each : packet.chunks) on_chunk(each);
  if (on_packet) on_packet(packet);
}

void SctpAttacker::on_chunk(const wire::Chunk& each) {
  const auto establish = [this] {
    if (!established_) due_ = world_.now() + tick;
    established_ = true;
  };
  switch (each.type) {
    case wire::kInit:
    case wire::kInitAck: {
      if (established_) return;
      victim_tag = wire::u32(each.value, 0);
      victim_tsn = wire::u32(each.value, 12) - 1;
      if (each.type == wire::kInit) {
        ByteVector value = init_value();
        const std::uint8_t cookie[] = {0, 7, 0, 8, 1, 2, 3, 4};
        append(value, cookie);
        return send(chunk(wire::kInitAck, 0, value));
      }
      for (const wire::Parameter& parameter : wire::parameters_of(each.value.subspan(16)))
        if (parameter.type == 7) send(chunk(wire::kCookieEcho, 0, parameter.value));
      return;
    }
    case wire::kCookieEcho:
      send(chunk(wire::kCookieAck, 0, {}));
      return establish();
    case wire::kCookieAck:
      return establish();
    case wire::kData:
    case wire::kIData: {
      const std::uint32_t tsn = wire::u32(each.value, 0);
      if (static_cast<std::int32_t>(tsn - victim_tsn) > 0) victim_tsn = tsn;
      if (!acknowledges) return;
      ByteVector sack(12);
      store_u32(sack.data(), victim_tsn);
      store_u32(sack.data() + 4, a_rwnd);
      return send(chunk(wire::kSack, 0, sack));
    }
    case wire::kHeartbeat:
      return send(chunk(wire::kHeartbeatAck, 0, each.value));
    default:
      return;
  }
}

void SctpAttacker::on_timeout(Time now) {
  due_ = now + tick;
  if (on_tick) on_tick();
}

// Sizes that a parser takes, so that what lies behind it is reached.
void SctpAttacker::polish(std::uint8_t type, ByteVector& value) {
  if (type == wire::kIData) {
    value.resize(std::max<std::size_t>(value.size(), 17));
    store_u16(value.data() + 4, static_cast<std::uint16_t>(random.below(6)));
  }
  if (type == wire::kIForwardTsn) value.resize(4 + 8 * random.index(6));
  if (type == wire::kReConfig) value.resize(16 + 2 * random.index(5));
  if (type == wire::kError) value = {0, 9, 0, 4};
  if (type == wire::kInitAck || type == wire::kCookieEcho)
    value.resize(std::max<std::size_t>(value.size(), 20));
}

ByteVector SctpAttacker::nonsense_chunk() {
  // Neither DATA nor FORWARD TSN of the other kind: they end an association that speaks I-DATA, as an ABORT does.
  static constexpr std::uint8_t kTypes[] = {
      wire::kIData,        wire::kIData,     wire::kSack,     wire::kSack,     wire::kHeartbeat,
      wire::kHeartbeatAck, wire::kError,     wire::kReConfig, wire::kReConfig, wire::kIForwardTsn,
      wire::kCookieEcho,   wire::kCookieAck, wire::kInitAck,  wire::kPad};
  std::uint8_t type = kTypes[random.below(std::size(kTypes))];
  if (random.chance(rudeness)) type = static_cast<std::uint8_t>(random.next());
  // What ends the association ends the attack.
  if (type == wire::kAbort || type == wire::kShutdown || type == wire::kShutdownAck) type = wire::kPad;
  ByteVector value(random.index(random.chance(0.9) ? 60 : 1000));
  for (std::uint8_t& byte : value) byte = static_cast<std::uint8_t>(random.chance(0.5) ? 0 : random.next());
  const auto place = [&](std::size_t at, std::uint32_t number) {
    if (value.size() >= at + 4) store_u32(value.data() + at, number);
  };
  const auto near = [&](std::uint32_t number) {
    return number + static_cast<std::uint32_t>(random.below(random.chance(0.8) ? 5 : 20000)) - 2;
  };
  if (!random.chance(rudeness)) polish(type, value);
  const bool carries_tsn =
      type == wire::kData || type == wire::kIData || type == wire::kForwardTsn || type == wire::kIForwardTsn;
  if (carries_tsn && random.chance(0.9)) place(0, near(next_tsn));
  if (type == wire::kSack && !random.chance(rudeness)) {
    value.resize(12);
    place(0, victim_tsn - static_cast<std::uint32_t>(random.below(3)));
    place(4, static_cast<std::uint32_t>(random.next()));
    place(8, 0);
  }
  if (type == wire::kHeartbeat && value.size() < 4) value.resize(4);
  if (type == wire::kHeartbeat &&
      value.size() >= 4) {  // what comes back is what was sent, so it had better be right
    store_u16(value.data(), 1);
    store_u16(value.data() + 2, static_cast<std::uint16_t>(value.size()));
  }
  if (type == wire::kReConfig && value.size() >= 16) {
    store_u16(value.data(), static_cast<std::uint16_t>(13 + random.below(6)));
    store_u16(value.data() + 2, static_cast<std::uint16_t>(value.size()));
    place(4, near(next_tsn));
  }
  auto flags = static_cast<std::uint8_t>(random.next());
  if (type == wire::kIData && !random.chance(rudeness)) {  // whole, or the first part of one of its own
    flags = random.chance(0.8) ? 7 : 6;
    place(8, ++messages_);
  }
  ByteVector out = chunk(type, flags, value);
  if (random.chance(rudeness)) store_u16(out.data() + 2, static_cast<std::uint16_t>(random.next()));
  return out;
}

void SctpAttacker::send_nonsense() {
  ByteVector chunks;
  for (std::uint64_t i = 1 + random.below(3); i != 0; --i) append(chunks, nonsense_chunk());
  if (random.chance(0.2))
    append(chunks, data(static_cast<std::uint16_t>(random.below(4)), 51, ByteVector(8)));
  if (chunks.size() > 1100) chunks.resize(1100);
  random.chance(0.95) ? send(chunks) : send_with_tag(static_cast<std::uint32_t>(random.next()), chunks);
}

}  // namespace pollrtc::sim
