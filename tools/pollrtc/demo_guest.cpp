#include "pollrtc/demo_guest.h"

namespace pollrtc::tool {

Guest::Guest(EventLoop& loop, std::function<void(const Json&)> send) : loop_(loop), send_(std::move(send)) {
  pc_->session_description_created = [this](const std::string& type, const std::string& sdp) {
    static_cast<void>(pc_->set_local_description(type, sdp));
    send_({{"type", type}, {"sdp", sdp}});
  };
  pc_->ice_candidate_created = [this](const std::string& media, int index, const std::string& name) {
    send_({{"type", "candidate"}, {"mid", media}, {"index", index}, {"candidate", name}});
  };
  loop_.add(pc_);
}

Guest::~Guest() {
  for (const auto& channel : {chat_, control_, ping_, bulk_})
    if (channel)
      channel->opened = channel->closed = channel->message_received = channel->buffered_amount_low = nullptr;
  pc_->close();
  loop_.remove(pc_.get());
}

Result<std::shared_ptr<DataChannel>> Guest::make_channel(const char* label) {
  return pc_->create_data_channel(label);
}

Status Guest::begin() {
  for (auto [label, member] :
       {std::pair{"chat", &chat_}, {"control", &control_}, {"ping", &ping_}, {"bulk", &bulk_}}) {
    auto channel = make_channel(label);
    if (!channel) return Unexpected{channel.error()};
    *member = *channel;
  }
  chat_->opened = [this] { static_cast<void>(chat_->send_text("hello, says the native guest")); };
  ping_->message_received = [this] {
    while (const Result<Bytes> message = ping_->get_packet()) static_cast<void>(ping_->send(*message));
  };
  bulk_->message_received = [this] {
    while (const Result<Bytes> message = bulk_->get_packet()) received_.add(message->size());
  };
  control_->message_received = [this] { on_control(); };
  return pc_->create_offer();
}

void Guest::take(const Json& line) {
  const std::string type = text_of(line, "type");
  if (type == "answer")
    static_cast<void>(pc_->set_remote_description(type, text_of(line, "sdp")));
  else if (type == "candidate")
    static_cast<void>(pc_->add_ice_candidate(text_of(line, "mid"), static_cast<int>(number_of(line, "index")),
                                             text_of(line, "candidate")));
}

void Guest::on_control() {
  while (const Result<Bytes> message = control_->get_packet()) {
    const Json line = parse_json(*message);
    if (!line.is_object()) continue;
    if (text_of(line, "do") == "count") {
      const Json counted = {{"bytes", received_.bytes}, {"seconds", received_.seconds()}};
      static_cast<void>(control_->send_text(to_text(Json{{"counted", counted}})));
    } else if (text_of(line, "do") == "send") {
      BulkSender::run(loop_, bulk_, line.value("seconds", 1.0), [] {});
    }
  }
}

}  // namespace pollrtc::tool
