#include "scenario/signalling.h"

#include <regex>

#include "support/catch.h"

namespace pollrtc::scenario {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  INFO("looking for " << from << " in\n" << text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string without_lines(const std::string& text, const std::string& begin) {
  return std::regex_replace(text, std::regex(begin + "[^\r\n]*\r\n"), "");
}

std::string attribute(const std::string& text, const std::string& name) {
  std::smatch match;
  REQUIRE(std::regex_search(text, match, std::regex("a=" + name + ":([^\r\n]*)")));
  return match[1];
}

void negotiate_edited(TwoPeers& t, const TextEdit& edit_offer, const TextEdit& edit_answer) {
  const auto same = [](std::string text) { return text; };
  const Time now = t.world.now();
  const auto offer = t.alice.peer.create_offer(now);
  REQUIRE(offer);
  REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer));
  REQUIRE(
      t.bob.peer.set_remote_description(now, SdpType::Offer, edit_offer ? edit_offer(*offer) : same(*offer)));
  const auto answer = t.bob.peer.create_answer(now);
  REQUIRE(answer);
  REQUIRE(t.bob.peer.set_local_description(now, SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(now, SdpType::Answer,
                                              edit_answer ? edit_answer(*answer) : same(*answer)));
}

std::pair<ChannelHandle, ChannelHandle> connect_edited(TwoPeers& t, const TextEdit& edit_offer,
                                                       const TextEdit& edit_answer,
                                                       const ChannelOptions& options) {
  const ChannelHandle a = t.alice.create(options);
  negotiate_edited(t, edit_offer, edit_answer);
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              60s);
  return {a, t.bob.announced.back()};
}

void speak(TwoPeers& t, std::pair<ChannelHandle, ChannelHandle> channels) {
  const auto [a, b] = channels;
  const std::size_t to_bob = t.bob.channels[b].messages.size(),
                    to_alice = t.alice.channels[a].messages.size();
  REQUIRE(t.alice.send(a, "ping"));
  REQUIRE(t.bob.send(b, "pong"));
  t.run_until(
      [&, a = a, b = b] {
        return t.bob.channels[b].messages.size() > to_bob && t.alice.channels[a].messages.size() > to_alice;
      },
      10s);
  CHECK(t.bob.channels[b].messages.back() == ReceivedMessage{"ping", true});
  CHECK(t.alice.channels[a].messages.back() == ReceivedMessage{"pong", true});
}

}  // namespace pollrtc::scenario
