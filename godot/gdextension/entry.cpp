// The entry point: registers our classes when the engine's own are there, and makes ours the default.
#include "data_channel_documentation.h"
#include "gdextension/classes.h"
#include "peer_connection_documentation.h"

namespace pollrtc::gdextension {

std::optional<Classes> classes;

// The connection's class goes first when it ends: members are destroyed from the last to the first.
Classes::Classes() : channel(kChannelClass), connection(kConnectionClass) {
  for (const char* const name : godot_plugin::kSignalNames) signal_names.emplace_back(name);
}

namespace {

void make_default(const StringName& class_name) {
  const void* const arguments[] = {class_name.get()};
  engine().object_method_bind_ptrcall(methods().set_default_extension, nullptr, arguments, nullptr);
}

void initialize(void*, Level level) {
  if (level == Level::Scene) {
    if (!load_methods())
      return godot_plugin::host::print_error("initialize", "this engine has no WebRTC classes to extend");
    classes.emplace();
    make_default(classes->connection.name());
  } else if (level == Level::Editor && engine().editor_help_load_xml_from_utf8_chars_and_len != nullptr) {
    for (const std::string_view xml : {kPeerConnectionDocumentation, kDataChannelDocumentation})
      engine().editor_help_load_xml_from_utf8_chars_and_len(xml.data(), static_cast<Integer>(xml.size()));
  }
}

// By now the scripts and the tree have let go of all our objects.
void deinitialize(void*, Level level) {
  if (level == Level::Scene) classes.reset();
}

}  // namespace
}  // namespace pollrtc::gdextension

extern "C" __attribute__((visibility("default"))) pollrtc::gdextension::ByteBool pollrtc_gdextension_entry(
    pollrtc::gdextension::GetProcAddress get, pollrtc::gdextension::Library* library,
    pollrtc::gdextension::Initialization* initialization) {
  using namespace pollrtc::gdextension;
  if (!load_engine(get, library)) return 0;
  *initialization = {Level::Scene, nullptr, initialize, deinitialize};
  return 1;
}
