// The C interface of Godot 3 (GDNative), declared by us: the part of it that this plugin uses. The engine hands out tables of
// functions; of the first one, which has hundreds, we name places. They have not changed from 3.2 to 3.6 and never will:
// what is new goes into further tables. Values of the engine's are opaque; all of them but a Variant are one pointer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollrtc::gdnative {

// The engine declares them as bytes too, so they stand unaligned in the structures below.
struct RawVariant {
  unsigned char bytes[24];
};
struct RawValue {  // a String, Dictionary or Array, or the bytes of a String
  unsigned char bytes[8];
};
using EngineObject = void;  // the engine's
using MethodBind = void;

enum class Type : int {
  Nil = 0,
  Bool = 1,
  Int = 2,
  Float = 3,
  String = 4,
  Object = 17,
  Dictionary = 18,
  Array = 19,
  PoolStringArray = 23,
};

struct CallError {
  int error;
  int argument;
  Type expected;
};

// --- tables

struct Version {
  unsigned major, minor;
};
struct Table {
  unsigned type;
  Version version;
  const Table* next;  // a later version's functions
};
inline constexpr unsigned kNativeScriptTables = 1, kNetTables = 6;

using FunctionPointer = void (*)();
using Constructor = EngineObject* (*)();
struct CoreTable {
  Table head;
  unsigned extension_count;
  const Table* const* extensions;
  FunctionPointer functions[1];  // hundreds
};

// The functions of the first table that we use, with their places.
#define POLLRTC_GODOT3_CORE(FUNCTION)                                                                        \
  FUNCTION(323, void, array_new, (RawValue * array))                                                         \
  FUNCTION(333, RawVariant, array_get, (const RawValue* array, int index))                                   \
  FUNCTION(336, void, array_append, (RawValue * array, const RawVariant* value))                             \
  FUNCTION(356, int, array_size, (const RawValue* array))                                                    \
  FUNCTION(361, void, array_destroy, (RawValue * array))                                                     \
  FUNCTION(362, void, dictionary_new, (RawValue * dictionary))                                               \
  FUNCTION(364, void, dictionary_destroy, (RawValue * dictionary))                                           \
  FUNCTION(372, RawValue, dictionary_keys, (const RawValue* dictionary))                                     \
  FUNCTION(374, RawVariant, dictionary_get, (const RawValue* dictionary, const RawVariant* key))             \
  FUNCTION(375, void, dictionary_set,                                                                        \
           (RawValue * dictionary, const RawVariant* key, const RawVariant* value))                          \
  FUNCTION(507, Type, variant_get_type, (const RawVariant* variant))                                         \
  FUNCTION(509, void, variant_new_nil, (RawVariant * variant))                                               \
  FUNCTION(510, void, variant_new_bool, (RawVariant * variant, bool b))                                      \
  FUNCTION(512, void, variant_new_int, (RawVariant * variant, std::int64_t i))                               \
  FUNCTION(513, void, variant_new_real, (RawVariant * variant, double d))                                    \
  FUNCTION(514, void, variant_new_string, (RawVariant * variant, const RawValue* string))                    \
  FUNCTION(527, void, variant_new_object, (RawVariant * variant, const EngineObject* object))                \
  FUNCTION(528, void, variant_new_dictionary, (RawVariant * variant, const RawValue* dictionary))            \
  FUNCTION(529, void, variant_new_array, (RawVariant * variant, const RawValue* array))                      \
  FUNCTION(537, bool, variant_as_bool, (const RawVariant* variant))                                          \
  FUNCTION(539, std::int64_t, variant_as_int, (const RawVariant* variant))                                   \
  FUNCTION(540, double, variant_as_real, (const RawVariant* variant))                                        \
  FUNCTION(541, RawValue, variant_as_string, (const RawVariant* variant))                                    \
  FUNCTION(555, RawValue, variant_as_dictionary, (const RawVariant* variant))                                \
  FUNCTION(556, RawValue, variant_as_array, (const RawVariant* variant))                                     \
  FUNCTION(570, void, variant_destroy, (RawVariant * variant))                                               \
  FUNCTION(571, int, char_string_length, (const RawValue* bytes))                                            \
  FUNCTION(572, const char*, char_string_get_data, (const RawValue* bytes))                                  \
  FUNCTION(573, void, char_string_destroy, (RawValue * bytes))                                               \
  FUNCTION(678, RawValue, string_utf8, (const RawValue* string))                                             \
  FUNCTION(682, RawValue, string_chars_to_utf8_with_len, (const char* text, int size))                       \
  FUNCTION(721, void, string_destroy, (RawValue * string))                                                   \
  FUNCTION(730, void, object_destroy, (EngineObject * object))                                               \
  FUNCTION(732, MethodBind*, method_bind_get_method, (const char* class_name, const char* method))           \
  FUNCTION(733, void, method_bind_ptrcall,                                                                   \
           (MethodBind * bind, EngineObject * object, const void** arguments, void* result))                 \
  FUNCTION(                                                                                                  \
      734, RawVariant, method_bind_call,                                                                     \
      (MethodBind * bind, EngineObject * object, const RawVariant** arguments, int count, CallError* error)) \
  FUNCTION(735, Constructor, get_class_constructor, (const char* class_name))                                \
  FUNCTION(741, void, print_error,                                                                           \
           (const char* description, const char* function, const char* file, int line))

