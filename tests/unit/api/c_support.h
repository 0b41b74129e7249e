/* What the tests in C share: a check that counts, and two connections on the loopback interface. Each test is one file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pollrtc/pollrtc.h"

static int failures = 0;

#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      ++failures;                                                    \
      printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                \
  } while (0)

typedef struct side {
  pollrtc_connection* connection;
  pollrtc_channel* received;
  int opened, closing, closed, broken, messages, connected, low, candidates;
  int reports[3]; /* by pollrtc_outcome */
  uint32_t last_report;
} side;

/* What one side's events say, handed to the other. */
static void pass_events(side* from, side* to) {
  pollrtc_event event;
  while (pollrtc_connection_next_event(from->connection, &event)) {
    switch (event.type) {
      case POLLRTC_EVENT_DESCRIPTION_CREATED:
        CHECK(pollrtc_connection_set_local_description(from->connection, event.text, event.text2) ==
              POLLRTC_OK);
        CHECK(pollrtc_connection_set_remote_description(to->connection, event.text, event.text2) ==
              POLLRTC_OK);
        break;
      case POLLRTC_EVENT_CANDIDATE_CREATED:
        CHECK(strncmp(event.text2, "candidate:", 10) == 0);
        ++from->candidates;
        CHECK(pollrtc_connection_add_ice_candidate(to->connection, event.text, event.number, event.text2) ==
              POLLRTC_OK);
        break;
      case POLLRTC_EVENT_CHANNEL_RECEIVED:
        from->received = event.channel;
        break;
      case POLLRTC_EVENT_CHANNEL_OPENED:
        CHECK(event.channel != NULL);
        ++from->opened;
        break;
      case POLLRTC_EVENT_CHANNEL_CLOSING:
        ++from->closing;
        break;
      case POLLRTC_EVENT_CHANNEL_CLOSED:
        ++from->closed;
        from->broken += event.number;
        CHECK(strlen(event.text) > 0);
        break;
      case POLLRTC_EVENT_MESSAGE_RECEIVED:
        ++from->messages;
        break;
      case POLLRTC_EVENT_BUFFERED_AMOUNT_LOW:
        ++from->low;
        break;
      case POLLRTC_EVENT_MESSAGE_REPORT:
        CHECK(event.number >= POLLRTC_OUTCOME_SENT && event.number <= POLLRTC_OUTCOME_ABANDONED);
        ++from->reports[event.number];
        from->last_report = event.report;
        break;
      case POLLRTC_EVENT_CONNECTION_STATE_CHANGED:
        if (event.number == POLLRTC_CONNECTION_CONNECTED) ++from->connected;
        break;
      default:
        break;
    }
  }
}

static void turn(side* a, side* b) {
  pollrtc_connection* both[2];
  both[0] = a->connection;
  both[1] = b->connection;
  CHECK(pollrtc_poll_all(both, 2, 1) == POLLRTC_OK);
  pass_events(a, b);
  pass_events(b, a);
}

static pollrtc_config loopback(void) {
  pollrtc_config config = {0};
  config.size = sizeof config;
  config.include_loopback = 1;
  return config;
}
