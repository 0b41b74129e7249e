// The other end of the demo when no browser is there: does what demo_page.html does, in this process.
#pragma once

#include <functional>
#include <memory>

#include "pollrtc/demo_host.h"

namespace pollrtc::tool {

class Guest {
 public:
  Guest(EventLoop& loop, std::function<void(const Json&)> send);
  ~Guest();

  // Makes the channels and offers. Errors: those of the connection.
  Status begin();
  void take(const Json& line);  // of the host's signalling

 private:
  Result<std::shared_ptr<DataChannel>> make_channel(const char* label);
  void on_control();

  EventLoop& loop_;
  std::function<void(const Json&)> send_;
  std::shared_ptr<PeerConnection> pc_ = std::make_shared<PeerConnection>();
  std::shared_ptr<DataChannel> chat_, control_, ping_, bulk_;
  BulkCounter received_;
};

}  // namespace pollrtc::tool
