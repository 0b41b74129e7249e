// Channels over a real association, whose other end is an association too and otherwise says what the test says: DCEP messages
// by hand, messages of any payload protocol, resets of any stream.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "peer/channels.h"
#include "unit/sctp/two_associations.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

inline constexpr std::size_t kLargest = 256 * 1024;

class ChannelsFixture {
 public:
  explicit ChannelsFixture(const sctp::test::LinkOptions& link = {}, const Limits& limits = {},
                           const sctp::AssociationConfig& config = {}, std::uint64_t seed = 1);
  ~ChannelsFixture();

  // We are the DTLS client: ours are the even ids, the other end's the odd ones.
  void connect();
  // Until the association is up, its packets need not be lost even on a lossy link.
  void connect_without_loss();
  ChannelHandle create(const ChannelOptions& options);
  // A channel of ours, acknowledged.
  ChannelHandle open(const ChannelOptions& options = {.label = "ours"});
  ChannelInfo info(ChannelHandle handle) const;
  ChannelState state(ChannelHandle handle) const { return info(handle).state; }
  Status send(ChannelHandle handle, std::string_view text);

  // The other end says a DCEP message, in hex; a string; anything.
  void say(std::uint16_t stream, std::string_view dcep_hex);
  void say_text(std::uint16_t stream, std::string_view text);
  void say(const sctp::SendOptions& options, const ByteVector& bytes);
  void reset(std::uint16_t stream);

  // The other end resets the stream, and we ours; its answer to that is lost, and comes again only when we ask again. So it may
  // use the stream anew, and we do not know yet.
  void reset_and_lose_the_answer(std::uint16_t stream);

  void run(Duration duration);
  bool run_until(const std::function<bool()>& done, Duration limit);

  bool has_lost_event() const { return events_.lost(); }
  std::uint64_t drops(Drop reason) const { return drops_[reason]; }
  // What the other end has heard of resets: "reset 3", "reset done 3", "reset refused 3".
  std::vector<std::string> resets() const;
  bool other_is_up() const { return net.b.association->state() == sctp::AssociationState::Established; }

  struct Heard {
    std::uint16_t stream;
    std::uint32_t ppid;
    bool unordered;
    ByteVector bytes;
    friend bool operator==(const Heard&, const Heard&) = default;
  };
  std::vector<Heard> heard;  // by the other end
  std::vector<std::string>
      told;  // to our user: "announced 1", "message hello", "closed 1 Remote"; the number is the channel's
  bool user_reads = true;

  sctp::test::TwoAssociations net;

 private:
  EventQueue events_;
  DropCounters drops_;
  std::size_t seen_ = 0;

 public:
  Channels channels;

 private:
  // As Peer does it: messages first, then events.
  void pump();
  void on_event(const sctp::Association::Event& event);
  void tell(const Peer::Event& event);
};

}  // namespace pollrtc::test
