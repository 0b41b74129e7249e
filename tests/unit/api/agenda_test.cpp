// Agenda against what it stands for: a list of deadlines that is searched from end to end.
#include "api/agenda.h"

#include <optional>
#include <random>

#include "support/catch.h"

using namespace pollrtc;

namespace {

struct Thing {
  detail::Agenda<Thing>::Ticket ticket = 0;
  Time due = kNever;
  bool is_there = false;
};

// The earliest, of equal ones the one with the lowest ticket.
Thing* first_of(std::vector<Thing>& things) {
  Thing* first = nullptr;
  for (Thing& thing : things) {
    if (!thing.is_there || thing.due == kNever) continue;
    if (first == nullptr || thing.due < first->due ||
        (thing.due == first->due && thing.ticket < first->ticket))
      first = &thing;
  }
  return first;
}

}  // namespace

TEST_CASE("an agenda gives who is due, the earliest first, and each once") {
  std::mt19937 random(7);
  std::vector<Thing> things(60);
  detail::Agenda<Thing> agenda;
  Time now{std::chrono::hours(1)};
  for (int step = 0; step < 20000; ++step) {
    Thing& thing = things[random() % things.size()];
    switch (random() % 8) {
      case 0:
        if (thing.is_there) {
          agenda.remove(thing.ticket);
        } else {
          thing.ticket = agenda.add(thing);
          thing.due = kNever;
        }
        thing.is_there = !thing.is_there;
        break;
      case 1:
        now += Duration(random() % 40);
        for (;;) {
          Thing* const expected = first_of(things);
          const bool is_due = expected != nullptr && expected->due <= now;
          Thing* const given = agenda.take_due(now);
          REQUIRE(given == (is_due ? expected : nullptr));
          if (given == nullptr) break;
          given->due = kNever;
        }
        break;
      default:
        if (!thing.is_there) break;
        thing.due = random() % 10 == 0 ? kNever : now + Duration(random() % 200);  // often the same
        agenda.set(thing.ticket, thing.due);
        break;
    }
    const Thing* const first = first_of(things);
    REQUIRE(agenda.next() == (first == nullptr ? kNever : first->due));
  }
}
