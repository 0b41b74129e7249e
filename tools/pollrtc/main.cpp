// pollrtc: the library as a program. `pollrtc peer` is one end of a connection for tests and measurements, `pollrtc
// demo` shows a whole one, `pollrtc serve` and `pollrtc join` bring many together.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "pollrtc/command_line.h"
#include "pollrtc/peer_command.h"

namespace {

using namespace pollrtc::tool;

int report(const CLI::App& app, const CLI::App& peer, const CLI::ParseError& error) {
  // Asked-for help is for people, whoever asks. What goes wrong in `peer` is for its driver.
  if (error.get_exit_code() == 0) return app.exit(error);
  if (peer.parsed()) return report_unsupported(error.what());
  app.exit(error);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is found out by write()
  CLI::App app("WebRTC data channels from a command line", "pollrtc");
  app.require_subcommand(1);

  PeerOptions peer_options;
  CLI::App& peer =
      *app.add_subcommand("peer", "one end of a connection, driven by JSON lines (docs/pollrtc-peer.md)");
  add_peer_options(peer, peer_options);

  DemoOptions demo_options;
  CLI::App& demo =
      *app.add_subcommand("demo", "a connection between this program and a browser, step by step");
  add_demo_options(demo, demo_options);

  ServeOptions serve_options;
  CLI::App& serve =
      *app.add_subcommand("serve", "a signalling server with lobbies, and a page that joins them");
  add_serve_options(serve, serve_options);

  JoinOptions join_options;
  CLI::App& join = *app.add_subcommand("join", "join a lobby: a MultiplayerPeer driven by JSON lines");
  add_join_options(join, join_options);

  const CLI::App& version = *app.add_subcommand("version", "the version of the library");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report(app, peer, error);
  }
  if (version) std::puts("pollrtc " POLLRTC_VERSION);
  if (demo) return run_demo(demo_options);
  if (peer) return run_peer(peer_options);
  if (serve) return run_serve(serve_options);
  if (join) return run_join(join_options);
  return 0;
}
