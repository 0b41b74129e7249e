// A restart seen from one end, with a peer made by hand: whose requests are answered, where data goes, what goes on.
#include "ice/generations.h"

#include "network.h"
#include "support/catch.h"

namespace pollrtc::test {
namespace {

const Address kLocal = addr("192.0.2.1", 5000), kRemote = addr("192.0.2.2", 6000);
const Path kPath{kLocal, kRemote}, kNewPath{kLocal, kRemote.with_port(6001)};
using ice::Credentials;
using ice::Generations;

// The end, with its first pair nominated at time 0 unless told otherwise.
struct Ends {
  explicit Ends(bool connects = true, bool controlling = false)
      : agent(environment.env, ice::AgentConfig{.controlling = controlling}) {
    REQUIRE(agent.start(now));
    former = {*FixedString<256>::from(agent.local_ufrag()), *FixedString<256>::from(agent.local_pwd())};
    REQUIRE(agent.add_local_address(now, kLocal, false));
    agent.local_addresses_done(now);
    take_events();
    REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
    fresh_peer.ufrag = "fresh";
    fresh_peer.pwd = "lkjihgfedcba9876543210";
    if (!connects) return;
    REQUIRE(receive(request(peer, former, true), kPath) == Drop::None);
    answer_all(peer, {kPath});
    REQUIRE(agent.state() == AgentState::Completed);
    REQUIRE(agent.selected_path() == kPath);
    take_events();
  }
  ByteVector request(Forger& from, const Credentials& to, bool use_candidate = false) {
    ByteVector bytes(300);
    stun::Writer w(bytes, stun::Class::Request, from.next_id());
    w.text(stun::Attribute::Username, std::string(to.ufrag.view()) + ":" + from.ufrag);
    w.u32(stun::Attribute::Priority, 1000);
    w.u64(agent.is_controlling() ? stun::Attribute::IceControlled : stun::Attribute::IceControlling, 1);
    if (use_candidate) w.flag(stun::Attribute::UseCandidate);
    w.integrity(as_bytes(to.pwd.view()));
    w.fingerprint();
    bytes.resize(w.finish());
    return bytes;
  }
  Drop receive(const ByteVector& bytes, const Path& path) { return agent.handle_datagram(now, path, bytes); }
  std::vector<std::pair<Path, ByteVector>> sent() { return poll_all(agent, now); }
  // The code of the error that came, 0 for a success, -1 for no answer at all.
  int answer_code() {
    int code = -1;
    for (auto& [path, bytes] : sent()) {
      const auto message = stun::Message::parse(bytes);
      if (message->message_class() == stun::Class::Success) code = 0;
      if (message->message_class() == stun::Class::Error) code = message->error_code()->code;
    }
    return code;
  }
  static std::string addressee(Bytes bytes) {
    const std::string user(*stun::Message::parse(bytes)->text(stun::Attribute::Username));
    return user.substr(0, user.find(':'));
  }
  // Answers the requests that are for `who` on these paths; notes all of them.
  void answer_all(Forger& who, const std::vector<Path>& answered) {
    for (auto& [path, bytes] : sent()) {
      if (!is_request(bytes)) continue;
      asked.emplace_back(path, addressee(bytes));
      if (addressee(bytes) == who.ufrag &&
          std::find(answered.begin(), answered.end(), path) != answered.end())
        receive(who.success(bytes, kLocal), path);
    }
  }
  void live(Duration duration, Forger& who, const std::vector<Path>& answered) {
    const Time end = now + duration;
    answer_all(who, answered);
    while (agent.next_timeout() <= end) {
      now = std::max(now, agent.next_timeout());
      agent.handle_timeout(now);
      CHECK(agent.next_timeout() > now);
      answer_all(who, answered);
      take_events();
    }
    now = end;
  }
  void take_events() {
    Agent::Event event;
    while (agent.poll_event(event)) {
      if (const auto* local = std::get_if<Agent::LocalCandidate>(&event))
        candidates.push_back(std::string(local->candidate.ufrag.view()));
      gathered += std::holds_alternative<Agent::GatheringDone>(event);
      if (const auto* changed = std::get_if<Agent::StateChanged>(&event)) states.push_back(changed->to);
      if (const auto* selected = std::get_if<Agent::PairSelected>(&event)) paths.push_back(selected->path);
    }
  }
  Credentials begin_restart() {
    const auto drawn = ice::make_credentials(environment.env.rng);
    REQUIRE(drawn);
    REQUIRE(agent.restart(now, *drawn));
    candidates.clear();
    states.clear();
    paths.clear();
    gathered = 0;
    return *drawn;
  }
  void gather() {
    REQUIRE(agent.add_local_address(now, kLocal, false));
    agent.local_addresses_done(now);
    take_events();
  }
  void agree() {
    agent.commit(now);
    REQUIRE(agent.set_remote_credentials(now, fresh_peer.ufrag, fresh_peer.pwd, false));
  }

