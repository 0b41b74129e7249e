// Our declarations of Godot's C interface beside the header that the engine writes: the same sizes, offsets and numbers.
#include <cstddef>

#include "gdextension/interface.h"
#include "gdextension_interface.h"

namespace ours = pollrtc::gdextension;

#define SAME_SIZE(a, b) static_assert(sizeof(ours::a) == sizeof(b))
#define SAME_PLACE(a, x, b, y) static_assert(offsetof(ours::a, x) == offsetof(b, y))
#define SAME_NUMBER(a, b) static_assert(static_cast<int>(ours::a) == static_cast<int>(b))

SAME_SIZE(ByteBool, GDExtensionBool);
SAME_SIZE(Integer, GDExtensionInt);
SAME_SIZE(Type, GDExtensionVariantType);
SAME_NUMBER(Type::Nil, GDEXTENSION_VARIANT_TYPE_NIL);
SAME_NUMBER(Type::Bool, GDEXTENSION_VARIANT_TYPE_BOOL);
SAME_NUMBER(Type::Int, GDEXTENSION_VARIANT_TYPE_INT);
SAME_NUMBER(Type::Float, GDEXTENSION_VARIANT_TYPE_FLOAT);
SAME_NUMBER(Type::String, GDEXTENSION_VARIANT_TYPE_STRING);
SAME_NUMBER(Type::StringName, GDEXTENSION_VARIANT_TYPE_STRING_NAME);
SAME_NUMBER(Type::Object, GDEXTENSION_VARIANT_TYPE_OBJECT);
SAME_NUMBER(Type::Dictionary, GDEXTENSION_VARIANT_TYPE_DICTIONARY);
SAME_NUMBER(Type::Array, GDEXTENSION_VARIANT_TYPE_ARRAY);
SAME_NUMBER(Type::PackedStringArray, GDEXTENSION_VARIANT_TYPE_PACKED_STRING_ARRAY);

SAME_SIZE(CallError, GDExtensionCallError);
SAME_PLACE(CallError, expected, GDExtensionCallError, expected);
SAME_NUMBER(kCallTooMany, GDEXTENSION_CALL_ERROR_TOO_MANY_ARGUMENTS);
SAME_NUMBER(kCallTooFew, GDEXTENSION_CALL_ERROR_TOO_FEW_ARGUMENTS);
SAME_NUMBER(kCallInvalidArgument, GDEXTENSION_CALL_ERROR_INVALID_ARGUMENT);

SAME_SIZE(PropertyInfo, GDExtensionPropertyInfo);
SAME_PLACE(PropertyInfo, class_name, GDExtensionPropertyInfo, class_name);
SAME_PLACE(PropertyInfo, hint_string, GDExtensionPropertyInfo, hint_string);
SAME_PLACE(PropertyInfo, usage, GDExtensionPropertyInfo, usage);

SAME_SIZE(ClassCreationInfo2, GDExtensionClassCreationInfo2);
SAME_PLACE(ClassCreationInfo2, is_exposed, GDExtensionClassCreationInfo2, is_exposed);
SAME_PLACE(ClassCreationInfo2, notification, GDExtensionClassCreationInfo2, notification_func);
SAME_PLACE(ClassCreationInfo2, create_instance, GDExtensionClassCreationInfo2, create_instance_func);
SAME_PLACE(ClassCreationInfo2, free_instance, GDExtensionClassCreationInfo2, free_instance_func);
SAME_PLACE(ClassCreationInfo2, get_virtual, GDExtensionClassCreationInfo2, get_virtual_func);
SAME_PLACE(ClassCreationInfo2, class_userdata, GDExtensionClassCreationInfo2, class_userdata);

SAME_SIZE(ClassCreationInfo4, GDExtensionClassCreationInfo4);
SAME_PLACE(ClassCreationInfo4, is_exposed, GDExtensionClassCreationInfo4, is_exposed);
SAME_PLACE(ClassCreationInfo4, icon_path, GDExtensionClassCreationInfo4, icon_path);
SAME_PLACE(ClassCreationInfo4, notification, GDExtensionClassCreationInfo4, notification_func);
SAME_PLACE(ClassCreationInfo4, create_instance, GDExtensionClassCreationInfo4, create_instance_func);
SAME_PLACE(ClassCreationInfo4, free_instance, GDExtensionClassCreationInfo4, free_instance_func);
SAME_PLACE(ClassCreationInfo4, get_virtual, GDExtensionClassCreationInfo4, get_virtual_func);
SAME_PLACE(ClassCreationInfo4, class_userdata, GDExtensionClassCreationInfo4, class_userdata);

SAME_SIZE(ClassMethodInfo, GDExtensionClassMethodInfo);
SAME_PLACE(ClassMethodInfo, call, GDExtensionClassMethodInfo, call_func);
SAME_PLACE(ClassMethodInfo, pointer_call, GDExtensionClassMethodInfo, ptrcall_func);
SAME_PLACE(ClassMethodInfo, flags, GDExtensionClassMethodInfo, method_flags);
SAME_PLACE(ClassMethodInfo, return_value, GDExtensionClassMethodInfo, return_value_info);
SAME_PLACE(ClassMethodInfo, arguments, GDExtensionClassMethodInfo, arguments_info);
SAME_PLACE(ClassMethodInfo, default_arguments, GDExtensionClassMethodInfo, default_arguments);
SAME_NUMBER(kMethodNormal, GDEXTENSION_METHOD_FLAG_NORMAL);
SAME_NUMBER(kMethodConst, GDEXTENSION_METHOD_FLAG_CONST);
SAME_NUMBER(kMethodStatic, GDEXTENSION_METHOD_FLAG_STATIC);

SAME_SIZE(Initialization, GDExtensionInitialization);
SAME_PLACE(Initialization, initialize, GDExtensionInitialization, initialize);
SAME_PLACE(Initialization, deinitialize, GDExtensionInitialization, deinitialize);
SAME_NUMBER(Level::Scene, GDEXTENSION_INITIALIZATION_SCENE);
SAME_NUMBER(Level::Editor, GDEXTENSION_INITIALIZATION_EDITOR);
