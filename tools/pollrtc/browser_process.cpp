#include "pollrtc/browser_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <vector>

namespace pollrtc::tool {
namespace {

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

std::string first_program(const char* variable, const std::vector<std::string>& names) {
  if (const char* const chosen = std::getenv(variable)) return find_program(chosen);
  for (const std::string& name : names)
    if (std::string found = find_program(name); !found.empty()) return found;
  return "";
}

std::vector<std::string> chromium_arguments(const std::string& profile) {
  std::vector<std::string> arguments = {"--headless",
                                        "--disable-gpu",
                                        "--disable-quic",
                                        "--no-first-run",
                                        "--disable-background-networking",
                                        "--disable-component-update",
                                        "--disable-sync",
                                        "--user-data-dir=" + profile};
  if (geteuid() == 0) arguments.emplace_back("--no-sandbox");  // its sandbox does not work for root
  return arguments;
}

// A process group of its own, silent, so that the browser's children can be ended with it.
pid_t spawn(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (const int null = open("/dev/null", O_RDWR); null >= 0)
    for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  execv(program.c_str(), argv.data());
  _exit(127);
}

}  // namespace

std::optional<std::string> BrowserProcess::start_headless(const std::string& url) {
  std::string pattern = (std::filesystem::temp_directory_path() / "pollrtc-demo-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return std::nullopt;
  profile_ = pattern;
  std::string program = first_program("CHROMIUM", {"chromium", "chromium-browser", "google-chrome"});
  std::vector<std::string> arguments = chromium_arguments(profile_);
  if (program.empty()) {
    program = first_program("FIREFOX", {"firefox-esr", "firefox"});
    arguments = {"--headless", "--profile", profile_};
  }
  if (program.empty()) return std::nullopt;
  arguments.push_back(url);
  pid_ = spawn(program, arguments);
  if (pid_ < 0) return std::nullopt;
  setpgid(pid_, pid_);  // here too: whichever of the two comes first
  return program;
}

bool BrowserProcess::open_on_display(const std::string& url) {
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) return false;
  const std::string program = find_program("xdg-open");
  return !program.empty() && spawn(program, {url}) > 0;
}

BrowserProcess::~BrowserProcess() {
  if (pid_ > 0) {
    kill(-pid_, SIGTERM);
    for (int i = 0; i < 20 && waitpid(pid_, nullptr, WNOHANG) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, WNOHANG);
  }
  std::error_code ignored;
  if (!profile_.empty()) std::filesystem::remove_all(profile_, ignored);
}

}  // namespace pollrtc::tool
