#include "pollrtc/udp_mux.h"

#include "api/mux_core.h"

namespace pollrtc {

UdpMux::UdpMux(const Config& config) : core_(std::make_shared<detail::MuxCore>(config)) {}
UdpMux::~UdpMux() = default;

Status UdpMux::open() { return core_->open_all(); }
UdpMux::Stats UdpMux::get_stats() const { return core_->stats(); }

}  // namespace pollrtc
