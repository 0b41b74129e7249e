// What the shared code asks of the engine.
#include "common/host.h"

#include "gdnative/objects.h"

namespace pollrtc::godot_plugin::host {

using gdnative::CallError;
using gdnative::core;
using gdnative::MethodBind;
using gdnative::RawVariant;
using gdnative::Variant;

namespace {

// Of the methods that count references: bool, in the first byte.
bool call_counter(MethodBind* method, EngineObject* object) {
  std::uint64_t result = 0;
  const void* nothing[1] = {};
  core().method_bind_ptrcall(method, object, nothing, &result);
  return (result & 0xff) != 0;
}

// The engine's own signals are there whatever script the object has.
bool has_signal(EngineObject* object, SignalName signal) {
  if (signal <= SignalName::DataChannelReceived) return true;
  return signal < SignalName::Opened ? gdnative::connection_object(object).has_our_script
                                     : gdnative::channel_object(object).has_our_script;
}

void emit_variants(EngineObject* object, SignalName signal, std::span<const Variant> arguments) {
  static MethodBind* const emit_signal = gdnative::find_method("Object", "emit_signal");
  if (!has_signal(object, signal)) return;
  const Variant name{Value(kSignalNames[static_cast<std::size_t>(signal)])};
  const RawVariant* all[1 + Arguments::kMost] = {name.get()};
  int count = 1;
  for (const Variant& argument : arguments) all[count++] = argument.get();
  CallError error{};
  const Variant nothing(core().method_bind_call(emit_signal, object, all, count, &error));
}

}  // namespace

void print_error(const char* function, std::string_view message) {
  const std::string text = "pollrtc: " + std::string(message);
  core().print_error(text.c_str(), function, "pollrtc", 0);
}

void hold(EngineObject* object) {
  static MethodBind* const reference = gdnative::find_method("Reference", "reference");
  (void)call_counter(reference, object);
}

void let_go(EngineObject* object) {
  static MethodBind* const unreference = gdnative::find_method("Reference", "unreference");
  if (call_counter(unreference, object)) core().object_destroy(object);
}

void emit(EngineObject* object, SignalName signal, std::span<const Value> arguments) {
  const std::vector<Variant> variants(arguments.begin(), arguments.end());
  emit_variants(object, signal, variants);
}

void emit_with_object(EngineObject* object, SignalName signal, EngineObject* argument) {
  const Variant variant = Variant::of(argument);
  emit_variants(object, signal, std::span(&variant, 1));
}

// It is a method of our script.
bool call_soon(EngineObject* object, const char* method) {
  static MethodBind* const call_deferred = gdnative::find_method("Object", "call_deferred");
  if (!gdnative::is_main_thread() || !gdnative::connection_object(object).has_our_script) return false;
  const Variant name{Value(method)};
  const RawVariant* arguments[] = {name.get()};
  CallError error{};
  const Variant nothing(core().method_bind_call(call_deferred, object, arguments, 1, &error));
  return error.error == 0;
}

EngineObject* make_channel_object(std::unique_ptr<Channel> channel) {
  static const gdnative::Constructor constructor = core().get_class_constructor("WebRTCDataChannelGDNative");
  EngineObject* const object = constructor();
  gdnative::ChannelObject& ours = gdnative::channel_object(object);
  ours.label = channel->get_label();
  ours.protocol = channel->get_protocol();
  channel->object = object;
  ours.channel = std::move(channel);
  gdnative::bind(object, ours);
  gdnative::give_channel_script(object);
  return object;
}

}  // namespace pollrtc::godot_plugin::host
