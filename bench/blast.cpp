// What this machine allows at best: records of plain Mbed TLS, or bare datagrams, from one process to another over loopback,
// one system call each or gathered into the kernel's UDP GSO and GRO buffers. No transport, no acknowledgements: nothing that
// repairs or orders, so no data channel can be faster. Prints one JSON line.
//
// It stands beside the library and uses nothing of it but what reads a clock, as it is what the library is measured against.
#include <arpa/inet.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/timing.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr std::size_t kLargestDatagram = 65'507;
constexpr std::size_t kLargestGathered = 65'000;  // of one GSO send
constexpr std::size_t kMostSegments = 40;
constexpr int kSocketBuffer = 4 << 20;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "blast: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

struct Options {
  bool is_raw = false;  // datagrams without DTLS
  bool gathers = false;
  bool pings = false;
  std::size_t size = 1200;  // of a datagram's payload, a record's overhead with it
  std::string cipher = "chacha20";
  double seconds = 2;
  int count = 5000;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
double cpu_of(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

// One end of a pair of connected sockets. What is sent may be gathered; what is received is cut at its segments again.
class Socket {
 public:
  Socket(int fd, bool gathers) : fd_(fd), gathers_(gathers), out_(kLargestGathered), in_(kLargestDatagram) {}

  void send(const std::uint8_t* data, std::size_t size) {
    if (!gathers_) return put(data, size, 0);
    if (gathered_ != 0 &&
        (size != segment_ || gathered_ + size > out_.size() || gathered_ / segment_ == kMostSegments))
      flush();
    segment_ = size;
    std::memcpy(out_.data() + gathered_, data, size);
    gathered_ += size;
  }
  void flush() {
    if (gathered_ != 0) put(out_.data(), std::exchange(gathered_, 0), static_cast<std::uint16_t>(segment_));
  }

  // The next datagram; empty when none comes within `milliseconds`.
  std::size_t receive(std::uint8_t* data, std::size_t room, int milliseconds) {
    if (taken_ == received_ && !fill(milliseconds)) return 0;
    const std::size_t size = std::min({in_segment_, received_ - taken_, room});
    std::memcpy(data, in_.data() + taken_, size);
    taken_ += size;
    return size;
  }

 private:
  void put(const std::uint8_t* data, std::size_t size, std::uint16_t segment) const {
    iovec part{const_cast<std::uint8_t*>(data), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof segment)> control{};
    if (segment != 0 && size > segment) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN(sizeof segment);
      std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
    }
    // A receiver that has ended refuses, which is the end of the run.
    while (sendmsg(fd_, &message, 0) < 0)
      if (errno != EINTR && errno != ENOBUFS) std::exit(errno == ECONNREFUSED ? 0 : 1);
  }

  bool fill(int milliseconds) {
    for (;;) {
      iovec part{in_.data(), in_.size()};
      alignas(cmsghdr) std::array<std::uint8_t, 64> control;
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t got = recvmsg(fd_, &message, MSG_DONTWAIT);
      if (got > 0) {
        taken_ = 0;
        received_ = in_segment_ = static_cast<std::size_t>(got);
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
             header = CMSG_NXTHDR(&message, header)) {
          if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_GRO) continue;
          int segment = 0;
          std::memcpy(&segment, CMSG_DATA(header), sizeof segment);
          in_segment_ = static_cast<std::size_t>(segment);
        }
        return true;
      }
      pollfd wait{fd_, POLLIN, 0};
      if (poll(&wait, 1, milliseconds) <= 0) return false;
    }
  }

  int fd_;
  bool gathers_;
  std::vector<std::uint8_t> out_, in_;
  std::size_t gathered_ = 0, segment_ = 0;
  std::size_t received_ = 0, taken_ = 0, in_segment_ = 0;
};

