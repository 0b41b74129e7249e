#include "api/mux_core.h"

#include <algorithm>
#include <array>

#include "base/address.h"
#include "base/bytes.h"
#include "base/random.h"
#include "ice/screen.h"
#include "net/entropy.h"

namespace pollrtc::detail {
namespace {

constexpr std::size_t kReceiveBuffer = 65536;
constexpr int kReads = 256;  // in one read()
constexpr int kErrorReads = 64;
// What waits for one connection: its requests are few, and an error that is lost costs no more than the time until an answer is overdue.
constexpr std::size_t kMostErrors = 32;
// Boxes kept for the next mail, and the largest that is.
constexpr std::size_t kMostSpare = 256, kLargestSpare = 2048;
// For how long a good check holds an address against others who send good checks from it: three times what consent (RFC
// 7675) takes at most. Somebody who forges a source address can have it only when its holder has gone.
constexpr Duration kHold = std::chrono::seconds(18);

bool is_stun(Bytes datagram) { return datagram.size() >= stun::kHeaderSize && datagram[0] <= 3; }

// RFC 8489 §5: the class is in two bits of the type, 10 for success and 11 for an error.
bool is_answer(Bytes stun) { return (load_u16(stun.data()) & 0x0100) != 0; }

stun::TransactionId transaction_of(Bytes message) {
  stun::TransactionId id;
  std::copy_n(message.begin() + 8, id.size(), id.begin());
  return id;
}

}  // namespace

// ---- the tables

std::size_t MuxCore::Hash::of(std::uint64_t state, Bytes bytes) const {
  for (const std::uint8_t byte : bytes) state = (state ^ byte) * 0x100000001b3u;
  return static_cast<std::size_t>(state ^ (state >> 32));
}
std::size_t MuxCore::Hash::operator()(const MuxKey& key) const {
  return of(seed ^ (std::uint64_t{key.remote.port} << 32) ^ key.socket, key.remote.ip_bytes());
}

MuxCore::MuxCore(const UdpMux::Config& config)
    : config_(config),
      environment_{.rng = config.rng.fill != nullptr ? config.rng : net::system_rng(),
                   .log = config.log,
                   .limits = config.limits},
      system_network_(environment_, config.dscp, config.udp_offload),
      network_(config.network.is_set() ? config.network : system_network_.hooks()),
      buffer_(kReceiveBuffer),
      hash_{random_u64(environment_.rng).value_or(0x9e3779b97f4a7c15u)},
      addresses_(0, hash_),
      error_limiter_(environment_.memory, config.limits) {}

MuxCore::~MuxCore() {
  for (const Socket& socket : sockets_) network_.close(network_.context, socket.number);
}

UdpMux::Stats MuxCore::stats() const {
  UdpMux::Stats stats = counters_;
  stats.connections = members_;
  stats.addresses = addresses_.size();
  return stats;
}

void MuxCore::leave(MuxMember& member) {
  forget(member);
  for (const std::string& ufrag : member.ufrags_) ufrags_.erase(ufrag);
  for (const MuxKey& key : member.addresses_) give_up(member, key);
  transactions_.forget(member);
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    if (member.is_open_[i]) --sockets_[i].users;
  --members_;
}

// An address is nobody's any more, unless it is somebody else's.
void MuxCore::give_up(MuxMember& member, const MuxKey& key) {
  if (member.last_claimed_ == key) member.last_claimed_.reset();
  const auto known = addresses_.find(key);
  if (known != addresses_.end() && known->second.member == &member) addresses_.erase(known);
}

// What it knew at a socket that it has closed.
void MuxCore::forget_at(MuxMember& member, std::size_t socket) {
  std::erase_if(member.addresses_, [&](const MuxKey& key) {
    if (key.socket != socket) return false;
    give_up(member, key);
    return true;
  });
}

void MuxCore::forget_oldest(MuxMember& member) {
  // Best one that nothing good has ever come from.
  auto oldest = std::find_if(member.addresses_.begin(), member.addresses_.end(), [&](const MuxKey& key) {
    const auto known = addresses_.find(key);
    return known == addresses_.end() || known->second.member != &member || !known->second.heard;
  });
  if (oldest == member.addresses_.end()) oldest = member.addresses_.begin();
  const MuxKey key = *oldest;
  member.addresses_.erase(oldest);
  give_up(member, key);
}

// An address belongs to whoever wrote there first, until a good check from it shows whose it is.
void MuxCore::claim(MuxMember& member, const MuxKey& key, bool is_proved) {
  if (!member.is_open_[key.socket]) return;
  if (!is_proved && member.last_claimed_ == key) return;  // as nearly always, and it is at hand
  const auto known = addresses_.find(key);
  if (known != addresses_.end()) {
    Entry& entry = known->second;
    if (!is_proved) return;
    const bool is_own = entry.member == &member;
    if (!is_own && entry.heard && now() - *entry.heard < kHold) return;
    if (!is_own && entry.member->last_claimed_ == key) entry.member->last_claimed_.reset();
    entry = {&member, now()};
    member.last_claimed_ = key;
    if (is_own) return;
  } else {
    if (addresses_.size() >= config_.max_addresses) return;
    addresses_.emplace(key, Entry{&member, is_proved ? std::optional(now()) : std::nullopt});
    member.last_claimed_ = key;
  }
  member.addresses_.push_back(key);
  if (member.addresses_.size() > std::max<std::size_t>(config_.max_addresses_each, 1)) forget_oldest(member);
}

// ---- what comes

// The sockets, beginning with the one whose turn it is.
template <class Visit>
void MuxCore::for_each_in_turn(Visit&& visit) {
  const std::size_t first = first_to_read_;
  for (std::size_t i = 0; i < sockets_.size(); ++i) visit((first + i) % sockets_.size());
}

void MuxCore::read() {
  int left = kReads;
  for_each_in_turn([&](std::size_t socket) { left = read_socket(socket, left); });
}

void MuxCore::read_all() {
  read();
  if (network_.receive_error == nullptr) return;
  for (std::size_t i = 0; i < sockets_.size(); ++i) read_errors(i);
}

// How many more of `left` may be read. Where no more may be, the next reading begins behind this socket: a flood at one of our
// addresses takes a reading for itself, and the next one is for the others first.
int MuxCore::read_socket(std::size_t socket, int left) {
  if (left <= 0) return 0;
  const int before = left;
  for (int count = 1; count != 0 && left > 0; left -= count) count = read_run(socket);
  if (left < before) count_overflows(sockets_[socket]);
  if (left > 0) return left;
  first_to_read_ = (socket + 1) % sockets_.size();
  return 0;
}

void MuxCore::count_overflows(Socket& socket) {
  if (network_.overflows == nullptr) return;
  const std::uint32_t all = network_.overflows(network_.context, socket.number);
  counters_.overflows += all - socket.overflows;
  socket.overflows = all;
}

// The same for those sockets that poll(2) has just named.
void MuxCore::read_ready() {
  int left = kReads;
  for_each_in_turn([&](std::size_t socket) {
    if (!is_given() && !poller_.is_readable(descriptor(static_cast<int>(socket)))) return;
    left = read_socket(socket, left);
    if (network_.receive_error != nullptr) read_errors(socket);
  });
}

// How many datagrams came; 0 when there is nothing more.
int MuxCore::read_run(std::size_t socket) {
  std::size_t size = 0, segment = 0;
  Address source;
  const int number = sockets_[socket].number;
  const Network::Outcome outcome =
      network_.receive_run != nullptr
          ? network_.receive_run(network_.context, number, buffer_, size, segment, source)
          : network_.receive(network_.context, number, buffer_, size, source);
  if (outcome == Network::Outcome::WouldBlock || outcome == Network::Outcome::Error) return 0;
  if (outcome != Network::Outcome::Done || size > buffer_.size()) return 1;
  if (segment == 0) segment = size;
  int count = 0;
  Bytes rest = Bytes(buffer_).first(size);
  do {
    const Bytes datagram = rest.first(std::min(segment, rest.size()));
    hand_over({socket, source}, datagram);
    rest = rest.subspan(datagram.size());
    ++count;
  } while (!rest.empty());
  return count;
}

void MuxCore::hand_over(const MuxKey& key, Bytes datagram) {
  MuxMember* const member = owner_of(key, datagram);
  const bool is_taken =
      member != nullptr && member->is_open_[key.socket] && member->mail_.size() < config_.max_waiting;
  if (!is_taken) {
    ++counters_.dropped;
    return;
  }
  put(member->mail_, key, datagram);
  member->touch();
}

// In a box that is there already, if there is one.
void MuxCore::put(MuxMember::Box& box, const MuxKey& from, Bytes bytes) {
  if (spare_.empty())
    box.emplace_back();
  else
    box.splice(box.end(), spare_, spare_.begin());
  box.back().from = from;
  box.back().bytes.assign(bytes.begin(), bytes.end());
}

// It has been read.
void MuxCore::take_back(MuxMember::Box& box, MuxMember::Box::iterator datagram) {
  if (spare_.size() >= kMostSpare || datagram->bytes.capacity() > kLargestSpare)
    box.erase(datagram);
  else
    spare_.splice(spare_.begin(), box, datagram);
}

// An error is of use to whom it spares waiting for an answer, so it is the transaction that counts: what quotes nothing that we
// asked is anybody's invention.
void MuxCore::read_errors(std::size_t socket) {
  for (int left = kErrorReads; left > 0; --left) {
    std::size_t size = 0;
    Address remote;
    if (!network_.receive_error(network_.context, sockets_[socket].number, buffer_, size, remote)) return;
    const Bytes quoted = Bytes(buffer_).first(std::min(size, buffer_.size()));
    MuxMember* const asked = is_stun(quoted) ? transactions_.find(transaction_of(quoted)) : nullptr;
    if (asked == nullptr) continue;
    MuxMember& member = *asked;
    if (!member.is_open_[socket] || member.errors_.size() >= kMostErrors) continue;
    put(member.errors_, {socket, remote}, quoted.first(stun::kHeaderSize));
    member.touch();
  }
}

// Null: nobody's, and answered if it wanted an answer.
MuxMember* MuxCore::owner_of(const MuxKey& key, Bytes datagram) {
  const bool is_from_stun = is_stun(datagram);
  if (is_from_stun && is_answer(datagram))  // whether it is a good one is for its connection to say
    if (MuxMember* const asked = transactions_.find(transaction_of(datagram))) return asked;
  const auto by_address = addresses_.find(key);
  MuxMember* const there = by_address == addresses_.end() ? nullptr : by_address->second.member;
  if (!is_from_stun || is_answer(datagram)) return there;
  const auto message = stun::Message::parse(datagram);
  if (!message || message->message_class() != stun::Class::Request) return there;
  const auto username = message->text(stun::Attribute::Username);
  if (username) {
    const std::string_view ufrag = username->substr(0, username->find(':'));
    if (there != nullptr && there->has_ufrag(ufrag)) return there;  // as nearly always, and it is at hand
    const auto named = ufrags_.find(std::string(ufrag));
    if (named != ufrags_.end()) return named->second;
  }
  if (there == nullptr) refuse(key, *message);
  return there;
}

// RFC 8489 §9.1.3, for those who name nobody: as an agent would, and nothing is kept but the time of it.
void MuxCore::refuse(const MuxKey& key, const stun::Message& request) {
  const ice::RequestVerdict verdict = ice::screen_request(request, {}, {});
  if (verdict.code != 400 && verdict.code != 401) return;
  if (!error_limiter_.allow(now(), key.remote)) return;
  ice::Reply reply;
  reply.path = {sockets_[key.socket].local, key.remote};
  reply.id = request.id();
  reply.code = verdict.code;
  reply.longest = request.bytes().size();
  ice::Replies replies(environment_.memory);
  if (!replies.push(reply)) return;
  std::array<std::uint8_t, stun::kMaxSent> out;
  const Transmit transmit = replies.pop(out, {});
  if (transmit.size == 0) return;
  ++counters_.strangers_refused;
  static_cast<void>(network_.send(network_.context, sockets_[key.socket].number, key.remote,
                                  Bytes(out).first(transmit.size)));
}

bool MuxCore::watch(net::Poller& poller) const {
  if (is_given()) return false;
  for (const Socket& socket : sockets_) (void)poller.add(system_network_.descriptor(socket.number), false);
  return true;
}

int MuxCore::descriptor(int socket) const {
  const int number = sockets_[static_cast<std::size_t>(socket)].number;
  return is_given() ? number : system_network_.descriptor(number);
}

// ---- as a connection sees it

MuxMember::MuxMember(std::shared_ptr<MuxCore> core) : core_(std::move(core)) { core_->join(*this); }
MuxMember::~MuxMember() { core_->leave(*this); }

void MuxMember::drop_ufrag(std::string_view ufrag) {
  const auto known = std::find(ufrags_.begin(), ufrags_.end(), ufrag);
  if (known == ufrags_.end()) return;
  core_->ufrags_.erase(*known);
  ufrags_.erase(static_cast<std::size_t>(known - ufrags_.begin()));
}

void MuxMember::add_ufrag(std::string_view ufrag) {
  if (ufrag.empty() || has_ufrag(ufrag)) return;
  if (!core_->ufrags_.emplace(std::string(ufrag), this).second) return;  // 48 random bits, twice the same
  if (ufrags_.full()) drop_ufrag(ufrags_[0]);
  static_cast<void>(ufrags_.push_back(std::string(ufrag)));
}

void MuxMember::on_taken(int socket, const Address& source, Bytes datagram) {
  if (datagram.size() < stun::kHeaderSize || load_u16(datagram.data()) != 0x0001) return;
  core_->claim(*this, {static_cast<std::size_t>(socket), source}, true);
}

namespace {
MuxMember& self(void* context) { return *static_cast<MuxMember*>(context); }
}  // namespace

Network MuxMember::hooks() {
  Network network;
  network.now = now;
  network.list_addresses = list_addresses;
  if (core_->network_.find_addresses != nullptr) network.find_addresses = find_addresses;
  network.open = open;
  network.close = close;
  network.send = send;
  if (core_->network_.send_whole != nullptr) network.send_whole = send_whole;
  if (core_->network_.send_run != nullptr) network.send_run = send_run;
  network.receive = receive;
  if (core_->network_.receive_error != nullptr) network.receive_error = receive_error;
  network.context = this;
  return network;
}

Time MuxMember::now(void* context) { return self(context).core_->now(); }

std::size_t MuxMember::list_addresses(void* context, bool loopback, std::span<Address> out) {
  return self(context).core_->list_addresses(loopback, out);
}

bool MuxMember::find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there) {
  return self(context).core_->find_addresses(addresses, is_there);
}