struct Core {
#define POLLRTC_GODOT3_MEMBER(place, result, name, arguments) result(*name) arguments;
  POLLRTC_GODOT3_CORE(POLLRTC_GODOT3_MEMBER)
#undef POLLRTC_GODOT3_MEMBER
};

// --- NativeScript: classes of ours

struct CreateFunction {
  void* (*create)(EngineObject* object, void* method_data);
  void* method_data;
  void (*free)(void* method_data);
};
struct DestroyFunction {
  void (*destroy)(EngineObject* object, void* method_data, void* user_data);
  void* method_data;
  void (*free)(void* method_data);
};
struct MethodAttributes {
  int rpc_mode;  // 0: none
};
struct InstanceMethod {
  RawVariant (*call)(EngineObject* object, void* method_data, void* user_data, int count,
                     RawVariant** arguments);
  void* method_data;
  void (*free)(void* method_data);
};
struct SignalArgument {
  RawValue name;  // String
  int type;
  int hint;
  RawValue hint_string;  // String
  int usage;
  RawVariant default_value;
};
struct SignalDescription {
  RawValue name;  // String
  int argument_count;
  SignalArgument* arguments;
  int default_count;
  RawVariant* defaults;
};
inline constexpr int kUsageDefault = 7;  // stored, and shown in the editor

struct NativeScriptTable {
  Table head;
  FunctionPointer register_class;
  void (*register_tool_class)(void* handle, const char* name, const char* base, CreateFunction create,
                              DestroyFunction destroy);
  void (*register_method)(void* handle, const char* class_name, const char* name, MethodAttributes attributes,
                          InstanceMethod method);
  FunctionPointer register_property;
  void (*register_signal)(void* handle, const char* class_name, const SignalDescription* signal);
  FunctionPointer get_userdata;
};

// What the engine calls when somebody first asks for our data of an object, and when the object ends.
struct InstanceBindingFunctions {
  void* (*allocate)(void* data, const void* type_tag, EngineObject* object);
  void (*release)(void* data, void* instance);
  FunctionPointer refcount_incremented, refcount_decremented;
  void* data;
  void (*free)(void* data);
};
struct NativeScriptTable11 {
  Table head;
  FunctionPointer documentation_and_tags[9];
  int (*register_instance_binding)(InstanceBindingFunctions functions);
  void (*unregister_instance_binding)(int index);
  void* (*get_instance_binding)(int index, EngineObject* object);
  FunctionPointer profiling;
};

// --- WebRTC. Texts are UTF-8 and end with a NUL; of those that we give, the engine takes only ASCII for what it is.

struct WebRtcLibrary {
  Version version;
  void (*unregistered)();
  int (*create_peer_connection)(EngineObject* object);
  void* next;
};

struct PeerConnectionFunctions {
  Version version;
  void* data;
  int (*get_connection_state)(const void* data);
  int (*initialize)(void* data, const RawValue* dictionary);
  EngineObject* (*create_data_channel)(void* data, const char* label, const RawValue* dictionary);
  int (*create_offer)(void* data);
  int (*create_answer)(void* data);  // never called
  int (*set_remote_description)(void* data, const char* type, const char* sdp);
  int (*set_local_description)(void* data, const char* type, const char* sdp);
  int (*add_ice_candidate)(void* data, const char* media, int index, const char* name);
  int (*poll)(void* data);
  void (*close)(void* data);
  void* next;
};

// What later engines than 3.2 look for behind `next`.
struct DataChannelFunctions34 {
  int (*get_buffered_amount)(const void* data);
  void* next;
};
struct DataChannelFunctions {
  Version version;
  void* data;
  int (*get_packet)(void* data, const std::uint8_t** packet, int* size);
  int (*put_packet)(void* data, const std::uint8_t* packet, int size);
  int (*get_available_packet_count)(const void* data);
  int (*get_max_packet_size)(const void* data);
  void (*set_write_mode)(void* data, int mode);
  int (*get_write_mode)(const void* data);
  bool (*was_string_packet)(const void* data);
  int (*get_ready_state)(const void* data);
  const char* (*get_label)(const void* data);
  bool (*is_ordered)(const void* data);
  int (*get_id)(const void* data);
  int (*get_max_packet_life_time)(const void* data);
  int (*get_max_retransmits)(const void* data);
  const char* (*get_protocol)(const void* data);
  bool (*is_negotiated)(const void* data);
  int (*poll)(void* data);
  void (*close)(void* data);
  const DataChannelFunctions34* next;
};

struct NetTable32 {
  Table head;
  int (*set_webrtc_library)(const WebRtcLibrary* library);
  void (*bind_peer_connection)(EngineObject* object, const PeerConnectionFunctions* functions);
  void (*bind_data_channel)(EngineObject* object, const DataChannelFunctions* functions);
};

// --- the entry points

struct InitializeOptions {
  bool in_editor;
  std::uint64_t core_hash, editor_hash, no_hash;
  FunctionPointer report_version_mismatch;
  void (*report_loading_error)(const EngineObject* library, const char* what);
  EngineObject* library;  // the resource that names us, a GDNativeLibrary
  const CoreTable* core;
  const RawValue* library_path;  // String
};

}  // namespace pollrtc::gdnative
