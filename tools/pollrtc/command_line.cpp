#include "pollrtc/command_line.h"

#include <CLI/App.hpp>

namespace pollrtc::tool {

void add_peer_options(CLI::App& app, PeerOptions& options) {
  app.add_option("--role", options.role, "offer | answer: who makes the offer, and the channels")->required();
  app.add_option("--mode", options.mode, "echo | bulk | rate | ping | setup | idle | script")->required();
  app.add_option("--direction", options.direction, "bulk, rate: up (the offering end sends) | down | both");
  app.add_option("--size", options.given_size, "bytes a message (bulk 65536, else 64)");
  app.add_flag("--binary", options.binary, "messages are binary (the default)");
  app.add_flag("--text", options.text, "messages are text");
  app.add_option("--warmup", options.warmup, "bulk, rate: seconds that are not counted (1)");
  app.add_option("--duration", options.duration, "bulk, rate: seconds that are counted (5)");
  app.add_option("--count", options.given_count, "round trips (2000) or connections (setup 20, idle 100)");
  app.add_option("--channels", options.channels, "channels the traffic is dealt out over (1)");
  app.add_option("--buffer", options.buffer, "bytes the sender keeps waiting in a channel (1048576)");
  app.add_flag("--unordered", options.unordered, "channel option");
  app.add_option("--max-retransmits", options.max_retransmits, "channel option");
  app.add_option("--max-lifetime", options.max_lifetime, "channel option: milliseconds");
  app.add_option("--negotiated-id", options.negotiated_id, "both ends create the channels: ids N, N+2 ...");
  app.add_option("--label", options.label, "of the channels (bench)");
  app.add_option("--protocol", options.protocol, "of the channels (empty)");
  app.add_flag("--verify", options.verify, "make and check the content of messages");
  app.add_option("--ice-server", options.ice_servers,
                 "stun:HOST:PORT or turn[s]:HOST:PORT[?transport=tcp],USER,PASSWORD; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--ice-policy", options.ice_policy, "all | relay: relayed candidates only");
  app.add_flag("--hide-addresses", options.hide_addresses, "host candidates behind names of multicast DNS");
  app.add_option("--transports", options.transports, "udp | tcp | both: candidates by which (udp)");
  app.add_option("--timeout", options.timeout, "seconds for the whole run (60)");
  app.add_option("--max-packet", options.max_packet,
                 "bytes of the largest IP packet that path MTU discovery tries; 0: no discovery");
  app.add_flag("--no-offload", options.no_offload, "datagrams go and come one by one: no GSO, no GRO");
  app.add_option("--trace", options.trace,
                 "pcapng file for Wireshark: each datagram, and each SCTP packet in the clear");
  app.add_flag("--loopback", options.loopback, "loopback addresses are candidates too");
}

void add_demo_options(CLI::App& app, DemoOptions& options) {
  app.add_flag("--native", options.native, "two peers in this process, no browser");
  app.add_flag("--no-browser", options.no_browser, "serve the page, and wait for somebody to open it");
  app.add_option("--seconds", options.seconds, "of each throughput measurement (3)")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--port", options.port, "of the page (any)");
}

void add_serve_options(CLI::App& app, ServeOptions& options) {
  app.add_option("--bind", options.bind, "the address to listen on; 0.0.0.0 for all (127.0.0.1)");
  app.add_option("--port", options.port, "0: any (9080)");
}

void add_join_options(CLI::App& app, JoinOptions& options) {
  app.add_option("url", options.url, "of the signalling server: ws://HOST:PORT")->required();
  app.add_option("lobby", options.lobby, "the lobby to join; left out: a new one, whose name is printed");
  app.add_flag("--client-server", options.client_server,
               "of a new lobby: a server, its clients, and packets relayed between them; not a mesh");
  options.peer.timeout = 0;
  app.add_option("--ice-server", options.peer.ice_servers,
                 "stun:HOST:PORT or turn[s]:HOST:PORT[?transport=tcp],USER,PASSWORD; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--ice-policy", options.peer.ice_policy, "all | relay: relayed candidates only");
  app.add_flag("--loopback", options.peer.loopback, "loopback addresses are candidates too");
  app.add_option("--timeout", options.peer.timeout, "seconds for the whole run; 0: none (0)");
}

}  // namespace pollrtc::tool
