// MuxCore: the sockets of a UdpMux and the tables that say whose a datagram is. MuxMember: the same sockets as one connection
// sees them, behind the hooks of pollrtc/network.h. RFC 8445 §7.3 (USERNAME), RFC 8489 §6.3 (transactions), RFC 7983.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/agenda.h"
#include "api/mux_transactions.h"
#include "api/system_network.h"
#include "base/fixed_vec.h"
#include "ice/replies.h"
#include "net/poller.h"
#include "pollrtc/udp_mux.h"

namespace pollrtc::detail {

class ConnectionCore;
class MuxCore;

struct MuxKey {  // a remote address, as one of our sockets sees it
  std::size_t socket = 0;
  Address remote;
  bool operator==(const MuxKey&) const = default;
};

class MuxMember {
 public:
  static constexpr std::size_t kMostSockets = 64;

  explicit MuxMember(std::shared_ptr<MuxCore> core);
  ~MuxMember();
  MuxMember(const MuxMember&) = delete;
  MuxMember& operator=(const MuxMember&) = delete;

  // Whose it is: MuxCore::poll() polls that one. Without, there are the hooks alone.
  void attach(ConnectionCore& connection) { connection_ = &connection; }
  // Good as long as this object.
  Network hooks();
  // Checks with this user name are its own from now on; the last few names count.
  void add_ufrag(std::string_view ufrag);
  void drop_ufrag(std::string_view ufrag);
  // The connection has taken this and not dropped it. If it is a check, a good one, its sender is the peer.
  void on_taken(int socket, const Address& source, Bytes datagram);
  bool has_mail() const { return !mail_.empty() || !errors_.empty(); }
  bool has_mail_at(int socket) { return has_for(mail_, socket) || has_for(errors_, socket); }
  // Something was done with the connection, so its deadline may be another.
  void touch();
  MuxCore& core() const { return *core_; }

 private:
  friend class MuxCore;
  static constexpr std::size_t kMostUfrags =
      3;  // of the generation in force, the one before, and one that is on the table
  struct Datagram {
    MuxKey from;
    std::vector<std::uint8_t> bytes;
  };
  using Box = std::list<Datagram>;
  bool has_ufrag(std::string_view ufrag) const {
    return std::find(ufrags_.begin(), ufrags_.end(), ufrag) != ufrags_.end();
  }
  static Box::iterator first_for(Box& box, int socket);
  static bool has_for(Box& box, int socket) { return first_for(box, socket) != box.end(); }
  static Time now(void* context);
  static std::size_t list_addresses(void* context, bool loopback, std::span<Address> out);
  static bool find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there);
  static int open(void* context, const Address& local, std::uint16_t first, std::uint16_t last,
                  Address& bound);
  static void close(void* context, int socket);
  static Network::Outcome send(void* context, int socket, const Address& remote, Bytes datagram);
  static Network::Outcome send_run(void* context, int socket, const Address& remote, Bytes datagrams,
                                   std::size_t segment, bool whole, std::size_t& taken);
  void note_sent(int socket, const Address& remote, Bytes datagram);
  static Network::Outcome send_whole(void* context, int socket, const Address& remote, Bytes datagram);
  static Network::Outcome receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                  Address& source);
  static bool receive_error(void* context, int socket, MutBytes quoted, std::size_t& size, Address& remote);

  // First what each poll looks at.
  std::shared_ptr<MuxCore> core_;
  ConnectionCore* connection_ = nullptr;
  Box mail_;
  Box errors_;                         // what ICMP quotes, and where it was sent
  std::bitset<kMostSockets> is_open_;  // those of the core's sockets that it uses
  // Its places in the core's lists.
  Time due_ = kNever;
  Agenda<MuxMember>::Ticket ticket_ = 0;
  bool is_touched_ = false, is_watched_ = false;
  FixedVec<std::string, kMostUfrags> ufrags_;  // the oldest first, and so are the addresses
  std::optional<MuxKey> last_claimed_;         // of its addresses
  std::vector<MuxKey> addresses_;
};

class MuxCore {
 public:
  explicit MuxCore(const UdpMux::Config& config);
  ~MuxCore();
  MuxCore(const MuxCore&) = delete;
  MuxCore& operator=(const MuxCore&) = delete;

