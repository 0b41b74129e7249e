#include "gdextension/class_binding.h"

#include <array>
#include <optional>

namespace pollrtc::gdextension {
namespace {

using godot_plugin::Argument;
using godot_plugin::Arguments;
using godot_plugin::fits;
using godot_plugin::Kind;

Type type_of(Kind kind) {
  constexpr Type kTypes[] = {Type::Nil, Type::Bool, Type::Int, Type::Float, Type::String, Type::Dictionary};
  return kTypes[static_cast<int>(kind)];
}

std::uint32_t flags_of(Method::Scope scope) {
  switch (scope) {
    case Method::Scope::Const:
      return kMethodNormal | kMethodConst;
    case Method::Scope::Static:
      return kMethodNormal | kMethodStatic;
    case Method::Scope::Mutable:
      break;
  }
  return kMethodNormal;
}

// The engine copies what these point to.
class PropertyText {
 public:
  explicit PropertyText(const Argument& argument)
      : name_(argument.name == nullptr ? "" : argument.name),
        info_{type_of(argument.kind), name_.get(), class_name_.get(), 0, hint_.get(), kUsageDefault} {}
  PropertyInfo& info() { return info_; }

 private:
  StringName name_, class_name_{""};
  String hint_{""};
  PropertyInfo info_;
};

class ArgumentTexts {
 public:
  explicit ArgumentTexts(const Arguments& arguments) : count_(arguments.count()) {
    for (std::size_t i = 0; i < count_; ++i) infos_[i] = texts_[i].emplace(arguments[i]).info();
  }
  PropertyInfo* infos() { return infos_.data(); }
  std::size_t count() const { return count_; }

 private:
  std::size_t count_;
  std::array<std::optional<PropertyText>, Arguments::kMost> texts_;
  std::array<PropertyInfo, Arguments::kMost> infos_{};
};

const Method& method_of(void* userdata) { return *static_cast<const Method*>(userdata); }

void call_method(void* userdata, Instance* instance, const void* const* arguments, Integer count,
                 void* result, CallError* error) {
  const Method& method = method_of(userdata);
  const auto wanted = static_cast<Integer>(method.arguments.count());
  if (count != wanted) {
    *error = {count > wanted ? kCallTooMany : kCallTooFew, 0, static_cast<std::int32_t>(wanted)};
    return;
  }
  std::array<Value, Arguments::kMost> values;
  for (std::size_t i = 0; i < method.arguments.count(); ++i) {
    values[i] = value_of(arguments[i]);
    const Kind kind = method.arguments[i].kind;
    if (!fits(kind, values[i])) {
      *error = {kCallInvalidArgument, static_cast<std::int32_t>(i), static_cast<std::int32_t>(type_of(kind))};
      return;
    }
  }
  Value answer = method.call(instance, std::span(values).first(method.arguments.count()));
  const Variant variant(answer);
  wipe(answer);  // it may hold a private key
  engine().variant_destroy(result);
  engine().variant_new_copy(result, variant.get());
  error->error = 0;
}

void call_method_by_pointer(void* userdata, Instance* instance, const void* const* arguments, void* result) {
  const Method& method = method_of(userdata);
  std::array<Value, Arguments::kMost> values;
  for (std::size_t i = 0; i < method.arguments.count(); ++i)
    values[i] = value_at(type_of(method.arguments[i].kind), arguments[i]);
  Value answer = method.call(instance, std::span(values).first(method.arguments.count()));
  assign(type_of(method.result), result, answer);
  wipe(answer);
}

}  // namespace

ClassBinding::ClassBinding(const ClassDescription& description)
    : description_(description), name_(description.name) {
  for (const Virtual& entry : description.virtuals) virtual_names_.emplace_back(entry.name);
  register_class();
  for (const Method& method : description.methods) register_method(method);
  for (const Signal& signal : description.signals) register_signal(signal);
  for (const Property& property : description.properties) register_property(property);
}

ClassBinding::~ClassBinding() { engine().classdb_unregister_extension_class(library(), name_.get()); }

// Asked once for each object and method; the engine keeps the answer.
const Virtual* ClassBinding::find_virtual(const void* name) const {
  auto at = virtual_names_.begin();
  for (const Virtual& entry : description_.virtuals)
    if ((at++)->is(name)) return &entry;
  return nullptr;
}

void ClassBinding::register_class() {
  const auto free = [](void* userdata, Instance* instance) {
    static_cast<ClassBinding*>(userdata)->description_.free(instance);
  };
  const StringName base(description_.base);
  if (engine().classdb_register_extension_class4 == nullptr) {
    ClassCreationInfo2 info{};
    info.is_exposed = 1;
    info.create_instance = [](void* userdata) {
      return static_cast<ClassBinding*>(userdata)->description_.create(true);
    };
    info.free_instance = free;
    info.get_virtual = [](void* userdata, const void* name) {
      const Virtual* const found = static_cast<ClassBinding*>(userdata)->find_virtual(name);
      return found == nullptr ? nullptr : found->call;
    };
    info.class_userdata = this;
    engine().classdb_register_extension_class2(library(), name_.get(), base.get(), &info);
    return;
  }
  ClassCreationInfo4 info{};
  info.is_exposed = 1;
  info.create_instance = [](void* userdata, ByteBool is_new) {
    return static_cast<ClassBinding*>(userdata)->description_.create(is_new != 0);
  };
  info.free_instance = free;
  // An engine whose method takes other arguments asks with another hash, and then again with the old one.
  info.get_virtual = [](void* userdata, const void* name, std::uint32_t hash) {
    const Virtual* const found = static_cast<ClassBinding*>(userdata)->find_virtual(name);
    return found == nullptr || found->hash != hash ? nullptr : found->call;
  };
  info.class_userdata = this;
  engine().classdb_register_extension_class4(library(), name_.get(), base.get(), &info);
}

void ClassBinding::register_method(const Method& method) {
  StringName name(method.name);
  PropertyText result({"", method.result});
  ArgumentTexts arguments(method.arguments);
  int metadata[Arguments::kMost] = {};
  ClassMethodInfo info{};
  info.name = name.get();
  info.userdata = const_cast<Method*>(&method);
  info.call = call_method;
  info.pointer_call = call_method_by_pointer;
  info.flags = flags_of(method.scope);
  info.has_return_value = method.result == Kind::Nil ? 0 : 1;
  info.return_value = &result.info();
  info.argument_count = static_cast<std::uint32_t>(arguments.count());
  info.arguments = arguments.infos();
  info.arguments_metadata = metadata;
  engine().classdb_register_extension_class_method(library(), name_.get(), &info);
}

void ClassBinding::register_signal(const Signal& signal) {
  ArgumentTexts arguments(signal.arguments);
  engine().classdb_register_extension_class_signal(library(), name_.get(), StringName(signal.name).get(),
                                                   arguments.infos(),
                                                   static_cast<Integer>(arguments.count()));
}

void ClassBinding::register_property(const Property& property) {
  PropertyText text(property.property);
  engine().classdb_register_extension_class_property(library(), name_.get(), &text.info(),
                                                     StringName(property.setter).get(),
                                                     StringName(property.getter).get());
}

}  // namespace pollrtc::gdextension
