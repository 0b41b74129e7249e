// Many connections on one UDP port: what an idle end holds, what thousands of them cost, how fast they are set up.
//
// Two processes of one thread each, with a pair of sockets for the signalling. The child answers, as a server would: one UdpMux
// for all. This one offers from a socket for each connection, which epoll watches, since a mux tells those who talk to it apart
// by their addresses. Each prints one line of JSON: memory per end, connections per second, and the share of a core that it
// took while nothing was sent, which is the checks of consent (RFC 7675) at their normal intervals and SCTP's HEARTBEATs.
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pollrtc/peer_connection.h"
#include "pollrtc/udp_mux.h"

using namespace pollrtc;
using std::chrono::steady_clock;

namespace {

struct Options {
  std::size_t connections = 1000, at_once = 32;
  double seconds = 20, rest = 12, every = 0;
  bool one_certificate = false;
};

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

// Of this process, and the part of it that the kernel took.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}
double kernel_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_stime);
}

// Bytes of this process: "Rss", "Pss", of the kernel's summary.
double resident(const std::string& name) {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(name + ":", 0) == 0) return std::strtod(line.c_str() + name.size() + 1, nullptr) * 1024;
  return 0;
}

double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// What the hook of Environment::memory gave out: the library's own objects and tables, without Mbed TLS and strings.
struct CountedMemory {
  static void* allocate(void* self, std::size_t bytes, std::size_t align) {
    const Memory memory = default_memory();
    void* const block = memory.allocate(memory.context, bytes, align);
    if (block != nullptr) static_cast<CountedMemory*>(self)->bytes += static_cast<double>(bytes);
    return block;
  }
  static void release(void* self, void* block, std::size_t bytes, std::size_t align) {
    const Memory memory = default_memory();
    memory.release(memory.context, block, bytes, align);
    static_cast<CountedMemory*>(self)->bytes -= static_cast<double>(bytes);
  }
  double bytes = 0;
};

// Messages between the two, each a header and its text.
class Signalling {
 public:
  struct Header {
    std::uint32_t link;
    std::uint32_t size;
    char kind;  // 'o'ffer, 'a'nswer, 'c'andidate, 'q'uit
  };
  explicit Signalling(int descriptor) : descriptor_(descriptor) {}

  void send(std::size_t link, char kind, const std::string& text) {
    Header header{};
    header.link = static_cast<std::uint32_t>(link);
    header.size = static_cast<std::uint32_t>(text.size());
    header.kind = kind;
    write_all(&header, sizeof header);
    write_all(text.data(), text.size());
  }
  // Whatever has come.
  template <class Take>
  void receive(Take take) {
    char block[65536];
    for (;;) {
      const ssize_t size = recv(descriptor_, block, sizeof block, MSG_DONTWAIT);
      if (size <= 0) break;
      held_.append(block, static_cast<std::size_t>(size));
    }
    std::size_t at = 0;
    Header header;
    while (held_.size() - at >= sizeof header) {
      std::memcpy(&header, held_.data() + at, sizeof header);
      if (held_.size() - at - sizeof header < header.size) break;
      const std::string text = held_.substr(at + sizeof header, header.size);
      at += sizeof header + header.size;
      take(header, text);
    }
    held_.erase(0, at);
  }
  int descriptor() const { return descriptor_; }

