// What DNS messages are made of: names and records (RFC 1035 §3.1, §4.1; RFC 3596 for AAAA). Multicast DNS is built of it
// (mdns_message.h); the other DNS is c-ares' business.
#pragma once

#include <optional>
#include <string_view>

#include "base/fixed_vec.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

inline constexpr std::size_t kDnsHeaderSize = 12;

enum class DnsType : std::uint16_t { A = 1, Aaaa = 28, Nsec = 47, Any = 255 };

// A name as it stands on the wire, uncompressed and in lower case, so that equal names have equal bytes. A
// label may hold any byte, a dot too, which a name kept as text would confuse.
class DnsName {
 public:
  // Letters, digits, '-' and '_' in labels of 1 to 63, 253 characters in all; one dot at the end is allowed.
  static std::optional<DnsName> from_text(std::string_view text);

  // The name at `at` in `message`, compression followed; moves `at` behind it. Nothing when it is not
  // well-formed.
  static std::optional<DnsName> read(Bytes message, std::size_t& at);

  Bytes wire() const { return {wire_.begin(), wire_.size()}; }
  friend bool operator==(const DnsName& a, const DnsName& b);

 private:
  bool append_label(Bytes label);

  FixedVec<std::uint8_t, 255> wire_;  // the last byte, the root, included
};

// RFC 1035 §4.1.1
struct DnsHeader {
  static constexpr unsigned kResponse = 0x8000, kOpcode = 0x7800, kAuthoritative = 0x0400,
                            kTruncated = 0x0200, kRcode = 0x000f;
  std::uint16_t id = 0, flags = 0, questions = 0, answers = 0, authorities = 0, additionals = 0;
  bool is_response() const { return (flags & kResponse) != 0; }

  static std::optional<DnsHeader> read(Bytes message);
};

// RFC 1035 §4.1.2
struct DnsQuestion {
  DnsName name;
  std::uint16_t type = 0, rr_class = 0;

  static std::optional<DnsQuestion> read(Bytes message, std::size_t& at);
};

// RFC 1035 §4.1.3
struct DnsRecord {
  DnsName owner;
  std::uint16_t type = 0, rr_class = 0;
  std::uint32_t ttl = 0;
  Bytes data;

  static std::optional<DnsRecord> read(Bytes message, std::size_t& at);
  // Port 0; nothing when it is no A of four bytes and no AAAA of sixteen.
  std::optional<Address> address() const;
};

}  // namespace pollrtc::net
