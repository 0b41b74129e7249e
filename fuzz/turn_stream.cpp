// A stream from a TURN server, and one of ICE-TCP (RFC 4571), cut into messages: however it is cut, the same messages come out,
// and memory is bounded.
// Input: one byte that says how to cut, then the stream.
#include "ice/turn_stream.h"
#include "base/bytes.h"
#include "support.h"

using namespace pollrtc;

namespace {

using Form = turn::StreamFramer::Form;

// A number that depends on all messages and on where they end.
std::uint64_t digest(turn::StreamFramer& framer, Form form, Bytes stream, std::size_t step) {
  std::uint64_t hash = 14695981039346656037u;
  while (!stream.empty()) {
    Bytes chunk = stream.first(std::min(step, stream.size()));
    stream = stream.subspan(chunk.size());
    while (const auto frame = framer.next(chunk)) {
      check(frame->size() <= turn::StreamFramer::kLargestFrame);
      if (form == Form::Turn) {
        check(frame->size() >= 4 && frame->size() % 4 == 0);
      } else {
        check(frame->size() == turn::StreamFramer::kLengthSize + load_u16(frame->data()));
      }
      for (const std::uint8_t byte : *frame) hash = (hash ^ byte) * 1099511628211u;
      hash = (hash ^ frame->size()) * 1099511628211u;
    }
    check(chunk.empty());
  }
  return hash;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream(data + 1, size - 1);
  const std::size_t step = data[0] % 64 + 1u;
  for (const Form form : std::initializer_list<Form>{Form::Turn, Form::Rfc4571}) {
    turn::StreamFramer whole(default_memory(), form), cut(default_memory(), form);
    check(digest(whole, form, stream, stream.size() + 1) == digest(cut, form, stream, step));
    check(whole.is_broken() == cut.is_broken() && whole.skipped() == cut.skipped());
    check(form == Form::Turn || !whole.is_broken());
  }
  return 0;
}
