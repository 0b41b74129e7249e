// The long-term credential mechanism as a TURN client speaks it: what a server's challenge asks for, signing requests by
// it, and knowing the server's answers. RFC 8489 §9.2 (mechanism), §9.2.5 (responses), §18.1 (security features),
// §18.5.1 (algorithms); RFC 8656 §5 (in TURN).
#pragma once

#include "base/memory.h"
#include "ice/stun_auth.h"

namespace pollrtc::turn {

// Who we are to a server; one for all its clients. The bytes go on the wire as they are given: who has characters beyond
// ASCII gives them prepared (RFC 8489 §9.2.2, OpaqueString).
struct Account {
  explicit Account(const Memory& memory) : username(memory), password(memory) {}
  Buffer username, password;
};

class LongTermAuth {
 public:
  enum class Verdict : std::uint8_t {
    Retry,             // ask again, signed by what the challenge said
    WrongCredentials,  // it knows what we signed with, and does not want it
    BidDown,           // somebody took PASSWORD-ALGORITHMS out
    NoAlgorithm,       // none of those offered is known to us
    Malformed,         // no realm or no nonce
    OutOfMemory,
  };

  LongTermAuth(const Memory& memory, const Account& account)
      : account_(account), realm_(memory), nonce_(memory), algorithms_(memory) {}

  // Was there a challenge? Requests before it are not signed.
  bool is_challenged() const { return is_challenged_; }
  // An error response with 401 or 438. OutOfMemory leaves nothing to go on with; any other but Retry
  // leaves things as they were.
  Verdict challenge(const stun::Message& error, int code);
  // Another server: its first challenge is yet to come.
  void reset();

  // Appends who we are, and the integrity. Nothing before a challenge.
  void sign(stun::Writer& writer) const;
  // Has the server of our challenge written this? In the algorithm our requests use, and no other.
  bool is_authentic(const stun::Message& response) const;
  // §9.2.5: a nonce that promises PASSWORD-ALGORITHMS without them spoils any response.
  static bool is_bid_down(const stun::Message& response);

 private:
  enum class Algorithm : std::uint16_t { None = 0, Md5 = 1, Sha256 = 2 };
  static std::optional<Algorithm> choose(Bytes offered);
  bool derive_key();
  Bytes key() const { return Bytes(key_).first(algorithm_ == Algorithm::Sha256 ? 32 : 16); }

  const Account& account_;
  Buffer realm_, nonce_, algorithms_;
  std::array<std::uint8_t, 32> key_{};
  crypto::Sha256 userhash_{};
  Algorithm algorithm_ = Algorithm::None;  // None: no PASSWORD-ALGORITHMS, so MD5 and MESSAGE-INTEGRITY
  bool is_challenged_ = false;
  bool is_anonymous_ = false;  // USERHASH instead of USERNAME
};

}  // namespace pollrtc::turn
