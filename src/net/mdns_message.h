// Messages of multicast DNS: the question for a name's addresses, and what a responder says of its own names. RFC 6762 §18
// (the header), §6 and §6.1 (answers), §6.7 (askers that do not speak multicast DNS), §10.1 (goodbye).
#pragma once

#include "net/dns_message.h"

namespace pollrtc::net {

inline constexpr std::uint16_t kMdnsPort = 5353;
// What we read, and more than we ever write. RFC 6762 §17 allows more only for a single record that is as large; ours are not.
inline constexpr std::size_t kMaxMdnsMessage = 1500;
// RFC 6762 §10: how long others may remember an address, in seconds; and askers that would not hear our goodbye.
inline constexpr std::uint32_t kMdnsTtl = 120, kLegacyTtl = 10;

inline constexpr std::uint16_t kClassInternet = 1, kClassAny = 255;
// RFC 6762 §5.4 and §10.2: of a question "answer me by unicast", of a record "what you knew before is void".
inline constexpr std::uint16_t kTopBit = 0x8000;

// 224.0.0.251 or ff02::fb, port 5353 (RFC 6762 §3).
Address mdns_group(Address::Family family);

// For A and AAAA, to be answered by multicast. The size; 0 when it does not fit, as for the others.
std::size_t write_mdns_question(const DnsName& name, MutBytes out);

// The address of `name`, and that it has no record of another type. `denial_first`: asked was another type (RFC 6762 §6.1).
std::size_t write_mdns_answer(const DnsName& name, const Address& address, bool denial_first, MutBytes out);
std::size_t write_mdns_goodbye(const DnsName& name, const Address& address, MutBytes out);

// To an asker on another port than 5353: as a DNS server would answer. `has_answer`: the address is what was asked for.
std::size_t write_legacy_answer(std::uint16_t id, const DnsQuestion& question, const Address& address,
                                bool has_answer, MutBytes out);

}  // namespace pollrtc::net
