// Two whole peers, connected: the network between them and their users do what the input says. Messages of a reliable, ordered
// channel arrive complete, once and in order, or not at all; what was damaged on its way is never delivered. All that waits to be
// read is charged to the receive window.
//
// Input: steps. A byte says what happens and to which end, and what follows is its argument.
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "pollrtc/peer.h"
#include "sim/whole/peer_window.h"
#include "support.h"

using namespace pollrtc;
using namespace std::chrono_literals;

namespace {

struct Random {
  Environment environment;
  std::uint32_t state;
  explicit Random(std::uint32_t seed) : state(seed) {
    environment.rng = {fill_counting, &state};
    environment.limits = Limits::small();
  }
};

// Making a key takes longer than the rest of a run.
const CertificatePem& certificate() {
  static const CertificatePem made = [] {
    Random random(1);
    return *generate_certificate(random.environment, 1'790'000'000);
  }();
  return made;
}

struct Datagram {
  Path path;  // as its receiver sees it
  std::vector<std::uint8_t> bytes;
};

struct End {
  Random random;
  Address address;
  Peer peer;
  std::deque<Datagram> waiting;
  std::vector<ChannelHandle> channels;
  std::optional<ChannelHandle> kept;  // the reliable one, that is looked at closely
  std::uint32_t sent = 0, received = 0;

  End(std::uint32_t seed, std::uint8_t host)
      : random(seed), address(Address::v4(192, 0, 2, host, 5000)), peer(create()) {}
  Peer create() {
    PeerConfig config;
    config.certificate_pem = certificate().certificate;
    config.private_key_pem = certificate().private_key;
    auto made = Peer::create(random.environment, config, Time{1h});
    check(made.has_value());
    return *std::move(made);
  }
};

class Pair {
 public:
  explicit Pair(Bytes input) : input_(input) {}

  void run() {
    ends_[0].kept = create(ends_[0], "kept", 0);
    check(ends_[0].kept.has_value());
    negotiate(0, {});
    for (int turn = 0; turn < 400 && !ends_[1].kept; ++turn) go_on(20ms);
    check(ends_[1].kept.has_value());
    for (int steps = 0; steps < 150 && !input_.rest().empty(); ++steps) {
      const std::uint8_t what = input_.u8();
      step(what / 2 % 16, ends_[what % 2], what % 2);
      for (End& end : ends_) drain(end);
    }
    finish();
  }

 private:
  static void ignore(const Status&) {}
  Bytes bytes() { return input_.take(std::min<std::size_t>(input_.u8(), input_.rest().size())); }

  std::optional<ChannelHandle> create(End& end, std::string_view label, std::uint8_t flags) {
    ChannelOptions options;
    options.label = label;
    options.ordered = (flags & 1) == 0;
    if ((flags & 6) == 2) options.max_retransmits = flags / 8;
    if ((flags & 6) == 4) options.max_lifetime_ms = flags;
    options.discard_when_full = (flags & 64) != 0;
    options.priority = (flags & 128) != 0 ? 1024 : 256;
    const auto made = end.peer.create_channel(now_, options);
    if (!made) return {};
    end.channels.push_back(*made);
    return *made;
  }

  // Offer, answer and addresses, as far as both ends will have them now.
  void negotiate(std::size_t from, const OfferOptions& options) {
    End &a = ends_[from], &b = ends_[1 - from];
    const auto offer = a.peer.create_offer(now_, options);
    if (!offer || !a.peer.set_local_description(now_, SdpType::Offer, *offer)) return;
    if (!b.peer.set_remote_description(now_, SdpType::Offer, *offer)) return;
    const auto answer = b.peer.create_answer(now_);
    if (!answer || !b.peer.set_local_description(now_, SdpType::Answer, *answer)) return;
    ignore(a.peer.set_remote_description(now_, SdpType::Answer, *answer));
  }

  void step(int what, End& end, std::size_t index) {
    End& other = ends_[1 - index];
    switch (what) {
      case 0:
        create(end, "fuzzed", input_.u8());
        return;
      case 1:
        return send_kept(end, input_.u8());
      case 2:
        return use_channel(end);
      case 3:  // the network keeps the order or not, loses, doubles and damages
        return trouble(end, input_.u8());
      case 4: {
        const Bytes given = bytes();
        other.waiting.push_back({{other.address, end.address}, {given.begin(), given.end()}});
        return;
      }
      case 5:
        return negotiate(index, OfferOptions{true});
      case 6:
        return negotiate(index, {});
      case 7:
        return go_on(std::chrono::milliseconds(input_.u8() * 50));
      case 8:
        ignore(end.peer.remove_local_address(now_, end.address));
        return;
      case 9:
        return end.peer.handle_icmp_error(now_, {end.address, other.address}, bytes());
      case 10:
        return (input_.u8() & 7) == 0 ? end.peer.close(now_) : go_on(1ms);
      default:
        return go_on(std::chrono::milliseconds(what * 5));
    }
  }

  // Numbered messages of a length that goes by the number, filled with it.
  static std::vector<std::uint8_t> kept_message(std::uint32_t number, std::uint8_t length) {
    std::vector<std::uint8_t> message(5 + std::size_t{length} * 24, static_cast<std::uint8_t>(number));
    for (std::size_t i = 0; i < 4; ++i) message[i] = static_cast<std::uint8_t>(number >> (8 * i));
    message[4] = length;
    return message;
  }
  void send_kept(End& end, std::uint8_t length) {
    if (end.kept && end.peer.send(now_, *end.kept, kept_message(end.sent, length), false)) ++end.sent;
  }

  void use_channel(End& end) {
    const std::uint8_t choice = input_.u8();
    if (end.channels.empty()) return;
    const ChannelHandle channel = end.channels[choice / 8 % end.channels.size()];
    if (end.kept == channel) return;
    switch (choice % 8) {
      case 0:
        return ignore(end.peer.close_channel(now_, channel));
      case 1:
        std::erase(end.channels, channel);
        return end.peer.release_channel(now_, channel);
      case 2:
        return ignore(end.peer.receive_in_pieces(channel, input_.u8() % 2 != 0));
      case 3:
        return ignore(end.peer.send_piece(now_, channel, bytes(), false, false));
      case 4:
        return ignore(end.peer.send_piece(now_, channel, bytes(), false, true));
      case 5:
        return ignore(end.peer.abandon_message(now_, channel));
      case 6:
        return ignore(end.peer.send(now_, channel, bytes(), true, choice));
      default:
        return ignore(
            end.peer.send(now_, channel, std::vector<std::uint8_t>(input_.u8() * 97, choice), false));
    }
  }

  void trouble(End& end, std::uint8_t choice) {
    if (end.waiting.empty()) return;
    const std::size_t which = choice / 4 % end.waiting.size();
    Datagram& datagram = end.waiting[which];
    switch (choice % 4) {
      case 0:
        end.waiting.erase(end.waiting.begin() + static_cast<std::ptrdiff_t>(which));
        return;
      case 1:
        end.waiting.push_back(Datagram(datagram));
        return;
      case 2:
        std::swap(datagram, end.waiting.back());
        return;
      default:
        if (datagram.bytes.empty()) return;
        const std::size_t at = input_.u8() % datagram.bytes.size();
        datagram.bytes[at] = static_cast<std::uint8_t>(datagram.bytes[at] ^ (input_.u8() | 1));
    }
  }

  // What waits is delivered, then time passes; the deadlines on the way are kept.
  void go_on(Duration duration) {
    const Time until = now_ + duration;
    for (int turns = 0; turns < 2000; ++turns) {
      for (End& end : ends_) deliver(end);
      const Time due = std::min(ends_[0].peer.next_timeout(), ends_[1].peer.next_timeout());
      const bool quiet = ends_[0].waiting.empty() && ends_[1].waiting.empty();
      if (quiet && due > until) break;
      if (quiet) now_ = std::max(now_, due);
      for (End& end : ends_) {
        const Time own = end.peer.next_timeout();
        if (own > now_) continue;
        end.peer.handle_timeout(now_);
        drain(end);
        check(end.peer.next_timeout() > own);
      }
    }
    now_ = std::max(now_, until);
  }

  void deliver(End& end) {
    drain(end);
    for (std::size_t n = end.waiting.size(); n > 0; --n) {
      const Datagram datagram = std::move(end.waiting.front());
      end.waiting.pop_front();
      end.peer.handle_datagram(now_, datagram.path, datagram.bytes);
      drain(end);
    }
  }

  void drain(End& end) {
    End& other = &end == &ends_[0] ? ends_[1] : ends_[0];
    std::array<std::uint8_t, 2048> out;
    for (int n = 0; const auto transmit = end.peer.poll_transmit(now_, out); ++n) {
      check(n < 5000 && transmit->size > 0 && transmit->size <= 1500);
      if (transmit->path.remote != other.address || other.waiting.size() >= 200) continue;
      other.waiting.push_back({{other.address, end.address}, {out.data(), out.data() + transmit->size}});
    }
    Peer::Event event;
    for (int n = 0; end.peer.poll_event(event); ++n) {
      check(n < 5000);
      handle(end, other, event);
    }
    check_window(end.peer);
  }

  // INV-12: what came and was not read is charged to the receive window, and nothing else is.
  static void check_window(Peer& peer) {
    const auto& impl = sim::inside(peer);
    if (!impl.association || impl.has_ended()) return;
    check(sctp::Inspector::window_used(*impl.association) == sim::window_held(peer));
  }

  void handle(End& end, End& other, const Peer::Event& event) {
    if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
      ignore(end.peer.add_local_address(now_, end.address));
      end.peer.local_addresses_done(now_);
    } else if (const auto* found = std::get_if<Peer::LocalCandidate>(&event)) {
      ignore(other.peer.add_remote_candidate(now_, found->mid, found->index, found->line, found->ufrag));
    } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
      end.channels.push_back(announced->channel);
      if (end.peer.channel(announced->channel)->label == "kept") end.kept = announced->channel;
    } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event)) {
      receive(end, other, message->channel);
    }
  }

  void receive(End& end, const End& other, ChannelHandle channel) {
    const auto message = end.peer.receive(now_, channel);
    if (!message || end.kept != channel) return;
    check(message->data.size() >= 5 && message->begins && message->ends && !message->is_text);
    check(end.received < other.sent);
    check(std::ranges::equal(message->data, kept_message(end.received, message->data[4])));
    ++end.received;
  }

  // Of a network that works again, everything comes.
  void finish() {
    const auto connected = [](const End& end) {
      return end.peer.connection_state() == ConnectionState::Connected;
    };
    const auto is_done = [&] {
      return ends_[0].received == ends_[1].sent && ends_[1].received == ends_[0].sent;
    };
    for (int turn = 0; turn < 300 && !is_done(); ++turn) go_on(500ms);
    check(is_done() || !connected(ends_[0]) || !connected(ends_[1]));
  }

  ByteReader input_;
  Time now_{1h};
  End ends_[2] = {End(2, 1), End(3, 2)};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Pair(Bytes(data, size)).run();
  return 0;
}