  TestEnvironment environment{17};
  Time now{};
  Generations agent;
  Forger peer, fresh_peer;
  Credentials former;
  std::vector<std::string> candidates;
  std::vector<AgentState> states;
  std::vector<Path> paths;
  std::vector<std::pair<Path, std::string>> asked;
  int gathered = 0;
};

}  // namespace

TEST_CASE(
    "a restart: the former pair carries data until the new one is nominated, then its credentials are "
    "refused",
    "[ICE-RST-01][ICE-GATH-11][ICE-GATH-14]") {
  Ends e;
  const Credentials fresh = e.begin_restart();
  CHECK(e.agent.local_ufrag() == fresh.ufrag.view());
  CHECK_FALSE(fresh.ufrag == e.former.ufrag);
  CHECK_FALSE(fresh.pwd == e.former.pwd);
  e.gather();
  CHECK(e.candidates == std::vector{std::string(fresh.ufrag.view())});
  CHECK(e.gathered == 1);
  // Offered, not agreed on: both generations are answered.
  CHECK(e.receive(e.request(e.fresh_peer, fresh), kNewPath) == Drop::None);
  CHECK(e.answer_code() == 0);
  CHECK(e.receive(e.request(e.peer, e.former), kPath) == Drop::None);
  CHECK(e.answer_code() == 0);
  e.agree();
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.state() == AgentState::Completed);
  // A valid pair of the new generation is not yet where data goes.
  e.live(60ms, e.fresh_peer, {kNewPath});
  CHECK(e.agent.is_validated(kNewPath));
  CHECK(e.agent.is_validated(kPath));
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.receive(e.request(e.peer, e.former), kPath) == Drop::None);
  CHECK(e.answer_code() == 0);
  CHECK(e.receive(e.request(e.fresh_peer, fresh, true), kNewPath) == Drop::None);
  CHECK(e.agent.selected_path() == kNewPath);
  CHECK(e.answer_code() == 0);
  e.take_events();
  CHECK(e.paths == std::vector{kNewPath});
  CHECK(e.states.empty());  // it was Completed throughout
  // The former credentials are no more; what is on its way over the former path is taken for three seconds.
  CHECK(e.receive(e.request(e.peer, e.former), kPath) == Drop::StunUnknownUser);
  CHECK(e.answer_code() == 401);
  CHECK(e.agent.is_validated(kPath));
  e.asked.clear();
  e.live(3s - 1us, e.fresh_peer, {kNewPath});
  CHECK(e.agent.is_validated(kPath));
  e.live(1us, e.fresh_peer, {kNewPath});
  CHECK_FALSE(e.agent.is_validated(kPath));
  e.live(60s, e.fresh_peer, {kNewPath});
  CHECK(e.agent.state() == AgentState::Completed);
  for (const auto& [path, to] : e.asked) CHECK(to == "fresh");
}

TEST_CASE(
    "consent for the former pair goes on during a restart, with the former credentials, and nothing else "
    "does",
    "[ICE-RST-03]") {
  Ends e;
  e.begin_restart();
  e.gather();
  e.agree();
  e.asked.clear();
  e.live(100s, e.peer, {kPath});  // the peer's new generation is not to be found
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.state() == AgentState::Completed);
  const auto to_former = std::count_if(e.asked.begin(), e.asked.end(),
                                       [](const auto& a) { return a.second == "peer" && a.first == kPath; });
  CHECK(to_former >= 16);
  CHECK(to_former <= 25);
  // The peer says that it has had enough: the former pair is gone, and with it all hope.
  e.live(31s, e.fresh_peer, {});
  CHECK(e.agent.state() == AgentState::Failed);
}

TEST_CASE(
    "data moves on when the former path falls silent and the new generation has one that is not nominated "
    "yet",
    "[ICE-RST-03]") {
  Ends e;
  const Credentials fresh = e.begin_restart();
  e.gather();
  e.agree();
  CHECK(e.receive(e.request(e.fresh_peer, fresh), kNewPath) == Drop::None);
  e.live(1s, e.fresh_peer, {kNewPath});
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.state() == AgentState::Completed);
  e.live(14s, e.fresh_peer, {kNewPath});  // nothing answers for the former generation
  CHECK(e.agent.selected_path() == kNewPath);
  CHECK(e.agent.state() == AgentState::Connected);
  CHECK(e.paths == std::vector{kNewPath});
  // Nominated, it stays; the former generation goes.
  CHECK(e.receive(e.request(e.fresh_peer, fresh, true), kNewPath) == Drop::None);
  e.take_events();
  CHECK(e.agent.state() == AgentState::Completed);
  CHECK(e.paths == std::vector{kNewPath});
}

