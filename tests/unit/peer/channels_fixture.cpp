#include "unit/peer/channels_fixture.h"

#include <utility>

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

ChannelsFixture::ChannelsFixture(const sctp::test::LinkOptions& link, const Limits& limits,
                                 const sctp::AssociationConfig& config, std::uint64_t seed)
    : net(link, seed, limits, config),
      events_(net.a.environment.env.memory, 1000),
      channels(net.a.environment.env, events_) {
  net.a.reads = net.b.reads = false;
  net.after_packet = [this] { pump(); };
}
ChannelsFixture::~ChannelsFixture() = default;

void ChannelsFixture::connect() {
  channels.on_role(true);
  net.connect();
  run(1s);
  REQUIRE(channels.has_association());
}

void ChannelsFixture::connect_without_loss() {
  const auto link = std::exchange(net.link, {});
  connect();
  net.link = link;
}

ChannelHandle ChannelsFixture::create(const ChannelOptions& options) {
  const auto handle = channels.create(net.now, options, kLargest);
  REQUIRE(handle);
  return *handle;
}

ChannelHandle ChannelsFixture::open(const ChannelOptions& options) {
  const ChannelHandle handle = create(options);
  if (!options.negotiated) {
    run(1s);
    say(*info(handle).id, "02");
  }
  run(1s);
  heard.clear();
  told.clear();
  return handle;
}

ChannelInfo ChannelsFixture::info(ChannelHandle handle) const {
  const auto info = channels.info(handle);
  REQUIRE(info);
  return *info;
}

Status ChannelsFixture::send(ChannelHandle handle, std::string_view text) {
  return channels.send(net.now, handle, as_bytes(text), true, kLargest);
}

void ChannelsFixture::say(std::uint16_t stream, std::string_view dcep_hex) {
  say({.stream = stream, .ppid = 50}, sctp::test::hex(dcep_hex));
}

void ChannelsFixture::say_text(std::uint16_t stream, std::string_view text) {
  say({.stream = stream, .ppid = 51}, to_vector(as_bytes(text)));
}

void ChannelsFixture::say(const sctp::SendOptions& options, const ByteVector& bytes) {
  REQUIRE(net.b.association->send(net.now, options, bytes));
}

void ChannelsFixture::reset(std::uint16_t stream) {
  REQUIRE(net.b.association->reset_stream(net.now, stream));
}

void ChannelsFixture::reset_and_lose_the_answer(std::uint16_t stream) {
  const std::size_t before = resets().size();
  reset(stream);
  run(15ms);
  net.lose_from_b = 1;
  run(10ms);
  net.lose_from_b = 0;
  REQUIRE(resets().size() == before + 2);
}

void ChannelsFixture::run(Duration duration) {
  net.run_until([this] { return pump(), false; }, duration);
}

bool ChannelsFixture::run_until(const std::function<bool()>& done, Duration limit) {
  return net.run_until([&] { return pump(), done(); }, limit);
}

std::vector<std::string> ChannelsFixture::resets() const {
  std::vector<std::string> list;
  for (const auto& event : net.b.events) {
    if (const auto* r = std::get_if<sctp::Association::StreamsReset>(&event))
      list.push_back("reset " + std::to_string(r->stream));
    if (const auto* d = std::get_if<sctp::Association::ResetDone>(&event))
      list.push_back((d->performed ? "reset done " : "reset refused ") + std::to_string(d->stream));
  }
  return list;
}

void ChannelsFixture::pump() {
  channels.ask_owed_resets(net.now);
  sctp::Message message(net.a.environment.env.memory);
  bool more = true;
  while (more) {
    while (channels.has_association() && net.a.association->receive(message))
      drops_.count(channels.on_message(net.now, std::move(message)));
    for (sctp::Association::MessageReport report{};
         channels.has_association() && net.a.association->poll_report(report);)
      channels.on_report(report);
    more = seen_ < net.a.events.size();
    if (more) on_event(net.a.events[seen_++]);
  }
  Peer::Event event;
  while (events_.pop(event)) tell(event);
  sctp::Message other(net.b.environment.env.memory);
  while (net.b.association->receive(other)) {
    heard.push_back({other.stream, other.ppid, other.unordered, to_vector(other.payload)});
    net.b.association->release(other.charge);
  }
}

void ChannelsFixture::on_event(const sctp::Association::Event& event) {
  using A = sctp::Association;
  if (const auto* up = std::get_if<A::Connected>(&event))
    channels.on_connected(net.now, *net.a.association, *up, kLargest);
  if (const auto* reset = std::get_if<A::StreamsReset>(&event)) channels.on_stream_reset(net.now, *reset);
  if (const auto* done = std::get_if<A::ResetDone>(&event))
    channels.on_reset_done(net.now, done->stream, done->performed);
  if (const auto* low = std::get_if<A::BufferLow>(&event)) channels.on_buffer_low(low->stream);
  if (const auto* large = std::get_if<A::MessageTooLarge>(&event))
    channels.on_message_too_large(net.now, large->stream);
  if (const auto* ended = std::get_if<A::Ended>(&event)) channels.on_ended(ended->reason);
}

void ChannelsFixture::tell(const Peer::Event& event) {
  const auto note = [this](std::string what, ChannelHandle channel) {
    told.push_back(what + " " + std::to_string(static_cast<std::uint32_t>(channel)));
  };
  if (const auto* a = std::get_if<Peer::ChannelAnnounced>(&event)) note("announced", a->channel);
  if (const auto* o = std::get_if<Peer::ChannelOpened>(&event)) note("open", o->channel);
  if (const auto* c = std::get_if<Peer::ChannelClosing>(&event)) note("closing", c->channel);
  if (const auto* l = std::get_if<Peer::BufferLow>(&event)) note("low", l->channel);
  if (const auto* r = std::get_if<Peer::MessageReport>(&event))
    note(r->outcome == MessageOutcome::Acknowledged ? "acknowledged"
         : r->outcome == MessageOutcome::Sent       ? "sent"
                                                    : "abandoned",
         r->channel);
  if (const auto* c = std::get_if<Peer::ChannelClosed>(&event)) {
    note("closed", c->channel);
    told.back() += ' ';
    told.back() += name_of(c->reason);
  }
  const auto* m = std::get_if<Peer::MessageReceived>(&event);
  if (m == nullptr || !user_reads) return;
  while (const auto view = channels.receive(m->channel))
    told.push_back("message " + std::string(as_text(view->data)));
}

}  // namespace pollrtc::test
