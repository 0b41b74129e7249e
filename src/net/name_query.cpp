#include "net/name_query.h"

#include <ares.h>
#include <netdb.h>
#include <sys/time.h>

#include "base/address.h"
#include "net/socket_address.h"

namespace pollrtc::net {
namespace {

constexpr int kTries = 4;  // of each server; kTotal ends it before
// c-ares does its own clock; a deadline nearer than this would have us turn in a circle until it is through.
constexpr Duration kShortest = std::chrono::milliseconds(1);

Address::Family family_of(std::size_t ask) {
  return ask == 0 ? Address::Family::IPv6 : Address::Family::IPv4;
}

// "192.0.2.1:53,[2001:db8::1]:53" with a NUL, as ares_set_servers_ports_csv(3) takes it.
using ServerList = std::array<char, 3 * 72>;
ServerList list_of(const FixedVec<Address, 3>& servers) {
  ServerList list{};
  std::size_t size = 0;
  for (const Address& server : servers) {
    const AddressText text = address_text(server);
    if (size != 0) list[size++] = ',';
    size = static_cast<std::size_t>(std::copy(text.view().begin(), text.view().end(), list.begin() + size) -
                                    list.begin());
  }
  return list;
}

}  // namespace

NameQuery::~NameQuery() { close(); }

bool NameQuery::is_available() { return true; }

Status NameQuery::start(Time now, const Config& config, std::string_view name) {
  std::array<char, 256> text{};
  if (name.size() >= text.size()) return fail(ErrorCode::InvalidArgument, "not a host name");
  std::copy(name.begin(), name.end(), text.begin());
  give_up_ = now + kTotal;
  // The file alone first: it is this machine's own word, so that loopback addresses count; those of the network do not.
  if (const Status status = open(config, "f"); !status) return status;
  ask(text.data(), true, config.hosts_from_environment);
  if (!asks_[0].addresses.empty() || !asks_[1].addresses.empty()) {
    close();
    done_ = true;
    return {};
  }
  if (const Status status = open(config, "b"); !status) return status;
  ask(text.data(), false, false);
  finish_if_over(now);
  return {};
}

// No ares_library_init(): outside Windows there is nothing to initialise, and its counter is not safe among threads.
Status NameQuery::open(const Config& config, const char* lookups) {
  close();
  ares_options options{};
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
             ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  options.flags = ARES_FLAG_NOSEARCH;  // names in a configuration are whole names
  options.timeout = static_cast<int>(config.attempt / std::chrono::milliseconds(1));
  options.tries = kTries;
  options.ndots = 0;
  options.lookups = const_cast<char*>(lookups);  // NOLINT(cppcoreguidelines-pro-type-const-cast): only read
  options.sock_state_cb = on_socket;
  options.sock_state_cb_data = this;
  if (config.servers_file != nullptr) {
    mask |= ARES_OPT_RESOLVCONF;
    options.resolvconf_path = const_cast<char*>(config.servers_file);  // NOLINT: likewise
  }
  const int status = ares_init_options(&channel_, &options, mask);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return status == ARES_ENOMEM ? fail(ErrorCode::OutOfMemory, "no memory to resolve a name")
                                 : fail(ErrorCode::Network, "c-ares cannot read its configuration");
  }
  if (!config.servers.empty() &&
      ares_set_servers_ports_csv(channel_, list_of(config.servers).data()) != ARES_SUCCESS)
    return fail(ErrorCode::OutOfMemory, "no memory for the name servers");
  return {};
}

void NameQuery::close() {
  if (channel_ != nullptr) ares_destroy(channel_);  // tells on_answer of what is under way
  channel_ = nullptr;
  watched_.clear();
}

// The two families are asked for apart, so that one that stays silent does not hold the other up.
void NameQuery::ask(const char* name, bool by_hosts_file, bool hosts_from_environment) {
  for (std::size_t i = 0; i < asks_.size(); ++i) {
    asks_[i] = {};
    asks_[i].trusted = by_hosts_file;
    ares_addrinfo_hints hints{};
    hints.ai_family = family_of(i) == Address::Family::IPv6 ? AF_INET6 : AF_INET;
    // Sorted they would be by connecting sockets to all of them. What is tried first is for others to decide.
    hints.ai_flags = ARES_AI_NOSORT | (hosts_from_environment ? ARES_AI_ENVHOSTS : 0);
    hints.ai_socktype = SOCK_DGRAM;  // each address once, not once for each kind of socket
    ares_getaddrinfo(channel_, name, nullptr, &hints, on_answer, &asks_[i]);
  }
}

void NameQuery::on_answer(void* context, int status, int, ares_addrinfo* result) {
  Ask& ask = *static_cast<Ask*>(context);
  ask.over = true;
  if (status != ARES_SUCCESS || result == nullptr) return;
  for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
    const Address address = from_socket_address(node->ai_addr).with_port(0);
    if (!address.is_valid() || (!ask.trusted && !is_usable_dns_address(address))) continue;
    if (std::find(ask.addresses.begin(), ask.addresses.end(), address) != ask.addresses.end()) continue;
    if (!ask.addresses.push_back(address)) break;
  }
  ares_freeaddrinfo(result);
}

void NameQuery::on_socket(void* context, int fd, int readable, int writable) {
  auto& watched = static_cast<NameQuery*>(context)->watched_;
  const auto known =
      std::find_if(watched.begin(), watched.end(), [fd](const Watched& w) { return w.fd == fd; });
  if (readable == 0 && writable == 0) {
    if (known != watched.end()) watched.erase(static_cast<std::size_t>(known - watched.begin()));
  } else if (known != watched.end()) {
    *known = {fd, readable != 0, writable != 0};
  } else {
    static_cast<void>(
        watched.push_back({fd, readable != 0, writable != 0}));  // too many servers: it times out
  }
}

void NameQuery::watch(Poller& poller) const {
  for (const Watched& w : watched_)
    static_cast<void>(poller.add(w.fd, w.write));  // no room: the deadlines still drive us
}

void NameQuery::step(Time now) {
  if (done_ || channel_ == nullptr) return;
  poller_.clear();
  watch(poller_);
  poller_.wait(Duration::zero());
  const auto before = watched_;  // what it processes may open sockets and close them
  for (const Watched& w : before) {
    const bool read = w.read && poller_.is_readable(w.fd), write = w.write && poller_.is_writable(w.fd);
    if (read || write)
      ares_process_fd(channel_, read ? w.fd : ARES_SOCKET_BAD, write ? w.fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
  finish_if_over(now);
}

void NameQuery::finish_if_over(Time now) {
  const bool some = !asks_[0].addresses.empty() || !asks_[1].addresses.empty();
  if (some) give_up_ = std::min(give_up_, now + kStraggler);
  if (!(asks_[0].over && asks_[1].over) && now < give_up_) return;
  done_ = true;
  close();
}

Time NameQuery::next_timeout(Time now) const {
  if (done_ || channel_ == nullptr) return done_ ? now : kNever;
  timeval most{static_cast<time_t>(NameQuery::kTotal / std::chrono::seconds(1)), 0}, left{};
  const timeval* const due = ares_timeout(channel_, &most, &left);
  const Duration wait = std::chrono::seconds(due->tv_sec) + std::chrono::microseconds(due->tv_usec);
  return std::min(give_up_, now + std::max(wait, kShortest));
}

}  // namespace pollrtc::net
