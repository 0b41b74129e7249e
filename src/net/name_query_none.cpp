// Without c-ares: no name is resolved, but for those that a resolver of the caller's knows.
#include "net/name_query.h"

namespace pollrtc::net {

NameQuery::~NameQuery() { static_cast<void>(channel_); }

bool NameQuery::is_available() { return false; }

Status NameQuery::start(Time, const Config&, std::string_view) {
  return fail(ErrorCode::NotSupported, "built without c-ares: names need a resolver of the caller's");
}

void NameQuery::watch(Poller&) const {}
void NameQuery::step(Time) {}
Time NameQuery::next_timeout(Time) const { return kNever; }

}  // namespace pollrtc::net
