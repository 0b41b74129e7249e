// A class of ours as the engine is told of it: what it overrides, what it adds, how it is made and freed.
#pragma once

#include <list>

#include "common/description.h"
#include "gdextension/engine.h"
#include "pollrtc/godot.h"

namespace pollrtc::gdextension {

// What a virtual gives: integers and enums are 64 bits wide both ways.
inline void give(void* result, std::int64_t value) { *static_cast<std::int64_t*>(result) = value; }
inline void give(void* result, GodotError error) { give(result, static_cast<std::int64_t>(error)); }

using godot_plugin::Method;
using godot_plugin::Property;
using godot_plugin::Signal;

struct Virtual {
  const char* name;
  std::uint32_t hash;  // of its signature; engines from 4.4 on ask with it
  VirtualCall call;
};

struct ClassDescription {
  const char* name;
  const char* base;
  std::span<const Virtual> virtuals;
  std::span<const Method> methods;
  std::span<const Signal> signals;
  std::span<const Property> properties;
  EngineObject* (*create)(bool is_new);  // an object with an instance of ours behind it
  void (*free)(Instance* instance);
};

class ClassBinding {
 public:
  explicit ClassBinding(const ClassDescription& description);  // registers it
  ~ClassBinding();                                             // and takes it back
  ClassBinding(const ClassBinding&) = delete;
  ClassBinding& operator=(const ClassBinding&) = delete;

  const StringName& name() const { return name_; }

 private:
  void register_class();
  void register_method(const Method& method);
  void register_signal(const Signal& signal);
  void register_property(const Property& property);
  const Virtual* find_virtual(const void* name) const;

  const ClassDescription& description_;
  StringName name_;
  std::list<StringName> virtual_names_;  // in the order of the description
};

}  // namespace pollrtc::gdextension