 private:
  void write_all(const void* bytes, std::size_t size) {
    const char* from = static_cast<const char*>(bytes);
    while (size != 0) {
      const ssize_t written = ::send(descriptor_, from, size, MSG_NOSIGNAL);
      if (written <= 0) std::exit(1);
      from += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  int descriptor_;
  std::string held_;
};

// One socket on loopback, as a connection's Network; epoll says when something has come for it.
class LoopbackSocket {
 public:
  LoopbackSocket(int epoll, std::size_t index) : epoll_(epoll), index_(index) {}
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;
  ~LoopbackSocket() { close(this, descriptor_); }

  Network hooks() {
    Network network;
    network.now = [](void*) {
      return Time(std::chrono::duration_cast<Duration>(steady_clock::now().time_since_epoch()));
    };
    network.list_addresses = [](void*, bool, std::span<Address> out) {
      if (out.empty()) return std::size_t{0};
      out[0] = loopback(0);
      return std::size_t{1};
    };
    network.open = open;
    network.close = close;
    network.send = send;
    network.receive = receive;
    network.context = this;
    return network;
  }

 private:
  static Address loopback(std::uint16_t port) { return Address::v4(127, 0, 0, 1, port); }
  static int open(void* self, const Address&, std::uint16_t, std::uint16_t, Address& bound) {
    auto& socket = *static_cast<LoopbackSocket*>(self);
    socket.descriptor_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    auto* const generic = reinterpret_cast<sockaddr*>(&name);
    if (bind(socket.descriptor_, generic, size) != 0 || getsockname(socket.descriptor_, generic, &size) != 0)
      return -1;
    bound = loopback(ntohs(name.sin_port));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = socket.index_;
    epoll_ctl(socket.epoll_, EPOLL_CTL_ADD, socket.descriptor_, &event);
    return socket.descriptor_;
  }
  static void close(void* self, int descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    static_cast<LoopbackSocket*>(self)->descriptor_ = -1;
  }
  static Network::Outcome send(void*, int descriptor, const Address& remote, Bytes datagram) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    std::memcpy(&name.sin_addr, remote.ip.data(), 4);
    name.sin_port = htons(remote.port);
    const ssize_t sent = sendto(descriptor, datagram.data(), datagram.size(), 0,
                                reinterpret_cast<sockaddr*>(&name), sizeof name);
    return sent < 0 ? Network::Outcome::WouldBlock : Network::Outcome::Done;
  }
  static Network::Outcome receive(void*, int descriptor, MutBytes buffer, std::size_t& size,
                                  Address& source) {
    sockaddr_in name{};
    socklen_t name_size = sizeof name;
    const ssize_t got =
        recvfrom(descriptor, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&name), &name_size);
    if (got < 0) return Network::Outcome::WouldBlock;
    size = static_cast<std::size_t>(got);
    source = loopback(ntohs(name.sin_port));
    return Network::Outcome::Done;
  }

  int epoll_, descriptor_ = -1;
  std::size_t index_;
};

class End {
 public:
  End(const Options& options, Signalling& signalling, bool offers)
      : options_(options), signalling_(signalling), offers_(offers), links_(options.connections) {
    if (!offers_) mux_ = std::make_shared<UdpMux>();
    if (options_.one_certificate) {
      if (Result<CertificatePem> made = generate_certificate()) certificate_ = *made;
    }
  }

