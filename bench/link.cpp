// A link between two ends on this machine, in user space: delay, loss, rate and a queue that drops what does not fit. Each end
// is told one of the two ports as its peer's address; whoever speaks to a port first is the end behind it.
//
//   end A --> port A [queue, rate] [loss] [delay] port B --> end B      and the same back
//
// Datagrams are received and sent in the kernel's GSO and GRO buffers, so that the relay costs little beside the two ends, but
// each is queued, lost and delayed on its own. Prints {"ports":[A,B]} when it listens, and its counts at the end of its input.
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kLargestDatagram = 65'507;
constexpr std::size_t kLargestGathered = 65'000;
constexpr std::size_t kMostSegments = 60;
constexpr std::size_t kIpAndUdp = 28;  // what a datagram takes of the rate besides its payload
constexpr int kSocketBuffer = 8 << 20;

struct Options {
  std::string address = "127.0.0.1";
  double delay_ms = 0;  // one way
  double loss = 0;      // share of datagrams, each way
  double mbit = 0;      // 0: without limit
  std::size_t queue = 1000;
  std::uint64_t seed = 1;
};

struct Counts {
  std::uint64_t forwarded = 0, lost = 0, overflowed = 0, early = 0;
  double longest_queue_ms = 0;
};

struct Datagram {
  Clock::time_point arrival;
  std::vector<std::uint8_t> bytes;
};

// One end's port: what it says goes into its half of the link.
class Port {
 public:
  Port(const Options& options, std::uint64_t seed) : options_(options), random_(seed) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, options.address.c_str(), &address.sin_addr);
    socklen_t size = sizeof address;
    auto* name = reinterpret_cast<sockaddr*>(&address);
    if (fd_ < 0 || bind(fd_, name, size) != 0 || getsockname(fd_, name, &size) != 0) {
      std::perror("link: socket");
      std::exit(1);
    }
    port_ = ntohs(address.sin_port);
    for (const int option : {SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF, SO_SNDBUFFORCE})
      (void)setsockopt(fd_, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer);
    const int on = 1;
    (void)setsockopt(fd_, SOL_UDP, UDP_GRO, &on, sizeof on);
  }

  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }
  const Counts& counts() const { return counts_; }

  // Everything that has come from the end behind this port goes onto the link.
  void receive(Clock::time_point now, const Port& other) {
    for (int i = 0; i < 64; ++i) {
      iovec part{buffer_.data(), buffer_.size()};
      alignas(cmsghdr) std::array<std::uint8_t, 64> control;
      sockaddr_in source{};
      msghdr message{};
      message.msg_name = &source;
      message.msg_namelen = sizeof source;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t got = recvmsg(fd_, &message, 0);
      if (got < 0 && errno == ECONNREFUSED) continue;
      if (got < 0) return;
      end_ = source;
      const auto size = static_cast<std::size_t>(got);
      std::size_t segment = size;
      for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
           header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_GRO) continue;
        int value = 0;
        std::memcpy(&value, CMSG_DATA(header), sizeof value);
        segment = static_cast<std::size_t>(value);
      }
      for (std::size_t at = 0; at < size; at += segment)
        take(now, other, {buffer_.data() + at, buffer_.data() + std::min(at + segment, size)});
    }
  }

  // When the next datagram on the link arrives.
  std::optional<Clock::time_point> next() const {
    if (link_.empty()) return std::nullopt;
    return link_.front().arrival;
  }

  // What has arrived by now goes out at `other`.
  void deliver(Clock::time_point now, const Port& other) {
    std::vector<std::uint8_t> gathered;
    std::size_t segment = 0;
    const auto flush = [&] {
      other.put(gathered, segment);
      gathered.clear();
    };
    while (!link_.empty() && link_.front().arrival <= now) {
      const auto& bytes = link_.front().bytes;
      // All of a gathered send but the last are of one size.
      const bool fits = gathered.size() % std::max<std::size_t>(segment, 1) == 0 && bytes.size() <= segment &&
                        gathered.size() + bytes.size() <= kLargestGathered &&
                        gathered.size() < kMostSegments * segment;
      if (!gathered.empty() && !fits) flush();
      if (gathered.empty()) segment = bytes.size();
      gathered.insert(gathered.end(), bytes.begin(), bytes.end());
      ++counts_.forwarded;
      link_.pop_front();
    }
    if (!gathered.empty()) flush();
  }

 private:
  void take(Clock::time_point now, const Port& other, std::vector<std::uint8_t> bytes) {
    if (!other.end_) {
      ++counts_.early;
      return;
    }
    // The queue holds what waits for its turn; on the link itself there is no limit.
    while (!queue_.empty() && queue_.front() <= now) queue_.pop_front();
    if (options_.mbit > 0 && queue_.size() >= options_.queue) {
      ++counts_.overflowed;
      return;
    }
    const Clock::time_point begin = std::max(now, free_at_);
    counts_.longest_queue_ms =
        std::max(counts_.longest_queue_ms, std::chrono::duration<double, std::milli>(begin - now).count());
    if (options_.mbit > 0)
      free_at_ =
          begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::micro>(
                      static_cast<double>(bytes.size() + kIpAndUdp) * 8 / options_.mbit));
    else
      free_at_ = now;
    if (options_.mbit > 0) queue_.push_back(free_at_);
    if (std::uniform_real_distribution<>()(random_) < options_.loss) {
      ++counts_.lost;
      return;
    }
    const auto delay = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double, std::milli>(options_.delay_ms));
    link_.push_back({free_at_ + delay, std::move(bytes)});
  }

  void put(const std::vector<std::uint8_t>& bytes, std::size_t segment_size) const {
    sockaddr_in destination = *end_;
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = &destination;
    message.msg_namelen = sizeof destination;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const auto segment = static_cast<std::uint16_t>(segment_size);
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof segment)> control{};
    if (bytes.size() > segment) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN(sizeof segment);
      std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
    }
    (void)sendmsg(fd_, &message, 0);  // an end that has gone loses it, as on any link
  }

  const Options& options_;
  std::mt19937_64 random_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::optional<sockaddr_in> end_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kLargestDatagram);
  Clock::time_point free_at_{};          // when the last in the queue has left it
  std::deque<Clock::time_point> queue_;  // when each that waits leaves it
  std::deque<Datagram> link_;
  Counts counts_;
};

