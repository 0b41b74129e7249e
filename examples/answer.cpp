// The end that answers: see offer.cpp.
#include "paste.h"

using namespace pollrtc;

int main() {
  PeerConnection pc;
  std::string sdp, candidates;
  collect_description(pc, sdp, candidates);

  std::shared_ptr<DataChannel> chat;  // a channel lives as long as somebody holds it
  bool is_done = false;
  pc.data_channel_received = [&](std::shared_ptr<DataChannel> channel) {
    chat = std::move(channel);
    chat->message_received = [&] {
      const Bytes text = *chat->get_packet();
      std::cout << "they say: " << std::string(text.begin(), text.end()) << std::endl;
      must(chat->send_text("yes, on the channel " + chat->get_label()));
    };
    chat->closed = [&] { is_done = true; };
  };

  must(pc.set_remote_description("offer", read_description()));
  print_description(pc, sdp, candidates);
  while (!is_done && pc.get_connection_state() != ConnectionState::Failed)
    must(pc.wait(std::chrono::seconds(1)));
  return is_done ? 0 : 1;
}