  // False: it was not ready in time.
  bool connect() {
    const auto start = steady_clock::now();
    while (ready_ < links_.size()) {
      if (seconds_since(start) > 600) return false;
      while (offers_ && started_ < links_.size() && started_ - ready_ < options_.at_once) offer(started_++);
      round(std::chrono::milliseconds(1));
    }
    set_up_seconds_ = seconds_since(start);
    return true;
  }
  [[gnu::noinline]] void idle(double seconds) {
    const auto start = steady_clock::now();
    while (seconds_since(start) < seconds) round(std::chrono::milliseconds(100));
  }
  nlohmann::json run() {
    const double rss = resident("Rss"), pss = resident("Pss"), heap = heap_bytes();
    const double cpu_before = cpu_seconds();
    if (!connect()) return {{"error", "not all were connected in time"}, {"ready", ready_}};
    const double set_up_cpu = cpu_seconds() - cpu_before;
    idle(options_.rest);
    const double count = static_cast<double>(links_.size());
    malloc_trim(0);  // what is free counts for nobody
    nlohmann::json figures = {
        {"role", offers_ ? "offers" : "answers"},
        {"connections", links_.size()},
        {"connections_per_second", count / set_up_seconds_},
        {"set_up_cpu_ms", set_up_cpu * 1e3 / count},
        {"rss_bytes_per_end", (resident("Rss") - rss) / count},
        {"pss_bytes_per_end", (resident("Pss") - pss) / count},
        {"heap_bytes_per_end", (heap_bytes() - heap) / count},
        {"own_bytes_per_end", memory_.bytes / count},
        {"rss_bytes", resident("Rss")},
    };
    if (!set_up_ms_.empty()) {
      std::sort(set_up_ms_.begin(), set_up_ms_.end());
      figures["set_up_ms_median"] = set_up_ms_[set_up_ms_.size() / 2];
      figures["set_up_ms_max"] = set_up_ms_.back();
    }
    const auto start = steady_clock::now();
    const double cpu = cpu_seconds(), kernel = kernel_seconds();
    const std::size_t rounds = rounds_;
    CALLGRIND_START_INSTRUMENTATION;  // `valgrind --tool=callgrind --instr-atstart=no`: of the idle ones alone
    idle(options_.seconds);
    CALLGRIND_STOP_INSTRUMENTATION;
    const double took = seconds_since(start);
    figures["idle_percent_of_core"] = (cpu_seconds() - cpu) / took * 100;
    figures["of_that_in_the_kernel"] = (kernel_seconds() - kernel) / took * 100;
    figures["polls_per_second"] = static_cast<double>(rounds_ - rounds) / took;
    figures["connected"] = std::count_if(links_.begin(), links_.end(), [](const auto& link) {
      return link && link->connection.get_connection_state() == ConnectionState::Connected;
    });
    return figures;
  }

 private:
  struct Link {
    std::unique_ptr<LoopbackSocket> socket;
    PeerConnection connection;
    std::shared_ptr<DataChannel> channel;
    bool is_open = false;
    steady_clock::time_point due{}, offered_at{};
  };

