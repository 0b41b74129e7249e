// ConnectionCore: a Peer, its sockets and its name look-ups, driven by the calls of PeerConnection and
// DataChannel.
//   connection_core.cpp       the Peer, descriptions, channels, the end
//   connection_loop.cpp       gathering, deadlines, poll()
//   connection_datagrams.cpp  between the Peer and the network, in runs
//   connection_tcp.cpp        candidates by TCP
//   connection_signals.cpp    what happened, in order, to handlers or to those who pull
//
// A PeerConnection has one core at a time; initialize() gives it a new one. Channels keep the core they were
// made in, so they can outlive the connection object. `owner_` is the connection whose signals are called,
// null once it has gone or has started over: it is looked at anew after each signal, since a handler may do
// either.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/ice_server_url.h"
#include "api/multicast_names.h"
#include "api/mux_core.h"
#include "api/streams.h"
#include "api/system_network.h"
#include "api/turn_addresses.h"
#include "base/fixed_vec.h"
#include "net/poller.h"
#include "net/resolver.h"
#include "pollrtc/peer_connection.h"

namespace pollrtc::detail {

struct IceServerEntry {
  IceServerUrl server;
  std::string url, username, credential;
};

class ConnectionCore : public std::enable_shared_from_this<ConnectionCore> {
 public:
  ConnectionCore(PeerConnection* owner, const Configuration& configuration,
                 std::vector<IceServerEntry> servers);
  ~ConnectionCore();

  Result<std::shared_ptr<DataChannel>> create_channel(std::string_view label,
                                                      const DataChannelOptions& options);
  // The Peer and its key pair are made, if they were not.
  Status prepare();
  Status create_offer();
  Status create_answer();
  Status restart_ice();
  Status set_local_description(std::string_view type, std::string_view sdp);
  Status set_remote_description(std::string_view type, std::string_view sdp);
  Status add_candidate(std::string_view mid, int index, std::string_view line);
  Status poll();
  Status wait(Duration timeout);
  void send_held();
  void close();
  // As close(), when nobody will ask for its state any more.
  void end();
  // For who pulls; the handlers' events are not theirs to take.
  bool pull_event(PeerConnection::Event& event);
  // Nobody can pull any more: poll() takes the events, which have work of our own among them.
  void stop_pulling() { configuration_.pull_events = false; }
  Status check_no_hook() const;
  static Status check_mux(const UdpMux& mux);

  // For channels.
  Status send(ChannelHandle handle, Bytes data, bool is_text, std::optional<std::uint32_t> report = {});
  Status send_piece(ChannelHandle handle, Bytes piece, bool is_text, bool last);
  Status abandon_message(ChannelHandle handle);
  Status receive_in_pieces(ChannelHandle handle, bool on);
  std::optional<MessageView> receive(ChannelHandle handle);
  ChannelInfo info(ChannelHandle handle) const;
  std::size_t buffered_amount(ChannelHandle handle) const;
  void set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes);
  void close_channel(ChannelHandle handle);
  void release_channel(ChannelHandle handle);

  std::size_t sockets(std::span<int> out) const;
  std::optional<Duration> time_to_next_deadline() const;
  Time next_due() const;  // the same as a time
  // Besides those of a mux.
  bool has_own_descriptors() const;
  // The same for one that sleeps with watch(), and so is woken when a socket can be written.
  std::optional<Duration> time_to_sleep() const;
  // By the earlier of the two: a caller may have slept by it.
  bool is_due() const { return time_to_next_deadline() == Duration::zero(); }
  // For poll(2). False: it has no descriptors of its own, since its network was given.
  bool watch(net::Poller& poller) const;
  const net::Mdns::Drops& name_drops() const { return names_.drops(); }
  // Datagrams that the system dropped because a socket of ours was full.
  std::uint64_t overflows() const { return overflows_; }
  // The sockets it shares with others, which whoever sleeps watches once for all of them; null: it has its own.
  MuxCore* mux() const { return mux_member_ ? &mux_member_->core() : nullptr; }
  // Null before anything was asked of the connection.
  const Peer* peer() const { return peer_ ? &*peer_ : nullptr; }
  void set_owner(PeerConnection* owner) { owner_ = owner; }
  bool is_owned_by(const PeerConnection* connection) const { return owner_ == connection; }

