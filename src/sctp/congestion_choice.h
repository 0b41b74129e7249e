// The controller that an association was told to use, as one value.
#pragma once

#include <variant>

#include "sctp/congestion.h"
#include "sctp/cubic.h"
#include "sctp/parameters_config.h"
#include "sctp/path_model.h"

namespace pollrtc::sctp {

class CongestionController {
  using Chosen = std::variant<RenoController, CubicController, PathModel>;

  static Chosen choose(CongestionAlgorithm algorithm, std::size_t pmdcs) {
    switch (algorithm) {
      case CongestionAlgorithm::NewReno:
        return RenoController(pmdcs);
      case CongestionAlgorithm::Cubic:
        return CubicController(pmdcs);
      case CongestionAlgorithm::Model:
        return PathModel(pmdcs);
      case CongestionAlgorithm::LowLatency:
        break;
    }
    return PathModel(pmdcs, PathModel::Goal::LowLatency);
  }
  // std::visit would have to throw for a variant without a value, which this one never is.
  template <class F>
  decltype(auto) with(F f) {
    if (auto* reno = std::get_if<RenoController>(&chosen_)) return f(*reno);
    if (auto* cubic = std::get_if<CubicController>(&chosen_)) return f(*cubic);
    return f(*std::get_if<PathModel>(&chosen_));
  }
  template <class F>
  decltype(auto) with(F f) const {
    if (const auto* reno = std::get_if<RenoController>(&chosen_)) return f(*reno);
    if (const auto* cubic = std::get_if<CubicController>(&chosen_)) return f(*cubic);
    return f(*std::get_if<PathModel>(&chosen_));
  }

 public:
  CongestionController(CongestionAlgorithm algorithm, std::size_t pmdcs)
      : chosen_(choose(algorithm, pmdcs)) {}

  std::size_t cwnd() const {
    return with([](const auto& c) { return c.cwnd(); });
  }
  std::size_t ssthresh() const {
    return with([](const auto& c) { return c.ssthresh(); });
  }
  std::size_t pmdcs() const {
    return with([](const auto& c) { return c.pmdcs(); });
  }
  std::uint64_t pacing_rate(Duration srtt) const {
    return with([srtt](const auto& c) { return c.pacing_rate(srtt); });
  }
  bool reduces_proportionally() const {
    return with([](const auto& c) { return c.reduces_proportionally(); });
  }
  void on_ack(Time now, const AckedBytes& acked) {
    with([&](auto& c) { c.on_ack(now, acked); });
  }
  void on_fast_retransmit() {
    with([](auto& c) { c.on_fast_retransmit(); });
  }
  void on_timeout() {
    with([](auto& c) { c.on_timeout(); });
  }
  void undo() {
    with([](auto& c) { c.undo(); });
  }
  void on_send_after_idle(Time now, Duration rto) {
    with([&](auto& c) { c.on_send_after_idle(now, rto); });
  }
  void on_sent(Time now) {
    with([now](auto& c) { c.on_sent(now); });
  }
  void reset() {
    with([](auto& c) { c.reset(); });
  }
  void set_pmdcs(std::size_t pmdcs) {
    with([pmdcs](auto& c) { c.set_pmdcs(pmdcs); });
  }

 private:
  Chosen chosen_;
};

}  // namespace pollrtc::sctp
