// fit(): a table that grew while a connection was set up gives back the room that it does not use.
#pragma once

#include <utility>

#include "base/memory.h"

namespace pollrtc {

// Without memory for the smaller table the larger one stays. Pointers into it are not good afterwards.
template <class T>
void fit(Vec<T>& table) {
  Vec<T> fitting(table.memory());
  if (!table.empty() && !fitting.reserve(table.size())) return;
  for (T& element : table) static_cast<void>(fitting.push_back(std::move(element)));
  table = std::move(fitting);
}

}  // namespace pollrtc
