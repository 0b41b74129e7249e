#include "gdextension/engine.h"

#include <cstring>
#include <thread>

namespace pollrtc::gdextension {
namespace {

Interface table;
Methods the_methods;
Library* the_library = nullptr;
std::thread::id main_thread;

using godot_plugin::kMostEntries;
using godot_plugin::kMostLevels;

template <class Function>
bool load(GetProcAddress get, const char* name, Function& to) {
  to = reinterpret_cast<Function>(get(name));  // NOLINT: that is how the interface hands out functions
  return to != nullptr;
}

void destroy(Type type, void* value) {
  if (const Destructor destructor = engine().variant_get_ptr_destructor(type)) destructor(value);
}

// The constructors are looked up at each use: it is an index into an array of the engine's.
void construct_variant(Type type, void* variant, void* value) {
  engine().get_variant_from_type_constructor(type)(variant, value);
}
void construct_value(Type type, void* value, const void* variant) {
  // The engine does not write to the variant, though its type says so.
  engine().get_variant_to_type_constructor(type)(value, const_cast<void*>(variant));
}

void make_empty(Type type, Variant& variant) {
  CallError error{};
  engine().variant_construct(type, variant.out(), nullptr, 0, &error);
}

Integer size_of(const void* variant) {
  const StringName size("size");
  Variant result;
  CallError error{};
  engine().variant_call(const_cast<void*>(variant), size.get(), nullptr, 0, result.out(), &error);
  Integer count = 0;
  if (error.error == 0) construct_value(Type::Int, &count, result.get());
  return count < kMostEntries ? count : kMostEntries;
}

Value value_at(const void* variant, int levels);

Array array_at(const void* variant, int levels) {
  Array array;
  const Integer count = size_of(variant);
  array.reserve(static_cast<std::size_t>(count));  // no copy of a password stays behind
  for (Integer i = 0; i < count; ++i) {
    Variant element;
    ByteBool is_valid = 0, is_out_of_bounds = 0;
    engine().variant_get_indexed(variant, i, element.out(), &is_valid, &is_out_of_bounds);
    array.push_back(is_valid != 0 ? value_at(element.get(), levels) : Value());
  }
  return array;
}

Dictionary dictionary_at(const void* variant, int levels) {
  const StringName keys("keys");
  Variant all;
  CallError error{};
  engine().variant_call(const_cast<void*>(variant), keys.get(), nullptr, 0, all.out(), &error);
  if (error.error != 0) return {};
  Dictionary dictionary;
  const Integer count = size_of(all.get());
  dictionary.reserve(static_cast<std::size_t>(count));  // as above
  for (Integer i = 0; i < count; ++i) {
    Variant key, value;
    ByteBool is_valid = 0, is_out_of_bounds = 0;
    engine().variant_get_indexed(all.get(), i, key.out(), &is_valid, &is_out_of_bounds);
    if (is_valid == 0) continue;
    const Value name = value_at(key.get(), 0);
    const std::string* const text = name.as<std::string>();
    if (text == nullptr) continue;  // no option has such a key
    engine().variant_get_keyed(variant, key.get(), value.out(), &is_valid);
    if (is_valid != 0) dictionary.emplace_back(*text, value_at(value.get(), levels));
  }
  return dictionary;
}

Value value_at(const void* variant, int levels) {
  const Type type = engine().variant_get_type(variant);
  if (type == Type::Bool) {
    ByteBool b = 0;
    construct_value(type, &b, variant);
    return b != 0;
  }
  if (type == Type::Int) {
    Integer i = 0;
    construct_value(type, &i, variant);
    return i;
  }
  if (type == Type::Float) {
    double d = 0;
    construct_value(type, &d, variant);
    return d;
  }
  if (type == Type::String || type == Type::StringName) {
    RawValue string{};
    construct_value(Type::String, &string, variant);
    Value text = text_of(&string);
    destroy(Type::String, &string);
    return text;
  }
  if (levels == 0) return {};
  if (type == Type::Array || type == Type::PackedStringArray) return array_at(variant, levels - 1);
  if (type == Type::Dictionary) return dictionary_at(variant, levels - 1);
  return {};
}

void append(Variant& array, const Value& element) {
  const StringName append("append");
  const Variant value(element);
  const void* const arguments[] = {value.get()};
  Variant nothing;
  CallError error{};
  engine().variant_call(array.out(), append.get(), arguments, 1, nothing.out(), &error);
}

}  // namespace

const Interface& engine() { return table; }
Library* library() { return the_library; }

bool load_engine(GetProcAddress get, Library* library) {
  the_library = library;
  bool is_whole = true;
#define POLLRTC_LOAD(name) is_whole = load(get, #name, table.name) && is_whole
  POLLRTC_LOAD(string_name_new_with_latin1_chars);
  POLLRTC_LOAD(string_new_with_utf8_chars_and_len);
  POLLRTC_LOAD(string_to_utf8_chars);
  POLLRTC_LOAD(get_variant_from_type_constructor);
  POLLRTC_LOAD(get_variant_to_type_constructor);
  POLLRTC_LOAD(variant_get_type);
  POLLRTC_LOAD(variant_new_nil);
  POLLRTC_LOAD(variant_new_copy);
  POLLRTC_LOAD(variant_destroy);
  POLLRTC_LOAD(variant_get_ptr_destructor);
  POLLRTC_LOAD(variant_construct);
  POLLRTC_LOAD(variant_get_keyed);
  POLLRTC_LOAD(variant_set_keyed);
  POLLRTC_LOAD(variant_get_indexed);
  POLLRTC_LOAD(variant_call);
  POLLRTC_LOAD(object_set_instance);
  POLLRTC_LOAD(object_destroy);
  POLLRTC_LOAD(ref_set_object);
  POLLRTC_LOAD(classdb_get_method_bind);
  POLLRTC_LOAD(object_method_bind_call);
  POLLRTC_LOAD(object_method_bind_ptrcall);
  POLLRTC_LOAD(classdb_register_extension_class_method);
  POLLRTC_LOAD(classdb_register_extension_class_signal);
  POLLRTC_LOAD(classdb_register_extension_class_property);
  POLLRTC_LOAD(classdb_unregister_extension_class);
  POLLRTC_LOAD(print_error_with_message);
#undef POLLRTC_LOAD
  // Of each of these two pairs one is enough. Those of 4.4 replace those of 4.2.
  // POLLRTC_GODOT_OLDEST: a build for tests, which uses the newer ones nowhere.
#ifndef POLLRTC_GODOT_OLDEST
  const bool has_class4 =
      load(get, "classdb_register_extension_class4", table.classdb_register_extension_class4);
  const bool has_construct2 = load(get, "classdb_construct_object2", table.classdb_construct_object2);
#else
  const bool has_class4 = false, has_construct2 = false;
#endif
  if (!has_class4 || !has_construct2) {
    table.classdb_register_extension_class4 = nullptr;
    table.classdb_construct_object2 = nullptr;
    is_whole = load(get, "classdb_register_extension_class2", table.classdb_register_extension_class2) &&
               load(get, "classdb_construct_object", table.classdb_construct_object) && is_whole;
  }
  (void)load(get, "editor_help_load_xml_from_utf8_chars_and_len",
             table.editor_help_load_xml_from_utf8_chars_and_len);
  return is_whole;
}

bool load_methods() {
  const auto find = [](const char* class_name, const char* method, Integer hash) {
    return engine().classdb_get_method_bind(StringName(class_name).get(), StringName(method).get(), hash);
  };
  the_methods = {
      .emit_signal = find("Object", "emit_signal", 4047867050),
      .call_deferred = find("Object", "call_deferred", 3400424181),
      .notification = find("Object", "notification", 4023243586),
      .reference = find("RefCounted", "reference", 2240911060),
      .unreference = find("RefCounted", "unreference", 2240911060),
      .set_default_extension = find("WebRTCPeerConnection", "set_default_extension", 3304788590),
  };
  main_thread = std::this_thread::get_id();
  return the_methods.emit_signal != nullptr && the_methods.call_deferred != nullptr &&
         the_methods.notification != nullptr && the_methods.reference != nullptr &&
         the_methods.unreference != nullptr && the_methods.set_default_extension != nullptr;
}
const Methods& methods() { return the_methods; }
bool is_main_thread() { return std::this_thread::get_id() == main_thread; }

StringName::StringName(const char* text) { engine().string_name_new_with_latin1_chars(&raw_, text, 0); }
StringName::~StringName() { destroy(Type::StringName, &raw_); }
bool StringName::is(const void* name) const { return std::memcmp(&raw_, name, sizeof(void*)) == 0; }

String::String(std::string_view text) {
  engine().string_new_with_utf8_chars_and_len(&raw_, text.data(), static_cast<Integer>(text.size()));
}
String::~String() { destroy(Type::String, &raw_); }

std::string text_of(const void* string) {
  const Integer size = engine().string_to_utf8_chars(string, nullptr, 0);
  std::string text(static_cast<std::size_t>(size), '\0');
  engine().string_to_utf8_chars(string, text.data(), size);
  return text;
}

void assign_text(void* string, std::string_view text) {
  destroy(Type::String, string);
  engine().string_new_with_utf8_chars_and_len(string, text.data(), static_cast<Integer>(text.size()));
}

Dictionary dictionary_of(const void* dictionary) {
  Variant variant;
  construct_variant(Type::Dictionary, variant.out(), const_cast<void*>(dictionary));
  return dictionary_at(variant.get(), kMostLevels);
}

Variant::Variant() { engine().variant_new_nil(&raw_); }

Variant::Variant(const Value& value) : Variant() {
  if (const bool* const b = value.as<bool>()) {
    ByteBool raw = *b ? 1 : 0;
    construct_variant(Type::Bool, &raw_, &raw);
  } else if (const Integer* const i = value.as<Integer>()) {
    Integer raw = *i;
    construct_variant(Type::Int, &raw_, &raw);
  } else if (const double* const d = value.as<double>()) {
    double raw = *d;
    construct_variant(Type::Float, &raw_, &raw);
  } else if (const std::string* const text = value.as<std::string>()) {
    String string(*text);
    construct_variant(Type::String, &raw_, string.get());
  } else if (const Array* const array = value.as<Array>()) {
    make_empty(Type::Array, *this);
    for (const Value& element : *array) append(*this, element);
  } else if (const Dictionary* const dictionary = value.as<Dictionary>()) {
    make_empty(Type::Dictionary, *this);
    for (const auto& [key, entry] : *dictionary) {
      const Variant name{Value(std::string_view(key))}, inner(entry);
      ByteBool is_valid = 0;
      engine().variant_set_keyed(&raw_, name.get(), inner.get(), &is_valid);
    }
  }
}

Variant Variant::of(EngineObject* object) {
  Variant variant;
  construct_variant(Type::Object, variant.out(), &object);
  return variant;
}

Variant Variant::of(const StringName& name) {
  Variant variant;
  construct_variant(Type::StringName, variant.out(), const_cast<void*>(name.get()));
  return variant;
}

Variant::Variant(Variant&& other) noexcept : raw_(other.raw_) { engine().variant_new_nil(&other.raw_); }
Variant::~Variant() { engine().variant_destroy(&raw_); }

Value value_of(const void* variant) { return value_at(variant, kMostLevels); }

Value value_at(Type type, const void* pointer) {
  Variant variant;
  construct_variant(type, variant.out(), const_cast<void*>(pointer));
  return value_of(variant.get());
}

void assign(Type type, void* pointer, const Value& value) {
  if (type == Type::Nil) return;
  if (type == Type::String || type == Type::Dictionary) destroy(type, pointer);
  const Variant variant(value);
  construct_value(type, pointer, variant.get());
}

EngineObject* make_object(const char* base, const StringName& class_name, Instance* instance, bool is_new) {
  const StringName base_name(base);
  const bool is_bare = engine().classdb_construct_object2 != nullptr;  // it leaves the notification to us
  EngineObject* const object = is_bare ? engine().classdb_construct_object2(base_name.get())
                                       : engine().classdb_construct_object(base_name.get());
  engine().object_set_instance(object, class_name.get(), instance);
  if (!is_bare || !is_new) return object;
  const Integer what = 0;  // NOTIFICATION_POSTINITIALIZE
  const ByteBool reversed = 0;
  const void* const arguments[] = {&what, &reversed};
  engine().object_method_bind_ptrcall(methods().notification, object, arguments, nullptr);
  return object;
}

}  // namespace pollrtc::gdextension
