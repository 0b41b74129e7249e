#include "sctp/rto.h"

#include "support/catch.h"

namespace pollrtc::sctp {

using namespace std::chrono_literals;

namespace {
Parameters parameters() {
  Parameters p;
  p.rto_initial = 500ms;
  p.rto_min = 400ms;
  p.rto_max = 60s;
  return p;
}
}  // namespace

TEST_CASE("the first RTT sample sets SRTT to R and RTTVAR to R/2", "[SCTP-RTO-03]") {
  Rto rto(parameters());
  CHECK(rto.current() == 500ms);
  rto.on_sample(400ms);
  CHECK(rto.srtt() == 400ms);
  CHECK(rto.rttvar() == 200ms);
  CHECK(rto.current() == 1200ms);
}

TEST_CASE("later samples weigh 1/8 and 1/4, RTTVAR with the old SRTT", "[SCTP-RTO-03]") {
  Rto rto(parameters());
  rto.on_sample(400ms);
  rto.on_sample(800ms);
  CHECK(rto.rttvar() == 250ms);  // 3/4 * 200 + 1/4 * |400 - 800|: with the new SRTT it would be 237.5
  CHECK(rto.srtt() == 450ms);
  CHECK(rto.current() == 1450ms);
}

TEST_CASE("RTTVAR never becomes 0", "[SCTP-RTO-03]") {
  Rto rto(parameters());
  for (int i = 0; i < 1000; ++i) rto.on_sample(800ms);
  CHECK(rto.rttvar() > Duration::zero());
  rto.on_sample(0us);
  CHECK(rto.srtt() > Duration::zero());
}

TEST_CASE("RTO stays between RTO.Min and RTO.Max, whatever the clock does", "[SCTP-RTO-01]") {
  Rto rto(parameters());
  rto.on_sample(1ms);
  CHECK(rto.current() == 400ms);
  for (int i = 0; i < 100; ++i) rto.on_sample(std::chrono::hours(1));
  CHECK(rto.current() == 60s);
  rto.on_sample(-std::chrono::hours(1));
  CHECK(rto.current() == 60s);
  CHECK(rto.srtt() <= 60s);
  for (int i = 0; i < 100; ++i) rto.back_off();
  CHECK(rto.current() == 60s);
}

TEST_CASE("backing off doubles, a sample ends it", "[SCTP-RTO-01]") {
  Rto rto(parameters());
  rto.back_off();
  CHECK(rto.current() == 1s);
  rto.back_off();
  CHECK(rto.current() == 2s);
  rto.clear_back_off();
  CHECK(rto.current() == 500ms);
  rto.back_off();
  rto.on_sample(200ms);
  CHECK(rto.current() == 600ms);
}

TEST_CASE("backing off stops at its own bound, but never below what was measured",
          "[SCTP-RTO-01][SCTP-CC-02]") {
  Parameters p = parameters();
  p.max_back_off = 3s;
  Rto rto(p);
  for (int i = 0; i < 3; ++i) rto.back_off();
  CHECK(rto.current() == 3s);
  rto.on_sample(2s);
  CHECK(rto.current() == 6s);
  rto.back_off();
  CHECK(rto.current() == 6s);
}

TEST_CASE("a round trip known from elsewhere counts until the first sample") {
  Rto rto(parameters());
  rto.set_initial_rtt(300ms);
  CHECK(rto.current() == 900ms);
  CHECK_FALSE(rto.has_sample());
  rto.on_sample(200ms);
  CHECK(rto.srtt() == 200ms);
  rto.set_initial_rtt(5s);
  CHECK(rto.current() == 600ms);
}

TEST_CASE("a round trip below zero is none", "[SCTP-RTO-01]") {
  Rto rto{Parameters{}};
  rto.on_sample(std::chrono::milliseconds(500));
  rto.on_sample(-std::chrono::hours(1));
  CHECK(rto.srtt() == std::chrono::milliseconds(500));
}

}  // namespace pollrtc::sctp
