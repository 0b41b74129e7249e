#include "sim/sctp_conditions.h"

#include <algorithm>
#include <cmath>

#include "sctp/path_mtu.h"
#include "sim/message_ledger.h"

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kIpAndUdp = 28;  // as sim::Link counts them

Duration between(Random& random, Duration least, Duration most) { return least + random.up_to(most - least); }

// Evenly on a logarithmic scale: short ones as likely as long ones.
Duration log_between(Random& random, Duration least, Duration most) {
  const double ratio = static_cast<double>(most.count()) / static_cast<double>(least.count());
  return Duration(
      static_cast<Duration::rep>(static_cast<double>(least.count()) * std::pow(ratio, random.real())));
}

template <std::size_t N>
std::uint32_t one_of(Random& random, const std::uint32_t (&choices)[N]) {
  return choices[random.below(N)];
}

std::uint32_t draw_tsn(Random& random) {
  const auto any = static_cast<std::uint32_t>(random.next());
  // The numbers of resets begin at the same place, and there are few of them.
  const std::uint64_t before_wrap = random.chance(0.5) ? 4 : 300;
  return random.chance(0.6) ? 0xFFFFFFFFu - static_cast<std::uint32_t>(random.below(before_wrap)) : any;
}

ChannelPlan draw_channel(Random& random, std::uint16_t stream, std::size_t largest) {
  ChannelPlan channel;
  channel.stream = stream;
  channel.kind = static_cast<ChannelPlan::Kind>(random.below(5));
  channel.pr_unordered = random.chance(0.5);
  const std::size_t tops[] = {64, 1200, 5000, largest};
  channel.largest = std::min(tops[random.below(4)], largest);
  // Whatever may come late or never must say which message it is.
  channel.smallest = channel.kind == ChannelPlan::Kind::Ordered ? 1 : MessageLedger::kSizeOfNumber;
  return channel;
}

}  // namespace

sctp::SendOptions ChannelPlan::options(Random& random) const {
  sctp::SendOptions options;
  options.stream = stream;
  Kind now = kind;
  if (kind == Kind::Mixed) now = static_cast<Kind>(random.below(4));
  options.unordered = now == Kind::Unordered;
  if (now == Kind::Retransmits) options.max_retransmits = static_cast<std::uint32_t>(random.below(4));
  if (now == Kind::Lifetime) options.lifetime = random.up_to(3s);
  if (now == Kind::Retransmits || now == Kind::Lifetime) options.unordered = pr_unordered;
  return options;
}

void Conditions::draw_limits(AssociationOptions& end) {
  Limits& limits = end.limits;
  if (random.chance(0.3)) limits = Limits::small();
  const std::uint32_t window = limits.sctp_rx_window;
  limits.sctp_rx_window =
      one_of(random, {window, window, 65536, 40001, static_cast<std::uint32_t>(9001 + random.below(30000))});
  if (random.chance(0.5)) limits.sctp_rx_window_max = limits.sctp_rx_window;
  limits.sctp_tsn_span = one_of(random, {limits.sctp_tsn_span, 2048, 301});
  limits.sctp_chunks_queued = one_of(random, {limits.sctp_chunks_queued, 2048, 301});
  if (random.chance(0.2)) limits.sctp_tx_buffer = limits.sctp_tx_buffer_channel = 40000;
  sctp::AssociationConfig& config = end.config;
  config.mtu = one_of(random, {1191, 1191, 508, 1131, static_cast<std::uint32_t>(508 + random.below(900))});
  config.max_message_rx = std::min({limits.sctp_max_message_rx, limits.sctp_rx_window / 2, 100u * 1024});
  config.announce_zero_checksum = random.chance(0.2);
  if (random.chance(0.5)) config.parameters = sctp::Parameters::over_watched_path();
  end.seed = random.next();
}

void Conditions::draw_end(EndPlan& end, std::size_t peer_window, std::size_t peer_max_message) {
  const std::size_t largest =
      std::min<std::size_t>(peer_max_message, end.association.limits.sctp_tx_buffer / 2);
  const std::size_t channels = 1 + random.index(12);
  for (std::size_t i = 0; i < channels; ++i)
    end.channels.push_back(
        draw_channel(random, static_cast<std::uint16_t>(random.below(4) == 0 ? 1000 + i : i), largest));
  if (random.chance(0.4))
    for (const ChannelPlan& channel : end.channels)
      end.association.first_numbers[channel.stream] =
          0xFFFFFFFFu - static_cast<std::uint32_t>(random.below(20));
  end.messages = random.chance(0.1) ? 2000 : 10 + random.index(400);
  if (random.chance(0.1)) end.messages = 0;
  end.send_interval = log_between(random, 1ms, 300ms);
  end.messages_at_once = 1 + random.index(random.chance(0.3) ? 50 : 4);
  // What waits when the faults stop must fit the 120 s: the peer's window for each round trip.
  end.most_buffered = std::min<std::size_t>(300 * 1024, 20 * peer_window);
  end.reads = random.chance(0.5) ? ReadStyle::AtOnce : static_cast<ReadStyle>(1 + random.below(3));
  end.read_interval = log_between(random, 1ms, end.reads == ReadStyle::Slowly ? 300ms : 20s);
  end.held_messages = random.chance(0.3) ? random.index(6) : 0;
  end.resets = random.chance(0.5) ? static_cast<int>(random.below(8)) : 0;
}

