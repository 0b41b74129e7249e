#include "pollrtc/demo.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "demo_page.h"
#include "pollrtc/browser_process.h"
#include "pollrtc/demo_guest.h"
#include "pollrtc/demo_host.h"
#include "pollrtc/demo_story.h"
#include "pollrtc/page_server.h"

namespace pollrtc::tool {
namespace {

constexpr double kPatience = 30;  // seconds beyond the measurements for a browser to start and connect

// Ctrl-C ends the loop instead of the program, so that the browser and its profile go too.
class Interrupt {
 public:
  explicit Interrupt(EventLoop& loop, const bool& worked) : loop_(loop) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
    loop_.watch(
        fd_, [] { return short{POLLIN}; }, [this, &worked] { loop_.stop(worked ? 0 : 1); });
  }
  ~Interrupt() {
    loop_.unwatch(fd_);
    ::close(fd_);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  EventLoop& loop_;
  int fd_ = -1;
};

int run_native(const DemoOptions& options) {
  EventLoop loop;
  Story story;
  bool worked = false;
  const Interrupt interrupt(loop, worked);
  story.tell("two peers in one process, over UDP sockets of this machine");
  // Lines take the way round the loop, as they would over a network.
  std::unique_ptr<Host> host;
  std::unique_ptr<Guest> guest;
  host = std::make_unique<Host>(
      loop, story, options.seconds,
      [&](const Json& line) { loop.at(EventLoop::now(), [&guest, line] { guest->take(line); }); },
      [&](bool is_well) {
        worked = is_well;
        loop.at(EventLoop::now(), [&loop, is_well] { loop.stop(is_well ? 0 : 1); });
      });
  guest = std::make_unique<Guest>(
      loop, [&](const Json& line) { loop.at(EventLoop::now(), [&host, line] { host->take(line); }); });
  if (const Status status = guest->begin(); !status) {
    story.tell("cannot begin: {}", status.error().detail());
    return 1;
  }
  loop.after(std::chrono::duration<double>(2 * options.seconds + kPatience), [&] {
    story.tell("not done in time");
    loop.stop(1);
  });
  const int status = loop.run();
  guest.reset();
  host.reset();
  fmt::print("\n{}\n", status == 0 ? "It works." : "It did not work.");
  return status;
}

// One page at a time: a reload, or a second page, begins anew.
class BrowserDemo {
 public:
  explicit BrowserDemo(const DemoOptions& options)
      : options_(options),
        interrupt_(loop_, worked_),
        server_(
            loop_, kDemoPage,
            {[this](const std::string& id) { on_page(id); }, [this](const std::string& id) { on_gone(id); },
             [this](const std::string& id, const Json& line) {
               if (host_ && id == page_) host_->take(line);
             }}) {}

  int run() {
    if (!server_.listen(options_.port)) {
      fmt::print(stderr, "pollrtc: port {} is taken\n", options_.port);
      return 1;
    }
    story_.tell("the page is at {}", server_.url());
    if (!start_browser()) return 1;
    if (is_headless_)
      loop_.after(std::chrono::duration<double>(2 * options_.seconds + kPatience), [this] {
        story_.tell("not done in time");
        loop_.stop(1);
      });
    const int status = loop_.run();
    host_.reset();
    fmt::print("\n{}\n", status == 0 ? "It works." : "It did not work.");
    return status;
  }

 private:
  bool start_browser() {
    if (options_.no_browser) {
      story_.tell("open it in a browser on this machine; Ctrl-C ends");
      return true;
    }
    if (BrowserProcess::open_on_display(server_.url())) {
      story_.tell("opened on the display; Ctrl-C ends");
      return true;
    }
    const auto program = browser_.start_headless(server_.url());
    if (!program) {
      story_.tell("there is no browser; `pollrtc demo --native` needs none");
      return false;
    }
    is_headless_ = true;
    story_.tell("no display: started {} without one", *program);
    return true;
  }

  void on_page(const std::string& id) {
    story_.tell("a page is open");
    page_ = id;
    host_ = std::make_unique<Host>(
        loop_, story_, options_.seconds, [this, id](const Json& line) { server_.send(id, line); },
        [this](bool worked) { on_end(worked); });
  }

  void on_gone(const std::string& id) {
    if (id != page_) return;
    story_.tell("the page is gone");
    page_.clear();
    host_.reset();
    if (is_headless_) loop_.stop(worked_ ? 0 : 1);
  }

  void on_end(bool worked) {
    worked_ = worked;
    // A moment, so that the page gets its figures; with somebody before it, until Ctrl-C.
    if (is_headless_)
      loop_.after(std::chrono::milliseconds(200), [this, worked] { loop_.stop(worked ? 0 : 1); });
    if (!is_headless_ && worked) story_.tell("the page stays connected: write something; Ctrl-C ends");
  }

  const DemoOptions options_;
  bool worked_ = false, is_headless_ = false;
  EventLoop loop_;
  Interrupt interrupt_;
  Story story_;
  PageServer server_;
  BrowserProcess browser_;
  std::string page_;
  std::unique_ptr<Host> host_;
};

}  // namespace

int run_demo(const DemoOptions& options) {
  return options.native ? run_native(options) : BrowserDemo(options).run();
}

}  // namespace pollrtc::tool
