// UdpMux::poll(): of all the connections of a mux those that something is due for, and no other is so much as looked at.
//
// A connection's deadline can change only in a call on it, so each call leaves its member among `touched_`; the next poll()
// asks those again and files them in `agenda_` by their deadline. Who has got mail is polled whatever the deadline. Handlers may
// make and destroy connections at any point.
#include <algorithm>
#include <utility>

#include "api/connection_core.h"
#include "api/mux_core.h"

namespace pollrtc::detail {

void MuxMember::touch() {
  if (is_touched_ || connection_ == nullptr) return;
  is_touched_ = true;
  core_->touched_.push_back(this);
}

void MuxCore::file(MuxMember& member, Time due) {
  if (member.due_ == due) return;
  member.due_ = due;
  agenda_.set(member.ticket_, due);
}

void MuxCore::review() {
  for (MuxMember* const member : touched_) {
    if (member == nullptr) continue;
    member->is_touched_ = false;
    file(*member, member->connection_->next_due());
    const bool is_watched = member->connection_->has_own_descriptors();
    if (is_watched == member->is_watched_) continue;
    member->is_watched_ = is_watched;
    if (is_watched)
      watched_.push_back(member);
    else
      std::erase(watched_, member);
  }
  touched_.clear();
}

void MuxCore::forget(MuxMember& member) {
  agenda_.remove(member.ticket_);
  if (member.is_touched_)
    std::replace(touched_.begin(), touched_.end(), &member, static_cast<MuxMember*>(nullptr));
  if (member.is_watched_) std::erase(watched_, &member);
  std::replace(ready_.begin(), ready_.end(), &member, static_cast<MuxMember*>(nullptr));
}

// Until a socket of the mux or of one of its connections is ready, or the first deadline has come.
void MuxCore::sleep(Duration timeout) {
  if (is_given()) return;
  poller_.clear();
  (void)watch(poller_);
  for (const MuxMember* const member : watched_) (void)member->connection_->watch(poller_);
  const Time due = agenda_.next();
  if (due != kNever) timeout = std::clamp<Duration>(due - now(), Duration::zero(), timeout);
  poller_.wait(timeout);
}

// Those who got something, and are touched by that; those who are due; and those with descriptors of their own, which are
// few: sockets for TURN servers, streams, multicast DNS. All of them are to be asked for their deadline afterwards.
void MuxCore::find_ready() {
  ready_ = touched_;
  const auto add = [this](MuxMember* member) {
    if (member->is_touched_) return;
    member->touch();
    ready_.push_back(member);
  };
  const Time time = now();
  while (MuxMember* const member = agenda_.take_due(time)) {
    member->due_ = kNever;
    add(member);
  }
  for (MuxMember* const member : watched_) add(member);
}

Status MuxCore::poll(Duration timeout) {
  if (holds_reading_) return fail(ErrorCode::InvalidState, "poll() was called from inside a signal");
  review();
  sleep(std::max(timeout, Duration::zero()));
  holds_reading_ = true;
  read_ready();
  find_ready();
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    if (ready_[i] == nullptr) continue;  // a handler has destroyed it
    const std::shared_ptr<ConnectionCore> connection = ready_[i]->connection_->shared_from_this();
    (void)connection->poll();  // refused where the caller stands inside its signal
  }
  ready_.clear();
  holds_reading_ = false;
  return {};
}

// ---- addresses: each connection asks once a second, and they all get what one of them was told

namespace {
constexpr Duration kAddressesGood = std::chrono::milliseconds(500);
}  // namespace

void MuxCore::list(Listing& listing, bool loopback, std::size_t most) {
  const Time time = now();
  if (listing.asked_at && time < *listing.asked_at + kAddressesGood && listing.most == most) return;
  std::vector<Address> fresh(most);
  fresh.resize(network_.list_addresses(network_.context, loopback, fresh));
  if (fresh != listing.addresses) ++addresses_version_;
  listing = {time, most, std::move(fresh)};
}

std::size_t MuxCore::list_addresses(bool loopback, std::span<Address> out) {
  Listing& listing = listings_[loopback ? 1 : 0];
  list(listing, loopback, out.size());
  const std::size_t count = std::min(out.size(), listing.addresses.size());
  std::copy_n(listing.addresses.begin(), count, out.begin());
  return count;
}

// False: nobody can tell. Without the hook those are there that list_addresses names (pollrtc/network.h).
bool MuxCore::ask_for_presence(std::span<const Address> addresses, std::span<bool> is_there) const {
  if (network_.find_addresses != nullptr)
    return network_.find_addresses(network_.context, addresses, is_there);
  std::array<Address, kMostSockets> storage;
  const std::size_t count = network_.list_addresses(network_.context, true, storage);
  if (count >= storage.size()) return false;  // there may be more
  const auto listed = std::span(storage).first(count);
  std::transform(addresses.begin(), addresses.end(), is_there.begin(), [&](const Address& address) {
    return std::any_of(listed.begin(), listed.end(), [&](const Address& a) { return a.same_ip(address); });
  });
  return true;
}

// False: nobody can tell.
bool MuxCore::look_for_presence() {
  const Time time = now();
  if (presence_at_ && time < *presence_at_ + kAddressesGood && presence_.size() == sockets_.size())
    return true;
  std::array<Address, kMostSockets> locals;
  std::array<bool, kMostSockets> found{};
  for (std::size_t i = 0; i < sockets_.size(); ++i) locals[i] = sockets_[i].local;
  presence_at_.reset();
  if (!ask_for_presence(std::span<const Address>(locals).first(sockets_.size()),
                        std::span<bool>(found).first(sockets_.size())))
    return false;
  const std::vector<bool> fresh(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(sockets_.size()));
  if (fresh != presence_) ++addresses_version_;
  presence_ = fresh;
  presence_at_ = time;
  return true;
}

std::optional<std::uint64_t> MuxCore::addresses_version(bool loopback) {
  Listing& listing = listings_[loopback ? 1 : 0];
  if (network_.find_addresses == nullptr || !listing.asked_at) return std::nullopt;
  list(listing, loopback, listing.most);
  return look_for_presence() ? std::optional(addresses_version_) : std::nullopt;
}

bool MuxCore::find_addresses(std::span<const Address> addresses, std::span<bool> is_there) {
  if (!look_for_presence()) return false;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                     [&](const Socket& s) { return s.local.same_ip(addresses[i]); });
    if (socket == sockets_.end())  // not one of ours
      return network_.find_addresses(network_.context, addresses, is_there);
    is_there[i] = presence_[static_cast<std::size_t>(socket - sockets_.begin())];
  }
  return true;
}

}  // namespace pollrtc::detail

namespace pollrtc {

Status UdpMux::poll(Duration timeout) {
  const std::shared_ptr<detail::MuxCore> core = core_;  // a handler may destroy the mux
  return core->poll(timeout);
}

}  // namespace pollrtc