LinkConfig Conditions::draw_link() {
  LinkConfig link = good;
  link.jitter = random.chance(0.6) ? random.up_to(80ms) : Duration::zero();
  link.jitter_reorders = random.chance(0.8);
  link.loss = random.chance(0.6) ? random.real() * 0.4 : 0;
  if (random.chance(0.3)) {
    link.burst_begin = random.real() * 0.05;
    link.burst_end = 0.05 + random.real() * 0.5;
    link.burst_loss = 0.5 + random.real() * 0.5;
  }
  link.duplicate = random.chance(0.4) ? random.real() * 0.2 : 0;
  link.corrupt = corrupts_ && random.chance(0.4) ? random.real() * 0.1 : 0;
  if (random.chance(0.12)) link.mtu = 28 + 300 + random.index(900);
  if (random.chance(0.2)) {
    link.bits_per_second = 100'000 + random.below(20'000'000);
    link.queue_bytes = 8000 + random.index(64'000);
  }
  return link;
}

// Ends that look for the size of the path, or only live with it, and paths that change their size. Where nothing is cut, the
// size never falls below what the ends begin with: they could not know.
void Conditions::draw_path() {
  std::uint32_t largest_base = 0;
  for (AssociationOptions* end : {&a.association, &b.association}) {
    sctp::AssociationConfig& config = end->config;
    config.below = kIpAndUdp;
    if (random.chance(0.6)) config.max_ip = one_of(random, {1500, 1500, 1280, 1420, 9000});
    largest_base = std::max(largest_base, config.mtu + kIpAndUdp);
  }
  const auto draw = [this] {
    const std::uint32_t any =
        sctp::PathMtu::kSmallest + kIpAndUdp + static_cast<std::uint32_t>(random.below(1000));
    return std::size_t{one_of(random, {0, 1500, 1500, 1492, 1400, 1280, 576, 9000, any, any})};
  };
  path.cuts = random.chance(0.8);
  if (random.chance(0.6)) path.at_first = draw();
  if (!path.cuts && path.at_first != 0) path.at_first = std::max<std::size_t>(path.at_first, largest_base);
  const std::uint64_t changes = path.cuts && random.chance(0.5) ? 1 + random.below(3) : 0;
  for (std::uint64_t i = 0; i < changes; ++i) path.changes.emplace_back(Duration{}, draw());
}

Conditions::Conditions(std::uint64_t seed) : random(seed * 0x9E3779B97F4A7C15u + 1) {
  draw_limits(a.association);
  draw_limits(b.association);
  AssociationOptions &first = a.association, &second = b.association;
  first.config.initial_tsn = second.peer_initial_tsn = draw_tsn(random);
  second.config.initial_tsn = first.peer_initial_tsn = draw_tsn(random);
  first.config.interleaving = second.config.interleaving = seed % 2 == 0;
  // A checksum that is left out is left to DTLS, which lets nothing through that has changed.
  corrupts_ = !first.config.announce_zero_checksum && !second.config.announce_zero_checksum;
  draw_end(a, second.limits.sctp_rx_window, second.config.max_message_rx);
  draw_end(b, first.limits.sctp_rx_window, first.config.max_message_rx);
  // Both ends count a stream from the same number, each for its own direction.
  for (const auto& [stream, number] : first.first_numbers) second.first_numbers.emplace(stream, number);
  first.first_numbers = second.first_numbers;

  draw_path();
  good.delay = log_between(random, 1ms, 150ms);
  bad_a_to_b = draw_link();
  bad_b_to_a = random.chance(0.5) ? draw_link() : bad_a_to_b;
  bad_from_the_start = random.chance(0.5);
  both_connect = random.chance(0.8);
  faults = between(random, 3s, 60s);
  redraw = log_between(random, 1s, 60s);
  const std::uint64_t count = random.chance(0.5) ? random.below(4) : 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    PausePlan pause{random.up_to(faults), log_between(random, 100ms, 10min)};
    if (random.chance(0.4)) (random.chance(0.5) ? pause.a_to_b : pause.b_to_a) = false;
    pauses.push_back(pause);
  }
  for (const PausePlan& pause : pauses) faults = std::max(faults, pause.begin + pause.length + 1s);
  for (auto& [when, mtu] : path.changes) when = random.up_to(faults);
  std::sort(path.changes.begin(), path.changes.end());
  const Ending endings[] = {Ending::Shutdown,
                            Ending::Shutdown,
                            Ending::ShutdownWithData,
                            Ending::ShutdownWithData,
                            Ending::Idle,
                            Ending::ShutdownInFaults,
                            Ending::Abort,
                            Ending::AbortInFaults};
  ending = endings[random.below(8)];
  a_ends = random.chance(0.6);
  b_ends = !a_ends || random.chance(0.3);
  end_at = random.up_to(faults);
}

}  // namespace pollrtc::sim
