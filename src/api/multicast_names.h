// The names of multicast DNS that a connection meets: those of remote candidates, and those that hide our own addresses. The
// engine is net::Mdns; here are its sockets, opened on each link when there is something to ask or to publish, and closed when
// there is nothing any more.
#pragma once

#include <optional>
#include <vector>

#include "api/system_network.h"
#include "net/mdns.h"
#include "net/poller.h"

namespace pollrtc::detail {

class MulticastNames {
 public:
  MulticastNames(Environment& environment, const Network& network)
      : environment_(environment), network_(network), mdns_(environment) {}
  MulticastNames(const MulticastNames&) = delete;
  MulticastNames& operator=(const MulticastNames&) = delete;

  // One of the addresses that the connection has sockets at.
  void add_address(Time now, const Address& local);
  // It is gone: goodbye to its name.
  void remove_address(Time now, const Address& local);

  // The name that `local` is hidden behind, drawn when it is asked for the first time. Nothing without randomness or memory: then
  // the address cannot be hidden. Where there is no multicast the name is one that nobody can resolve.
  std::optional<FixedString<64>> name_of(Time now, const Address& local);
  // Begins to ask; poll_event() says what came of it, at the latest five seconds from now.
  void resolve(Time now, std::string_view name);
  bool poll_event(net::Mdns::Event& event);

  // Nothing to read, to send or to tell, now or later, unless somebody asks for something.
  bool is_idle() const { return !is_open_ && failed_.empty(); }
  // Reads, asks again, answers: whatever is due. True: there is more to read than one turn should.
  bool step(Time now, std::span<std::uint8_t> buffer);
  Time next_timeout(Time now) const { return failed_.empty() ? mdns_.next_timeout() : now; }
  // Says goodbye and closes the sockets.
  void close(Time now);

  void watch(const SystemNetwork& system, net::Poller& poller) const;
  template <class Call>
  void for_each_socket(Call call) const {  // by the network's numbers
    for (const Link& link : links_) call(link.socket);
  }
  bool has_sockets() const { return !links_.empty(); }
  const net::Mdns::Drops& drops() const { return mdns_.drops(); }

 private:
  struct Own {
    Address address;  // without its port
    FixedString<64> name;
  };
  struct Link {
    Address local;
    int socket;
  };

  void open_links(Time now);
  void close_links();
  void write(Time now);

  Environment& environment_;
  Network network_;
  net::Mdns mdns_;
  std::vector<Address> addresses_;
  std::vector<Own> own_;
  std::vector<Link> links_;
  std::vector<FixedString<64>> failed_;  // could not even be asked for: an event is owed
  bool is_open_ = false;
};

}  // namespace pollrtc::detail
