// PeerConnections in an event loop of one's own: epoll(7) here; libuv, Boost.Asio or GLib want the same two things, the
// sockets to watch and the time that they may sleep.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace {

class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(pollrtc::PeerConnection& connection) { connections_.push_back({&connection, {}}); }

  // Sleeps until a socket can be read or a deadline is due, and polls whom it concerns.
  void run_once() {
    pollrtc::Duration sleep = std::chrono::seconds(1);
    for (Watched& watched : connections_) {
      watch_sockets(watched);
      if (const auto deadline = watched.connection->get_time_to_next_deadline())
        sleep = std::min(sleep, *deadline);
    }
    epoll_event events[64];
    // Rounded up: woken a fraction early, the loop would find nothing due and spin.
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(sleep);
    const int ready = epoll_wait(epoll_, events, 64, static_cast<int>(milliseconds.count()));
    for (int i = 0; i < ready; ++i) (void)static_cast<pollrtc::PeerConnection*>(events[i].data.ptr)->poll();
    for (const Watched& watched : connections_)
      if (watched.connection->get_time_to_next_deadline() == pollrtc::Duration::zero())
        (void)watched.connection->poll();
  }

 private:
  struct Watched {
    pollrtc::PeerConnection* connection;
    std::vector<int> sockets;
  };

  // A connection's sockets come with its description, and go with its end; a closed one leaves epoll by itself.
  void watch_sockets(Watched& watched) const {
    std::vector<int> now(watched.connection->get_sockets({}));
    (void)watched.connection->get_sockets(now);
    if (now == watched.sockets) return;
    for (const int socket : now) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = watched.connection;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);  // one that is there already stays
    }
    watched.sockets = now;
  }

  int epoll_;
  std::vector<Watched> connections_;
};

// Signalling, which is yours: here the other end is in the same program.
void signal(pollrtc::PeerConnection& from, pollrtc::PeerConnection& to) {
  from.session_description_created = [&](const std::string& type, const std::string& sdp) {
    (void)from.set_local_description(type, sdp);
    (void)to.set_remote_description(type, sdp);
  };
  from.ice_candidate_created = [&](const std::string& media, int index, const std::string& name) {
    (void)to.add_ice_candidate(media, index, name);
  };
}

}  // namespace

int main() {
  pollrtc::Configuration configuration;
  configuration.include_loopback = true;
  pollrtc::PeerConnection a, b;
  if (!a.initialize(configuration) || !b.initialize(configuration)) return 1;
  signal(a, b);
  signal(b, a);

  bool is_done = false;
  std::shared_ptr<pollrtc::DataChannel> theirs;
  b.data_channel_received = [&](std::shared_ptr<pollrtc::DataChannel> channel) {
    theirs = std::move(channel);
    theirs->data_received = [&](const std::string& label, pollrtc::Bytes bytes) {
      std::printf("%s: %.*s\n", label.c_str(), static_cast<int>(bytes.size()),
                  reinterpret_cast<const char*>(bytes.data()));
      is_done = true;
    };
  };
  const auto ours = a.create_data_channel("chat");
  if (!ours) return 1;
  (*ours)->opened = [&] { (void)(*ours)->send("hello"); };
  if (!a.create_offer()) return 1;

  Loop loop;
  loop.add(a);
  loop.add(b);
  while (!is_done) loop.run_once();
}