std::array<int, 2> connected_sockets(bool gathers) {
  std::array<int, 2> fds{};
  std::array<sockaddr_in, 2> addresses{};
  for (std::size_t i = 0; i < 2; ++i) {
    fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
    addresses[i].sin_family = AF_INET;
    addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof addresses[i];
    auto* address = reinterpret_cast<sockaddr*>(&addresses[i]);
    if (fds[i] < 0 || bind(fds[i], address, size) != 0 || getsockname(fds[i], address, &size) != 0)
      die("socket");
    for (const int option : {SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF})
      (void)setsockopt(fds[i], SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer);
    const int on = 1;
    if (gathers && setsockopt(fds[i], SOL_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
  }
  for (std::size_t i = 0; i < 2; ++i)
    if (connect(fds[i], reinterpret_cast<sockaddr*>(&addresses[1 - i]), sizeof addresses[0]) != 0)
      die("connect");
  return fds;
}

// One end of a DTLS 1.2 session, with a key that both know.
class Dtls {
 public:
  Dtls(Socket& socket, bool is_client, const std::string& cipher) : socket_(socket) {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_init(&config_);
    mbedtls_entropy_init(&entropy_);
    mbedtls_ctr_drbg_init(&random_);
    check(mbedtls_ctr_drbg_seed(&random_, mbedtls_entropy_func, &entropy_, nullptr, 0), "seed");
    check(mbedtls_ssl_config_defaults(&config_, is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                      MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT),
          "configuration");
    mbedtls_ssl_conf_rng(&config_, mbedtls_ctr_drbg_random, &random_);
    mbedtls_ssl_conf_dtls_cookies(&config_, nullptr, nullptr, nullptr);
    mbedtls_ssl_conf_dtls_anti_replay(&config_, MBEDTLS_SSL_ANTI_REPLAY_DISABLED);
    const std::array<std::uint8_t, 16> key{1, 2, 3};
    check(mbedtls_ssl_conf_psk(&config_, key.data(), key.size(), key.data(), 4), "key");
    suites_[0] = cipher == "chacha20" ? MBEDTLS_TLS_PSK_WITH_CHACHA20_POLY1305_SHA256
                                      : MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256;
    mbedtls_ssl_conf_ciphersuites(&config_, suites_.data());
    check(mbedtls_ssl_setup(&ssl_, &config_), "set-up");
    mbedtls_ssl_set_timer_cb(&ssl_, &timer_, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
    for (int result = 1; result != 0;) {
      result = mbedtls_ssl_handshake(&ssl_);
      socket_.flush();
      if (result != 0 && result != MBEDTLS_ERR_SSL_WANT_READ) check(result, "handshake");
    }
  }
  Dtls(const Dtls&) = delete;
  Dtls& operator=(const Dtls&) = delete;

  std::size_t overhead() const { return static_cast<std::size_t>(mbedtls_ssl_get_record_expansion(&ssl_)); }
  void write(const std::vector<std::uint8_t>& payload) {
    check(std::min(mbedtls_ssl_write(&ssl_, payload.data(), payload.size()), 0), "write");
  }
  // Bytes of the next record; 0 when none comes within `milliseconds`.
  std::size_t read(std::vector<std::uint8_t>& into, int milliseconds) {
    patience_ = milliseconds;
    const int got = mbedtls_ssl_read(&ssl_, into.data(), into.size());
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

 private:
  static void check(int result, const char* what) {
    if (result >= 0) return;
    std::fprintf(stderr, "blast: %s: -0x%04x\n", what, static_cast<unsigned>(-result));
    std::exit(1);
  }
  static int send(void* self, const unsigned char* data, std::size_t size) {
    static_cast<Dtls*>(self)->socket_.send(data, size);
    return static_cast<int>(size);
  }
  static int receive(void* self, unsigned char* data, std::size_t room) {
    auto& session = *static_cast<Dtls*>(self);
    const std::size_t size = session.socket_.receive(data, room, session.patience_);
    return size == 0 ? MBEDTLS_ERR_SSL_WANT_READ : static_cast<int>(size);
  }

  Socket& socket_;
  int patience_ = 50;
  mbedtls_ssl_context ssl_;
  mbedtls_ssl_config config_;
  mbedtls_entropy_context entropy_;
  mbedtls_ctr_drbg_context random_;
  mbedtls_timing_delay_context timer_{};
  std::array<int, 2> suites_{};
};

// The same two calls for records and for bare datagrams.
class Bare {
 public:
  explicit Bare(Socket& socket) : socket_(socket) {}
  static std::size_t overhead() { return 0; }
  void write(const std::vector<std::uint8_t>& payload) { socket_.send(payload.data(), payload.size()); }
  std::size_t read(std::vector<std::uint8_t>& into, int milliseconds) {
    return socket_.receive(into.data(), into.size(), milliseconds);
  }

 private:
  Socket& socket_;
};

template <class Link>
void send_without_end(Link& link, std::size_t size) {
  const std::vector<std::uint8_t> payload(size - link.overhead(), 7);
  for (;;) link.write(payload);
}

template <class Link>
void echo(Link& link, Socket& socket) {
  std::vector<std::uint8_t> buffer(kLargestDatagram);
  for (;;) {
    const std::size_t size = link.read(buffer, 1000);
    if (size == 0) continue;
    link.write({buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)});
    socket.flush();
  }
}

template <class Link>
Json count_bytes(Link& link, const Options& options) {
  std::vector<std::uint8_t> buffer(kLargestDatagram);
  std::uint64_t bytes = 0;
  while (link.read(buffer, 1000) == 0) {
  }
  const auto begin = Clock::now();
  const auto end =
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  auto now = begin;
  while (now < end) {
    for (int i = 0; i < 64; ++i) bytes += link.read(buffer, 100);
    now = Clock::now();
  }
  return {{"bytes", bytes}, {"seconds", std::chrono::duration<double>(now - begin).count()}};
}

template <class Link>
Json time_pings(Link& link, Socket& socket, const Options& options) {
  std::vector<std::uint8_t> buffer(kLargestDatagram);
  const std::vector<std::uint8_t> payload(options.size, 7);
  std::vector<double> times;
  for (int i = 0; i < options.count; ++i) {
    const auto begin = Clock::now();
    link.write(payload);
    socket.flush();
    if (link.read(buffer, 1000) != 0)
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  if (times.empty()) die("no answer");
  std::sort(times.begin(), times.end());
  return {{"median_us", times[times.size() / 2]}, {"p99_us", times[times.size() * 99 / 100]}};
}

// The child's part in a run: the sender, or who answers pings. Ends with its parent's signal.
template <class Link>
[[noreturn]] void serve(Link& link, Socket& socket, const Options& options) {
  if (options.pings) echo(link, socket);
  send_without_end(link, options.size);
  std::exit(0);
}
template <class Link>
Json measure(Link& link, Socket& socket, const Options& options) {
  return options.pings ? time_pings(link, socket, options) : count_bytes(link, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("What this machine allows: DTLS records, or datagrams, over loopback between two processes");
  app.add_flag("--raw", options.is_raw, "datagrams without DTLS");
  app.add_flag("--gso", options.gathers, "gather them into UDP GSO and GRO buffers");
  app.add_flag("--ping", options.pings,
               "round trips of one record (of --size payload bytes), not throughput");
  app.add_option("--size", options.size, "bytes of a datagram's payload")->check(CLI::Range(64, 60000));
  app.add_option("--cipher", options.cipher)->check(CLI::IsMember({"chacha20", "aes128"}));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 60.0));
  app.add_option("--count", options.count, "round trips")->check(CLI::Range(1, 1000000));
  CLI11_PARSE(app, argc, argv);

  const auto [ours, theirs] = connected_sockets(options.gathers);
  const pid_t child = fork();
  if (child < 0) die("fork");
  Socket socket(child == 0 ? theirs : ours, options.gathers);
  close(child == 0 ? ours : theirs);
  Json result;
  if (options.is_raw) {
    Bare link(socket);
    if (child == 0) serve(link, socket, options);
    result = measure(link, socket, options);
  } else {
    Dtls link(socket, child != 0, options.cipher);
    if (child == 0) serve(link, socket, options);
    result = measure(link, socket, options);
  }
  const double own_cpu = cpu_of(RUSAGE_SELF);
  kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
  if (!options.pings) {
    const auto bytes = result["bytes"].get<double>();
    result["mb_per_s"] = bytes / 1e6 / result["seconds"].get<double>();
    result["cpu_s_per_gb"] = (own_cpu + cpu_of(RUSAGE_CHILDREN)) / (bytes / 1e9);
  }
  std::puts(result.dump().c_str());
  return 0;
}
