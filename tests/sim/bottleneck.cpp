#include "sim/bottleneck.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace pollrtc::sim {

namespace {
constexpr std::uint16_t kBulk = 1, kPing = 2;
constexpr std::size_t kAhead = 1024 * 1024;  // what the user keeps in the send buffer
}  // namespace

struct Bottleneck::Flow {
  Flow(const FlowConfig& c, std::uint64_t seed)
      : config(c), sender_environment(seed), receiver_environment(seed + 1) {
    for (auto* e : {&sender_environment, &receiver_environment}) {
      e->env.limits = c.limits;
      e->env.log.level = LogLevel::Off;
    }
    sender.emplace(sender_environment.env, c.association);
    receiver.emplace(receiver_environment.env, c.association);
    message.assign(c.message, 0x5A);
  }
  FlowConfig config;
  test::TestEnvironment sender_environment, receiver_environment;
  std::optional<sctp::Association> sender, receiver;
  std::vector<std::uint8_t> message;
  std::deque<std::vector<std::uint8_t>> held;    // for the sender, until it polls
  std::deque<std::vector<std::uint8_t>> socket;  // for the receiver, until its host reads
  Time next_poll = kNever, next_ping = kNever, next_feed = kNever, next_read = kNever;
  std::uint64_t received = 0;
  std::vector<double> ping_delays;
  double limited_sent = 0;  // bytes
  bool has_begun = false, is_paused = false;
};

Bottleneck::Bottleneck(const BottleneckConfig& config, const std::vector<FlowConfig>& flows)
    : config_(config),
      random_(config.seed * 0x9E3779B97F4A7C15u + 1),
      tokens_(static_cast<double>(config.policed_burst)) {
  std::uint64_t seed = 1000 * config.seed;
  for (const FlowConfig& flow : flows) {
    flows_.push_back(std::make_unique<Flow>(flow, seed += 2));
    flows_.back()->next_poll = Time(flow.begins);
    // As ICE does.
    flows_.back()->sender->set_initial_rtt(round_trip(*flows_.back()));
    flows_.back()->receiver->set_initial_rtt(round_trip(*flows_.back()));
  }
}

Bottleneck::~Bottleneck() = default;

double Bottleneck::payload_rate() const {
  const double mtu = flows_.front()->config.association.mtu & ~3u;
  return config_.bits_per_second / 8 * (mtu - 12 - 20) / (mtu + kBelow);
}

std::uint64_t Bottleneck::received(std::size_t flow) const { return flows_[flow]->received; }
sctp::AssociationStats Bottleneck::stats(std::size_t flow) const { return flows_[flow]->sender->stats(); }

std::vector<double> Bottleneck::take_ping_delays(std::size_t flow) {
  std::vector<double> delays = std::move(flows_[flow]->ping_delays);
  flows_[flow]->ping_delays.clear();
  std::sort(delays.begin(), delays.end());
  return delays;
}

Bottleneck::Waits Bottleneck::take_waits() {
  if (waits_.empty()) return {};
  std::sort(waits_.begin(), waits_.end());
  const double sum = std::accumulate(waits_.begin(), waits_.end(), 0.0);
  const Waits result{sum / static_cast<double>(waits_.size()), waits_[waits_.size() * 95 / 100],
                     waits_.back()};
  waits_.clear();
  return result;
}

double Bottleneck::random() {
  random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
  return static_cast<double>(random_ >> 11) / 9007199254740992.0;
}
bool Bottleneck::chance(double probability) { return probability > 0 && random() < probability; }

Duration Bottleneck::round_trip(const Flow& flow) const { return config_.round_trip + flow.config.longer; }

void Bottleneck::insert(std::deque<Packet>& packets, Packet packet) {
  auto at = packets.end();
  while (at != packets.begin() && std::prev(at)->arrival > packet.arrival) --at;
  packets.insert(at, std::move(packet));
}

bool Bottleneck::is_policed(std::size_t size) {
  if (config_.policed_bits <= 0) return false;
  const double now = static_cast<double>(now_.time_since_epoch().count());
  tokens_ = std::min(tokens_ + (now - tokens_at_) * config_.policed_bits / 8e6,
                     static_cast<double>(config_.policed_burst));
  tokens_at_ = now;
  if (tokens_ < static_cast<double>(size)) return true;
  tokens_ -= static_cast<double>(size);
  return false;
}