  // InvalidArgument: what it was made with is no good, and nothing may be done with it.
  Status check() const { return check_network_settings(config_.dscp, config_.network); }
  // See UdpMux::open() and poll().
  Status open_all();
  Status poll(Duration timeout);
  // For who has read for all of them, until it is taken back: connections take what waits for them and ask the system for
  // no more.
  void hold_reading(bool on) { holds_reading_ = on; }
  bool holds_reading() const { return holds_reading_; }
  // Reads what has come, a bounded number of datagrams, and puts it where it belongs.
  void read();
  // The same, and errors: for who slept until something came, or it would wake them up again at once.
  void read_all();
  // The same for errors of ICMP, which quote the request that they are about.
  void read_errors(std::size_t socket);
  // False: it has no descriptors of its own, since its network was given.
  bool watch(net::Poller& poller) const;
  int descriptor(int socket) const;
  bool is_given() const { return config_.network.is_set(); }
  const Network& network() const { return network_; }
  UdpMux::Stats stats() const;
  // Another number when the machine has got or lost an address; nothing when nobody can tell.
  std::optional<std::uint64_t> addresses_version(bool loopback);

 private:
  friend class MuxMember;
  static constexpr std::size_t kMostSockets = MuxMember::kMostSockets;
  struct Socket {
    int number;  // the network's
    Address local;
    std::size_t users = 0;        // members that have it open
    std::uint32_t overflows = 0;  // as far as they have been counted
  };
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const MuxKey& key) const;
    std::size_t of(std::uint64_t state, Bytes bytes) const;
  };
  struct Entry {
    MuxMember* member;
    std::optional<Time> heard;  // the last good check from there
  };

  struct Listing {
    std::optional<Time> asked_at;
    std::size_t most = 0;
    std::vector<Address> addresses;
  };

  // mux_sockets.cpp
  int open(const Address& local, Address& bound);
  int replace(const Address& local, Address& bound);
  std::optional<Socket> open_socket(const Address& local) const;
  bool is_port_taken(const Address& address);

  // mux_poll.cpp
  void file(MuxMember& member, Time due);
  void review();
  void find_ready();
  void forget(MuxMember& member);
  void sleep(Duration timeout);
  void read_ready();
  void list(Listing& listing, bool loopback, std::size_t most);
  bool look_for_presence();
  bool ask_for_presence(std::span<const Address> addresses, std::span<bool> is_there) const;
  std::size_t list_addresses(bool loopback, std::span<Address> out);
  bool find_addresses(std::span<const Address> addresses, std::span<bool> is_there);

  void put(MuxMember::Box& box, const MuxKey& from, Bytes bytes);
  void take_back(MuxMember::Box& box, MuxMember::Box::iterator datagram);
  void join(MuxMember& member) {
    member.ticket_ = agenda_.add(member);
    ++members_;
  }
  void leave(MuxMember& member);
  void claim(MuxMember& member, const MuxKey& key, bool is_proved);
  void give_up(MuxMember& member, const MuxKey& key);
  void forget_at(MuxMember& member, std::size_t socket);
  void forget_oldest(MuxMember& member);
  template <class Visit>
  void for_each_in_turn(Visit&& visit);
  int read_socket(std::size_t socket, int left);
  int read_run(std::size_t socket);
  void count_overflows(Socket& socket);
  void hand_over(const MuxKey& key, Bytes datagram);
  MuxMember* owner_of(const MuxKey& key, Bytes datagram);
  void refuse(const MuxKey& key, const stun::Message& request);
  Time now() const { return network_.now(network_.context); }

  UdpMux::Config config_;
  Environment environment_;
  SystemNetwork system_network_;
  Network network_;
  std::vector<Socket> sockets_;
  std::size_t first_to_read_ = 0;  // of the sockets
  std::vector<std::uint8_t> buffer_;
  Hash hash_;
  std::unordered_map<std::string, MuxMember*> ufrags_;
  std::unordered_map<MuxKey, Entry, Hash> addresses_;
  RecentTransactions<MuxMember> transactions_;
  ice::ErrorLimiter error_limiter_;
  std::size_t members_ = 0;
  MuxMember::Box spare_;  // boxes of mail that has been taken, for more mail
  Agenda<MuxMember> agenda_;
  std::vector<MuxMember*> touched_, watched_, ready_;  // null: gone
  net::Poller poller_;
  bool holds_reading_ = false;
  std::array<Listing, 2> listings_;  // without loopback, and with
  std::optional<Time> presence_at_;
  std::vector<bool> presence_;  // whether the machine has the sockets' addresses
  std::uint64_t addresses_version_ = 0;
  UdpMux::Stats counters_;
};

}  // namespace pollrtc::detail
