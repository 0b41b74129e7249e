// The entry points of the library, in the order in which Godot 3 calls them: init, singleton, nativescript_init, terminate.
#include "gdnative/objects.h"

namespace pollrtc::gdnative {
namespace {

EngineObject* library = nullptr;  // the resource that names us

int create_peer_connection(EngineObject* object) {
  bind(object, connection_object(object));
  give_connection_script(object);
  return static_cast<int>(GodotError::OK);
}

constexpr WebRtcLibrary kLibrary = {
    .version = {3, 2},
    .unregistered = [] {},
    .create_peer_connection = create_peer_connection,
    .next = nullptr,
};

}  // namespace
}  // namespace pollrtc::gdnative

#define POLLRTC_ENTRY extern "C" __attribute__((visibility("default"))) void

POLLRTC_ENTRY pollrtc_gdnative_init(const pollrtc::gdnative::InitializeOptions* options) {
  using namespace pollrtc::gdnative;
  if (load_engine(options->core)) {
    library = options->library;
  } else {
    options->report_loading_error(options->library, "pollrtc needs Godot 3.2 or newer");
  }
}

// The engine loads libraries before its own WebRTC classes are there; they are looked up when somebody makes an object.
POLLRTC_ENTRY pollrtc_gdnative_singleton() {
  using namespace pollrtc::gdnative;
  if (library == nullptr) return;
  register_objects();
  make_scripts(library);
  net().set_webrtc_library(&kLibrary);
}

POLLRTC_ENTRY pollrtc_nativescript_init(void* handle) { pollrtc::gdnative::register_scripts(handle); }

POLLRTC_ENTRY pollrtc_gdnative_terminate(void*) {
  using namespace pollrtc::gdnative;
  if (library == nullptr) return;
  net().set_webrtc_library(nullptr);
  drop_scripts();
  unregister_objects();
  library = nullptr;
}
