// fit(): a table that grew while a connection was set up gives back the room that it does not use.
#pragma once

#include <algorithm>
#include <utility>

#include "base/memory.h"

namespace pollrtc {

// Room for `least` elements stays where there is as much. Without memory for the smaller table the larger one stays. Pointers into
// it are not good afterwards.
template <class T>
void fit(Vec<T>& table, std::size_t least = 0) {
  const std::size_t room = std::max(table.size(), least);
  if (table.capacity() <= room) return;
  Vec<T> fitting(table.memory());
  if (room != 0 && !fitting.reserve(room)) return;
  for (T& element : table) static_cast<void>(fitting.push_back(std::move(element)));
  table = std::move(fitting);
}

}  // namespace pollrtc
