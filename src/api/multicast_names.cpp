#include "api/multicast_names.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"

namespace pollrtc::detail {
namespace {

constexpr int kReadsPerLink = 64;  // so that a flood cannot hold the loop

// RFC 4122 §4.4: 122 random bits, version 4, variant 10; in text of lower case, under "local".
std::optional<FixedString<64>> draw_name(const Rng& rng) {
  std::array<std::uint8_t, 16> bytes;
  if (!fill_random(rng, bytes)) return std::nullopt;
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fu) | 0x40u);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fu) | 0x80u);
  std::array<char, 42> text;
  std::size_t size = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[size++] = '-';
    text[size++] = "0123456789abcdef"[bytes[i] >> 4];
    text[size++] = "0123456789abcdef"[bytes[i] & 0x0fu];
  }
  for (const char c : std::string_view(".local")) text[size++] = c;
  return FixedString<64>::from({text.data(), size});
}

}  // namespace

void MulticastNames::add_address(Time now, const Address& local) {
  addresses_.push_back(local.with_port(0));
  if (!is_open_) return;
  open_links(now);
  write(now);
}

void MulticastNames::remove_address(Time now, const Address& local) {
  const Address plain = local.with_port(0);
  std::erase(addresses_, plain);
  for (const Own& own : own_)
    if (own.address == plain) mdns_.withdraw(own.name.view());
  std::erase_if(own_, [&](const Own& own) { return own.address == plain; });
  write(now);
  const auto link =
      std::find_if(links_.begin(), links_.end(), [&](const Link& l) { return l.local == plain; });
  if (link == links_.end()) return;
  mdns_.remove_link(plain);
  network_.close(network_.context, link->socket);
  links_.erase(link);
  if (is_open_) open_links(now);  // another address may be on the same link
}

// The hook refuses what is on a link that has one already.
void MulticastNames::open_links(Time now) {
  is_open_ = true;
  if (network_.open_multicast == nullptr) return;
  for (const Address& address : addresses_) {
    const bool is_there =
        std::any_of(links_.begin(), links_.end(), [&](const Link& l) { return l.local == address; });
    if (is_there || links_.size() == net::Mdns::kMaxLinks) continue;
    const int socket = network_.open_multicast(network_.context, address);
    if (socket < 0) continue;
    links_.push_back({address, socket});
    static_cast<void>(mdns_.add_link(now, address));  // there is room, and it was not there
  }
}

void MulticastNames::close_links() {
  for (const Link& link : links_) {
    mdns_.remove_link(link.local);
    network_.close(network_.context, link.socket);
  }
  links_.clear();
  is_open_ = false;
}

std::optional<FixedString<64>> MulticastNames::name_of(Time now, const Address& local) {
  const Address plain = local.with_port(0);
  for (const Own& own : own_)
    if (own.address == plain) return own.name;
  const auto name = draw_name(environment_.rng);
  if (!name) return std::nullopt;
  if (!is_open_) open_links(now);
  if (!mdns_.publish(now, name->view(), plain)) return std::nullopt;
  own_.push_back({plain, *name});
  write(now);
  return name;
}

void MulticastNames::resolve(Time now, std::string_view name) {
  if (!is_open_) open_links(now);
  const Status status = links_.empty() ? Status(fail(ErrorCode::Network, "there is no multicast here"))
                                       : mdns_.resolve(now, name);
  if (status) return write(now);
  POLLRTC_LOG(environment_, Debug, "api", "{}: {}", name, status.error().detail());
  failed_.push_back(FixedString<64>::from(name).value_or(FixedString<64>()));
}

bool MulticastNames::poll_event(net::Mdns::Event& event) {
  if (failed_.empty()) return mdns_.poll_event(event);
  event.name = failed_.back();
  event.address = {};
  failed_.pop_back();
  return true;
}

void MulticastNames::write(Time now) {
  std::array<std::uint8_t, net::kMaxMdnsMessage> buffer;
  while (const auto transmit = mdns_.poll_transmit(now, buffer)) {
    const auto link = std::find_if(links_.begin(), links_.end(),
                                   [&](const Link& l) { return l.local.same_ip(transmit->path.local); });
    if (link == links_.end()) continue;
    // What cannot go is lost, as on any network: a question is asked again, and so is one about us.
    (void)network_.send(network_.context, link->socket, transmit->path.remote,
                        Bytes(buffer).first(transmit->size));
  }
}

bool MulticastNames::step(Time now, std::span<std::uint8_t> buffer) {
  if (!is_open_) return false;
  bool is_more = false;
  for (const Link& link : links_) {
    int left = kReadsPerLink;
    for (; left > 0; --left) {
      std::size_t size = 0;
      Address source;
      const Network::Outcome outcome = network_.receive(network_.context, link.socket, buffer, size, source);
      if (outcome == Network::Outcome::WouldBlock || outcome == Network::Outcome::Error) break;
      if (outcome != Network::Outcome::Done || size > buffer.size()) continue;
      (void)mdns_.handle_datagram(now, {link.local.with_port(net::kMdnsPort), source, Transport::Udp},
                                  Bytes(buffer).first(size));
    }
    is_more = is_more || left == 0;
  }
  if (mdns_.next_timeout() <= now) mdns_.handle_timeout(now);
  write(now);
  if (mdns_.is_idle()) close_links();
  return is_more && is_open_;
}

void MulticastNames::close(Time now) {
  mdns_.forget_questions();
  failed_.clear();
  mdns_.withdraw_all();
  write(now);
  own_.clear();
  addresses_.clear();
  close_links();
}

void MulticastNames::watch(const SystemNetwork& system, net::Poller& poller) const {
  for (const Link& link : links_) (void)poller.add(system.descriptor(link.socket));
}

}  // namespace pollrtc::detail