nlohmann::ordered_json report(const Counts& counts) {
  return {{"forwarded", counts.forwarded},
          {"lost", counts.lost},
          {"overflowed", counts.overflowed},
          {"before_the_other_end", counts.early},
          {"longest_queue_ms", counts.longest_queue_ms}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("A link with delay, loss, rate and queue between two UDP ends on this machine");
  app.add_option("--address", options.address, "of this machine, where both ports are")
      ->check(CLI::ValidIPV4);
  app.add_option("--delay", options.delay_ms, "ms one way")->check(CLI::Range(0.0, 10000.0));
  app.add_option("--loss", options.loss, "share of datagrams that are lost each way")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--rate", options.mbit, "Mbit/s each way, of IP packets; 0: without limit");
  app.add_option("--queue", options.queue, "packets that wait for their turn at most");
  app.add_option("--seed", options.seed, "of the losses");
  CLI11_PARSE(app, argc, argv);

  Port a(options, options.seed), b(options, options.seed + 1);
  std::printf("{\"ports\":[%d,%d]}\n", a.port(), b.port());
  std::fflush(stdout);
  std::array<pollfd, 3> wait = {{{a.fd(), POLLIN, 0}, {b.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
  while (wait[2].revents == 0) {
    const auto next =
        std::min(a.next().value_or(Clock::time_point::max()), b.next().value_or(Clock::time_point::max()));
    const auto left = std::clamp<Clock::duration>(next - std::min(Clock::now(), next), 0ns, 1s);
    const timespec timeout{0, static_cast<long>(std::min<std::int64_t>(left.count(), 999'999'999))};
    if (ppoll(wait.data(), wait.size(), &timeout, nullptr) < 0 && errno != EINTR) break;
    const Clock::time_point now = Clock::now();
    a.receive(now, b);
    b.receive(now, a);
    a.deliver(now, b);
    b.deliver(now, a);
  }
  std::puts(
      nlohmann::ordered_json{{"a_to_b", report(a.counts())}, {"b_to_a", report(b.counts())}}.dump().c_str());
  return 0;
}
