// One DNS message: a question written, a response read (RFC 1035 §4; RFC 3596 for AAAA; RFC 2181 §5 on what
// to trust).
//
// Only what a stub resolver for addresses needs: questions for A and AAAA, and CNAMEs followed inside one
// response.
#pragma once

#include <optional>
#include <string_view>

#include "base/fixed_vec.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

inline constexpr std::uint16_t kDnsPort = 53;
inline constexpr std::size_t kMaxDnsAnswers = 16;
// RFC 1035 §2.3.4: without EDNS, which we do not speak, no message over UDP is longer.
inline constexpr std::size_t kMaxDnsMessage = 512;

using DnsAddresses = FixedVec<Address, kMaxDnsAnswers>;

enum class DnsType : std::uint16_t { A = 1, Cname = 5, Aaaa = 28 };

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

struct DnsQuestion {
  std::uint16_t id = 0;
  DnsName name;
  DnsType type = DnsType::A;
};

// The size of the message; 0 when it does not fit.
std::size_t write_dns_question(const DnsQuestion& question, MutBytes out);

enum class DnsOutcome : std::uint8_t {
  Malformed,
  NotOurs,       // no response, or to another question
  Answered,      // at least one address
  NoAddress,     // the name has none of this type, or does not exist
  ServerFailed,  // this server cannot or will not say: another one might
};

// Reads a response to `question`. Adds the first addresses to `out` until it holds `most`, each once; port 0.
// Every record that decides is checked to belong to the name asked for, or to what its CNAMEs lead to.
DnsOutcome read_dns_response(Bytes message, const DnsQuestion& question, std::size_t most, DnsAddresses& out);

// What a name on the network may mean. Loopback is not among it: a stranger's name must not make us talk to
// ourselves.
bool is_usable_dns_address(const Address& address);

}  // namespace pollrtc::net
