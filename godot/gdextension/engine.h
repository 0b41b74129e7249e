// The engine as this plugin speaks to it: its functions, and its values with C++ lifetimes. The table is filled once, by the
// entry point, before anything else runs; it is the one global of the plugin.
#pragma once

#include <string>
#include <string_view>

#include "common/value.h"
#include "gdextension/interface.h"

namespace pollrtc::gdextension {

using godot_plugin::Array;
using godot_plugin::Dictionary;
using godot_plugin::Value;

const Interface& engine();
Library* library();
// False: a function of Godot 4.2 is missing.
bool load_engine(GetProcAddress get, Library* library);

// The engine's own methods that we call. They are found when its classes are there: at the scene level.
struct Methods {
  MethodBind* emit_signal;
  MethodBind* call_deferred;
  MethodBind* notification;
  MethodBind* reference;
  MethodBind* unreference;
  MethodBind* set_default_extension;
};
bool load_methods();
bool is_main_thread();  // the one that loaded them
const Methods& methods();

class StringName {
 public:
  explicit StringName(const char* text);
  ~StringName();
  StringName(const StringName&) = delete;
  StringName& operator=(const StringName&) = delete;
  void* get() { return &raw_; }
  const void* get() const { return &raw_; }
  // Names are interned: those of the same text hold the same pointer.
  bool is(const void* name) const;

 private:
  RawValue raw_{};
};

class String {
 public:
  explicit String(std::string_view text);
  ~String();
  String(const String&) = delete;
  String& operator=(const String&) = delete;
  void* get() { return &raw_; }

 private:
  RawValue raw_{};
};

std::string text_of(const void* string);                // a String of the engine's
void assign_text(void* string, std::string_view text);  // to a result slot, which holds a String already
Dictionary dictionary_of(const void* dictionary);       // a Dictionary of the engine's

class Variant {
 public:
  Variant();
  explicit Variant(const Value& value);
  // Takes a reference when the object is counted.
  static Variant of(EngineObject* object);
  static Variant of(const StringName& name);
  Variant(Variant&& other) noexcept;
  ~Variant();
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  Variant& operator=(Variant&&) = delete;

  const void* get() const { return &raw_; }
  // For a result that the engine constructs over what is there: nil, which owns nothing.
  void* out() { return &raw_; }

 private:
  RawVariant raw_{};
};

// The same for a value that stands bare in memory, as in calls by pointer.
Value value_at(Type type, const void* pointer);
void assign(Type type, void* pointer, const Value& value);

// What the script gave, by value. Objects and other types that no option has become null, and so does what lies deeper than
// any option: a dictionary may contain itself.
Value value_of(const void* variant);

// The engine's object for an instance of ours. `is_new`: made by us rather than by the engine, which would send the
// notification itself.
EngineObject* make_object(const char* base, const StringName& class_name, Instance* instance, bool is_new);

}  // namespace pollrtc::gdextension
