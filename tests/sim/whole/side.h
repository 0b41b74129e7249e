// One end of a connection: a checked peer, its user who opens and closes channels, sends and reads by plan, and the
// signalling to the other end, which loses nothing and takes its time.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "sim/message_ledger.h"
#include "sim/node.h"
#include "sim/whole/checked_peer.h"
#include "sim/whole/plan.h"

namespace pollrtc::sim {

// What both ends of a connection share, for the books alone.
struct ConnectionBooks {
  explicit ConnectionBooks(std::uint64_t seed) : a_to_b(2 * seed), b_to_a(2 * seed + 1) {}
  MessageLedger a_to_b, b_to_a;
  std::uint16_t next_channel = 0;  // channels are called by number
  std::set<std::uint16_t> over;    // closed, or being closed, by either end
  std::uint64_t channels = 0, restarts = 0;
};

class Side {
 public:
  Side(World& world, Participant& participant, const CheckedPeerOptions& options, const SidePlan& plan,
       std::uint16_t port, bool offers_first, ConnectionBooks& books, Random random);
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  void join(Side& other) { other_ = &other; }
  void begin();
  // The machine has these addresses now: what was bound to others is gone.
  void move(const std::vector<Address>& addresses);
  // Of several, one is gone, or is there again.
  void lose(const Address& ip);
  void gain(const Address& ip);
  void resume();
  void restart();  // ICE
  void churn();    // a channel more, or one less
  // No more faults: nothing new is sent, and what comes is read at once.
  void become_good();
  void bring_back();             // when it has failed: by a restart
  void chat() { send_one(64); }  // one small message
  void close();
  void finish() { checked_.finish(); }
  std::function<void(Side& from, const Path& path, Bytes datagram)> on_send;

  bool is_up() const { return peer().connection_state() == ConnectionState::Connected; }
  // For good: what has Failed may come back as long as it has a signaling state.
  bool is_over() const { return peer().signaling_state() == SignalingState::Closed; }
  bool has_failed() const { return is_over() || peer().connection_state() == ConnectionState::Failed; }
  const Peer& peer() const { return checked_.peer(); }
  CheckedPeer& checked() { return checked_; }
  const CheckedPeer& checked() const { return checked_; }
  Node<CheckedPeer>& node() { return node_; }
  Participant& participant() { return participant_; }
  bool was_up() const { return was_up_; }
  bool has_heard_candidates() const { return has_heard_candidates_; }  // of the other end
  bool closed_by_user() const { return closed_by_user_; }
  // When it failed, as its machine's clock showed, and how long no check had been answered then.
  Duration silence_at_end() const { return silence_at_end_; }
  Time connected_at() const { return connected_at_; }
  Duration connected_for() const { return connected_for_; }
  std::size_t queued_bytes() const;
  const ConnectionBooks& books() const { return books_; }
  // The last that something was sent along.
  const Path& last_path() const { return last_path_; }
  std::vector<Address> stun_servers, turn_servers;
  bool may_restart = true;
  bool knows_no_labels = false;  // the other end is an attacker: its channels are not ours
  // What an attacker's channels do: for who plays the user of this end.
  std::function<void(const Peer::Event& event)> on_foreign;
  std::function<void(std::string&)> edit_offer;   // before it is set
  std::function<void(std::string&)> edit_answer;  // before it is signalled

 private:
  struct Channel {
    ChannelHandle handle{};
    ChannelKind kind;
    bool is_open = false, is_closing = false, closed_by_us = false;
  };
  void listen(const Address& ip);
  std::string drops_text() const;
  void open(const ChannelKind& kind);
  void negotiate(bool restarts);
  void signal(std::function<void(Side&)> message);
  void drain();
  void on_offer(const std::string& text);
  void on_answer(const std::string& text);
  void on_event(Time now, const Peer::Event& event);
  void on_state(ConnectionState state);
  void gather();
  void on_channel_event(const Peer::Event& event);
  void on_announced(ChannelHandle handle);
  void on_closed(ChannelHandle handle, Close reason);
  void send_by_plan();
  bool send_one(std::size_t most);
  void read_by_plan();
  void read(std::size_t most);
  bool took(const Status& status) const;
  std::map<std::uint16_t, Channel>::iterator find(ChannelHandle handle);
  Time now() const { return world_.now(); }

  World& world_;
  Participant& participant_;
  const SidePlan plan_;
  const std::uint16_t port_;
  const bool offers_first_;
  ConnectionBooks& books_;
  MessageLedger &out_, &in_;
  Random random_;
  CheckedPeer checked_;
  Node<CheckedPeer> node_;
  Side* other_ = nullptr;
  Path last_path_;
  std::set<Address> listening_;
  std::vector<Address> bound_;
  std::deque<std::function<void(Side&)>> inbox_;
  std::map<std::uint16_t, Channel> channels_;  // by their number
  bool has_begun_ = false, wants_restart_ = false, sends_ = true, reads_at_once_ = true;
  std::size_t left_ = 0;
  bool was_up_ = false, has_heard_candidates_ = false, closed_by_user_ = false;
  Time connected_at_ = kNever, up_since_ = kNever;
  Duration connected_for_{}, silence_at_end_{};
};

}  // namespace pollrtc::sim
