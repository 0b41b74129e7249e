// One line to the user's sink: POLLRTC_LOG(env, Debug, "ice", "pair {} -> {}", local, remote).
// The level is tested first, then the line is formatted into a stack buffer. Passwords and keys are never logged.
// The option -Dlogging=false removes every line at build time.
#pragma once

#include "base/format.h"
#include "pollrtc/environment.h"

namespace pollrtc {

#if defined(POLLRTC_LOGGING) && !POLLRTC_LOGGING
#define POLLRTC_LOG(environment, severity, room, ...) static_cast<void>(0)
#else
#define POLLRTC_LOG(environment, severity, room, ...)                                         \
  do {                                                                                        \
    const ::pollrtc::LogSink& pollrtc_sink = (environment).log;                               \
    if (pollrtc_sink.write != nullptr && ::pollrtc::LogLevel::severity >= pollrtc_sink.level) \
      ::pollrtc::write_log(pollrtc_sink, ::pollrtc::LogLevel::severity, room, __VA_ARGS__);   \
  } while (false)
#endif

// Not for direct use. A line longer than the buffer is cut.
template <class... Args>
void write_log(const LogSink& sink, LogLevel level, std::string_view room, fmt::format_string<Args...> format,
               Args&&... args) {
  char line[400];
  sink.write(sink.context, level, room, format_text(line, format, std::forward<Args>(args)...));
}

}  // namespace pollrtc
