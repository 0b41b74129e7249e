// The C interface of Godot 4 (GDExtension), declared by us: the part of it that this plugin uses. Names and layouts are those
// that the engine writes with `godot --headless --dump-gdextension-interface`; where the engine has several versions of a
// struct, 2 is that of Godot 4.2 and 4 that of Godot 4.4. A test compiles these declarations beside the dumped ones.
#pragma once

#include <cstdint>

namespace pollrtc::gdextension {

using ByteBool = std::uint8_t;
using Integer = std::int64_t;

// Opaque: the engine's values as we hold them. 64-bit builds; a Variant takes 24 bytes, 40 in double precision builds.
struct alignas(8) RawVariant {
  unsigned char bytes[40];
};
struct alignas(8) RawValue {  // a String, StringName, Dictionary, Array; a PackedByteArray takes all of it
  unsigned char bytes[16];
};
using EngineObject = void;  // the engine's
using Instance = void;      // ours
using MethodBind = const void;
using Library = void;

enum class Type : int {
  Nil = 0,
  Bool = 1,
  Int = 2,
  Float = 3,
  String = 4,
  StringName = 21,
  Object = 24,
  Dictionary = 27,
  Array = 28,
  PackedStringArray = 34,
};

struct CallError {
  int error;  // 0: none; 2: an argument of the wrong type; 3: too many of them; 4: too few
  std::int32_t argument, expected;
};
inline constexpr int kCallTooMany = 3, kCallTooFew = 4, kCallInvalidArgument = 2;

using FunctionPointer = void (*)();
using GetProcAddress = FunctionPointer (*)(const char* name);

using FromType = void (*)(void* variant, void* value);
using ToType = void (*)(void* value, void* variant);
using Destructor = void (*)(void* value);

// --- classes

struct PropertyInfo {
  Type type;
  void* name;        // StringName
  void* class_name;  // StringName
  std::uint32_t hint;
  void* hint_string;  // String
  std::uint32_t usage;
};
inline constexpr std::uint32_t kUsageDefault = 6;  // stored, and shown in the editor

using VirtualCall = void (*)(Instance* instance, const void* const* arguments, void* result);
using GetVirtual2 = VirtualCall (*)(void* class_userdata, const void* name);
using GetVirtual4 = VirtualCall (*)(void* class_userdata, const void* name, std::uint32_t hash);
using Create2 = EngineObject* (*)(void* class_userdata);
using Create4 = EngineObject* (*)(void* class_userdata, ByteBool notify_postinitialize);
using Free = void (*)(void* class_userdata, Instance* instance);
using Unused = void (*)();  // hooks that we leave empty

struct ClassCreationInfo2 {
  ByteBool is_virtual, is_abstract, is_exposed;
  Unused set, get, get_property_list, free_property_list, property_can_revert, property_get_revert,
      validate_property, notification, to_string, reference, unreference;
  Create2 create_instance;
  Free free_instance;
  Unused recreate_instance;
  GetVirtual2 get_virtual;
  Unused get_virtual_call_data, call_virtual_with_data, get_rid;
  void* class_userdata;
};

struct ClassCreationInfo4 {
  ByteBool is_virtual, is_abstract, is_exposed, is_runtime;
  const void* icon_path;
  Unused set, get, get_property_list, free_property_list, property_can_revert, property_get_revert,
      validate_property, notification, to_string, reference, unreference;
  Create4 create_instance;
  Free free_instance;
  Unused recreate_instance;
  GetVirtual4 get_virtual;
  Unused get_virtual_call_data, call_virtual_with_data;
  void* class_userdata;
};

using MethodCall = void (*)(void* userdata, Instance* instance, const void* const* arguments, Integer count,
                            void* result, CallError* error);
using MethodPointerCall = void (*)(void* userdata, Instance* instance, const void* const* arguments,
                                   void* result);
inline constexpr std::uint32_t kMethodNormal = 1, kMethodConst = 4, kMethodStatic = 32;

struct ClassMethodInfo {
  void* name;  // StringName
  void* userdata;
  MethodCall call;
  MethodPointerCall pointer_call;
  std::uint32_t flags;
  ByteBool has_return_value;
  PropertyInfo* return_value;
  int return_value_metadata;
  std::uint32_t argument_count;
  PropertyInfo* arguments;
  int* arguments_metadata;
  std::uint32_t default_argument_count;
  void** default_arguments;
};

// --- the entry

enum class Level : int { Core = 0, Servers = 1, Scene = 2, Editor = 3 };

struct Initialization {
  Level minimum_level;
  void* userdata;
  void (*initialize)(void* userdata, Level level);
  void (*deinitialize)(void* userdata, Level level);
};

// --- functions, by the names that GetProcAddress knows them by

struct Interface {
  // strings
  void (*string_name_new_with_latin1_chars)(void* name, const char* text, ByteBool is_static);
  void (*string_new_with_utf8_chars_and_len)(void* string, const char* text, Integer size);
  Integer (*string_to_utf8_chars)(const void* string, char* text, Integer most);
  // variants
  FromType (*get_variant_from_type_constructor)(Type type);
  ToType (*get_variant_to_type_constructor)(Type type);
  Type (*variant_get_type)(const void* variant);
  void (*variant_new_nil)(void* variant);
  void (*variant_new_copy)(void* variant, const void* source);
  void (*variant_destroy)(void* variant);
  Destructor (*variant_get_ptr_destructor)(Type type);
  void (*variant_construct)(Type type, void* variant, const void* const* arguments, std::int32_t count,
                            CallError* error);
  void (*variant_get_keyed)(const void* variant, const void* key, void* result, ByteBool* is_valid);
  void (*variant_set_keyed)(void* variant, const void* key, const void* value, ByteBool* is_valid);
  void (*variant_get_indexed)(const void* variant, Integer index, void* result, ByteBool* is_valid,
                              ByteBool* is_out_of_bounds);
  void (*variant_call)(void* variant, const void* method, const void* const* arguments, Integer count,
                       void* result, CallError* error);
  // objects
  EngineObject* (*classdb_construct_object)(const void* class_name);
  void (*object_set_instance)(EngineObject* object, const void* class_name, Instance* instance);
  void (*object_destroy)(EngineObject* object);
  void (*ref_set_object)(void* reference, EngineObject* object);
  MethodBind* (*classdb_get_method_bind)(const void* class_name, const void* method, Integer hash);
  void (*object_method_bind_call)(MethodBind* bind, EngineObject* object, const void* const* arguments,
                                  Integer count, void* result, CallError* error);
  void (*object_method_bind_ptrcall)(MethodBind* bind, EngineObject* object, const void* const* arguments,
                                     void* result);
  // classes
  void (*classdb_register_extension_class2)(Library* library, const void* name, const void* parent,
                                            const ClassCreationInfo2* info);
  void (*classdb_register_extension_class_method)(Library* library, const void* class_name,
                                                  const ClassMethodInfo* info);
  void (*classdb_register_extension_class_signal)(Library* library, const void* class_name,
                                                  const void* signal, const PropertyInfo* arguments,
                                                  Integer count);
  void (*classdb_register_extension_class_property)(Library* library, const void* class_name,
                                                    const PropertyInfo* info, const void* setter,
                                                    const void* getter);
  void (*classdb_unregister_extension_class)(Library* library, const void* name);
  // log
  void (*print_error_with_message)(const char* description, const char* message, const char* function,
                                   const char* file, std::int32_t line, ByteBool notify_editor);
  // Of later versions than 4.2; null where the engine has none.
  EngineObject* (*classdb_construct_object2)(const void* class_name);
  void (*classdb_register_extension_class4)(Library* library, const void* name, const void* parent,
                                            const ClassCreationInfo4* info);
  void (*editor_help_load_xml_from_utf8_chars_and_len)(const char* xml, Integer size);
};

}  // namespace pollrtc::gdextension
