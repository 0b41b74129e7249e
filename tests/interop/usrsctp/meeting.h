// Our association and one of usrsctp, and the path between them in virtual time, with loss and delay from a seed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>

#include "interop/usrsctp/usrsctp_peer.h"
#include "sctp/association.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::interop {

using namespace std::chrono_literals;

enum class Connects { We, Usrsctp, Both };

struct MeetingOptions {
  Connects who = Connects::Both;
  bool interleaving = false;
  double loss = 0;
  Duration delay = 10ms;
  std::uint64_t seed = 1;
  std::optional<std::uint32_t> initial_tsn = {};
};

class Meeting {
 public:
  explicit Meeting(const MeetingOptions& options)
      : loss(options.loss),
        environment(options.seed),
        ours(environment.env, config_of(options)),
        usrsctp({.interleaving = options.interleaving}),
        delay_(options.delay),
        random_(options.seed) {
    environment.env.log.level = LogLevel::Off;
    if (options.who == Connects::We) usrsctp.listen();
    if (options.who != Connects::We) usrsctp.connect();
    if (options.who != Connects::Usrsctp) REQUIRE(ours.connect(now));
    REQUIRE(run_until([this] { return is_up(); }, 200s));
  }

  bool is_up() const { return ours.state() == sctp::AssociationState::Established && usrsctp.is_up; }
  bool run_until(const std::function<bool()>& done, Duration limit) {
    for (const Time end = now + limit; now < end; now += kStep) {
      exchange();
      if (done()) return true;
      UsrsctpPeer::pass_time(static_cast<unsigned>(kStep / 1ms));
      while (ours.next_timeout() <= now) ours.handle_timeout(now);
    }
    return false;
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }

  Status send(const PeerMessage& message) {
    sctp::SendOptions options;
    options.stream = message.stream;
    options.ppid = message.ppid;
    options.unordered = message.unordered;
    options.max_retransmits = message.max_retransmits;
    if (message.lifetime_ms) options.lifetime = std::chrono::milliseconds(*message.lifetime_ms);
    return ours.send(now, options, message.bytes);
  }
  template <class Event>
  std::vector<Event> events() const {
    std::vector<Event> list;
    for (const auto& event : all_events)
      if (const auto* of_this_kind = std::get_if<Event>(&event)) list.push_back(*of_this_kind);
    return list;
  }

  Time now{};
  double loss;
  test::TestEnvironment environment;
  sctp::Association ours;
  UsrsctpPeer usrsctp;
  std::vector<PeerMessage> received;  // by us
  std::vector<sctp::Association::Event> all_events;
  bool we_read = true;

 private:
  static constexpr Duration kStep = 2ms;
  static sctp::AssociationConfig config_of(const MeetingOptions& options) {
    sctp::AssociationConfig config;
    config.initial_tsn = options.initial_tsn;
    return config;
  }

  bool is_lost() { return loss > 0 && std::uniform_real_distribution<>(0, 1)(random_) < loss; }

  void exchange() {
    for (; !flights_.empty() && flights_.begin()->first <= now; flights_.erase(flights_.begin())) {
      const auto& [to_us, packet] = flights_.begin()->second;
      if (to_us) {
        ours.handle_packet(now, packet);
      } else {
        usrsctp.handle_packet(packet);
      }
    }
    sctp::Association::Event event;
    while (ours.poll_event(event)) all_events.push_back(event);
    sctp::Message message(environment.env.memory);
    while (we_read && ours.receive(message)) {
      received.push_back({.stream = message.stream,
                          .ppid = message.ppid,
                          .unordered = message.unordered,
                          .bytes = test::to_vector(message.payload)});
      ours.release(message.charge);
    }
    std::uint8_t out[1500];
    while (const std::size_t size = ours.poll_packet(now, out))
      if (!is_lost()) flights_.emplace(now + delay_, Flight{false, Packet(out, out + size)});
    for (; !usrsctp.packets.empty(); usrsctp.packets.pop_front())
      if (!is_lost()) flights_.emplace(now + delay_, Flight{true, std::move(usrsctp.packets.front())});
  }

  struct Flight {
    bool to_us;
    Packet packet;
  };
  Duration delay_;
  std::multimap<Time, Flight> flights_;
  std::mt19937_64 random_;
};

}  // namespace pollrtc::interop
