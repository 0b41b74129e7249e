// Data channels over one SCTP association: ids, states, opening, closing, inboxes (RFC 8831 §6, RFC 8832 §6).
//
//   create        Connecting --association up--> Open --close / stream reset--> Closing --both streams
//   reset--> Closed
//
// A channel object lives from create() or the peer's OPEN until release(); it may be Closed long before that,
// and then still gives the messages that nobody has read.
#pragma once

#include "base/drop_counters.h"
#include "peer/dcep.h"
#include "peer/event_queue.h"
#include "pollrtc/peer.h"
#include "sctp/association.h"
#include "sctp/stream_set.h"

namespace pollrtc {

class Channels {
 public:
  Channels(const Environment& environment, EventQueue& events);
  ~Channels();

  // `max_message_size`: what the other end takes, an OPEN included (RFC 8841 §6.1).
  Result<ChannelHandle> create(Time now, const ChannelOptions& options, std::size_t max_message_size);
  Result<ChannelInfo> info(ChannelHandle handle) const;
  Status send(Time now, ChannelHandle handle, Bytes data, bool is_text, std::size_t max_message_size,
              std::optional<std::uint32_t> report = {});
  Status send_piece(Time now, ChannelHandle handle, Bytes piece, bool is_text, bool last,
                    std::uint64_t max_message_size);
  Status abandon_message(Time now, ChannelHandle handle);
  Status receive_in_pieces(ChannelHandle handle, bool on);
  std::optional<MessageView> receive(ChannelHandle handle);
  // Before something comes in: what receive() gave may go (MessageView).
  void drop_currents();
  bool keeps_large_currents() const;  // drop_currents() has something to drop
  Status set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes);
  Status close(Time now, ChannelHandle handle);
  void release(Time now, ChannelHandle handle);

  bool any_created() const { return next_handle_ != 0; }
  bool has_association() const { return association_ != nullptr; }

  // RFC 8832 §6: the DTLS client opens even ids, the server odd ones. Known before the association is.
  void on_role(bool dtls_client);
  // The association is up: ours open, OPENs go out. `association` must outlive this object or on_ended().
  void on_connected(Time now, sctp::Association& association, const sctp::Association::Connected& streams,
                    std::size_t max_message_size);
  Drop on_message(Time now, sctp::Message&& message);
  void on_stream_reset(Time now, const sctp::Association::StreamsReset& reset);  // by the other end
  void on_reset_done(Time now, std::uint16_t stream, bool performed);            // of ours
  void on_buffer_low(std::uint16_t stream);  // also when only an OPEN has left: that is none of the user's
  void on_message_too_large(Time now, std::uint16_t stream);
  void on_report(const sctp::Association::MessageReport& report);
  // The association is gone, or will never be: every channel closes.
  void on_ended(Close reason);

  // Resets that there was no memory to ask for. The other end waits for them, so they are asked for again.
  bool owes_resets() const { return !owed_resets_.empty(); }
  void ask_owed_resets(Time now);
  // More of them than can be kept in mind, or for too long: the other end takes streams for open that are not.
  bool has_lost_reset() const { return has_lost_reset_; }

  std::uint64_t messages_sent() const { return messages_sent_; }
  std::uint64_t messages_received() const { return messages_received_; }

 private:
  struct Inbound {
    Buffer payload;
    std::size_t charge;  // receive window it holds until it is read
    bool is_text;
    bool begins, ends, abandoned;
  };
  struct Channel {
    explicit Channel(const Memory& memory)
        : label(memory), protocol(memory), inbox(memory), current(memory) {}
    Buffer label, protocol;
    Ring<Inbound> inbox;
    Buffer current;  // what the last receive() gave
    std::size_t low_threshold = 0;
    std::uint64_t messages_sent = 0, messages_received = 0, bytes_sent = 0, bytes_received = 0;
    ChannelHandle handle{};
    std::optional<std::uint16_t> id, max_retransmits, max_lifetime_ms;
    std::uint16_t priority = 256;
    ChannelState state = ChannelState::Connecting;
    bool ordered = true, negotiated = false, discard_when_full = false;
    bool heard = false;  // the ACK or any message came: no need to force order any more (RFC 8832 §6)
    bool own_reset_done = false, peer_reset_done = false;
    Close reason = Close::Local;       // of its end: who began it, or what
    bool above_low_threshold = false;  // the buffered amount was, and BufferLow is owed
    bool released = false;
    bool opened_by_peer = false;    // its label counts in Limits::dc_labels
    bool in_pieces = false;         // as the user wants to receive
    std::uint64_t piece_bytes = 0;  // of the message in pieces that is being sent; 0: none is
  };
  struct OwedReset {
    std::uint16_t stream;
    bool is_refusal;  // refused_ is to have the stream, too
  };
  // In handle_by_id_: a stream that could not be reset, and so is never used again, when there was no memory for a set of them.
  static constexpr std::uint32_t kUnusable = 0xffffffff;