  Link& make(std::size_t index) {
    auto link = std::make_unique<Link>();
    Configuration configuration;
    configuration.include_loopback = true;
    configuration.udp_mux = mux_;
    if (offers_) {
      link->socket = std::make_unique<LoopbackSocket>(epoll_, index);
      configuration.network = link->socket->hooks();
    }
    configuration.certificate = certificate_;
    configuration.memory = {CountedMemory::allocate, CountedMemory::release, &memory_};
    if (!link->connection.initialize(configuration)) std::exit(1);
    link->connection.session_description_created = [this, index](const std::string& type,
                                                                 const std::string& sdp) {
      signalling_.send(index, type == "offer" ? 'o' : 'a', sdp);
    };
    link->connection.ice_candidate_created = [this, index](const std::string&, int, const std::string& line) {
      if (line.find(" 127.0.0.1 ") != std::string::npos) signalling_.send(index, 'c', line);
    };
    link->connection.data_channel_received = [this, index](std::shared_ptr<DataChannel> channel) {
      links_[index]->channel = std::move(channel);
      open(*links_[index]);
    };
    links_[index] = std::move(link);
    return *links_[index];
  }
  void open(Link& link) {
    if (std::exchange(link.is_open, true)) return;
    ++ready_;
    if (offers_) set_up_ms_.push_back(seconds_since(link.offered_at) * 1e3);
  }
  void offer(std::size_t index) {
    Link& link = make(index);
    const auto channel = link.connection.create_data_channel("scale");
    link.offered_at = steady_clock::now();
    if (!channel || !link.connection.create_offer()) std::exit(1);
    link.channel = *channel;
    link.channel->opened = [this, &link] { open(link); };
    poll(index);
  }
  void take(const Signalling::Header& header, const std::string& text) {
    const std::size_t index = header.link;
    if (index >= links_.size()) return;
    if (header.kind == 'o') make(index);
    if (links_[index] == nullptr) return;
    PeerConnection& connection = links_[index]->connection;
    if (header.kind == 'o') static_cast<void>(connection.set_remote_description("offer", text));
    if (header.kind == 'a') static_cast<void>(connection.set_remote_description("answer", text));
    if (header.kind == 'c') static_cast<void>(connection.add_ice_candidate("", 0, text));
    poll(index);
  }
  void round(std::chrono::milliseconds most) {
    ++rounds_;
    signalling_.receive([this](const auto& header, const std::string& text) { take(header, text); });
    poll_connections(most);
  }
  // The answering end's: the mux knows for which of its connections something is to be done.
  void poll_connections(std::chrono::milliseconds most) {
    if (!offers_) {
      const auto every =
          std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(options_.every));
      const bool is_paced = ready_ == links_.size() && every > Duration::zero();
      if (is_paced) std::this_thread::sleep_for(every);
      static_cast<void>(mux_->poll(is_paced ? Duration::zero() : most));
      return;
    }
    const auto due = due_.empty() ? steady_clock::time_point::max() : due_.top().first;
    const auto wait = std::clamp<steady_clock::duration>(due - std::min(due, steady_clock::now()), {}, most);
    std::array<epoll_event, 256> events;
    const int count =
        epoll_wait(epoll_, events.data(), events.size(),
                   static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
    for (int i = 0; i < count; ++i) poll(events[static_cast<std::size_t>(i)].data.u64);
    const auto now = steady_clock::now();
    while (!due_.empty() && due_.top().first <= now) {
      const auto [at, index] = due_.top();
      due_.pop();
      if (links_[index]->due == at) poll(index);
    }
  }
  void poll(std::size_t index) {
    if (!offers_) return;
    Link& link = *links_[index];
    static_cast<void>(link.connection.poll());
    const auto wait = link.connection.get_time_to_next_deadline();
    link.due = wait ? steady_clock::now() + std::max<Duration>(*wait, std::chrono::microseconds(100))
                    : steady_clock::time_point::max();
    if (wait) due_.emplace(link.due, index);
  }

  const Options& options_;
  Signalling& signalling_;
  bool offers_;
  CountedMemory memory_;
  CertificatePem certificate_;
  std::shared_ptr<UdpMux> mux_;
  std::vector<std::unique_ptr<Link>> links_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  // When each is to be polled. What a link's `due` no longer says is passed over: a heap touches fewer lines of memory than a
  // tree whose nodes are taken out.
  using Due = std::pair<steady_clock::time_point, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::size_t started_ = 0, ready_ = 0, rounds_ = 0;
  double set_up_seconds_ = 0;
  std::vector<double> set_up_ms_;  // from an offer to its open channel
};

int run_end(const Options& options, int descriptor, bool offers) {
  Signalling signalling(descriptor);
  auto end = std::make_unique<End>(options, signalling, offers);
  const nlohmann::json figures = end->run();
  const std::string line = figures.dump() + "\n";
  const bool is_written = write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  end->idle(3);  // the other one may not be done with its measuring
  return is_written && !figures.contains("error") ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Many connections on one UDP port."};
  app.add_option("--connections", options.connections, "how many (1000)");
  app.add_option("--at-once", options.at_once, "how many are set up at the same time (32)");
  app.add_option("--rest", options.rest, "seconds from the last set-up until memory is measured (12)");
  app.add_option("--seconds", options.seconds, "for how long the idle ones are watched (20)");
  app.add_option("--every", options.every,
                 "once idle, the answering end polls every so many ms; 0: whenever there is something");
  app.add_flag("--one-certificate", options.one_certificate, "one for all, not one for each");
  CLI11_PARSE(app, argc, argv);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  close(pair[child == 0 ? 0 : 1]);
  const int result = run_end(options, pair[child == 0 ? 1 : 0], child != 0);
  if (child == 0) return result;
  int status = 0;
  waitpid(child, &status, 0);
  return result != 0 || status != 0 ? 1 : 0;
}