TEST_CASE("a restart brings back what consent lost; an offer alone does not hold up the failure",
          "[ICE-CONS-02][ICE-RST-01]") {
  Ends e;
  e.live(20s, e.peer, {});
  CHECK(e.agent.state() == AgentState::Disconnected);
  const Credentials fresh = e.begin_restart();
  e.gather();
  e.live(12s, e.peer, {});  // the offer is on its way when consent ends
  CHECK_FALSE(e.agent.selected_path());
  CHECK(e.agent.state() == AgentState::Failed);
  e.agree();
  CHECK(e.agent.state() == AgentState::Disconnected);
  CHECK(e.receive(e.request(e.fresh_peer, fresh), kNewPath) == Drop::None);
  e.live(60ms, e.fresh_peer, {kNewPath});
  CHECK(e.agent.selected_path() == kNewPath);  // nothing else is left, so it need not be nominated
  CHECK(e.agent.state() == AgentState::Connected);
}

TEST_CASE("who has no pair yet fails also when the restart it asks for is never answered",
          "[ICE-CHK-13][ICE-RST-01]") {
  Ends e(false);
  Candidate c;
  c.address = kRemote;
  c.priority = 500;
  REQUIRE(e.agent.add_remote_candidate(e.now, c));
  e.live(5s, e.peer, {});
  CHECK(e.agent.state() == AgentState::Checking);
  (void)e.begin_restart();
  e.gather();
  e.live(39s, e.peer, {});
  CHECK(e.agent.state() == AgentState::Checking);
  e.live(1s, e.peer, {});
  CHECK(e.agent.state() == AgentState::Failed);
}

TEST_CASE("a restart that is taken back leaves candidates, pairs and the selected pair as they were",
          "[ICE-RST-04]") {
  const bool connects = GENERATE(true, false);
  Ends e(connects);
  Candidate c;
  c.address = kRemote;
  c.priority = 500;
  const Path never{kLocal, kRemote.with_port(6009)};
  if (!connects) {
    REQUIRE(e.agent.add_remote_candidate(e.now, c));
    c.address = never.remote;
    c.priority = 400;
    c.foundation = *FixedString<32>::from("2");
    REQUIRE(e.agent.add_remote_candidate(e.now, c));
  }
  const auto before = e.agent.stats();
  e.begin_restart();
  CHECK(e.agent.restart(e.now, e.former).error() == ErrorCode::InvalidState);
  e.gather();
  e.asked.clear();
  e.live(1s, e.peer, {});
  for (const auto& [path, to] : e.asked) CHECK(path != never);  // meanwhile no check is begun
  e.agent.cancel_restart(e.now);
  CHECK_FALSE(e.agent.is_restarting());
  CHECK(e.agent.local_ufrag() == e.former.ufrag.view());
  CHECK(e.agent.is_gathering_over());
  const auto after = e.agent.stats();
  CHECK(after.pairs == before.pairs);
  CHECK(after.local_candidates == before.local_candidates);
  CHECK(after.remote_candidates == before.remote_candidates);
  CHECK(after.valid_pairs == before.valid_pairs);
  CHECK(e.agent.state() == (connects ? AgentState::Completed : AgentState::Checking));
  CHECK(e.receive(e.request(e.peer, e.former, true), kPath) == Drop::None);
  e.live(100ms, e.peer, {kPath});
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.agent.state() == AgentState::Completed);
  e.live(60s, e.peer, {kPath});
  CHECK(e.agent.state() == AgentState::Completed);
}

