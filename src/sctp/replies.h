// Direct replies to received packets, the only thing of an association that waits in a queue: INIT ACK, HEARTBEAT ACK,
// ERROR, RE-CONFIG responses, SHUTDOWN COMPLETE, ABORT. All replies to one packet share one packet (RFC 9260 §12.4). A
// handful of packets may wait; when there are more, the reply is lost, as on any network.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

struct Reply {
  VerificationTag tag{};
  bool alone = false;  // nothing may be bundled behind it: INIT ACK, SHUTDOWN COMPLETE, ABORT
  Bytes chunks;
};

class Replies {
 public:
  static constexpr std::size_t kCapacity = 8;

  // `room`: the most bytes of chunks in a packet.
  Replies(const Memory& memory, std::size_t room) : slots_{make_slots(memory)}, room_(room) {}

  // A packet has come in: its replies go into a packet of their own. `muted`: there must be none (it held an ABORT).
  void begin_packet(bool muted) {
    muted_ = muted;
    open_ = false;
  }
  void end_packet() { muted_ = open_ = false; }
  // Runs `write(ByteWriter&)`. False, and nothing added: no room, no memory, or too many wait.
  template <class Write>
  bool add(VerificationTag tag, bool alone, Write&& write) {
    if (muted_) return false;
    Slot* slot = open_slot(tag, alone);
    if (slot == nullptr) return false;
    ByteWriter writer(slot->bytes.writable().subspan(slot->size));
    write(writer);
    if (!writer.ok() || writer.size() == 0) {
      if (slot->size == 0) close_empty();
      return false;
    }
    slot->size += writer.size();
    return true;
  }
  bool empty() const { return count_ == 0; }
  Reply front() const {
    const Slot& slot = slots_[head_];
    return {slot.tag, slot.alone, Bytes(slot.bytes).first(slot.size)};
  }
  void pop() {
    if (count_ == 1) open_ = false;
    // One by one, they all have the first place: the others get memory when there are several at a time.
    head_ = --count_ == 0 ? 0 : (head_ + 1) % kCapacity;
  }
  void clear() {
    count_ = 0;
    open_ = false;
  }
  // Nobody has anything to say, so the memory goes as well.
  void rest() {
    if (empty())
      for (Slot& slot : slots_) slot.bytes.release();
  }
  // How much more the reply under construction takes.
  std::size_t room() const { return open_ ? room_ - slots_[last()].size : room_; }

 private:
  struct Slot {
    explicit Slot(const Memory& memory) : bytes(memory) {}
    Buffer bytes;  // kept when the slot is free, until rest(): no allocation after the first round
    std::size_t size = 0;
    VerificationTag tag{};
    bool alone = false;
  };
  using Slots = std::array<Slot, kCapacity>;

  static Slots make_slots(const Memory& m) {
    return {Slot(m), Slot(m), Slot(m), Slot(m), Slot(m), Slot(m), Slot(m), Slot(m)};
  }
  std::size_t last() const { return (head_ + count_ - 1) % kCapacity; }
  Slot* open_slot(VerificationTag tag, bool alone) {
    if (open_) {
      Slot& slot = slots_[last()];
      return slot.tag == tag && !slot.alone && !alone ? &slot : nullptr;
    }
    if (count_ == kCapacity) return nullptr;
    Slot& slot = slots_[(head_ + count_) % kCapacity];
    if (slot.bytes.size() != room_ && !slot.bytes.resize_discarding(room_)) return nullptr;
    slot.size = 0;
    slot.tag = tag;
    slot.alone = alone;
    ++count_;
    open_ = true;
    return &slot;
  }
  void close_empty() {
    --count_;
    open_ = false;
  }

  Slots slots_;
  std::size_t room_;
  std::size_t head_ = 0, count_ = 0;
  bool open_ = false;  // the last one still takes chunks
  bool muted_ = false;
};

}  // namespace pollrtc::sctp
