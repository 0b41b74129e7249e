// DataChannel: Godot's WebRTCDataChannel in plain C++. Made by PeerConnection, held by shared_ptr; dropping
// the last reference closes it. Everything happens in the connection's poll(), or in the call itself.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>

#include "pollrtc/peer.h"

namespace pollrtc {

namespace detail {
class ConnectionCore;  // what a PeerConnection and its channels share; it lives as long as any of them
}

// How a channel is to be. The defaults are a reliable, ordered one.
struct DataChannelOptions {
  bool ordered = true;            // messages arrive in the order in which they were sent
  int max_retransmits = -1;       // negative: no limit; above 65535: 65535. At most one of these two.
  int max_packet_life_time = -1;  // milliseconds
  bool negotiated = false;        // both ends create it with the same `id`
  int id = -1;                    // 0..65534; used only when negotiated
  // what is spoken on it: any text, at most 65535 bytes of UTF-8; the other end reads it
  std::string protocol;
  std::uint16_t priority = 256;  // RFC 8831 §6.4: 128 is low, 256 normal, 512 high, 1024 extra high
  // With the send buffer full, messages of this channel of which nothing has left are given up for one of a channel of a
  // higher priority, or without this. A matter of this end: the other does not hear of it.
  bool discard_when_full = false;
};

// One channel of a connection; see the top of this file.
class POLLRTC_API DataChannel {
 public:
  // Godot's names; the values are Godot's too.
  enum WriteMode : std::uint8_t { WRITE_MODE_TEXT = 0, WRITE_MODE_BINARY = 1, Text = 0, Binary = 1 };
  // Godot's names for the states:
  static constexpr ChannelState STATE_CONNECTING = ChannelState::Connecting;
  static constexpr ChannelState STATE_OPEN = ChannelState::Open;
  static constexpr ChannelState STATE_CLOSING = ChannelState::Closing;
  static constexpr ChannelState STATE_CLOSED = ChannelState::Closed;
  // What get_id, get_max_retransmits and get_max_packet_life_time say for "none".
  static constexpr int kUnset = 65535;

  ~DataChannel();
  DataChannel(const DataChannel&) = delete;
  DataChannel& operator=(const DataChannel&) = delete;

  // PacketPeer. put_packet of no bytes is OK and sends nothing (as in Godot); send() does send an empty
  // message. Errors: InvalidState (not open), TooLarge, BufferFull (the channel stays open; try later).
  Status put_packet(Bytes packet);  // as text or binary, by the write mode
  // The oldest unread message; Empty when there is none. The bytes are good until the next get_packet() or
  // poll().
  Result<Bytes> get_packet();
  // Of the last get_packet(): nothing while it succeeds.
  std::optional<ErrorCode> get_packet_error() const { return packet_error_; }
  int get_available_packet_count() const;  // messages, or pieces, that get_packet() would give
  // The largest packet that put_packet takes now, in bytes.
  std::size_t get_max_packet_size() const;
  bool was_string_packet() const;  // of the packet last taken

  // A binary message, whatever the write mode; without bytes, an empty one. Errors as put_packet().
  Status send(Bytes message);
  // A text message, as send_text().
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view> Status send(const Text& message) {
    return send_text(message);
  }
  // Any bytes, as they are: that they are UTF-8 is the caller's affair, at both ends.
  Status send_text(std::string_view message);

  // The same, and what becomes of the message is told by message_outcome, which names it by `report`, a number of yours.
  // Errors: also LimitReached (Limits::sctp_outcomes reports are owed).
  Status send_with_report(std::uint32_t report, Bytes message, bool is_text = false);

  // Messages too large to be in memory at once, text or binary by the write mode: Peer::send_piece, abandon_message and
  // receive_in_pieces say how they go. `last` has at least one byte. While one is open nothing else goes on the channel.
  Status send_piece(Bytes piece, bool last);
  // The message begun with send_piece() will not be finished. InvalidState: none is open.
  Status abandon_message();
  // From now on get_packet() gives messages of more than one network packet in pieces, as they come.
  Status set_receive_in_pieces(bool on);
  // Of the packet last taken: it was a whole message or the last piece of one; the other end gave up the rest of it.
  bool is_message_complete() const { return was_last_; }
  bool was_abandoned() const { return was_abandoned_; }  // no bytes then

  void set_write_mode(WriteMode mode);   // what put_packet() and send_piece() send, from now on
  WriteMode get_write_mode() const;      // Binary at first
  ChannelState get_ready_state() const;  // Closed for good after Closing, or when the connection ends
  std::string get_label() const;         // as its maker gave it
  std::string get_protocol() const;      // likewise
  int get_id() const;  // the stream, 0 to 65534; kUnset until the DTLS roles are known, unless negotiated
  bool is_ordered() const;               // as its maker asked, like the next three
  bool is_negotiated() const;            // both ends made it
  int get_max_retransmits() const;       // or kUnset
  int get_max_packet_life_time() const;  // milliseconds, or kUnset
  int get_priority() const;  // 128 to 1024 in practice; a channel that was announced has its maker's
  ChannelInfo get_stats()
      const;  // the counts beside what the getters say; its texts are good until the next call
  // Bytes of payload handed in and not yet handed to the network; falls in poll() only.
  std::size_t get_buffered_amount() const;
  // buffered_amount_low comes when the amount falls from above `bytes` to it or below. 0 at first.
  void set_buffered_amount_low_threshold(std::size_t bytes);
  Status poll();  // nothing to do: the connection's poll() does it all
  // What was sent before still goes out; then Closed. What has arrived can still be read.
  void close();

  // Signals beyond Godot's; delivered from the connection's poll(). A handler may call anything, and drop
  // anything.
  // They come in this order: opened; messages; closing (only when the other end began it); failed (the connection
  // broke, or the other end aborted it); closed. None after the connection's own close().
  std::function<void()> opened;
  // The other end began to close it.
  std::function<void()> closing;
  // It broke, with its connection or by an abort.
  std::function<void(Close reason)> failed;
  // It is Closed; always the last one.
  std::function<void()> closed;
  std::function<void()> message_received;  // once for each message; get_packet() has it
  // The tutorial's: when it is set each message goes to it, and no other way. The bytes are good for the call.
  std::function<void(const std::string& label, Bytes message)> data_received;
  // See set_buffered_amount_low_threshold().
  std::function<void()> buffered_amount_low;
  // Sent, then Acknowledged or Abandoned; nothing more once the channel is closed.
  std::function<void(std::uint32_t report, MessageOutcome outcome)> message_outcome;

 private:
  friend class detail::ConnectionCore;
  DataChannel(std::shared_ptr<detail::ConnectionCore> core, ChannelHandle handle);
  Status send_as(Bytes message, bool is_text);

  std::shared_ptr<detail::ConnectionCore> core_;
  ChannelHandle handle_;
  std::optional<ErrorCode> packet_error_;
  WriteMode write_mode_ = WriteMode::Binary;
  bool was_text_ = false, was_last_ = true, was_abandoned_ = false;
};

}  // namespace pollrtc