void Bottleneck::enqueue(Flow& flow, Bytes packet) {
  const double microseconds = static_cast<double>(packet.size() + kBelow) * 8e6 / config_.bits_per_second;
  const double full =
      static_cast<double>(flow.config.association.mtu + kBelow) * 8e6 / config_.bits_per_second;
  const double now = static_cast<double>(now_.time_since_epoch().count());
  const double begin = std::max(now, free_at_);
  if (is_policed(packet.size() + kBelow) || begin - now > full * static_cast<double>(config_.queue_packets)) {
    ++dropped_;
    return;
  }
  free_at_ = begin + microseconds;
  waits_.push_back(static_cast<float>((begin - now) / 1000));
  if (chance(config_.loss)) return;
  Time arrival = Time(Duration(static_cast<Duration::rep>(free_at_))) + round_trip(flow) / 2;
  if (config_.jitter > Duration::zero())
    arrival += Duration(static_cast<Duration::rep>(random() * static_cast<double>(config_.jitter.count())));
  insert(forward_, {arrival, &flow, {packet.begin(), packet.end()}, free_at_});
}

void Bottleneck::change(double bits_per_second, Duration round_trip) {
  const double now = static_cast<double>(now_.time_since_epoch().count());
  const double factor = config_.bits_per_second / bits_per_second;
  for (Packet& packet : forward_) {
    if (packet.departure <= now) continue;
    const double departure = now + (packet.departure - now) * factor;
    packet.arrival += Duration(static_cast<Duration::rep>(departure - packet.departure)) +
                      (round_trip - config_.round_trip) / 2;
    packet.departure = departure;
  }
  std::stable_sort(forward_.begin(), forward_.end(),
                   [](const Packet& a, const Packet& b) { return a.arrival < b.arrival; });
  free_at_ = std::max(now, now + (free_at_ - now) * factor);
  config_.bits_per_second = bits_per_second;
  config_.round_trip = round_trip;
}

void Bottleneck::change_path(std::size_t flow, double bits_per_second, Duration round_trip) {
  change(bits_per_second, round_trip);
  Flow& moved = *flows_[flow];
  moved.sender->on_path_change(now_, {.base = moved.config.association.mtu});
}

void Bottleneck::pause(std::size_t flow, bool paused) {
  flows_[flow]->is_paused = paused;
  flows_[flow]->next_poll = now_;
}

void Bottleneck::send_data(Flow& flow) {
  std::uint8_t packet[16384];
  feed(flow);
  while (const std::size_t size = flow.sender->poll_packet(now_, packet)) {
    enqueue(flow, {packet, size});
    feed(flow);
  }
}

void Bottleneck::send_back(Flow& flow) {
  std::uint8_t packet[16384];
  while (const std::size_t size = flow.receiver->poll_packet(now_, packet))
    if (!chance(config_.loss_back)) {
      Time arrival = now_ + round_trip(flow) / 2;
      if (const auto every = config_.back_every; every > Duration::zero())
        arrival += (every - arrival.time_since_epoch() % every) % every;
      insert(back_, {arrival, &flow, {packet, packet + size}});
    }
}

// The user's part.
void Bottleneck::feed(Flow& flow) {
  if (flow.sender->state() != sctp::AssociationState::Established) return;
  sctp::SendOptions options;
  if (flow.config.ping_every > Duration::zero() && (flow.next_ping == kNever || now_ >= flow.next_ping)) {
    flow.next_ping = now_ + flow.config.ping_every;
    options.stream = kPing;
    std::uint8_t bytes[64] = {};
    const auto at = now_.time_since_epoch().count();
    std::memcpy(bytes, &at, sizeof at);
    static_cast<void>(flow.sender->send(now_, options, bytes));
  }
  options.stream = kBulk;
  const double allowed = flow.config.limited_to / 8e6 * static_cast<double>(now_.time_since_epoch().count());
  while (flow.config.is_bulk && !flow.is_paused && flow.sender->buffered_amount(kBulk) < kAhead &&
         (flow.config.limited_to <= 0 || flow.limited_sent < allowed) &&
         flow.sender->send(now_, options, flow.message)) {
    flow.limited_sent += static_cast<double>(flow.message.size());
  }
  if (flow.config.limited_to > 0 && !flow.is_paused) {
    const Time due(
        Duration(static_cast<Duration::rep>(flow.limited_sent * 8e6 / flow.config.limited_to) + 1));
    flow.next_feed = std::max(due, now_ + Duration(1000));
  }
}

