#include "gdnative/engine.h"

#include <thread>

namespace pollrtc::gdnative {
namespace {

using godot_plugin::kMostEntries;
using godot_plugin::kMostLevels;

Core the_core;
std::thread::id main_thread;
const NativeScriptTable* the_nativescript = nullptr;
const NativeScriptTable11* the_nativescript11 = nullptr;
const NetTable32* the_net = nullptr;

// The table of this version in a chain of them.
template <class T>
const T* find_table(const Table* table, unsigned major, unsigned minor) {
  while (table != nullptr && (table->version.major != major || table->version.minor != minor))
    table = table->next;
  return reinterpret_cast<const T*>(table);  // each begins with its Table
}

// An Array that the engine gave, or an empty one.
class ArrayValue {
 public:
  ArrayValue() { core().array_new(&raw_); }
  explicit ArrayValue(RawValue adopted) : raw_(adopted) {}
  ~ArrayValue() { core().array_destroy(&raw_); }
  ArrayValue(const ArrayValue&) = delete;
  ArrayValue& operator=(const ArrayValue&) = delete;
  RawValue* get() { return &raw_; }
  int size() const {
    const int count = core().array_size(&raw_);
    return count < kMostEntries ? count : static_cast<int>(kMostEntries);
  }
  Variant at(int index) const { return Variant(core().array_get(&raw_, index)); }

 private:
  alignas(8) RawValue raw_;
};

class DictionaryValue {
 public:
  DictionaryValue() { core().dictionary_new(&raw_); }
  explicit DictionaryValue(RawValue adopted) : raw_(adopted) {}
  ~DictionaryValue() { core().dictionary_destroy(&raw_); }
  DictionaryValue(const DictionaryValue&) = delete;
  DictionaryValue& operator=(const DictionaryValue&) = delete;
  RawValue* get() { return &raw_; }

 private:
  alignas(8) RawValue raw_;
};

Value value_at(const RawVariant* variant, int levels);

Array array_at(const RawVariant* variant, int levels) {
  const ArrayValue elements(core().variant_as_array(variant));
  Array array;
  const int count = elements.size();
  array.reserve(static_cast<std::size_t>(count));  // no copy of a password stays behind
  for (int i = 0; i < count; ++i) array.push_back(value_at(elements.at(i).get(), levels));
  return array;
}

Dictionary dictionary_at(const RawValue* raw, int levels) {
  const ArrayValue keys(core().dictionary_keys(raw));
  Dictionary dictionary;
  const int count = keys.size();
  dictionary.reserve(static_cast<std::size_t>(count));  // as above
  for (int i = 0; i < count; ++i) {
    const Variant key = keys.at(i);
    const Value name = value_at(key.get(), 0);
    const std::string* const text = name.as<std::string>();
    if (text == nullptr) continue;  // no option has such a key
    const Variant value(core().dictionary_get(raw, key.get()));
    dictionary.emplace_back(*text, value_at(value.get(), levels));
  }
  return dictionary;
}

Value value_at(const RawVariant* variant, int levels) {
  switch (core().variant_get_type(variant)) {
    case Type::Bool:
      return core().variant_as_bool(variant);
    case Type::Int:
      return core().variant_as_int(variant);
    case Type::Float:
      return core().variant_as_real(variant);
    case Type::String:
      return String(core().variant_as_string(variant)).text();
    case Type::Array:
    case Type::PoolStringArray:
      if (levels == 0) return {};
      return array_at(variant, levels - 1);
    case Type::Dictionary: {
      if (levels == 0) return {};
      DictionaryValue dictionary(core().variant_as_dictionary(variant));
      return dictionary_at(dictionary.get(), levels - 1);
    }
    default:
      return {};
  }
}

void construct(RawVariant* raw, const Array& array) {
  ArrayValue made;
  for (const Value& element : array) core().array_append(made.get(), Variant(element).get());
  core().variant_new_array(raw, made.get());
}

void construct(RawVariant* raw, const Dictionary& dictionary) {
  DictionaryValue made;
  for (const auto& [key, value] : dictionary)
    core().dictionary_set(made.get(), Variant(Value(std::string_view(key))).get(), Variant(value).get());
  core().variant_new_dictionary(raw, made.get());
}

}  // namespace

const Core& core() { return the_core; }
const NativeScriptTable& nativescript() { return *the_nativescript; }
const NativeScriptTable11& nativescript11() { return *the_nativescript11; }
const NetTable32& net() { return *the_net; }

bool is_main_thread() { return std::this_thread::get_id() == main_thread; }

bool load_engine(const CoreTable* table) {
  main_thread = std::this_thread::get_id();
  const FunctionPointer* const functions = table->functions;
#define POLLRTC_LOAD(place, result, name, arguments) \
  the_core.name = reinterpret_cast<result(*) arguments>(functions[place]);
  POLLRTC_GODOT3_CORE(POLLRTC_LOAD)
#undef POLLRTC_LOAD
  for (unsigned i = 0; i < table->extension_count; ++i) {
    const Table* const extension = table->extensions[i];
    if (extension->type == kNativeScriptTables) {
      the_nativescript = find_table<NativeScriptTable>(extension, 1, 0);
      the_nativescript11 = find_table<NativeScriptTable11>(extension, 1, 1);
    } else if (extension->type == kNetTables) {
      the_net = find_table<NetTable32>(extension, 3, 2);
    }
  }
  return the_nativescript != nullptr && the_nativescript11 != nullptr && the_net != nullptr;
}

std::string String::text() const {
  alignas(8) RawValue bytes = core().string_utf8(&raw_);
  std::string text(core().char_string_get_data(&bytes),
                   static_cast<std::size_t>(core().char_string_length(&bytes)));
  core().char_string_destroy(&bytes);
  return text;
}

Variant::Variant(const Value& value) {
  if (const bool* const b = value.as<bool>()) {
    core().variant_new_bool(&raw_, *b);
  } else if (const std::int64_t* const i = value.as<std::int64_t>()) {
    core().variant_new_int(&raw_, *i);
  } else if (const double* const d = value.as<double>()) {
    core().variant_new_real(&raw_, *d);
  } else if (const std::string* const text = value.as<std::string>()) {
    core().variant_new_string(&raw_, String(*text).get());
  } else if (const Array* const array = value.as<Array>()) {
    construct(&raw_, *array);
  } else if (const Dictionary* const dictionary = value.as<Dictionary>()) {
    construct(&raw_, *dictionary);
  } else {
    core().variant_new_nil(&raw_);
  }
}

Variant Variant::of(EngineObject* object) {
  RawVariant raw;
  core().variant_new_object(&raw, object);
  return Variant(raw);
}

RawVariant Variant::release() {
  const RawVariant raw = raw_;
  core().variant_new_nil(&raw_);
  return raw;
}

Value value_of(const RawVariant* variant) { return value_at(variant, kMostLevels); }
Dictionary dictionary_of(const RawValue* dictionary) { return dictionary_at(dictionary, kMostLevels); }

MethodBind* find_method(const char* class_name, const char* method) {
  return core().method_bind_get_method(class_name, method);
}

void call(MethodBind* method, EngineObject* object, const Variant& argument) {
  const RawVariant* arguments[] = {argument.get()};
  CallError error{};
  const Variant nothing(core().method_bind_call(method, object, arguments, 1, &error));
}

}  // namespace pollrtc::gdnative
