// write_description(): what both browsers insist on is always there, CRLF and a c= line behind every m= among it.
// Read first: RFC 8866 §5 (order), RFC 9429 §5.2.1 (what is written and where).
#include "sdp/attributes.h"
#include "sdp/candidate_line.h"
#include "sdp/description.h"

namespace pollrtc::sdp {
namespace {

class Writer {
 public:
  template <class... Parts>
  void line(const Parts&... parts) {
    (text_.append(parts), ...);
    text_.append("\r\n");
  }
  std::string take() { return std::move(text_); }

  void transport(const TransportAttributes& transport) {
    if (!transport.ufrag.empty()) line("a=ice-ufrag:", transport.ufrag);
    if (!transport.pwd.empty()) line("a=ice-pwd:", transport.pwd);
    if (!transport.ice_options.empty()) line("a=ice-options:", joined(transport.ice_options));
    for (const Fingerprint& fingerprint : transport.fingerprints)
      line("a=fingerprint:", fingerprint_text(fingerprint));
    for (const std::string& other : transport.other_fingerprints) line("a=fingerprint:", other);
    if (transport.setup != Setup::None) line("a=setup:", setup_text(transport.setup));
    if (!transport.tls_id.empty()) line("a=tls-id:", transport.tls_id);
    if (transport.end_of_candidates) line("a=end-of-candidates");
  }

  void section(const Section& section) {
    line("m=", section.media, " ", std::to_string(section.port), section.several_ports ? "/2" : "", " ",
         section.proto, " ", joined(section.formats));
    // RFC 9429 §5.2.1: no address is known yet; none is ever written here. Firefox wants the line in every section.
    line("c=IN IP4 0.0.0.0");
    for (const Candidate& candidate : section.candidates) line("a=", write_candidate(candidate, false));
    transport(section.transport);
    if (!section.mid.empty()) line("a=mid:", section.mid);
    if (section.bundle_only) line("a=bundle-only");
    if (section.ice_mismatch) line("a=ice-mismatch");
    if (!section.sctpmap.empty()) line("a=sctpmap:", section.sctpmap);
    if (section.sctp_port) line("a=sctp-port:", std::to_string(*section.sctp_port));
    if (section.max_message_size) line("a=max-message-size:", std::to_string(*section.max_message_size));
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
    return text;
  }

 private:
  std::string text_;
};

}  // namespace

std::string write_description(const Description& description) {
  Writer writer;
  const Origin& origin = description.origin;
  writer.line("v=0");
  writer.line("o=", origin.username, " ", origin.session_id, " ", origin.session_version, " ",
              origin.address);
  writer.line("s=-");
  writer.line("t=", description.timing);
  if (!description.tool.empty()) writer.line("a=tool:", description.tool);
  for (const auto& group : description.bundle_groups)
    writer.line("a=group:BUNDLE", group.empty() ? "" : " ", Writer::joined(group));
  if (description.ice_lite) writer.line("a=ice-lite");
  if (description.ice_pacing) writer.line("a=ice-pacing:", std::to_string(*description.ice_pacing));
  writer.transport(description.transport);
  for (const Section& section : description.sections) writer.section(section);
  return writer.take();
}

}  // namespace pollrtc::sdp
