// What the shared code asks of the engine.
#include "common/host.h"

#include <iterator>

#include "gdextension/classes.h"

namespace pollrtc::godot_plugin::host {

using gdextension::ByteBool;
using gdextension::CallError;
using gdextension::engine;
using gdextension::methods;
using gdextension::Variant;

namespace {

// The engine's emit_signal takes the signal's name and its arguments.
void emit_variants(EngineObject* object, SignalName signal, std::span<const Variant> arguments) {
  const Variant name = Variant::of(
      *std::next(gdextension::classes->signal_names.begin(), static_cast<std::ptrdiff_t>(signal)));
  const void* all[1 + Arguments::kMost] = {name.get()};
  std::size_t count = 1;
  for (const Variant& argument : arguments) all[count++] = argument.get();
  Variant nothing;
  CallError error{};
  engine().object_method_bind_call(methods().emit_signal, object, all, static_cast<std::int64_t>(count),
                                   nothing.out(), &error);
}

}  // namespace

void print_error(const char* function, std::string_view message) {
  const std::string text = "pollrtc: " + std::string(message);
  engine().print_error_with_message(text.c_str(), "", function, "pollrtc", 0, 0);
}

void hold(EngineObject* object) {
  ByteBool result = 0;
  engine().object_method_bind_ptrcall(methods().reference, object, nullptr, &result);
}

void let_go(EngineObject* object) {
  ByteBool is_last = 0;
  engine().object_method_bind_ptrcall(methods().unreference, object, nullptr, &is_last);
  if (is_last != 0) engine().object_destroy(object);
}

void emit(EngineObject* object, SignalName signal, std::span<const Value> arguments) {
  std::vector<Variant> variants(arguments.begin(), arguments.end());
  emit_variants(object, signal, variants);
}

// The reference in the Variant is the object's first.
void emit_with_object(EngineObject* object, SignalName signal, EngineObject* argument) {
  const Variant variant = Variant::of(argument);
  emit_variants(object, signal, std::span(&variant, 1));
}

bool call_soon(EngineObject* object, const char* method) {
  if (!gdextension::is_main_thread()) return false;
  const gdextension::StringName name(method);
  const Variant variant = Variant::of(name);
  const void* arguments[] = {variant.get()};
  Variant nothing;
  CallError error{};
  engine().object_method_bind_call(methods().call_deferred, object, arguments, 1, nothing.out(), &error);
  return error.error == 0;
}

EngineObject* make_channel_object(std::unique_ptr<Channel> channel) {
  Channel* const instance = channel.release();  // the engine owns it until it calls free()
  instance->object = gdextension::make_object(gdextension::kChannelClass.base,
                                              gdextension::classes->channel.name(), instance, true);
  return instance->object;
}

}  // namespace pollrtc::godot_plugin::host