 private:
  using Event = PeerConnection::Event;
  static constexpr std::size_t kScratch = 8192;  // on the stack, for one datagram at a time
  struct ChannelEntry {
    ChannelHandle handle;
    std::weak_ptr<DataChannel> channel;
    std::size_t buffered = 0;  // what the user is told: grows in send, falls in poll
    std::size_t low_threshold = 0;
  };
  struct PendingDescription {  // session_description_created is owed
    std::string type, sdp;
    bool wait_for_gathering = false;
  };
  struct Socket {
    int number;  // the Network's
    Address local;
    bool is_for_turn = false;     // beside those of a mux: of own_network_
    std::uint32_t overflows = 0;  // as far as they have been counted
  };
  struct Lookup {
    net::Resolver::Id id;
    std::size_t server;  // index
  };
  struct Collected {
    int count = 0;        // of datagrams
    bool is_all = false;  // the peer owes no more
  };
  struct Outgoing {  // datagrams in a buffer, all of one size but the last, which may be smaller
    std::size_t socket = 0;
    Address remote;
    std::size_t begin = 0, size = 0, segment = 0;
    bool dont_fragment = false;
    bool takes(const Outgoing& next) const;
  };
  // Stands in each call that may log or tap; what a hook asked for meanwhile is done when the last one leaves.
  class Call {
   public:
    explicit Call(ConnectionCore& core) : core_(core) { ++core_.calls_; }
    ~Call() {
      if (--core_.calls_ != 0) return;
      if (core_.mux_member_) core_.mux_member_->touch();
      if (core_.kept_by_hook_) core_.finish_for_hook();
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    ConnectionCore& core_;
  };

  static void write_log_line(void* context, LogLevel level, std::string_view room, std::string_view line);
  static void tap_packet(void* context, const TappedPacket& packet);
  void finish_for_hook();
  Environment make_environment();
  Network choose_network();
  Network choose_own_network();
  const Network& network_of(const Socket& socket) const {
    return socket.is_for_turn ? own_network_ : network_;
  }
  bool has_given_network() const;
  int descriptor_of(const Socket& socket) const;
  Time now() const;
  Time next_deadline() const;
  std::optional<Duration> time_to(Time deadline) const;

  Result<Peer*> ensure_peer();
  void wipe_key();
  void trust_somebody();
  Status announce(SdpType type, const std::string& sdp);
  Status roll_back();
  Status take_offer_back();
  void gather();
  std::size_t list_addresses(std::span<Address> out);
  bool open_sockets(bool loopback);
  void open_udp(std::span<const Address> addresses);
  bool open_socket(const Address& address, bool is_for_turn);
  bool add_to_peer(const Socket& socket);
  Address announced_as(const Address& local) const;
  std::optional<FixedString<64>> hidden_as(const Address& local, const Address& announced);
  bool has_socket_at(const Address& ip) const;
  void open_tcp(std::span<const Address> addresses);
  bool add_tcp_to_peer(const Address& bound);
  void close_lost_tcp();
  void close_socket(std::size_t index);
  bool find_addresses(std::span<const Address> addresses, std::span<bool> is_there);
  void close_lost_sockets();
  void close_lost_streams();
  bool has_seen_addresses();
  void watch_addresses();
  bool has_lost_path() const;
  void close_sockets();
  void look_up_servers();
  void add_server(const net::Resolver::Answer& answer);
  void report_lost_server(std::size_t server, std::string_view why);
  std::string url_of(const Address& server, TurnTransport transport) const;
  void step_resolver();
  void step_names(MutBytes scratch);
  void read_sockets(MutBytes scratch);
  std::size_t read_run(const Socket& socket, MutBytes scratch);
  void count_overflows(Socket& socket);
  void read_errors(const Socket& socket, MutBytes scratch);
  void step();
  bool flush();
  void flush_sent(std::size_t bytes);
  bool flush_datagrams();
  Collected collect(int most, MutBytes room);
  bool send_collected(Bytes room);
  Network::Outcome send_out(Outgoing& run, Bytes room);
  // One that has Failed may come back by a restart of ICE.
  bool has_ended() const { return peer_->signaling_state() == SignalingState::Closed; }
  bool is_blocked() const { return !outgoing_.empty(); }
  bool is_blocked_by(std::size_t socket) const { return is_blocked() && outgoing_[0].socket == socket; }
  void fit_buffers();
  void drop_idle_buffers();