Time Bottleneck::next_time() const {
  Time next = kNever;
  if (!forward_.empty()) next = std::min(next, forward_.front().arrival);
  if (!back_.empty()) next = std::min(next, back_.front().arrival);
  for (const auto& flow : flows_) {
    next = std::min(next, flow->next_poll);
    if (!flow->has_begun) continue;
    next = std::min({next, flow->receiver->next_timeout(), flow->next_read});
    if (flow->config.poll_every > Duration::zero()) continue;
    next = std::min({next, flow->sender->next_timeout(), flow->next_ping, flow->next_feed});
  }
  return next;
}

// For a host that reads now and then, until it comes to its socket again; false: it reads each as it comes.
bool Bottleneck::leave_for_reader(Packet& packet) {
  const Duration every = config_.read_every;
  if (every <= Duration::zero()) return false;
  Flow& flow = *packet.flow;
  if (flow.next_read == kNever) flow.next_read = now_ + every - now_.time_since_epoch() % every;
  if (flow.socket.size() < config_.socket_packets) {
    flow.socket.push_back(std::move(packet.bytes));
  } else {
    ++dropped_;
  }
  return true;
}

void Bottleneck::take_in(Flow& flow, Bytes packet) {
  flow.receiver->handle_packet(now_, packet);
  sctp::Message message(flow.receiver_environment.env.memory);
  while (flow.receiver->receive(message)) {
    if (message.stream == kBulk) flow.received += message.payload.size();
    if (message.stream == kPing) {
      Duration::rep at = 0;
      std::memcpy(&at, message.payload.data(), sizeof at);
      const Duration took = now_.time_since_epoch() - Duration(at) - round_trip(flow) / 2;
      flow.ping_delays.push_back(static_cast<double>(took.count()) / 1000);
    }
    flow.receiver->release(message.charge);
  }
}

void Bottleneck::deliver() {
  for (; !forward_.empty() && forward_.front().arrival <= now_; forward_.pop_front()) {
    Packet& packet = forward_.front();
    if (leave_for_reader(packet)) continue;
    take_in(*packet.flow, packet.bytes);
    send_back(*packet.flow);
  }
  for (const auto& flow : flows_) {
    if (now_ < flow->next_read) continue;
    flow->next_read = kNever;
    for (; !flow->socket.empty(); flow->socket.pop_front()) {
      take_in(*flow, flow->socket.front());
      if (!config_.acks_reads) send_back(*flow);
    }
    send_back(*flow);
  }
  while (!back_.empty() && back_.front().arrival <= now_) {
    Flow& flow = *back_.front().flow;
    if (flow.config.poll_every > Duration::zero()) {
      flow.held.push_back(std::move(back_.front().bytes));
    } else {
      flow.sender->handle_packet(now_, back_.front().bytes);
    }
    back_.pop_front();
  }
}

void Bottleneck::run_until(Duration end) {
  for (;;) {
    const Time next = next_time();
    if (next > Time(end)) break;
    now_ = std::max(now_, next);
    deliver();
    for (const auto& flow : flows_) {
      const bool is_polled = flow->config.poll_every > Duration::zero();
      if (now_ >= flow->next_poll) {
        if (!flow->has_begun) static_cast<void>(flow->sender->connect(now_));
        flow->has_begun = true;
        flow->next_poll = is_polled ? now_ + flow->config.poll_every : kNever;
        for (; !flow->held.empty(); flow->held.pop_front())
          flow->sender->handle_packet(now_, flow->held.front());
      } else if (is_polled || !flow->has_begun) {
        continue;
      }
      flow->sender->handle_timeout(now_);
      sctp::Association::Event event;
      while (flow->sender->poll_event(event)) {
      }
      send_data(*flow);
    }
    for (const auto& flow : flows_) {
      flow->receiver->handle_timeout(now_);
      sctp::Association::Event event;
      while (flow->receiver->poll_event(event)) {
      }
      send_back(*flow);
    }
  }
  now_ = Time(end);
}

}  // namespace pollrtc::sim