  Channel* find(ChannelHandle handle) const;
  Channel* find_by_id(std::uint16_t id) const;
  Result<Channel*> add(const ChannelOptions& options);
  Status check(const ChannelOptions& options, std::size_t max_message_size) const;
  bool is_in_use(std::uint16_t id) const;
  std::optional<std::uint16_t> free_id() const;
  Status assign_id(Channel& channel, std::uint16_t id);
  void open(Time now, Channel& channel, std::size_t max_message_size);
  void send_open(Time now, Channel& channel);
  static sctp::SendOptions options_for(const Channel& channel, bool is_text, bool empty);
  void note_buffered(Channel& channel);
  bool send_dcep(Time now, std::uint16_t stream, Bytes message);
  Drop on_dcep(Time now, std::uint16_t stream, Channel* channel, Bytes message);
  Drop on_open(Time now, std::uint16_t stream, Channel* channel, Bytes message);
  Drop deliver(Time now, Channel& channel, sctp::Message&& message);
  Drop keep_for_later(Time now, sctp::Message message);
  void deliver_kept(Time now, Channel& channel);
  void refuse_stream(Time now, std::uint16_t stream);
  bool reset_own(Time now, std::uint16_t stream);
  void owe_reset(Time now, std::uint16_t stream, bool is_refusal);
  const OwedReset* find_owed(std::uint16_t stream) const;  // owed_resets_.end(): none
  bool owes_reset(std::uint16_t stream) const { return find_owed(stream) != owed_resets_.end(); }
  void drop_kept(std::optional<std::uint16_t> stream);
  void start_closing(Time now, Channel& channel);
  void close_after_peer(Time now, Channel& channel);
  void finish_closing_if_done(Channel& channel);
  void become_closed(Channel& channel, Close reason);
  void become(Channel& channel, ChannelState next, std::string_view why);
  void empty_inbox(Channel& channel);
  void forget(Channel& channel);
  void never_use_again(std::uint16_t id);
  bool is_unusable(std::uint16_t id) const;
  // There is no channel on it, and there must be none: for ever, or until it is reset.
  bool is_nobodys(std::uint16_t id) const;
  static std::size_t text_size(const Channel& channel) {
    return channel.label.size() + channel.protocol.size();
  }
  void keep_current(Channel& channel, Buffer payload);
  bool wrong_parity_for_peer(std::uint16_t id) const;

  const Environment& environment_;
  EventQueue& events_;
  FlatMap<std::uint32_t, Owned<Channel>> channels_;     // by handle
  FlatMap<std::uint16_t, std::uint32_t> handle_by_id_;  // channels whose stream is in use
  Vec<sctp::Message> kept_;                             // for streams whose channel is not there yet
  std::size_t kept_bytes_ = 0;
  std::size_t current_bytes_ = 0;    // of all `current` together
  ChannelHandle roomy_{0xffffffff};  // whose inbox may have more room than it uses
  std::size_t label_bytes_ = 0;      // of the channels that the other end opened
  sctp::StreamSet unusable_;         // never used again, since they could not be reset
  // Streams without a channel that we have reset first, and the other end has not yet: nobody may use them.
  sctp::StreamSet refused_;
  // Streams to reset once more when the reset under way is done: a channel came and went on them meanwhile.
  sctp::StreamSet reset_again_;
  FixedVec<OwedReset, 8> owed_resets_;  // each stream at most once; nobody may use it
  Time owed_since_ = kNever;            // since when there was always one
  bool has_lost_reset_ = false;
  sctp::Association* association_ = nullptr;
  std::uint32_t next_handle_ = 0;
  std::uint32_t streams_ = 65535;  // ids must be below it; known exactly once the association is up
  std::optional<bool> dtls_client_;
  std::optional<Close> ended_;
  std::uint64_t messages_sent_ = 0, messages_received_ = 0;
};

}  // namespace pollrtc
