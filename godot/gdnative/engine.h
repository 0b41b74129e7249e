// Godot 3 as this plugin speaks to it: its functions, and its values with C++ lifetimes. The tables are found once, by the
// entry point, before anything else runs.
#pragma once

#include <string>
#include <string_view>

#include "common/value.h"
#include "gdnative/interface.h"

namespace pollrtc::gdnative {

using godot_plugin::Array;
using godot_plugin::Dictionary;
using godot_plugin::Value;

const Core& core();
const NativeScriptTable& nativescript();
const NativeScriptTable11& nativescript11();
const NetTable32& net();
// False: this engine is older than 3.2.
bool load_engine(const CoreTable* table);
bool is_main_thread();  // the one that loaded it

class String {
 public:
  explicit String(std::string_view text)
      : raw_(core().string_chars_to_utf8_with_len(text.data(), static_cast<int>(text.size()))) {}
  explicit String(RawValue adopted) : raw_(adopted) {}
  ~String() { core().string_destroy(&raw_); }
  String(const String&) = delete;
  String& operator=(const String&) = delete;
  const RawValue* get() const { return &raw_; }
  // For a structure of the interface, which does not own it.
  RawValue raw() const { return raw_; }
  std::string text() const;

 private:
  alignas(8) RawValue raw_;
};

class Variant {
 public:
  Variant() { core().variant_new_nil(&raw_); }
  explicit Variant(RawVariant adopted) : raw_(adopted) {}
  explicit Variant(const Value& value);
  // Takes a reference when the object is counted; for a fresh one it is the first.
  static Variant of(EngineObject* object);
  Variant(Variant&& other) noexcept : raw_(other.release()) {}
  ~Variant() { core().variant_destroy(&raw_); }
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  Variant& operator=(Variant&&) = delete;

  const RawVariant* get() const { return &raw_; }
  RawVariant release();  // to one who will destroy it

 private:
  alignas(8) RawVariant raw_;
};

// What the script gave, by value. Objects and other types that no option has become null, and so does what lies deeper than
// any option.
Value value_of(const RawVariant* variant);
Dictionary dictionary_of(const RawValue* dictionary);

// The engine's own methods, by class and name. They are there when their class is, later than this plugin is loaded.
MethodBind* find_method(const char* class_name, const char* method);
void call(MethodBind* method, EngineObject* object, const Variant& argument);

}  // namespace pollrtc::gdnative
