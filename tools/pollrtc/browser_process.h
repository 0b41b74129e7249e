// A browser that the demo starts for itself: headless, with a profile of its own, and gone when the object is.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace pollrtc::tool {

class BrowserProcess {
 public:
  BrowserProcess() = default;
  ~BrowserProcess();
  BrowserProcess(const BrowserProcess&) = delete;
  BrowserProcess& operator=(const BrowserProcess&) = delete;

  // The program that was started ($CHROMIUM, $FIREFOX, or the first of the usual names that is there), or nothing.
  std::optional<std::string> start_headless(const std::string& url);
  // Hands the address to the desktop. False: there is no display, or no xdg-open.
  static bool open_on_display(const std::string& url);

 private:
  pid_t pid_ = -1;
  std::string profile_;
};

}  // namespace pollrtc::tool
