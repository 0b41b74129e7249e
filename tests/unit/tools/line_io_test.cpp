#include "pollrtc/line_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "support/catch.h"

using namespace pollrtc::tool;

namespace {

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() { REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() { close_one(ends[0]); }
  void close_writer() { close_one(ends[1]); }
  void write(std::string_view text) {
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

std::vector<std::string> read_all(LineReader& reader, LineReader::Status& status) {
  std::vector<std::string> lines;
  status = reader.read([&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

}  // namespace

TEST_CASE("lines come whole, however they were cut") {
  Pipe pipe;
  LineReader reader(pipe.ends[0]);
  LineReader::Status status{};
  pipe.write("one\ntwo\nth");
  CHECK(read_all(reader, status) == std::vector<std::string>{"one", "two"});
  CHECK(status == LineReader::Status::Open);
  pipe.write("ree\n\n");
  CHECK(read_all(reader, status) == std::vector<std::string>{"three", ""});
  pipe.close_writer();
  CHECK(read_all(reader, status).empty());
  CHECK(status == LineReader::Status::End);
}

TEST_CASE("a line above the limit is refused, and not kept") {
  Pipe pipe;
  LineReader reader(pipe.ends[0]);
  LineReader::Status status{};
  const std::string piece(32768, 'x');
  std::size_t written = 0;
  while (status == LineReader::Status::Open && written <= 2 * LineReader::kMaxLine) {
    pipe.write(piece);
    written += piece.size();
    CHECK(read_all(reader, status).empty());
  }
  CHECK(status == LineReader::Status::TooLong);
  CHECK(written <= LineReader::kMaxLine + 2 * piece.size());
}

TEST_CASE("a full pipe blocks nobody; the rest follows once there is room") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1]);
  const Json line = {{"text", std::string(50000, 'x')}};
  for (int i = 0; i < 4; ++i) writer.put(line);  // more than a pipe holds
  CHECK(writer.is_pending());
  std::string received;
  std::array<char, 65536> buffer;
  while (writer.is_pending()) {
    const ssize_t got = ::read(pipe.ends[0], buffer.data(), buffer.size());
    REQUIRE(got > 0);
    received.append(buffer.data(), static_cast<std::size_t>(got));
    writer.write_some();
  }
  pipe.close_writer();
  for (ssize_t got; (got = ::read(pipe.ends[0], buffer.data(), buffer.size())) > 0;)
    received.append(buffer.data(), static_cast<std::size_t>(got));
  const std::string one = line.dump() + "\n";
  CHECK(received == one + one + one + one);
}

TEST_CASE("a byte that is not UTF-8 does not take the line with it") {
  Pipe pipe;
  LineWriter(pipe.ends[1]).put({{"label", "a\xff"}});
  std::array<char, 100> buffer;
  const ssize_t got = ::read(pipe.ends[0], buffer.data(), buffer.size());
  REQUIRE(got > 0);
  CHECK(std::string(buffer.data(), static_cast<std::size_t>(got)) == "{\"label\":\"a\xef\xbf\xbd\"}\n");
}