TEST_CASE("a restart in the middle of gathering or of checks leaves nothing stuck", "[ICE-RST-02]") {
  const Address server = addr("198.51.100.1", 3478);
  TestEnvironment environment(3);
  Generations agent(environment.env, {});
  Time now{};
  Forger peer;
  REQUIRE(agent.start(now));
  REQUIRE(agent.add_local_address(now, kLocal, false));
  REQUIRE(agent.add_server(now, server));  // it never answers, and the end of the addresses was not told yet
  Agent::Event event;
  int gathered = 0, candidates = 0;
  const auto take = [&] {
    while (agent.poll_event(event)) {
      gathered += std::holds_alternative<Agent::GatheringDone>(event);
      candidates += std::holds_alternative<Agent::LocalCandidate>(event);
    }
  };
  take();
  const bool in_checks = GENERATE(false, true);
  if (in_checks) {
    REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
    Candidate c;
    c.address = kRemote;
    c.priority = 500;
    REQUIRE(agent.add_remote_candidate(now, c));
  }
  CHECK(candidates == 1);
  CHECK(gathered == 0);
  const auto fresh = ice::make_credentials(environment.env.rng);
  REQUIRE(agent.restart(now, *fresh));
  REQUIRE(agent.add_local_address(now, kLocal, false));
  agent.local_addresses_done(now);
  take();
  CHECK(candidates == 2);
  CHECK(gathered == 1);  // the new generation asks no server
  const bool is_taken_back = GENERATE(false, true);
  ByteVector buffer(1500);
  if (is_taken_back) {
    agent.cancel_restart(now);
    CHECK_FALSE(agent.is_gathering_over());
    agent.local_addresses_done(now);
  } else {
    agent.commit(now);
    REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
    CHECK(agent.is_gathering_over());
  }
  std::size_t questions = 0;
  for (int i = 0; i < 4000; ++i) {
    while (const auto t = agent.poll_transmit(now, buffer)) questions += t->path.remote == server;
    take();
    if (agent.next_timeout() == kNever || agent.next_timeout() > Time{} + 42s) break;
    now = std::max(now, agent.next_timeout());
    agent.handle_timeout(now);
  }
  CHECK(gathered == (is_taken_back ? 2 : 1));
  CHECK((questions != 0) == is_taken_back);
  CHECK(agent.is_gathering_over());
}

TEST_CASE("candidates of an older generation, and its end of them, mean nothing to the new one",
          "[ICE-RST-06]") {
  Ends e;
  e.begin_restart();
  e.gather();
  e.agree();
  Candidate c;
  c.address = kNewPath.remote;
  c.priority = 500;
  c.ufrag = *FixedString<256>::from("peer");
  REQUIRE(e.agent.add_remote_candidate(e.now, c));
  e.asked.clear();
  e.live(1s, e.fresh_peer, {});
  for (const auto& [path, to] : e.asked) CHECK(to == "peer");  // consent at most
  c.ufrag = *FixedString<256>::from("fresh");
  REQUIRE(e.agent.add_remote_candidate(e.now, c));
  e.live(100ms, e.fresh_peer, {});
  CHECK(std::any_of(e.asked.begin(), e.asked.end(),
                    [](const auto& a) { return a.first == kNewPath && a.second == "fresh"; }));
}

TEST_CASE("roles outlive a restart", "[ICE-NOM-09]") {
  const bool controlling = GENERATE(true, false);
  Ends e(false, controlling);
  e.begin_restart();
  e.gather();
  e.agree();
  e.agent.set_controlling(e.now, !controlling);
  CHECK(e.agent.is_controlling() == controlling);
  // The role that came of a conflict, or of the exchange, not the one of the configuration.
  TestEnvironment environment(5);
  Generations turned(environment.env, ice::AgentConfig{.controlling = controlling});
  REQUIRE(turned.start(Time{}));
  turned.set_controlling(Time{}, !controlling);
  REQUIRE(turned.restart(Time{}, *ice::make_credentials(environment.env.rng)));
  turned.commit(Time{});
  CHECK(turned.is_controlling() == !controlling);
  // A peer that sees it otherwise is followed by the rules of conflicts.
  Ends lite(false, false);
  lite.begin_restart();
  lite.gather();
  lite.agent.commit(lite.now);
  REQUIRE(lite.agent.set_remote_credentials(lite.now, "fresh", lite.fresh_peer.pwd, true));
  CHECK(lite.agent.is_controlling());
}

TEST_CASE("two restarts in a row: data stays where it works", "[ICE-RST-01][ICE-RST-02]") {
  Ends e;
  e.begin_restart();
  e.gather();
  e.agree();
  e.live(2s, e.peer, {kPath});
  CHECK(e.agent.selected_path() == kPath);
  e.fresh_peer.ufrag = "third";
  const Credentials third = e.begin_restart();
  e.gather();
  e.live(2s, e.peer, {kPath});
  e.agree();
  CHECK(e.agent.selected_path() == kPath);
  CHECK(e.receive(e.request(e.fresh_peer, third, true), kNewPath) == Drop::None);
  e.live(100ms, e.fresh_peer, {kNewPath});
  CHECK(e.agent.selected_path() == kNewPath);
  e.live(60s, e.fresh_peer, {kNewPath});
  CHECK(e.agent.state() == AgentState::Completed);
}

TEST_CASE("a restart without randomness or memory changes nothing") {
  Ends e;
  e.environment.fail_allocations_after(0);
  CHECK(e.agent.restart(e.now, e.former).error() == ErrorCode::OutOfMemory);
  CHECK_FALSE(e.agent.is_restarting());
  CHECK(e.agent.selected_path() == kPath);
}

}  // namespace pollrtc::test
