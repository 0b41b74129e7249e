// Mdns: finds the addresses behind names of multicast DNS, and answers for names of our own. A NetworkEngine: no socket, no
// clock. Read first: RFC 6762 §5.2 and §5.4 (asking), §6 (answering), §8.3 (announcing), §10.1 (goodbye), §11 (whom to
// believe), and draft-ietf-mmusic-mdns-ice-candidates §3, which is what it is for.
//
// It speaks on links. A link is a socket that has joined the group (Network::open_multicast), named by the address of ours that
// it belongs to: that address is Path::local of all that comes from it and goes to it. Such a socket hears only what was sent
// to the group, which no router passes on (RFC 6762 §11). That is why our questions never ask for an answer by unicast, and
// why an answer by unicast, which anybody on the internet could send, is not even heard.
//
// Names are drawn at random, so nobody else's name is ours: there is no probing (draft §3.1.1), and no conflict to settle.
#pragma once

#include "base/drop_counters.h"
#include "base/engine.h"
#include "base/memory.h"
#include "net/mdns_message.h"
#include "pollrtc/environment.h"
#include "pollrtc/fixed_string.h"
#include "pollrtc/result.h"

namespace pollrtc::net {

class Mdns {
 public:
  static constexpr std::size_t kMaxLinks = 16;
  static constexpr Duration kGiveUp = std::chrono::seconds(5);
  static constexpr Duration kFirstGap =
      std::chrono::seconds(1);  // between questions; then each is twice the last
  static constexpr Duration kRecordGap =
      std::chrono::seconds(1);                         // RFC 6762 §6: between two multicasts of a record
  static constexpr int kAnnouncements = 2;             // RFC 6762 §8.3: a second apart
  static constexpr std::size_t kMaxReplies = 8;        // by unicast, waiting to be sent
  static constexpr std::size_t kMaxSectionItems = 64;  // questions, and records, read of one message

  struct Event {           // a question is over
    FixedString<64> name;  // as resolve() was given it
    Address address;       // port 0; invalid when nobody answered, or the name has more than one address
  };

  explicit Mdns(Environment& environment)
      : environment_(environment),
        questions_(environment.memory),
        records_(environment.memory),
        replies_(environment.memory) {}

  // AlreadyExists, LimitReached.
  Status add_link(Time now, const Address& local);
  void remove_link(const Address& local);
  std::size_t links() const;

  // Asks on all links until the first answer, or for five seconds. The same name twice is one question. Errors:
  // InvalidArgument (no host name below "local"), LimitReached (Limits::ice_mdns_names), OutOfMemory.
  Status resolve(Time now, std::string_view name);
  // Announces that `name` is `address`, and answers whoever asks, until withdraw(). Errors: InvalidArgument, AlreadyExists,
  // LimitReached (Limits::ice_local_candidates), OutOfMemory.
  Status publish(Time now, std::string_view name, const Address& address);
  // Says goodbye for the name, or for all of them, and answers for it no more.
  void withdraw(std::string_view name);
  void withdraw_all();
  void forget_questions() { questions_.clear(); }

  // What came to a group. DnsUnexpected: nothing we asked, and no question about our names.
  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  // Nothing is asked and nothing published: the links may be closed.
  bool is_idle() const { return questions_.empty() && records_.empty(); }
  using Drops = DropCountersOf<Drop::DnsMalformed, Drop::DnsRateLimited>;
  const Drops& drops() const { return drops_; }

 private:
  using LinkSet = std::uint32_t;  // a bit for each place in links_
  struct Question {
    FixedString<64> name;
    DnsName wire;
    LinkSet owed = 0;
    Time next_copy, give_up;
    Duration gap = kFirstGap;
    bool is_over = false;
    Address address;
  };
  struct Own {
    FixedString<64> name;
    DnsName wire;
    Address address;
    struct OnLink {
      Time last_sent = Time::min();  // by multicast
      Time due = kNever;             // not before: kRecordGap
      int announcements = 0;         // still to come
      bool is_owed = false, denial_first = false;
    };
    std::array<OnLink, kMaxLinks> on;
    bool is_leaving = false;  // what is owed is the goodbye
  };
  struct Reply {  // by unicast
    Address local, remote;
    DnsQuestion question;
    std::uint16_t id = 0;
    bool is_legacy = false;
  };

  std::optional<std::size_t> find_link(const Address& local) const;
  Own* find_own(const DnsName& name);
  Drop on_response(const DnsHeader& header, const Path& path, Bytes message);
  Drop on_query(Time now, const DnsHeader& header, const Path& path, std::size_t link, Bytes message);
  bool is_known_answer(const DnsHeader& header, Bytes message, std::size_t at, const Own& own) const;
  Drop answer(Time now, const DnsQuestion& question, std::uint16_t id, const Path& path, std::size_t link,
              Own& own);
  bool may_reply(Time now);
  void announce(Own& own, std::size_t link);
  void drop_those_gone();
  std::optional<Transmit> poll_question(MutBytes out);
  std::optional<Transmit> poll_record(Time now, MutBytes out);
  std::optional<Transmit> poll_reply(MutBytes out);
  Transmit to_group(std::size_t link, std::size_t size) const;

  Environment& environment_;
  std::array<Address, kMaxLinks> links_{};  // invalid: a free place
  Vec<Question> questions_;
  Vec<Own> records_;
  Vec<Reply> replies_;
  Time second_began_ = Time::min();
  std::uint32_t replies_this_second_ = 0;
  Drops drops_;
};

static_assert(NetworkEngine<Mdns>);

}  // namespace pollrtc::net
