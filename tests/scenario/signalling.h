// Crafted descriptions and signalling by hand, for scenarios in which the other end is not one of ours.
#pragma once

#include "scenario/two_peers.h"

namespace pollrtc::scenario {

using TextEdit = std::function<std::string(std::string)>;

std::string replaced(std::string text, std::string_view from, std::string_view to);
// Without the lines that begin with what matches `begin`.
std::string without_lines(const std::string& text, const std::string& begin);
// The value of the first `a=name:` line.
std::string attribute(const std::string& text, const std::string& name);

// Offer and answer at once, each edited on its way; the candidates follow by themselves.
void negotiate_edited(TwoPeers& t, const TextEdit& edit_offer, const TextEdit& edit_answer);
// As TwoPeers::connect(), with edits.
std::pair<ChannelHandle, ChannelHandle> connect_edited(TwoPeers& t, const TextEdit& edit_offer,
                                                       const TextEdit& edit_answer,
                                                       const ChannelOptions& options = {.label = "chat"});

// One message each way, delivered within 10 s.
void speak(TwoPeers& t, std::pair<ChannelHandle, ChannelHandle> channels);

}  // namespace pollrtc::scenario
