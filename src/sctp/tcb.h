// The transmission control block (RFC 9260 §14.2): what exists only once the peer's INIT or INIT ACK has been seen. A
// restart throws it away and makes another.
#pragma once

#include "sctp/chunk_init.h"
#include "sctp/rx_data.h"
#include "sctp/stream_reset.h"
#include "sctp/tx_outstanding.h"
#include "sctp/tx_queue.h"

namespace pollrtc::sctp {

// What both ends agreed on.
struct Agreement {
  VerificationTag peer_tag{};
  Tsn local_initial_tsn;
  Tsn peer_initial_tsn;
  std::uint32_t peer_a_rwnd = 0;
  std::uint16_t outbound_streams = 0, inbound_streams = 0;
  Capabilities peer_capabilities;  // in the end: what both speak
};

struct Tcb {
  Tcb(const Environment& env, const AssociationConfig& config, const Agreement& agreed)
      : peer_tag(agreed.peer_tag),
        outbound_streams(agreed.outbound_streams),
        peer_capabilities(agreed.peer_capabilities),
        rx(env, config.parameters, agreed.peer_initial_tsn, agreed.inbound_streams, config.max_message_rx,
           agreed.peer_capabilities.interleaving),
        queue(env, config.scheduler),
        tx(env, config.parameters, queue, agreed.local_initial_tsn, config.mtu),
        outgoing_reset(env.memory, agreed.local_initial_tsn),
        incoming_reset(env.memory, agreed.peer_initial_tsn),
        inbound_streams(agreed.inbound_streams) {
    tx.set_peer_rwnd(agreed.peer_a_rwnd);
    queue.set_partial_reliability(peer_capabilities.partial_reliability);
    queue.set_interleaving(peer_capabilities.interleaving);
  }

  VerificationTag peer_tag;
  std::uint16_t outbound_streams;
  Capabilities peer_capabilities;
  RxData rx;
  TxQueue queue;
  TxOutstanding tx;
  OutgoingReset outgoing_reset;
  IncomingReset incoming_reset;
  std::uint16_t inbound_streams;
};

}  // namespace pollrtc::sctp