int MuxMember::open(void* context, const Address& local, std::uint16_t, std::uint16_t, Address& bound) {
  MuxMember& member = self(context);
  MuxCore& core = *member.core_;
  int socket = core.open(local, bound);
  if (socket < 0) socket = core.replace(local, bound);
  if (socket < 0) return socket;
  const auto index = static_cast<std::size_t>(socket);
  if (!member.is_open_[index]) ++core.sockets_[index].users;
  member.is_open_.set(index);
  return socket;
}

void MuxMember::close(void* context, int socket) {
  MuxMember& member = self(context);
  const auto index = static_cast<std::size_t>(socket);
  const auto is_for_it = [index](const Datagram& datagram) { return datagram.from.socket == index; };
  if (member.is_open_[index]) --member.core_->sockets_[index].users;
  member.is_open_.reset(index);
  member.core_->forget_at(member, index);
  member.mail_.remove_if(is_for_it);
  member.errors_.remove_if(is_for_it);
}

// Answers come for what we asked, and checks from where we sent ours.
void MuxMember::note_sent(int socket, const Address& remote, Bytes datagram) {
  if (!is_stun(datagram)) return;
  core_->claim(*this, {static_cast<std::size_t>(socket), remote}, false);
  if ((load_u16(datagram.data()) & 0x0110) == 0) core_->transactions_.add(transaction_of(datagram), *this);
}