  bool next_event(Event& event);
  bool has_something_to_tell() const;
  void emit_events();
  void emit_to_connection(const Event& event);
  void emit_to_channel(const Event& event);
  void emit_message(const std::shared_ptr<DataChannel>& channel);
  bool next_description(Event& event);
  bool translate(Peer::Event& event, Event& out);
  void handle_stream_event(const Peer::Event& event);
  bool next_buffered_low(Event& event);
  void refresh_buffered();
  ChannelEntry* entry(ChannelHandle handle);
  const ChannelEntry* entry(ChannelHandle handle) const;
  std::size_t place_of(ChannelHandle handle) const;  // of its entry, or where that would be
  std::shared_ptr<DataChannel> channel(ChannelHandle handle);
  std::shared_ptr<DataChannel> make_channel(ChannelHandle handle);

  PeerConnection* owner_;
  Configuration configuration_;
  std::vector<IceServerEntry> servers_;
  Environment environment_;
  SystemNetwork system_network_;
  std::optional<MuxMember> mux_member_;
  Network network_;
  Network own_network_;  // the same, but behind a mux: for the sockets that a connection shares with nobody

  // From here to outgoing_: what each poll() looks at. Of thousands of silent connections each is polled once in a few seconds, and
  // then the cache has nothing of it.
  MulticastNames names_;
  mutable Time latest_{};  // the clock never goes back, whatever the hook says
  std::optional<Peer> peer_;
  int calls_ = 0;
  int reads_ = 0, writes_ = 0;  // the most datagrams in a row since the buffers were last looked at
  int sends_ = 0;               // messages handed in since the last poll()
  bool in_hook_ = false;
  bool polling_ = false;
  bool takes_runs_ = false;      // the receive buffer may be given to the network as a large one
  bool more_to_stream_ = false;  // the last round moved bytes, so there may be more
  bool more_to_send_ = false;
  bool more_to_read_ = false;
  bool buffered_outdated_ = false;                // send() has been called since the amounts were looked at
  bool has_buffered_ = true;                      // one of the amounts may be other than 0, and fall
  bool restart_owed_ = false;                     // the path is lost
  bool gathering_ = false;                        // addresses are being found: local_addresses_done() is owed
  bool has_loopback_ = false;                     // loopback addresses are among the sockets'
  std::shared_ptr<ConnectionCore> kept_by_hook_;  // a hook let go of something in the middle of a call
  std::size_t gathered_ = 0;                      // bytes handed in since the last flush()
  Time flushed_at_ = Time::min();
  Time busy_at_ = Time::min();  // when something other than STUN last came, or was handed in
  Time next_look_ = kNever;     // at the addresses of this machine
  Time stream_retry_ = kNever;  // one of them waits for the system, and a loop of the user's may not see when
  Time send_again_ = kNever;    // when to try, should nobody watch for writing
  std::size_t largest_datagram_;  // that the peer writes
  // Both empty unless much goes by, or a datagram may be larger than what lies on the stack.
  std::vector<std::uint8_t> receive_buffer_;
  std::vector<std::uint8_t> send_buffer_;  // holds what is blocked from one poll() to the next
  std::vector<Socket> sockets_;
  std::size_t turn_sockets_ = 0;  // of those
  Streams streams_;
  std::vector<Address> tcp_locals_;  // listening, or with port 0 only to connect from
  std::vector<Lookup> lookups_;
  std::vector<ChannelHandle> buffered_low_;  // buffered_amount_low is owed
  std::vector<PeerConnection::IceServerFailed>
      lost_servers_;  // their names cannot be resolved: owed to the user
  std::unique_ptr<PendingDescription> pending_description_;
  std::optional<std::uint64_t>
      addresses_seen_;  // what they were when a look at them changed nothing: a number of the mux
  FixedVec<Outgoing, 8>
      outgoing_;  // between two calls: the socket's buffer is full, and they go first once it is not

  net::Resolver resolver_;
  net::Poller poller_;  // wait()'s, kept for its memory
  std::vector<ChannelEntry> channels_;
  std::string last_local_description_, last_local_type_;
  std::uint64_t overflows_ = 0;
  std::size_t next_lookup_ = 0;  // of the servers, the first whose name has not been asked for
  TurnAddresses turn_addresses_;
  std::vector<ChannelHandle> released_by_hook_;
  bool end_owed_ = false;
  bool candidates_in_description_ = false;
  std::optional<bool> offered_first_;  // the first offer that was answered was ours; nothing: none was yet
  bool is_closed_ = false;             // by close(): nothing is told any more
};

}  // namespace pollrtc::detail
