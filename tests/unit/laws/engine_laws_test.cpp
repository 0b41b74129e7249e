// The promises of unit/engine_laws.h, kept by the engines.
#include "unit/engine_laws.h"

#include "base/bytes.h"
#include "ice/generations.h"
#include "pollrtc/peer.h"
#include "sctp/association.h"
#include "unit/dtls/pair.h"

using namespace pollrtc;

namespace {

// Two agents, or two sessions of ICE, that signal to each other at once.
template <class IceEngine>
struct IceSubject {
  using Engine = IceEngine;
  static constexpr bool kReproducible = true;

  std::unique_ptr<Engine> make(Environment& environment, Time now, int end) {
    auto agent = std::make_unique<Engine>(environment, ice::AgentConfig{.controlling = end == 0});
    if (!agent->start(now)) return nullptr;
    ends[end] = agent.get();
    if (end == 1 && ends[0] != nullptr) {
      for (const int i : {0, 1}) {
        Engine& other = *ends[1 - i];
        (void)ends[i]->set_remote_credentials(now, other.local_ufrag(), other.local_pwd(), false);
        (void)ends[i]->add_local_address(now, test::kLawEnds[static_cast<std::size_t>(i)], false);
        ends[i]->local_addresses_done(now);
      }
    }
    return agent;
  }
  void on_event(Engine&, Time now, int end, const ice::Agent::Event& event, std::string& outcome) {
    if (const auto* local = std::get_if<ice::Agent::LocalCandidate>(&event)) {
      if (ends[1 - end] != nullptr) (void)ends[1 - end]->add_remote_candidate(now, local->candidate);
      outcome += "candidate,";
    } else if (std::holds_alternative<ice::Agent::GatheringDone>(event)) {
      outcome += "done,";
      if (ends[1 - end] != nullptr) ends[1 - end]->end_of_remote_candidates(now);
    } else if (std::holds_alternative<ice::Agent::PairSelected>(event)) {
      outcome += "selected,";
    }
    // Not the states: those passed through between two polls are skipped.
  }
  void collect(Engine&, Time, int, std::string&) {}

  Engine* ends[2] = {};
};

// A handshake; then the client says goodbye. Payload does not come from poll_packet(), so there is none.
struct SessionSubject {
  using Engine = dtls::Session;
  static constexpr bool kReproducible = false;

  std::unique_ptr<Engine> make(Environment& environment, Time now, int end) {
    const auto& own = end == 0 ? test::client_certificate() : test::server_certificate();
    const Fingerprint expected =
        (end == 0 ? test::server_certificate() : test::client_certificate()).fingerprint();
    auto session = std::make_unique<Engine>(environment, own);
    if (!session->set_remote_fingerprints(now, {&expected, 1})) return nullptr;
    if (!session->start(now, end == 0 ? dtls::Role::Client : dtls::Role::Server)) return nullptr;
    return session;
  }
  void on_event(Engine& session, Time now, int end, const Engine::Event& event, std::string& outcome) {
    if (std::holds_alternative<Engine::Connected>(event)) {
      outcome += "connected,";
      if (end == 0) session.close(now);
    } else if (const auto* ended = std::get_if<Engine::Ended>(&event)) {
      outcome += "ended:" + std::string(name_of(ended->reason)) + ",";
    }
  }
  void collect(Engine&, Time, int, std::string&) {}
};

std::string text_of(int end, int number, std::size_t size) {
  std::string text = std::to_string(end) + "/" + std::to_string(number);
  text.resize(size, static_cast<char>('a' + number));
  return text;
}

constexpr std::size_t kSizes[] = {3, 1191, 5000, 30000};

// Both ends send four messages and reset the stream.
struct AssociationSubject {
  using Engine = sctp::Association;
  static constexpr bool kReproducible = true;

  std::unique_ptr<Engine> make(Environment& environment, Time now, int end) {
    memory[end] = environment.memory;
    auto association = std::make_unique<Engine>(environment, sctp::AssociationConfig{});
    if (!association->connect(now)) return nullptr;
    return association;
  }
  void on_event(Engine& association, Time now, int end, const Engine::Event& event, std::string& outcome) {
    if (std::holds_alternative<Engine::Connected>(event)) {
      outcome += "connected,";
      int number = 0;
      for (const std::size_t size : kSizes) {
        const std::string text = text_of(end, number++, size);
        if (!association.send(now, {.stream = 7, .ppid = 53}, as_bytes(text))) outcome += "refused,";
      }
      if (!association.reset_stream(now, 7)) outcome += "no reset,";
    } else if (const auto* ended = std::get_if<Engine::Ended>(&event)) {
      outcome += "ended:" + std::string(name_of(ended->reason)) + ",";
    }
    // Not ResetDone: whether the other end's messages are taken before it or after is the user's choice.
  }
  void collect(Engine& association, Time, int end, std::string& outcome) {
    sctp::Message message(memory[end]);
    while (association.receive(message)) {
      association.release(message.charge);
      if (std::string(as_text(message.payload)) !=
          text_of(1 - end, received[end], kSizes[static_cast<std::size_t>(received[end]) % 4]))
        FAIL("message " << received[end] << " of end " << end << " is not what was sent");
      ++received[end];
      outcome += "m,";
    }
  }