Network::Outcome MuxMember::send(void* context, int socket, const Address& remote, Bytes datagram) {
  MuxMember& member = self(context);
  MuxCore& core = *member.core_;
  member.note_sent(socket, remote, datagram);
  return core.network_.send(core.network_.context, core.sockets_[static_cast<std::size_t>(socket)].number,
                            remote, datagram);
}

Network::Outcome MuxMember::send_run(void* context, int socket, const Address& remote, Bytes datagrams,
                                     std::size_t segment, bool whole, std::size_t& taken) {
  MuxMember& member = self(context);
  const MuxCore& core = *member.core_;
  for (Bytes rest = datagrams; !rest.empty(); rest = rest.subspan(std::min(segment, rest.size())))
    member.note_sent(socket, remote, rest.first(std::min(segment, rest.size())));
  return core.network_.send_run(core.network_.context, core.sockets_[static_cast<std::size_t>(socket)].number,
                                remote, datagrams, segment, whole, taken);
}

Network::Outcome MuxMember::send_whole(void* context, int socket, const Address& remote, Bytes datagram) {
  const MuxCore& core = *self(context).core_;
  return core.network_.send_whole(core.network_.context,
                                  core.sockets_[static_cast<std::size_t>(socket)].number, remote, datagram);
}

MuxMember::Box::iterator MuxMember::first_for(Box& box, int socket) {
  return std::find_if(box.begin(), box.end(), [socket](const Datagram& datagram) {
    return datagram.from.socket == static_cast<std::size_t>(socket);
  });
}

