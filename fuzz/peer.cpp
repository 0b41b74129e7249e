// A Peer whose user, signalling and network all do what the input says: calls in any order, descriptions and candidates
// half right, datagrams of anything, jumps of the clock. No crash, no leak, and the engine's promises hold throughout.
//
// Input: steps. A byte says what to do, and what follows is its argument: a length byte and so many bytes, or nothing.
#include <string>
#include <vector>

#include "base/bytes.h"
#include "pollrtc/peer.h"
#include "support.h"

using namespace pollrtc;

namespace {

class Input {
 public:
  explicit Input(Bytes bytes) : reader_(bytes) {}
  bool at_end() const { return reader_.rest().empty(); }
  std::uint8_t byte() { return reader_.u8(); }
  Bytes bytes() {
    const std::size_t wanted = reader_.u8();
    return reader_.take(std::min(wanted, reader_.rest().size()));
  }

 private:
  ByteReader reader_;
};

class Fuzzed {
 public:
  explicit Fuzzed(Input input) : input_(input) {
    Environment environment;
    environment.rng = {fill_counting, &random_};
    environment.limits = Limits::small();
    auto made = Peer::create(environment, {}, now_);
    check(made.has_value());
    peer_.emplace(*std::move(made));
  }

  void run() {
    for (int steps = 0; steps < 200 && !input_.at_end(); ++steps) {
      step();
      drain();
    }
  }

 private:
  // Text of the input, or, marked by an empty argument, our own last description with the ends swapped: what an echo
  // of ourselves would say. It gets further than random text does.
  std::string description() {
    const Bytes given = input_.bytes();
    if (!given.empty()) return std::string(as_text(given));
    std::string text = last_description_;
    if (const auto at = text.find("a=setup:actpass"); at != std::string::npos)
      text.replace(at, 15, "a=setup:active");
    return text;
  }

  void step() {
    switch (input_.byte() % 16) {
      case 0:
        return create_channel();
      case 1:
        return keep(peer_->create_offer(now_));
      case 2:
        return keep(peer_->create_answer(now_));
      case 3:
        return ignore(peer_->set_local_description(now_, SdpType::Offer, last_description_));
      case 4:
        return ignore(peer_->set_local_description(now_, SdpType::Answer, last_description_));
      case 5:
        return ignore(peer_->set_remote_description(now_, SdpType::Offer, description()));
      case 6:
        return ignore(peer_->set_remote_description(now_, SdpType::Answer, description()));
      case 7:
        return ignore(peer_->add_remote_candidate(now_, "0", 0, as_text(input_.bytes())));
      case 8:
        return ignore(peer_->add_local_address(now_, Address::v4(192, 0, 2, 1, 5000)));
      case 9:
        return peer_->local_addresses_done(now_);
      case 10: {
        const Path path{Address::v4(192, 0, 2, 1, 5000), Address::v4(192, 0, 2, input_.byte(), 5000)};
        peer_->handle_datagram(now_, path, input_.bytes());
        return;
      }
      case 11:
        now_ += std::chrono::milliseconds(input_.byte() * 40);
        return peer_->handle_timeout(now_);
      case 12:
        return use_channel();
      case 13:
        return ignore(peer_->set_local_description(now_, SdpType::Rollback, {}));
      case 14:
        return ignore(peer_->set_remote_description(now_, SdpType::Pranswer, description()));
      default:
        return peer_->close(now_);
    }
  }

  void create_channel() {
    const std::uint8_t flags = input_.byte();
    ChannelOptions options;
    options.label = as_text(input_.bytes());
    options.ordered = (flags & 1) != 0;
    options.negotiated = (flags & 2) != 0;
    options.id = flags;
    if (flags & 4) options.max_retransmits = flags;
    if (flags & 8) options.max_lifetime_ms = flags;
    if (const auto channel = peer_->create_channel(now_, options)) channels_.push_back(*channel);
  }

  void use_channel() {
    if (channels_.empty()) return;
    const std::uint8_t choice = input_.byte();
    const ChannelHandle channel = channels_[choice / 4 % channels_.size()];
    switch (choice % 4) {
      case 0:
        return ignore(peer_->send(now_, channel, input_.bytes(), true));
      case 1:
        return ignore(peer_->close_channel(now_, channel));
      case 2:
        return peer_->release_channel(now_, channel);
      default:
        peer_->receive(now_, channel);
    }
  }

  void keep(const Result<std::string>& text) {
    if (text) last_description_ = *text;
  }
  static void ignore(const Status&) {}

  void drain() {
    std::array<std::uint8_t, 2048> out;
    for (int n = 0; const auto transmit = peer_->poll_transmit(now_, out); ++n) {
      check(n < 1000 && transmit->size > 0 && transmit->size <= 1500);
    }
    Peer::Event event;
    for (int n = 0; peer_->poll_event(event); ++n) check(n < 5000);
    if (const Time due = peer_->next_timeout(); due <= now_) {
      peer_->handle_timeout(now_);
      while (peer_->poll_transmit(now_, out)) {
      }
      check(peer_->next_timeout() > due);
    }
  }

  Input input_;
  Time now_{};
  std::uint32_t random_ = 1;
  std::optional<Peer> peer_;
  std::string last_description_;
  std::vector<ChannelHandle> channels_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Fuzzed(Input(Bytes(data, size))).run();
  return 0;
}
