// A program outside the project, built against the installed library by `./run install-check`.
#include <pollrtc/environment.h>
#include <pollrtc/error.h>
#include <pollrtc/types.h>

#include <cstdio>

int main() {
  const pollrtc::Memory memory = pollrtc::default_memory();
  void* block = memory.allocate(memory.context, 64, 8);
  if (block == nullptr) return 1;
  memory.release(memory.context, block, 64, 8);
  if (pollrtc::name_of(pollrtc::Drop::SctpTag) != "SctpTag") return 1;
  std::puts("ok");
}