Network::Outcome MuxMember::receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                    Address& source) {
  MuxMember& member = self(context);
  auto datagram = first_for(member.mail_, socket);
  if (datagram == member.mail_.end() && !member.core_->holds_reading()) {
    member.core_->read();
    datagram = first_for(member.mail_, socket);
  }
  if (datagram == member.mail_.end()) return Network::Outcome::WouldBlock;
  size = datagram->bytes.size();
  source = datagram->from.remote;
  const bool fits = size <= buffer.size();
  if (fits) std::copy(datagram->bytes.begin(), datagram->bytes.end(), buffer.begin());
  member.core_->take_back(member.mail_, datagram);
  return fits ? Network::Outcome::Done : Network::Outcome::Truncated;
}

bool MuxMember::receive_error(void* context, int socket, MutBytes quoted, std::size_t& size,
                              Address& remote) {
  MuxMember& member = self(context);
  auto error = first_for(member.errors_, socket);
  if (error == member.errors_.end() && !member.core_->holds_reading()) {
    member.core_->read_errors(static_cast<std::size_t>(socket));
    error = first_for(member.errors_, socket);
  }
  if (error == member.errors_.end()) return false;
  size = std::min(error->bytes.size(), quoted.size());
  std::copy_n(error->bytes.begin(), size, quoted.begin());
  remote = error->from.remote;
  member.core_->take_back(member.errors_, error);
  return true;
}

}  // namespace pollrtc::detail