  Memory memory[2];
  int received[2] = {};
};

// Two peers, their signalling, a channel, and four messages each way.
struct PeerSubject {
  using Engine = Peer;
  static constexpr bool kReproducible = false;  // DTLS

  std::unique_ptr<Engine> make(Environment& environment, Time now, int end) {
    auto made = Peer::create(environment, {}, now);
    if (!made) return nullptr;
    auto peer = std::make_unique<Engine>(*std::move(made));
    ends[end] = peer.get();
    if (end == 1 && ends[0] != nullptr) negotiate(now);
    return peer;
  }
  void negotiate(Time now) {
    if (!ends[0]->create_channel(now, {.label = "laws"})) return;
    const auto offer = ends[0]->create_offer(now);
    if (!offer || !ends[0]->set_local_description(now, SdpType::Offer, *offer)) return;
    if (!ends[1]->set_remote_description(now, SdpType::Offer, *offer)) return;
    const auto answer = ends[1]->create_answer(now);
    if (!answer || !ends[1]->set_local_description(now, SdpType::Answer, *answer)) return;
    (void)ends[0]->set_remote_description(now, SdpType::Answer, *answer);
  }
  void on_event(Engine& peer, Time now, int end, const Engine::Event& event, std::string& outcome) {
    Engine* const other = ends[1 - end];
    if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
      (void)peer.add_local_address(now, test::kLawEnds[static_cast<std::size_t>(end)]);
      peer.local_addresses_done(now);
    } else if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) {
      if (other != nullptr) (void)other->add_remote_candidate(now, c->mid, c->index, c->line);
    } else if (const auto* changed = std::get_if<Peer::ConnectionChanged>(&event)) {
      outcome += std::string(name_of(changed->state)) + ",";
    } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
      outcome += "opened,";
      send_all(peer, now, end, opened->channel);
    } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
      outcome += "announced,";
      send_all(peer, now, end, announced->channel);
    } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event)) {
      outcome += "closed:" + std::string(name_of(closed->reason)) + ",";
    } else if (const auto* message = std::get_if<Peer::MessageReceived>(&event)) {
      while (const auto view = peer.receive(now, message->channel)) {
        const std::string expected =
            text_of(1 - end, received[end], kSizes[static_cast<std::size_t>(received[end]) % 4]);
        outcome += as_text(view->data) == expected ? "m," : "?,";
        ++received[end];
      }
    }
  }
  void send_all(Engine& peer, Time now, int end, ChannelHandle channel) {
    int number = 0;
    for (const std::size_t size : kSizes)
      (void)peer.send(now, channel, as_bytes(text_of(end, number++, size)), true);
  }
  void collect(Engine&, Time, int, std::string&) {}

  Engine* ends[2] = {};
  int received[2] = {};
};

// What the user of `end` sees of a run in which nothing goes wrong.
template <class Subject>
std::string outcome(std::size_t end) {
  test::LawRun<Subject> run(1, test::Schedule::DrainAlways);
  CHECK(run.run() == "");
  return run.outcome()[end];
}

}  // namespace

TEST_CASE("engine laws: ice::Agent", "[API-20]") {
  CHECK(outcome<IceSubject<ice::Agent>>(0) == "candidate,done,selected,");
  CHECK(outcome<IceSubject<ice::Agent>>(1) == "candidate,done,selected,");
  test::check_engine_laws<IceSubject<ice::Agent>>();
}

TEST_CASE("engine laws: ice::Generations", "[API-20]") {
  CHECK(outcome<IceSubject<ice::Generations>>(0) == "candidate,done,selected,");
  CHECK(outcome<IceSubject<ice::Generations>>(1) == "candidate,done,selected,");
  test::check_engine_laws<IceSubject<ice::Generations>>();
}

TEST_CASE("engine laws: dtls::Session") {
  CHECK(outcome<SessionSubject>(0) == "connected,ended:Local,");
  CHECK(outcome<SessionSubject>(1) == "connected,ended:Remote,");
  test::check_engine_laws<SessionSubject>();
}

TEST_CASE("engine laws: sctp::Association", "[API-20]") {
  CHECK(outcome<AssociationSubject>(0) == "connected,m,m,m,m,");
  CHECK(outcome<AssociationSubject>(1) == "connected,m,m,m,m,");
  test::check_engine_laws<AssociationSubject>();
}

TEST_CASE("engine laws: Peer") {
  CHECK(outcome<PeerSubject>(0) == "connecting,connected,opened,m,m,m,m,");
  CHECK(outcome<PeerSubject>(1) == "connecting,connected,announced,m,m,m,m,");
  test::check_engine_laws<PeerSubject>();
}
