// What goes into a packet: control first, then SACK, FORWARD TSN and DATA, never above the MTU (RFC 9260 §6.10).
#include "base/random.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/tcb.h"

namespace pollrtc::sctp {

std::size_t Association::poll_packet(Time now, MutBytes out) {
  shutdown_progress(now);  // the last message may have expired in the queue
  std::size_t size = write_reply_alone(out);
  dont_fragment_ = false;
  if (size == 0 && owed_.init) size = write_init(out);
  if (size == 0 && tcb_ && state_ >= AssociationState::CookieEchoed) {
    // The COOKIE ACK first: without it the peer may not answer yet.
    if (path_mtu_.probe_due() != 0 && !owed_.cookie_ack) size = write_probe(now, out);
    if (size == 0) {
      if (may_send_data()) size = write_oversized(now, out);
      if (size == 0) size = write_packet(now, out);
      dont_fragment_ = size > path_mtu_.base() && size <= path_mtu_.size();
    }
  }
  if (size != 0) {
    ++stats_.packets_out;
    sent_since_error_ = true;
  }
  return size;
}

std::size_t Association::write_packet(Time now, MutBytes out) {
  PacketWriter packet(out, path_mtu_.size(), config_.local_port, config_.remote_port, tcb_->peer_tag);
  // RFC 9653 §5.2: a COOKIE ECHO always carries a real checksum.
  const bool zero_checksum = tcb_->peer_capabilities.zero_checksum && !owed_.cookie_echo;
  write_control(now, packet);
  // RFC 9260 §5.1 (C): until the COOKIE ACK, nothing but the COOKIE ECHO and replies.
  if (state_ != AssociationState::CookieEchoed) write_transfer(now, packet);
  return packet.finish(zero_checksum);
}

// RFC 8899 §6.2.1.2: HEARTBEAT and PAD, and nothing else, so that nothing is lost with it.
std::size_t Association::write_probe(Time now, MutBytes out) {
  const std::size_t wanted = path_mtu_.probe_due();
  path_mtu_.on_probe_sent(now, rto());
  probe_nonce_ = random_u64(env_.rng).value_or(0);
  probe_sent_ = now;
  if (probe_nonce_ == 0 || out.size() < wanted) return 0;  // a lost probe
  PacketWriter packet(out, wanted, config_.local_port, config_.remote_port, tcb_->peer_tag);
  write_heartbeat(packet.chunks(), probe_nonce_);
  write_pad(packet.chunks(), packet.room());
  dont_fragment_ = true;
  return packet.finish(tcb_->peer_capabilities.zero_checksum);
}

// RFC 9260 §6.9, RFC 8899 §4.4: a chunk that has a TSN is never cut again. When the path has become smaller since, it goes
// alone, and IP cuts the packet: a router on IPv4. On IPv6 this host must, and cuts to what it has been told of the path only, so
// that one which tells nothing swallows the chunk. Linux knows no wish to be cut smaller: IPV6_MTU holds for what its interface
// could not carry, and for what must not be cut.
std::size_t Association::write_oversized(Time now, MutBytes out) {
  const std::size_t wanted = tcb_->tx.oversized_packet(now);
  if (wanted == 0) return 0;
  PacketWriter packet(out, wanted, config_.local_port, config_.remote_port, tcb_->peer_tag);
  tcb_->tx.write_due(now, packet.chunks());
  return packet.finish(tcb_->peer_capabilities.zero_checksum);
}

bool Association::may_send_data() const {
  using enum AssociationState;
  return state_ == Established || state_ == ShutdownPending || state_ == ShutdownReceived;
}

// Replies that stand alone, and those to packets that belonged to no association: their tag is their own.
std::size_t Association::write_reply_alone(MutBytes out) {
  if (replies_.empty()) return 0;
  const Reply reply = replies_.front();
  const bool fits = kCommonHeader + reply.chunks.size() <= path_mtu_.size();
  if (!reply.alone && has_association() && reply.tag == peer_tag() && fits) return 0;
  PacketWriter packet(out, config_.mtu, config_.local_port, config_.remote_port, reply.tag);
  if (!packet.try_write([&](ByteWriter& w) { w.bytes(reply.chunks); })) return 0;
  replies_.pop();
  return packet.finish(false);
}

std::size_t Association::write_init(MutBytes out) {
  PacketWriter packet(out, config_.mtu, config_.local_port, config_.remote_port, VerificationTag{});
  const bool fits = packet.try_write([&](ByteWriter& w) {
    InitChunk init;
    init.initiate_tag = local_tag_;
    init.a_rwnd = a_rwnd_to_announce();
    init.outbound_streams = init.inbound_streams = env_.limits.sctp_streams;
    init.initial_tsn = local_initial_tsn_;
    ChunkWriter chunk = begin_init(w, ChunkType::Init, init);
    write_capabilities(w, config_.announce_zero_checksum, config_.interleaving);
    chunk.finish();
  });
  if (!fits) return 0;
  owed_.init = false;
  return packet.finish(false);
}

// Each is forgotten once it stands in a packet; what does not fit waits for the next.
void Association::write_control(Time now, PacketWriter& packet) {
  const auto settle = [&packet](bool& owed, auto&& write) {
    if (owed && packet.try_write(write)) owed = false;
  };
  // COOKIE ECHO and COOKIE ACK come first in their packet (RFC 9260 §5.1 D, §3.3.11).
  settle(owed_.cookie_echo, [&](ByteWriter& w) { write_chunk(w, ChunkType::CookieEcho, 0, peer_cookie_); });
  settle(owed_.cookie_ack, [](ByteWriter& w) { write_chunk(w, ChunkType::CookieAck); });
  if (!replies_.empty()) {
    const Reply reply = replies_.front();
    const bool is_ours = !reply.alone && reply.tag == tcb_->peer_tag;
    if (is_ours && packet.try_write([&](ByteWriter& w) { w.bytes(reply.chunks); })) replies_.pop();
  }
  settle(owed_.shutdown, [&](ByteWriter& w) { write_shutdown(w, tcb_->rx.tracker().cumulative()); });
  settle(owed_.shutdown_ack, [](ByteWriter& w) { write_chunk(w, ChunkType::ShutdownAck); });
  settle(owed_.heartbeat, [&](ByteWriter& w) {
    write_heartbeat(w, heartbeat_nonce_);
    heartbeat_sent_ = now;
  });
  settle(owed_.measurement, [&](ByteWriter& w) {
    write_heartbeat(w, measurement_nonce_);
    measurement_sent_ = now;
  });
  write_reset_request(now, packet);
}

void Association::write_transfer(Time now, PacketWriter& packet) {
  const bool may_send = may_send_data();
  RxTracker& tracker = tcb_->rx.tracker();
  const bool has_data = may_send && tcb_->tx.has_data_to_send(now);
  // RFC 9260 §6.1: a SACK that will be due rides with DATA that goes anyway.
  if (state_ != AssociationState::ShutdownAckSent &&
      (tracker.sack_is_due(now) || (has_data && tracker.has_unacknowledged()))) {
    tcb_->rx.write_sack(packet.chunks());
  }
  if (!may_send) return;
  if (tcb_->tx.forward_tsn_is_due()) tcb_->tx.write_forward_tsn(now, packet.chunks());
  if (!has_data) return;
  // RFC 9260 §8.3: a path that carries DATA is not idle.
  if (tcb_->tx.write_due(now, packet.chunks()) != 0 && heartbeat_nonce_ == 0) schedule_heartbeat(now);
}

}  // namespace pollrtc::sctp
