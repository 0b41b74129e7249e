// The a= lines that mean something to us: which they are, where they may stand, and how their values are read.
// Read first: RFC 9429 §5.8.1 and §5.8.2; the grammar of each attribute is in the RFC named beside it.
#pragma once

#include <string_view>

#include "sdp/description.h"

namespace pollrtc::sdp {

// Reads what stands behind "a=" into the section, or into the session part when `section` is null. Unknown attributes,
// and known ones at a level where they mean nothing, are checked for the form name[:value] and ignored (RFC 8866 §5.13).
// A known one that breaks its grammar fails (RFC 9429 §5.8), candidate lines aside: those are counted.
Status read_attribute(std::string_view attribute, Description& description, Section* section,
                      const Limits& limits);

// RFC 8122 §5 and RFC 4145 §4, for the writer.
std::string fingerprint_text(const Fingerprint& fingerprint);
std::string_view setup_text(Setup setup);

}  // namespace pollrtc::sdp
