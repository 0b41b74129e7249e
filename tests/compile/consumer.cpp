// A program outside the project, built against the installed library by `./run install-check`.
#include <pollrtc/peer_connection.h>

#include <cstdio>

int main() {
  pollrtc::PeerConnection connection;
  std::string offer;
  connection.session_description_created = [&](const std::string&, const std::string& sdp) { offer = sdp; };
  if (!connection.create_data_channel("chat")) return 1;
  if (!connection.create_offer() || !connection.poll()) return 1;
  std::fputs(offer.c_str(), stdout);
  return offer.find("webrtc-datachannel") == std::string::npos ? 1 : 0;
}
