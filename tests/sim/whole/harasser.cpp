#include "sim/whole/harasser.h"

#include "base/bytes.h"
#include "ice/stun_message.h"

namespace pollrtc::sim {
namespace {

using test::ByteVector;

constexpr std::size_t kMemory = 300;  // datagrams

}  // namespace

Harasser::Harasser(World& world, const Fault& fault, std::vector<Side*> victims)
    : world_(world), fault_(fault), victims_(std::move(victims)), random_(fault.number) {}

void Harasser::overhear(Side& from, const Path& path, Bytes datagram) {
  overheard_.push_back({&from, path, test::to_vector(datagram)});
  if (overheard_.size() > kMemory) overheard_.pop_front();
}

ByteVector Harasser::forged_datagram(Random& random) {
  ByteVector bytes(1 + random.index(random.chance(0.8) ? 150 : 1400));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  switch (random.below(4)) {
    case 0: {  // STUN in good form, of nobody we know
      std::array<std::uint8_t, 300> out;
      stun::TransactionId id{};
      for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(random.next());
      stun::Writer writer(out, static_cast<stun::Class>(random.below(4)), id);
      if (random.chance(0.7)) writer.text(stun::Attribute::Username, "abcd:efgh");
      if (random.chance(0.3)) writer.u32(stun::Attribute::Priority, 1);
      if (random.chance(0.2)) writer.error(static_cast<int>(300 + random.below(200)), "no");
      if (random.chance(0.8)) writer.fingerprint();
      bytes.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(writer.finish()));
      break;
    }
    case 1:  // a record of DTLS
      bytes.resize(std::max<std::size_t>(bytes.size(), 14));
      bytes[0] = static_cast<std::uint8_t>(20 + random.below(6));
      bytes[1] = 254;
      bytes[2] = random.chance(0.9) ? 253 : 255;
      for (std::size_t i = 3; i < 10; ++i) bytes[i] = 0;
      bytes[4] = static_cast<std::uint8_t>(random.below(2));
      store_u16(bytes.data() + 11, static_cast<std::uint16_t>(bytes.size() - 13));
      break;
    case 2:  // ChannelData
      bytes[0] = 0x40;
      break;
    default:
      break;
  }
  return bytes;
}

void Harasser::begin() { step(world_.now() + fault_.length); }

void Harasser::step(Time end) {
  if (world_.now() > end) return;
  act();
  const double wait = 1e6 / fault_.amount;
  world_.after(Duration(static_cast<Duration::rep>(wait * (0.5 + random_.real()))),
               [this, end] { step(end); });
}

void Harasser::give(Side& victim, const Path& path, Bytes datagram) {
  if (victim.is_over() || victim.closed_by_user()) return;
  ++datagrams_;
  bytes_ += datagram.size();
  (void)victim.checked().handle_datagram(world_.now(), path, datagram);
}

void Harasser::act() {
  if (victims_.empty()) return;
  Side& victim = *victims_[random_.index(victims_.size())];
  if (victim.participant().addresses.empty()) return;
  Path path{victim.last_path().local, {}};
  if (!path.local.is_valid()) return;
  path.remote = random_.chance(0.5)
                    ? victim.last_path().remote
                    : Address::v4(203, 0, 113, 66, static_cast<std::uint16_t>(random_.next() | 1));
  if (path.remote.family != path.local.family) path.remote = victim.last_path().remote;
  if (fault_.kind == FaultKind::Sprayer) return give(victim, path, forged_datagram(random_));
  if (overheard_.empty()) return;
  const Overheard old = overheard_[random_.index(overheard_.size())];
  switch (fault_.kind) {
    case FaultKind::Replayer:  // to whom it was sent, or back to who sent it
      return give(victim, path, old.bytes);
    case FaultKind::SessionMixer:
      if (&old.from->books() != &victim.books()) give(victim, path, old.bytes);
      return;
    case FaultKind::IcmpForger:
      if (old.from->participant().is_paused || old.from->is_over()) return;
      ++datagrams_;
      bytes_ += old.bytes.size();
      old.from->checked().call(world_.now(), [&](Peer& p, Time now) {
        p.handle_icmp_error(now, old.path,
                            Bytes(old.bytes).first(std::min<std::size_t>(old.bytes.size(), 548)));
        return true;
      });
      return;
    default:
      return;
  }
}

}  // namespace pollrtc::sim
