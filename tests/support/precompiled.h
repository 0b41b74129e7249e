// What every test includes, compiled once for each of the largest programs of tests: a third of the time it takes to compile one.
// A test includes what it uses all the same; -Db_pch=false compiles without this.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "support/catch.h"
