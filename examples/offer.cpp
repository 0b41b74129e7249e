// The end that offers. Run `offer` and `answer` in two terminals, on one machine or two, and paste what each prints into the
// other, up to and with the empty line.
#include "paste.h"

using namespace pollrtc;

int main() {
  PeerConnection pc;
  std::string sdp, candidates;
  collect_description(pc, sdp, candidates);

  const auto chat = pc.create_data_channel("chat");
  if (!chat) return 1;
  bool is_done = false;
  (*chat)->opened = [&] { must((*chat)->send_text("hello, is somebody there?")); };
  (*chat)->message_received = [&] {
    const Bytes text = *(*chat)->get_packet();
    std::cout << "they say: " << std::string(text.begin(), text.end()) << std::endl;
    is_done = true;
  };

  must(pc.create_offer());
  print_description(pc, sdp, candidates);
  must(pc.set_remote_description("answer", read_description()));
  while (!is_done && pc.get_connection_state() != ConnectionState::Failed)
    must(pc.wait(std::chrono::seconds(1)));
  return is_done ? 0 : 1;
}
