// What can go wrong, in three kinds that are never mixed:
//   Error  a wrong call, or text given to a call that cannot be used: the call changed nothing.
//   Drop   why a datagram (or a chunk of one) was discarded: counted, never fatal by itself.
//   Close  why an engine or a connection ended.
#pragma once

#include <cstdint>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc {

// name, meaning
#define POLLRTC_ERROR_CODES(X)                                   \
  X(InvalidArgument, "an argument is outside its range")         \
  X(InvalidState, "the call is not allowed in this state")       \
  X(ParseFailed, "the text breaks its grammar")                  \
  X(Refused, "the text is well formed but cannot be accepted")   \
  X(NotFound, "no such channel, section or candidate")           \
  X(AlreadyExists, "there is one already")                       \
  X(TooLarge, "larger than the agreed or configured maximum")    \
  X(BufferFull, "the send buffer is full")                       \
  X(LimitReached, "a configured limit is reached")               \
  X(OutOfMemory, "no memory")                                    \
  X(NoRandomness, "the random source failed")                    \
  X(NotSupported, "not supported")                               \
  X(Crypto, "a cryptographic operation failed")                  \
  X(Network, "the operating system refused a network operation") \
  X(Closed, "closed")                                            \
  X(Empty, "nothing is waiting")                                 \
  X(Unconfigured, "nothing was created to do it with")           \
  X(Unauthorized, "new connections are refused")

// Why a call was refused. The numbers never change; new ones come at the end.
enum class ErrorCode : std::uint8_t {
#define X(name, meaning) name,
  POLLRTC_ERROR_CODES(X)
#undef X
};

// Why a call was refused, and what exactly was wrong. The call has changed nothing.
class Error {
 public:
  // `detail` says what exactly was wrong, in words; it must outlive the error (a literal).
  // `line` is the line of the text it was found in, counted from 1; 0 where there is no text.
  constexpr Error(ErrorCode code, std::string_view detail, std::uint32_t line = 0)
      : detail_(detail), line_(line), code_(code) {}

  constexpr ErrorCode code() const { return code_; }             // the kind, for the program
  constexpr std::string_view detail() const { return detail_; }  // for people; good for ever
  constexpr std::uint32_t line() const { return line_; }         // of the text given, counted from 1; 0: none
  friend constexpr bool operator==(const Error& a, ErrorCode code) { return a.code_ == code; }

 private:
  std::string_view detail_;
  std::uint32_t line_;
  ErrorCode code_;
};

