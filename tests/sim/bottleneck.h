// Associations whose data shares one bottleneck: a rate, a queue with a tail that drops, a delay, loss, and what else networks
// do to packets and to their acknowledgements. Virtual time, without the ceremony of a World: for figures that take millions
// of packets.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "sctp/association.h"
#include "support/environment.h"

namespace pollrtc::sim {

struct BottleneckConfig {
  double bits_per_second = 100e6;
  Duration round_trip = std::chrono::milliseconds(100);
  double loss = 0;                   // of data, behind the queue
  std::size_t queue_packets = 1000;  // of the size of the first
  std::uint64_t seed = 1;
  Duration jitter{};        // of data, behind the queue, each packet for itself: they overtake each other
  double policed_bits = 0;  // a bucket in front of the queue that drops what exceeds this rate; 0: none
  std::size_t policed_burst = 0;  // bytes that it holds
  double loss_back = 0;           // of what comes back
  Duration back_every{};          // what comes back is let through only at multiples of this
  // The receiving host comes to its socket only so often, and so many packets find room there; zero: it reads each as it comes.
  Duration read_every{};
  std::size_t socket_packets = 0;
  bool acks_reads = false;  // once for all that it finds there, as we do; else packet by packet
};

struct FlowConfig {
  sctp::AssociationConfig association = {};
  Duration begins{};
  Duration poll_every{};  // the sender is polled only so often; zero: whenever there is something to do
  bool is_bulk = true;    // else it only sends its small messages
  std::size_t message = 16 * 1024;
  double limited_to = 0;  // bits a second of such messages, however fast the path is; 0: as many as go
  Duration longer{};      // its round trip, than that of the others
  Duration ping_every{};  // a small message on a stream of its own; zero: none
  Limits limits = {};
};

class Bottleneck {
 public:
  struct Flow;
  Bottleneck(const BottleneckConfig& config, const std::vector<FlowConfig>& flows);
  ~Bottleneck();

  void run_until(Duration end);
  // From now on; what waits in the queue leaves at the new rate, what has left it keeps its delay.
  void change(double bits_per_second, Duration round_trip);
  // Another path, as ICE would tell the sender.
  void change_path(std::size_t flow, double bits_per_second, Duration round_trip);
  void pause(std::size_t flow, bool paused);
  Duration now() const { return now_.time_since_epoch(); }

  std::size_t flows() const { return flows_.size(); }
  std::uint64_t received(std::size_t flow) const;  // payload bytes
  sctp::AssociationStats stats(std::size_t flow) const;
  // Of the pings that arrived since the last call: how much longer than the bare delay they took, in milliseconds, sorted.
  std::vector<double> take_ping_delays(std::size_t flow);
  // Of all packets since the last call: what they waited in the queue, in milliseconds.
  struct Waits {
    double mean, p95, most;
  };
  Waits take_waits();
  std::uint64_t dropped() const { return dropped_; }
  // The payload that the rate carries when each packet holds one full chunk, in bytes a second.
  double payload_rate() const;

 private:
  struct Packet {
    Time arrival;
    Flow* flow;
    std::vector<std::uint8_t> bytes;
    double departure = 0;  // from the queue, microseconds
  };
  void send_data(Flow& flow);
  void send_back(Flow& flow);
  void enqueue(Flow& flow, Bytes packet);
  bool is_policed(std::size_t size);
  bool chance(double probability);
  double random();
  Duration round_trip(const Flow& flow) const;
  static void insert(std::deque<Packet>& packets, Packet packet);
  void feed(Flow& flow);
  void deliver();
  bool leave_for_reader(Packet& packet);
  void take_in(Flow& flow, Bytes packet);
  Time next_time() const;

  static constexpr std::size_t kBelow = 28 + 37;  // IP and UDP, and a DTLS record
  BottleneckConfig config_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::deque<Packet> forward_, back_;
  Time now_{};
  double free_at_ = 0;  // microseconds
  std::uint64_t random_;
  double tokens_, tokens_at_ = 0;  // of the policer
  std::uint64_t dropped_ = 0;
  std::vector<float> waits_;
};

}  // namespace pollrtc::sim
