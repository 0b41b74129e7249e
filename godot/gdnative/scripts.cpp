// The scripts that our objects bear: methods and signals beside Godot's API, and what this Godot's own interface lacks or
// loses. A method of a script comes before the engine's of the same name.
#include <array>
#include <optional>

#include "gdnative/objects.h"

namespace pollrtc::gdnative {
namespace {

using godot_plugin::Arguments;
using godot_plugin::Kind;
using godot_plugin::Method;
using godot_plugin::Signal;

constexpr const char* kConnectionScript = "PollRTCPeerConnection";
constexpr const char* kChannelScript = "PollRTCDataChannel";

struct Scripts {
  Variant connection, channel;
  MethodBind* set_script;
};
std::optional<Scripts> scripts;

Variant make_script(EngineObject* library, const char* name) {
  static const Constructor constructor = core().get_class_constructor("NativeScript");
  EngineObject* const script = constructor();
  Variant holder = Variant::of(script);
  call(find_method("NativeScript", "set_class_name"), script, Variant(Value(name)));
  call(find_method("NativeScript", "set_library"), script, Variant::of(library));
  return holder;
}

Type type_of(Kind kind) {
  constexpr Type kTypes[] = {Type::Nil, Type::Bool, Type::Int, Type::Float, Type::String, Type::Dictionary};
  return kTypes[static_cast<int>(kind)];
}

RawVariant call_method(EngineObject*, void* method_data, void* instance, int count, RawVariant** arguments) {
  const Method& method = *static_cast<const Method*>(method_data);
  const std::size_t wanted = method.arguments.count();
  std::array<Value, Arguments::kMost> values;
  bool is_right = static_cast<std::size_t>(count) == wanted;
  for (std::size_t i = 0; is_right && i < wanted; ++i) {
    values[i] = value_of(arguments[i]);
    is_right = fits(method.arguments[i].kind, values[i]);
  }
  if (!is_right) {
    godot_plugin::host::print_error(method.name, std::string(method.name) + "(): wrong arguments");
    return Variant().release();
  }
  Value answer = method.call(instance, std::span(values).first(wanted));
  Variant result(answer);
  wipe(answer);  // it may hold a private key
  return result.release();
}

void register_signal(void* handle, const char* class_name, const Signal& signal) {
  const String name(signal.name), nothing("");
  std::array<std::optional<String>, Arguments::kMost> names;
  std::array<SignalArgument, Arguments::kMost> arguments{};
  const Variant nil;
  for (std::size_t i = 0; i < signal.arguments.count(); ++i)
    arguments[i] = {names[i].emplace(signal.arguments[i].name).raw(),
                    static_cast<int>(type_of(signal.arguments[i].kind)),
                    0,
                    nothing.raw(),
                    kUsageDefault,
                    *nil.get()};
  const SignalDescription description{name.raw(), static_cast<int>(signal.arguments.count()),
                                      arguments.data(), 0, nullptr};
  nativescript().register_signal(handle, class_name, &description);
}

void register_methods(void* handle, const char* class_name, std::span<const Method> methods) {
  for (const Method& method : methods)
    nativescript().register_method(handle, class_name, method.name, {0},
                                   {call_method, const_cast<Method*>(&method), nullptr});
}

// --- what Godot 3 lacks, or gets as Latin-1

Value gathering_state(void* instance, std::span<const Value>) {
  return std::int64_t{static_cast<Connection*>(instance)->get_gathering_state()};
}
Value signaling_state(void* instance, std::span<const Value>) {
  return std::int64_t{static_cast<Connection*>(instance)->get_signaling_state()};
}
Value label(void* instance, std::span<const Value>) { return static_cast<Channel*>(instance)->get_label(); }
Value protocol(void* instance, std::span<const Value>) {
  return static_cast<Channel*>(instance)->get_protocol();
}
Value buffered_amount(void* instance, std::span<const Value>) {
  return std::int64_t{static_cast<Channel*>(instance)->get_buffered_amount()};
}

constexpr Method kConnectionMethods[] = {
    {"get_gathering_state", Method::Scope::Const, Kind::Int, {}, gathering_state},
    {"get_signaling_state", Method::Scope::Const, Kind::Int, {}, signaling_state},
};
constexpr Method kChannelMethods[] = {
    {"get_label", Method::Scope::Const, Kind::String, {}, label},
    {"get_protocol", Method::Scope::Const, Kind::String, {}, protocol},
    {"get_buffered_amount", Method::Scope::Const, Kind::Int, {}, buffered_amount},
};

// --- life: the instance of a script is what the binding holds, whether the object is one of ours or not

void* create_connection(EngineObject* object, void*) {
  ConnectionObject& ours = connection_object(object);
  ours.has_our_script = true;
  return &ours.connection;
}
void destroy_connection(EngineObject* object, void*, void*) {
  connection_object(object).has_our_script = false;
}

void* create_channel(EngineObject* object, void*) {
  ChannelObject& ours = channel_object(object);
  ours.has_our_script = true;
  return ours.channel.get();
}
void destroy_channel(EngineObject* object, void*, void*) { channel_object(object).has_our_script = false; }

}  // namespace

void make_scripts(EngineObject* library) {
  scripts.emplace(Scripts{make_script(library, kConnectionScript), make_script(library, kChannelScript),
                          find_method("Object", "set_script")});
}
void drop_scripts() { scripts.reset(); }

// As tools: an object that the editor's own scripts make is alive too.
void register_scripts(void* handle) {
  nativescript().register_tool_class(handle, kConnectionScript, "WebRTCPeerConnectionGDNative",
                                     {create_connection, nullptr, nullptr},
                                     {destroy_connection, nullptr, nullptr});
  register_methods(handle, kConnectionScript, godot_plugin::connection_methods);
  register_methods(handle, kConnectionScript, kConnectionMethods);
  for (const Signal& signal : godot_plugin::connection_signals)
    register_signal(handle, kConnectionScript, signal);
  nativescript().register_tool_class(handle, kChannelScript, "WebRTCDataChannelGDNative",
                                     {create_channel, nullptr, nullptr}, {destroy_channel, nullptr, nullptr});
  register_methods(handle, kChannelScript, godot_plugin::channel_methods);
  register_methods(handle, kChannelScript, kChannelMethods);
  for (const Signal& signal : godot_plugin::channel_signals) register_signal(handle, kChannelScript, signal);
}

void give_connection_script(EngineObject* object) { call(scripts->set_script, object, scripts->connection); }
void give_channel_script(EngineObject* object) { call(scripts->set_script, object, scripts->channel); }

}  // namespace pollrtc::gdnative
