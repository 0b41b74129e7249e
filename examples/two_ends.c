/* Two ends of a data channel in one C program: what passes between them by hand here goes through your signalling. */
#include <stdio.h>
#include <string.h>

#include "pollrtc/pollrtc.h"

/* Hands on what `from` has to tell `to`; gives the channel that the other end opened, once there is one. */
static pollrtc_channel* handle_events(pollrtc_connection* from, pollrtc_connection* to) {
  pollrtc_channel* received = NULL;
  pollrtc_event event;
  while (pollrtc_connection_next_event(from, &event)) {
    if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED) {
      pollrtc_connection_set_local_description(from, event.text, event.text2);
      pollrtc_connection_set_remote_description(to, event.text, event.text2);
    } else if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED) {
      pollrtc_connection_add_ice_candidate(to, event.text, event.number, event.text2);
    } else if (event.type == POLLRTC_EVENT_CHANNEL_RECEIVED) {
      received = event.channel;
    } else if (event.type == POLLRTC_EVENT_CHANNEL_OPENED) {
      pollrtc_channel_send_text(event.channel, "hello", strlen("hello"));
    }
  }
  return received;
}

int main(void) {
  pollrtc_connection* ends[2] = {NULL, NULL};
  pollrtc_channel *ours = NULL, *theirs = NULL;
  pollrtc_config config = {0};
  const uint8_t* data = NULL;
  size_t size = 0;
  int turns = 0;

  config.size = sizeof config;
  config.include_loopback = 1; /* so that it works on a machine without a network */
  if (pollrtc_connection_create(&config, &ends[0]) != POLLRTC_OK ||
      pollrtc_connection_create(&config, &ends[1]) != POLLRTC_OK)
    return 1;
  if (pollrtc_connection_create_channel(ends[0], "chat", NULL, &ours) != POLLRTC_OK ||
      pollrtc_connection_create_offer(ends[0]) != POLLRTC_OK) {
    fprintf(stderr, "%s\n", pollrtc_connection_error(ends[0]));
    return 1;
  }

  for (turns = 0; turns < 10000 && size == 0; ++turns) {
    pollrtc_poll_all(ends, 2, 10);
    handle_events(ends[0], ends[1]);
    if (theirs == NULL) {
      theirs = handle_events(ends[1], ends[0]);
    } else {
      handle_events(ends[1], ends[0]);
      pollrtc_channel_get_packet(theirs, &data, &size);
    }
  }
  printf("%s: %.*s\n", pollrtc_channel_get_label(theirs), (int)size, (const char*)data);

  pollrtc_channel_destroy(theirs);
  pollrtc_channel_destroy(ours);
  pollrtc_connection_destroy(ends[0]);
  pollrtc_connection_destroy(ends[1]);
  return size == 0;
}
