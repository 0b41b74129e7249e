#include "sim/checked_association.h"

#include <algorithm>
#include <ostream>

#include "sim/inspector.h"

namespace pollrtc::sim {
namespace {

using sctp::AssociationState;

static_assert(static_cast<int>(AssociationState::ShutdownAckSent) ==
              static_cast<int>(SctpState::ShutdownAckSent));
SctpState same(AssociationState state) { return static_cast<SctpState>(state); }

SctpSetup setup_of(const AssociationOptions& options) {
  SctpSetup setup;
  setup.base_size = std::clamp<std::uint32_t>(options.config.mtu, 508, 16384) & ~3u;
  setup.most_tried =
      options.config.max_ip == 0 ? 0 : std::min(options.config.max_ip - options.config.below, 16384u) & ~3u;
  setup.local_initial_tsn = options.config.initial_tsn.value();
  setup.peer_initial_tsn = options.peer_initial_tsn;
  setup.interleaves = options.config.interleaving;  // of both ends alike
  setup.accepts_zero_checksum = options.config.announce_zero_checksum;
  // It may have grown, as far as the application reads.
  setup.rx_window = std::max(options.limits.sctp_rx_window, options.limits.sctp_rx_window_max);
  // lim.mem.peer: 3 MiB and the window, 384 KiB and the window in the small profile.
  const bool is_small = options.limits.sctp_tsn_span <= Limits::small().sctp_tsn_span;
  setup.memory = (is_small ? 384u : 1536u) * 1024 + setup.rx_window;
  return setup;
}

}  // namespace

CheckedAssociation::CheckedAssociation(const AssociationOptions& options)
    : environment_(options.seed),
      first_numbers_(options.first_numbers),
      interleaves_(options.config.interleaving),
      invariants_(setup_of(options)) {
  environment_.env.limits = options.limits;
  environment_.env.log = {on_log, this, LogLevel::Info};
  association_ = std::make_unique<sctp::Association>(environment_.env, options.config);
}

void CheckedAssociation::log_to(std::ostream* out, std::string name) {
  log_ = out;
  name_ = std::move(name);
  if (out != nullptr) environment_.env.log.level = LogLevel::Debug;
}

void CheckedAssociation::close() {
  association_.reset();
  if (environment_.bytes_in_use() != 0) throw Violation("INV-5: memory is left behind");
}

void CheckedAssociation::on_log(void* context, LogLevel, std::string_view, std::string_view line) {
  auto& self = *static_cast<CheckedAssociation*>(context);
  if (self.log_ != nullptr)
    *self.log_ << self.now_.time_since_epoch().count() / 1000 << " ms " << self.name_ << ": " << line << '\n';
  const std::size_t arrow = line.find(" -> "), colon = line.find(": ");
  if (arrow == std::string_view::npos || colon == std::string_view::npos || colon < arrow) return;
  try {
    self.invariants_.on_edge(line.substr(0, arrow), line.substr(arrow + 4, colon - arrow - 4));
  } catch (const Violation& violation) {
    self.broken_edge_ = violation.what();
  }
}

SctpFacts CheckedAssociation::facts() const {
  SctpFacts facts;
  facts.state = same(association_->state());
  facts.outstanding = association_->stats().outstanding_bytes;
  facts.buffered_total = association_->buffered_total();
  facts.heap = environment_.bytes_in_use();
  facts.next_timeout = association_->next_timeout();
  facts.packet_size = association_->stats().mtu;
  facts.dont_fragment = association_->dont_fragment();
  sctp::Inspector::look(*association_, facts);
  facts.own_bytes = peak_own_bytes_ = std::max(peak_own_bytes_, facts.own_bytes);
  return facts;
}

void CheckedAssociation::check(Time now) {
  if (!broken_edge_.empty()) throw Violation(broken_edge_);
  begin_numbers();
  const SctpFacts facts = this->facts();
  invariants_.check(now, facts);
  SctpInvariants::check_window(facts.rx_used, sctp::Inspector::window_held(*association_) + taken_);
  std::size_t sum = 0;
  for (const auto& [stream, sent] : streams_) {
    const std::size_t amount = association_->buffered_amount(stream);
    invariants_.check_buffered(stream, amount);
    sum += amount;
  }
  if (sum != association_->buffered_total())
    throw Violation("INV-2: the total is not the sum of the streams");
}

// Of each TCB there is: DATA may come in the packet of the COOKIE ACK, so it would be late once the association stands.
void CheckedAssociation::begin_numbers() {
  const sctp::Tcb* const tcb = sctp::Inspector::tcb(*association_);
  if (std::exchange(numbered_, tcb) == tcb || tcb == nullptr) return;
  for (const auto& [stream, number] : first_numbers_) {
    for (const bool unordered : std::initializer_list<bool>{false, true}) {
      if (unordered && !interleaves_) continue;
      const std::uint32_t first = interleaves_ ? number : number & 0xFFFF;
      sctp::Inspector::set_next_number(*association_, stream, unordered, first);
      invariants_.set_next_number(stream, unordered, first);
    }
  }
}

Drop CheckedAssociation::handle_packet(Time now, Bytes packet) {
  now_ = now;
  invariants_.on_received(packet, same(association_->state()), sctp::Inspector::local_tag(*association_));
  const Drop drop = association_->handle_packet(now, packet);
  check(now);
  return drop;
}

std::size_t CheckedAssociation::poll_packet(Time now, MutBytes out) {
  now_ = now;
  const SctpFacts before = facts();
  const std::size_t size = association_->poll_packet(now, out);
  if (size != 0) {
    invariants_.on_sent(out.first(size), before, facts());
  } else {
    invariants_.on_silence();
  }
  check(now);
  return size;
}

void CheckedAssociation::handle_timeout(Time now) {
  now_ = now;
  association_->handle_timeout(now);
  check(now);
  invariants_.check_deadline(now, facts());
}

bool CheckedAssociation::poll_event(Event& event) {
  if (!association_->poll_event(event)) return false;
  if (ended_) throw Violation("an event after the last");
  if (const auto* ended = std::get_if<sctp::Association::Ended>(&event)) {
    ended_ = *ended;
    unanswered_at_end_ = invariants_.unanswered_requests();
  }
  return true;
}

Status CheckedAssociation::connect(Time now) {
  now_ = now;
  const Status status = association_->connect(now);
  check(now);
  return status;
}

Status CheckedAssociation::send(Time now, const sctp::SendOptions& options, Bytes message) {
  now_ = now;
  const Status status = association_->send(now, options, message);
  if (status) {
    streams_[options.stream] = true;
    invariants_.on_message(options.stream, message.size(), !options.max_retransmits && !options.lifetime);
  }
  check(now);
  return status;
}

bool CheckedAssociation::receive(Time now, sctp::Message& out) {
  const bool received = association_->receive(out);
  if (received) {
    SctpInvariants::check_window(out.charge, sctp::window_held_by(out.payload, out.abandoned, out.charge));
    taken_ += out.charge;
  }
  check(now);
  return received;
}

void CheckedAssociation::release(Time now, std::size_t charge) {
  association_->release(charge);
  taken_ -= std::min(taken_, charge);
  check(now);
}

Status CheckedAssociation::reset_stream(Time now, std::uint16_t stream) {
  const Status status = association_->reset_stream(now, stream);
  check(now);
  return status;
}

void CheckedAssociation::shutdown(Time now) {
  now_ = now;
  association_->shutdown(now);
  check(now);
}

void CheckedAssociation::abort(Time now) {
  now_ = now;
  invariants_.on_user_abort();
  association_->abort(now, "enough");
  check(now);
}

bool CheckedAssociation::has_unfinished_data() const {
  const sctp::Tcb* const tcb = sctp::Inspector::tcb(*association_);
  return tcb != nullptr && (!tcb->queue.empty() || !tcb->tx.all_acknowledged());
}

}  // namespace pollrtc::sim