// Why bytes from the network were not used. Every drop has one of these names and a counter.
#define POLLRTC_DROPS(X)                                                                         \
  X(None, "used")                                                                                \
  /* demultiplexing, RFC 7983 */                                                                 \
  X(Empty, "empty datagram")                                                                     \
  X(UnknownProtocol, "first byte belongs to no protocol we speak")                               \
  X(UnknownPath, "from an address that ICE has not validated")                                   \
  X(NoSession, "the layer it belongs to is not running")                                         \
  X(Ended, "the session has ended")                                                              \
  X(OutOfMemory, "no memory to keep it")                                                         \
  X(NoRandomness, "the random source failed")                                                    \
  /* STUN and ICE, RFC 8489, 8445 */                                                             \
  X(StunMalformed, "not a well-formed STUN message")                                             \
  X(StunFingerprint, "STUN FINGERPRINT is missing or wrong")                                     \
  X(StunNoTransaction, "STUN response to no transaction in progress")                            \
  X(StunIntegrity, "STUN integrity is missing or wrong")                                         \
  X(StunUnknownMethod, "STUN method or class not served here")                                   \
  X(StunUnknownAttribute, "STUN unknown comprehension-required attribute")                       \
  X(StunBadRequest, "STUN request lacks something it must have")                                 \
  X(StunUnknownUser, "STUN USERNAME is not ours")                                                \
  X(StunRateLimited, "STUN error response withheld by the rate limit")                           \
  X(StunWrongSource, "STUN response from another address than was asked")                        \
  X(IceRoleConflict, "ICE role conflict, answered with 487")                                     \
  X(IceLimit, "ICE limit on candidates or pairs reached")                                        \
  /* ICE-TCP, RFC 6544 */                                                                        \
  X(TcpNotStun, "TCP connection that begins with something else than STUN")                      \
  X(TcpTooLarge, "packet on a TCP connection that is larger than any of ours")                   \
  X(TcpLimit, "TCP connection that nobody proved to be the peer's, or one too many")             \
  /* TURN, RFC 8656 */                                                                           \
  X(TurnMalformed, "TURN message, ChannelData or frame that breaks its format")                  \
  X(TurnUnexpected, "TURN message that has no place in this state")                              \
  X(TurnUnknownChannel, "TURN channel that is not bound")                                        \
  X(TurnNoPermission, "relayed from an address without a permission")                            \
  X(TurnIcmp, "an ICMP message, as a TURN server reports it")                                    \
  X(TurnLimit, "more than is kept for a connection to a TURN server")                            \
  /* DTLS, RFC 6347 */                                                                           \
  X(DtlsMalformed, "not a well-formed DTLS record")                                              \
  X(DtlsUnexpected, "DTLS record that has no place in this state")                               \
  X(DtlsFragment, "DTLS handshake fragment that contradicts its message")                        \
  X(DtlsLimit, "DTLS handshake reassembly limit reached")                                        \
  X(DtlsRejected, "DTLS record refused by its cryptography or its sequence number")              \
  X(DtlsEarly, "DTLS record before the path or the role is known")                               \
  X(DtlsEmpty, "DTLS record without content")                                                    \
  /* SCTP, RFC 9260 */                                                                           \
  X(SctpChecksum, "SCTP checksum is wrong")                                                      \
  X(SctpTruncated, "SCTP packet or chunk is shorter than its parts")                             \
  X(SctpPort, "SCTP port is not ours")                                                           \
  X(SctpTag, "SCTP verification tag is wrong")                                                   \
  X(SctpChunkMalformed, "SCTP chunk breaks its format")                                          \
  X(SctpBundling, "SCTP chunks that must not share a packet")                                    \
  X(SctpState, "SCTP chunk that has no place in this state")                                     \
  X(SctpUnknownChunk, "SCTP chunk of unknown type")                                              \
  X(SctpCookie, "SCTP cookie is forged, foreign or stale")                                       \
  X(SctpOutOfTheBlue, "SCTP packet that belongs to no association")                              \
  X(SctpDuplicate, "SCTP duplicate TSN")                                                         \
  X(SctpWindow, "SCTP DATA beyond the receive window or the TSN limit")                          \
  X(SctpOldSack, "SCTP SACK older than what is acknowledged")                                    \
  X(SctpStream, "SCTP stream outside the agreed range")                                          \
  X(SctpHeartbeat, "SCTP HEARTBEAT or its ACK cannot be used")                                   \
  X(SctpReconfig, "SCTP RE-CONFIG request or response that cannot be used")                      \
  X(SctpReplyLost, "SCTP reply withheld: too many wait already")                                 \
  /* data channels, RFC 8831, 8832 */                                                            \
  X(DcepMalformed, "DCEP message breaks its format")                                             \
  X(DcepUnexpected, "DCEP message that has no place in this state")                              \
  X(ChannelUnknownPpid, "message with a payload protocol we do not know")                        \
  X(ChannelUnknown, "message for a stream with no channel")                                      \
  X(ChannelLimit, "limit on channels or on data before their opening reached")                   \
  X(MessageTooLarge, "message above the size we announced")                                      \
  /* DNS, RFC 1035 */                                                                            \
  X(DnsMalformed, "not a well-formed DNS message")                                               \
  X(DnsUnexpected, "DNS message that answers no question of ours, and asks for no name of ours") \
  X(DnsRateLimited, "DNS question whose answer is withheld by the rate limit")                   \
  X(SocketOverflow, "datagram that the system dropped because our socket's buffer was full")

// Why a datagram, or a chunk of one, was discarded. None: it was used.
enum class Drop : std::uint8_t {
#define X(name, meaning) name,
  POLLRTC_DROPS(X)
#undef X
      Count_
};
// How many reasons there are, None included: the size of a table of counters.
inline constexpr std::size_t kDropCount = static_cast<std::size_t>(Drop::Count_);

// Why a session ended. The first group is an orderly or chosen end, the second a failure.
#define POLLRTC_CLOSES(X)                                                      \
  X(None, "not closed")                                                        \
  X(Local, "closed by this end")                                               \
  X(Remote, "closed by the other end")                                         \
  X(RemoteAbort, "aborted by the other end")                                   \
  X(Restarted, "replaced by a new association of the other end")               \
  X(IceFailed, "no candidate pair works")                                      \
  X(ConsentExpired, "the other end stopped answering (RFC 7675)")              \
  X(DtlsFailed, "the DTLS handshake failed")                                   \
  X(FingerprintMismatch, "the peer's certificate is not the one it announced") \
  X(HandshakeTimeout, "the DTLS handshake took too long")                      \
  X(SctpSetupFailed, "the SCTP association could not be set up")               \
  X(SctpUnreachable, "SCTP gave up retransmitting")                            \
  X(ProtocolViolation, "the other end broke the protocol")                     \
  X(OutOfMemory, "no memory")                                                  \
  X(NoRandomness, "the random source failed")

// Why a session, a connection or a channel ended.
enum class Close : std::uint8_t {
#define X(name, meaning) name,
  POLLRTC_CLOSES(X)
#undef X
};

// The enumerator's name ("StunIntegrity"), and one clause that says what it means.
POLLRTC_API std::string_view name_of(ErrorCode);
// As above.
POLLRTC_API std::string_view name_of(Drop);
// As above.
POLLRTC_API std::string_view name_of(Close);
// One clause that says what the name means.
POLLRTC_API std::string_view meaning_of(ErrorCode);
// As above.
POLLRTC_API std::string_view meaning_of(Drop);
// As above.
POLLRTC_API std::string_view meaning_of(Close);

}  // namespace pollrtc
