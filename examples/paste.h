// Signalling by copy and paste: a description with its candidates inside, as text that ends with an empty line.
#pragma once

#include <pollrtc/peer_connection.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

// An example stops at the first fault; a real program would say more.
inline void must(const pollrtc::Status& status) {
  if (status) return;
  const std::string detail(status.error().detail());
  std::fprintf(stderr, "failed: %s\n", detail.c_str());
  std::exit(1);
}

// Waits until our description and all our candidates are there, and prints them.
inline void print_description(pollrtc::PeerConnection& pc, const std::string& sdp,
                              const std::string& candidates) {
  while (sdp.empty() || pc.get_gathering_state() != pollrtc::GatheringState::Complete)
    must(pc.wait(std::chrono::milliseconds(100)));
  std::cout << sdp << candidates << std::endl;
}

// Has what print_description() is to print collected.
inline void collect_description(pollrtc::PeerConnection& pc, std::string& sdp, std::string& candidates) {
  pc.session_description_created = [&](const std::string&, const std::string& text) { sdp = text; };
  pc.ice_candidate_created = [&](const std::string&, int, const std::string& line) {
    candidates += "a=" + line + "\r\n";  // there is one section, so the end of the text is the end of it
  };
}

inline std::string read_description() {
  std::string text;
  for (std::string line; std::getline(std::cin, line) && !line.empty() && line != "\r";) {
    if (line.back() == '\r') line.pop_back();
    text += line + "\r\n";
  }
  return text;
}
